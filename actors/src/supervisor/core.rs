//! When an actor is rebuilt, and when it is left alone.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::ActorState;
use crate::{
    domain::{EventTopic, Generation, NewEvent, Now, Timestamp},
    mail::{ChildExited, ChildKey},
    settings::SupervisionSettings,
};

/// Exits within this time count towards the budget.
const EXIT_WINDOW: Duration = Duration::from_secs(10 * 60);

/// The exit that is one too many.
const EXIT_BUDGET: usize = 6;

/// What the shell has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Build the child now.
    Start(ChildKey, Generation),
    /// Build it after its back-off; ask [`SupervisorCore::on_start_due`] first.
    StartLater(ChildKey, Generation, Duration),
    /// This incarnation is over: forget its address, tell it to end, tell those who wait for it.
    Forget(ChildKey, Generation),
    /// Append to the outbox.
    TellEvent(NewEvent),
}

/// One child as the tree shows it.
#[derive(Debug, Clone)]
pub struct Child {
    /// Its current incarnation.
    pub generation: Generation,
    /// How it does.
    pub state: ActorState,
    /// In this state since.
    pub since: Timestamp,
    /// How many times it was rebuilt.
    pub restarts: u32,
    /// When it last made progress.
    pub last_heartbeat: Option<Timestamp>,
    exits: VecDeque<Duration>,
    beats: u64,
    missed: u32,
}

/// The supervisor's state.
#[derive(Debug)]
pub struct SupervisorCore {
    rules: SupervisionSettings,
    children: BTreeMap<ChildKey, Child>,
}

impl SupervisorCore {
    /// Without children.
    #[must_use]
    pub fn new(rules: SupervisionSettings) -> Self {
        Self {
            rules,
            children: BTreeMap::new(),
        }
    }

    /// All children, by kind and name.
    pub fn children(&self) -> impl Iterator<Item = (&ChildKey, &Child)> {
        self.children.iter()
    }

    /// One child.
    #[must_use]
    pub fn child(&self, key: &ChildKey) -> Option<&Child> {
        self.children.get(key)
    }

    /// A child is to live from now on.
    pub fn on_added(&mut self, key: ChildKey, now: Now) -> Vec<Effect> {
        if self.children.contains_key(&key) {
            return Vec::new();
        }
        let generation = Generation(1);
        let child = Child {
            generation,
            state: ActorState::Starting,
            since: now.wall,
            restarts: 0,
            last_heartbeat: None,
            exits: VecDeque::new(),
            beats: 0,
            missed: 0,
        };
        self.children.insert(key.clone(), child);
        vec![Effect::Start(key, generation)]
    }

    /// A child is not wanted any more.
    pub fn on_removed(&mut self, key: &ChildKey) -> Vec<Effect> {
        let child = self.children.remove(key);
        child
            .map(|child| Effect::Forget(key.clone(), child.generation))
            .into_iter()
            .collect()
    }

    /// An incarnation has ended (or could not be built).
    pub fn on_exited(&mut self, exit: &ChildExited, now: Now) -> Vec<Effect> {
        let how = if exit.panicked { "panicked" } else { "ended" };
        self.fail(&exit.key, exit.generation, how, now)
    }

    /// An incarnation does not do what it is told.
    pub fn on_disobedient(&mut self, key: &ChildKey, generation: Generation, now: Now) -> Vec<Effect> {
        self.fail(key, generation, "did not do what it was told", now)
    }

    /// The back-off is over; answers whether to build the child now.
    pub fn on_start_due(&mut self, key: &ChildKey, generation: Generation, now: Now) -> Vec<Effect> {
        let due = |child: &&mut Child| child.generation == generation && child.state == ActorState::BackingOff;
        let Some(child) = self.children.get_mut(key).filter(due) else {
            return Vec::new();
        };
        child.enter(ActorState::Starting, now);
        vec![Effect::Start(key.clone(), generation)]
    }

    /// Heartbeats were counted.
    pub fn on_beats(&mut self, beats: &[(ChildKey, u64)], now: Now) -> Vec<Effect> {
        let mut frozen = Vec::new();
        for (key, count) in beats {
            let Some(child) = self.children.get_mut(key) else {
                continue;
            };
            if !matches!(child.state, ActorState::Starting | ActorState::Running) {
                continue;
            }
            if *count == child.beats {
                child.missed = child.missed.saturating_add(1);
                if child.missed >= self.rules.missed_beats {
                    frozen.push((key.clone(), child.generation));
                }
                continue;
            }
            child.beats = *count;
            child.missed = 0;
            child.last_heartbeat = Some(now.wall);
            if child.state == ActorState::Starting {
                child.enter(ActorState::Running, now);
            }
        }
        let fail = |(key, generation)| self.fail(&key, generation, "stood still", now);
        frozen.into_iter().flat_map(fail).collect()
    }

    /// A person wants it rebuilt now, out of quarantine too. `None`: no such child.
    pub fn on_restart(&mut self, key: &ChildKey, now: Now) -> Option<Vec<Effect>> {
        let child = self.children.get_mut(key)?;
        let old = child.generation;
        child.exits.clear();
        child.rebuild(now, ActorState::Starting);
        let event = event(key, "supervisor.restarted", "by hand");
        Some(vec![
            Effect::Forget(key.clone(), old),
            Effect::Start(key.clone(), child.generation),
            Effect::TellEvent(event),
        ])
    }

    fn fail(&mut self, key: &ChildKey, generation: Generation, how: &str, now: Now) -> Vec<Effect> {
        let current = |child: &&mut Child| child.generation == generation;
        let Some(child) = self.children.get_mut(key).filter(current) else {
            return Vec::new();
        };
        child.exits.push_back(now.mono);
        while child.exits.front().is_some_and(|exit| *exit + EXIT_WINDOW <= now.mono) {
            child.exits.pop_front();
        }
        let mut effects = vec![Effect::Forget(key.clone(), generation)];
        if child.exits.len() >= EXIT_BUDGET {
            child.rebuild(now, ActorState::Quarantined);
            let why = format!("{how} {EXIT_BUDGET} times within 10 minutes");
            effects.push(Effect::TellEvent(event(key, "supervisor.quarantined", &why)));
            return effects;
        }
        child.rebuild(now, ActorState::BackingOff);
        effects.push(Effect::StartLater(
            key.clone(),
            child.generation,
            back_off(child.exits.len()),
        ));
        effects.push(Effect::TellEvent(event(key, "supervisor.restarting", how)));
        effects
    }
}

impl Child {
    fn enter(&mut self, state: ActorState, now: Now) {
        self.state = state;
        self.since = now.wall;
    }

    fn rebuild(&mut self, now: Now, state: ActorState) {
        self.generation = self.generation.next();
        if state != ActorState::Quarantined {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.beats = 0;
        self.missed = 0;
        self.enter(state, now);
    }
}

/// 1, 2, 4, 8, 16 s.
fn back_off(exits: usize) -> Duration {
    let doublings = u32::try_from(exits.saturating_sub(1)).unwrap_or(u32::MAX).min(4);
    Duration::from_secs(1 << doublings)
}

fn event(key: &ChildKey, kind: &str, why: &str) -> NewEvent {
    NewEvent {
        topic: EventTopic::Supervisor,
        kind: kind.to_owned(),
        subject: format!("{}/{}", key.kind.as_str(), key.name),
        data: serde_json::json!({ "kind": key.kind.as_str(), "name": &*key.name, "reason": why }),
    }
}
