use actix_web::{http::header, test::TestRequest};
use farmhand_actors::domain::{AccountPatch, AccountStatus, ScriptLimit, Timestamp};
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::http::testing::{Api, Reply, script, serial};

#[actix_web::test]
async fn accounts_are_shown() {
    let api = Api::new();

    let list = api.get("/api/v1/account").await.data();
    assert_eq!(
        (&list["total"], &list["items"][1]["username"]),
        (&json!(2), &json!("user2"))
    );
    let account = api.get("/api/v1/account/@USER1").await.data();
    assert_eq!(account["package"], "com.zhiliaoapp.musically");
    assert_eq!(
        account["limits"],
        json!({"post": {"per_hour": 5, "per_day": null, "min_gap_s": null}})
    );
    assert_eq!(account["counters"], json!({"post": {"last_hour": 1, "today": 2}}));
    for name in ["nobody", "a%20b"] {
        assert_eq!(
            api.get(&format!("/api/v1/account/{name}")).await.code(),
            40401,
            "{name}"
        );
    }
}

#[actix_web::test]
async fn an_account_is_created_once() {
    let api = Api::new();
    let limits = json!({"post": {"per_hour": 3, "per_day": 0, "min_gap_s": null}});
    let body = json!({
        "username": "@Anna", "app": "instagram", "package": "com.x", "serial": "device_serial_1",
        "status": "disabled", "limits": limits,
    });

    assert_eq!(api.post("/api/v1/account", body).await.data()["username"], "anna");
    assert_eq!(api.post("/api/v1/account", json!({"username": "bob"})).await.code(), 0);
    assert_eq!(
        api.post("/api/v1/account", json!({"username": "user1"})).await.code(),
        40901
    );

    let created = api.farm.created.lock().unwrap();
    let limit = ScriptLimit {
        per_hour: Some(3),
        per_day: None,
        min_gap_s: None,
    };
    assert_eq!((created[0].app.as_str(), created[0].disabled), ("instagram", true));
    assert_eq!(
        (created[0].limits.get(&script("post")), created[1].app.as_str()),
        (Some(&limit), "tiktok")
    );
}

#[actix_web::test]
async fn a_wrong_account_is_refused_with_every_fault() {
    let api = Api::new();

    for (body, fields) in [
        (json!({}), vec!["username"]),
        (json!({"username": " "}), vec!["username"]),
        (
            json!({"username": "a b", "app": "myspace", "serial": "", "package": "a b"}),
            vec!["username", "app", "package", "serial"],
        ),
        (json!({"username": "a", "status": "needs_attention"}), vec!["status"]),
        (json!({"username": "a", "password": "x"}), vec!["password"]),
        (json!({"username": "a", "limits": []}), vec!["limits"]),
        (json!({"username": "a", "limits": {"post": 5}}), vec!["limits.post"]),
        (
            json!({"username": "a", "limits": {"post": {"per_hour": -1, "per_week": 1}}}),
            vec!["limits.post.per_week", "limits.post.per_hour"],
        ),
        (json!({"username": "a", "limits": {"a b": {}}}), vec!["limits.a b"]),
        (
            json!({"username": "a", "limits": {"folow": {"per_day": 1}}}),
            vec!["limits.folow"],
        ),
    ] {
        let reply = api.post("/api/v1/account", body.clone()).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, fields.iter().map(|name| (*name).to_owned()).collect()),
            "{body}"
        );
    }
    assert!(api.farm.created.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn an_account_is_changed_by_what_its_patch_names() {
    let api = Api::new();
    let nothing = AccountPatch::default;
    let in_an_hour = Timestamp::now() + SignedDuration::from_hours(1);

    for (body, patch) in [
        (json!({}), nothing()),
        (
            json!({"serial": null}),
            AccountPatch {
                serial: Some(None),
                ..nothing()
            },
        ),
        (
            json!({"serial": "b"}),
            AccountPatch {
                serial: Some(Some(serial("b"))),
                ..nothing()
            },
        ),
        (
            json!({"package": null}),
            AccountPatch {
                package: Some(None),
                ..nothing()
            },
        ),
        (
            json!({"status": "active"}),
            AccountPatch {
                status: Some(AccountStatus::Active),
                ..nothing()
            },
        ),
        (
            json!({"cooldown_until": in_an_hour}),
            AccountPatch {
                cooldown_until: Some(in_an_hour),
                ..nothing()
            },
        ),
        (
            json!({"limits": null}),
            AccountPatch {
                limits: Some(Limits::new()),
                ..nothing()
            },
        ),
        (
            json!({"app": "Instagram"}),
            AccountPatch {
                app: Some("instagram".to_owned()),
                ..nothing()
            },
        ),
    ] {
        assert_eq!(
            api.patch("/api/v1/account/user1", body.clone()).await.code(),
            0,
            "{body}"
        );
        assert_eq!(api.farm.account_patches.lock().unwrap().pop(), Some(patch), "{body}");
    }
    for (body, field) in [
        (json!({"username": "b"}), "username"),
        (json!({"status": "cooldown"}), "cooldown_until"),
        (json!({"cooldown_until": "2020-01-01T00:00:00Z"}), "cooldown_until"),
        (json!({"cooldown_until": "tomorrow"}), "cooldown_until"),
        (json!({"cooldown_until": in_an_hour, "status": "active"}), "status"),
        (json!({"status": "needs_attention"}), "status"),
        (json!({"status": null}), "status"),
        (json!({"app": null}), "app"),
        (json!({"serial": 5}), "serial"),
    ] {
        assert_eq!(api.patch("/api/v1/account/user1", body).await.faults(), [field]);
    }
    assert_eq!(api.patch("/api/v1/account/nobody", json!({})).await.code(), 40401);
}

#[actix_web::test]
async fn a_fault_of_an_account_is_told_once_with_all_that_would_be_right() {
    let api = Api::new();
    for (body, field, message) in [
        (
            json!({"limits": {"follow": {"per_hour": 1_000_000_000_000_i64}}}),
            "limits.follow.per_hour",
            "must be a whole number from 0 to 1000000000; 0 or null means the farm's limit",
        ),
        (
            json!({"status": "foo"}),
            "status",
            "must be \"active\", \"disabled\", or \"cooldown\" with cooldown_until",
        ),
        (
            json!({"status": "needs_attention"}),
            "status",
            "is set by farmhand alone; by hand it can be \"active\", \"disabled\", or \"cooldown\" with cooldown_until",
        ),
        (
            json!({"status": "cooldown", "cooldown_until": "2020-01-01T00:00:00Z"}),
            "cooldown_until",
            "must be in the future, a year from now at most",
        ),
        (
            json!({"status": "cooldown", "cooldown_until": 5}),
            "cooldown_until",
            "must be a string, not a number",
        ),
        (
            json!({"limits": {"": {"per_hour": 1}}}),
            "limits",
            "has an entry without a name; each entry is named by its script, e.g. \"follow\"",
        ),
    ] {
        let reply = api.patch("/api/v1/account/user1", body.clone()).await.json();
        let wanted = json!([{ "field": field, "message": message }]);
        assert_eq!(reply["data"]["errors"], wanted, "{body}");
    }
    let created = json!({"username": "a", "status": "foo"});
    let told = api.post("/api/v1/account", created).await.json();
    assert_eq!(
        told["data"]["errors"][0]["message"],
        "must be \"active\" or \"disabled\""
    );
}

#[actix_web::test]
async fn an_account_is_resumed_and_deleted() {
    let api = Api::new();

    assert_eq!(
        api.post("/api/v1/account/user1/resume", json!({})).await.data()["username"],
        "user1"
    );
    assert_eq!(
        api.delete("/api/v1/account/user1").await.data()["deleted"],
        json!(["user1"])
    );
    assert_eq!(api.delete("/api/v1/account/nobody").await.code(), 40401);
}

async fn import_csv(api: &Api, text: &str) -> Reply {
    let request = TestRequest::post()
        .uri("/api/v1/account/import")
        .set_payload(text.to_owned());
    api.send(request.insert_header((header::CONTENT_TYPE, "text/csv")))
        .await
}

#[actix_web::test]
async fn what_was_exported_is_imported_again() {
    let api = Api::new();
    let wanted = json!({"created_count": 0, "updated_count": 2, "created": [], "updated": ["user1", "user2"]});

    let json = api.get("/api/v1/account/export").await.json();
    assert_eq!(api.post("/api/v1/account/import", json.clone()).await.data(), wanted);
    assert_eq!(
        api.post("/api/v1/account/import", json["data"].clone()).await.data(),
        wanted
    );
    assert_eq!(
        api.post("/api/v1/account/import", json["data"]["accounts"].clone())
            .await
            .data(),
        wanted
    );
    let csv = api.get("/api/v1/account/export?format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        import_csv(&api, std::str::from_utf8(&csv.body).unwrap()).await.data(),
        wanted
    );
    let accept = TestRequest::get()
        .uri("/api/v1/account/export")
        .insert_header((header::ACCEPT, "text/csv"));
    assert_eq!(api.send(accept).await.body, csv.body);

    let patch = api.farm.account_patches.lock().unwrap().pop().unwrap();
    assert_eq!(
        (patch.serial, patch.status),
        (Some(Some(serial("device_serial_1"))), Some(AccountStatus::Active))
    );
}

#[actix_web::test]
async fn an_import_creates_what_is_new_and_leaves_states_that_only_the_farm_sets() {
    let api = Api::new();

    let reply = import_csv(
        &api,
        "username,status,serial\nanna,disabled,\nuser1,needs_attention,device_serial_2\n",
    )
    .await;

    assert_eq!(
        (&reply.data()["created"], &reply.data()["updated"]),
        (&json!(["anna"]), &json!(["user1"]))
    );
    assert!(api.farm.created.lock().unwrap()[0].disabled);
    assert_eq!(api.farm.account_patches.lock().unwrap()[0].status, None);
}

#[actix_web::test]
async fn an_import_changes_of_an_account_only_what_it_names() {
    let api = Api::new();

    let csv = import_csv(&api, "username,status,package\nuser1,disabled,\n").await;
    let json = json!([{"username": "user2", "serial": null}]);
    let json = api.post("/api/v1/account/import", json).await;

    assert_eq!((csv.code(), json.code()), (0, 0));
    let patches = api.farm.account_patches.lock().unwrap();
    let wanted = [
        AccountPatch {
            status: Some(AccountStatus::Disabled),
            ..AccountPatch::default()
        },
        AccountPatch {
            serial: Some(None),
            ..AccountPatch::default()
        },
    ];
    assert_eq!(*patches, wanted);
}

#[actix_web::test]
async fn an_import_with_any_fault_does_nothing() {
    let api = Api::new();

    for (text, fields) in [
        ("", vec!["line 1"]),
        ("username\n", vec!["accounts"]),
        ("usernam\na\n", vec!["line 1"]),
        ("username,username\na,b\n", vec!["line 1"]),
        ("username,app\na\n", vec!["line 2"]),
        ("username,app\n\"a\n", vec!["line 2"]),
        ("usernam,ap,app\na,b,c\n", vec!["line 1", "line 1"]),
        (
            "username,app\na\nb,myspace\nc,tiktok,x\n",
            vec!["line 2", "line 4", "line 3.app"],
        ),
        (
            "username,app\na,x\nb,y\na,tiktok\n",
            vec!["line 2.app", "line 3.app", "line 4.username"],
        ),
        ("username,serial\na,nowhere\n", vec!["line 2.serial"]),
        ("username,limits\na,{\n", vec!["line 2.limits"]),
    ] {
        let reply = import_csv(&api, text).await;
        assert_eq!(
            (reply.code(), reply.faults()),
            (40001, fields.iter().map(|name| (*name).to_owned()).collect()),
            "{text}"
        );
    }
    for body in [
        json!(5),
        json!({}),
        json!({"accounts": 5}),
        json!([5]),
        json!([{"app": "tiktok"}]),
        json!([]),
    ] {
        assert_eq!(api.post("/api/v1/account/import", body).await.code(), 40001);
    }
    let text = TestRequest::post().uri("/api/v1/account/import").set_payload("x");
    assert_eq!(
        api.send(text.insert_header((header::CONTENT_TYPE, "text/plain")))
            .await
            .code(),
        41501
    );
    assert!(api.farm.created.lock().unwrap().is_empty() && api.farm.account_patches.lock().unwrap().is_empty());
}
