//! What the actors need from the world, as traits. Each has a real implementation outside of this crate and a
//! scripted one in [`crate::testing`].

pub mod clock;
pub mod driver;
pub mod journal;
pub mod lane;
pub mod material;
pub mod media;
pub mod runner;
pub mod schedule;
pub mod scripts;
pub mod store;
pub mod webhook;

pub use clock::*;
pub use driver::*;
pub use journal::*;
pub use lane::*;
pub use material::*;
pub use media::*;
pub use runner::*;
pub use schedule::*;
pub use scripts::*;
pub use store::*;
pub use webhook::*;
