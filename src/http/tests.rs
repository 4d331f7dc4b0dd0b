//! The API as a whole: the table, the envelope, the door, keys and plans.

use std::{collections::BTreeSet, net::SocketAddr, ops::RangeInclusive, time::Duration};

use actix_web::{dev::Server, test::TestRequest};
use farmhand_actors::{
    domain::{Event, EventTopic, NewEvent, TaskState},
    ports::StoreError,
    router::RouterError,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Check, Health, HttpSettings, Listener, api_table,
    auth::{AuthMode, new_key},
    docs::OPENAPI,
    license::{License, Plan},
    plain_table,
    ports::{EventPage, KeyRecord},
    serve,
    testing::{Api, at, document, now, operations, task},
};

fn table() -> BTreeSet<(String, String)> {
    let api = api_table()
        .into_iter()
        .map(|(path, verbs)| (format!("/api/v1{}", path.replace(":.+", "")), verbs));
    let plain = plain_table().into_iter().map(|(path, verbs)| (path.to_owned(), verbs));
    api.chain(plain)
        .flat_map(|(path, verbs)| {
            verbs
                .into_iter()
                .map(move |(method, _)| (path.clone(), method.to_owned()))
        })
        .chain([("/metrics".to_owned(), "GET".to_owned())])
        .collect()
}

#[test]
fn the_openapi_document_names_exactly_the_routes_there_are() {
    let document = document();
    let documented: BTreeSet<_> = operations(&document).into_keys().collect();

    assert_eq!(documented, table());
}

#[test]
fn every_reference_of_the_openapi_document_leads_somewhere() {
    let document = document();
    let references = OPENAPI
        .split("\"$ref\": \"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap());

    let dangling: Vec<_> = references
        .filter(|pointer| document.pointer(pointer).is_none())
        .collect();

    assert_eq!(dangling, Vec::<&str>::new());
    assert!(!OPENAPI.contains("</"), "the document is embedded into a page");
    let ids: Vec<_> = operations(&document)
        .into_values()
        .map(|operation| operation["operationId"].to_string())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[actix_web::test]
async fn an_unknown_path_and_a_wrong_method_are_answered_in_the_envelope() {
    let api = Api::new();

    let unknown = api.get("/api/v1/nothing").await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (404, 40401));
    for path in ["/api/v1", "/api/v1/", "/api/v1/task/", "/nothing"] {
        assert_eq!(api.get(path).await.code(), 40401, "{path}");
    }
    let wrong = api
        .send(TestRequest::put().uri("/api/v1/task").set_json(json!({})))
        .await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.code(), wrong.header("allow")),
        (405, 40501, "GET, HEAD, POST")
    );
    assert_eq!(
        api.post("/api/v1/task/stats", json!({})).await.header("allow"),
        "GET, HEAD"
    );
}

#[actix_web::test]
async fn a_parameter_that_is_not_taken_is_refused_wherever_something_is_read() {
    let api = Api::new();

    for path in [
        "/device",
        "/device/device_serial_1",
        "/device/device_serial_1/hierarchy",
        "/account",
        "/account/user1",
        "/material",
        "/script",
        "/supervisor",
        "/task/stats",
        "/task/1",
        "/schedule",
        "/webhook",
        "/license/check",
    ] {
        let refused = api.get(&format!("/api/v1{path}?pgae=1")).await;
        assert_eq!(
            (refused.code(), refused.faults()),
            (40001, vec!["pgae".to_owned()]),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_body_that_cannot_be_read_is_answered_in_the_envelope() {
    let api = Api::with_settings(HttpSettings {
        max_body: 100,
        ..HttpSettings::default()
    });
    let post = || TestRequest::post().uri("/api/v1/task");

    let malformed = api
        .send(
            post()
                .insert_header(("content-type", "application/json"))
                .set_payload("{"),
        )
        .await;
    assert_eq!((malformed.code(), malformed.faults()), (40001, vec!["body".to_owned()]));
    let large = api.send(post().set_json(json!({"script_name": "x".repeat(200)}))).await;
    assert_eq!((large.status.as_u16(), large.code()), (413, 41301));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
    ] {
        let typed = api
            .send(
                post()
                    .insert_header(("content-type", kind))
                    .insert_header(("content-length", "2"))
                    .set_payload("{}"),
            )
            .await;
        assert_eq!((typed.status.as_u16(), typed.code()), (415, 41501), "{kind}");
    }
    let zipped = post().insert_header(("content-encoding", "gzip")).set_json(json!({}));
    assert_eq!(
        api.send(zipped.insert_header(("content-length", "2"))).await.code(),
        41501
    );
    assert_eq!(api.send(post()).await.code(), 40001);
    let list = api.post("/api/v1/task", json!([])).await;
    assert_eq!(list.code(), 40001);
}

#[actix_web::test]
async fn a_request_id_is_kept_when_it_is_safe_and_made_when_it_is_not() {
    let api = Api::new();
    let ask = |id: &str| {
        TestRequest::get()
            .uri("/health/live")
            .insert_header(("x-request-id", id.to_owned()))
    };

    assert_eq!(api.send(ask("abc-123")).await.header("x-request-id"), "abc-123");
    let long = "x".repeat(128);
    assert_eq!(api.send(ask(&long)).await.header("x-request-id"), long);
    for bad in ["x".repeat(129), "a b".to_owned(), String::new(), "ü".to_owned()] {
        let made = api.send(ask(&bad)).await.header("x-request-id").to_owned();
        assert_ne!(made, bad);
        assert_eq!(made.len(), 26);
    }
}

#[actix_web::test]
async fn a_panic_is_answered_without_internals_and_the_next_request_is_served() {
    let api = Api::new();
    *api.reads.panics.lock().unwrap() = true;

    let reply = api
        .send(
            TestRequest::get()
                .uri("/api/v1/task/stats")
                .insert_header(("x-request-id", "r1")),
        )
        .await;

    assert_eq!((reply.status.as_u16(), reply.code()), (500, 50001));
    assert_eq!(
        reply.json(),
        json!({"code": 50001, "message": "internal error", "data": {"request_id": "r1"}})
    );
    *api.reads.panics.lock().unwrap() = false;
    assert_eq!(api.get("/api/v1/task/stats").await.code(), 0);
}

#[actix_web::test]
async fn faults_of_the_store_are_told_without_its_words() {
    let api = Api::new();
    let cases = [
        (StoreError::Away("locked by pid 7".to_owned()), 503, 50301),
        (StoreError::Full, 503, 50301),
        (StoreError::Broken("/secret/path".to_owned()), 500, 50001),
    ];

    for (error, status, code) in cases {
        *api.reads.fails.lock().unwrap() = Some(error.clone());
        let reply = api.get("/api/v1/task/1").await;
        assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{error:?}");
        assert!(!reply.data()["request_id"].is_null());
        assert_eq!(reply.header("retry-after").is_empty(), status == 500);
        assert!(!reply.json().to_string().contains("secret") && !reply.json().to_string().contains("pid"));
    }
}

#[actix_web::test]
async fn while_shutting_down_writes_are_refused_and_reads_are_answered() {
    let api = Api::new();
    api.health.start();
    assert_eq!(api.get("/health/ready").await.status, 200);

    api.health.drain();

    let write = api.post("/api/v1/task/1/stop", json!({})).await;
    assert_eq!((write.code(), write.header("retry-after")), (50301, "10"));
    assert_eq!(api.get("/api/v1/task/1").await.code(), 0);
    let ready = api.get("/health/ready").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json()["status"]),
        (503, &json!("draining"))
    );
}

#[actix_web::test]
async fn health_tells_what_is_wrong_and_readiness_counts_only_what_is_needed() {
    let failing = |name, required| Check {
        name,
        required,
        run: Box::new(|| Box::pin(async { Err("is away".to_owned()) })),
    };
    let with = |checks| Api::with(HttpSettings::default(), License::of(Plan::Pro), Health::new(checks));

    let degraded = with(vec![failing("adb", false)]);
    assert_eq!(degraded.get("/health/startup").await.status, 503);
    assert_eq!(degraded.get("/health/ready").await.json()["status"], "starting");
    degraded.health.start();
    assert_eq!(degraded.get("/health/startup").await.status, 200);
    let ready = degraded.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json()["checks"][0],
        json!({"name": "adb", "required": false, "ok": false, "problem": "is away"})
    );

    let broken = with(vec![failing("database", true)]);
    broken.health.start();
    assert_eq!(broken.get("/health/ready").await.status, 503);
    assert_eq!(broken.get("/health/live").await.status, 200);
}

#[actix_web::test]
async fn requests_of_foreign_hosts_and_origins_are_refused() {
    let api = Api::new();

    let host = api
        .send(
            TestRequest::get()
                .uri("/api/v1/task")
                .insert_header(("host", "evil.example")),
        )
        .await;
    assert_eq!((host.status.as_u16(), host.code()), (403, 40302));
    let origin = TestRequest::post()
        .uri("/api/v1/task/1/stop")
        .insert_header(("origin", "http://evil.example"));
    assert_eq!(api.send(origin).await.code(), 40302);
    assert_eq!(*api.tasks.asked.lock().unwrap(), Vec::<String>::new());
}

fn with_keys() -> (Api, [String; 3]) {
    let api = Api::with_settings(HttpSettings {
        auth: AuthMode::Keys,
        ..HttpSettings::default()
    });
    let keys = ["read", "write", "admin"].map(|scope| {
        let new = new_key();
        let record = KeyRecord {
            prefix: new.prefix,
            hash: new.hash,
            scopes: vec![scope.to_owned()],
            expires_at: Some(at("2027-01-01T00:00:00Z")),
            last_used: None,
        };
        api.reads.keys.lock().unwrap().push(record);
        new.key
    });
    (api, keys)
}

#[actix_web::test]
async fn without_a_right_key_nothing_below_the_api_is_told() {
    let (api, [read, ..]) = with_keys();
    let last = if read.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &read[..read.len() - 1]);

    for path in ["/api/v1/task", "/api/v1/nothing", "/api/v1/openapi.json", "/metrics"] {
        assert_eq!(api.get(path).await.status, 401, "{path}");
    }
    for key in [wrong.as_str(), "farm_live_00000000_00", "nonsense", "", "farm_live_"] {
        let reply = api
            .send(TestRequest::get().uri("/api/v1/task").insert_header(("x-api-key", key)))
            .await;
        assert_eq!((reply.status.as_u16(), reply.code()), (401, 40101), "{key}");
    }
    for path in ["/", "/docs", "/health/live"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    api.reads
        .keys
        .lock()
        .unwrap()
        .iter_mut()
        .for_each(|key| key.expires_at = Some(now()));
    let expired = TestRequest::get()
        .uri("/api/v1/task")
        .insert_header(("x-api-key", read));
    assert_eq!(api.send(expired).await.code(), 40101);
}

#[actix_web::test]
async fn a_key_may_do_what_its_scope_says() {
    let (api, [read, write, admin]) = with_keys();
    let ask = |request: TestRequest, key: &str| request.insert_header(("authorization", format!("Bearer {key}")));
    let list = || TestRequest::get().uri("/api/v1/task");
    let stop = || TestRequest::post().uri("/api/v1/task/2/stop");
    let shell = || {
        TestRequest::post()
            .uri("/api/v1/device/device_serial_1/shell")
            .set_json(json!({"command": ["id"]}))
    };
    let flow = || {
        TestRequest::post()
            .uri("/api/v1/device/device_serial_1/flow")
            .set_json(json!({"main": "x.yaml", "files": {"x.yaml": "text"}}))
    };

    for (request, scope, key, code) in [
        (list(), "read", &read, 0),
        (stop(), "read", &read, 40302),
        (shell(), "read", &read, 40302),
        (list(), "write", &write, 0),
        (stop(), "write", &write, 0),
        (shell(), "write", &write, 40302),
        (flow(), "write", &write, 40302),
        (list(), "admin", &admin, 0),
        (stop(), "admin", &admin, 0),
        (shell(), "admin", &admin, 0),
        (flow(), "admin", &admin, 0),
    ] {
        assert_eq!(api.send(ask(request, key)).await.code(), code, "{scope}");
    }
    assert!(!api.reads.touched.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn who_guesses_keys_is_held_off() {
    let (api, [read, ..]) = with_keys();
    let guess = |key: &str, peer: &str| {
        let request = TestRequest::get()
            .uri("/api/v1/task")
            .insert_header(("x-api-key", key.to_owned()));
        request.peer_addr(peer.parse().unwrap())
    };

    for _ in 0..10 {
        assert_eq!(api.send(guess("farm_live_0_0", "192.0.2.1:9")).await.code(), 40101);
    }

    let held = api.send(guess("farm_live_0_0", "192.0.2.1:10")).await;
    assert_eq!((held.status.as_u16(), held.code()), (429, 42901));
    assert!(!held.header("retry-after").is_empty());
    assert_eq!(api.send(guess("farm_live_0_0", "192.0.2.2:9")).await.code(), 40101);
    assert_eq!(
        api.send(guess(&read, "192.0.2.1:10")).await.code(),
        0,
        "a right key of a neighbour's"
    );
}

#[actix_web::test]
async fn the_starter_plan_has_no_api() {
    let api = Api::with(HttpSettings::default(), License::of(Plan::Starter), Health::default());

    let check = api.get("/api/v1/license/check").await;

    assert_eq!((check.status.as_u16(), check.code()), (403, 40301));
    assert_eq!(check.data()["plan_name"], "Starter");
    assert_eq!(check.data()["api_enabled"], false);
    for path in ["/api/v1/task", "/api/v1/nothing", "/api/v1/openapi.json"] {
        assert_eq!(api.get(path).await.code(), 40301, "{path}");
    }
    assert_eq!(api.get("/docs").await.status, 200);
}

#[actix_web::test]
async fn the_license_check_shows_the_plan() {
    let data = Api::new().get("/api/v1/license/check").await.data();

    let wanted = json!({"plan_name": "Pro", "api_enabled": true, "device_limit": 20, "message": "API access enabled"});
    assert_eq!(data, wanted);
}

#[actix_web::test]
async fn pages_load_nothing_from_elsewhere() {
    let api = Api::new();

    for path in ["/", "/docs"] {
        let page = api.get(path).await;
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        for foreign in ["src=\"http", "href=\"http", "url(", "import "] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    let docs = String::from_utf8(api.get("/docs").await.body.to_vec()).unwrap();
    assert!(docs.contains("\"openapi\": \"3.1.0\""));
}

#[actix_web::test]
async fn scripts_and_actors_are_shown() {
    let api = Api::new();

    assert_eq!(api.get("/api/v1/script").await.data()["items"][1]["name"], "post");
    let tree = api.get("/api/v1/supervisor").await.data();
    assert_eq!(tree["items"][0]["parent"], Value::Null);
    assert_eq!(tree["items"][1]["parent"], "supervisor");
    assert_eq!(
        api.post("/api/v1/supervisor/device/device_serial_1/restart", json!({}))
            .await
            .code(),
        0
    );
    assert_eq!(
        api.post("/api/v1/supervisor/device/nobody/restart", json!({}))
            .await
            .code(),
        40401
    );
}

#[actix_web::test]
async fn evidence_is_served_from_its_folder_only() {
    let api = Api::new();
    let folder = api.folder.path().join("evidence/2");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("1.png"), b"png").unwrap();
    std::fs::write(api.folder.path().join("secret"), b"secret").unwrap();

    let shot = api.get("/api/v1/evidence/2/1.png").await;
    assert_eq!(
        (shot.header("content-type"), shot.body.as_ref()),
        ("image/png", b"png".as_slice())
    );
    for path in [
        "../secret",
        "2/../../secret",
        "%2e%2e/secret",
        "..%2fsecret",
        "2/2.png",
        "2",
    ] {
        assert_eq!(
            api.get(&format!("/api/v1/evidence/{path}")).await.code(),
            40401,
            "{path}"
        );
    }
}

#[actix_web::test]
async fn what_the_router_cannot_do_is_told_by_its_code() {
    let api = Api::new();
    let wrong_state = RouterError::WrongState {
        task: task(1, TaskState::Failed).id,
        state: TaskState::Completed,
        mend: "nothing",
    };

    for (error, code) in [
        (RouterError::NotFound(task(1, TaskState::Failed).id), 40401),
        (wrong_state, 40901),
        (RouterError::Away, 50301),
        (RouterError::TimedOut, 50301),
        (RouterError::Store(StoreError::Full), 50301),
        (RouterError::Store(StoreError::Broken("x".to_owned())), 50001),
    ] {
        *api.tasks.fails.lock().unwrap() = Some(error.clone());
        assert_eq!(
            api.post("/api/v1/task/1/retry", json!({})).await.code(),
            code,
            "{error:?}"
        );
    }
}

/// A real server at any free port.
async fn serve_anywhere(api: &Api) -> (Server, SocketAddr) {
    let settings = HttpSettings {
        port: 0,
        ..HttpSettings::default()
    };
    let listener = Listener::bind(&settings).unwrap();
    let address = listener.address();
    let server = serve(api.app.state.clone(), settings, listener).await.unwrap();
    (server, address)
}

#[actix_web::test]
async fn the_server_listens_where_it_is_told_and_not_openly_without_keys() {
    let api = Api::new();
    let state = api.app.state.clone();
    let settings = HttpSettings {
        port: 0,
        ..HttpSettings::default()
    };

    let listener = Listener::bind(&settings).unwrap();
    let address = listener.address();
    let server = serve(state, settings.clone(), listener).await.unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);

    assert!(address.ip().is_loopback() && address.port() != 0);
    let taken = Listener::bind(&HttpSettings {
        port: address.port(),
        ..settings.clone()
    });
    let taken = taken.unwrap_err().to_string();
    assert!(taken.contains("http.port") && taken.contains("already"), "{taken}");
    let open = Listener::bind(&HttpSettings {
        host: "0.0.0.0".to_owned(),
        ..settings
    });
    assert!(open.unwrap_err().to_string().contains("auth.mode"));
    handle.stop(false).await;
    running.await.unwrap().unwrap();
}

/// Sends bytes to a real server and reads its answer until it closes the connection or `until` was seen.
async fn exchange(address: SocketAddr, request: &[u8], until: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before all was sent.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let mut piece = [0_u8; 4096];
    let read = async {
        loop {
            match stream.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(length) => answer.extend_from_slice(&piece[..length]),
            }
            if String::from_utf8_lossy(&answer).contains(until) {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the server answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[actix_web::test]
async fn a_real_server_survives_panics_and_refuses_endless_bodies() {
    let api = Api::new();
    let (server, address) = serve_anywhere(&api).await;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);

    *api.reads.panics.lock().unwrap() = true;
    let get = b"GET /api/v1/task/stats HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let panicked = exchange(address, &get.repeat(2), "\"code\":50001").await;
    *api.reads.panics.lock().unwrap() = false;
    let next = exchange(address, get, "failed\":4").await;
    let head = "POST /api/v1/task HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let announced = exchange(
        address,
        format!("{head}content-length: 9999999999\r\n\r\n").as_bytes(),
        "41301",
    )
    .await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    let endless = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(3));
    let endless = exchange(address, endless.as_bytes(), "41301").await;

    assert!(
        panicked.starts_with("HTTP/1.1 500") && panicked.contains("x-request-id"),
        "{panicked}"
    );
    assert!(next.starts_with("HTTP/1.1 200"), "{next}");
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    assert!(endless.starts_with("HTTP/1.1 413"), "{endless}");
    handle.stop(false).await;
    running.await.unwrap().unwrap();
}

#[actix_web::test]
async fn followers_get_every_event_in_order_and_are_told_of_what_is_gone() {
    let api = Api::new();
    let tell = |seqs: std::ops::RangeInclusive<i64>, oldest_retained| {
        let head = *seqs.end();
        let events = seqs.map(event).collect();
        *api.reads.events.lock().unwrap() = EventPage {
            events,
            oldest_retained,
        };
        api.reads.newest.send_replace(head);
    };
    tell(5..=7, 5);
    let (server, address) = serve_anywhere(&api).await;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let follow = |last: &str| {
        let header = if last.is_empty() {
            String::new()
        } else {
            format!("last-event-id: {last}\r\n")
        };
        format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n{header}\r\n")
    };

    let resumed = exchange(address, follow("5").as_bytes(), "id: 7").await;
    let late = exchange(address, follow("2").as_bytes(), "id: 7").await;
    let ahead = exchange(address, follow("99").as_bytes(), "event: gap").await;
    let wrong = exchange(address, follow("x").as_bytes(), "40001").await;

    assert!(resumed.contains("text/event-stream"), "{resumed}");
    assert!(
        !resumed.contains("id: 5\n") && resumed.find("id: 6\n") < resumed.find("id: 7\n"),
        "{resumed}"
    );
    assert!(
        late.contains("id: 4\nevent: gap\ndata: {\"after\":2,\"until\":4}\n\n"),
        "{late}"
    );
    assert!(late.contains("id: 5\nevent: task\ndata: {"), "{late}");
    assert!(ahead.contains("event: gap"), "{ahead}");
    assert!(wrong.starts_with("HTTP/1.1 400"), "{wrong}");
    handle.stop(false).await;
    running.await.unwrap().unwrap();
}

#[actix_web::test]
async fn a_new_follower_gets_what_happens_from_then_on() {
    let api = Api::new();
    tell(&api, 5..=7);
    let (server, address) = serve_anywhere(&api).await;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);

    let follow = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let follower = tokio::spawn(async move { exchange(address, follow.as_bytes(), "id: 9\n").await });
    while api.reads.newest.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    tell(&api, 5..=8);
    tell(&api, 5..=9);
    let seen = follower.await.unwrap();

    assert!(
        !seen.contains("id: 7\n") && seen.find("id: 8\n") < seen.find("id: 9\n"),
        "{seen}"
    );
    handle.stop(false).await;
    running.await.unwrap().unwrap();
}

#[actix_web::test]
async fn the_end_of_the_server_ends_the_streams_of_its_followers() {
    let api = Api::new();
    let (server, address) = serve_anywhere(&api).await;
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let follow = "GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let follower = tokio::spawn(async move { exchange(address, follow.as_bytes(), "0\r\n\r\n").await });
    while api.reads.newest.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }

    api.health.drain();
    let stopped = tokio::time::timeout(Duration::from_secs(3), handle.stop(true)).await;

    assert!(stopped.is_ok(), "the follower held the server up");
    assert!(follower.await.unwrap().ends_with("0\r\n\r\n"));
    running.await.unwrap().unwrap();
}

fn tell(api: &Api, seqs: RangeInclusive<i64>) {
    let (oldest_retained, head) = (*seqs.start(), *seqs.end());
    *api.reads.events.lock().unwrap() = EventPage {
        events: seqs.map(event).collect(),
        oldest_retained,
    };
    api.reads.newest.send_replace(head);
}

fn event(seq: i64) -> Event {
    let event = NewEvent {
        topic: EventTopic::Task,
        kind: "task.completed".to_owned(),
        subject: seq.to_string(),
        data: json!({"text": "two\nlines"}),
    };
    Event { seq, at: now(), event }
}
