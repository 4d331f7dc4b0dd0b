//! What a step does.

use super::{
    AssertScreenshot, Condition, LaunchApp, MediaItem, OpenLink, Repeat, Retry, RunFlow, RunScript, ScrollUntilVisible,
    Selector, Swipe, Tap, Text,
};

/// What a step does.
#[derive(Debug)]
pub enum Command {
    /// `tapOn`, `doubleTapOn`, `longPressOn`
    Tap(Box<Tap>),
    /// `assertVisible`
    AssertVisible(Box<Selector>),
    /// `assertNotVisible`
    AssertNotVisible(Box<Selector>),
    /// `assertTrue`
    AssertTrue(Text),
    /// `assertScreenshot`
    AssertScreenshot(Box<AssertScreenshot>),
    /// `extendedWaitUntil`
    ExtendedWait(Box<Condition>),
    /// `waitForAnimationToEnd`, milliseconds
    WaitForAnimation(Option<Text>),
    /// `inputText`
    InputText(Text),
    /// `inputRandom…`
    InputRandom(RandomKind, Text),
    /// `eraseText`: how many characters
    EraseText(u32),
    /// `pressKey`: name and Android's code
    PressKey(String, u32),
    /// `back`
    Back,
    /// `scroll`
    Scroll,
    /// `hideKeyboard`
    HideKeyboard,
    /// `swipe`
    Swipe(Box<Swipe>),
    /// `scrollUntilVisible`
    ScrollUntilVisible(Box<ScrollUntilVisible>),
    /// `launchApp`
    LaunchApp(Box<LaunchApp>),
    /// `stopApp`
    StopApp(Option<Text>),
    /// `killApp`
    KillApp(Option<Text>),
    /// `clearState`
    ClearState(Option<Text>),
    /// `clearKeychain`: nothing to do on Android
    ClearKeychain,
    /// `setPermissions`
    SetPermissions(Option<Text>, Vec<(String, Text)>),
    /// `runFlow`
    RunFlow(Box<RunFlow>),
    /// `repeat`
    Repeat(Box<Repeat>),
    /// `retry`
    Retry(Box<Retry>),
    /// `evalScript`
    EvalScript(Text),
    /// `runScript`
    RunScript(Box<RunScript>),
    /// `copyTextFrom`
    CopyTextFrom(Box<Selector>),
    /// `pasteText`
    PasteText,
    /// `setClipboard`
    SetClipboard(Text),
    /// `openLink`
    OpenLink(Box<OpenLink>),
    /// `takeScreenshot`: name, part of the screen
    TakeScreenshot(Text, Option<Box<Selector>>),
    /// `startRecording`
    StartRecording(Text),
    /// `stopRecording`
    StopRecording,
    /// `addMedia`
    AddMedia(Vec<MediaItem>),
    /// `setLocation`: latitude, longitude
    SetLocation(Text, Text),
    /// `travel`: points, metres per second
    Travel(Vec<Text>, f64),
    /// `setOrientation`
    SetOrientation(Text),
    /// `setAirplaneMode`, `toggleAirplaneMode`
    AirplaneMode(Switch),
    /// `setDarkMode`, `toggleDarkMode`
    DarkMode(Switch),
    /// `assertDarkMode` (true), `assertLightMode` (false)
    AssertDarkMode(bool),
}

/// What a switch is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
    /// The other way.
    Toggle,
}

/// What `inputRandom…` makes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomKind {
    /// Letters.
    Text,
    /// Digits, the first not 0.
    Number,
    /// An address at example.com.
    Email,
    /// First and last name.
    PersonName,
    /// A city.
    CityName,
    /// A country.
    CountryName,
    /// A colour.
    ColorName,
}
