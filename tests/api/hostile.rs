//! Whatever is sent is answered, and never with a fault of the server's own.

use std::io::{Read, Write};

use crate::{
    harness::{SOON, wait_for},
    http::Api,
    shared::shared,
};

/// Every method and path that takes a body, with ids of nothing in the placeholders.
fn taking_bodies(api: &Api) -> Vec<(String, String)> {
    let document = api.send("GET", "/api/v1/openapi.json", &[], b"").json();
    let mut found = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for verb in verbs
            .as_object()
            .unwrap()
            .keys()
            .filter(|verb| matches!(verb.as_str(), "post" | "patch" | "delete"))
        {
            let parts = path
                .split('/')
                .map(|part| if part.starts_with('{') { "0" } else { part });
            found.push((verb.to_uppercase(), parts.collect::<Vec<_>>().join("/")));
        }
    }
    found
}

#[test]
fn hostile_bodies_are_refused_everywhere() {
    let api = &shared().api;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(5_000), close.repeat(5_000)).into_bytes();
    let bodies: Vec<Vec<u8>> = vec![
        deep("[", "]"),
        deep("{\"a\":", "}"),
        b"{\"a\":1e400}".to_vec(),
        b"{\"a\":-1e400,\"b\":123456789012345678901234567890}".to_vec(),
        b"{\"script_name\":\"post\",\"script_name\":\"follow\"}".to_vec(),
        b"{\"script_name\":\"\xff\xfe\"}".to_vec(),
        b"{\"script_name\":\"\\ud800\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"script_name\":\"\\u0000\"}".to_vec(),
        format!("{{\"script_name\":\"{}\"}}", "a".repeat(1 << 20)).into_bytes(),
        format!("{{\"{}\":1}}", "k".repeat(1 << 20)).into_bytes(),
        format!("{{\"serials\":[{}]}}", vec!["\"x\""; 200_000].join(",")).into_bytes(),
        b"\0\0\0\0".to_vec(),
    ];
    let routes = taking_bodies(api);
    assert!(routes.len() > 20);

    for (method, path) in routes {
        for (at, body) in bodies.iter().enumerate() {
            // The long ones are read by the same code everywhere: one path is enough for them.
            if body.len() > 500_000 && path != "/api/v1/task" {
                continue;
            }
            let reply = api.send(&method, &path, &[("content-type", "application/json")], body);
            let (status, text) = (reply.status, reply.text());
            assert!(
                status == 200 || (400..500).contains(&status),
                "{method} {path} {at}: {text}"
            );
            assert!(text.len() < 5000, "{method} {path} {at}: {} bytes back", text.len());
            let wanted = if status == 200 { 0 } else { i64::from(status) };
            assert_eq!(reply.code() / 100, wanted);
        }
    }
}

#[test]
fn hostile_names_in_paths_and_filters_are_never_a_fault_of_the_server() {
    let api = &shared().api;
    let long = "x".repeat(3000);
    let words = [
        "%00",
        "%0d%0aX-Evil:1",
        "..%2f..%2fetc%2fpasswd",
        "%27%20OR%201=1--",
        "%ff%fe",
        "%F0%9F%98%80",
        "%E2%80%AE",
        "%25s%25n",
        "$(id)",
        "%60id%60",
        "*",
        "%22",
        "\\",
        &long,
    ];

    for word in words {
        for path in [
            "/task/W",
            "/device/W",
            "/account/W",
            "/evidence/W",
            "/device/W/log",
            "/material/W",
        ] {
            let method = if path.starts_with("/material") { "DELETE" } else { "GET" };
            let reply = api.envelope(method, &path.replace('W', word), &[], b"");
            assert_eq!(reply.status, 404, "{path} {word}: {}", reply.text());
            assert!(reply.header("x-evil").is_none());
            assert!(reply.body.len() < 2000, "{path} {word}");
        }
        for filter in [
            "serial",
            "username",
            "script_name",
            "batch_id",
            "status",
            "page",
            "failure_reason",
            "nope",
        ] {
            let reply = api.envelope("GET", &format!("/task?{filter}={word}"), &[], b"");
            assert!(matches!(reply.status, 200 | 400), "{filter} {word}: {}", reply.text());
        }
    }
}

#[test]
fn an_endless_body_is_cut_off() {
    let api = &shared().api;
    let headers = [("content-type", "application/json"), ("transfer-encoding", "chunked")];
    let mut stream = api.open("POST", "/api/v1/task", &headers, b"");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();

    // 16 MiB at most: the answer must not wait for an end that never comes.
    let _ = (0..256).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("41301") {
        let read = stream.read(&mut part).unwrap_or_default();
        assert_ne!(read, 0, "no refusal: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
    }
    api.get("/task/stats").ok();
}

#[test]
fn what_is_not_http_is_refused_and_the_server_goes_on() {
    let api = &shared().api;

    for text in [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
    ] {
        let address = shared().farm.controller.base.trim_start_matches("http://").to_owned();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{text:?}: {answer}"
        );
    }
    wait_for("the server answers", SOON, || {
        (api.get("/task/stats").status == 200).then_some(())
    });
}
