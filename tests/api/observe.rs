//! Health, metrics and the documents.

use crate::shared::shared;

#[test]
fn health_is_told_without_secrets() {
    let api = &shared().api;

    for path in ["/health/live", "/health/ready", "/health/startup"] {
        let reply = api.send("GET", path, &[], b"");
        assert_eq!(
            (reply.status, &reply.json()["status"]),
            (200, &serde_json::json!("ok")),
            "{path}"
        );
        assert!(
            !reply.text().contains("sqlite") && !reply.text().contains('/'),
            "{}",
            reply.text()
        );
    }
}

#[test]
fn the_metrics_are_prometheus_text() {
    let api = &shared().api;
    api.get("/task/stats").ok();

    let reply = api.send("GET", "/metrics", &[], b"");

    assert!(
        reply
            .header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let text = reply.text();
    for name in [
        "http_server_request_duration_seconds",
        "farmhand_devices",
        "farmhand_tasks",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn every_route_of_the_document_is_there_and_every_file_it_names() {
    let api = &shared().api;

    let document = api.send("GET", "/api/v1/openapi.json", &[], b"").json();

    let paths = document["paths"].as_object().unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.") && paths.len() > 30);
    for (path, verbs) in paths {
        let verbs = verbs.as_object().unwrap();
        let concrete: String = path
            .split('/')
            .map(|part| if part.starts_with('{') { "0" } else { part })
            .collect::<Vec<_>>()
            .join("/");
        let reply = api.send("TRACE", &concrete, &[], b"");
        assert_eq!(reply.status, 405, "{path} is not routed");
        let mut allowed: Vec<_> = reply
            .header("allow")
            .unwrap()
            .split(", ")
            .map(str::to_lowercase)
            .collect();
        allowed.retain(|method| method != "head");
        let mut told: Vec<_> = verbs.keys().filter(|verb| *verb != "parameters").cloned().collect();
        allowed.sort();
        told.sort();
        assert_eq!(allowed, told, "{path}");
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let docs = api.send("GET", "/docs", &[], b"");
    assert!(docs.header("content-type").unwrap().starts_with("text/html") && docs.body.len() > 1000);
    assert!(
        !docs.text().contains("src=\"http"),
        "the documents need no other server"
    );
}
