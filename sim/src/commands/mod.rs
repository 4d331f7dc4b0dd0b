//! Android's own programs (`am`, `input`, `uiautomator`, `dumpsys` …): what they do to the phone, and what they say
//! about it, word for word. The shell's builtins and the toybox tools are the shell's.

mod am;
mod apk;
mod broadcast;
mod cmd;
mod content;
mod dumpsys;
mod hierarchy;
mod ime;
mod input;
mod intent;
mod keycodes;
mod logcat;
mod monkey;
mod network;
mod package;
mod properties;
mod reply;
mod screen;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
mod uiautomator;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

pub(crate) use hierarchy::{Dumper, to_xml};
pub(crate) use keycodes::code_of;
pub(crate) use screen::{jpeg, png};

use self::reply::{Answer, failed, silent};
use crate::{
    agent::Agent,
    device::{Completion, Invocation},
    fs::Filesystem,
    handset::Handset,
};

/// How long programs take that take their time on a real phone too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramTimes {
    /// `uiautomator dump`: a real phone needs 1 to 3 s, most of it waiting for the screen to be idle.
    pub dump: Duration,
    /// Whether `input swipe` and its kin last as long as the gesture does.
    pub gestures: bool,
}

impl Default for ProgramTimes {
    fn default() -> Self {
        Self {
            dump: Duration::from_millis(40),
            gestures: true,
        }
    }
}

/// The programs of one phone, and what they remember between two calls.
pub struct Programs {
    handset: Arc<dyn Handset>,
    files: Arc<Filesystem>,
    agent: Arc<Agent>,
    times: ProgramTimes,
    memory: Mutex<Memory>,
}

/// What was changed through a program and is no concern of the phone's world.
#[derive(Debug, Default)]
struct Memory {
    /// `wm size WxH`
    size: Option<(u32, u32)>,
    /// `wm density N`
    density: Option<u32>,
    /// `dumpsys battery set NAME VALUE`
    battery: BTreeMap<String, String>,
    /// `setprop`
    properties: BTreeMap<String, String>,
    /// Names of settings that were put, by namespace, for `settings list`.
    settings: BTreeSet<(String, String)>,
    /// Packages with a process, as far as these programs started them.
    running: BTreeSet<String>,
    /// The log's last line when it was cleared.
    log_cleared_after: Option<String>,
}

impl Programs {
    /// The programs of this phone; `agent` is what `app_process` starts.
    pub fn new(handset: Arc<dyn Handset>, files: Arc<Filesystem>, agent: Arc<Agent>, times: ProgramTimes) -> Self {
        Self {
            handset,
            files,
            agent,
            times,
            memory: Mutex::default(),
        }
    }

    /// The same, and a program that goes on until it is stopped (`logcat`) hands on to `output` what it prints.
    pub async fn run_live(&self, invocation: Invocation, output: mpsc::Sender<Vec<u8>>) -> Option<Completion> {
        if invocation.argv.first().is_some_and(|name| name == "logcat") {
            let arguments = invocation.argv.get(1..).unwrap_or_default();
            return Some(logcat::follow(self, arguments, &output).await);
        }
        drop(output);
        self.run(invocation).await
    }

    /// Runs a program to its end; one that never ends (`app_process`) ends when this future is dropped.
    /// `None`: this phone has no such program.
    pub async fn run(&self, invocation: Invocation) -> Option<Completion> {
        let (program, arguments) = invocation.argv.split_first()?;
        let name = ["/system/bin/", "/vendor/bin/", "/system/xbin/"]
            .iter()
            .find_map(|folder| program.strip_prefix(folder))
            .unwrap_or(program);
        let answer = match name {
            "getprop" => Ok(properties::getprop(self, arguments)),
            "setprop" => Ok(properties::setprop(self, arguments)),
            "am" => am::run(self, arguments),
            "monkey" => Ok(monkey::run(self, arguments)),
            "cmd" => cmd::run(self, arguments, &invocation.stdin),
            "pm" => package::run(self, arguments, &invocation.stdin),
            "input" => input::run(self, arguments).await,
            "uiautomator" => uiautomator::run(self, arguments).await,
            "screencap" => screen::screencap(self, arguments).await,
            "screenrecord" => Ok(screen::screenrecord()),
            "wm" => screen::wm(self, arguments),
            "dumpsys" => dumpsys::run(self, arguments),
            "settings" => settings::run(self, arguments),
            "ime" => ime::run(self, arguments),
            "content" => content::run(self, arguments),
            "logcat" => Ok(logcat::run(self, arguments)),
            "log" => Ok(logcat::log(self, arguments)),
            "svc" => Ok(network::svc(arguments)),
            "ip" => Ok(network::ip(arguments)),
            "ifconfig" => Ok(network::ifconfig(arguments)),
            "pidof" => Ok(properties::pidof(self, arguments)),
            "ps" => Ok(properties::ps(self)),
            "app_process" | "app_process64" | "app_process32" => Ok(self.agent.app_process(arguments).await),
            "reboot" => self.reboot(),
            _ => return None,
        };
        Some(answer.unwrap_or_else(|completion| completion))
    }

    fn reboot(&self) -> Answer {
        self.memory().running.clear();
        self.handset.reboot();
        Ok(silent())
    }

    /// Packages that have a process now.
    fn running(&self) -> BTreeSet<String> {
        let mut running = self.memory().running.clone();
        running.extend(self.handset.focus().map(|(package, _)| package));
        running.insert("com.android.systemui".to_owned());
        running
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a panicking holder left behind is still a valid set of overrides.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sdk(&self) -> u32 {
        self.handset
            .property("ro.build.version.sdk")
            .and_then(|sdk| sdk.parse().ok())
            .unwrap_or(34)
    }
}

/// A number that is always the same for a name, for the ids that Android makes up (process, user, window).
fn stable_id(name: &str, range: std::ops::Range<u32>) -> u32 {
    // FNV-1a: small, and its values do not change between builds as `DefaultHasher`'s may.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    range.start + hash % (range.end - range.start).max(1)
}

/// The process id that a package's process has.
fn process_id(package: &str) -> u32 {
    stable_id(package, 2_000..29_000)
}

/// The user id of a package.
fn user_id(package: &str) -> u32 {
    if is_system(package) {
        1_000
    } else {
        stable_id(package, 10_100..10_400)
    }
}

/// Whether a package came with the phone (`pm list packages -s`).
fn is_system(package: &str) -> bool {
    package == "android" || package.starts_with("com.android.") || package.starts_with("com.google.android.")
}

/// What a program says that an argument is missing; most print their usage.
fn usage(text: &str) -> Completion {
    failed(1, text)
}
