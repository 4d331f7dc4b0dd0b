//! One phone, as a port.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::domain::{
    AdbState, DeviceInfo, Freshness, Lease, Package, ScreenCapture, ScreenContent, Screenshot, Serial, UiTree,
};

/// Why a call to a phone failed. Texts carry no secrets and fit one log line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// The adb server does not answer.
    #[error("the adb server at {server} cannot be reached: {problem}")]
    ServerDown {
        /// `host:port`
        server: String,
        /// In the system's words.
        problem: String,
    },
    /// The phone is not usable now.
    #[error("device {serial} is {state:?}: {problem}")]
    NotReady {
        /// Which.
        serial: Serial,
        /// What adb says of it.
        state: AdbState,
        /// In adb's words.
        problem: String,
    },
    /// The connection ended in mid-command: nobody knows whether the phone did it.
    #[error("device {serial} went away during {command}")]
    Lost {
        /// Which.
        serial: Serial,
        /// The kind of command, e.g. `tap`.
        command: &'static str,
    },
    /// The phone did not answer in time; the call was cancelled and its socket closed.
    #[error("device {serial} did not answer {command} within {after:?}")]
    TimedOut {
        /// Which.
        serial: Serial,
        /// The kind of command, e.g. `tap`.
        command: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// So many phones are being asked the same that this one was not: nothing is known of it, nothing was done.
    #[error(
        "too many phones are busy with {command} at the same time; device {serial} found no place within {after:?}"
    )]
    Crowded {
        /// Which.
        serial: Serial,
        /// The kind of command, e.g. `screenshot`.
        command: &'static str,
        /// For so long a place was waited for.
        after: Duration,
    },
    /// The phone answered that it could not.
    #[error("{command} failed on device {serial}: {problem}")]
    Refused {
        /// Which.
        serial: Serial,
        /// The kind of command, e.g. `install`.
        command: &'static str,
        /// In the phone's words.
        problem: String,
    },
    /// Another phone answers under this serial; nothing was done.
    #[error("device {wanted} was expected but {found} answered; nothing was done")]
    WrongDevice {
        /// The one wanted.
        wanted: Serial,
        /// What the phone says its serial is.
        found: String,
    },
    /// The lease file on the phone names another attempt; nothing was done.
    #[error("another attempt holds device {serial}; nothing was done")]
    Fenced {
        /// Which.
        serial: Serial,
    },
    /// The phone has restarted since the attempt took it: what the attempt saw there is gone; nothing was done.
    #[error("device {serial} has restarted in the middle of the attempt; nothing was done since")]
    Restarted {
        /// Which.
        serial: Serial,
    },
    /// The app is not installed.
    #[error("{package} is not installed on device {serial}")]
    AppMissing {
        /// Which phone.
        serial: Serial,
        /// Which app.
        package: Package,
    },
    /// The text cannot be typed; nothing was typed.
    #[error("the text cannot be typed on device {serial}: {problem}")]
    Untypable {
        /// Which phone.
        serial: Serial,
        /// Why, and how to mend it.
        problem: String,
    },
    /// The view tree could not be had.
    #[error("no view tree from device {serial}: {problem}")]
    Hierarchy {
        /// Which phone.
        serial: Serial,
        /// Why.
        problem: HierarchyProblem,
    },
    /// The device has failed too often lately; it is left alone for a while.
    #[error("device {serial} is left alone for {retry_after:?} after repeated failures")]
    Breaker {
        /// Which phone.
        serial: Serial,
        /// Until it is tried again.
        retry_after: Duration,
    },
    /// A file of this host could not be read or written.
    #[error("{problem}")]
    HostFile {
        /// Which file and why.
        problem: String,
    },
}

/// Commands whose arguments come from flows and tasks: what the phone says against them is most likely said of those.
const ASKED_FOR: [&str; 4] = ["launch_app", "open_link", "set_permission", "clear_app"];

/// What a phone says that cannot carry out anything of the kind. The words are those of Android's `cmd`, `am` and `pm`.
const UNABLE: [&str; 7] = [
    "can't find service",
    "could not access the",
    "deadobjectexception",
    "deadsystemexception",
    "failed transaction",
    "no space left",
    "read-only file system",
];

impl DriverError {
    /// Whether the phone works, and has refused what was asked of it: a link that no app takes, a permission that the app
    /// does not know. Another task on this phone need not fare so.
    #[must_use]
    pub fn is_of_what_was_asked(&self) -> bool {
        let Self::Refused { command, problem, .. } = self else {
            return false;
        };
        let problem = problem.to_lowercase();
        ASKED_FOR.contains(command) && !UNABLE.iter().any(|words| problem.contains(words))
    }
}

/// Why there is no view tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyProblem {
    /// `ERROR: could not get idle state.`
    #[error("the screen does not come to rest")]
    NotIdle,
    /// `ERROR: null root node returned by UiTestAutomationBridge.`
    #[error("there is no window (screen off?)")]
    NoRoot,
    /// The dumping process was killed.
    #[error("the dump was killed on the phone")]
    Killed,
    /// The dump is empty.
    #[error("the dump is empty")]
    Empty,
    /// The dump is longer than farmhand reads.
    #[error("the dump is over {limit} {unit}")]
    TooLarge {
        /// The cap.
        limit: usize,
        /// `bytes`, `nodes` or `levels`.
        unit: &'static str,
    },
    /// The dump is not a hierarchy.
    #[error("the dump cannot be read: {0}")]
    Malformed(String),
}

/// What a shell command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShellOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code.
    pub code: u8,
}

/// A command for the phone's shell: a program and its arguments, quoted by the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellCommand {
    /// Program and arguments, each one word for the phone whatever it contains.
    pub words: Vec<String>,
    /// Deadline; `None` takes the one from the settings.
    pub timeout: Option<Duration>,
}

/// How an app is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchApp {
    /// Which.
    pub package: Package,
    /// Stop it first.
    pub stop_first: bool,
    /// Extras of the intent: name and value.
    pub extras: Vec<(String, LaunchExtra)>,
}

/// A typed extra of a launch intent.
#[derive(Debug, Clone, PartialEq)]
pub enum LaunchExtra {
    /// `--es`
    Text(String),
    /// `--ez`
    Bool(bool),
    /// `--ei` or `--el`
    Integer(i64),
    /// `--ed`, or `--ef` on phones that do not know that.
    Decimal(f64),
}

impl Eq for LaunchExtra {}

/// A point in pixels of the current rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// From the left.
    pub x: i32,
    /// From the top.
    pub y: i32,
}

/// A phone that can be driven. Every call has a deadline; dropping a call's future cancels it and closes its
/// socket. "Acting" calls (tap … push) check the lease on the phone when the driver was opened with one.
#[async_trait]
pub trait DeviceDriver: Send + Sync {
    /// farmhand's name for the phone.
    fn serial(&self) -> &Serial;

    /// Takes the phone: compares its own serial with the wanted one, wakes it, writes the lease's token to it.
    async fn take(&self) -> Result<(), DriverError>;

    /// Asks the phone about itself.
    async fn info(&self) -> Result<DeviceInfo, DriverError>;

    /// Asks the phone whether it is there, as cheaply as can be; within the caller's patience.
    async fn heartbeat(&self) -> Result<(), DriverError> {
        self.info().await.map(drop)
    }

    /// Runs a command; a non-zero exit code is not an error here.
    async fn shell(&self, command: ShellCommand) -> Result<ShellOutput, DriverError>;

    /// The view tree of all windows.
    async fn hierarchy(&self) -> Result<UiTree, DriverError>;

    /// The raw text of a fresh view tree, for evidence.
    async fn hierarchy_text(&self) -> Result<String, DriverError>;

    /// A picture of the screen.
    async fn screenshot(&self) -> Result<Screenshot, DriverError>;

    /// A picture of the screen with a word on what it shows; [`Freshness::Shared`] ones may be another's.
    async fn capture(&self, _freshness: Freshness) -> Result<Arc<ScreenCapture>, DriverError> {
        let picture = self.screenshot().await?;
        let content = ScreenContent::Visible;
        Ok(Arc::new(ScreenCapture { picture, content }))
    }

    /// Pixels of the screen in its current rotation: width, height.
    async fn screen_size(&self) -> Result<(u32, u32), DriverError>;

    /// Taps.
    async fn tap(&self, at: Point) -> Result<(), DriverError>;

    /// Swipes in a straight line.
    async fn swipe(&self, from: Point, to: Point, duration: Duration) -> Result<(), DriverError>;

    /// Presses a key by Android's key code.
    async fn key(&self, code: u32) -> Result<(), DriverError>;

    /// Presses several keys in one call, in order.
    async fn keys(&self, codes: &[u32]) -> Result<(), DriverError>;

    /// Types the text into the focused field: exactly once, in order, complete, or not at all.
    async fn type_text(&self, text: &str) -> Result<(), DriverError>;

    /// Starts an app by its launcher activity.
    async fn launch_app(&self, launch: LaunchApp) -> Result<(), DriverError>;

    /// `am force-stop`.
    async fn stop_app(&self, package: &Package) -> Result<(), DriverError>;

    /// `am kill`.
    async fn kill_app(&self, package: &Package) -> Result<(), DriverError>;

    /// `pm clear`.
    async fn clear_app(&self, package: &Package) -> Result<(), DriverError>;

    /// Whether the app is installed.
    async fn has_app(&self, package: &Package) -> Result<bool, DriverError>;

    /// The package whose window has the focus.
    async fn foreground_app(&self) -> Result<Option<Package>, DriverError>;

    /// Opens a link, in `package` if given.
    async fn open_link(&self, link: &str, package: Option<&Package>) -> Result<(), DriverError>;

    /// Grants or revokes a permission by its full name.
    async fn set_permission(&self, package: &Package, permission: &str, granted: bool) -> Result<(), DriverError>;

    /// Copies a file of this host to the phone.
    async fn push(&self, local: &Path, remote: &str) -> Result<(), DriverError>;

    /// Copies a file of the phone to this host.
    async fn pull(&self, remote: &str, local: &Path) -> Result<(), DriverError>;

    /// Copies a media file into the phone's gallery as its newest item; answers its path on the phone.
    async fn add_media(&self, local: &Path, name: &str) -> Result<String, DriverError>;

    /// Installs an APK file of this host.
    async fn install(&self, apk: &Path) -> Result<(), DriverError>;

    /// The last `lines` of the phone's log.
    async fn log(&self, lines: u32) -> Result<String, DriverError>;
}

/// Opens drivers.
pub trait DriverFactory: Send + Sync {
    /// A driver for `serial`; with a lease, acting calls are fenced by it. Opening does not talk to the phone.
    fn open(&self, serial: &Serial, lease: Option<&Lease>) -> Arc<dyn DeviceDriver>;

    /// What the phone called itself before this start. A phone that is known by an address only has to stay the same.
    fn remember(&self, _serial: &Serial, _own_serial: &str) {}

    /// Whatever phone answers under this name next is the wanted one from then on, if the name is only an address.
    fn forget(&self, _serial: &Serial) {}

    /// The last command that the phone has answered to any driver, since the start.
    fn last_answer(&self, _serial: &Serial) -> Option<LastAnswer> {
        None
    }
}

/// A command that a phone has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAnswer {
    /// Its kind, e.g. `tap`.
    pub command: &'static str,
    /// How long ago.
    pub ago: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_phone_refuses_is_its_own_fault_only_where_it_could_not_do_any_such_thing() {
        for (command, problem, is_of_what_was_asked) in [
            (
                "open_link",
                "Error: Activity not started, unable to resolve Intent { dat=x://y }",
                true,
            ),
            (
                "set_permission",
                "java.lang.SecurityException: Package a.b has not requested permission C",
                true,
            ),
            ("launch_app", "Error: Unknown option: --ed", true),
            ("launch_app", "cmd: Can't find service: activity", false),
            (
                "open_link",
                "Error: Could not access the Activity Manager. Is the system running?",
                false,
            ),
            ("clear_app", "android.os.DeadObjectException", false),
            (
                "tap",
                "java.lang.SecurityException: Injecting input events requires INJECT_EVENTS",
                false,
            ),
            ("take", "No space left on device", false),
        ] {
            let error = DriverError::Refused {
                serial: Serial::parse("p1").unwrap(),
                command,
                problem: problem.to_owned(),
            };
            assert_eq!(
                error.is_of_what_was_asked(),
                is_of_what_was_asked,
                "{command}: {problem}"
            );
        }
    }
}
