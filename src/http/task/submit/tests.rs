use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::http::testing::{FakeScripts, at, now, serial, username};

fn asked() -> Asked {
    Asked {
        source: Source::Api,
        idempotency: None,
        now: Now {
            wall: now(),
            mono: std::time::Duration::ZERO,
        },
        zone: TimeZone::get("Europe/Warsaw").unwrap(),
    }
}

fn parse_body(body: &Value) -> Result<SubmitTasks, ApiError> {
    futures_util::FutureExt::now_or_never(parse(body, asked(), &FakeScripts)).unwrap()
}

/// A good body with some fields changed.
fn with(changes: Value) -> Value {
    let mut body = json!({"serials": ["a"], "script_name": "post", "script_config": {}});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn faults(body: &Value) -> Vec<String> {
    match parse_body(body).unwrap_err() {
        ApiError::Invalid(faults) => faults.into_iter().map(|fault| fault.field).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_published_example_is_taken() {
    let body = json!({
        "serials": ["device_serial_1"],
        "script_name": "post",
        "script_config": {
            "content_type": 0,
            "captions": "Check out my new video! #viral #fyp",
            "material_list": ["C:/Videos/video1.mp4"],
            "upload_wait_time": 60
        }
    });

    let submit = parse_body(&body).unwrap();

    assert_eq!(submit.target, SubmitTarget::Devices(vec![serial("device_serial_1")]));
    assert_eq!(submit.script.as_str(), "post");
    assert_eq!(*submit.configs[0], body["script_config"]);
    assert_eq!(
        (submit.scheduled_at, submit.interval_minutes, submit.priority),
        (None, None, 0)
    );
    assert_eq!(submit.warnings, ["a file is not there yet"]);
}

#[test]
fn every_field_is_taken() {
    let submit = parse_body(&json!({
        "serials": ["b", "a", "b", " a "],
        "script_name": "follow",
        "script_config": {"target_users": ["x", "y"]},
        "enable_multi_account": true,
        "start_time": "14:30",
        "min_interval": 1,
        "max_interval": 5.0,
        "priority": -10,
    }))
    .unwrap();

    assert_eq!(submit.target, SubmitTarget::Devices(vec![serial("b"), serial("a")]));
    assert_eq!(submit.configs.len(), 2);
    assert!(submit.enable_multi_account);
    assert_eq!(submit.start_time.as_deref(), Some("14:30"));
    // 14:30 in Warsaw; DST and the rest are held by the tests of the schedule itself.
    assert_eq!(submit.scheduled_at, Some(at("2026-11-23T13:30:00Z")));
    assert_eq!((submit.interval_minutes, submit.priority), (Some((1, 5)), -10));
}

#[test]
fn usernames_are_compared_without_at_and_case_and_win_over_serials() {
    let submit = parse_body(&with(json!({
        "usernames": ["@Anna", "anna", " ", "@", "", "BOB"],
        "enable_multi_account": true,
    })))
    .unwrap();

    assert_eq!(
        submit.target,
        SubmitTarget::Accounts(vec![username("anna"), username("bob")])
    );
    assert!(!submit.enable_multi_account);
    assert!(
        submit
            .warnings
            .iter()
            .any(|warning| warning.contains("both serials and usernames"))
    );
    assert!(
        submit
            .warnings
            .iter()
            .any(|warning| warning.contains("enable_multi_account"))
    );
}

#[test]
fn a_list_in_which_nothing_counts_is_as_good_as_none() {
    for usernames in [json!([]), json!(null), json!(["", " @ "])] {
        let submit = parse_body(&with(json!({"usernames": usernames})));
        if usernames == json!(["", " @ "]) {
            assert!(submit.is_ok(), "{submit:?}");
        } else {
            assert_eq!(submit.unwrap().target, SubmitTarget::Devices(vec![serial("a")]));
        }
    }
    for body in [
        json!({"serials": []}),
        json!({"serials": null}),
        json!({"serials": [], "usernames": [" "]}),
    ] {
        assert_eq!(faults(&with(body.clone())), ["serials"], "{body}");
    }
}

#[test]
fn one_wrong_field_is_named_by_its_path() {
    let cases = [
        (json!({"serials": "a"}), "serials"),
        (json!({"serials": [5]}), "serials[0]"),
        (json!({"serials": ["a", ""]}), "serials[1]"),
        (json!({"serials": ["a", "b c"]}), "serials[1]"),
        (json!({"serials": ["x".repeat(129)]}), "serials[0]"),
        (json!({"usernames": {"a": 1}}), "usernames"),
        (json!({"usernames": ["a", null]}), "usernames[1]"),
        (json!({"usernames": ["a b"]}), "usernames[0]"),
        (json!({"script_name": 5}), "script_name"),
        (json!({"script_config": null}), "script_config"),
        (json!({"script_config": []}), "script_config"),
        (json!({"script_config": "{}"}), "script_config"),
        (json!({"script_config": {"captions": 5}}), "script_config.captions"),
        (json!({"enable_multi_account": "true"}), "enable_multi_account"),
        (json!({"enable_multi_account": 1}), "enable_multi_account"),
        (json!({"start_time": ""}), "start_time"),
        (json!({"start_time": "24:00"}), "start_time"),
        (json!({"start_time": "9:30"}), "start_time"),
        (json!({"start_time": "09:60"}), "start_time"),
        (json!({"start_time": "09:30:00"}), "start_time"),
        (json!({"start_time": "+9:30"}), "start_time"),
        (json!({"start_time": 930}), "start_time"),
        (json!({"min_interval": -1}), "min_interval"),
        (json!({"max_interval": 1441}), "max_interval"),
        (json!({"min_interval": 1.5}), "min_interval"),
        (json!({"min_interval": 6, "max_interval": 5}), "min_interval"),
        (json!({"priority": 11}), "priority"),
        (json!({"source": "ui"}), "source"),
        (json!({"serial": ["a"]}), "serial"),
    ];

    for (changes, field) in cases {
        assert_eq!(faults(&with(changes.clone())), [field], "{changes}");
    }
}

#[test]
fn blank_serials_beside_accounts_do_not_count() {
    assert!(parse_body(&with(json!({"serials": [""], "usernames": ["anna"]}))).is_ok());
    assert_eq!(
        faults(&with(json!({"serials": [""], "usernames": [" "]}))),
        ["serials[0]"]
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let mut found = faults(&json!({
        "serials": [1, "ok"],
        "usernames": "x",
        "script_name": "post",
        "script_config": {"captions": 1},
        "enable_multi_account": "no",
        "start_time": "noon",
        "min_interval": -1,
        "max_interval": 99999,
        "priority": "high",
        "serails": [],
    }));

    found.sort();
    let wanted = [
        "enable_multi_account",
        "max_interval",
        "min_interval",
        "priority",
        "script_config.captions",
        "serails",
        "serials[0]",
        "start_time",
        "usernames",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn an_unknown_field_is_told_the_nearest_name() {
    let Err(ApiError::Invalid(faults)) = parse_body(&with(json!({"scriptName": "post"}))) else {
        panic!("taken");
    };

    assert_eq!(faults[0].message, "unknown field; did you mean \"script_name\"?");
}

#[test]
fn a_missing_script_comes_before_an_unknown_one_and_both_before_the_rest() {
    for name in [json!(null), json!(""), json!("  ")] {
        let error = parse_body(&with(json!({"script_name": name, "priority": 99}))).unwrap_err();
        assert!(
            matches!(&error, ApiError::NoScript(faults) if faults.len() == 1),
            "{name}: {error:?}"
        );
    }
    assert!(matches!(parse_body(&json!({})), Err(ApiError::NoScript(faults)) if faults.len() == 2));
    for name in ["dance", "../post", "POST", "po st"] {
        let error = parse_body(&with(json!({"script_name": name, "priority": 99}))).unwrap_err();
        let ApiError::UnknownScript { supported, faults, .. } = error else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(supported, ["follow", "post", "unfollow"]);
        assert_eq!(faults.len(), 1);
    }
}

#[test]
fn one_bound_of_the_interval_is_enough() {
    for (changes, wanted) in [
        (json!({"min_interval": 3}), Some((3, 3))),
        (json!({"max_interval": 3}), Some((0, 3))),
        (json!({"min_interval": 0, "max_interval": 0}), None),
        (json!({"min_interval": 1440, "max_interval": 1440}), Some((1440, 1440))),
    ] {
        assert_eq!(
            parse_body(&with(changes.clone())).unwrap().interval_minutes,
            wanted,
            "{changes}"
        );
    }
}

#[test]
fn an_idempotency_key_belongs_to_its_owner_and_hashes_what_a_body_means() {
    let body = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let hash = |text: &str| idempotency_key(b"k", None, &body(text)).unwrap().body_hash;

    assert_eq!(
        hash(r#"{"a": 1, "b": [1, {"c": 2}]}"#),
        hash(r#"{ "b":[1,{"c":2}],"a":1 }"#)
    );
    assert_ne!(hash(r#"{"a": 1}"#), hash(r#"{"a": "1"}"#));
    assert_ne!(hash(r#"{"a": [1, 2]}"#), hash(r#"{"a": [2, 1]}"#));
    assert_ne!(hash(r#"{"a": [[1], 2]}"#), hash(r#"{"a": [[1, 2]]}"#));
    let key = |owner: Option<&str>| idempotency_key(b"k", owner, &json!({})).unwrap().key;
    assert_ne!(key(Some("p1")), key(Some("p2")));
    for bad in [b"".as_slice(), b"a\tb", b"\xc3\xbc", b"a\x7f", &[b'x'; 256]] {
        assert!(idempotency_key(bad, None, &json!({})).is_err(), "{bad:?}");
    }
    assert_eq!(idempotency_key(b"order 7", None, &json!({})).unwrap().key, "order 7");
    assert!(idempotency_key(&[b'x'; 255], None, &json!({})).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{0,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_is_taken_or_refused_with_its_faults(
        values in proptest::collection::vec(any_json(), KNOWN.len()),
        present in proptest::collection::vec(any::<bool>(), KNOWN.len()),
    ) {
        let fields = KNOWN.iter().zip(values).zip(present).filter(|(_, present)| *present);
        let body = Value::Object(fields.map(|((name, value), _)| ((*name).to_owned(), value)).collect());

        match parse_body(&body) {
            Ok(submit) => prop_assert!(!submit.configs.is_empty()),
            Err(ApiError::Invalid(faults)) => prop_assert!(!faults.is_empty()),
            Err(ApiError::NoScript(_) | ApiError::UnknownScript { .. }) => {}
            Err(error) => prop_assert!(false, "{error:?}"),
        }
    }
}
