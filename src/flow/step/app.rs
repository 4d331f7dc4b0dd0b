//! `launchApp`, `stopApp`, `killApp`, `clearState`.

use farmhand_actors::{
    domain::Package,
    ports::{LaunchApp as Launch, LaunchExtra},
};

use crate::flow::{
    model::{Argument, LaunchApp, Text},
    policy::Permission,
    runner::{Run, fault::Fault},
};

impl Run {
    /// The package that a command names, or the flow's.
    pub(super) async fn package(&self, app: Option<&Text>) -> Result<Package, Fault> {
        let name = match app {
            Some(text) => self.filled(text).await?,
            None => self.app_id.clone(),
        };
        Package::parse(&name).map_err(|error| Fault::Invalid(format!("appId `{name}`: {error}")))
    }

    pub(super) async fn launch_app(&mut self, launch: &LaunchApp) -> Result<(), Fault> {
        let package = self.package(launch.app_id.as_ref()).await?;
        if launch.clear_state {
            self.phone.call(self.phone.driver.clear_app(&package)).await?;
        }
        match &launch.permissions {
            Some(permissions) => self.apply_permissions(&package, permissions).await?,
            // Upstream grants everything here; a flow has to ask for that.
            None if self
                .script
                .flow()
                .config
                .extension
                .policy
                .allows(Permission::Permissions) =>
            {
                self.apply_permissions(&package, &[("all".to_owned(), "allow".into())])
                    .await?;
            }
            None => {}
        }
        let mut extras = Vec::new();
        for (name, value) in &launch.arguments {
            extras.push((self.js.interpolate(name).await?, self.extra(value).await?));
        }
        let launch = Launch {
            package,
            stop_first: launch.stop,
            extras,
        };
        self.phone.call(self.phone.driver.launch_app(launch)).await?;
        self.size = None;
        self.acted(None).await
    }

    async fn extra(&self, value: &Argument) -> Result<LaunchExtra, Fault> {
        Ok(match value {
            Argument::Text(text) => LaunchExtra::Text(self.filled(text).await?),
            Argument::Bool(flag) => LaunchExtra::Bool(*flag),
            Argument::Integer(number) => LaunchExtra::Integer(*number),
            Argument::Decimal(number) => LaunchExtra::Decimal(*number),
        })
    }

    pub(super) async fn stop_app(&mut self, app: Option<&Text>) -> Result<(), Fault> {
        let package = self.package(app).await?;
        self.phone.call(self.phone.driver.stop_app(&package)).await?;
        self.acted(None).await
    }

    pub(super) async fn kill_app(&mut self, app: Option<&Text>) -> Result<(), Fault> {
        let package = self.package(app).await?;
        self.phone.call(self.phone.driver.kill_app(&package)).await?;
        self.acted(None).await
    }

    pub(super) async fn clear_state(&mut self, app: Option<&Text>) -> Result<(), Fault> {
        let package = self.package(app).await?;
        self.phone.call(self.phone.driver.clear_app(&package)).await?;
        self.acted(None).await
    }
}
