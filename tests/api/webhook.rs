//! Webhooks against targets of every kind: well, down, failing, slow, sending elsewhere, endless.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use serde_json::{Value, json};

use crate::{
    harness::{Farm, SOON, TASK, follow, wait_for},
    http::Api,
    shared::{ids, shared},
};

/// A request as a target got it.
#[derive(Debug, Clone)]
struct Got {
    path: String,
    headers: HashMap<String, String>,
    body: String,
}

/// A target whose paths behave as they are called.
struct Target {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    /// Whether `/mended` answers 200 by now.
    mended: Arc<Mutex<bool>>,
}

impl Target {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            mended: Arc::default(),
        };
        let (got, mended) = (Arc::clone(&target.got), Arc::clone(&target.mended));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (got, mended) = (Arc::clone(&got), Arc::clone(&mended));
                std::thread::spawn(move || serve(stream, &got, &mended));
            }
        });
        target
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    fn got(&self, path: &str) -> Vec<Got> {
        let got = self.got.lock().unwrap();
        got.iter()
            .filter(|got| got.path == format!("/{path}"))
            .cloned()
            .collect()
    }
}

/// `None` when the connection ends before the request does.
fn read_request(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
            let mut lines = head.split("\r\n");
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: HashMap<_, _> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers.get("content-length")?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
                return Some(Got { path, headers, body });
            }
        }
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn serve(mut stream: TcpStream, got: &Mutex<Vec<Got>>, mended: &Mutex<bool>) {
    let Some(request) = read_request(&mut stream) else {
        return;
    };
    let path = request.path.clone();
    got.lock().unwrap().push(request);
    let answer = |stream: &mut TcpStream, head: &str| {
        stream
            .write_all(format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
            .ok();
    };
    match path.as_str() {
        "/mended" if !*mended.lock().unwrap() => answer(&mut stream, "500 Broken"),
        "/failing" => answer(&mut stream, "500 Broken"),
        "/gone" => answer(&mut stream, "410 Gone"),
        "/held" => {
            // Until the test lets it go, and no longer than the other side waits.
            wait_for("the answer may go out", SOON, || mended.lock().unwrap().then_some(()));
            answer(&mut stream, "410 Gone");
        }
        "/elsewhere" => answer(&mut stream, "302 Found\r\nlocation: /trap"),
        "/endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok();
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
        }
        // Says nothing for as long as the other side waits.
        "/slow" => drop(stream.read(&mut [0; 16])),
        _ => answer(&mut stream, "200 OK"),
    }
}

fn farm(give_up_s: u64) -> Farm {
    Farm::without_adb_as(2, |settings| {
        format!(
            "{settings}[webhooks]\nallow = [\"127.0.0.1\"]\ntimeout_s = 1\nretry_s = [1]\ngive_up_s = {give_up_s}\n"
        )
    })
}

fn hook(api: &Api, url: &str) -> (i64, String) {
    let created = api
        .post("/webhook", &json!({ "url": url, "events": ["task.created"] }))
        .ok();
    (
        created["id"].as_i64().unwrap(),
        created["secret"].as_str().unwrap().to_owned(),
    )
}

fn deliveries(api: &Api, id: i64, state: &str) -> Vec<Value> {
    let answer = api.get(&format!("/webhook/{id}/deliveries?state={state}")).ok();
    answer["items"].as_array().unwrap().clone()
}

fn await_deliveries(api: &Api, id: i64, state: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} messages of webhook {id} are {state}"), TASK, || {
        let found = deliveries(api, id, state);
        (found.len() >= count).then_some(found)
    })
}

fn is_signed(got: &Got, secret: &str) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!(
        "{}.{}.{}",
        got.headers["webhook-id"], got.headers["webhook-timestamp"], got.body
    );
    let signature = got.headers["webhook-signature"].strip_prefix("v1,").unwrap();
    let tag = BASE64_STANDARD.decode(signature).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes(), &tag).is_ok()
}

#[test]
fn f30_targets_that_are_down_fail_hang_redirect_or_never_end_hold_nobody_up() {
    let farm = farm(10);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-2", "tiktok", "busy");
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let target = Target::start();
    // Nobody serves port 1 of a host where tests run.
    let closed = "127.0.0.1:1";
    let (well, secret) = hook(&api, &target.url("well"));
    let bad = ["failing", "slow", "elsewhere"].map(|path| hook(&api, &target.url(path)).0);
    let down = hook(&api, &format!("http://{closed}/")).0;
    let endless = hook(&api, &target.url("endless")).0;
    let gone = hook(&api, &target.url("gone")).0;
    let mended = hook(&api, &target.url("mended")).0;

    for name in ["a", "b", "c"] {
        api.post("/task", &follow("sim-1", name)).ok();
    }
    let working = ids(&api.post("/task", &follow("sim-2", "somebody")).ok())[0];
    // While targets hang, tasks are worked on.
    farm.controller.await_status(working, 2);

    await_deliveries(&api, well, "delivered", 4);
    await_deliveries(&api, endless, "delivered", 4);
    for got in target.got("well") {
        assert!(is_signed(&got, &secret), "{got:?}");
        let body: Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!(
            (&body["type"], &body["topic"]),
            (&json!("task.created"), &json!("task"))
        );
    }
    for (id, told) in bad.into_iter().chain([down]).zip(["500", "imeout", "302", "onnect"]) {
        let dead = await_deliveries(&api, id, "dead", 4);
        let error = dead[0]["last_error"].as_str().unwrap();
        assert!(error.contains(told), "{id}: {error}");
        assert!(
            dead.iter().any(|delivery| delivery["attempts"].as_u64().unwrap() >= 2),
            "{dead:?}"
        );
        assert_eq!(api.get(&format!("/webhook/{id}")).ok()["dead"], 4);
    }
    assert!(target.got("trap").is_empty(), "a redirect was followed");
    let failing = target.got("failing");
    let first = &failing[0].headers["webhook-id"];
    assert!(failing.iter().filter(|got| got.headers["webhook-id"] == *first).count() >= 2);
    let off = api.get(&format!("/webhook/{gone}")).ok();
    assert_eq!(off["enabled"], false);
    assert!(off["remark"].as_str().unwrap().contains("410"), "{off}");

    // A dead message is sent again by hand once its target is mended.
    let dead = await_deliveries(&api, mended, "dead", 4)[0]["id"].clone();
    *target.mended.lock().unwrap() = true;
    let path = format!("/webhook/{mended}/deliveries/{dead}/resend");
    assert_eq!(api.post(&path, &json!({})).ok()["state"], "waiting");
    await_deliveries(&api, mended, "delivered", 1);
    api.post(&path, &json!({})).refused(40901);
    let test = api.post(&format!("/webhook/{well}/test"), &json!({})).ok();
    wait_for("the test message arrives", SOON, || {
        target
            .got("well")
            .iter()
            .any(|got| got.headers["webhook-id"] == test["message_id"])
            .then_some(())
    });
}

#[test]
fn a_target_that_is_gone_switches_its_own_url_off_and_not_the_one_that_came_after() {
    let farm = farm(86_400);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let target = Target::start();
    let id = hook(&api, &target.url("held")).0;
    api.post("/task", &follow("sim-1", "a")).ok();
    wait_for("a sending is under way", SOON, || {
        (!target.got("held").is_empty()).then_some(())
    });

    api.patch(&format!("/webhook/{id}"), &json!({ "url": target.url("well") }))
        .ok();
    *target.mended.lock().unwrap() = true;

    let delivered = await_deliveries(&api, id, "delivered", 1);
    assert_eq!(delivered[0]["attempts"], 2, "{delivered:?}");
    assert_eq!(target.got("well").len(), 1);
    let webhook = api.get(&format!("/webhook/{id}")).ok();
    assert_eq!((&webhook["enabled"], &webhook["remark"]), (&json!(true), &Value::Null));
}

#[test]
fn messages_outlive_a_kill_of_the_controller() {
    let mut farm = farm(86_400);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let target = Target::start();
    let id = hook(&api, &target.url("mended")).0;
    let created = api.post(
        "/task",
        &json!({
            "serials": ["sim-1"], "script_name": "follow", "script_config": { "target_users": ["a", "b", "c"] }
        }),
    );
    let created = ids(&created.ok());
    wait_for("a sending has failed", SOON, || {
        (!target.got("mended").is_empty()).then_some(())
    });

    farm.controller.kill();
    farm.controller.restart();
    *target.mended.lock().unwrap() = true;

    let delivered = await_deliveries(&api, id, "delivered", created.len());
    let mut subjects: Vec<_> = delivered
        .iter()
        .map(|delivery| delivery["payload"]["subject"].as_str().unwrap().to_owned())
        .collect();
    subjects.sort();
    let wanted: Vec<_> = created.iter().map(i64::to_string).collect();
    assert_eq!(subjects, wanted);
}

#[test]
fn a_webhook_into_the_own_network_is_refused_and_nothing_is_created() {
    let api = &shared().api;
    for url in [
        "http://127.0.0.1:50809/",
        "http://localhost/",
        "http://[::1]/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0x7f000001/",
        "ftp://example.com/",
        "nonsense",
    ] {
        let reply = api.post("/webhook", &json!({ "url": url }));
        assert_eq!(reply.faults(), ["url"], "{url}");
    }
    assert_eq!(api.get("/webhook").ok()["total"], 0);
}

#[test]
fn what_an_operator_or_a_client_must_not_ask_for_is_refused_whole() {
    let api = &shared().api;
    let before = api.get("/task/stats").ok()["total"].as_i64().unwrap();
    let targets: Vec<String> = (0..4_000).map(|number| format!("too{number}")).collect();
    let body = json!({
        "serials": ["sim-1", "sim-2", "sim-3"], "script_name": "follow", "script_config": { "target_users": targets }
    });
    let refused = api.post("/task", &body);
    assert_eq!(refused.code(), 40001, "{}", refused.text());
    assert!(refused.text().contains("10000"), "{}", refused.text());
    let limits = json!({ "username": "below.zero", "limits": { "post": { "per_hour": -1 } } });
    assert_eq!(api.post("/account", &limits).faults(), ["limits.post.per_hour"]);
    api.get("/account/below.zero").refused(40401);
    let retry = json!({ "script": "post", "created_after": "yesterday" });
    let mut faults = api.post("/task/retry-all", &retry).faults();
    faults.sort();
    assert_eq!(faults, ["created_after", "script"]);
    // Other tests create some at the same time, but not twelve thousand.
    let after = api.get("/task/stats").ok()["total"].as_i64().unwrap();
    assert!(after < before + 12_000, "{before} {after}");
}
