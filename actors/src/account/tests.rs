//! The account's decisions, by tables; no actor, no clock.

use std::{sync::Arc, time::Duration};

use jiff::tz::TimeZone;

use super::{
    KeepLease, LeaseAccount, LeaseUsage, ReleaseAccount,
    core::{AccountCore, Effect},
};
use crate::{
    FarmSettings,
    domain::{
        AccountRecord, AccountStatus, AccountUse, Attention, Epoch, Limits, LoadedUses, Now, OpenUse, Purpose, Refusal,
        ScriptLimit, TaskId, Timestamp,
    },
    testing::farm::{account_record, script, serial, username},
};

const START: i64 = 1_780_000_000;

fn at(seconds: u64) -> Now {
    let mono = Duration::from_secs(seconds);
    Now {
        wall: Timestamp::from_second(START).unwrap() + mono,
        mono,
    }
}

fn account(limit: ScriptLimit) -> AccountCore {
    let mut record = account_record("a", Some("p1"));
    record.limits = Limits::from([(script("follow"), limit)]);
    let mut core = AccountCore::new(record, Arc::new(FarmSettings::default()), TimeZone::UTC);
    load(&mut core, &[]);
    core
}

fn lease(task: i64, purpose: Purpose) -> LeaseAccount {
    LeaseAccount {
        task: TaskId(task),
        script: script("follow"),
        serial: serial("p1"),
        purpose,
        token: format!("token-{task}").into(),
        epoch: Epoch(1),
    }
}

fn release(task: i64, usage: LeaseUsage) -> ReleaseAccount {
    ReleaseAccount {
        token: format!("token-{task}").into(),
        task: TaskId(task),
        begun: Some(at(0)),
        usage,
        uses: Vec::new(),
        asked: Some(1),
    }
}

fn load(core: &mut AccountCore, confirmed: &[AccountUse]) {
    let load = core.on_load();
    let uses = LoadedUses {
        confirmed: confirmed.to_vec(),
        open: Vec::new(),
    };
    core.on_uses_loaded(load, &uses, at(0));
}

/// As the store does, which knows it before the account does.
fn resume(core: &mut AccountCore) {
    let mut record = core.on_resume().unwrap();
    record.status_revision += 1;
    core.on_record(record, at(0));
}

fn used(seconds: u64) -> AccountUse {
    AccountUse {
        username: username("a"),
        script: script("follow"),
        at: at(seconds).wall,
    }
}

fn may_have(attention: Option<Attention>) -> LeaseUsage {
    let script = script("follow");
    let at = at(1).wall;
    LeaseUsage::Unverified { script, at, attention }
}

fn per_hour(limit: u32) -> ScriptLimit {
    ScriptLimit {
        per_hour: Some(limit),
        ..ScriptLimit::default()
    }
}

#[test]
fn an_account_is_leased_to_one_attempt_at_a_time_and_only_its_token_frees_it() {
    let mut core = account(ScriptLimit::default());
    assert_eq!(core.on_lease(&lease(1, Purpose::Execute), at(0)).0, Ok(()));
    assert_eq!(core.snapshot(at(0)).current_task, Some(TaskId(1)));

    let refusal = core.on_lease(&lease(2, Purpose::Execute), at(1)).0.unwrap_err();
    assert!(refusal.reason.contains("task 1"));
    core.on_release(release(2, LeaseUsage::Nothing));
    assert!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0.is_err());
    core.on_release(release(1, LeaseUsage::Nothing));
    assert_eq!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0, Ok(()));
}

#[test]
fn only_confirmed_uses_count_and_those_that_may_be_are_held_back() {
    let mut core = account(per_hour(1));
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_release(release(1, LeaseUsage::Nothing));
    core.on_lease(&lease(2, Purpose::Execute), at(1)).0.unwrap();
    core.on_release(release(2, may_have(None)));

    assert!(
        core.on_lease(&lease(3, Purpose::Execute), at(2)).0.is_err(),
        "task 2 may still count"
    );
    assert_eq!(
        core.on_lease(&lease(2, Purpose::Verify), at(2)).0,
        Ok(()),
        "a check is not held up by limits"
    );
    let permit = core.permit().unwrap();
    assert_eq!(permit.may_act(0), Ok(()), "should it turn out that it has not");
    assert_eq!(permit.may_act(1), Err(Refusal::Limit));
    let mut confirmed = release(2, LeaseUsage::Nothing);
    confirmed.uses.push(used(3));
    core.on_release(confirmed);
    assert!(core.on_lease(&lease(3, Purpose::Execute), at(4)).0.is_err());
    assert_eq!(core.on_lease(&lease(3, Purpose::Execute), at(3603)).0, Ok(()));
}

#[test]
fn uses_from_the_store_count_and_before_they_are_loaded_nothing_starts() {
    let mut record = account_record("a", None);
    record.limits = Limits::from([(script("follow"), per_hour(1))]);
    let mut core = AccountCore::new(record, Arc::new(FarmSettings::default()), TimeZone::UTC);
    let loading = core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap_err();
    assert!(loading.reason.contains("loaded") && loading.until.is_some());

    load(
        &mut core,
        &[
            used(0),
            AccountUse {
                username: username("b"),
                ..used(1)
            },
        ],
    );

    let refusal = core.on_lease(&lease(1, Purpose::Execute), at(10)).0.unwrap_err();
    assert_eq!(refusal.until, Some(at(3600).wall));
    assert_eq!(
        core.snapshot(at(10))
            .counters
            .iter()
            .find(|one| one.script == script("follow"))
            .unwrap()
            .last_hour,
        1
    );
}

#[test]
fn the_minimum_gap_is_kept_between_starts() {
    let mut core = account(ScriptLimit {
        min_gap_s: Some(60),
        ..ScriptLimit::default()
    });
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_release(release(1, LeaseUsage::Nothing));
    let refusal = core.on_lease(&lease(2, Purpose::Execute), at(30)).0.unwrap_err();
    assert_eq!(refusal.until, Some(at(60).wall));
    assert_eq!(core.on_lease(&lease(2, Purpose::Execute), at(60)).0, Ok(()));
}

#[test]
fn an_account_that_needs_a_person_gives_no_lease_until_it_is_resumed() {
    let mut core = account(ScriptLimit::default());
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    let attention = LeaseUsage::NeedsAttention {
        message: "a code".to_owned(),
        evidence: Some("x.png".to_owned()),
    };

    let effects = core.on_release(release(1, attention));

    assert!(matches!(&effects[..], [Effect::TellChanged]), "{effects:?}");
    assert_eq!(core.record().status, AccountStatus::NeedsAttention);
    assert_eq!(core.record().evidence.as_deref(), Some("x.png"));
    assert!(core.view(at(1)).blocked.unwrap().reason.contains("a code"));
    assert!(core.on_lease(&lease(2, Purpose::Verify), at(1)).0.is_err());
    resume(&mut core);
    assert_eq!(core.record().evidence, None);
    assert_eq!(core.on_lease(&lease(2, Purpose::Execute), at(2)).0, Ok(()));
    assert!(core.on_resume().unwrap_err().contains("only one that needs attention"));
}

#[test]
fn an_account_that_needs_a_person_in_the_middle_of_an_effect_rests_and_the_effect_is_held_back() {
    let mut core = account(per_hour(1));
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    let asked = Attention {
        message: "a code".to_owned(),
        screenshot: Some("x.png".to_owned()),
    };

    core.on_release(release(1, may_have(Some(asked))));

    assert_eq!(core.record().status, AccountStatus::NeedsAttention);
    assert_eq!(core.record().evidence.as_deref(), Some("x.png"));
    assert!(core.on_lease(&lease(1, Purpose::Verify), at(1)).0.is_err());
    resume(&mut core);
    assert!(
        core.on_lease(&lease(2, Purpose::Execute), at(2)).0.is_err(),
        "task 1 may still count"
    );
    assert_eq!(core.on_lease(&lease(1, Purpose::Verify), at(2)).0, Ok(()));
}

#[test]
fn a_cooldown_ends_by_itself() {
    let mut record = account_record("a", None);
    record.status = AccountStatus::Cooldown;
    record.cooldown_until = Some(at(100).wall);
    let mut core = AccountCore::new(record, Arc::new(FarmSettings::default()), TimeZone::UTC);
    load(&mut core, &[]);

    let refusal = core.on_lease(&lease(1, Purpose::Execute), at(99)).0.unwrap_err();
    assert_eq!(refusal.until, Some(at(100).wall));
    let (granted, effects) = core.on_lease(&lease(1, Purpose::Execute), at(100));

    assert_eq!(granted, Ok(()));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::EndRest(Some(end), _) if *end == at(100).wall))
    );
    assert_eq!(core.record().status, AccountStatus::Active);
}

#[test]
fn a_rest_is_looked_at_when_it_ends_and_now_and_then_because_clocks_are_set() {
    let mut record = account_record("a", None);
    let core =
        |record: &AccountRecord| AccountCore::new(record.clone(), Arc::new(FarmSettings::default()), TimeZone::UTC);
    assert_eq!(core(&record).next_look(at(0)), None);
    record.status = AccountStatus::Cooldown;
    record.cooldown_until = Some(at(100).wall);

    let mut resting = core(&record);

    assert_eq!(resting.next_look(at(0)), Some(Duration::from_secs(30)));
    assert_eq!(resting.next_look(at(88)), Some(Duration::from_secs(12)));
    assert_eq!(resting.next_look(at(200)), Some(Duration::ZERO));
    assert_eq!(resting.on_look(at(99)), []);
    assert_eq!(resting.on_look(at(100)).len(), 2);
    assert_eq!(resting.next_look(at(100)), None);
}

#[test]
fn a_disabled_account_says_so_and_a_retired_one_is_refused_while_it_is_leased() {
    let mut core = account(ScriptLimit::default());
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    assert!(core.on_retire().unwrap_err().contains("task 1"));
    core.on_release(release(1, LeaseUsage::Nothing));
    core.on_retire().unwrap();
    assert!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0.is_err());

    let mut record = account_record("a", None);
    record.status = AccountStatus::Disabled;
    core.on_record(record, at(0));
    let refusal = core.on_lease(&lease(2, Purpose::Execute), at(1)).0.unwrap_err();
    assert!(refusal.reason.contains("disabled"));
    assert!(!core.view(at(1)).enabled);
}

#[test]
fn leases_of_a_former_router_are_void() {
    let mut core = account(ScriptLimit::default());
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_forget_leases(Epoch(1));
    assert!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0.is_err());
    core.on_forget_leases(Epoch(2));
    assert_eq!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0, Ok(()));
}

#[test]
fn the_last_use_is_written_at_most_once_a_second() {
    let mut core = account(ScriptLimit::default());
    let mut writes = 0;
    for task in 0..100 {
        let now = Now {
            wall: at(0).wall + Duration::from_millis(task * 50),
            mono: Duration::from_millis(task * 50),
        };
        let task = i64::try_from(task).unwrap();
        let (granted, effects) = core.on_lease(&lease(task, Purpose::Execute), now);
        granted.unwrap();
        writes += effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Touch(_)))
            .count();
        core.on_release(release(task, LeaseUsage::Nothing));
    }
    assert_eq!(writes, 5);
}

#[test]
fn what_a_person_said_before_the_app_asked_for_one_does_not_undo_it() {
    let mut core = account(ScriptLimit::default());
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    let older = core.record().clone();
    let asked = LeaseUsage::NeedsAttention {
        message: "a code".to_owned(),
        evidence: None,
    };
    core.on_release(release(1, asked.clone()));

    core.on_record(older, at(0));
    assert_eq!(core.record().status, AccountStatus::NeedsAttention);

    // One that comes later than what was said since changes nothing either.
    resume(&mut core);
    core.on_lease(&lease(2, Purpose::Execute), at(1)).0.unwrap();
    core.on_release(release(2, asked.clone()));
    assert_eq!(core.record().status, AccountStatus::Active);
    // Nor one that the store did not take: the account is disabled there.
    core.on_lease(&lease(3, Purpose::Execute), at(2)).0.unwrap();
    let mut refused = release(3, asked);
    refused.asked = None;
    core.on_release(refused);
    assert_eq!(core.record().status, AccountStatus::Active);
}

#[test]
fn a_lease_that_no_attempt_began_with_is_no_start() {
    let mut core = account(ScriptLimit {
        min_gap_s: Some(60),
        ..ScriptLimit::default()
    });
    let mut unused = release(1, LeaseUsage::Nothing);
    unused.begun = None;
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_release(unused);
    assert_eq!(core.on_lease(&lease(2, Purpose::Execute), at(1)).0, Ok(()));
    core.on_release(release(2, LeaseUsage::Nothing));
    // A check begins nothing either.
    core.on_lease(&lease(3, Purpose::Verify), at(50)).0.unwrap();
    core.on_release(release(3, LeaseUsage::Nothing));
    assert_eq!(core.on_lease(&lease(4, Purpose::Execute), at(61)).0, Ok(()));
}

/// A task may wait for the store between the two.
#[test]
fn the_minimum_gap_begins_with_the_attempt_and_not_with_its_lease() {
    let mut core = account(ScriptLimit {
        min_gap_s: Some(60),
        ..ScriptLimit::default()
    });
    let mut late = release(1, LeaseUsage::Nothing);
    late.begun = Some(at(30));
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_release(late);
    let refusal = core.on_lease(&lease(2, Purpose::Execute), at(60)).0.unwrap_err();
    assert_eq!(refusal.until, Some(at(90).wall));
}

#[test]
fn what_may_have_taken_place_is_read_from_the_store_and_what_was_told_meanwhile_counts() {
    let mut core = account(per_hour(1));
    let open = |task: i64| OpenUse {
        username: username("a"),
        task: TaskId(task),
        script: script("follow"),
        at: at(0).wall,
    };
    let uses = |open: Vec<OpenUse>| LoadedUses {
        confirmed: Vec::new(),
        open,
    };
    let busy = |core: &AccountCore| core.availability(&script("follow"), Purpose::Execute, at(10)).is_some();
    let load = core.on_load();
    core.on_uses_loaded(load, &uses(vec![open(1)]), at(0));
    assert!(busy(&core));

    let load = core.on_load();
    core.on_settled(TaskId(1));
    core.on_uses_loaded(load, &uses(vec![open(1)]), at(0));
    assert!(!busy(&core), "it was settled after the store was asked");

    let (older, newer) = (core.on_load(), core.on_load());
    core.on_uses_loaded(newer, &uses(vec![]), at(0));
    core.on_uses_loaded(older, &uses(vec![open(1)]), at(0));
    assert!(!busy(&core), "an older answer tells nothing new");
}

#[test]
fn a_use_that_was_read_from_the_store_before_its_lease_came_back_counts_once() {
    let mut core = account(per_hour(2));
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    load(&mut core, &[used(1)]);
    let mut ended = release(1, LeaseUsage::Nothing);
    ended.uses.push(used(1));
    core.on_release(ended);

    let follow = core
        .snapshot(at(2))
        .counters
        .into_iter()
        .find(|one| one.script == script("follow"));
    assert_eq!(follow.unwrap().last_hour, 1);
}

#[test]
fn what_is_told_is_remembered_only_while_the_uses_are_being_read() {
    let mut core = account(ScriptLimit::default());
    let run = |core: &mut AccountCore, task| {
        core.on_lease(&lease(task, Purpose::Execute), at(0)).0.unwrap();
        core.on_release(release(task, may_have(None)));
    };
    (0..10).for_each(|task| run(&mut core, task));
    assert_eq!(core.remembered(), 0);

    let number = core.on_load();
    run(&mut core, 10);
    assert!(core.remembered() > 0);
    core.on_uses_loaded(number, &LoadedUses::default(), at(0));
    (11..20).for_each(|task| run(&mut core, task));
    assert_eq!(core.remembered(), 0);
}

#[test]
fn the_minimum_gap_is_kept_after_a_restart_also_when_the_clock_is_set_then() {
    let mut record = account_record("a", None);
    let limit = ScriptLimit {
        min_gap_s: Some(60),
        ..ScriptLimit::default()
    };
    record.limits = Limits::from([(script("follow"), limit)]);
    let mut core = AccountCore::new(record, Arc::new(FarmSettings::default()), TimeZone::UTC);
    let number = core.on_load();
    let uses = LoadedUses {
        confirmed: vec![used(0)],
        open: Vec::new(),
    };
    core.on_uses_loaded(number, &uses, at(10));
    let set_forth = |seconds: u64| Now {
        wall: at(seconds + 3600).wall,
        ..at(seconds)
    };

    let refusal = core.on_lease(&lease(1, Purpose::Execute), set_forth(20)).0.unwrap_err();

    assert_eq!(refusal.until, Some(set_forth(60).wall));
    assert_eq!(core.on_lease(&lease(1, Purpose::Execute), set_forth(60)).0, Ok(()));
}

fn with_limit(limit: ScriptLimit) -> AccountRecord {
    let mut record = account_record("a", Some("p1"));
    record.limits = Limits::from([(script("follow"), limit)]);
    record
}

#[test]
fn what_a_person_changes_holds_for_the_attempt_under_way() {
    let mut core = account(per_hour(10));
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    let permit = core.permit().unwrap();
    assert_eq!((permit.may_act(9), permit.may_act(10)), (Ok(()), Err(Refusal::Limit)));

    core.on_record(with_limit(per_hour(3)), at(1));
    assert_eq!((permit.may_act(2), permit.may_act(3)), (Ok(()), Err(Refusal::Limit)));

    let refused = |core: &mut AccountCore, record: AccountRecord, why: &str| {
        core.on_record(record, at(2));
        let Err(Refusal::Account(reason)) = permit.may_act(0) else {
            panic!("{why}: may act");
        };
        assert!(reason.contains(why), "{reason}");
    };
    let mut disabled = with_limit(per_hour(10));
    disabled.status = AccountStatus::Disabled;
    refused(&mut core, disabled, "account a is disabled");
    let mut moved = with_limit(per_hour(10));
    moved.serial = Some(serial("p2"));
    refused(&mut core, moved, "not bound to this device any more");
    let mut unbound = with_limit(per_hour(10));
    unbound.serial = None;
    refused(&mut core, unbound, "not bound to this device any more");

    core.on_record(with_limit(per_hour(10)), at(3));
    assert_eq!(permit.may_act(9), Ok(()), "all is as it was");
}

#[test]
fn what_runs_after_a_check_is_a_start_and_waits_for_the_gap() {
    let gap = || ScriptLimit {
        min_gap_s: Some(60),
        ..ScriptLimit::default()
    };
    let mut core = account(gap());
    core.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    core.on_release(release(1, may_have(None)));

    core.on_lease(&lease(1, Purpose::Verify), at(30)).0.unwrap();
    let reason = core.permit().unwrap().begin_anew().unwrap_err();
    assert!(reason.contains("account a rests 60 s"), "{reason}");
    core.on_release(release(1, may_have(None)));

    core.on_lease(&lease(1, Purpose::Verify), at(90)).0.unwrap();
    core.permit().unwrap().begin_anew().unwrap();
    let mut late = release(1, LeaseUsage::Nothing);
    late.begun = Some(at(91));
    core.on_release(late);
    let refusal = core.on_lease(&lease(2, Purpose::Execute), at(100)).0.unwrap_err();
    assert_eq!(refusal.until, Some(at(151).wall));
}

#[test]
fn an_actor_that_is_built_while_its_account_is_given_away_takes_the_lease_over() {
    let mut former = account(per_hour(10));
    former.on_lease(&lease(1, Purpose::Execute), at(0)).0.unwrap();
    let permit = former.permit().unwrap();
    let mut core = AccountCore::new(
        with_limit(per_hour(2)),
        Arc::new(FarmSettings::default()),
        TimeZone::UTC,
    );
    let keep = KeepLease {
        lease: lease(1, Purpose::Execute),
        begun: Some(at(0)),
        permit: Arc::clone(&permit),
    };

    core.on_keep(&keep, at(5));
    // What the attempt has done so far was stored meanwhile.
    load(&mut core, &[used(1)]);

    assert_eq!(core.snapshot(at(5)).current_task, Some(TaskId(1)));
    assert_eq!((permit.may_act(1), permit.may_act(2)), (Ok(()), Err(Refusal::Limit)));
    assert!(core.on_lease(&lease(2, Purpose::Execute), at(6)).0.is_err());
    core.on_release(release(1, LeaseUsage::Nothing));
    assert_eq!(core.snapshot(at(7)).current_task, None);
}
