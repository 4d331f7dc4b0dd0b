//! Plans: what Starter keeps, and how many devices run at the same time.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::{
    harness::{Controller, Sim, TASK, media, settings, wait_for},
    http::Api,
    shared::{ids, shared},
};

/// A controller on a plan; it needs no phones.
fn on_plan(dir: &std::path::Path, plan: &str) -> Controller {
    let settings = format!(
        "{}\n[license]\nplan = \"{plan}\"\n",
        settings("127.0.0.1:1", &[], &media())
    );
    Controller::start(dir, &settings)
}

#[test]
fn a_paid_plan_says_what_it_allows() {
    let checked = shared().api.get("/license/check").ok();

    assert_eq!(
        checked,
        json!({ "plan_name": "Pro", "api_enabled": true, "device_limit": 20, "message": "API access enabled" })
    );
}

#[test]
fn starter_has_no_api_but_its_pages() {
    let dir = tempfile::tempdir().unwrap();
    let controller = on_plan(dir.path(), "Starter");
    let api = Api::new(&controller.base);

    let checked = api.get("/license/check").refused(40301);
    assert_eq!(
        (&checked["plan_name"], &checked["api_enabled"]),
        (&json!("Starter"), &json!(false))
    );
    assert!(
        checked["device_limit"].is_u64() && checked["message"].is_string(),
        "{checked}"
    );
    for (method, path) in [
        ("GET", "/task"),
        ("POST", "/task"),
        ("GET", "/task/1"),
        ("DELETE", "/task/batch"),
        ("GET", "/device"),
        ("GET", "/account"),
        ("GET", "/script"),
        ("GET", "/events"),
        ("GET", "/openapi.json"),
        ("GET", "/nope"),
        ("PUT", "/task"),
    ] {
        let data = api.json(method, path, None).refused(40301);
        assert_eq!(data, checked, "{method} {path}");
    }
    for page in ["/", "/docs", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(api.send("GET", page, &[], b"").status, 200, "{page}");
    }
}

#[test]
fn a_token_says_how_many_devices_run_at_the_same_time() {
    let key = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let claims = [
        json!({ "alg": "EdDSA", "typ": "JWT" }),
        json!({ "plan": "Business", "device_limit": 1 }),
    ];
    let signed = claims.map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())));
    let public = base64::engine::general_purpose::STANDARD.encode(key.public_key());
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(dir.path(), 3);
    let settings = settings(&sim.server, &[], &media());
    let settings = format!("{settings}\n[license]\ntoken = \"{token}\"\npublic_key = \"{public}\"\n");
    let controller = Controller::start(dir.path(), &settings);
    let api = Api::new(&controller.base);
    let serials: Vec<_> = sim.phones.iter().map(|(serial, _)| serial.clone()).collect();
    for (at, serial) in serials.iter().enumerate() {
        controller.await_device(serial, "online");
        let name = format!("limited{at}");
        sim.login(serial, "tiktok", &name);
        api.post("/account", &json!({ "username": name, "serial": serial }))
            .ok();
    }
    assert_eq!(api.get("/license/check").ok()["device_limit"], 1);

    let config = json!({ "target_users": ["somebody"] });
    let body = json!({ "serials": serials, "script_name": "follow", "script_config": config });
    let created = ids(&api.post("/task", &body).ok());

    let mut told = false;
    wait_for("all are done", TASK, || {
        let items = api.get("/task").ok()["items"].as_array().unwrap().clone();
        let with = |status: i64| {
            items
                .iter()
                .filter(move |task| task["status"] == status)
                .collect::<Vec<&Value>>()
        };
        assert!(with(1).len() <= 1, "{items:#?}");
        assert!(with(3).is_empty(), "{items:#?}");
        if with(1).len() == 1 {
            let remark = |task: &&Value| task["remark"].as_str().unwrap().to_lowercase();
            told |= with(0)
                .iter()
                .map(remark)
                .any(|text| text.contains("limit") || text.contains("plan"));
        }
        (with(2).len() == created.len()).then_some(())
    });
    assert!(told, "the remark of a waiting task says why");
}
