//! What every answer has in common.

use serde_json::json;

use crate::shared::shared;

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn unknown_paths_are_answered_in_the_envelope() {
    let api = &shared().api;

    for path in [
        "",
        "/",
        "/nope",
        "/task/",
        "/task/1/nope",
        "/task/stats/x",
        "/device//tap",
        "/%00",
        "/..%2f",
    ] {
        api.envelope("GET", path, &[], b"").refused(40401);
        api.envelope("POST", path, &[JSON], b"{}").refused(40401);
    }
}

#[test]
fn a_wrong_method_is_answered_with_those_that_are_allowed() {
    let api = &shared().api;

    for (method, path, allowed) in [
        ("PUT", "/task", vec!["GET", "POST"]),
        ("PATCH", "/task/1", vec!["GET", "DELETE"]),
        ("GET", "/task/1/stop", vec!["POST"]),
        ("GET", "/task/batch", vec!["DELETE"]),
        ("GET", "/task/retry-all", vec!["POST"]),
        ("DELETE", "/task/stats", vec!["GET"]),
        ("POST", "/device/sim-1", vec!["GET", "PATCH"]),
        ("PUT", "/account/x", vec!["GET", "PATCH", "DELETE"]),
        ("GET", "/material/1", vec!["DELETE"]),
        ("POST", "/license/check", vec!["GET"]),
    ] {
        let reply = api.envelope(method, path, &[JSON], b"{}");
        reply.refused(40501);
        let given = reply.header("allow").unwrap().split(", ").collect::<Vec<_>>();
        for method in &allowed {
            assert!(given.contains(method), "{path}: {given:?}");
        }
        assert_eq!(given.contains(&"HEAD"), allowed.contains(&"GET"), "{path}: {given:?}");
    }
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    let api = &shared().api;

    for path in [
        "/api/v1/task",
        "/api/v1/device/sim-1",
        "/health/live",
        "/docs",
        "/metrics",
        "/api/v1/events",
    ] {
        let reply = api.send("HEAD", path, &[], b"");
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.body.is_empty(), "{path}");
    }
    let reply = api.send("HEAD", "/api/v1/task/0", &[], b"");
    assert_eq!((reply.status, reply.body.len()), (404, 0));
}

#[test]
fn a_body_that_is_not_json_is_refused_with_its_place() {
    let api = &shared().api;

    for body in [
        "{\"serials\":",
        "{",
        "nonsense",
        "{\"a\":1}}",
        "[1,]",
        "{'a':1}",
        "NaN",
        "\u{feff}{}",
    ] {
        let reply = api.envelope("POST", "/task", &[JSON], body.as_bytes());
        assert_eq!(reply.faults(), ["body"], "{body}");
    }
    for body in ["[]", "null", "\"text\"", "5", "true", ""] {
        assert_eq!(
            api.envelope("POST", "/task", &[JSON], body.as_bytes()).faults(),
            ["body"],
            "{body}"
        );
    }
}

#[test]
fn a_body_of_another_type_is_refused() {
    let api = &shared().api;

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "x",
        "",
    ] {
        api.envelope("POST", "/task", &[("content-type", kind)], b"{}")
            .refused(41501);
    }
    api.envelope("POST", "/task", &[], b"{}").refused(41501);
    api.envelope("POST", "/task", &[JSON, ("content-encoding", "gzip")], b"{}")
        .refused(41501);
    api.envelope("POST", "/material", &[JSON], b"{}").refused(41501);
    let with_charset = ("content-type", "Application/JSON; charset=utf-8");
    api.envelope("POST", "/task", &[with_charset], b"{}").refused(40002);
}

#[test]
fn a_body_over_the_limit_is_refused_announced_or_not() {
    let api = &shared().api;
    let large = vec![b' '; 3 << 20];

    api.envelope("POST", "/task", &[JSON], &large).refused(41301);
    let mut chunked = format!("{:x}\r\n", large.len()).into_bytes();
    chunked.extend_from_slice(&large);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    api.envelope("POST", "/task", &[JSON, ("transfer-encoding", "chunked")], &chunked)
        .refused(41301);
}

#[test]
fn an_unknown_field_is_refused_with_the_nearest_known_one() {
    let api = &shared().api;
    let body = json!({
        "serial": ["sim-1"], "serials": ["sim-1"], "script_name": "post", "script_config": { "caption": "hi" }
    });

    let reply = api.post("/task", &body);
    assert_eq!(reply.faults(), ["serial", "script_config.caption"]);
    let errors = reply.data()["errors"].clone();
    assert!(errors[0]["message"].as_str().unwrap().contains("serials"), "{errors}");
    assert!(errors[1]["message"].as_str().unwrap().contains("captions"), "{errors}");
}

#[test]
fn a_nul_is_refused_wherever_it_stands() {
    let config = json!({ "captions": "a\0b" });
    let body = json!({ "serials": ["sim-1"], "script_name": "post", "script_config": config });
    assert_eq!(shared().api.post("/task", &body).faults(), ["script_config.captions"]);
    let body = json!({ "serials": ["sim-1", "a\0"], "script_name": "post", "script_config": {} });
    assert_eq!(shared().api.post("/task", &body).faults(), ["serials[1]"]);
}

#[test]
fn a_valid_request_id_is_kept_and_another_is_replaced() {
    let api = &shared().api;
    let long = "x".repeat(300);

    let kept = api.envelope("GET", "/task/stats", &[("X-Request-Id", "job-17.a_b")], b"");
    assert_eq!(kept.header("x-request-id"), Some("job-17.a_b"));
    let refused = api.envelope("GET", "/nope", &[("X-Request-Id", "job-18")], b"");
    assert_eq!(refused.header("x-request-id"), Some("job-18"));
    for bad in ["", "a b", &long] {
        let reply = api.envelope("GET", "/task/stats", &[("X-Request-Id", bad)], b"");
        assert_ne!(reply.header("x-request-id"), Some(bad));
    }
    let one = api.get("/task/stats");
    assert_ne!(
        one.header("x-request-id"),
        api.get("/task/stats").header("x-request-id")
    );
}

#[test]
fn answers_outside_of_the_api_carry_a_request_id_too() {
    let api = &shared().api;

    for path in [
        "/health/live",
        "/health/ready",
        "/health/startup",
        "/docs",
        "/metrics",
        "/",
        "/nope",
    ] {
        let reply = api.send("GET", path, &[], b"");
        assert!(reply.header("x-request-id").is_some(), "{path}");
    }
    assert_eq!(api.send("GET", "/nope", &[], b"").json()["code"], 40401);
}

/// As clients send it that do not know the length of what they have.
#[test]
fn an_empty_body_in_chunks_is_no_body_whatever_its_type() {
    let api = &shared().api;
    for path in ["/task/999999/stop", "/task/999999/retry", "/schedule/999999/run"] {
        let reply = api.envelope("POST", path, &[("transfer-encoding", "chunked")], b"0\r\n\r\n");
        assert_eq!(reply.code(), 40401, "{path}");
    }
    let text = api.envelope(
        "POST",
        "/task/999999/stop",
        &[("transfer-encoding", "chunked")],
        b"1\r\nx\r\n0\r\n\r\n",
    );
    assert_eq!(text.code(), 41501);
}
