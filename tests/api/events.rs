//! `GET /api/v1/events`.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{
    harness::Farm,
    harness::follow,
    http::Api,
    shared::{PARKED, ids, shared},
};

/// One event: its id, its name, its data.
type Event = (i64, String, Value);

/// The events of a stream, as they come.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(api: &Api, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut lines = BufReader::new(api.open("GET", &format!("/api/v1/events{path}"), headers, b""));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.to_lowercase().contains("content-type: text/event-stream"),
            "{head}"
        );
        assert!(head.to_lowercase().contains("cache-control: no-"), "{head}");
        let mut stream = Self(lines);
        // What it is told first: from here on it misses nothing.
        stream.line("retry: ");
        stream
    }

    /// The rest of the next line that starts with `wanted`.
    fn line(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "the stream ended");
            if let Some(rest) = line.trim_end().strip_prefix(wanted) {
                return rest.to_owned();
            }
        }
    }

    fn next(&mut self) -> Event {
        let id = self.line("id: ").parse().unwrap();
        let name = self.line("event: ");
        (id, name, serde_json::from_str(&self.line("data: ")).unwrap())
    }

    /// All events up to the one that `last` accepts.
    fn until(&mut self, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next());
            if last(&events[events.len() - 1]) {
                return events;
            }
        }
    }
}

fn is_about(event: &Event, task: i64) -> bool {
    event.1 == "task" && event.2["subject"].as_str() == Some(&*task.to_string())
}

#[test]
fn changes_come_in_order_and_a_client_goes_on_where_it_was() {
    let farm = shared();
    let api = &farm.api;
    let mut stream = Stream::open(api, "", &[]);

    let [one, two] = [farm.pending(), farm.pending()];
    let name = farm.account(PARKED[1], "tiktok");
    api.patch(&format!("/device/{}", PARKED[1]), &json!({ "alias": "Seen" }))
        .ok();
    api.json("POST", &format!("/task/{two}/stop"), None).ok();
    let events = stream.until(|event| is_about(event, two) && event.2.to_string().contains("stopped"));

    assert!(events.is_sorted_by(|one, other| one.0 < other.0), "{events:?}");
    for (id, topic, data) in &events {
        assert_eq!((&data["seq"], &data["topic"]), (&json!(id), &json!(topic)));
        assert!(
            data["at"].as_str().is_some_and(|at| at.ends_with('Z')) && data["kind"].is_string(),
            "{data}"
        );
    }
    let first = events.iter().position(|event| is_about(event, one)).unwrap();
    assert!(first < events.iter().position(|event| is_about(event, two)).unwrap());
    assert!(
        events
            .iter()
            .any(|event| event.1 == "account" && event.2["subject"] == name),
        "{events:?}"
    );
    assert!(
        events
            .iter()
            .any(|event| event.1 == "device" && event.2["subject"] == PARKED[1]),
        "{events:?}"
    );

    let place = events[first].0.to_string();
    let last = events[events.len() - 1].0;
    for (path, headers) in [
        ("", vec![("Last-Event-ID", &*place)]),
        (&*format!("?last_event_id={place}"), vec![]),
    ] {
        let again = Stream::open(api, path, &headers).until(|event| event.0 == last);
        assert_eq!(again, events[first + 1..], "nothing is lost and nothing comes twice");
    }
}

#[test]
fn a_place_that_is_none_is_a_fault_and_one_of_another_database_a_gap() {
    let api = &shared().api;

    for wrong in ["x", "-1", "1.5", "99999999999999999999"] {
        assert_eq!(
            api.envelope("GET", "/events", &[("Last-Event-ID", wrong)], b"")
                .faults(),
            ["Last-Event-ID"]
        );
        assert_eq!(
            api.get(&format!("/events?last_event_id={wrong}")).faults(),
            ["last_event_id"]
        );
    }
    let (_, name, _) = Stream::open(api, "", &[("Last-Event-ID", "999999999")]).next();
    assert_eq!(name, "gap");
}

#[test]
fn a_client_that_was_away_over_a_restart_loses_nothing() {
    let mut farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    api.patch("/device/sim-1", &json!({ "enabled": false })).ok();
    let mut stream = Stream::open(&api, "", &[]);
    let first = ids(&api.post("/task", &follow("sim-1", "a")).ok())[0];
    let place = stream.until(|event| is_about(event, first))[0].0;
    let missed = ids(&api.post("/task", &follow("sim-1", "b")).ok())[0];

    farm.controller.kill();
    farm.controller.restart();

    let mut stream = Stream::open(&api, "", &[("Last-Event-ID", &place.to_string())]);
    let events = stream.until(|event| is_about(event, missed));
    assert!(
        events.iter().all(|event| event.1 != "gap" && event.0 > place),
        "{events:?}"
    );
}
