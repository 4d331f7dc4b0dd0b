//! What the screen shows and what a finger does to it. Screens are built anew from the state whenever somebody looks
//! or taps; a node carries the action that a tap on it means. `README.md` here lists every screen, id and text.

pub mod gallery;
pub mod kit;
pub mod launcher;
pub mod node;
pub mod overlay;
pub mod settings;
pub mod social;

use self::{gallery::GalleryAction, node::Node, overlay::SystemAction, settings::SettingsAction, social::SocialAction};

/// The launcher's package.
pub const LAUNCHER: &str = "com.google.android.apps.nexuslauncher";
/// The settings app's package.
pub const SETTINGS: &str = "com.android.settings";
/// The gallery's package.
pub const GALLERY: &str = "com.android.gallery3d";
/// Status bar, keyguard.
pub const SYSTEM_UI: &str = "com.android.systemui";
/// The stock keyboard's package.
pub const KEYBOARD: &str = "com.google.android.inputmethod.latin";
/// The stock keyboard's id.
pub const KEYBOARD_IME: &str = "com.google.android.inputmethod.latin/com.android.inputmethod.latin.LatinIME";
/// The package of the test keyboard that types by broadcast.
pub const ADB_KEYBOARD: &str = "com.github.uiautomator";
/// Its id.
pub const ADB_KEYBOARD_IME: &str = "com.github.uiautomator/.AdbKeyboard";

/// What a tap means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Swallowed.
    Nothing,
    /// To the system: dialogs, launcher, keyboard.
    System(SystemAction),
    /// To the settings app.
    Settings(SettingsAction),
    /// To the gallery.
    Gallery(GalleryAction),
    /// To the social app in front.
    Social(SocialAction),
}

impl From<SystemAction> for Action {
    fn from(action: SystemAction) -> Self {
        Self::System(action)
    }
}

impl From<SettingsAction> for Action {
    fn from(action: SettingsAction) -> Self {
        Self::Settings(action)
    }
}

impl From<GalleryAction> for Action {
    fn from(action: GalleryAction) -> Self {
        Self::Gallery(action)
    }
}

impl From<SocialAction> for Action {
    fn from(action: SocialAction) -> Self {
        Self::Social(action)
    }
}

/// The text fields of all apps; an app keeps one text for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    Search,
    SoundSearch,
    Caption,
    StoryText,
    OriginalVolume,
    AddedVolume,
    LoginName,
    LoginPassword,
    Code,
    SettingsSearch,
    DeviceName,
}

/// What stands in front.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Front {
    Launcher,
    Settings,
    Gallery,
    Social(crate::world::Network),
    /// An app that was installed by somebody: a blank page with its name.
    Other(String),
}

impl Front {
    /// The app of a package.
    pub fn of(package: &str) -> Self {
        match package {
            LAUNCHER => Self::Launcher,
            SETTINGS => Self::Settings,
            GALLERY => Self::Gallery,
            other => crate::world::Network::parse(other)
                .filter(|network| network.package() == other)
                .map_or_else(|| Self::Other(other.to_owned()), Self::Social),
        }
    }

    /// Its package.
    pub fn package(&self) -> &str {
        match self {
            Self::Launcher => LAUNCHER,
            Self::Settings => SETTINGS,
            Self::Gallery => GALLERY,
            Self::Social(network) => network.package(),
            Self::Other(package) => package,
        }
    }
}

/// What kind of window it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// An app or a dialog: the topmost of these is the active one.
    Main,
    /// Lies beside what is active and never becomes it.
    Keyboard,
    /// Seen, but not touched and not dumped.
    Toast,
}

/// One window on the screen. Windows are listed from the lowest to the topmost.
#[derive(Debug, Clone, Hash)]
pub struct Window {
    pub package: String,
    /// The activity, or a title like `Application Error: com.x`.
    pub component: String,
    pub root: Node,
    pub layer: Layer,
}

impl Window {
    /// An app's or dialog's window.
    pub fn new(package: impl Into<String>, component: impl Into<String>, root: Node) -> Self {
        Self {
            package: package.into(),
            component: component.into(),
            root,
            layer: Layer::Main,
        }
    }
}
