//! Webhooks and their messages: each event becomes a message once, whatever the outbox forgets.

use farmhand_actors::{
    domain::{
        DeliveryState, EventTopic, NewEvent, NewWebhook, SendResult, Timestamp, Webhook, WebhookId, WebhookPatch,
    },
    ports::{EventStore, ResendResult, WebhookStore},
};
use serde_json::json;

use super::*;
use crate::store::Retention;

async fn hook(store: &Store, events: &[&str]) -> Webhook {
    let new = NewWebhook {
        url: "https://example.com/".to_owned(),
        events: events.iter().map(|word| (*word).to_owned()).collect(),
        secret: "whsec_".to_owned(),
        enabled: true,
        description: String::new(),
        created_at: Timestamp::now(),
    };
    store.create_webhook(new).await.unwrap()
}

/// Tells events of this kind and waits until they are in the outbox.
async fn tell(store: &Store, kind: &str, times: usize) {
    let mut newest = store.event_watch();
    let wanted = *newest.borrow() + i64::try_from(times).unwrap();
    let event = NewEvent {
        topic: EventTopic::Device,
        kind: kind.to_owned(),
        subject: "p1".to_owned(),
        data: json!({ "n": 1 }),
    };
    store.tell(vec![event; times]);
    newest.wait_for(|seq| *seq >= wanted).await.unwrap();
}

async fn fan_out_all(store: &Store) {
    while store.fan_out(Timestamp::now()).await.unwrap() {}
}

fn sent(delivery: &farmhand_actors::domain::Delivery, error: Option<&str>, again: bool) -> SendResult {
    SendResult {
        delivery: delivery.id,
        webhook: delivery.webhook,
        url: "https://example.com/".to_owned(),
        status: error.is_some().then_some(500),
        error: error.map(str::to_owned),
        again_at: again.then(|| Timestamp::now() + std::time::Duration::from_secs(60)),
        gone: None,
        at: Timestamp::now(),
    }
}

#[tokio::test]
async fn each_event_becomes_one_message_of_each_webhook_that_is_told_of_it() {
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    tell(&store, "device.changed", 3).await;
    let (all, some, none) = (
        hook(&store, &[]).await.id,
        hook(&store, &["device"]).await.id,
        hook(&store, &["task.failed"]).await.id,
    );
    tell(&store, "device.changed", 1_203).await;

    fan_out_all(&store).await;
    fan_out_all(&store).await;

    for (id, wanted) in [(all, 1_203), (some, 1_203), (none, 0)] {
        let found = store.list_deliveries(id, None, 10_000, 0).await.unwrap();
        let mut ids: Vec<_> = found.iter().map(|delivery| &delivery.message_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((found.len(), ids.len()), (wanted, wanted), "{id}");
    }
    let first = store
        .due_deliveries(all, Vec::new(), 1, Timestamp::now())
        .await
        .unwrap();
    let body: serde_json::Value = serde_json::from_str(&first[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]),
        (&json!("device.changed"), &json!({ "n": 1 }))
    );
    assert_eq!((&body["seq"], &body["subject"]), (&json!(4), &json!("p1")));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
}

#[tokio::test]
async fn a_message_waits_again_is_given_up_and_is_sent_again_by_hand() {
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    let id = hook(&store, &[]).await.id;
    tell(&store, "device.changed", 2).await;
    fan_out_all(&store).await;
    let now = Timestamp::now();
    let due = store.due_deliveries(id, Vec::new(), 10, now).await.unwrap();
    let (first, second) = (&due[0], &due[1]);

    store
        .note_sent(vec![sent(first, Some("answered 500"), true), sent(second, None, false)])
        .await
        .unwrap();
    assert!(store.due_deliveries(id, Vec::new(), 10, now).await.unwrap().is_empty());
    let next = store.next_delivery().await.unwrap().unwrap();
    assert!(next > now);
    let later = store.due_deliveries(id, Vec::new(), 10, next).await.unwrap();
    assert_eq!(
        (later[0].id, later[0].attempts, later[0].last_status),
        (first.id, 1, Some(500))
    );
    assert!(
        store
            .due_deliveries(id, vec![first.id], 10, next)
            .await
            .unwrap()
            .is_empty()
    );

    store
        .note_sent(vec![sent(first, Some("answered 500"), false)])
        .await
        .unwrap();
    let dead = store
        .list_deliveries(id, Some(DeliveryState::Dead), 10, 0)
        .await
        .unwrap();
    assert_eq!((dead.len(), dead[0].attempts), (1, 2));
    assert_eq!(store.find_webhook(id).await.unwrap().unwrap().dead, 1);
    let resent = store.resend(id, first.id, Timestamp::now()).await.unwrap();
    assert!(matches!(resent, ResendResult::Waiting(delivery) if delivery.attempts == 0));
    let again = store.resend(id, second.id, Timestamp::now()).await.unwrap();
    assert_eq!(again, ResendResult::WrongState(DeliveryState::Delivered));
    let foreign = store.resend(WebhookId(99), first.id, Timestamp::now()).await.unwrap();
    assert_eq!(foreign, ResendResult::NotFound);
}

#[tokio::test]
async fn a_webhook_that_is_switched_off_passes_events_over_and_one_that_is_gone_says_why() {
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    let id = hook(&store, &[]).await.id;
    let enabled = |enabled| WebhookPatch {
        enabled: Some(enabled),
        ..WebhookPatch::default()
    };
    store.patch_webhook(id, enabled(false)).await.unwrap();
    tell(&store, "device.changed", 2).await;
    fan_out_all(&store).await;
    store.patch_webhook(id, enabled(true)).await.unwrap();
    tell(&store, "device.changed", 1).await;
    fan_out_all(&store).await;
    let found = store.list_deliveries(id, None, 10, 0).await.unwrap();
    assert_eq!(found.len(), 1);

    let gone = SendResult {
        gone: Some("its target answered 410 Gone".to_owned()),
        ..sent(&found[0], Some("answered 410"), false)
    };
    store.note_sent(vec![gone]).await.unwrap();
    let off = store.find_webhook(id).await.unwrap().unwrap();
    assert_eq!(
        (off.new.enabled, off.remark.as_deref()),
        (false, Some("its target answered 410 Gone"))
    );
    let on = store.patch_webhook(id, enabled(true)).await.unwrap().unwrap();
    assert_eq!((on.new.enabled, on.remark), (true, None));
    assert!(store.delete_webhook(id).await.unwrap());
    assert!(store.list_deliveries(id, None, 10, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_target_that_is_gone_speaks_for_its_own_url_only() {
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    let before = hook(&store, &[]).await;
    let id = before.id;
    tell(&store, "device.changed", 2).await;
    fan_out_all(&store).await;
    let found = store.list_deliveries(id, None, 10, 0).await.unwrap();
    let gone = |delivery, url: &str| SendResult {
        url: url.to_owned(),
        gone: Some("its target answered 410 Gone".to_owned()),
        ..sent(delivery, Some("answered 410"), true)
    };
    let moved = WebhookPatch {
        url: Some("https://example.com/new".to_owned()),
        ..WebhookPatch::default()
    };

    store.patch_webhook(id, moved).await.unwrap();
    store.note_sent(vec![gone(&found[0], &before.new.url)]).await.unwrap();
    let after = store.find_webhook(id).await.unwrap().unwrap();
    assert_eq!(
        (after.new.enabled, after.remark, after.waiting, after.dead),
        (true, None, 2, 0)
    );

    store
        .note_sent(vec![gone(&found[1], "https://example.com/new")])
        .await
        .unwrap();
    let after = store.find_webhook(id).await.unwrap().unwrap();
    assert_eq!((after.new.enabled, after.waiting, after.dead), (false, 1, 1));
}

#[tokio::test]
async fn the_outbox_keeps_for_a_day_what_webhooks_have_not_been_told_of() {
    const HOUR: std::time::Duration = std::time::Duration::from_secs(60 * 60);
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        retention: Retention {
            events: HOUR,
            ..Retention::default()
        },
        ..settings(&folder.path().join("farm.db"))
    };
    let store = Store::open(settings).await.unwrap();
    let id = hook(&store, &[]).await.id;
    tell(&store, "device.changed", 5).await;
    let now = Timestamp::now();

    store.prune(now + 5 * HOUR).await.unwrap();
    assert_eq!(
        store.events_after(0, 100).await.unwrap().events.len(),
        5,
        "not told yet"
    );
    fan_out_all(&store).await;
    store.prune(now + 5 * HOUR).await.unwrap();
    assert_eq!(store.events_after(0, 100).await.unwrap().events.len(), 0, "told");
    assert_eq!(store.list_deliveries(id, None, 100, 0).await.unwrap().len(), 5);
    let mut pages = Vec::new();
    for offset in [0, 2, 4, 6] {
        pages.push(store.list_deliveries(id, None, 2, offset).await.unwrap());
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1, 0]);
    let ids: Vec<_> = pages.concat().iter().map(|message| message.id).collect();
    assert!(ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    tell(&store, "device.changed", 5).await;
    store.prune(now + 25 * HOUR).await.unwrap();
    assert_eq!(
        store.events_after(0, 100).await.unwrap().events.len(),
        0,
        "older than a day"
    );
    fan_out_all(&store).await;
    assert_eq!(store.list_deliveries(id, None, 100, 0).await.unwrap().len(), 5);
}

#[tokio::test]
async fn messages_that_are_over_are_forgotten_dead_ones_a_week_later() {
    const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    let id = hook(&store, &[]).await.id;
    tell(&store, "device.changed", 3).await;
    fan_out_all(&store).await;
    let due = store
        .due_deliveries(id, Vec::new(), 10, Timestamp::now())
        .await
        .unwrap();
    store
        .note_sent(vec![sent(&due[0], None, false), sent(&due[1], Some("away"), false)])
        .await
        .unwrap();

    let now = Timestamp::now();
    for (days, left) in [(0, 3), (2, 2), (9, 1)] {
        store.prune(now + days * DAY).await.unwrap();
        assert_eq!(
            store.list_deliveries(id, None, 10, 0).await.unwrap().len(),
            left,
            "{days}"
        );
    }
}

#[tokio::test]
async fn what_waits_for_longer_than_it_may_is_due_and_the_rest_keeps_its_time() {
    let farm = Farm::new().await;
    let store = Arc::clone(&farm.store);
    let id = hook(&store, &[]).await.id;
    tell(&store, "device.changed", 3).await;
    fan_out_all(&store).await;
    let now = Timestamp::now();
    let due = store.due_deliveries(id, Vec::new(), 10, now).await.unwrap();
    let minute = std::time::Duration::from_secs(60);
    let again = |place: usize, minutes: u32| SendResult {
        again_at: Some(now + minute * minutes),
        ..sent(&due[place], Some("answered 500"), true)
    };
    store
        .note_sent(vec![again(0, 1), again(1, 9), sent(&due[2], None, false)])
        .await
        .unwrap();

    store.recall_deliveries(now + minute * 5, now).await.unwrap();

    let found = store.due_deliveries(id, Vec::new(), 10, now).await.unwrap();
    assert_eq!((found.len(), found[0].id, found[0].attempts), (1, due[1].id, 1));
    let later = store.due_deliveries(id, Vec::new(), 10, now + minute).await.unwrap();
    assert_eq!(later.len(), 2, "what was taken is over");
}
