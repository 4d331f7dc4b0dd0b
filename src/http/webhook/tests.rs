//! The API of webhooks, over webhooks of paper.

use serde_json::json;

use crate::http::testing::Api;

#[actix_web::test]
async fn a_webhook_is_created_with_a_secret_that_is_shown_once() {
    let api = Api::new();
    let body = json!({ "url": "https://example.com/hook", "events": ["task.failed", "device", "device"] });

    let created = api.post("/api/v1/webhook", body).await.data();

    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");
    assert_eq!(created["events"], json!(["task.failed", "device"]));
    assert_eq!(created["enabled"], true);
    let asked = api.webhooks.asked.lock().unwrap().clone();
    assert!(!asked.join(" ").contains(secret), "{asked:?}");
    assert_eq!(asked.last().map(String::as_str), Some("nudge"));
    for path in ["/api/v1/webhook", "/api/v1/webhook/1"] {
        let shown = api.get(path).await;
        assert!(!shown.json().to_string().contains("whsec_"), "{path}");
    }
}

#[actix_web::test]
async fn every_fault_of_a_webhook_is_named_and_nothing_is_created() {
    let api = Api::new();
    let body = json!({
        "url": "http://127.0.0.1:9/", "events": ["task.fialed", 5], "secret": "short", "enabled": "yes", "evnts": []
    });

    let reply = api.post("/api/v1/webhook", body).await;

    let mut faults = reply.faults();
    faults.sort();
    assert_eq!(faults, ["enabled", "events[0]", "events[1]", "evnts", "secret", "url"]);
    let text = reply.json().to_string();
    assert!(text.contains("task.failed") && text.contains("open internet"), "{text}");
    assert_eq!(api.post("/api/v1/webhook", json!({})).await.faults(), ["url"]);
    assert!(api.webhooks.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_may_not_empty_what_is_needed() {
    let api = Api::new();

    let patched = api
        .patch("/api/v1/webhook/1", json!({ "events": null, "enabled": false }))
        .await;
    assert_eq!(patched.code(), 0);
    let asked = api.webhooks.asked.lock().unwrap().clone();
    assert!(
        asked[0].contains("events: Some([])") && asked[0].contains("enabled: Some(false)"),
        "{asked:?}"
    );
    let refused = api
        .patch(
            "/api/v1/webhook/1",
            json!({ "url": null, "secret": null, "enabled": null }),
        )
        .await;
    assert_eq!(refused.faults(), ["url", "secret", "enabled"]);
    let local = api
        .patch("/api/v1/webhook/1", json!({ "url": "http://127.0.0.1/" }))
        .await;
    assert_eq!(local.faults(), ["url"]);
}

#[actix_web::test]
async fn messages_are_listed_tested_and_sent_again_when_they_are_dead() {
    let api = Api::new();
    let base = "/api/v1/webhook/1";

    let listed = api.get(&format!("{base}/deliveries?state=dead&limit=5")).await.data();
    assert_eq!(listed["items"][2]["state"], "dead");
    assert_eq!(listed["items"][2]["last_status"], 500);
    assert_eq!(listed["items"][2]["payload"]["type"], "task.failed");
    assert_eq!(
        api.get(&format!("{base}/deliveries?state=lost&page=0&limit=0&page_size=1001"))
            .await
            .faults(),
        ["state", "page", "limit", "page_size"]
    );
    assert_eq!(
        api.post(&format!("{base}/test"), json!({})).await.data()["state"],
        "waiting"
    );
    assert_eq!(
        api.post(&format!("{base}/test"), json!({ "x": 1 })).await.faults(),
        ["x"]
    );
    assert_eq!(
        api.post(&format!("{base}/deliveries/7/resend"), json!({})).await.code(),
        0
    );
    assert_eq!(
        api.post(&format!("{base}/deliveries/8/resend"), json!({})).await.code(),
        40901
    );
    for path in ["9/resend", "word/resend"] {
        let reply = api.post(&format!("{base}/deliveries/{path}"), json!({})).await;
        assert_eq!(reply.code(), 40401, "{path}");
    }
    *api.webhooks.off.lock().unwrap() = true;
    assert_eq!(api.post(&format!("{base}/test"), json!({})).await.code(), 40901);
}

#[actix_web::test]
async fn what_is_no_webhook_is_not_found() {
    let api = Api::new();
    for id in ["2", "0", "-1", "word", "99999999999999999999"] {
        let path = format!("/api/v1/webhook/{id}");
        assert_eq!(api.get(&path).await.code(), 40401, "{id}");
        assert_eq!(api.delete(&path).await.code(), 40401, "{id}");
        assert_eq!(api.patch(&path, json!({})).await.code(), 40401, "{id}");
        assert_eq!(api.get(&format!("{path}/deliveries")).await.code(), 40401, "{id}");
    }
    assert_eq!(api.delete("/api/v1/webhook/1").await.data()["deleted_count"], 1);
}
