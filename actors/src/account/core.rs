//! The decisions of an account's actor.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{AccountView, LeaseAccount, LeaseUsage, ReleaseAccount};
use crate::{
    domain::{
        AccountRecord, AccountStatus, AccountUse, Epoch, NewEvent, Now, Package, Purpose, ScriptLimit, ScriptName,
        TaskId, Timestamp,
        limits::{NotNow, Usage, UseLog, check_limit, uses_left},
    },
    settings::FarmSettings,
    supervisor::{AccountSnapshot, UseCounter},
};

/// `last_used` is written at most this often: it only decides turns, and every write costs.
const TOUCH_INTERVAL: Duration = Duration::from_secs(1);

/// How long a rest goes on without a look at the wall clock, which may be set meanwhile.
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Note the start of an attempt.
    Touch(Timestamp),
    /// Store status, reason, evidence and the end of a cooldown, as the record has them now, with the event that tells of
    /// it.
    StoreStatus(NewEvent),
    /// Store that the rest which went on until then is over, unless a person has changed it since, with the event that
    /// tells of it.
    EndRest(Option<Timestamp>, NewEvent),
    /// Tell router and supervisor that the record is another one now.
    TellChanged,
}

struct LeaseHold {
    task: TaskId,
    token: Arc<str>,
    epoch: Epoch,
}

/// An account's state.
pub struct AccountCore {
    record: AccountRecord,
    package: Option<Package>,
    settings: Arc<FarmSettings>,
    zone: TimeZone,
    uses: UseLog,
    uses_loaded: bool,
    starts: BTreeMap<ScriptName, Timestamp>,
    /// Tasks whose effect may have taken place: counted, so that a late confirmation cannot exceed a limit.
    unverified: BTreeMap<TaskId, ScriptName>,
    lease: Option<LeaseHold>,
    retired: bool,
    touched: Option<Timestamp>,
}

impl AccountCore {
    /// An account that gives no lease until [`Self::on_uses_loaded`].
    #[must_use]
    pub fn new(record: AccountRecord, settings: Arc<FarmSettings>, zone: TimeZone) -> Self {
        let mut core = Self {
            package: None,
            settings,
            zone,
            uses: UseLog::default(),
            uses_loaded: false,
            starts: BTreeMap::new(),
            unverified: BTreeMap::new(),
            lease: None,
            retired: false,
            touched: None,
            record,
        };
        core.derive();
        core
    }

    /// Confirmed uses from the store, oldest first; those that are known already count once.
    pub fn on_uses_loaded(&mut self, uses: &[AccountUse]) {
        for used in uses.iter().filter(|used| used.username == self.record.username) {
            self.uses.merge(&used.script, used.at);
        }
        self.uses_loaded = true;
    }

    /// Gives the account to an attempt, or says why not.
    pub fn on_lease(&mut self, ask: &LeaseAccount, now: Now) -> (Result<(), NotNow>, Vec<Effect>) {
        let mut effects = self.end_cooldown(now);
        if let Some(not_now) = self.availability(&ask.script, ask.purpose, now) {
            return (Err(not_now), effects);
        }
        self.lease = Some(LeaseHold {
            task: ask.task,
            token: Arc::clone(&ask.token),
            epoch: ask.epoch,
        });
        self.starts.insert(ask.script.clone(), now.wall);
        self.record.last_used = Some(now.wall);
        let touched_lately = self
            .touched
            .and_then(|at| at.checked_add(TOUCH_INTERVAL).ok())
            .is_some_and(|next| now.wall < next);
        if !touched_lately {
            self.touched = Some(now.wall);
            effects.push(Effect::Touch(now.wall));
        }
        (Ok(()), effects)
    }

    /// Takes the account back.
    pub fn on_release(&mut self, release: ReleaseAccount) -> Vec<Effect> {
        if self.lease.as_ref().is_some_and(|lease| lease.token == release.token) {
            self.lease = None;
        }
        self.unverified.remove(&release.task);
        for used in &release.uses {
            self.uses.add(&used.script, used.at);
        }
        match release.usage {
            LeaseUsage::Nothing => Vec::new(),
            LeaseUsage::Unverified { script, attention } => {
                self.unverified.insert(release.task, script);
                attention.map_or_else(Vec::new, |asked| self.ask_for_a_person(asked.message, asked.screenshot))
            }
            LeaseUsage::NeedsAttention { message, evidence } => self.ask_for_a_person(message, evidence),
        }
    }

    /// What the task may have done is known now, and counted in the store if it counts.
    pub fn on_settled(&mut self, task: TaskId) {
        self.unverified.remove(&task);
    }

    /// Leases of former epochs are void.
    pub fn on_forget_leases(&mut self, epoch: Epoch) {
        self.lease = self.lease.take().filter(|lease| lease.epoch >= epoch);
    }

    /// The stored record was changed by a person.
    pub fn on_record(&mut self, record: AccountRecord) -> Vec<Effect> {
        let last_used = self.record.last_used.max(record.last_used);
        self.record = record;
        self.record.last_used = last_used;
        self.retired = false;
        self.derive();
        vec![Effect::TellChanged]
    }

    /// How long [`Self::on_look`] can wait for its next call; `None` while the account does not rest.
    #[must_use]
    pub fn next_look(&self, now: Now) -> Option<Duration> {
        if self.record.status != AccountStatus::Cooldown {
            return None;
        }
        let left = self.record.cooldown_until.map(|end| end.duration_since(now.wall));
        let left = left.and_then(|left| Duration::try_from(left).ok());
        Some(left.unwrap_or_default().min(LONGEST_LOOK))
    }

    /// Ends a rest that is over.
    pub fn on_look(&mut self, now: Now) -> Vec<Effect> {
        self.end_cooldown(now)
    }

    /// A person has dealt with it.
    ///
    /// # Errors
    /// The account waits for nobody.
    pub fn on_resume(&mut self) -> Result<Vec<Effect>, String> {
        match self.record.status {
            AccountStatus::NeedsAttention | AccountStatus::Cooldown => Ok(self.activate("resumed by a person")),
            AccountStatus::Active | AccountStatus::Disabled => Err(format!(
                "account {} is {}: only one that needs attention or rests can be resumed",
                self.record.username,
                self.record.status.as_str()
            )),
        }
    }

    /// Gives no more leases.
    ///
    /// # Errors
    /// A task has the account.
    pub fn on_retire(&mut self) -> Result<(), String> {
        if let Some(lease) = &self.lease {
            let username = &self.record.username;
            return Err(format!(
                "task {} runs for account {username}: stop it, or wait for its end",
                lease.task
            ));
        }
        self.retired = true;
        Ok(())
    }

    /// Why the account cannot be used for this now.
    #[must_use]
    pub fn availability(&self, script: &ScriptName, purpose: Purpose, now: Now) -> Option<NotNow> {
        let for_good = |reason: String| Some(NotNow { reason, until: None });
        if let Some(lease) = &self.lease {
            return for_good(format!("is busy with task {}", lease.task));
        }
        if self.retired {
            return for_good("is being deleted".to_owned());
        }
        if let Some(blocked) = self.blocked(now.wall) {
            return Some(blocked);
        }
        if !self.uses_loaded {
            let until = now.wall.checked_add(Duration::from_secs(1)).ok();
            return Some(NotNow {
                reason: "is being loaded".to_owned(),
                until,
            });
        }
        if purpose == Purpose::Verify {
            return None;
        }
        let usage = self.usage(script, None);
        check_limit(&self.limit_of(script), script, usage, &self.zone, now.wall)
    }

    /// How many effects the limits allow to the task's attempt now; `None`: any number.
    #[must_use]
    pub fn acts_left(&self, script: &ScriptName, task: TaskId, now: Now) -> Option<u32> {
        let usage = self.usage(script, Some(task));
        uses_left(&self.limit_of(script), script, usage, &self.zone, now.wall)
    }

    /// What counts towards the limits of a script, apart from what the task itself may have done already.
    fn usage(&self, script: &ScriptName, task: Option<TaskId>) -> Usage<'_> {
        let others = self.unverified.iter().filter(|(other, _)| Some(**other) != task);
        let provisional = others.filter(|(_, other)| *other == script).count();
        Usage {
            log: &self.uses,
            provisional: u32::try_from(provisional).unwrap_or(u32::MAX),
            last_start: self.starts.get(script).copied().or_else(|| self.uses.latest(script)),
        }
    }

    /// The account as the router needs to know it.
    #[must_use]
    pub fn view(&self, now: Now) -> AccountView {
        view_of(&self.record, &self.settings, now.wall)
    }

    /// The account as the API shows it.
    #[must_use]
    pub fn snapshot(&self, now: Now) -> AccountSnapshot {
        let named = self.settings.limits.scripts.keys().chain(self.record.limits.keys());
        let scripts: BTreeSet<_> = named.chain(self.uses.scripts()).collect();
        let limits = scripts.iter().map(|script| ((*script).clone(), self.limit_of(script)));
        let effective_limits = limits.filter(|(_, limit)| *limit != ScriptLimit::default()).collect();
        let counters = scripts.into_iter().map(|script| UseCounter {
            script: script.clone(),
            last_hour: self.uses.last_hour(script, now.wall),
            today: self.uses.today(script, &self.zone, now.wall),
        });
        AccountSnapshot {
            record: self.record.clone(),
            package: self.package.clone(),
            effective_limits,
            counters: counters.collect(),
            current_task: self.lease.as_ref().map(|lease| lease.task),
        }
    }

    /// The record as it is now.
    #[must_use]
    pub fn record(&self) -> &AccountRecord {
        &self.record
    }

    fn limit_of(&self, script: &ScriptName) -> ScriptLimit {
        self.settings.effective_limit(script, &self.record.limits)
    }

    fn derive(&mut self) {
        self.package = package_of(&self.record, &self.settings);
    }

    fn blocked(&self, now: Timestamp) -> Option<NotNow> {
        blocked_by_status(&self.record, now)
    }

    fn end_cooldown(&mut self, now: Now) -> Vec<Effect> {
        let ended = self.record.cooldown_until;
        let rested = self.record.status == AccountStatus::Cooldown && ended.is_none_or(|end| end <= now.wall);
        if !rested {
            return Vec::new();
        }
        self.set_active();
        let event = self.record.status_event("rested long enough");
        vec![Effect::EndRest(ended, event), Effect::TellChanged]
    }

    fn activate(&mut self, why: &str) -> Vec<Effect> {
        self.set_active();
        self.status_changed(why)
    }

    fn set_active(&mut self) {
        self.record.status = AccountStatus::Active;
        self.record.status_reason = None;
        self.record.evidence = None;
        self.record.cooldown_until = None;
    }

    fn ask_for_a_person(&mut self, message: String, evidence: Option<String>) -> Vec<Effect> {
        let why = message.clone();
        self.record.status = AccountStatus::NeedsAttention;
        self.record.status_reason = Some(message);
        self.record.evidence = evidence;
        self.status_changed(&why)
    }

    fn status_changed(&self, why: &str) -> Vec<Effect> {
        vec![Effect::StoreStatus(self.record.status_event(why)), Effect::TellChanged]
    }
}

/// The account as the router needs to know it, from its record alone.
#[must_use]
pub fn view_of(record: &AccountRecord, settings: &FarmSettings, now: Timestamp) -> AccountView {
    AccountView {
        username: record.username.clone(),
        app: record.app.clone(),
        package: package_of(record, settings),
        serial: record.serial.clone(),
        enabled: record.status != AccountStatus::Disabled,
        blocked: blocked_by_status(record, now),
        last_used: record.last_used,
    }
}

/// The package that the account's app means.
#[must_use]
pub fn package_of(record: &AccountRecord, settings: &FarmSettings) -> Option<Package> {
    record
        .package
        .clone()
        .or_else(|| settings.apps.get(&record.app).cloned())
}

fn blocked_by_status(record: &AccountRecord, now: Timestamp) -> Option<NotNow> {
    let because = |reason: String, until| Some(NotNow { reason, until });
    match record.status {
        AccountStatus::Active => None,
        AccountStatus::Disabled => because("is disabled; enable it to go on".to_owned(), None),
        AccountStatus::NeedsAttention => {
            let why = record.status_reason.as_deref().unwrap_or("the app asked for a person");
            because(
                format!("needs a person ({why}); deal with it on the phone, then resume it"),
                None,
            )
        }
        AccountStatus::Cooldown => {
            let until = record.cooldown_until.filter(|end| *end > now)?;
            because(format!("rests until {until:.3}"), Some(until))
        }
    }
}
