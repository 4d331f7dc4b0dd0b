//! How many times farmhand by itself repeats a script in an hour: when an app has changed and everything fails, the
//! farm must not do the same for nothing all day.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::RouterCore;
use crate::domain::{
    Now, ScriptName, Start,
    retry::{REPETITIONS_KEPT, Repetition},
};

/// By script until when (of the monotonic clock) each repetition counts.
#[derive(Debug, Default)]
pub(super) struct Budget(HashMap<ScriptName, VecDeque<Duration>>);

impl Budget {
    /// Whether the script may be repeated once more at this instant (of the monotonic clock). `per_hour` 0: always.
    pub(super) fn allows(&mut self, script: &ScriptName, per_hour: u32, now: Duration) -> bool {
        let Some(spent) = self.0.get_mut(script) else {
            return true;
        };
        while spent.front().is_some_and(|until| *until <= now) {
            spent.pop_front();
        }
        per_hour == 0 || u32::try_from(spent.len()).is_ok_and(|spent| spent < per_hour)
    }

    /// Notes a repetition. Without a limit nothing has to be remembered.
    pub(super) fn spend(&mut self, script: &ScriptName, per_hour: u32, now: Duration) {
        if per_hour > 0 {
            self.note(script.clone(), Start::at(now));
        }
    }

    fn note(&mut self, script: ScriptName, at: Start) {
        self.0.entry(script).or_default().push_back(at.then(REPETITIONS_KEPT));
    }
}

impl RouterCore {
    /// The repetitions that were stored before this router, the oldest first.
    pub fn on_repetitions(&mut self, repetitions: Vec<Repetition>, now: Now) {
        for Repetition { script, at } in repetitions {
            self.repetitions.note(script, Start::stored(at, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_repeated_so_often_in_any_hour_and_others_are_not_held_up() {
        let (post, follow) = (ScriptName::parse("post").unwrap(), ScriptName::parse("follow").unwrap());
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let mut budget = Budget::default();
        for at in [0, 30] {
            assert!(budget.allows(&post, 2, minutes(at)));
            budget.spend(&post, 2, minutes(at));
        }

        assert!(!budget.allows(&post, 2, minutes(59)));
        assert!(budget.allows(&follow, 2, minutes(59)));
        assert!(budget.allows(&post, 0, minutes(59)), "no limit");
        assert!(budget.allows(&post, 2, minutes(60)));
        budget.spend(&post, 2, minutes(60));
        assert!(!budget.allows(&post, 2, minutes(89)));
        assert!(budget.allows(&post, 2, minutes(90)));
    }
}
