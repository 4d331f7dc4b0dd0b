//! `/api/v1/account`.

use serde_json::{Value, json};

use crate::{
    harness::{SOON, follow, wait_for},
    shared::{CHALLENGED, PARKED, ids, shared},
};

#[test]
fn an_account_is_created_shown_changed_and_deleted() {
    let api = &shared().api;
    let limits = json!({ "post": { "per_hour": 3, "min_gap_s": 60 } });
    let body = json!({
        "username": "@Life.Cycle", "app": "instagram", "package": "com.instagram.lite", "serial": PARKED[0],
        "limits": limits,
    });

    let made = api.post("/account", &body).ok();
    assert_eq!(
        (&made["username"], &made["app"]),
        (&json!("life.cycle"), &json!("instagram"))
    );
    assert_eq!(
        (&made["package"], &made["serial"]),
        (&json!("com.instagram.lite"), &json!(PARKED[0]))
    );
    assert_eq!((&made["status"], &made["last_used"]), (&json!("active"), &Value::Null));
    assert_eq!(made["limits"]["post"]["per_hour"], 3);
    assert!(
        made["counters"].is_object() && !made.to_string().contains("password"),
        "{made}"
    );
    api.post("/account", &json!({ "username": "LIFE.CYCLE" }))
        .refused(40901);
    for name in ["life.cycle", "Life.Cycle", "%40life.cycle"] {
        assert_eq!(
            api.get(&format!("/account/{name}")).ok()["username"],
            "life.cycle",
            "{name}"
        );
    }
    let list = api.get("/account").ok();
    assert!(
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|account| account["username"] == "life.cycle")
    );
    let device = api.get(&format!("/device/{}", PARKED[0])).ok();
    assert!(
        device["accounts"].as_array().unwrap().contains(&json!("life.cycle")),
        "{device}"
    );

    let body = json!({ "status": "disabled", "serial": null, "package": null, "limits": null, "app": "tiktok" });
    let changed = api.patch("/account/life.cycle", &body).ok();
    assert_eq!(
        (&changed["status"], &changed["serial"]),
        (&json!("disabled"), &Value::Null)
    );
    assert_eq!((&changed["app"], &changed["limits"]), (&json!("tiktok"), &json!({})));
    assert_eq!(
        api.patch("/account/life.cycle", &json!({ "status": "active" })).ok()["status"],
        "active"
    );

    assert_eq!(api.delete("/account/life.cycle").ok()["deleted_count"], 1);
    for reply in [
        api.get("/account/life.cycle"),
        api.delete("/account/life.cycle"),
        api.patch("/account/life.cycle", &json!({})),
        api.json("POST", "/account/life.cycle/resume", None),
    ] {
        reply.refused(40401);
    }
}

#[test]
fn wrong_accounts_are_refused_with_every_fault() {
    let api = &shared().api;

    let faults = api
        .post(
            "/account",
            &json!({
                "username": "a b", "app": "myspace", "serial": 5, "status": "cooldown", "package": "a;b",
                "limits": { "post": { "per_hour": -1, "per_week": 1 } }, "password": "x",
            }),
        )
        .faults();
    for field in [
        "username",
        "app",
        "serial",
        "status",
        "package",
        "limits.post.per_hour",
        "limits.post.per_week",
        "password",
    ] {
        assert!(faults.contains(&field.to_owned()), "{field} in {faults:?}");
    }
    assert_eq!(api.post("/account", &json!({})).faults(), ["username"]);
    for name in ["@", "import", "Export", "a\0b"] {
        assert_eq!(
            api.post("/account", &json!({ "username": name })).faults(),
            ["username"],
            "{name}"
        );
    }
    api.post("/account", &json!({ "username": "lost", "serial": "ghost" }))
        .refused(40401);
    api.get("/account/lost").refused(40401);
    let name = shared().account(PARKED[1], "tiktok");
    let path = format!("/account/{name}");
    assert_eq!(api.patch(&path, &json!({ "username": "other" })).faults(), ["username"]);
    assert_eq!(
        api.patch(&path, &json!({ "status": "needs_attention" })).faults(),
        ["status"]
    );
    assert_eq!(
        api.patch(&path, &json!({ "app": null, "status": null })).faults(),
        ["app", "status"]
    );
    api.patch(&path, &json!({ "serial": "ghost" })).refused(40401);
    api.json("POST", &format!("{path}/resume"), None).refused(40901);
}

#[test]
fn what_was_exported_can_be_imported() {
    let api = &shared().api;
    let limits = json!({ "follow": { "per_day": 7 } });
    let body = json!({ "username": "tour", "app": "instagram", "serial": PARKED[2], "limits": limits });
    api.post("/account", &body).ok();

    for (format, kind) in [("csv", "text/csv"), ("json", "application/json")] {
        let url = format!("/api/v1/account/export?format={format}");
        let exported = api.send("GET", &url, &[], b"");
        assert!(
            exported.header("content-type").unwrap().starts_with(kind),
            "{exported:?}"
        );
        api.delete("/account/tour").ok();
        let kept = if format == "csv" {
            let lines = exported.text();
            let kept: Vec<_> = lines
                .lines()
                .filter(|line| line.starts_with("username,") || line.starts_with("tour,"))
                .collect();
            kept.join("\n")
        } else {
            let accounts = exported.json()["data"]["accounts"].clone();
            let kept: Vec<_> = accounts
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["username"] == "tour")
                .cloned()
                .collect();
            json!({ "accounts": kept }).to_string()
        };

        let answer = api
            .envelope("POST", "/account/import", &[("content-type", kind)], kept.as_bytes())
            .ok();

        assert_eq!(
            (&answer["created_count"], &answer["updated_count"]),
            (&json!(1), &json!(0)),
            "{format}: {answer}"
        );
        let account = api.get("/account/tour").ok();
        assert_eq!(
            (&account["app"], &account["serial"]),
            (&json!("instagram"), &json!(PARKED[2])),
            "{format}"
        );
        assert_eq!(account["limits"]["follow"]["per_day"], 7, "{format}");
        let again = api
            .envelope("POST", "/account/import", &[("content-type", kind)], kept.as_bytes())
            .ok();
        assert_eq!(
            (&again["created_count"], &again["updated_count"]),
            (&json!(0), &json!(1)),
            "{format}: {again}"
        );
    }
    let asked = [("accept", "text/csv")];
    let exported = api.send("GET", "/api/v1/account/export", &asked, b"");
    assert!(exported.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(api.get("/account/export?format=xml").faults(), ["format"]);
}

#[test]
fn an_import_keeps_what_a_row_does_not_name() {
    let api = &shared().api;
    let limits = json!({ "follow": { "per_day": 7 } });
    let body = json!({ "username": "kept", "app": "instagram", "serial": PARKED[1], "limits": limits });
    api.post("/account", &body).ok();
    let import =
        |kind: &str, body: &str| api.envelope("POST", "/account/import", &[("content-type", kind)], body.as_bytes());

    import("text/csv", "username,status,serial\n@Kept,disabled,\n").ok();

    let account = api.get("/account/kept").ok();
    assert_eq!(
        (&account["app"], &account["serial"], &account["status"]),
        (&json!("instagram"), &json!(PARKED[1]), &json!("disabled"))
    );
    assert_eq!(account["limits"]["follow"]["per_day"], 7);
    import("application/json", "[{\"username\":\"kept\",\"serial\":null}]").ok();
    let account = api.get("/account/kept").ok();
    assert_eq!(
        (&account["app"], &account["serial"]),
        (&json!("instagram"), &json!(null))
    );
    // Its other row is wrong: nothing of it counts.
    import("text/csv", "username,app\nkept,tiktok\nnew1,myspace\n").faults();
    assert_eq!(api.get("/account/kept").ok()["app"], "instagram");
    api.delete("/account/kept").ok();
}

#[test]
fn limits_of_an_account_name_scripts_that_there_are() {
    let api = &shared().api;
    let limits = json!({ "follow": { "per_day": 7, "per_hour": 0 } });
    let account = api
        .post("/account", &json!({ "username": "limited", "limits": limits }))
        .ok();

    assert_eq!(
        account["limits"]["follow"],
        json!({ "per_day": 7, "per_hour": null, "min_gap_s": null })
    );
    let wrong = json!({ "limits": { "folow": { "per_day": 7 } } });
    assert_eq!(api.patch("/account/limited", &wrong).faults(), ["limits.folow"]);
    api.delete("/account/limited").ok();
}

#[test]
fn a_wrong_import_changes_nothing() {
    let api = &shared().api;
    let import =
        |kind: &str, body: &str| api.envelope("POST", "/account/import", &[("content-type", kind)], body.as_bytes());

    for (kind, body) in [
        ("text/csv", ""),
        ("text/csv", "username\n"),
        ("text/csv", "name\nx\n"),
        ("text/csv", "username,app\nfresh1,tiktok\nfresh2,myspace\n"),
        ("text/csv", "username\nfresh1\n\"unclosed\n"),
        ("text/csv", "username,serial\nfresh1,ghost\n"),
        ("application/json", "[]"),
        ("application/json", "{}"),
        ("application/json", "[5]"),
        (
            "application/json",
            "[{\"username\":\"fresh1\"},{\"username\":\"@Fresh1\"}]",
        ),
        ("application/json", "[{\"username\":\"fresh1\"},{\"app\":\"tiktok\"}]"),
    ] {
        import(kind, body).faults();
        api.get("/account/fresh1").refused(40401);
    }
    import("text/plain", "username\nfresh1\n").refused(41501);
}

#[test]
fn an_account_that_an_app_challenges_waits_for_a_person() {
    let farm = shared();
    let name = farm.account(CHALLENGED, "instagram");
    farm.farm.sim.fault(CHALLENGED, &json!({ "kind": "challenge" }));
    let mut body = follow(CHALLENGED, "somebody");
    body["usernames"] = json!([name]);
    body.as_object_mut().unwrap().remove("serials");
    let id = ids(&farm.api.post("/task", &body).ok())[0];
    let path = format!("/account/{name}");

    let account = wait_for("the account needs attention", SOON, || {
        let account = farm.api.get(&path).ok();
        (account["status"] == "needs_attention").then_some(account)
    });
    assert!(account["status_reason"].is_string(), "{account}");
    let task = wait_for("its task waits", SOON, || {
        let task = farm.task(id);
        (task["status"] != 1).then_some(task)
    });
    farm.farm.sim.heal(CHALLENGED);
    assert_eq!(
        farm.api.json("POST", &format!("{path}/resume"), None).ok()["status"],
        "active"
    );
    if task["status"] == 3 {
        assert_eq!(task["failure"]["reason"], "needs_attention", "{task}");
        farm.api.json("POST", &format!("/task/{id}/retry"), None).ok();
    }
    farm.farm.controller.await_status(id, 2);
    let counters = farm.api.get(&path).ok()["counters"].clone();
    assert_eq!(counters["follow"]["today"], 1, "{counters}");
}
