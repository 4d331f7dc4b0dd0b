use serde_json::json;

use super::*;
use crate::flow::{model::FanOut, select::text::Pattern};

fn schema() -> Schema {
    Schema::compile(&json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["who"],
        "properties": {
            "who": { "type": "string", "minLength": 1 },
            "captions": { "type": "string", "default": "", "x-expand": true },
            "way": { "enum": ["share", "addButton", "useSound"], "default": "share" },
            "kind": { "type": "integer", "enum": [0, 1], "default": 0 },
            "volume": { "type": "integer", "minimum": 0, "maximum": 100, "default": 50 },
            "sound": { "type": ["string", "integer"], "default": "-1", "x-alias": ["music", "add_sound"] },
            "sound_name": { "type": "string", "default": "", "x-required-when": { "way": ["useSound"] } },
            "files": { "type": "array", "items": { "type": "string" }, "default": [] },
            "nested": {
                "type": "object", "default": {}, "additionalProperties": false,
                "properties": { "deep": { "type": "boolean", "default": true } },
            },
        },
    }))
    .unwrap()
}

fn faults(config: &Value) -> Vec<(String, String)> {
    let (_, errors) = schema().check(config);
    errors.into_iter().map(|error| (error.field, error.message)).collect()
}

/// One fault, of this field, with these words.
fn fault(config: &Value, field: &str, words: &[&str]) {
    let found = faults(config);
    assert_eq!(found.len(), 1, "{config}\n{found:#?}");
    assert_eq!(found[0].0, field);
    for word in words {
        assert!(found[0].1.contains(word), "`{word}` is not told of: {}", found[0].1);
    }
}

#[test]
fn defaults_are_filled_in_also_inside() {
    let (config, errors) = schema().check(&json!({"who": "a"}));
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(
        config,
        json!({"who": "a", "captions": "", "way": "share", "kind": 0, "volume": 50, "sound": "-1", "sound_name": "",
               "files": [], "nested": {"deep": true}})
    );
}

#[test]
fn each_fault_says_what_would_be_right() {
    fault(&json!([]), "script_config", &["must be an object"]);
    fault(&json!({}), "script_config.who", &["is required"]);
    fault(&json!({"who": ""}), "script_config.who", &["must not be empty"]);
    fault(
        &json!({"who": "a", "captons": "x"}),
        "script_config.captons",
        &["not a known field", "Did you mean `captions`?"],
    );
    fault(
        &json!({"who": "a", "zzz": 1}),
        "script_config.zzz",
        &["known are captions"],
    );
    fault(
        &json!({"who": "a", "kind": "one"}),
        "script_config.kind",
        &["must be one of 0, 1", "\"one\""],
    );
    fault(
        &json!({"who": "a", "volume": 101}),
        "script_config.volume",
        &["at most 100", "101"],
    );
    fault(
        &json!({"who": "a", "volume": "x"}),
        "script_config.volume",
        &["a whole number", "\"x\""],
    );
    fault(
        &json!({"who": "a", "way": "usesound"}),
        "script_config.way",
        &["\"share\"", "Did you mean `useSound`?"],
    );
    fault(
        &json!({"who": "a", "sound": []}),
        "script_config.sound",
        &["a text", "a whole number"],
    );
    fault(
        &json!({"who": "a", "files": ["a", 5]}),
        "script_config.files[1]",
        &["a text"],
    );
    fault(
        &json!({"who": "a", "nested": {"depp": 1}}),
        "script_config.nested.depp",
        &["`deep`"],
    );
    fault(
        &json!({"who": "a", "way": "useSound"}),
        "script_config.sound_name",
        &["is required when way is \"useSound\""],
    );
    fault(
        &json!({"who": "a", "way": "useSound", "sound_name": " "}),
        "script_config.sound_name",
        &["is required"],
    );
    fault(
        &json!({"who": "a", "sound": 1, "music": 2}),
        "script_config.music",
        &["another name of `sound`"],
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let found = faults(&json!({"volume": -1, "way": "x", "foo": 1, "bar": 2, "files": "no"}));
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    for field in ["who", "volume", "way", "foo", "bar", "files"] {
        assert!(
            fields.contains(&format!("script_config.{field}").as_str()),
            "{field}: {found:#?}"
        );
    }
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn other_names_are_accepted_and_renamed() {
    let (config, errors) = schema().check(&json!({"who": "a", "add_sound": 1}));
    assert!(errors.is_empty());
    assert_eq!(config["sound"], 1);
    assert!(config.get("add_sound").is_none());
}

#[test]
fn texts_are_chosen_by_the_seed_alone() {
    let config = json!({"who": "{a|b}", "captions": "{1|2|3|4|5|6|7|8}\n{x|y}"});
    let one = schema().expand(&config, 5);
    assert_eq!(one, schema().expand(&config, 5));
    assert_eq!(one["who"], "{a|b}", "only fields that say so are expanded");
    assert_eq!(one["captions"].as_str().unwrap().len(), 1);
}

#[test]
fn targets_become_one_config_each() {
    let rule = FanOut {
        matches: None,
        expects: None,
        params: vec!["target_users".to_owned(), "target_user".to_owned()],
        list: "target_users".to_owned(),
    };
    let config = json!({"target_users": ["@Anna", " ", "bob"], "target_user": "ANNA, cleo\n@dan,,", "x": 1});
    let configs = fan_out(&rule, &config).unwrap();
    let targets: Vec<&str> = configs
        .iter()
        .map(|config| config["target_user"].as_str().unwrap())
        .collect();
    assert_eq!(targets, ["anna", "bob", "cleo", "dan"]);
    assert_eq!(
        configs[2],
        json!({"target_users": ["cleo"], "target_user": "cleo", "x": 1})
    );

    for empty in [json!({}), json!({"target_users": ["@", ""], "target_user": " , "})] {
        let errors = fan_out(&rule, &empty).unwrap_err();
        assert_eq!(errors[0].field, "script_config.target_users");
        assert!(errors[0].message.contains("at least one target"), "{errors:?}");
    }
}

#[test]
fn what_cannot_be_a_target_is_refused_by_its_text() {
    let rule = FanOut {
        matches: Some(Pattern::new("[a-z.]+").unwrap()),
        expects: None,
        params: vec!["who".to_owned()],
        list: "who".to_owned(),
    };

    assert_eq!(fan_out(&rule, &json!({"who": ["@Anna", "b.c"]})).unwrap().len(), 2);
    let errors = fan_out(&rule, &json!({"who": ["anna", "a/../b", "@@dan"]})).unwrap_err();

    let told: Vec<_> = errors
        .iter()
        .map(|error| (error.field.as_str(), error.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                "script_config.who",
                "\"a/../b\" cannot be a target; one fits the pattern [a-z.]+"
            ),
            (
                "script_config.who",
                "\"@dan\" cannot be a target; one fits the pattern [a-z.]+"
            ),
        ]
    );

    let rule = FanOut {
        expects: Some("write a name".to_owned()),
        ..rule
    };
    let errors = fan_out(&rule, &json!({"who": ["a/b"]})).unwrap_err();
    assert_eq!(errors[0].message, "\"a/b\" cannot be a target; write a name");
}

#[test]
fn a_schema_says_all_that_is_wrong_with_it_and_where() {
    for (properties, told) in [
        (
            json!({"a": {"type": "strng"}}),
            vec![("/properties/a/type", "must be one of \"array\"")],
        ),
        (
            json!({"a": {"type": "integer", "default": "x"}}),
            vec![(
                "/properties/a/default",
                "the default does not fit: it must be a whole number, not \"x\"",
            )],
        ),
        (
            json!({"a": {"type": "array", "items": {"type": "string"}, "default": [1]}}),
            vec![("/properties/a/default", "the default does not fit: it must be a text")],
        ),
        (
            json!({
                "a": {"type": "text", "minimum": "x"},
                "b": {"maxLenght": 3, "x-alias": "c", "x-expand": 1, "x-required-when": {"aa": 1}},
                "c": {"$ref": "https://example.com/c.json"},
            }),
            vec![
                ("/properties/a/minimum", "must be a number, not \"x\""),
                ("/properties/a/type", "must be one of"),
                ("/properties/b/maxLenght", "Did you mean `maxLength`?"),
                ("/properties/b/x-alias", "must be a list of names"),
                ("/properties/b/x-expand", "must be true or false"),
                (
                    "/properties/b/x-required-when/aa",
                    "`aa` is none of the parameters. Did you mean `a`?",
                ),
                ("/properties/c/$ref", "must point into this schema"),
            ],
        ),
        (
            json!({"a": {"type": "integer", "default": "x"}, "ab": {"type": "strng"}}),
            vec![
                ("/properties/a/default", "the default does not fit"),
                ("/properties/ab/type", "must be one of"),
            ],
        ),
        (
            json!({"a": {"type": "string", "pattern": "["}, "b": {"type": "string", "pattern": "a("}}),
            vec![
                ("/properties/a/pattern", "\"[\" is no regular expression"),
                ("/properties/b/pattern", "\"a(\" is no regular expression"),
            ],
        ),
    ] {
        let schema = json!({"type": "object", "properties": properties, "required": ["a", "b"]});
        let mut faults = Schema::compile(&schema).unwrap_err();
        faults.sort_by(|one, other| one.pointer.cmp(&other.pointer));
        assert_eq!(faults.len(), told.len(), "{faults:#?}");
        for (fault, (pointer, words)) in faults.iter().zip(told) {
            assert_eq!(fault.pointer, pointer, "{fault:?}");
            assert!(fault.message.contains(words), "{fault:?}");
        }
    }
    // A default may be what somebody has to replace.
    let blank = json!({"type": "object", "properties": {"a": {"type": "string", "default": ""}}, "required": ["b"]});
    assert!(Schema::compile(&blank).is_ok());
}

#[test]
fn a_whole_number_is_one_however_json_writes_it() {
    let (config, errors) = schema().check(&json!({"who": "a", "kind": 1.0, "volume": 3e1}));

    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(config["kind"].as_i64(), Some(1));
    assert_eq!(config["volume"].as_i64(), Some(30));
}
