//! Materials: which files a post may use, and which of them it takes.
//!
//! [`paths`] decides whether a file may be read at all, [`sniff`] what it is, [`library`] keeps uploaded files,
//! [`picker`] chooses for an attempt.

pub mod library;
pub mod paths;
pub mod picker;
pub mod sniff;

pub use library::{MediaLibrary, NewUpload};
pub use paths::MediaPaths;
pub use picker::Picker;
