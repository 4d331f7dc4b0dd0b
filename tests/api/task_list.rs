//! `GET /api/v1/task`, the stats, and ids that are none.

use serde_json::{Value, json};

use crate::{
    harness::{Farm, follow},
    http::Api,
    shared::{PARKED, ids, shared},
};

#[test]
fn filters_are_anded_and_the_newest_stands_first() {
    let farm = shared();
    let name = farm.account(PARKED[1], "tiktok");
    let body = json!({
        "usernames": [name], "script_name": "unfollow", "script_config": { "target_users": ["a", "b", "c", "d", "e"] }
    });
    let created = ids(&farm.api.post("/task", &body).ok());
    let batch = farm.task(created[0])["batch_id"].as_str().unwrap().to_owned();
    let list = |query: &str| farm.api.get(&format!("/task?{query}")).ok();
    let newest: Vec<i64> = created.iter().rev().copied().collect();
    let shown = |page: &Value| -> Vec<i64> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["id"].as_i64().unwrap())
            .collect()
    };

    for query in [
        format!("batch_id={batch}"),
        format!("username={name}"),
        format!("username=%40{}", name.to_uppercase()),
        format!(
            "username={name}&status=0&serial={}&script_name=unfollow&source=api&batch_id={batch}",
            PARKED[1]
        ),
    ] {
        let page = list(&query);
        assert_eq!(shown(&page), newest, "{query}");
        assert_eq!(
            (&page["total"], &page["page"], &page["page_size"]),
            (&json!(5), &json!(1), &json!(20))
        );
    }
    for nothing in [
        "status=1",
        "source=ui",
        "script_name=post",
        "serial=sim-1",
        "failure_reason=stopped",
    ] {
        assert_eq!(list(&format!("batch_id={batch}&{nothing}"))["total"], 0, "{nothing}");
    }
    let second = list(&format!("batch_id={batch}&page=2&page_size=2"));
    assert_eq!(shown(&second), newest[2..4]);
    let beyond = list(&format!("batch_id={batch}&page=9&page_size=2"));
    assert_eq!((&beyond["total"], &beyond["items"]), (&json!(5), &json!([])));
}

#[test]
fn wrong_filters_are_all_named() {
    let api = &shared().api;

    for (query, fields) in [
        ("status=4", vec!["status"]),
        ("status=-1", vec!["status"]),
        ("status=pending", vec!["status"]),
        ("status=", vec!["status"]),
        ("page=0", vec!["page"]),
        ("page=x", vec!["page"]),
        ("page=99999999999999999999", vec!["page"]),
        ("page_size=0", vec!["page_size"]),
        ("page_size=101", vec!["page_size"]),
        ("page_size=1e2", vec!["page_size"]),
        ("source=web", vec!["source"]),
        ("failure_reason=bad", vec!["failure_reason"]),
        ("batch_id=%27;--", vec!["batch_id"]),
        ("serials=sim-1", vec!["serials"]),
        ("page_size=0&status=9&limit=5", vec!["limit", "status", "page_size"]),
    ] {
        assert_eq!(api.get(&format!("/task?{query}")).faults(), fields, "{query}");
    }
}

#[test]
fn what_is_no_id_of_a_task_is_not_found_on_every_path() {
    let api = &shared().api;
    let words = [
        "0",
        "-1",
        "+1",
        "abc",
        "1.0",
        "1e3",
        "0x1",
        "99999999",
        "9223372036854775808",
        "99999999999999999999",
    ];

    for word in words {
        api.get(&format!("/task/{word}")).refused(40401);
        api.delete(&format!("/task/{word}")).refused(40401);
        for verb in ["stop", "retry", "resolve"] {
            api.json("POST", &format!("/task/{word}/{verb}"), None).refused(40401);
        }
        api.post(&format!("/task/{word}/resolve"), &json!({ "outcome": "done" }))
            .refused(40401);
    }
}

fn stats(api: &Api) -> [i64; 5] {
    let stats = api.get("/task/stats").ok();
    let number = |name: &str| stats[name].as_i64().unwrap();
    let all = ["total", "pending", "running", "completed", "failed"].map(number);
    assert_eq!(all[0], all[1..].iter().sum::<i64>(), "{stats}");
    all
}

#[test]
fn stats_are_exact_after_each_change() {
    let farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "counted");
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    assert_eq!(stats(&api), [0, 0, 0, 0, 0]);

    let body = json!({
        "serials": ["sim-1"], "script_name": "follow", "script_config": { "target_users": ["a", "b", "c", "d", "e"] }
    });
    let created = ids(&api.post("/task", &body).ok());
    assert_eq!(stats(&api), [5, 5, 0, 0, 0]);

    api.json("POST", &format!("/task/{}/stop", created[0]), None).ok();
    api.json("POST", &format!("/task/{}/stop", created[1]), None).ok();
    assert_eq!(stats(&api), [5, 3, 0, 0, 2]);

    api.json("POST", &format!("/task/{}/retry", created[0]), None).ok();
    assert_eq!(stats(&api), [5, 4, 0, 0, 1]);

    api.delete(&format!("/task/{}", created[4])).ok();
    assert_eq!(stats(&api), [4, 3, 0, 0, 1]);

    let all = api.json("POST", "/task/retry-all", None).ok();
    assert_eq!(
        all,
        json!({ "retried_count": 1, "task_ids": [created[1]], "skipped": [] })
    );
    assert_eq!(stats(&api), [4, 4, 0, 0, 0]);

    let body = json!({ "task_ids": [created[0], created[0], created[4], 999_999, created[1]] });
    let deleted = api.json("DELETE", "/task/batch", Some(&body)).ok();
    assert_eq!(deleted["deleted_count"], 2);
    assert_eq!(deleted["deleted"], json!([created[0], created[1]]));
    assert_eq!(deleted["not_found"], json!([created[4], 999_999]));
    assert_eq!(stats(&api), [2, 2, 0, 0, 0]);

    let next = ids(&api.post("/task", &follow("sim-1", "f")).ok())[0];
    assert!(next > created[4], "{next}: ids are never reused");
    assert_eq!(stats(&api), [3, 3, 0, 0, 0]);

    api.patch("/device/sim-1", &json!({ "enabled": true })).ok();
    for id in [created[2], created[3], next] {
        farm.controller.await_status(id, 2);
    }
    assert_eq!(stats(&api), [3, 0, 0, 3, 0]);
}
