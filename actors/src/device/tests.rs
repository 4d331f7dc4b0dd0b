//! The device's decisions, by tables; no actor, no clock.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    AttemptEnding, ChangePresence, StopAttempt, StopCause,
    core::{DeviceCore, Effect},
};
use crate::{
    FarmSettings,
    domain::{
        AdbState, AttemptId, AttemptSpec, Blame, DeviceInfo, DeviceRecord, DeviceState, Epoch, FailureReason, Held,
        Lease, Now, Outcome, ProbeKind, Purpose, TaskId, Timestamp,
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

/// Without heartbeats, so that looks can be told apart.
fn device() -> DeviceCore {
    let mut settings = FarmSettings::default();
    settings.probe.heartbeat_s = 0;
    device_with(settings)
}

fn device_with(settings: FarmSettings) -> DeviceCore {
    device_named("p1", settings)
}

fn device_named(name: &str, settings: FarmSettings) -> DeviceCore {
    let record = DeviceRecord {
        serial: serial(name),
        alias: None,
        tags: Vec::new(),
        app: None,
        enabled: true,
        held: None,
        info: DeviceInfo::default(),
        last_seen: None,
        created_at: Timestamp::UNIX_EPOCH,
    };
    DeviceCore::new(&record, Arc::new(settings))
}

fn presence(state: AdbState) -> ChangePresence {
    ChangePresence {
        state,
        problem: None,
        server_away: false,
    }
}

fn online() -> DeviceCore {
    let mut core = device();
    core.on_presence(presence(AdbState::Device), at(0));
    core.on_look(Ok(DeviceInfo::default()), at(1));
    core
}

pub(super) fn spec(attempt: i64) -> Arc<AttemptSpec> {
    Arc::new(AttemptSpec {
        task: TaskId(7),
        attempt: AttemptId(attempt),
        number: 1,
        purpose: Purpose::Execute,
        script: script("post"),
        config: Arc::new(serde_json::json!({})),
        serial: serial("p1"),
        account: None,
        app: None,
        lease: Lease {
            epoch: Epoch(1),
            token: "t".into(),
        },
        time_limit: Duration::from_secs(1800),
        seed: 1,
        request_id: None,
        permit: Arc::default(),
    })
}

fn done() -> AttemptEnding {
    AttemptEnding::Outcome(Outcome::Completed {
        remark: String::new(),
        counts: true,
    })
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
        assert_eq!(effects.contains(&Effect::Look), adb == AdbState::Device, "{adb:?}");
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
        assert!(core.on_wake(None, at(now)).contains(&Effect::Look));
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
    assert!(!core.on_wake(None, at(100)).contains(&Effect::Look));
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
        (StopCause::ServerAway, FailureReason::DeviceOffline),
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
fn an_attempt_that_is_lost_with_the_adb_server_is_the_hosts_fault_and_with_the_phone_alone_the_phones() {
    for (server_away, blame, told) in [
        (true, Blame::Host, "adb server of p1"),
        (false, Blame::Device, "p1 went away"),
    ] {
        let mut core = online();
        core.on_start(spec(1), at(10));
        let away = ChangePresence {
            state: AdbState::Offline,
            problem: Some("it does not answer".to_owned()),
            server_away,
        };
        core.on_presence(away, at(20));
        assert_eq!(core.status(at(20)).next_action.contains("adb server"), server_away);
        assert!(core.on_wake(None, at(40)).contains(&Effect::Cancel));
        let stopped = super::ending::failed(FailureReason::Stopped, "stopped".to_owned(), Blame::Task);

        let effects = core.on_ended(AttemptId(1), AttemptEnding::Outcome(stopped), at(41));

        let endings = endings(&effects);
        let [AttemptEnding::Outcome(Outcome::Failed { failure, blame: found })] = endings[..] else {
            panic!("{effects:?}");
        };
        assert_eq!((failure.reason, *found), (FailureReason::DeviceOffline, blame));
        assert!(failure.message.contains(told), "{}", failure.message);
    }
}

#[test]
fn a_phone_that_is_pulled_out_in_the_middle_of_a_task_says_so_while_the_task_still_holds_it() {
    let cases = [
        (
            AdbState::Offline,
            Some("no adb server shows it"),
            "no adb server shows it",
        ),
        (AdbState::Unauthorized, None, "trust"),
        (AdbState::Other("recovery".to_owned()), None, "recovery"),
    ];
    for (adb, problem, told) in cases {
        let mut core = online();
        core.on_start(spec(1), at(10));
        assert_eq!(core.status(at(10)).cause, "runs task 7");

        let away = ChangePresence {
            state: adb.clone(),
            problem: problem.map(str::to_owned),
            server_away: false,
        };
        core.on_presence(away, at(11));

        let status = core.status(at(11));
        assert_eq!(status.state, DeviceState::Busy);
        let says_both = status.cause.starts_with("runs task 7, but ") && status.cause.contains(told);
        assert!(says_both, "{}", status.cause);
        assert_eq!(status.next_action, adb.mend());
        core.on_presence(presence(AdbState::Device), at(12));
        assert_eq!(core.status(at(12)).cause, "runs task 7");
    }
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
        assert!(wake.contains(&Effect::Look), "{seconds}");
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

/// Online since second 1, with heartbeats.
fn beating() -> DeviceCore {
    let mut core = device_with(FarmSettings::default());
    core.on_presence(presence(AdbState::Device), at(0));
    core.on_look(Ok(DeviceInfo::default()), at(1));
    core
}

/// Wakes the device when it wants to be woken; answers when that was and what it wanted.
fn wake(core: &mut DeviceCore) -> (Now, Vec<Effect>) {
    let mono = core.next_wake().unwrap();
    let now = Now {
        wall: Timestamp::UNIX_EPOCH + mono,
        mono,
    };
    let effects = core.on_wake(None, now);
    (now, effects)
}

fn silence() -> Result<(), String> {
    Err("no answer".to_owned())
}

#[test]
fn a_phone_that_hangs_while_adb_calls_it_usable_is_offline_within_seconds() {
    let mut core = beating();
    let (first, effects) = wake(&mut core);
    assert!(effects.contains(&Effect::Heartbeat) && !effects.contains(&Effect::Look));
    assert!(first.mono <= Duration::from_secs(8), "{first:?}");

    core.on_heartbeat(silence(), first);
    assert_eq!(state(&core), DeviceState::Online, "one miss may be the network's");
    let (second, effects) = wake(&mut core);
    assert!(effects.contains(&Effect::Heartbeat));
    assert!(second.mono - first.mono <= Duration::from_secs(1), "{second:?}");
    let effects = core.on_heartbeat(silence(), second);

    assert_eq!(state(&core), DeviceState::Offline);
    assert!(effects.contains(&Effect::TellRouter));
    let status = core.status(second);
    assert!(status.cause.contains("no answer"), "{}", status.cause);
    assert_eq!(status.evidence.adb.unwrap().state, AdbState::Device);
    let probe = status.evidence.probe.unwrap();
    assert_eq!((probe.kind, probe.problem.is_some()), (ProbeKind::Heartbeat, true));
}

#[test]
fn many_phones_are_asked_together_a_few_times_a_second() {
    let mut moments = BTreeSet::new();
    for phone in 0..100 {
        let mut core = device_named(&format!("phone-{phone}"), FarmSettings::default());
        core.on_presence(presence(AdbState::Device), at(0));
        let mono = Duration::from_micros(7_919 * phone);
        core.on_look(Ok(DeviceInfo::default()), Now { mono, ..at(0) });
        moments.insert(core.next_wake().unwrap());
    }
    assert!((8..=16).contains(&moments.len()), "{moments:?}");
}

#[test]
fn a_silent_phone_gets_heartbeats_only_and_is_looked_at_when_it_answers_one() {
    let mut core = beating();
    for _ in 0..10 {
        let (now, effects) = wake(&mut core);
        assert!(effects.contains(&Effect::Heartbeat) && !effects.contains(&Effect::Look));
        core.on_heartbeat(silence(), now);
    }
    let (now, _) = wake(&mut core);

    let effects = core.on_heartbeat(Ok(()), now);

    assert!(effects.contains(&Effect::Look));
    assert_eq!(state(&core), DeviceState::Offline, "the look has the last word");
    core.on_look(Ok(DeviceInfo::default()), now);
    assert_eq!(state(&core), DeviceState::Online);
}

#[test]
fn a_phone_that_has_just_answered_a_command_is_not_asked() {
    let mut core = beating();
    let due = core.next_wake().unwrap().as_secs() + 1;

    core.on_last_answer(Duration::from_secs(1), at(due));

    assert!(!core.on_wake(None, at(due)).contains(&Effect::Heartbeat));
    assert!(core.on_wake(None, at(due + 7)).contains(&Effect::Heartbeat));
}

#[test]
fn a_busy_phone_that_falls_silent_says_so_and_is_not_offered_the_next_task() {
    let mut core = beating();
    core.on_start(spec(1), at(2));
    for _ in 0..2 {
        let (now, effects) = wake(&mut core);
        assert!(effects.contains(&Effect::Heartbeat));
        core.on_heartbeat(silence(), now);
    }
    assert_eq!(state(&core), DeviceState::Busy);
    assert!(core.status(at(20)).cause.contains("no answer"));
    assert!(core.not_ready().is_some());

    let effects = core.on_ended(AttemptId(1), failed(Blame::Device), at(20));

    assert_eq!(state(&core), DeviceState::Offline);
    assert!(core.status(at(20)).cause.contains("no answer"));
    assert!(!effects.contains(&Effect::Look), "it would only wait");
}

#[test]
fn a_busy_phone_that_answers_again_goes_on() {
    let mut core = beating();
    core.on_start(spec(1), at(2));
    for _ in 0..2 {
        let (now, _) = wake(&mut core);
        core.on_heartbeat(silence(), now);
    }
    let (now, _) = wake(&mut core);
    core.on_heartbeat(Ok(()), now);
    assert_eq!((state(&core), core.not_ready()), (DeviceState::Busy, None));
}

#[test]
fn a_heartbeat_from_before_it_went_away_means_nothing() {
    let mut core = beating();
    wake(&mut core);
    core.on_presence(presence(AdbState::Offline), at(10));
    assert!(core.on_heartbeat(silence(), at(11)).is_empty());
    assert_eq!(core.next_wake(), None, "who is away is not asked");
}

#[test]
fn every_state_of_adb_is_shown_with_since_when_why_and_a_mend() {
    let words = [
        ("recovery", "recovery mode", "Reboot"),
        ("sideload", "sideload", "update"),
        ("rescue", "rescue", "restart"),
        ("bootloader", "bootloader", "fastboot"),
        ("authorizing", "trusts", "USB debugging"),
        (
            "no permissions (user x is not in the plugdev group); see [http://x]",
            "plugdev group",
            "udev",
        ),
        ("connecting", "being connected", "by itself"),
    ];
    let other = words.map(|(adb, cause, next)| (AdbState::Other(adb.to_owned()), cause, next));
    let plain = [
        (AdbState::Offline, "does not answer the adb server", "cable"),
        (AdbState::Unauthorized, "does not trust", "allow USB debugging"),
    ];
    for (adb, cause, next) in other.into_iter().chain(plain) {
        let mut core = device();
        core.on_presence(presence(adb.clone()), at(7));
        let status = core.status(at(9));
        assert!(status.cause.contains(cause), "{adb:?}: {}", status.cause);
        assert!(status.next_action.contains(next), "{adb:?}: {}", status.next_action);
        assert_eq!(status.since, at(7).wall, "{adb:?}");
        assert_eq!(status.evidence.adb.unwrap().since, at(7).wall);
        core.on_presence(presence(adb.clone()), at(8));
        assert_eq!(core.status(at(9)).evidence.adb.unwrap().since, at(7).wall, "{adb:?}");
    }
}

#[test]
fn a_device_that_a_person_holds_gets_no_attempt_until_it_is_released() {
    let held = || {
        Some(Held {
            reason: "broken glass".to_owned(),
            since: at(2).wall,
        })
    };
    let mut core = online();
    core.on_start(spec(1), at(2));
    core.on_held(held(), at(3));
    assert_eq!(state(&core), DeviceState::Busy, "its attempt goes on");
    core.on_ended(AttemptId(1), done(), at(4));
    assert_eq!(state(&core), DeviceState::Quarantined);
    let status = core.status(at(5));
    assert!(status.cause.contains("broken glass"), "{}", status.cause);
    assert!(status.quarantine.unwrap().by_person);
    assert!(core.not_ready().is_some());
    core.on_presence(presence(AdbState::Offline), at(6));
    assert_eq!(state(&core), DeviceState::Quarantined, "a person's word stays");
    core.on_presence(presence(AdbState::Device), at(7));
    core.on_look(Ok(DeviceInfo::default()), at(8));

    core.on_held(None, at(9));

    assert_eq!((state(&core), core.not_ready()), (DeviceState::Online, None));
}

#[test]
fn a_release_ends_a_rest_and_forgives_the_failures_before_it() {
    let mut core = online();
    let fail = |core: &mut DeviceCore, attempt: i64| {
        core.on_start(spec(attempt), at(10));
        let effects = core.on_ended(AttemptId(attempt), failed(Blame::Device), at(10));
        core.on_look(Ok(DeviceInfo::default()), at(10));
        effects.contains(&Effect::AskQuarantine)
    };
    assert_eq!(
        [1, 2, 3, 4, 5].map(|attempt| fail(&mut core, attempt)),
        [false, false, false, false, true]
    );
    core.on_quarantine_answer(true, at(10));
    let info = core.status(at(10)).quarantine.unwrap();
    assert_eq!((info.by_person, info.until), (false, Some(at(70).wall)));
    assert!(info.reason.starts_with("5 failures"), "{}", info.reason);

    core.on_held(None, at(20));

    assert_eq!(state(&core), DeviceState::Online);
    assert!(!fail(&mut core, 6), "not on probation");
}

impl actix::Handler<crate::testing::Sabotage> for super::DeviceActor {
    type Result = ();

    fn handle(&mut self, sabotage: crate::testing::Sabotage, ctx: &mut Self::Context) {
        sabotage.strike(ctx);
    }
}
