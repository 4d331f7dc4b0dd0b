//! Stand-ins for the world, for tests of this crate and of others (feature `testing`): an in-memory store, a scripted
//! runner and phones, a clock tied to tokio's, and the suite that every store has to pass.

pub mod clock;
pub mod conformance;
pub mod driver;
#[cfg(test)]
pub mod farm;
pub mod runner;
pub mod scripts;
pub mod store;

pub use clock::ManualClock;
pub use driver::{FakeDriverFactory, FakePhone};
#[cfg(test)]
pub use farm::TestFarm;
pub use runner::{Behaviour, Run, ScriptedRunner};
pub use scripts::AnyScript;
pub use store::MemoryStore;

/// Breaks an actor from the inside.
#[cfg(test)]
#[derive(Debug, Clone, Copy, actix::Message)]
#[rtype(result = "()")]
pub enum Sabotage {
    /// Its handler panics.
    Panic,
    /// It stops by itself.
    Error,
    /// It takes no message any more.
    Freeze,
}

#[cfg(test)]
impl Sabotage {
    /// Does it.
    pub fn strike<A>(self, ctx: &mut actix::Context<A>)
    where
        A: actix::Actor<Context = actix::Context<A>>,
    {
        use actix::{ActorContext, AsyncContext};
        match self {
            Self::Panic => panic!("sabotage"),
            Self::Error => ctx.stop(),
            Self::Freeze => ctx.wait(actix::fut::wrap_future(std::future::pending::<()>())),
        }
    }
}
