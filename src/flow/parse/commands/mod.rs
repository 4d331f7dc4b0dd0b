//! The options of each command, by family.
//!
//! Each family answers `None` for a command that is not its own, and `Some(None)` for one that has a fault (noted).

mod app;
mod assert;
mod checkpoint;
mod commit;
mod commit_order;
mod control;
mod device;
mod gesture;
mod text;

pub use checkpoint::check_checkpoint;
pub use commit::check_commit;
pub use gesture::parse_spot;

/// The field that a scalar stands for: `tapOn: Save` is `tapOn: {text: Save}`. `None`: the command takes no scalar.
#[must_use]
pub fn main_field(key: &str) -> Option<&'static str> {
    Some(match key {
        "pressKey" => "key",
        "action" => "action",
        "eraseText" => "charactersToErase",
        "inputRandomText" | "inputRandomNumber" => "length",
        "assertTrue" => "condition",
        "launchApp" | "stopApp" | "killApp" | "clearState" => "appId",
        "runFlow" | "runScript" => "file",
        "evalScript" => "script",
        "openLink" => "link",
        "takeScreenshot" | "startRecording" | "assertScreenshot" => "path",
        "setOrientation" => "orientation",
        "setAirplaneMode" | "setDarkMode" => "value",
        "waitForAnimationToEnd" => "timeout",
        "swipe" => "direction",
        "scrollUntilVisible" => "element",
        "extendedWaitUntil" => "visible",
        "addMedia" => "files",
        "tapOn" | "doubleTapOn" | "longPressOn" | "assertVisible" | "assertNotVisible" | "copyTextFrom"
        | "inputText" | "setClipboard" => "text",
        _ => return None,
    })
}

/// Whether a command is only known to be refused, whatever its options.
#[must_use]
pub fn is_refused(key: &str) -> bool {
    matches!(
        key,
        "openBrowser" | "assertWithAI" | "assertNoDefectsWithAI" | "extractTextWithAI"
    )
}

/// Whether a command looks for an element and so takes farmhand's own `timeout`.
#[must_use]
pub fn has_lookup(key: &str) -> bool {
    matches!(
        key,
        "tapOn" | "doubleTapOn" | "longPressOn" | "assertVisible" | "assertNotVisible" | "copyTextFrom" | "swipe"
    )
}
