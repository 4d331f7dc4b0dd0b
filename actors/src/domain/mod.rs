//! Values: ids, states, outcomes, requests. No I/O, no clock, no actix.

pub mod account;
pub mod attempt;
pub mod device;
pub mod drain;
pub mod effect;
pub mod event;
pub mod ids;
pub mod limits;
pub mod material;
pub mod net;
pub mod outcome;
pub mod retry;
pub mod rotation;
pub mod schedule;
pub mod script;
pub mod task;
pub mod time;
pub mod ui;
pub mod webhook;

pub use account::*;
pub use attempt::*;
pub use device::*;
pub use drain::*;
pub use effect::*;
pub use event::*;
pub use ids::*;
pub use material::*;
pub use outcome::*;
pub use script::*;
pub use task::*;
pub use time::*;
pub use ui::*;
pub use webhook::*;
