//! Who does what, and when: the supervisor, the task router and one actor per device and per account.
//!
//! Nothing in here knows SQL, HTTP or adb. The outside world is reached through the traits in [`ports`];
//! decisions are pure functions over [`domain`] values, and actors are thin shells around them.

pub mod account;
pub mod boot;
pub mod device;
pub mod domain;
pub mod farm;
pub mod mail;
pub mod ports;
pub mod router;
pub mod settings;
pub mod supervisor;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use farm::{Farm, FarmError, FarmParts};
pub use settings::FarmSettings;
