//! Apps: start, stop, links, permissions, what is in front.

use farmhand_actors::{
    domain::Package,
    ports::{DriverError, LaunchApp, LaunchExtra, ShellOutput},
};

use super::call::{AdbDriver, problem_of};
use crate::adb::{error::one_line, quote::CommandLine, settings::millis};

/// What a `pm path` prints before each of an app's files.
const PATH_PREFIX: &str = "package:";

const ALL_FILES: &str = "android.permission.MANAGE_EXTERNAL_STORAGE";

/// The option of `am start` for an extra with a fraction, on newer and on older phones, and what the latter say to the
/// former.
const DOUBLE: &str = "--ed";
const FLOAT: &str = "--ef";
const UNKNOWN_DOUBLE: &str = "Unknown option: --ed";

impl AdbDriver {
    pub(super) async fn start_app(&self, launch: LaunchApp) -> Result<(), DriverError> {
        const OP: &str = "launch_app";
        let component = self.launcher_of(&launch.package).await?;
        let deadline = millis(self.phones.settings.deadlines.launch_ms);
        for decimal in [DOUBLE, FLOAT] {
            let output = self
                .act(OP, deadline, launch_line(&launch, &component, decimal))
                .await?;
            match start_problem(&output) {
                None => return Ok(()),
                // It has not started anything yet: options are read first.
                Some(problem) if decimal == DOUBLE && problem.contains(UNKNOWN_DOUBLE) => {}
                Some(problem) => return self.failed_with(OP, &launch.package, problem).await,
            }
        }
        Ok(())
    }

    /// An app that is not there (any more) is told as that, whatever the program said of it.
    async fn failed_with(&self, op: &'static str, package: &Package, problem: String) -> Result<(), DriverError> {
        if self.is_installed(package).await? {
            Err(self.refused(op, problem))
        } else {
            Err(self.app_missing(package))
        }
    }

    /// `package/activity`, in one question together with whether the app is there at all.
    async fn launcher_of(&self, package: &Package) -> Result<String, DriverError> {
        const OP: &str = "launch_app";
        let line = CommandLine::program("pm path").arg(package.as_str()).then(
            CommandLine::program("cmd package resolve-activity --brief")
                .arg(package.as_str())
                .then(CommandLine::program("exit 0")),
        );
        let output = self
            .query(OP, millis(self.phones.settings.deadlines.query_ms), &line)
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !said.lines().any(|line| line.starts_with(PATH_PREFIX)) {
            return Err(self.app_missing(package));
        }
        let component = said
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| line.split_once('/').is_some_and(|(owner, _)| owner == package.as_str()));
        component
            .map(str::to_owned)
            .ok_or_else(|| self.refused(OP, format!("{package} has no activity that a launcher could start")))
    }

    fn app_missing(&self, package: &Package) -> DriverError {
        DriverError::AppMissing {
            serial: self.phone.serial.clone(),
            package: package.clone(),
        }
    }

    /// `am force-stop` says nothing and succeeds for packages that are not there, too.
    pub(super) async fn force_stop(&self, package: &Package) -> Result<(), DriverError> {
        self.change_app("stop_app", CommandLine::program("am force-stop").arg(package.as_str()))
            .await
            .map(drop)
    }

    pub(super) async fn kill_in_background(&self, package: &Package) -> Result<(), DriverError> {
        self.change_app("kill_app", CommandLine::program("am kill").arg(package.as_str()))
            .await
            .map(drop)
    }

    pub(super) async fn clear_data(&self, package: &Package) -> Result<(), DriverError> {
        const OP: &str = "clear_app";
        let line = CommandLine::program("pm clear").arg(package.as_str());
        let output = self
            .act(OP, millis(self.phones.settings.deadlines.query_ms), line)
            .await?;
        if says_success(&output) {
            return Ok(());
        }
        self.failed_with(OP, package, problem_of(&output)).await
    }

    pub(super) async fn is_installed(&self, package: &Package) -> Result<bool, DriverError> {
        let line = CommandLine::program("pm path").arg(package.as_str());
        let output = self
            .query("has_app", millis(self.phones.settings.deadlines.query_ms), &line)
            .await?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.starts_with(PATH_PREFIX)))
    }

    pub(super) async fn focused_app(&self) -> Result<Option<Package>, DriverError> {
        let line = CommandLine::script("dumpsys window | grep Focus; exit 0");
        let output = self
            .query("foreground_app", millis(self.phones.settings.deadlines.query_ms), &line)
            .await?;
        Ok(focused_package(&String::from_utf8_lossy(&output.stdout)))
    }

    pub(super) async fn view_link(&self, link: &str, package: Option<&Package>) -> Result<(), DriverError> {
        const OP: &str = "open_link";
        let mut line = CommandLine::program("am start -W -a android.intent.action.VIEW -d").arg(link);
        if let Some(package) = package {
            line = line.flags(&["-p"]).arg(package.as_str());
        }
        let output = self
            .act(OP, millis(self.phones.settings.deadlines.launch_ms), line)
            .await?;
        let Some(problem) = start_problem(&output) else {
            return Ok(());
        };
        match package {
            Some(package) => self.failed_with(OP, package, problem).await,
            None => Err(self.refused(OP, problem)),
        }
    }

    pub(super) async fn change_permission(
        &self,
        package: &Package,
        permission: &str,
        granted: bool,
    ) -> Result<(), DriverError> {
        let line = permission_line(package, permission, granted);
        self.change_app("set_permission", line).await.map(drop)
    }

    async fn change_app(&self, op: &'static str, line: CommandLine) -> Result<ShellOutput, DriverError> {
        self.act_well(op, millis(self.phones.settings.deadlines.query_ms), line)
            .await
    }
}

/// Access to all files is no permission that the package manager grants: it is an operation that is allowed.
fn permission_line(package: &Package, permission: &str, granted: bool) -> CommandLine {
    if permission == ALL_FILES {
        let mode = if granted { "allow" } else { "deny" };
        let line = CommandLine::program("cmd appops set").arg(package.as_str());
        return line.arg("MANAGE_EXTERNAL_STORAGE").arg(mode);
    }
    let program = if granted { "pm grant" } else { "pm revoke" };
    CommandLine::program(program).arg(package.as_str()).arg(permission)
}

fn launch_line(launch: &LaunchApp, component: &str, decimal: &'static str) -> CommandLine {
    let mut line = CommandLine::program("am start -W");
    if launch.stop_first {
        line = line.flags(&["-S"]);
    }
    line = line
        .flags(&[
            "-a android.intent.action.MAIN",
            "-c android.intent.category.LAUNCHER",
            "-n",
        ])
        .arg(component);
    let extras = launch.extras.iter();
    extras.fold(line, |line, (name, value)| with_extra(line, name, value, decimal))
}

fn with_extra(line: CommandLine, name: &str, value: &LaunchExtra, decimal: &'static str) -> CommandLine {
    match value {
        LaunchExtra::Text(text) => line.flags(&["--es"]).arg(name).arg(text),
        LaunchExtra::Bool(truth) => line.flags(&["--ez"]).arg(name).arg(&truth.to_string()),
        LaunchExtra::Integer(number) => {
            let flag = if i32::try_from(*number).is_ok() { "--ei" } else { "--el" };
            line.flags(&[flag]).arg(name).arg(&number.to_string())
        }
        LaunchExtra::Decimal(number) => line.flags(&[decimal]).arg(name).arg(&number.to_string()),
    }
}

/// Why `am start` did not start anything. With `-W` its errors stand on standard output; a warning (the activity was in
/// front already) is a success, and so is `Status: timeout` (it started, but is slow to draw).
fn start_problem(output: &ShellOutput) -> Option<String> {
    let said = [
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    ]
    .join("\n");
    let lines = || said.lines().map(str::trim);
    let error = lines()
        .find(|line| line.starts_with("Error: "))
        .or_else(|| lines().find(|line| line.starts_with("java.lang.") || line.starts_with("Error type ")));
    match error {
        Some(error) => Some(one_line(error)),
        None if output.code != 0 => Some(problem_of(output)),
        None => None,
    }
}

pub(super) fn says_success(output: &ShellOutput) -> bool {
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .any(|line| line.trim() == "Success")
}

/// The package of the focused window. There is a pair of lines per display; `null` comes while windows change, and a
/// window without a package (the shade, an "app not responding" box) is nobody's.
fn focused_package(text: &str) -> Option<Package> {
    let of = |key: &str| -> Vec<Option<&str>> {
        let values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        values
            .filter(|value| !value.starts_with("null"))
            .map(package_in)
            .collect()
    };
    let (windows, apps) = (of("mCurrentFocus"), of("mFocusedApp"));
    let agreed = windows
        .iter()
        .find(|window| window.is_some() && apps.contains(window))
        .copied()
        .flatten();
    let named = agreed.or_else(|| windows.iter().copied().flatten().next());
    let found = named.or_else(|| {
        if windows.is_empty() {
            apps.iter().copied().flatten().next()
        } else {
            None
        }
    });
    found.and_then(|package| Package::parse(package).ok())
}

/// `Window{41b u0 com.x/com.x.Main}` or `ActivityRecord{14d u0 com.x/.Main t9}`
fn package_in(value: &str) -> Option<&str> {
    value
        .split([' ', '{', '}'])
        .find_map(|word| word.split_once('/').map(|(package, _)| package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str, stderr: &str, code: u8) -> ShellOutput {
        ShellOutput {
            stdout: stdout.into(),
            stderr: stderr.into(),
            code,
        }
    }

    #[test]
    fn the_words_of_am_start_are_understood() {
        let started = "Starting: Intent { act=android.intent.action.VIEW dat=https://example.com/... }\n";
        let problem = |text: &str, code| start_problem(&output(&format!("{started}{text}"), "", code));

        assert_eq!(
            problem(
                "Status: ok\nLaunchState: COLD\nActivity: com.x/.Main\nTotalTime: 1479\nComplete\n",
                0
            ),
            None
        );
        assert_eq!(problem("Status: timeout\nComplete\n", 0), None);
        assert_eq!(
            problem(
                "Warning: Activity not started, its current task has been brought to the front\n",
                0
            ),
            None
        );
        assert_eq!(
            problem("Error: Activity not started, unable to resolve Intent { act=x }\n", 1).as_deref(),
            Some("Error: Activity not started, unable to resolve Intent { act=x }")
        );
        assert_eq!(
            problem(
                "Error type 3\nError: Activity class {com.x/com.x.Y} does not exist.\n",
                1
            )
            .as_deref(),
            Some("Error: Activity class {com.x/com.x.Y} does not exist.")
        );
        let denied =
            "\nException occurred while executing 'start':\njava.lang.SecurityException: Permission Denial\n\tat a";
        assert_eq!(
            start_problem(&output(started, denied, 255)).as_deref(),
            Some("java.lang.SecurityException: Permission Denial")
        );
        assert_eq!(start_problem(&output("", "", 20)).as_deref(), Some("exit code 20"));
    }

    #[test]
    fn the_focused_package_is_the_one_on_which_both_lines_agree() {
        let package = |text: &str| focused_package(text).map(|package| package.as_str().to_owned());

        assert_eq!(
            package(
                "  mCurrentFocus=Window{41b u0 com.x/com.x.Main}\n  mFocusedApp=ActivityRecord{14d u0 com.x/.Main t9}\n"
            ),
            Some("com.x".into())
        );
        assert_eq!(
            package(
                "  mCurrentFocus=null\n  mFocusedApp=null\n  mCurrentFocus=Window{1 u0 com.y/.A}\n  \
                 mFocusedApp=AppWindowToken{2 token=Token{3 ActivityRecord{4 u0 com.y/.A t1}}}\n"
            ),
            Some("com.y".into())
        );
        assert_eq!(
            package("  mCurrentFocus=null\n  mFocusedApp=ActivityRecord{1 u0 com.z/.A t1}\n"),
            Some("com.z".into())
        );
        assert_eq!(
            package("  mCurrentFocus=Window{1 u0 NotificationShade}\n  mFocusedApp=ActivityRecord{1 u0 com.z/.A t1}\n"),
            None
        );
        assert_eq!(package("  mCurrentFocus=null\n"), None);
        assert_eq!(package(""), None);
    }

    #[test]
    fn access_to_all_files_is_an_operation_and_other_permissions_are_granted() {
        let package = Package::parse("com.x").unwrap();
        let line = |permission: &str, granted| {
            let line = permission_line(&package, permission, granted);
            line.render().unwrap().to_owned()
        };
        assert_eq!(
            line(ALL_FILES, true),
            "cmd appops set 'com.x' 'MANAGE_EXTERNAL_STORAGE' 'allow'"
        );
        assert_eq!(
            line(ALL_FILES, false),
            "cmd appops set 'com.x' 'MANAGE_EXTERNAL_STORAGE' 'deny'"
        );
        assert_eq!(
            line("android.permission.CAMERA", true),
            "pm grant 'com.x' 'android.permission.CAMERA'"
        );
        assert_eq!(
            line("android.permission.CAMERA", false),
            "pm revoke 'com.x' 'android.permission.CAMERA'"
        );
    }

    #[test]
    fn extras_keep_their_types() {
        let line = [
            ("a", LaunchExtra::Text("it's".into())),
            ("b", LaunchExtra::Bool(true)),
            ("c", LaunchExtra::Integer(7)),
            ("d", LaunchExtra::Integer(1 << 40)),
            ("e", LaunchExtra::Decimal(0.5)),
        ]
        .iter()
        .fold(CommandLine::program("am start"), |line, (name, value)| {
            with_extra(line, name, value, DOUBLE)
        });

        assert_eq!(
            line.render().unwrap(),
            r"am start --es 'a' 'it'\''s' --ez 'b' 'true' --ei 'c' '7' --el 'd' '1099511627776' --ed 'e' '0.5'"
        );
    }
}
