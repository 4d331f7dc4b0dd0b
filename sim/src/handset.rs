//! The seam between Android's own programs (`am`, `input`, `uiautomator` …) and the phone that they act on.

use crate::device::{Frame, Link};

/// A view as `uiautomator dump` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// `text`
    pub text: String,
    /// `hint` (printed by newer dumpers)
    pub hint: String,
    /// `content-desc`
    pub description: String,
    /// `resource-id`, e.g. `com.zhiliaoapp.musically:id/post_button`
    pub id: String,
    /// `class`
    pub class: String,
    /// `package`
    pub package: String,
    /// left, top, right, bottom in pixels
    pub bounds: [i32; 4],
    /// `clickable`
    pub clickable: bool,
    /// `enabled`
    pub enabled: bool,
    /// `checkable`
    pub checkable: bool,
    /// `checked`
    pub checked: bool,
    /// `focusable`
    pub focusable: bool,
    /// `focused`
    pub focused: bool,
    /// `scrollable`
    pub scrollable: bool,
    /// `long-clickable`
    pub long_clickable: bool,
    /// `password`
    pub password: bool,
    /// `selected`
    pub selected: bool,
    /// In document order.
    pub children: Vec<View>,
}

/// What `uiautomator dump` finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dump {
    /// The windows' roots.
    Views(Vec<View>),
    /// The `no_idle` fault, or an animation: "could not get idle state".
    NotIdle,
    /// Screen off: "null root node".
    NoRoot,
    /// The `garbage_hierarchy` fault: these bytes instead of a hierarchy.
    Garbage(Vec<u8>),
}

/// How a start of an app went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launched {
    /// It came up; `activity` like `com.x/.Main`.
    Started {
        /// Component name.
        activity: String,
        /// Whether it had to be started (`COLD`) or was only brought to the front (`HOT`).
        cold: bool,
    },
    /// It was in front already.
    AlreadyInFront {
        /// Component name.
        activity: String,
    },
    /// No such package or activity.
    Unresolved,
}

/// An installed app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledApp {
    /// Its package.
    pub package: String,
    /// Its launcher activity, like `com.x/.Main`; `None` for apps without one (input methods).
    pub launcher: Option<String>,
    /// `versionName`
    pub version: String,
    /// Permissions that it asks for, full names.
    pub requested_permissions: Vec<String>,
    /// Of these, the granted ones.
    pub granted_permissions: Vec<String>,
    /// Input methods that it brings, like `com.github.uiautomator/.AdbKeyboard`.
    pub input_methods: Vec<String>,
}

/// A row of the phone's MediaStore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRow {
    /// `_id`
    pub id: u64,
    /// `_data`
    pub path: String,
    /// `_display_name`
    pub name: String,
    /// Whether it is a video.
    pub video: bool,
}

/// The battery, power and screen of a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// Percent.
    pub level: u8,
    /// Tenths of a degree Celsius.
    pub temperature: i32,
    /// On USB power.
    pub charging: bool,
    /// Whether the screen is on.
    pub awake: bool,
    /// Whether the keyguard shows.
    pub locked: bool,
}

/// What Android's own programs can do to a phone. Every call is short and thread-safe; the caller adds delays.
pub trait Handset: Send + Sync {
    /// `ro.serialno`
    fn serial(&self) -> String;
    /// The value of a system property, `None` when it is not set.
    fn property(&self, name: &str) -> Option<String>;
    /// All properties, sorted.
    fn properties(&self) -> Vec<(String, String)>;
    /// Changes with every boot; lower-case UUID.
    fn boot_id(&self) -> String;
    /// The panel's pixels: width, height.
    fn screen_size(&self) -> (u32, u32);
    /// The panel's density, dpi.
    fn density(&self) -> u32;
    /// Battery, power, screen.
    fn power(&self) -> Power;
    /// Whether the window in front forbids pictures (`FLAG_SECURE`).
    fn is_secure(&self) -> bool {
        false
    }

    /// A finger at a point.
    fn tap(&self, x: i32, y: i32);
    /// A finger along a line (a long press when both ends are the same and it lasts 500 ms or more).
    fn swipe(&self, from: (i32, i32), to: (i32, i32), duration_ms: u64);
    /// A key by its code.
    fn key(&self, code: u32);
    /// Types into the focused field; `false` when none has the focus.
    fn type_text(&self, text: &str) -> bool;
    /// Empties the focused field; `false` when none has the focus.
    fn clear_text(&self) -> bool;
    /// The clipboard.
    fn clipboard(&self) -> String;
    /// Sets the clipboard.
    fn set_clipboard(&self, text: &str);

    /// What a dump finds now.
    fn dump(&self) -> Dump;
    /// What the screen shows now.
    fn frame(&self) -> Frame;
    /// The focused window: package and component like `com.x/.Main`; `None` while it changes.
    fn focus(&self) -> Option<(String, String)>;

    /// Starts an app's launcher activity (or `component` if given).
    fn launch(&self, package: &str, component: Option<&str>, stop_first: bool) -> Launched;
    /// `am start -a android.intent.action.VIEW -d link [package]`
    fn open_link(&self, link: &str, package: Option<&str>) -> Launched;
    /// `am force-stop`
    fn stop(&self, package: &str);
    /// `pm clear`; `false` when it is not installed.
    fn clear(&self, package: &str) -> bool;
    /// Installed apps, by package.
    fn apps(&self) -> Vec<InstalledApp>;
    /// Installs or updates an app of this package name.
    fn install(&self, package: &str);
    /// Removes an app; `false` when it is not installed.
    fn uninstall(&self, package: &str) -> bool;
    /// Grants or revokes a permission; `false` when the app does not ask for it.
    fn set_permission(&self, package: &str, permission: &str, granted: bool) -> bool;

    /// The MediaStore's rows, oldest first.
    fn media(&self) -> Vec<MediaRow>;
    /// Looks for new media files (`content call … scan_volume`, `MEDIA_SCANNER_SCAN_FILE`) below this path.
    fn scan_media(&self, path: &str);

    /// `settings get`
    fn setting(&self, namespace: &str, name: &str) -> Option<String>;
    /// `settings put`
    fn put_setting(&self, namespace: &str, name: &str, value: Option<&str>);
    /// Ids of all input methods, and whether each is enabled.
    fn input_methods(&self) -> Vec<(String, bool)>;
    /// Enables or disables an input method; `false` when there is none of that id.
    fn enable_input_method(&self, id: &str, enabled: bool) -> bool;
    /// Makes an enabled input method the current one; `false` when it is not there or not enabled.
    fn set_input_method(&self, id: &str) -> bool;
    /// The current input method.
    fn input_method(&self) -> String;
    /// Whether its window is up.
    fn keyboard_shown(&self) -> bool {
        false
    }

    /// The last lines of the phone's log, oldest first.
    fn log(&self, lines: usize) -> Vec<String>;
    /// Adds a line to the phone's log; `level` like `I`.
    fn write_log(&self, level: &str, tag: &str, message: &str);
    /// Begins a reboot: the link drops, all apps stop, a new boot id, back after the phone's boot time.
    fn reboot(&self);
    /// How the link does.
    fn link(&self) -> Link;
}
