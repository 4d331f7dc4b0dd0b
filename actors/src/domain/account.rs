//! Accounts and their limits.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{EventTopic, NewEvent, Package, ScriptName, Serial, Timestamp, Username};

/// Whether an account may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Yes.
    Active,
    /// A person has switched it off.
    Disabled,
    /// The app asked for a person; tasks wait until one has resumed it.
    NeedsAttention,
    /// It rests until `cooldown_until`.
    Cooldown,
}

impl AccountStatus {
    /// All.
    pub const ALL: [Self; 4] = [Self::Active, Self::Disabled, Self::NeedsAttention, Self::Cooldown];

    /// The word used in the API and in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::NeedsAttention => "needs_attention",
            Self::Cooldown => "cooldown",
        }
    }

    /// The status named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// How often an account may do one script; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ScriptLimit {
    /// Confirmed effects in any hour.
    pub per_hour: Option<u32>,
    /// Confirmed effects in a day of the farm's zone.
    pub per_day: Option<u32>,
    /// Least time between two starts, seconds.
    pub min_gap_s: Option<u32>,
}

impl ScriptLimit {
    /// As an operator means it: 0 is no limit.
    #[must_use]
    pub fn without_zeros(self) -> Self {
        let some = |number: Option<u32>| number.filter(|number| *number > 0);
        Self {
            per_hour: some(self.per_hour),
            per_day: some(self.per_day),
            min_gap_s: some(self.min_gap_s),
        }
    }

    /// This limit, and where it says nothing the other one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            per_hour: self.per_hour.or(other.per_hour),
            per_day: self.per_day.or(other.per_day),
            min_gap_s: self.min_gap_s.or(other.min_gap_s),
        }
    }

    /// The minimum gap as a duration.
    #[must_use]
    pub fn min_gap(&self) -> Duration {
        Duration::from_secs(u64::from(self.min_gap_s.unwrap_or(0)))
    }
}

/// Limits by script.
pub type Limits = BTreeMap<ScriptName, ScriptLimit>;

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountRecord {
    /// Its name.
    pub username: Username,
    /// `tiktok` or `instagram` (or another app that the farm knows).
    pub app: String,
    /// The package, if it is not the farm's usual one for `app`.
    pub package: Option<Package>,
    /// The device that it is bound to.
    pub serial: Option<Serial>,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// Why it is not `Active`.
    pub status_reason: Option<String>,
    /// Screenshot that shows why, below `<data_dir>/evidence`.
    pub evidence: Option<String>,
    /// End of a cooldown.
    pub cooldown_until: Option<Timestamp>,
    /// Goes up each time that the stored status is set: of two records the one with the higher number knows it.
    pub status_revision: u64,
    /// Its own limits; scripts not named here use the farm's.
    pub limits: Limits,
    /// Start of its latest attempt.
    pub last_used: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl AccountRecord {
    /// The event that tells of its status as it is now, and of what brought it there.
    #[must_use]
    pub fn status_event(&self, why: &str) -> NewEvent {
        let status = self.status.as_str();
        NewEvent {
            topic: EventTopic::Account,
            kind: format!("account.{status}"),
            subject: self.username.to_string(),
            data: serde_json::json!({ "status": status, "reason": why, "evidence": self.evidence }),
        }
    }

    /// It may be used again.
    pub fn activate(&mut self) {
        self.status = AccountStatus::Active;
        self.status_reason = None;
        self.evidence = None;
        self.cooldown_until = None;
    }

    /// Its app asks for a person; stored under this revision.
    pub fn ask_for_a_person(&mut self, message: String, evidence: Option<String>, revision: u64) {
        self.status = AccountStatus::NeedsAttention;
        self.status_reason = Some(message);
        self.evidence = evidence;
        self.cooldown_until = None;
        self.status_revision = revision;
    }

    /// Takes the status of another record of it.
    pub fn take_status_of(&mut self, other: &Self) {
        self.status = other.status;
        self.status_reason.clone_from(&other.status_reason);
        self.evidence.clone_from(&other.evidence);
        self.cooldown_until = other.cooldown_until;
        self.status_revision = other.status_revision;
    }
}

/// An account as an attempt sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRef {
    /// Its name.
    pub username: Username,
    /// Its app.
    pub app: String,
    /// The app's package.
    pub package: Package,
}

/// One account of an import, as it is written.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountChange {
    /// A new one.
    Create(AccountRecord),
    /// What is named is changed.
    Patch(Username, AccountPatch),
}

/// What a person may change of an account; `None` leaves it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AccountPatch {
    /// Its app.
    pub app: Option<String>,
    /// `Some(None)`: the farm's usual package.
    pub package: Option<Option<Package>>,
    /// `Some(None)` unbinds it.
    pub serial: Option<Option<Serial>>,
    /// Only `Active` and `Disabled` can be set by hand; `Cooldown` with `cooldown_until`.
    pub status: Option<AccountStatus>,
    /// Sets `Cooldown` until then.
    pub cooldown_until: Option<Timestamp>,
    /// Replaces its own limits.
    pub limits: Option<Limits>,
}

impl AccountPatch {
    /// Changes the account as a person wants it. What is to be told of that: a status by its own kind, the rest, also when
    /// it is nothing, as `account.changed`.
    #[must_use]
    pub fn apply(self, account: &mut AccountRecord) -> Vec<NewEvent> {
        let before = account.clone();
        account.app = self.app.unwrap_or(before.app.clone());
        account.package = self.package.unwrap_or(before.package.clone());
        account.serial = self.serial.unwrap_or(before.serial.clone());
        account.limits = self.limits.unwrap_or(before.limits.clone());
        let others_changed = *account != before;
        if let Some(status) = self.status {
            // What stood behind the old status is over when a person sets another one.
            account.status = status;
            account.status_reason = None;
            account.evidence = None;
            account.cooldown_until = None;
        }
        if let Some(until) = self.cooldown_until {
            account.status = AccountStatus::Cooldown;
            account.status_reason = None;
            account.evidence = None;
            // As it is stored.
            account.cooldown_until = Timestamp::from_millisecond(until.as_millisecond()).ok();
        }
        if self.status.is_some() || self.cooldown_until.is_some() {
            account.status_revision += 1;
        }
        let status_changed = (account.status, account.cooldown_until) != (before.status, before.cooldown_until);
        let changed = NewEvent {
            topic: EventTopic::Account,
            kind: "account.changed".to_owned(),
            subject: account.username.to_string(),
            data: serde_json::json!({}),
        };
        let told = [
            (others_changed || !status_changed).then_some(changed),
            status_changed.then(|| account.status_event(&by_a_person(account))),
        ];
        told.into_iter().flatten().collect()
    }
}

/// What a person did who set the status that the account has.
fn by_a_person(account: &AccountRecord) -> String {
    match (account.status, account.cooldown_until) {
        (AccountStatus::Active, _) => "activated by a person".to_owned(),
        (AccountStatus::Disabled, _) => "disabled by a person".to_owned(),
        (AccountStatus::Cooldown, Some(until)) => format!("sent to rest by a person until {until:.3}"),
        (status, _) => format!("set to {} by a person", status.as_str()),
    }
}

/// One use of an account that counts towards its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUse {
    /// Who.
    pub username: Username,
    /// What.
    pub script: ScriptName,
    /// When the effect was confirmed.
    pub at: Timestamp,
}

/// What an account may have done and nobody knows yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUse {
    /// Who.
    pub username: Username,
    /// The task whose effect it is.
    pub task: super::TaskId,
    /// What.
    pub script: ScriptName,
    /// When it was intended.
    pub at: Timestamp,
}

/// What counts towards the limits of accounts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadedUses {
    /// What they have done, oldest first.
    pub confirmed: Vec<AccountUse>,
    /// What they may have done.
    pub open: Vec<OpenUse>,
}
