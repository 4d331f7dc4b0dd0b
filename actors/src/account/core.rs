//! The decisions of an account's actor.

mod lease;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{
    AccountView,
    hold::{LeaseHold, Told},
    view::{blocked_by_status, package_of, view_of},
};
use crate::{
    domain::{
        AccountRecord, AccountStatus, LoadedUses, NewEvent, Now, Package, Purpose, ScriptLimit, ScriptName, Start,
        TaskId, Timestamp,
        limits::{NotNow, Usage, UseLog, check_limit},
    },
    settings::FarmSettings,
    supervisor::{AccountSnapshot, UseCounter},
};

/// How long a rest goes on without a look at the wall clock, which may be set meanwhile.
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Note the start of an attempt.
    Touch(Timestamp),
    /// Store that the rest which went on until then is over, unless a person has changed it since, with the event that
    /// tells of it.
    EndRest(Option<Timestamp>, NewEvent),
    /// Tell router and supervisor that the record is another one now.
    TellChanged,
}

/// An account's state.
pub struct AccountCore {
    record: AccountRecord,
    package: Option<Package>,
    settings: Arc<FarmSettings>,
    zone: TimeZone,
    uses: UseLog,
    uses_loaded: bool,
    starts: BTreeMap<ScriptName, Start>,
    /// Tasks whose effect may have taken place, and when: counted, so that a late confirmation cannot exceed a limit.
    unverified: BTreeMap<TaskId, (ScriptName, Timestamp)>,
    /// How many times the uses were asked for.
    loads: u64,
    /// What was told since the last time; `None`: no answer is awaited.
    told: Option<Vec<Told>>,
    /// Uses were loaded since the lease was given: what its attempt did may be among them.
    loaded_since: bool,
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
            loads: 0,
            told: None,
            loaded_since: true,
            lease: None,
            retired: false,
            touched: None,
            record,
        };
        core.derive();
        core
    }

    /// The uses are about to be read from the store: the number is to come back with them.
    pub fn on_load(&mut self) -> u64 {
        self.told = Some(Vec::new());
        self.loads += 1;
        self.loads
    }

    /// Uses from the store, as they were at the earliest when they were asked for; those that are known already count once.
    pub fn on_uses_loaded(&mut self, load: u64, uses: &LoadedUses, now: Now) {
        let own = self.record.username.clone();
        for used in uses.confirmed.iter().filter(|used| used.username == own) {
            self.uses.merge(&used.script, used.at);
        }
        if !self.uses_loaded {
            self.take_starts_from_uses(now);
        }
        self.uses_loaded = true;
        self.loaded_since = true;
        if load != self.loads {
            return;
        }
        let open = uses.open.iter().filter(|open| open.username == own);
        self.unverified = open.map(|open| (open.task, (open.script.clone(), open.at))).collect();
        for told in self.told.take().into_iter().flatten() {
            match told {
                Told::Open(task, script, at) => drop(self.unverified.insert(task, (script, at))),
                Told::Settled(task) => drop(self.unverified.remove(&task)),
            }
        }
    }

    /// A clock that was set back leaves what was done before in the future: for the limits it was done now.
    fn settle_ahead(&mut self, now: Timestamp) {
        self.uses.settle_ahead(now);
        let open = self.unverified.values_mut().map(|(_, at)| at);
        open.for_each(|at| *at = now.min(*at));
    }

    /// What was begun before this actor is known by what it has done.
    fn take_starts_from_uses(&mut self, now: Now) {
        for script in self.uses.scripts() {
            let begun = self.uses.latest(script).map(|at| Start::stored(at, now));
            if let Some(begun) = begun.filter(|_| !self.starts.contains_key(script)) {
                self.starts.insert(script.clone(), begun);
            }
        }
    }

    /// What the task may have done is known now, and counted in the store if it counts.
    pub fn on_settled(&mut self, task: TaskId) {
        self.remember(Told::Settled(task));
        self.unverified.remove(&task);
    }

    fn remember(&mut self, told: Told) {
        if let Some(known) = &mut self.told {
            known.push(told);
        }
    }

    /// The stored record was changed by a person.
    pub fn on_record(&mut self, record: AccountRecord, now: Now) -> Vec<Effect> {
        let last_used = self.record.last_used.max(record.last_used);
        let before = std::mem::replace(&mut self.record, record);
        self.record.last_used = last_used;
        if before.status_revision > self.record.status_revision {
            // It was changed before the status was that is known here.
            self.record.take_status_of(&before);
        }
        self.retired = false;
        self.derive();
        self.renew_permit(now);
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

    /// A person has dealt with it. The record as it is to be stored: nothing is leased before it is.
    ///
    /// # Errors
    /// The account waits for nobody.
    pub fn on_resume(&self) -> Result<AccountRecord, String> {
        match self.record.status {
            AccountStatus::NeedsAttention | AccountStatus::Cooldown => {
                let mut record = self.record.clone();
                record.activate();
                Ok(record)
            }
            AccountStatus::Active | AccountStatus::Disabled => Err(format!(
                "account {} is {}: only one that needs attention or rests can be resumed",
                self.record.username,
                self.record.status.as_str()
            )),
        }
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
        let usage = self.usage(script, None, now);
        check_limit(&self.limit_of(script), script, &usage, &self.zone, now.wall)
    }

    /// What counts towards the limits of a script, apart from what the task itself may have done already.
    fn usage(&self, script: &ScriptName, task: Option<TaskId>, now: Now) -> Usage<'_> {
        let others = self.unverified.iter().filter(|(other, _)| Some(**other) != task);
        let open = others.filter(|(_, (other, _))| other == script);
        Usage {
            log: &self.uses,
            open: open.map(|(_, (_, at))| *at).collect(),
            last_start: self.starts.get(script).map(|start| start.shown_by(now)),
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

    /// How much is remembered until the uses have been read.
    #[cfg(test)]
    pub fn remembered(&self) -> usize {
        self.told.as_ref().map_or(0, Vec::len)
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
        self.record.activate();
        self.renew_permit(now);
        let event = self.record.status_event("rested long enough");
        vec![Effect::EndRest(ended, event), Effect::TellChanged]
    }

    /// What is stored already, unless a person has disabled the account or said something else of it since.
    fn ask_for_a_person(&mut self, message: String, evidence: Option<String>, revision: Option<u64>) -> Vec<Effect> {
        let Some(revision) = revision.filter(|revision| *revision > self.record.status_revision) else {
            return Vec::new();
        };
        self.record.ask_for_a_person(message, evidence, revision);
        vec![Effect::TellChanged]
    }
}
