//! What the log says of an attempt that did not end in success: one line, with what comes next.

use crate::{
    domain::{
        AttemptId, Blame, Failure, FailureReason, Now, Outcome, PendingTask, Purpose, Serial, TaskId, Timestamp,
        Username,
    },
    ports::TaskNext,
};

/// The line's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    task: TaskId,
    attempt: AttemptId,
    serial: Serial,
    username: Option<Username>,
    reason: FailureReason,
    /// Whether an effect was left open.
    unverified: bool,
    blame: Blame,
    step: Option<u32>,
    message: String,
    next: String,
}

impl AttemptEnd {
    /// The line of this end; a success needs none.
    #[must_use]
    pub fn of(task: &PendingTask, attempt: AttemptId, outcome: &Outcome, next: &TaskNext, now: Now) -> Option<Self> {
        let (reason, step, message, blame) = match outcome {
            Outcome::Completed { .. } => return None,
            Outcome::Failed { failure, blame } | Outcome::Unverified { failure, blame, .. } => {
                let Failure {
                    reason, step, message, ..
                } = failure;
                (*reason, *step, message.as_str(), *blame)
            }
            Outcome::NeedsAttention { message, .. } => {
                (FailureReason::NeedsAttention, None, message.as_str(), Blame::App)
            }
        };
        Some(Self {
            task: task.id,
            attempt,
            serial: task.serial.clone(),
            username: task.username.clone(),
            reason,
            unverified: matches!(outcome, Outcome::Unverified { .. }),
            blame,
            step,
            message: one_line(message),
            next: what_comes_next(reason, next, now.wall),
        })
    }

    /// Writes the line. What people asked for themselves (a stop) is no warning.
    pub fn log(&self) {
        let step = self.step.map_or_else(|| "none".to_owned(), |step| step.to_string());
        let account = self.username.as_ref().map_or("none", Username::as_str);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    task.id = self.task.0,
                    attempt.id = self.attempt.0,
                    device.serial = %self.serial,
                    account,
                    reason = self.reason.as_str(),
                    step,
                    blame = word_of(self.blame),
                    effect_open = self.unverified,
                    next = self.next,
                    "attempt ended without success: {}", self.message
                )
            };
        }
        if self.reason == FailureReason::Stopped {
            line!(info);
        } else {
            line!(warn);
        }
    }
}

fn what_comes_next(reason: FailureReason, next: &TaskNext, now: Timestamp) -> String {
    match next {
        TaskNext::Completed { .. } => "nothing, the task is completed".to_owned(),
        TaskNext::Failed { failure } if failure.reason == FailureReason::OutcomeUnknown => {
            "a person looks at the phone and resolves the task".to_owned()
        }
        TaskNext::Failed { .. } => "the task has failed; a person may retry it".to_owned(),
        TaskNext::Again { .. } if reason == FailureReason::NeedsAttention => {
            "a person deals with the account on the phone and resumes it".to_owned()
        }
        TaskNext::Again { due_at, purpose, .. } => {
            let pause = due_at.duration_since(now).as_secs_f64().max(0.0);
            let what = match purpose {
                Purpose::Execute => "the flow runs again",
                Purpose::Verify => "it is looked whether the effect took place",
            };
            let when = if reason == FailureReason::DeviceOffline {
                ", when the device is back"
            } else {
                ""
            };
            format!("{what} in {pause:.1} s{when}")
        }
    }
}

fn word_of(blame: Blame) -> &'static str {
    match blame {
        Blame::Task => "task",
        Blame::Device => "device",
        Blame::App => "app",
        Blame::Host => "host",
    }
}

/// Messages carry words of phones and apps: none of them may begin a line of its own.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    pub const NOW: Now = Now {
        mono: Duration::ZERO,
        wall: Timestamp::UNIX_EPOCH,
    };

    pub fn task() -> PendingTask {
        PendingTask {
            id: TaskId(7),
            batch_id: "b".into(),
            script: crate::domain::ScriptName::parse("post").unwrap(),
            serial: Serial::parse("sim-1").unwrap(),
            username: Some(Username::parse("alice").unwrap()),
            due_at: None,
            gap: None,
            priority: 0,
            purpose: Purpose::Execute,
            attempts: 0,
            auto_retries: 0,
        }
    }

    fn failure(reason: FailureReason) -> Failure {
        Failure {
            reason,
            message: "two\r\nlines \u{1b}[31m".to_owned(),
            step: Some(3),
            retryable: true,
        }
    }

    fn again(seconds: u64, purpose: Purpose) -> TaskNext {
        TaskNext::Again {
            due_at: Timestamp::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap(),
            purpose,
            remark: String::new(),
            counts: false,
        }
    }

    fn end(outcome: &Outcome, next: &TaskNext) -> Option<AttemptEnd> {
        AttemptEnd::of(&task(), AttemptId(9), outcome, next, NOW)
    }

    #[test]
    fn a_success_needs_no_line() {
        let remark = String::new();
        let outcome = Outcome::Completed {
            remark: remark.clone(),
            counts: true,
        };

        assert_eq!(end(&outcome, &TaskNext::Completed { remark }), None);
    }

    #[test]
    fn a_failure_is_one_line_with_reason_step_blame_and_what_comes_next() {
        let outcome = Outcome::Unverified {
            failure: failure(FailureReason::DeviceOffline),
            blame: Blame::Device,
            attention: None,
        };

        let end = end(&outcome, &again(2, Purpose::Verify)).unwrap();

        assert_eq!(end.message, "two lines [31m");
        assert_eq!(
            (end.reason, end.step, end.blame),
            (FailureReason::DeviceOffline, Some(3), Blame::Device)
        );
        assert!(end.unverified);
        let next = "it is looked whether the effect took place in 2.0 s, when the device is back";
        assert_eq!(end.next, next);
    }

    #[test]
    fn what_a_person_has_to_do_is_said() {
        let attention = Outcome::NeedsAttention {
            message: "a code".to_owned(),
            screenshot: None,
        };
        let waiting = end(&attention, &again(0, Purpose::Execute)).unwrap();
        assert!(waiting.next.contains("resumes it"), "{}", waiting.next);

        let failed = Outcome::Failed {
            failure: failure(FailureReason::Timeout),
            blame: Blame::App,
        };
        let unknown = TaskNext::Failed {
            failure: failure(FailureReason::OutcomeUnknown),
        };
        assert!(end(&failed, &unknown).unwrap().next.contains("resolves"));
    }
}
