//! A picture of a screen, and what it can be believed to show.

use super::Screenshot;

/// What a picture shows of its screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScreenContent {
    /// The screen as a person sees it.
    #[default]
    Visible,
    /// The app in front forbids pictures (`FLAG_SECURE`): its part is black, a person sees something.
    Secure,
    /// The screen is off: a person sees nothing either.
    Asleep,
}

impl ScreenContent {
    /// Why the picture is black, for people; nothing when it is not.
    #[must_use]
    pub fn remark(self) -> Option<&'static str> {
        match self {
            Self::Visible => None,
            Self::Secure => Some("the picture is black because the app forbids pictures of this screen"),
            Self::Asleep => Some("the picture is black because the screen is off"),
        }
    }
}

/// A picture with its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScreenCapture {
    /// The pixels.
    pub picture: Screenshot,
    /// What they show.
    pub content: ScreenContent,
}

/// How new a picture has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Taken after it was asked for: evidence.
    Fresh,
    /// One that others were given within the age of the settings will do: people who watch.
    Shared,
}
