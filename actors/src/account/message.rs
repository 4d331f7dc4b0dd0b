//! What an account's actor can be told and asked.

use std::{collections::BTreeSet, sync::Arc};

use actix::Message;

use crate::{
    domain::{
        AccountRecord, AccountUse, Attention, Epoch, Now, Package, Permit, Purpose, ScriptName, Serial, TaskId,
        Timestamp, Username, limits::NotNow,
    },
    supervisor::{AccountSnapshot, SupervisorError},
};

/// Asks for the exclusive right to use the account for one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct LeaseAccount {
    /// For which task.
    pub task: TaskId,
    /// Which script is to run.
    pub script: ScriptName,
    /// On which device.
    pub serial: Serial,
    /// A check acts on nothing: limits do not hold it up.
    pub purpose: Purpose,
    /// The attempt's lease.
    pub token: Arc<str>,
    /// The router's epoch.
    pub epoch: Epoch,
}

/// The account was given before its actor was built: the actor is to know it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct KeepLease {
    /// What was asked for then.
    pub lease: LeaseAccount,
    /// When an attempt has begun with it; `None`: none has yet.
    pub begun: Option<Now>,
    /// What the attempt may do.
    pub permit: Arc<Permit>,
}

/// Gives the right back.
#[derive(Debug, Clone, PartialEq, Message)]
#[rtype(result = "()")]
pub struct ReleaseAccount {
    /// The attempt's lease: another one frees nothing.
    pub token: Arc<str>,
    /// The task that it was for.
    pub task: TaskId,
    /// When an attempt has begun with it; `None`: none has.
    pub begun: Option<Now>,
    /// What the attempt did with the account.
    pub usage: LeaseUsage,
    /// What counts towards its limits, as it is stored.
    pub uses: Vec<AccountUse>,
    /// The revision of its status, if it was stored with the end of the attempt that the app asks for a person.
    pub asked: Option<u64>,
}

/// What an attempt did with the account that it had.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum LeaseUsage {
    /// Nothing that may turn out to count.
    #[default]
    Nothing,
    /// An effect that may have taken place: counted until it is known.
    Unverified {
        /// Which script did it.
        script: ScriptName,
        /// When, at the latest.
        at: Timestamp,
        /// Set when the app asks for a person, too.
        attention: Option<Attention>,
    },
    /// The app asks for a person.
    NeedsAttention {
        /// What it shows.
        message: String,
        /// Its picture.
        evidence: Option<String>,
    },
}

/// Leases of former epochs are void.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ForgetLeases {
    /// The router's epoch.
    pub epoch: Epoch,
}

/// A person has said whether an effect took place: what counts is to be read again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct ReloadUses {
    /// Whose effect it was.
    pub settled: TaskId,
}

/// The stored record was changed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ChangeRecord(pub AccountRecord);

/// A person has dealt with what the account needed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<AccountSnapshot, SupervisorError>")]
pub struct ResumeAccount;

/// The account is about to be deleted: give no more leases. Refused while one is out.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), String>")]
pub struct RetireAccount;

/// Asks for the snapshot.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "AccountSnapshot")]
pub struct GetAccount;

/// What the router knows of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// Its name.
    pub username: Username,
    /// Its app.
    pub app: String,
    /// The package that its app means; `None` when the farm does not know the app.
    pub package: Option<Package>,
    /// The device that it is bound to.
    pub serial: Option<Serial>,
    /// Whether a person has switched it off.
    pub enabled: bool,
    /// Why it cannot be used now, if so.
    pub blocked: Option<NotNow>,
    /// Start of its latest attempt.
    pub last_used: Option<crate::domain::Timestamp>,
    /// Scripts that have limits of their own, the farm's or the account's.
    pub limited: BTreeSet<ScriptName>,
}
