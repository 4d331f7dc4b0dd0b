//! Schedules over HTTP, with a farm of paper.

use serde_json::{Value, json};

use crate::http::testing::Api;

fn daily() -> Value {
    json!({
        "name": "daily", "serials": ["device_serial_1"], "script_name": "post",
        "script_config": { "captions": "hello" }, "times": ["09:00", "18:30"]
    })
}

fn with(changes: Value) -> Value {
    let mut body = daily();
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[actix_web::test]
async fn a_schedule_is_created_with_its_defaults_and_shows_its_next_runs() {
    let api = Api::new();

    let created = api.post("/api/v1/schedule", daily()).await;

    assert_eq!(created.code(), 0, "{:?}", created.body);
    let data = created.data();
    for (name, wanted) in [
        ("id", json!(1)),
        ("enabled", json!(true)),
        ("cron", Value::Null),
        ("time_zone", json!("UTC")),
        ("days", json!([])),
        ("window", Value::Null),
        ("misfire", json!("run_once")),
        ("misfire_cap", json!(10)),
        ("jitter_s", json!(0)),
        ("usernames", Value::Null),
        ("script_config", json!({ "captions": "hello" })),
        ("last_run", Value::Null),
        (
            "next_runs",
            json!([
                "2026-11-23T18:30:00.000Z",
                "2026-11-24T09:00:00.000Z",
                "2026-11-24T18:30:00.000Z",
                "2026-11-25T09:00:00.000Z",
                "2026-11-25T18:30:00.000Z"
            ]),
        ),
    ] {
        assert_eq!(data[name], wanted, "{name}");
    }
    let mut shown = data;
    let warnings = shown.as_object_mut().unwrap().remove("warnings");
    assert_eq!(warnings, Some(json!(["a file is not there yet"])));
    assert_eq!(api.get("/api/v1/schedule/1").await.data(), shown);
    assert_eq!(api.get("/api/v1/schedule").await.data()["items"], json!([shown]));
}

#[actix_web::test]
async fn what_does_not_count_in_a_schedule_is_said_as_it_is_of_a_task() {
    let api = Api::new();
    let path = "/api/v1/schedule/1";
    let both = json!({ "usernames": ["user1"], "enable_multi_account": true });
    let mut task = with(both.clone());
    for name in ["name", "times"] {
        task.as_object_mut().unwrap().remove(name);
    }
    let wanted = api.post("/api/v1/task", task).await.data()["warnings"].clone();
    assert!(wanted[0].as_str().unwrap().contains("usernames was used"), "{wanted}");

    let created = api.post("/api/v1/schedule", with(both)).await.data();

    assert_eq!(
        (&created["serials"], &created["usernames"]),
        (&Value::Null, &json!(["user1"]))
    );
    assert_eq!(created["warnings"], wanted);
    let both = json!({ "usernames": ["user2"], "serials": ["device_serial_1"] });
    let changed = api.patch(path, both).await.data();
    assert_eq!(changed["usernames"], json!(["user2"]));
    assert!(
        changed["warnings"][0].as_str().unwrap().contains("usernames was used"),
        "{changed}"
    );
    let renamed = api.patch(path, json!({ "name": "other" })).await.data();
    assert_eq!(renamed["warnings"], json!([]), "nothing that warns was looked at");
    assert!(api.get(path).await.data().get("warnings").is_none());
}

#[actix_web::test]
async fn all_faults_of_a_schedule_are_named_at_once_and_nothing_is_created() {
    let api = Api::new();
    let cases = [
        (json!({ "cron": "0 0 30 2 *", "times": null }), vec!["cron"]),
        (json!({ "cron": "* * *", "times": null }), vec!["cron"]),
        (json!({ "cron": 5, "times": null }), vec!["cron"]),
        (json!({ "times": null }), vec!["cron"]),
        (json!({ "times": [] }), vec!["times"]),
        (json!({ "times": [5] }), vec!["times[0]"]),
        (json!({ "cron": "* * * * *" }), vec!["times"]),
        (json!({ "time_zone": "Mars/Olympus" }), vec!["time_zone"]),
        (
            json!({ "window": { "from": "09:00", "to": "09:00" } }),
            vec!["window.from"],
        ),
        (json!({ "window": { "from": "10:00", "to": "12:00" } }), vec!["window"]),
        (json!({ "window": { "from": "10:00" } }), vec!["window.to"]),
        (
            json!({ "window": { "form": "10:00", "to": "x" } }),
            vec!["window.form", "window.from", "window.to"],
        ),
        (
            json!({ "times": ["9:00", "25:00", null, "09:00"], "days": [7, "moon", "mon"] }),
            vec!["times[0]", "times[1]", "times[2]", "days[0]", "days[1]"],
        ),
        (
            json!({ "window": { "from": 8, "to": "24:00" } }),
            vec!["window.from", "window.to"],
        ),
        (json!({ "time_zone": "Etc/Unknown" }), vec!["time_zone"]),
        (json!({ "window": [] }), vec!["window"]),
        (json!({ "days": ["mon", "moon"] }), vec!["days[1]"]),
        (json!({ "misfire": "burst" }), vec!["misfire"]),
        (json!({ "misfire_cap": 0 }), vec!["misfire_cap"]),
        (json!({ "misfire_cap": 101 }), vec!["misfire_cap"]),
        (json!({ "jitter_s": -1 }), vec!["jitter_s"]),
        (json!({ "jitter_s": 3601 }), vec!["jitter_s"]),
        (json!({ "enabled": "yes" }), vec!["enabled"]),
        (json!({ "name": " " }), vec!["name"]),
        (json!({ "name": null }), vec!["name"]),
        (json!({ "start_time": "09:00" }), vec!["start_time"]),
        (json!({ "serials": [] }), vec!["serials"]),
        (
            json!({ "script_config": { "captions": 5 } }),
            vec!["script_config.captions"],
        ),
        (json!({ "min_interval": 9, "max_interval": 2 }), vec!["min_interval"]),
        (
            json!({ "jitter": 5, "name": 7, "days": ["x"], "jitter_s": 1.5, "script_config": { "captions": 5 } }),
            vec!["jitter", "name", "jitter_s", "days[0]", "script_config.captions"],
        ),
    ];
    for (changes, wanted) in cases {
        let mut named = api.post("/api/v1/schedule", with(changes.clone())).await.faults();
        let mut wanted: Vec<_> = wanted.into_iter().map(str::to_owned).collect();
        named.sort();
        wanted.sort();
        assert_eq!(named, wanted, "{changes}");
    }
    let typo = api.post("/api/v1/schedule", with(json!({ "timezone": "UTC" }))).await;
    assert!(
        typo.data()["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("time_zone")
    );
    let unknown = api
        .post(
            "/api/v1/schedule",
            with(json!({ "script_name": "dance", "days": ["x"] })),
        )
        .await;
    assert_eq!(
        (unknown.code(), &unknown.data()["errors"][0]["field"]),
        (40003, &json!("days[0]"))
    );
    assert_eq!(
        api.post("/api/v1/schedule", with(json!({ "script_name": "" })))
            .await
            .code(),
        40002
    );
    assert_eq!(api.schedules.rows.lock().unwrap().len(), 0);
}

#[actix_web::test]
async fn a_change_keeps_what_it_does_not_name_and_looks_only_at_what_it_does() {
    let api = Api::new();
    api.post("/api/v1/schedule", daily()).await;
    let path = "/api/v1/schedule/1";

    let renamed = api.patch(path, json!({ "name": "other" })).await.data();
    assert_eq!(
        (&renamed["name"], &renamed["times"]),
        (&json!("other"), &json!(["09:00", "18:30"]))
    );
    let by_cron = api.patch(path, json!({ "cron": "0 12 * * *" })).await.data();
    assert_eq!(
        (&by_cron["cron"], &by_cron["times"]),
        (&json!("0 12 * * *"), &Value::Null)
    );
    let accounts = api.patch(path, json!({ "usernames": ["User1"] })).await.data();
    assert_eq!(
        (&accounts["usernames"], &accounts["serials"]),
        (&json!(["user1"]), &Value::Null)
    );
    let paused = api.patch(path, json!({ "enabled": false })).await.data();
    assert_eq!((&paused["enabled"], &paused["next_runs"]), (&json!(false), &json!([])));
    api.patch(path, json!({ "enabled": null })).await;
    let edited = api
        .patch(path, json!({ "script_config": { "captions": "new" } }))
        .await
        .data();
    assert_eq!(edited["script_config"], json!({ "captions": "new" }));
    assert_eq!(edited["last_run"]["task_ids"], json!([7, 8]));
    assert_eq!(edited["revision"], 7);

    // Whether the request is looked at, and whether the next run is planned anew.
    let wanted = [
        (false, false),
        (false, true),
        (true, false),
        (false, true),
        (true, true),
        (true, false),
    ];
    assert_eq!(*api.schedules.changes.lock().unwrap(), wanted);
    for (body, wanted) in [
        (json!({ "captions": "x" }), vec!["captions"]),
        (json!({ "name": null }), vec!["name"]),
        (json!({ "cron": "x", "times": ["09:00"] }), vec!["times"]),
        (json!({ "cron": null }), vec!["cron"]),
        (
            json!({ "serials": [5], "jitter_s": "x" }),
            vec!["jitter_s", "serials[0]"],
        ),
    ] {
        assert_eq!(api.patch(path, body.clone()).await.faults(), wanted, "{body}");
    }
    assert_eq!(api.schedules.changes.lock().unwrap().len(), wanted.len());
}

#[actix_web::test]
async fn a_run_that_is_being_delayed_is_shown_and_stays_unless_a_change_says_when_anew() {
    let api = Api::new();
    let path = "/api/v1/schedule/1";
    let jittered = json!({
        "times": ["12:00"], "days": ["mon", "tue"], "window": { "from": "08:00", "to": "20:00" }, "jitter_s": 3600
    });
    let created = api.post("/api/v1/schedule", with(jittered)).await.data();
    let first = created["next_runs"][0].as_str().unwrap().to_owned();
    assert!(
        first.starts_with("2026-11-24T12"),
        "{first}: what was planned before it was created is none of it"
    );
    // As one that was created before the twelve o'clock of half a second ago.
    api.schedules.rows.lock().unwrap()[0].next = Some("2026-11-23T12:00:00Z".parse().unwrap());
    let delayed = api.get(path).await.data()["next_runs"].clone();
    assert!(delayed[0].as_str().unwrap().starts_with("2026-11-23T12"), "{delayed}");
    assert_eq!(delayed[1], first);

    for same in [
        json!({ "name": "other" }),
        json!({ "days": ["TUE", "mon"] }),
        json!({ "times": ["12:00"], "jitter_s": 3600, "time_zone": "UTC", "enabled": true }),
        json!({ "window": { "from": "08:00", "to": "20:00" } }),
    ] {
        assert_eq!(
            api.patch(path, same.clone()).await.data()["next_runs"],
            delayed,
            "{same}"
        );
    }
    let anew = api.patch(path, json!({ "jitter_s": 3599 })).await.data()["next_runs"].clone();
    assert!(anew[0].as_str().unwrap().starts_with("2026-11-24T12"), "{anew}");
    let replanned: Vec<bool> = api
        .schedules
        .changes
        .lock()
        .unwrap()
        .iter()
        .map(|change| change.1)
        .collect();
    assert_eq!(replanned, [false, false, false, false, true]);
}

#[actix_web::test]
async fn a_time_that_had_its_run_before_the_clock_was_set_back_is_not_shown_again() {
    let api = Api::new();
    let before = api.post("/api/v1/schedule", daily()).await.data()["next_runs"].clone();
    let first = before[0].as_str().unwrap().parse().unwrap();
    api.schedules.ran.lock().unwrap().push(first);

    let shown = api.get("/api/v1/schedule/1").await.data()["next_runs"].clone();

    assert_eq!(shown.as_array().unwrap()[..4], before.as_array().unwrap()[1..]);
    assert_eq!(shown.as_array().unwrap().len(), 5);
}

#[actix_web::test]
async fn a_schedule_is_run_and_deleted_and_no_other_is() {
    let api = Api::new();
    api.post("/api/v1/schedule", daily()).await;
    assert_eq!(api.post("/api/v1/schedule", daily()).await.code(), 40901);

    let run = api.post("/api/v1/schedule/1/run", json!({})).await.data();
    assert_eq!((&run["task_ids"], &run["created_count"]), (&json!([7, 8]), &json!(2)));
    for (body, field) in [(json!({ "at": "now" }), "at"), (json!([1]), "body")] {
        assert_eq!(api.post("/api/v1/schedule/1/run", body).await.faults(), [field]);
    }
    assert_eq!(
        api.delete("/api/v1/schedule/1").await.data(),
        json!({ "deleted_count": 1, "deleted": [1] })
    );
    for id in ["1", "0", "-1", "x", "99999999999999999999", "1.5"] {
        let path = format!("/api/v1/schedule/{id}");
        assert_eq!(api.get(&path).await.code(), 40401, "{id}");
        assert_eq!(api.patch(&path, json!({})).await.code(), 40401, "{id}");
        assert_eq!(api.delete(&path).await.code(), 40401, "{id}");
        assert_eq!(api.post(&format!("{path}/run"), json!({})).await.code(), 40401, "{id}");
    }
}
