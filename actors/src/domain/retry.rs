//! What becomes of a task when its attempt ends: a pure policy.

use std::time::Duration;

use serde::Deserialize;

use super::{Attention, Failure, FailureReason, Outcome, Purpose, ScriptName, Timestamp};
use crate::ports::TaskNext;

/// Section `retry` of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// Whether farmhand tries a failed task again by itself (only where another attempt can help).
    pub auto: bool,
    /// How many times at most.
    pub max: u32,
    /// Bounds of the random pause before it, seconds.
    pub delay: [u32; 2],
    /// Most such repetitions of one script in an hour, over the whole farm; 0: as many as there are.
    pub per_hour: u32,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            auto: false,
            max: 3,
            delay: [5, 60],
            per_hour: 0,
        }
    }
}

/// How long a repetition counts towards `per_hour`.
pub const REPETITIONS_KEPT: Duration = Duration::from_hours(1);

/// A script was repeated by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetition {
    /// Which.
    pub script: ScriptName,
    /// When the attempt before it had ended.
    pub at: Timestamp,
}

/// How many checks may end without telling, before a person has to look: enough for a slow upload, few enough that
/// nobody waits for long.
pub const UNKNOWN_CHECKS_LIMIT: u32 = 3;

/// Pauses before a check, by the number of checks that could not tell.
const VERIFY_PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15)];

/// Pause after the phone went away: it also keeps a flapping phone from being tried in a tight loop.
const OFFLINE_PAUSE: Duration = Duration::from_secs(2);

/// How many times work cut short by farmhand itself is taken up again, even where `auto` is off: it is not the
/// task's failure, but a task that breaks the controller each time must come to an end.
const CUT_SHORT_LIMIT: u32 = 3;

/// Who ended the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// It came to its own end.
    Itself,
    /// A person or program asked for the stop.
    Stop,
    /// The controller is shutting down.
    Drain,
}

/// What the policy needs to know besides the outcome.
#[derive(Debug, Clone, Copy)]
pub struct AttemptFacts {
    /// What the attempt was for.
    pub purpose: Purpose,
    /// Attempts that farmhand began by itself so far.
    pub auto_retries: u32,
    /// Checks of this effect that could not tell, before this attempt.
    pub unknown_checks: u32,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// Whether it acted for an account: that rests until a person has dealt with it, and the task with it.
    pub has_account: bool,
    /// A random number in `0.0..1.0`, for the pause.
    pub dice: f64,
}

/// The decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// For the attempt's row.
    pub outcome: &'static str,
    /// For the task.
    pub next: TaskNext,
    /// Checks that could not tell, after this attempt.
    pub unknown_checks: u32,
}

/// Decides.
#[must_use]
pub fn decide(outcome: &Outcome, facts: AttemptFacts, settings: &RetrySettings, now: Timestamp) -> Verdict {
    let (word, next) = match outcome {
        Outcome::Completed { remark, .. } => ("completed", TaskNext::Completed { remark: remark.clone() }),
        Outcome::Failed { failure, .. } => (failure.reason.as_str(), after_failure(failure, facts, settings, now)),
        Outcome::NeedsAttention { message, .. } => ("needs_attention", after_challenge(message, facts, now)),
        Outcome::Unverified { failure, attention, .. } => {
            return after_unverified(failure, attention.as_ref(), facts, now);
        }
    };
    Verdict {
        outcome: word,
        next,
        unknown_checks: 0,
    }
}

fn after_failure(failure: &Failure, facts: AttemptFacts, settings: &RetrySettings, now: Timestamp) -> TaskNext {
    match facts.ended_by {
        EndedBy::Stop => {
            return TaskNext::Failed {
                failure: stopped(failure),
            };
        }
        EndedBy::Drain if failure.reason == FailureReason::Stopped => {
            return again(
                now,
                facts.purpose,
                "cut short by a shutdown; goes on after the next start",
                false,
            );
        }
        EndedBy::Drain | EndedBy::Itself => {}
    }
    match failure.reason {
        FailureReason::DeviceOffline => {
            let due_at = later(now, OFFLINE_PAUSE);
            let remark = format!("the phone went away ({}); goes on when it is back", failure.message);
            again(due_at, facts.purpose, &remark, false)
        }
        // No effect is open then: a check has proven that it did not take place. Whatever keeps an attempt from looking is
        // `Unverified`.
        _ if facts.purpose == Purpose::Verify && may_repeat(failure, facts, CUT_SHORT_LIMIT.max(settings.max)) => {
            let remark = match failure.reason {
                FailureReason::AccountUnavailable => {
                    format!(
                        "what it did was looked up; goes on when its account may ({})",
                        failure.message
                    )
                }
                _ => "the effect did not take place; runs again".to_owned(),
            };
            again(now, Purpose::Execute, &remark, true)
        }
        FailureReason::Interrupted if may_repeat(failure, facts, CUT_SHORT_LIMIT) => {
            again(later(now, OFFLINE_PAUSE), facts.purpose, "cut short; runs again", true)
        }
        _ if settings.auto && may_repeat(failure, facts, settings.max) => {
            let due_at = later(now, retry_pause(settings, facts.dice));
            let remark = format!("failed ({}); tried again by itself", failure.message);
            again(due_at, Purpose::Execute, &remark, true)
        }
        _ => TaskNext::Failed {
            failure: failure.clone(),
        },
    }
}

fn after_challenge(message: &str, facts: AttemptFacts, now: Timestamp) -> TaskNext {
    if facts.ended_by == EndedBy::Stop {
        let failure = Failure {
            reason: FailureReason::Stopped,
            message: format!("stopped; the app asked for a person: {message}"),
            step: None,
            retryable: true,
        };
        return TaskNext::Failed { failure };
    }
    if !facts.has_account {
        return TaskNext::Failed {
            failure: nobody_rests(message, ""),
        };
    }
    let remark = format!("waits for a person to deal with the account: {message}");
    again(now, facts.purpose, &remark, false)
}

/// Without an account nothing would hold the task until a person has looked at the phone.
fn nobody_rests(message: &str, effect: &str) -> Failure {
    Failure {
        reason: FailureReason::NeedsAttention,
        message: format!("{message}; deal with it on the phone, then retry the task{effect}"),
        step: None,
        retryable: true,
    }
}

fn after_unverified(failure: &Failure, asked: Option<&Attention>, facts: AttemptFacts, now: Timestamp) -> Verdict {
    let verdict = |next, unknown_checks| Verdict {
        outcome: "unverified",
        next,
        unknown_checks,
    };
    if facts.ended_by == EndedBy::Stop {
        let mut failure = stopped(failure);
        failure
            .message
            .push_str("; whether its effect took place is not known: a retry looks first");
        return verdict(TaskNext::Failed { failure }, 0);
    }
    if let Some(Attention { message, .. }) = asked {
        if !facts.has_account {
            let effect = "; whether its effect took place is not known: a retry looks first";
            let failure = nobody_rests(message, effect);
            return verdict(TaskNext::Failed { failure }, facts.unknown_checks);
        }
        let remark = format!("the effect may have taken place; waits for a person to deal with the account: {message}");
        return verdict(again(now, Purpose::Verify, &remark, false), facts.unknown_checks);
    }
    // Only a check that ran and could not tell is an unknown one; a phone that went away said nothing.
    let could_not_look = matches!(
        failure.reason,
        FailureReason::DeviceOffline | FailureReason::Interrupted | FailureReason::Stopped
    );
    let looked = facts.purpose == Purpose::Verify && !could_not_look;
    let checks = facts.unknown_checks.saturating_add(u32::from(looked));
    if checks >= UNKNOWN_CHECKS_LIMIT {
        let failure = Failure {
            reason: FailureReason::OutcomeUnknown,
            message: format!(
                "nobody knows whether the effect took place ({}): look at the phone and resolve the task",
                failure.message
            ),
            step: failure.step,
            retryable: false,
        };
        return verdict(TaskNext::Failed { failure }, checks);
    }
    let pause = usize::try_from(checks).ok().and_then(|n| VERIFY_PAUSES.get(n));
    let due_at = later(now, pause.copied().unwrap_or(OFFLINE_PAUSE));
    let remark = format!("the effect may have taken place ({}); looks first", failure.message);
    verdict(again(due_at, Purpose::Verify, &remark, false), checks)
}

fn may_repeat(failure: &Failure, facts: AttemptFacts, limit: u32) -> bool {
    failure.retryable && facts.auto_retries < limit
}

fn stopped(failure: &Failure) -> Failure {
    let message = match failure.reason {
        FailureReason::Stopped => failure.message.clone(),
        reason => format!("stopped ({}: {})", reason.as_str(), failure.message),
    };
    Failure {
        reason: FailureReason::Stopped,
        message,
        step: failure.step,
        retryable: true,
    }
}

fn again(due_at: Timestamp, purpose: Purpose, remark: &str, counts: bool) -> TaskNext {
    TaskNext::Again {
        due_at,
        purpose,
        remark: remark.to_owned(),
        counts,
    }
}

fn retry_pause(settings: &RetrySettings, dice: f64) -> Duration {
    let [least, most] = settings.delay;
    let span = f64::from(most.saturating_sub(least));
    Duration::from_secs(u64::from(least)).saturating_add(Duration::from_secs_f64(span * dice.clamp(0.0, 1.0)))
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Blame;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn failure(reason: FailureReason, retryable: bool) -> Failure {
        Failure {
            reason,
            message: "as told".to_owned(),
            step: Some(2),
            retryable,
        }
    }

    fn failed(reason: FailureReason, retryable: bool) -> Outcome {
        Outcome::Failed {
            failure: failure(reason, retryable),
            blame: Blame::Task,
        }
    }

    fn unverified(reason: FailureReason) -> Outcome {
        Outcome::Unverified {
            failure: failure(reason, true),
            blame: Blame::Device,
            attention: None,
        }
    }

    fn facts(purpose: Purpose) -> AttemptFacts {
        AttemptFacts {
            purpose,
            auto_retries: 0,
            unknown_checks: 0,
            ended_by: EndedBy::Itself,
            has_account: true,
            dice: 0.5,
        }
    }

    fn settings(auto: bool) -> RetrySettings {
        RetrySettings {
            auto,
            max: 2,
            delay: [10, 20],
            per_hour: 0,
        }
    }

    fn next(outcome: &Outcome, facts: AttemptFacts, auto: bool) -> TaskNext {
        decide(outcome, facts, &settings(auto), NOW).next
    }

    fn reason_of(next: &TaskNext) -> Option<FailureReason> {
        match next {
            TaskNext::Failed { failure } => Some(failure.reason),
            _ => None,
        }
    }

    #[test]
    fn a_failure_is_retried_by_itself_only_when_told_so_when_it_can_help_and_within_the_budget() {
        let outcome = failed(FailureReason::Timeout, true);
        let mut spent = facts(Purpose::Execute);
        spent.auto_retries = 2;

        let retried = next(&outcome, facts(Purpose::Execute), true);

        let TaskNext::Again {
            due_at,
            counts: true,
            purpose: Purpose::Execute,
            ..
        } = retried
        else {
            panic!("{retried:?}");
        };
        assert_eq!(due_at, NOW + Duration::from_secs(15));
        assert_eq!(
            reason_of(&next(&outcome, facts(Purpose::Execute), false)),
            Some(FailureReason::Timeout)
        );
        assert_eq!(reason_of(&next(&outcome, spent, true)), Some(FailureReason::Timeout));
        let hopeless = failed(FailureReason::MaterialMissing, false);
        assert_eq!(
            reason_of(&next(&hopeless, facts(Purpose::Execute), true)),
            Some(FailureReason::MaterialMissing)
        );
    }

    #[test]
    fn a_phone_that_went_away_is_waited_for_without_counting() {
        let next = next(
            &failed(FailureReason::DeviceOffline, true),
            facts(Purpose::Execute),
            false,
        );
        assert!(matches!(
            next,
            TaskNext::Again {
                counts: false,
                purpose: Purpose::Execute,
                ..
            }
        ));
    }

    #[test]
    fn an_open_effect_is_verified_and_never_simply_repeated() {
        for reason in FailureReason::ALL {
            for purpose in [Purpose::Execute, Purpose::Verify] {
                let next = next(&unverified(reason), facts(purpose), true);
                assert!(
                    matches!(
                        next,
                        TaskNext::Again {
                            purpose: Purpose::Verify,
                            counts: false,
                            ..
                        }
                    ),
                    "{reason:?} {purpose:?} {next:?}"
                );
            }
        }
    }

    #[test]
    fn after_three_checks_that_cannot_tell_a_person_has_to_look() {
        let mut facts = facts(Purpose::Verify);
        let outcome = unverified(FailureReason::Timeout);
        for expected in 1..UNKNOWN_CHECKS_LIMIT {
            let verdict = decide(&outcome, facts, &settings(true), NOW);
            assert!(matches!(verdict.next, TaskNext::Again { .. }));
            assert_eq!(verdict.unknown_checks, expected);
            facts.unknown_checks = verdict.unknown_checks;
        }

        let last = decide(&outcome, facts, &settings(true), NOW);

        assert_eq!(reason_of(&last.next), Some(FailureReason::OutcomeUnknown));
        assert!(matches!(&last.next, TaskNext::Failed { failure } if !failure.retryable));
    }

    #[test]
    fn a_check_that_meets_a_challenge_waits_for_a_person_and_is_not_counted() {
        let mut facts = facts(Purpose::Verify);
        facts.unknown_checks = UNKNOWN_CHECKS_LIMIT - 1;
        let outcome = Outcome::Unverified {
            failure: failure(FailureReason::NeedsAttention, false),
            blame: Blame::App,
            attention: Some(Attention {
                message: "a code".to_owned(),
                screenshot: None,
            }),
        };

        let verdict = decide(&outcome, facts, &settings(true), NOW);

        assert_eq!(verdict.unknown_checks, UNKNOWN_CHECKS_LIMIT - 1);
        let TaskNext::Again {
            purpose: Purpose::Verify,
            counts: false,
            remark,
            ..
        } = verdict.next
        else {
            panic!("{:?}", verdict.next);
        };
        assert!(
            remark.contains("waits for a person") && remark.contains("a code"),
            "{remark}"
        );
    }

    #[test]
    fn a_phone_that_goes_away_during_checks_never_makes_the_outcome_unknown() {
        let mut facts = facts(Purpose::Verify);
        facts.unknown_checks = UNKNOWN_CHECKS_LIMIT - 1;
        let verdict = decide(&unverified(FailureReason::DeviceOffline), facts, &settings(true), NOW);
        assert!(matches!(
            verdict.next,
            TaskNext::Again {
                purpose: Purpose::Verify,
                ..
            }
        ));
        assert_eq!(verdict.unknown_checks, UNKNOWN_CHECKS_LIMIT - 1);
    }

    #[test]
    fn an_effect_proven_absent_lets_the_flow_run_again_but_not_for_ever() {
        let outcome = failed(FailureReason::Interrupted, true);
        let mut facts = facts(Purpose::Verify);
        assert!(matches!(
            next(&outcome, facts, false),
            TaskNext::Again {
                purpose: Purpose::Execute,
                counts: true,
                ..
            }
        ));
        facts.auto_retries = 3;
        assert_eq!(
            reason_of(&next(&outcome, facts, false)),
            Some(FailureReason::Interrupted)
        );
    }

    #[test]
    fn a_stop_ends_the_task_as_stopped_whatever_the_attempt_said_unless_it_was_done() {
        let mut stopped = facts(Purpose::Execute);
        stopped.ended_by = EndedBy::Stop;
        let challenge = Outcome::NeedsAttention {
            message: "log in".to_owned(),
            screenshot: None,
        };
        let outcomes = [
            failed(FailureReason::Stopped, true),
            failed(FailureReason::DeviceOffline, true),
            unverified(FailureReason::Stopped),
            challenge,
        ];
        for outcome in outcomes {
            assert_eq!(
                reason_of(&next(&outcome, stopped, true)),
                Some(FailureReason::Stopped),
                "{outcome:?}"
            );
        }
        let done = Outcome::Completed {
            remark: String::new(),
            counts: true,
        };
        assert!(matches!(next(&done, stopped, true), TaskNext::Completed { .. }));
    }

    #[test]
    fn a_shutdown_leaves_the_task_resumable_without_counting() {
        let mut drained = facts(Purpose::Execute);
        drained.ended_by = EndedBy::Drain;
        let cut = next(&failed(FailureReason::Stopped, true), drained, false);
        assert!(matches!(
            cut,
            TaskNext::Again {
                purpose: Purpose::Execute,
                counts: false,
                ..
            }
        ));
        let open = next(&unverified(FailureReason::Stopped), drained, false);
        assert!(matches!(
            open,
            TaskNext::Again {
                purpose: Purpose::Verify,
                counts: false,
                ..
            }
        ));
    }

    #[test]
    fn a_challenge_without_an_account_is_a_failure_since_nothing_would_hold_the_task() {
        let challenge = Outcome::NeedsAttention {
            message: "log in".to_owned(),
            screenshot: None,
        };
        let asked = Some(Attention {
            message: "log in".to_owned(),
            screenshot: None,
        });
        let open = Outcome::Unverified {
            failure: failure(FailureReason::NeedsAttention, false),
            blame: Blame::App,
            attention: asked,
        };
        for (outcome, auto) in [(&challenge, false), (&challenge, true), (&open, true)] {
            let facts = AttemptFacts {
                has_account: false,
                ..facts(Purpose::Execute)
            };
            let TaskNext::Failed { failure } = next(outcome, facts, auto) else {
                panic!("{outcome:?} goes on");
            };
            assert_eq!(
                (failure.reason, failure.retryable),
                (FailureReason::NeedsAttention, true)
            );
            let looks_first = failure.message.contains("a retry looks first");
            assert_eq!(looks_first, *outcome == open, "{}", failure.message);
        }
    }

    #[test]
    fn a_challenge_waits_for_the_account_without_counting_and_keeps_an_open_check() {
        let challenge = Outcome::NeedsAttention {
            message: "log in".to_owned(),
            screenshot: None,
        };
        for purpose in [Purpose::Execute, Purpose::Verify] {
            let next = next(&challenge, facts(purpose), false);
            assert!(matches!(next, TaskNext::Again { counts: false, purpose: kept, .. } if kept == purpose));
        }
    }
}
