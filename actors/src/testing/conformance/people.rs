//! Accounts, their uses, devices.

use super::{Checked, Subject, after, completed, lease, morning, script, serial, task, username};
use crate::{
    domain::{
        AccountChange, AccountPatch, AccountRecord, AccountStatus, AccountUse, Attention, Claim, DeviceInfo,
        DevicePatch, DeviceRecord, EventTopic, Held, Limits, NewEvent, Purpose, ScriptLimit,
    },
    ports::{Finish, Finished, StoreError, TaskNext},
};

fn account(name: &str) -> AccountRecord {
    AccountRecord {
        username: username(name),
        app: "tiktok".to_owned(),
        package: None,
        serial: None,
        status: AccountStatus::Active,
        status_reason: None,
        evidence: None,
        cooldown_until: None,
        status_revision: 0,
        limits: Limits::new(),
        last_used: None,
        created_at: morning(),
    }
}

pub(super) async fn accounts_are_kept(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("b")).await?;
    store.create_account(account("a")).await?;
    let taken = store.create_account(account("a")).await;
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");

    store.add_device(&serial("p1"), morning()).await?;
    let limits = Limits::from([(
        script("follow"),
        ScriptLimit {
            per_hour: Some(3),
            ..ScriptLimit::default()
        },
    )]);
    let patch = AccountPatch {
        serial: Some(Some(serial("p1"))),
        limits: Some(limits.clone()),
        ..AccountPatch::default()
    };
    let patched = store.patch_account(&username("a"), patch).await?;
    let expected = AccountRecord {
        serial: Some(serial("p1")),
        limits,
        ..account("a")
    };
    assert_eq!(patched.as_ref(), Some(&expected));
    assert_eq!(
        store.patch_account(&username("z"), AccountPatch::default()).await?,
        None
    );

    store.touch_account(&username("a"), after(7)).await?;
    let accounts = store.load_accounts().await?;
    let names: Vec<&str> = accounts.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let expected = AccountRecord {
        last_used: Some(after(7)),
        ..expected
    };
    assert_eq!(accounts.first(), Some(&expected));
    assert_eq!(store.find_account(&username("a")).await?, Some(expected));
    assert_eq!(store.find_account(&username("z")).await?, None);

    let enable = AccountPatch {
        status: Some(AccountStatus::Active),
        serial: Some(None),
        ..AccountPatch::default()
    };
    let Some(enabled) = store.patch_account(&username("a"), enable).await? else {
        unreachable!("the account exists");
    };
    assert_eq!(
        (enabled.status, enabled.status_reason, enabled.serial),
        (AccountStatus::Active, None, None)
    );
    assert!(store.delete_account(&username("a")).await?);
    assert!(!store.delete_account(&username("a")).await?);
    Ok(())
}

pub(super) async fn an_import_is_written_whole_or_not_at_all(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("a")).await?;
    let patch = AccountPatch {
        app: Some("instagram".to_owned()),
        ..AccountPatch::default()
    };
    let change = AccountChange::Patch(username("a"), patch);
    let taken = vec![
        AccountChange::Create(account("b")),
        change.clone(),
        AccountChange::Create(account("a")),
    ];
    let gone = vec![
        AccountChange::Create(account("b")),
        AccountChange::Patch(username("z"), AccountPatch::default()),
    ];

    for refused in [taken, gone] {
        let refused = store.import_accounts(refused).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        assert_eq!(store.load_accounts().await?, [account("a")]);
    }
    let written = store
        .import_accounts(vec![AccountChange::Create(account("b")), change])
        .await?;
    let changed = AccountRecord {
        app: "instagram".to_owned(),
        ..account("a")
    };
    assert_eq!(written, [account("b"), changed.clone()]);
    assert_eq!(store.load_accounts().await?, [changed, account("b")]);
    Ok(())
}

pub(super) async fn a_status_that_a_person_sets_is_told_by_its_own_kind(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("a")).await?;
    store.create_account(account("b")).await?;
    let status = |status| AccountPatch {
        status: Some(status),
        ..AccountPatch::default()
    };
    let rest = AccountPatch {
        cooldown_until: Some(after(90)),
        ..AccountPatch::default()
    };
    let longer = AccountPatch {
        cooldown_until: Some(after(900)),
        ..status(AccountStatus::Cooldown)
    };
    let unbound = AccountPatch {
        app: Some("instagram".to_owned()),
        ..AccountPatch::default()
    };
    let both = AccountPatch {
        app: Some("tiktok".to_owned()),
        ..status(AccountStatus::Disabled)
    };
    let kinds = async |patch: AccountPatch| {
        let before = (subject.events)().await.len();
        store.patch_account(&username("a"), patch).await?;
        let told = (subject.events)().await.split_off(before);
        assert!(told.iter().all(|event| event.subject == "a"), "{told:?}");
        Ok::<_, StoreError>(
            told.into_iter()
                .map(|event| (event.kind, event.data))
                .collect::<Vec<_>>(),
        )
    };
    let told = |status: &str, reason: &str| {
        let data = serde_json::json!({ "status": status, "reason": reason, "evidence": null });
        (format!("account.{status}"), data)
    };
    let changed = || ("account.changed".to_owned(), serde_json::json!({}));

    let disabled = || told("disabled", "disabled by a person");
    assert_eq!(kinds(status(AccountStatus::Disabled)).await?, [disabled()]);
    assert_eq!(
        kinds(status(AccountStatus::Active)).await?,
        [told("active", "activated by a person")]
    );
    let until = |end| format!("sent to rest by a person until {:.3}", after(end));
    assert_eq!(kinds(rest).await?, [told("cooldown", &until(90))]);
    assert_eq!(kinds(longer.clone()).await?, [told("cooldown", &until(900))]);
    assert_eq!(kinds(longer).await?, [changed()], "it rests until then already");
    assert_eq!(kinds(unbound).await?, [changed()]);
    assert_eq!(kinds(both).await?, [changed(), disabled()]);

    let before = (subject.events)().await.len();
    let refused = AccountChange::Patch(username("z"), AccountPatch::default());
    let change = AccountChange::Patch(username("b"), status(AccountStatus::Disabled));
    assert!(store.import_accounts(vec![change.clone(), refused]).await.is_err());
    store.import_accounts(vec![change]).await?;
    let told = (subject.events)().await.split_off(before);
    let told: Vec<_> = told
        .iter()
        .map(|event| (event.kind.as_str(), event.subject.as_str()))
        .collect();
    assert_eq!(told, [("account.disabled", "b")]);
    Ok(())
}

pub(super) async fn a_rest_that_is_over_ends_unless_a_person_has_changed_it(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("a")).await?;
    let rest = |end| AccountPatch {
        cooldown_until: Some(after(end)),
        ..AccountPatch::default()
    };
    let stored = async || Ok::<_, StoreError>(store.load_accounts().await?.pop());
    let over = NewEvent {
        topic: EventTopic::Account,
        kind: "account.active".to_owned(),
        subject: "a".to_owned(),
        data: serde_json::json!({}),
    };
    let name = username("a");
    let end = |until| store.end_rest(&name, Some(after(until)), over.clone());
    store.patch_account(&username("a"), rest(60)).await?;
    store.patch_account(&username("a"), rest(90)).await?;
    let before = (subject.events)().await.len();

    end(60).await?;
    let resting = stored().await?;
    assert_eq!(
        resting.map(|account| (account.status, account.cooldown_until)),
        Some((AccountStatus::Cooldown, Some(after(90)))),
        "a person wants it to rest for longer"
    );
    end(90).await?;
    end(90).await?;

    let rested = AccountRecord {
        status_revision: 3,
        ..account("a")
    };
    assert_eq!(stored().await?, Some(rested));
    let told = (subject.events)().await.split_off(before);
    assert_eq!(told, std::slice::from_ref(&over), "once");
    let disable = AccountPatch {
        status: Some(AccountStatus::Disabled),
        ..AccountPatch::default()
    };
    store.patch_account(&username("a"), disable).await?;
    end(90).await?;
    let disabled = stored().await?;
    assert_eq!(disabled.map(|account| account.status), Some(AccountStatus::Disabled));
    Ok(())
}

pub(super) async fn uses_are_counted_from_confirmed_ends(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("a")).await?;
    let lease = lease(subject.epoch().await?, "t");
    for (device, seconds) in [("p1", 50), ("p2", 40)] {
        let (task, attempt) = subject.running(device, &lease).await?;
        let used = AccountUse {
            username: username("a"),
            script: script("follow"),
            at: after(seconds),
        };
        let finish = Finish {
            task,
            attempt,
            lease: lease.clone(),
            outcome: "completed",
            next: completed(),
            used: Some(used),
            attention: None,
            at: after(seconds),
        };
        assert!(
            store
                .finish(vec![finish.clone()])
                .await?
                .iter()
                .all(|finished| finished.written)
        );
        let again = store.finish(vec![finish]).await?;
        assert_eq!(again, [Finished::default()], "what changes nothing counts nothing");
    }

    let uses = store.account_uses(after(0)).await?;

    let times: Vec<_> = uses.iter().map(|used| used.at).collect();
    assert_eq!(times, [after(40), after(50)]);
    assert_eq!(store.account_uses(after(41)).await?.len(), 1);
    Ok(())
}

/// Whatever a person has said of the account before: only one that is disabled stays so.
pub(super) async fn that_the_app_asks_for_a_person_is_stored_with_the_end_of_the_attempt(subject: Subject) -> Checked {
    let store = &subject.store;
    let lease = lease(subject.epoch().await?, "t");
    let disable = AccountPatch {
        status: Some(AccountStatus::Disabled),
        ..AccountPatch::default()
    };
    for (name, patch, wanted) in [
        (
            "a",
            AccountPatch::default(),
            (AccountStatus::NeedsAttention, 1, Some(1)),
        ),
        ("b", disable, (AccountStatus::Disabled, 1, None)),
    ] {
        store.create_account(account(name)).await?;
        store.patch_account(&username(name), patch).await?;
        let (task, attempt) = subject.running(name, &lease).await?;
        let attention = Attention {
            message: "a code".to_owned(),
            screenshot: Some("shot.png".to_owned()),
        };
        let finish = Finish {
            task,
            attempt,
            lease: lease.clone(),
            outcome: "needs_attention",
            next: TaskNext::Again {
                due_at: after(1),
                purpose: Purpose::Execute,
                remark: String::new(),
                counts: false,
            },
            used: None,
            attention: Some((username(name), attention)),
            at: after(1),
        };
        let finished = store.finish(vec![finish]).await?;
        let stored = store.find_account(&username(name)).await?;
        let stored = stored.map(|account| {
            (
                account.status,
                account.status_revision,
                finished.first().and_then(|finished| finished.asked),
            )
        });
        assert_eq!(stored, Some(wanted), "{name}");
    }

    let event = account("a").status_event("resumed by a person");
    let resumed = store.resume_account(&username("a"), event.clone()).await?;
    let resumed = resumed.map(|account| (account.status, account.status_reason, account.status_revision));
    assert_eq!(resumed, Some((AccountStatus::Active, None, 2)));
    let disabled = store.resume_account(&username("b"), event.clone()).await?;
    assert_eq!(disabled.map(|account| account.status), Some(AccountStatus::Disabled));
    assert_eq!(store.resume_account(&username("z"), event).await?, None);
    Ok(())
}

/// Its actor may have been rebuilt, and know nothing of the attempt.
pub(super) async fn an_account_that_an_attempt_has_is_not_deleted(subject: Subject) -> Checked {
    let store = &subject.store;
    store.create_account(account("a")).await?;
    let lease = lease(subject.epoch().await?, "t");
    let id = subject.create_one(task("p1", Some("a"))).await?;
    let claim = Claim {
        task: id,
        serial: serial("p1"),
        username: Some(username("a")),
        lease: lease.clone(),
        at: after(1),
    };
    let claimed = store.claim(vec![claim]).await?;
    let refused = store.delete_account(&username("a")).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    if let Some(Some(claimed)) = claimed.into_iter().next() {
        subject.end(id, claimed.attempt, &lease, completed()).await?;
    }
    assert!(store.delete_account(&username("a")).await?);
    Ok(())
}

pub(super) async fn devices_are_kept(subject: Subject) -> Checked {
    let store = &subject.store;
    store.add_device(&serial("p2"), morning()).await?;
    store.add_device(&serial("p1"), morning()).await?;
    let info = DeviceInfo {
        model: Some("Pixel".to_owned()),
        battery_level: Some(80),
        ..DeviceInfo::default()
    };
    store.note_device(&serial("p1"), info.clone(), after(5)).await?;
    let patch = DevicePatch {
        alias: Some(Some("desk".to_owned())),
        tags: Some(vec!["a".to_owned()]),
        app: Some(Some("instagram".to_owned())),
        enabled: Some(false),
    };
    store.patch_device(&serial("p1"), patch).await?;
    store.add_device(&serial("p1"), after(9)).await?;

    let devices = store.load_devices().await?;

    let [first, second] = &devices[..] else {
        unreachable!("two devices: {devices:?}");
    };
    assert_eq!((&first.serial, &second.serial), (&serial("p1"), &serial("p2")));
    assert_eq!(
        (&first.info, first.last_seen, first.created_at),
        (&info, Some(after(5)), morning())
    );
    assert_eq!(
        (first.alias.as_deref(), first.enabled, &first.tags[..]),
        (Some("desk"), false, &["a".to_owned()][..])
    );
    assert!(second.enabled && second.alias.is_none());
    store
        .patch_device(
            &serial("p1"),
            DevicePatch {
                alias: Some(None),
                ..DevicePatch::default()
            },
        )
        .await?;
    let held = Held {
        reason: "cracked screen".to_owned(),
        since: after(7),
    };
    store.hold_device(&serial("p2"), Some(held.clone())).await?;
    let kept = |devices: Vec<DeviceRecord>| devices.into_iter().map(|device| device.held).collect::<Vec<_>>();
    assert_eq!(kept(store.load_devices().await?), [None, Some(held)]);
    store.hold_device(&serial("p2"), None).await?;
    assert_eq!(kept(store.load_devices().await?), [None, None]);
    assert!(store.hold_device(&serial("p9"), None).await.is_err());
    let unnamed = store.load_devices().await?;
    assert_eq!(
        unnamed.first().map(|device| (device.alias.clone(), device.enabled)),
        Some((None, false))
    );
    Ok(())
}
