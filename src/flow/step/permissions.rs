//! `setPermissions`, and the permissions of `launchApp`.

use farmhand_actors::{domain::Package, ports::DriverError};

use crate::flow::{
    model::Text,
    parse::keys::PERMISSION_GROUPS,
    runner::{Run, fault::Fault},
};

/// What permissions of Android itself begin with.
const PREFIX: &str = "android.permission.";

/// What the package manager says of a permission that the system decides about.
const UNCHANGEABLE: &str = "not a changeable permission type";
/// What it says of one that is not in the app's manifest.
const NOT_ASKED_FOR: &str = "has not requested permission";

impl Run {
    pub(super) async fn set_permissions(
        &mut self,
        app: Option<&Text>,
        permissions: &[(String, Text)],
    ) -> Result<(), Fault> {
        let package = self.package(app).await?;
        self.apply_permissions(&package, permissions).await
    }

    /// Grants and revokes, `all` first so that single ones can differ from it.
    pub(super) async fn apply_permissions(
        &mut self,
        package: &Package,
        permissions: &[(String, Text)],
    ) -> Result<(), Fault> {
        let (all, single): (Vec<_>, Vec<_>) = permissions.iter().partition(|(name, _)| name == "all");
        for (_, value) in all {
            let granted = self.granted(value).await?;
            for permission in self.requested_permissions(package).await? {
                self.set_one(package, &permission, granted).await?;
            }
        }
        for (name, value) in single {
            let granted = self.granted(value).await?;
            self.set_named(package, name, granted).await?;
        }
        Ok(())
    }

    /// A short name stands for several permissions: an app need not ask for all of them, but for one.
    async fn set_named(&mut self, package: &Package, name: &str, granted: bool) -> Result<(), Fault> {
        let mut refusal = None;
        let mut is_known = false;
        for permission in full_names(name) {
            match self.set_one(package, &permission, granted).await? {
                None => is_known = true,
                Some(fault) => refusal = Some(fault),
            }
        }
        match refusal.filter(|_| granted && !is_known) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    async fn granted(&self, value: &Text) -> Result<bool, Fault> {
        match self.js.interpolate(value).await?.as_str() {
            "allow" => Ok(true),
            "deny" | "unset" => Ok(false),
            other => Err(Fault::Invalid(format!(
                "a permission is allow, deny or unset, not `{other}`"
            ))),
        }
    }

    /// A permission that cannot be changed is left as it is; the answer is the refusal of one that the app has not asked
    /// for. Any other refusal is a fault.
    async fn set_one(&mut self, package: &Package, permission: &str, granted: bool) -> Result<Option<Fault>, Fault> {
        let call = self.phone.driver.set_permission(package, permission, granted);
        match self.phone.call(call).await {
            Err(Fault::Device(DriverError::Refused { problem, .. })) if problem.contains(UNCHANGEABLE) => Ok(None),
            Err(Fault::Device(error @ DriverError::Refused { .. })) if error.to_string().contains(NOT_ASKED_FOR) => {
                Ok(Some(Fault::Device(error)))
            }
            result => result.map(|()| None),
        }
    }

    async fn requested_permissions(&mut self, package: &Package) -> Result<Vec<String>, Fault> {
        let dump = self.shell_unchecked(&["dumpsys", "package", package.as_str()]).await?;
        Ok(requested(&String::from_utf8_lossy(&dump.stdout)))
    }
}

fn full_names(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    match PERMISSION_GROUPS.iter().find(|(group, _)| *group == lower) {
        Some((_, names)) => names.iter().map(|name| format!("{PREFIX}{name}")).collect(),
        None if name.contains('.') => vec![name.to_owned()],
        None => vec![format!("{PREFIX}{name}")],
    }
}

/// The list under `requested permissions:` of `dumpsys package`.
fn requested(dump: &str) -> Vec<String> {
    let list = dump
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "requested permissions:");
    list.skip(1)
        .take_while(|line| !line.ends_with(':') && !line.is_empty())
        .map(|line| line.split(':').next().unwrap_or(line).to_owned())
        .filter(|permission| permission.starts_with(PREFIX))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_gives_what_the_app_asks_for() {
        let dump = "Packages:\n  Package [a.b]:\n    requested permissions:\n      android.permission.CAMERA\n      \
                    android.permission.SMS: restricted=true\n      com.other.X\n    install permissions:\n      \
                    android.permission.INTERNET: granted=true\n";
        assert_eq!(requested(dump), ["android.permission.CAMERA", "android.permission.SMS"]);
        assert!(requested("").is_empty());
    }
}
