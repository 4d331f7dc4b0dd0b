//! Who does what, and when: the supervisor, the task router and one actor per device and per account.
//!
//! Nothing in here knows SQL, HTTP or adb. The outside world is reached through the traits in [`ports`];
//! decisions are pure functions over [`domain`] values, and actors are thin shells around them.

pub mod domain;
pub mod ports;
pub mod router;
pub mod supervisor;
