//! Accounts, their uses, devices.

use super::{Checked, Subject, after, completed, lease, morning, script, serial, username};
use crate::{
    domain::{
        AccountChange, AccountPatch, AccountRecord, AccountStatus, AccountUse, DeviceInfo, DevicePatch, DeviceRecord,
        EventTopic, Held, Limits, NewEvent, ScriptLimit,
    },
    ports::{Finish, Finished, StoreError},
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

    let (reason, evidence) = (Some("a code".to_owned()), Some("shot.png".to_owned()));
    let status = AccountStatus::NeedsAttention;
    let event = NewEvent {
        topic: EventTopic::Account,
        kind: "account.needs_attention".to_owned(),
        subject: "a".to_owned(),
        data: serde_json::Value::Null,
    };
    store
        .set_account_status(&username("a"), status, reason, evidence, Some(after(9)), event)
        .await?;
    store.touch_account(&username("a"), after(7)).await?;
    let accounts = store.load_accounts().await?;
    let names: Vec<&str> = accounts.iter().map(|account| account.username.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let stored = accounts.first().cloned();
    let expected = AccountRecord {
        status,
        status_reason: Some("a code".to_owned()),
        evidence: Some("shot.png".to_owned()),
        cooldown_until: Some(after(9)),
        last_used: Some(after(7)),
        ..expected
    };
    assert_eq!(stored, Some(expected));

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
