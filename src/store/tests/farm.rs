//! Devices, accounts, materials, keys and the outbox.

use std::collections::BTreeMap;

use farmhand_actors::{
    domain::{
        AccountPatch, AccountRecord, AccountStatus, DeviceInfo, DevicePatch, EffectState, EventTopic, MaterialId,
        MediaKind, NewEvent, Package, ScriptLimit,
    },
    ports::{AccountStore, AttemptJournal, DeviceStore, EventStore, MaterialStore, NewMaterial, StoreError, TaskStore},
};

use serde_json::json;

use super::{
    effects::{finding, intent},
    *,
};
use crate::store::NewKey;

fn account(name: &str) -> AccountRecord {
    let limit = ScriptLimit {
        per_hour: Some(3),
        per_day: None,
        min_gap_s: Some(60),
    };
    AccountRecord {
        username: username_of(name),
        app: "tiktok".to_owned(),
        package: Some(Package::parse("com.example.app").expect("a package")),
        serial: Some(serial_of("a")),
        status: AccountStatus::Active,
        status_reason: None,
        evidence: None,
        cooldown_until: None,
        status_revision: 0,
        limits: BTreeMap::from([(script_of("post"), limit)]),
        last_used: None,
        created_at: at(0),
    }
}

#[tokio::test]
async fn a_phone_has_accounts_of_the_apps_of_those_that_are_bound_to_it() {
    let farm = Farm::new().await;
    let has = async |serial: &str, app: &str| farm.store.has_account(&serial_of(serial), app).await.expect("reads");
    assert!(!has("a", "tiktok").await);
    farm.store.create_account(account("anna")).await.expect("creates");
    assert_eq!(
        (
            has("a", "TikTok").await,
            has("a", "instagram").await,
            has("b", "tiktok").await
        ),
        (true, false, false)
    );
}

#[tokio::test]
async fn an_account_is_created_once_changed_and_deleted() {
    let farm = Farm::new().await;
    let (anna, bert) = (account("anna"), account("bert"));
    for account in [&bert, &anna] {
        farm.store.create_account(account.clone()).await.expect("creates");
    }
    let twice = farm.store.create_account(anna.clone()).await;
    assert!(
        matches!(&twice, Err(StoreError::Conflict(text)) if text.contains("anna")),
        "{twice:?}"
    );
    assert_eq!(farm.store.load_accounts().await.expect("reads"), [anna.clone(), bert]);

    let name = &anna.username;
    let rest = AccountPatch {
        cooldown_until: Some(at(9)),
        ..AccountPatch::default()
    };
    farm.store.patch_account(name, rest).await.expect("writes");
    farm.store.touch_account(name, at(5)).await.expect("writes");
    let patch = AccountPatch {
        serial: Some(None),
        package: Some(None),
        ..AccountPatch::default()
    };
    let patched = farm
        .store
        .patch_account(name, patch)
        .await
        .expect("writes")
        .expect("is there");

    let wanted = AccountRecord {
        serial: None,
        package: None,
        status: AccountStatus::Cooldown,
        cooldown_until: Some(at(9)),
        status_revision: 1,
        last_used: Some(at(5)),
        ..anna.clone()
    };
    assert_eq!(patched, wanted);
    assert_eq!(farm.store.load_accounts().await.expect("reads")[0], wanted);
    let resume = AccountPatch {
        status: Some(AccountStatus::Active),
        ..AccountPatch::default()
    };
    let resumed = farm
        .store
        .patch_account(name, resume)
        .await
        .expect("writes")
        .expect("is there");
    assert_eq!(
        (resumed.status, resumed.status_reason, resumed.cooldown_until),
        (AccountStatus::Active, None, None)
    );

    assert!(farm.store.delete_account(name).await.expect("deletes"));
    assert!(!farm.store.delete_account(name).await.expect("answers"));
    assert_eq!(
        farm.store
            .patch_account(name, AccountPatch::default())
            .await
            .expect("answers"),
        None
    );
    assert!(farm.store.touch_account(name, at(6)).await.is_err());
}

#[tokio::test]
async fn a_device_keeps_what_people_said_of_it_when_it_comes_again() {
    let farm = Farm::new().await;
    let serial = serial_of("a");
    farm.store.add_device(&serial, at(1)).await.expect("writes");
    let patch = DevicePatch {
        alias: Some(Some("left".to_owned())),
        tags: Some(vec!["rack 1".to_owned()]),
        enabled: Some(false),
        ..DevicePatch::default()
    };
    farm.store.patch_device(&serial, patch).await.expect("writes");
    let info = DeviceInfo {
        model: Some("Pixel".to_owned()),
        battery_level: Some(80),
        ..DeviceInfo::default()
    };
    farm.store
        .note_device(&serial, info.clone(), at(2))
        .await
        .expect("writes");
    farm.store.add_device(&serial, at(3)).await.expect("writes");

    let device = farm.store.load_devices().await.expect("reads").remove(0);
    assert_eq!(
        (device.alias.as_deref(), device.enabled, device.created_at),
        (Some("left"), false, at(1))
    );
    assert_eq!(
        (device.tags, device.info, device.last_seen),
        (vec!["rack 1".to_owned()], info, Some(at(2)))
    );

    let patch = DevicePatch {
        alias: Some(None),
        ..DevicePatch::default()
    };
    farm.store.patch_device(&serial, patch).await.expect("writes");
    let device = farm.store.load_devices().await.expect("reads").remove(0);
    assert_eq!((device.alias, device.enabled, device.tags.len()), (None, false, 1));
    let unknown = farm.store.patch_device(&serial_of("zzz"), DevicePatch::default()).await;
    assert!(matches!(unknown, Err(StoreError::Conflict(_))));
}

fn material(name: &str, sha256: &str, sort_order: i64) -> NewMaterial {
    NewMaterial {
        name: name.to_owned(),
        file: format!("{sha256}.mp4"),
        kind: MediaKind::Video,
        sha256: sha256.to_owned(),
        bytes: 5_000_000_000,
        tags: vec!["summer".to_owned()],
        username: Some(username_of("anna")),
        caption: Some("hi".to_owned()),
        sort_order,
        created_at: at(0),
    }
}

/// Confirms a post of these contents.
async fn use_up(farm: &Farm, username: &str, contents: &[&str]) {
    let id = farm.submit_one(task_for("a", Some(username))).await;
    let claimed = farm.claim(id, "a", Some(username)).await;
    let mut intent = intent(farm, &claimed, 0);
    let files: Vec<_> = contents.iter().map(|sha256| json!({"sha256": sha256})).collect();
    intent.content = json!({"media": files});
    farm.store.intend(intent.clone()).await.expect("answers");
    farm.store
        .settle(finding(&intent, EffectState::Confirmed))
        .await
        .expect("settles");
    assert!(farm.finish(&claimed, completed()).await);
}

#[tokio::test]
async fn materials_remember_who_used_their_content() {
    let farm = Farm::new().await;
    let second = farm
        .store
        .create_material(material("b", "bb", 2))
        .await
        .expect("creates");
    let first = farm
        .store
        .create_material(material("a", "aa", 1))
        .await
        .expect("creates");
    assert_eq!(
        (second.id, first.id, first.bytes),
        (MaterialId(1), MaterialId(2), 5_000_000_000)
    );
    let (anna, bert) = (username_of("anna"), username_of("bert"));
    let contents = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    use_up(&farm, "anna", &["aa", "elsewhere"]).await;
    use_up(&farm, "bert", &["aa"]).await;
    use_up(&farm, "bert", &["aa"]).await;

    let all = farm.store.load_materials().await.expect("reads");

    assert_eq!(
        all.iter().map(|material| material.id).collect::<Vec<_>>(),
        [first.id, second.id]
    );
    assert_eq!(
        (&all[0].used_by, &all[1].used_by),
        (&vec![anna.clone(), bert.clone()], &vec![])
    );
    let asked = contents(&["elsewhere", "bb", "aa"]);
    assert_eq!(
        farm.store.used_media(&anna, &asked).await.expect("reads"),
        contents(&["elsewhere", "aa"])
    );
    let deleted = farm
        .store
        .delete_material(first.id)
        .await
        .expect("deletes")
        .expect("was there");
    assert_eq!((deleted.file.as_str(), deleted.used_by.len()), ("aa.mp4", 2));
    assert_eq!(farm.store.delete_material(first.id).await.expect("answers"), None);
    assert_eq!(
        farm.store
            .create_material(material("c", "cc", 1))
            .await
            .expect("creates")
            .id,
        MaterialId(3)
    );
}

#[tokio::test]
async fn keys_are_found_by_their_prefix_and_revoked() {
    let farm = Farm::new().await;
    let key = NewKey {
        prefix: "abc".to_owned(),
        hash: "hash".to_owned(),
        name: "ci".to_owned(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        created_at: at(0),
        expires_at: Some(at(99)),
    };
    let created = farm.store.create_key(key.clone()).await.expect("creates");
    assert!(matches!(
        farm.store.create_key(key.clone()).await,
        Err(StoreError::Conflict(_))
    ));

    farm.store.touch_key(created.id, at(5)).await.expect("writes");
    assert!(farm.store.revoke_key("abc", at(6)).await.expect("revokes"));
    assert!(!farm.store.revoke_key("abc", at(7)).await.expect("answers"));

    let found = farm.store.find_key("abc").await.expect("reads").expect("is there");
    assert_eq!(
        (&found.key, found.last_used_at, found.revoked_at),
        (&key, Some(at(5)), Some(at(6)))
    );
    assert_eq!(farm.store.list_keys().await.expect("reads"), [found]);
    assert_eq!(farm.store.find_key("ab").await.expect("reads"), None);
}

fn event(number: usize) -> NewEvent {
    NewEvent {
        topic: EventTopic::Device,
        kind: "device.online".to_owned(),
        subject: format!("phone-{number}"),
        data: json!({"number": number}),
    }
}

#[tokio::test]
async fn what_is_told_is_in_the_outbox_in_order_and_wakes_the_readers() {
    let farm = Farm::new().await;
    let mut watch = farm.store.event_watch();
    watch.mark_unchanged();

    farm.store.tell((0..3).map(event).collect());
    farm.store.tell(vec![event(3)]);

    let bounded = tokio::time::timeout(Duration::from_secs(10), watch.wait_for(|seq| *seq == 4));
    bounded.await.expect("in time").expect("the writer lives");
    let page = farm.store.events_after(0, 10).await.expect("reads");
    let told = page.events.into_iter().map(|event| event.event).collect::<Vec<_>>();
    assert_eq!(told, (0..4).map(event).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_beyond_the_retention_are_forgotten_and_the_rest_says_where_it_begins() {
    let farm = Farm::new().await;
    farm.store.close().await;
    let mut settings = settings(&farm.path());
    settings.retention.events_max = 10;
    let store = Store::open(settings).await.expect("opens");
    store
        .submit(vec![task_for("a", None); 2000], None, Vec::new(), at(0))
        .await
        .expect("submits");

    store.prune(Timestamp::now()).await.expect("prunes");

    let page = store.events_after(0, 100).await.expect("reads");
    assert_eq!((page.events.len(), page.oldest_retained), (10, 1991));
    assert_eq!(store.stats().await.expect("counts").total, 2000);
    // Everything is old some day.
    store
        .prune(Timestamp::now() + Duration::from_secs(8 * 24 * 3600))
        .await
        .expect("prunes");
    assert_eq!(store.events_after(0, 100).await.expect("reads").oldest_retained, 2001);
}

/// Whatever belongs to a task goes with it, after the days that the settings say; without any, nothing goes.
#[tokio::test]
async fn finished_tasks_are_kept_for_as_long_as_the_settings_say_with_all_that_belongs_to_them() {
    let day = 24 * 60 * 60;
    for (days, left) in [(Some(2), 1_u64), (Some(4), 2), (None, 2)] {
        let mut farm = Farm::new().await;
        let done = farm.submit_one(task_for("a", Some("anna"))).await;
        let claimed = farm.claim(done, "a", Some("anna")).await;
        let intent = intent(&farm, &claimed, 0);
        farm.store.intend(intent).await.expect("answers");
        farm.finish(&claimed, completed()).await;
        farm.submit_one(task_for("a", None)).await;
        farm.store.close().await;
        let mut settings = settings(&farm.path());
        settings.retention.finished_tasks = days.map(|days| Duration::from_secs(days * 24 * 60 * 60));
        farm.store = Store::open(settings).await.expect("opens");

        farm.store.prune(at(3 * day)).await.expect("prunes");

        assert_eq!(farm.store.stats().await.expect("counts").total, left, "{days:?}");
        let kept = left == 2;
        assert_eq!(
            farm.store.get_task(done).await.expect("reads").is_some(),
            kept,
            "{days:?}"
        );
        assert_eq!(
            farm.store.list_attempts(done).await.expect("reads").len(),
            usize::from(kept)
        );
        assert_eq!(farm.store.effects(done).await.expect("reads").len(), usize::from(kept));
    }
}

#[tokio::test]
async fn old_finished_tasks_are_forgotten_and_open_ones_never() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", None); 1200]).await;
    for id in &ids[..3] {
        farm.fail(*id, "a", farmhand_actors::domain::FailureReason::Timeout)
            .await;
    }
    farm.claim(ids[3], "b", None).await;
    let stops = ids[10..1110].iter().map(|id| farm.store.intend_stop(*id, at(5)));
    futures_util::future::join_all(stops).await;
    let day = 24 * 60 * 60;

    farm.store.prune(at(89 * day)).await.expect("prunes");
    assert_eq!(farm.store.stats().await.expect("counts").total, 1200);
    farm.store.prune(at(91 * day)).await.expect("prunes");

    let stats = farm.store.stats().await.expect("counts");
    assert_eq!(
        (stats.total, stats.pending, stats.running, stats.failed),
        (97, 96, 1, 0)
    );
    assert_eq!(farm.store.list_attempts(ids[0]).await.expect("reads"), []);
}
