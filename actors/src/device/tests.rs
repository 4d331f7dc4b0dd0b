//! The device's decisions, by tables; no actor, no clock.

use std::{sync::Arc, time::Duration};

use super::{
    AttemptEnding, ChangePresence, StopAttempt, StopCause,
    core::{DeviceCore, Effect},
};
use crate::{
    FarmSettings,
    domain::{
        AdbState, AttemptId, AttemptSpec, Blame, DeviceInfo, DeviceRecord, DeviceState, Epoch, FailureReason, Lease,
        Now, Outcome, Purpose, TaskId, Timestamp,
    },
    testing::farm::{script, serial},
};

fn at(seconds: u64) -> Now {
    let mono = Duration::from_secs(seconds);
    Now {
        wall: Timestamp::UNIX_EPOCH + mono,
        mono,
    }
}

fn device() -> DeviceCore {
    let record = DeviceRecord {
        serial: serial("p1"),
        alias: None,
        tags: Vec::new(),
        enabled: true,
        info: DeviceInfo::default(),
        last_seen: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    DeviceCore::new(&record, Arc::new(FarmSettings::default()))
}

fn presence(state: AdbState) -> ChangePresence {
    ChangePresence { state, problem: None }
}

fn online() -> DeviceCore {
    let mut core = device();
    core.on_presence(presence(AdbState::Device), at(0));
    core.on_look(Ok(DeviceInfo::default()), at(1));
    core
}

fn spec(attempt: i64) -> Arc<AttemptSpec> {
    Arc::new(AttemptSpec {
        task: TaskId(7),
        attempt: AttemptId(attempt),
        number: 1,
        purpose: Purpose::Execute,
        script: script("post"),
        config: Arc::new(serde_json::json!({})),
        serial: serial("p1"),
        account: None,
        lease: Lease {
            epoch: Epoch(1),
            token: "t".into(),
        },
        time_limit: Duration::from_secs(1800),
        seed: 1,
        request_id: None,
    })
}

fn done() -> AttemptEnding {
    AttemptEnding::Outcome(Outcome::Completed { remark: String::new() })
}

fn failed(blame: Blame) -> AttemptEnding {
    AttemptEnding::Outcome(super::ending::failed(
        FailureReason::DeviceError,
        "no".to_owned(),
        blame,
    ))
}

fn endings(effects: &[Effect]) -> Vec<&AttemptEnding> {
    fn report(effect: &Effect) -> Option<&AttemptEnding> {
        match effect {
            Effect::Report { ending, .. } => Some(ending),
            _ => None,
        }
    }
    effects.iter().filter_map(report).collect()
}

fn state(core: &DeviceCore) -> DeviceState {
    core.status(at(0)).state
}

#[test]
fn every_word_of_adb_has_a_state_and_only_an_answering_phone_is_online() {
    let cases = [
        (AdbState::Device, DeviceState::Offline),
        (AdbState::Offline, DeviceState::Offline),
        (AdbState::Unauthorized, DeviceState::Unauthorized),
        (AdbState::Other("recovery".to_owned()), DeviceState::Offline),
    ];
    for (adb, expected) in cases {
        let mut core = device();
        assert_eq!(state(&core), DeviceState::Offline);
        let effects = core.on_presence(presence(adb.clone()), at(0));
        assert_eq!(state(&core), expected, "{adb:?}");
        assert!(core.not_ready().is_some(), "{adb:?}");
        assert_eq!(effects.contains(&Effect::Probe), adb == AdbState::Device, "{adb:?}");
        assert!(!core.status(at(0)).next_action.is_empty());
    }
    let mut core = device();
    core.on_presence(presence(AdbState::Device), at(0));
    let effects = core.on_look(Ok(DeviceInfo::default()), at(1));
    assert_eq!(state(&core), DeviceState::Online);
    assert!(effects.contains(&Effect::TellRouter) && effects.contains(&Effect::Note));
}

#[test]
fn a_phone_that_does_not_answer_is_asked_again_with_growing_pauses() {
    let mut core = device();
    core.on_presence(presence(AdbState::Device), at(0));
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        core.on_look(Err("no answer".to_owned()), at(now));
        let wake = core.next_wake().unwrap().as_secs();
        pauses.push(wake - now);
        now = wake;
        assert!(core.on_wake(None, at(now)).contains(&Effect::Probe));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert!(core.status(at(now)).cause.contains("no answer"));
}

#[test]
fn an_answer_from_before_it_went_away_does_not_put_it_online() {
    let mut core = device();
    core.on_presence(presence(AdbState::Device), at(0));
    core.on_presence(presence(AdbState::Offline), at(1));
    core.on_look(Ok(DeviceInfo::default()), at(2));
    core.on_presence(presence(AdbState::Device), at(3));
    assert_eq!(state(&core), DeviceState::Offline);
}

#[test]
fn an_idle_phone_is_looked_at_about_once_a_minute_and_not_while_it_works() {
    let mut core = online();
    let wake = core.next_wake().unwrap();
    assert!((46..=76).contains(&wake.as_secs()), "{wake:?}");
    core.on_start(spec(1), at(2));
    assert_eq!(state(&core), DeviceState::Busy);
    assert!(!core.on_wake(None, at(100)).contains(&Effect::Probe));
}

#[test]
fn a_device_that_is_not_ready_or_busy_refuses_an_attempt_without_blame() {
    let mut away = device();
    let mut busy = online();
    busy.on_start(spec(1), at(2));
    for core in [&mut away, &mut busy] {
        let effects = core.on_start(spec(2), at(3));
        let endings = endings(&effects);
        let [AttemptEnding::Outcome(Outcome::Failed { failure, blame })] = endings[..] else {
            panic!("{effects:?}");
        };
        assert_eq!((failure.reason, *blame), (FailureReason::DeviceOffline, Blame::Host));
        assert!(!effects.contains(&Effect::Run));
    }
    assert_eq!(busy.spec().unwrap().attempt, AttemptId(1));
}

#[test]
fn a_stop_cancels_first_and_abandons_after_the_grace() {
    let mut core = online();
    core.on_start(spec(1), at(10));
    let stop = |attempt| StopAttempt {
        attempt: AttemptId(attempt),
        cause: StopCause::Stop,
    };
    assert!(
        core.on_stop(stop(9), at(20)).is_empty(),
        "another attempt is not touched"
    );

    assert!(core.on_stop(stop(1), at(20)).contains(&Effect::Cancel));
    assert_eq!(core.next_wake(), Some(Duration::from_millis(21_500)));
    let effects = core.on_wake(None, at(22));

    assert!(effects.contains(&Effect::Abandon));
    let endings = endings(&effects);
    let [
        AttemptEnding::Abandoned {
            failure,
            blame: Blame::Device,
        },
    ] = endings[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(failure.reason, FailureReason::Stopped);
    assert!(
        core.on_ended(AttemptId(1), done(), at(23)).is_empty(),
        "what it says later is old news"
    );
}

#[test]
fn what_ended_an_attempt_from_outside_is_its_reason() {
    let cases = [
        (StopCause::Stop, FailureReason::Stopped),
        (StopCause::Drain, FailureReason::Stopped),
        (StopCause::TimeLimit, FailureReason::Timeout),
        (StopCause::Stall, FailureReason::Timeout),
        (StopCause::DeviceAway, FailureReason::DeviceOffline),
    ];
    for (cause, reason) in cases {
        let mut core = online();
        core.on_start(spec(1), at(10));
        core.on_stop(
            StopAttempt {
                attempt: AttemptId(1),
                cause,
            },
            at(11),
        );
        let stopped = super::ending::failed(FailureReason::Stopped, "stopped".to_owned(), Blame::Task);
        let effects = core.on_ended(AttemptId(1), AttemptEnding::Outcome(stopped), at(12));
        let endings = endings(&effects);
        let [AttemptEnding::Outcome(Outcome::Failed { failure, .. })] = endings[..] else {
            panic!("{effects:?}");
        };
        assert_eq!(failure.reason, reason, "{cause:?}");
    }
}

#[test]
fn an_attempt_that_was_completed_while_it_was_stopped_stays_completed() {
    let mut core = online();
    core.on_start(spec(1), at(10));
    core.on_stop(
        StopAttempt {
            attempt: AttemptId(1),
            cause: StopCause::Stop,
        },
        at(11),
    );
    let effects = core.on_ended(AttemptId(1), done(), at(12));
    assert_eq!(endings(&effects), [&done()]);
}

#[test]
fn a_phone_that_goes_away_for_longer_than_the_grace_loses_its_attempt() {
    let mut core = online();
    core.on_start(spec(1), at(10));
    core.on_presence(presence(AdbState::Offline), at(20));
    assert_eq!(core.next_wake(), Some(Duration::from_secs(40)));
    core.on_presence(presence(AdbState::Device), at(30));
    assert!(
        !core
            .on_wake(Some(Duration::from_secs(30)), at(40))
            .contains(&Effect::Cancel),
        "it came back in time"
    );

    core.on_presence(presence(AdbState::Offline), at(50));
    assert!(
        core.on_wake(Some(Duration::from_secs(50)), at(70))
            .contains(&Effect::Cancel)
    );
}

#[test]
fn a_device_that_fails_too_often_rests_and_is_then_tried_again() {
    let mut core = online();
    for attempt in 1..=5 {
        core.on_start(spec(attempt), at(10));
        let effects = core.on_ended(AttemptId(attempt), failed(Blame::Device), at(10));
        assert_eq!(effects.contains(&Effect::AskQuarantine), attempt == 5);
        assert!(core.not_ready().is_some(), "it has to answer again first");
        core.on_look(Ok(DeviceInfo::default()), at(10));
    }

    core.on_quarantine_answer(true, at(10));
    assert_eq!(state(&core), DeviceState::Quarantined);
    assert_eq!(
        core.next_wake().unwrap().min(Duration::from_secs(70)),
        core.next_wake().unwrap()
    );
    core.on_wake(None, at(70));
    assert_eq!(state(&core), DeviceState::Online);
}

#[test]
fn failures_of_the_task_or_the_app_never_quarantine_a_device() {
    let mut core = online();
    for attempt in 1..=50 {
        core.on_start(spec(attempt), at(10));
        let blame = if attempt % 2 == 0 { Blame::Task } else { Blame::App };
        let effects = core.on_ended(AttemptId(attempt), failed(blame), at(10));
        assert!(!effects.contains(&Effect::AskQuarantine));
        assert_eq!(core.not_ready(), None);
    }
}

#[test]
fn a_device_that_is_switched_off_finishes_its_attempt_and_takes_no_other() {
    let mut core = online();
    core.on_start(spec(1), at(10));
    core.on_enabled(false, at(11));
    assert_eq!(state(&core), DeviceState::Busy);
    core.on_ended(AttemptId(1), done(), at(12));
    assert_eq!(state(&core), DeviceState::Disabled);
    assert!(core.not_ready().is_some());
    core.on_enabled(true, at(13));
    assert_eq!(core.not_ready(), None);
}

#[test]
fn a_new_router_voids_attempts_of_former_epochs_only_and_is_told_how_the_device_does() {
    let mut core = online();
    core.on_start(spec(1), at(10));
    let effects = core.on_abandon_before(Epoch(1), at(11));
    assert_eq!(effects, [Effect::TellRouter]);
    let effects = core.on_abandon_before(Epoch(2), at(12));
    assert_eq!(effects[..2], [Effect::Abandon, Effect::TellRouter]);
    assert!(core.spec().is_none());
}

#[test]
fn what_a_phone_says_is_written_when_it_changes_and_else_now_and_then() {
    let mut core = online();
    let look = |core: &mut DeviceCore, level: u8, seconds: u64| {
        let wake = core.on_wake(None, at(seconds));
        assert!(wake.contains(&Effect::Probe), "{seconds}");
        let info = DeviceInfo {
            battery_level: Some(level),
            ..DeviceInfo::default()
        };
        core.on_look(Ok(info), at(seconds)).contains(&Effect::Note)
    };
    assert!(look(&mut core, 80, 100));
    assert!(!look(&mut core, 80, 200));
    assert!(look(&mut core, 79, 300));
    assert!(look(&mut core, 79, 901));
}
