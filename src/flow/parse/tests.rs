use std::{collections::BTreeMap, path::PathBuf};

use proptest::prelude::*;

use super::{keys::COMMANDS, sources::Sources, *};
use crate::flow::model::{AccountFlow, Body, Command, SwipePath};

/// Flow files in memory.
#[derive(Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.as_bytes().to_vec());
        self
    }
}

impl Sources for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| format!("there is no file `{path}`"))
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        self.read(path).map(|_| PathBuf::from(path))
    }
}

fn parse(text: &str) -> Result<LoadedFlow, Vec<Problem>> {
    load(&Files::default().with("f.yaml", text), "f.yaml")
}

fn steps(text: &str) -> Result<LoadedFlow, Vec<Problem>> {
    parse(&format!("appId: a.b\n---\n{text}"))
}

fn problems(result: Result<LoadedFlow, Vec<Problem>>) -> Vec<String> {
    result.unwrap_err().iter().map(ToString::to_string).collect()
}

/// One fault is told, and it has these words and this place.
fn fault(text: &str, place: &str, words: &[&str]) {
    let found = problems(parse(text));
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    assert!(
        found[0].starts_with(&format!("f.yaml:{place}: ")),
        "{text}\n{}",
        found[0]
    );
    for word in words {
        assert!(found[0].contains(word), "`{word}` is not told of\n{text}\n{}", found[0]);
    }
}

#[test]
fn the_two_documents_are_wanted() {
    fault("", "1:1", &["Config Section Required"]);
    fault("- back\n", "1:1", &["Config Section Required"]);
    fault("appId: a.b\n", "1:1", &["Commands Section Required"]);
    fault("appId: a.b\n---\nback: x\n", "3:1", &["Commands Section Required"]);
    fault("name: x\n---\n- back\n", "1:1", &["Config Field Required", "appId"]);
    fault("appId: a.b\n---\n- back\n---\n- back\n", "5:1", &["third"]);
    fault("url: http://x\n---\n- back\n", "1:6", &["Not Supported: url"]);
    fault(
        "appId: a.b\njsEngine: rhino\n---\n- back\n",
        "2:11",
        &["Not Supported: jsEngine"],
    );
}

#[test]
fn wrong_commands_are_told_with_their_place_and_the_right_word() {
    for (step, place, words) in [
        (
            "- tapon: X",
            "3:3",
            &["Invalid Command: tapon", "Did you mean `tapOn`?"][..],
        ),
        ("- clearText", "3:3", &["Invalid Command", "eraseText"]),
        ("- inputRandom", "3:3", &["inputRandomText"]),
        ("- wait: 5", "3:3", &["extendedWaitUntil"]),
        ("- xyzzy", "3:3", &["Invalid Command: xyzzy"]),
        ("- tapOn", "3:3", &["Missing Command Options: tapOn"]),
        ("- tapOn:", "3:3", &["Missing Command Options: tapOn"]),
        ("- tapOn: X\n  inputText: Y", "4:3", &["second key"]),
        ("- - back", "3:3", &["list inside"]),
        ("-", "3:2", &["without a command"]),
        (
            "- assertVisible: { text: X, timout: 1 }",
            "3:29",
            &["Unknown Property: timout", "Did you mean `timeout`?"],
        ),
        (
            "- tapOn: { text: X, foo: 1 }",
            "3:21",
            &["Unknown Property: foo", "`tapOn` takes label, optional, text, id"],
        ),
        ("- swipe: { direction: UPP }", "3:23", &["Did you mean `UP`?"]),
        ("- setOrientation: portait", "3:19", &["Did you mean `"]),
        (
            "- swipe: { start: \"10,20\", end: \"90%,20%\" }",
            "3:3",
            &["both in pixels or both in percent"],
        ),
        (
            "- tapOn: { optional: true }",
            "3:3",
            &["Incorrect Format: tapOn", "selector"],
        ),
        ("- tapOn: [a]", "3:10", &["Incorrect Format: tapOn"]),
        ("- tapOn: { point: \"a,b\" }", "3:19", &["Incorrect Format: point"]),
        ("- pressKey: Entr", "3:13", &["unknown key name: `Entr`", "enter"]),
        ("- swipe: { direction: NORTH }", "3:23", &["UP, DOWN, LEFT, RIGHT"]),
        ("- swipe: { start: \"1,2\" }", "3:3", &["`start` and `end`"]),
        ("- repeat: { commands: [back] }", "3:3", &["never end"]),
        (
            "- repeat: { times: x, commands: [back] }",
            "3:20",
            &["Incorrect Format: times"],
        ),
        (
            "- runFlow: { when: { platform: Android } }",
            "3:3",
            &["needs `file` or `commands`"],
        ),
        ("- runFlow: { file: a.yaml, commands: [back] }", "3:3", &["not both"]),
        (
            "- runFlow: nowhere.yaml",
            "3:12",
            &["Invalid File Path", "nowhere.yaml"],
        ),
        ("- runFlow: ../x.yaml", "3:12", &["outside of the folder"]),
        ("- runFlow: /etc/passwd", "3:12", &["outside of the folder"]),
        (
            "- runFlow: \"${NAME}.yaml\"",
            "3:12",
            &["expressions do not work in file names"],
        ),
        ("- addMedia: [\"x.pdf\"]", "3:14", &["png, jpeg, jpg, gif, mp4"]),
        ("- addMedia: [\"x.png\"]", "3:14", &["Media File Not Found"]),
        (
            "- assertWithAI: { assertion: x }",
            "3:3",
            &["Not Supported: assertWithAI"],
        ),
        ("- tapOn: { css: x }", "3:17", &["Not Supported: css"]),
        (
            "- tapOn: { text: X, point: \"${output.x}%,50%\" }",
            "3:28",
            &["Incorrect Format: point", "expressions do not work there"],
        ),
        ("- tapOn: { point: \"-1,5\" }", "3:19", &["Incorrect Format: point"]),
        (
            "- swipe: { from: { id: a, point: here }, direction: UP }",
            "3:34",
            &["Incorrect Format: point"],
        ),
        (
            "- swipe: { start: \"50%,120%\", end: \"1,1\" }",
            "3:19",
            &["Incorrect Format: start"],
        ),
        ("- setOrientation: sideways", "3:19", &["orientation", "landscape_left"]),
        (
            "- inputText: \"${faker.name().firstName()}\"",
            "3:14",
            &["Not Supported: faker"],
        ),
        (
            "- runFlow: { commands: [back], env: { output: x } }",
            "3:39",
            &["Reserved Name: output"],
        ),
        (
            "- retry: { commands: [back], env: { __show: x } }",
            "3:37",
            &["Reserved Name: __show"],
        ),
        (
            "- tapOn: { anyOf: [A, B], index: 1 }",
            "3:34",
            &["Incorrect Format: index", "beside `anyOf`"],
        ),
        (
            "- tapOn: { text: X, containsDescendants: [{ anyOf: [A], enabled: true }] }",
            "3:66",
            &["`enabled` cannot stand beside `anyOf`"],
        ),
        ("- eraseText: many", "3:14", &["whole number"]),
        ("- setAirplaneMode: maybe", "3:20", &["enabled or disabled"]),
        (
            "- launchApp: { permissions: { camera: maybe } }",
            "3:39",
            &["allow, deny, unset"],
        ),
        ("- tapOn: { text: X, label: [a] }", "3:28", &["Incorrect Format: label"]),
        (
            "- tapOn: \"(a{1000}){1000}\"",
            "3:10",
            &["Invalid Regular Expression", "smaller"],
        ),
        ("- back: foo", "3:9", &["`back` takes no value: write `- back`"]),
        ("- scroll: UP", "3:11", &["`scroll` takes no value"]),
        ("- retry: 3", "3:10", &["`retry` must be a map of its options"]),
        ("- openBrowser", "3:3", &["Not Supported: openBrowser", "openLink"]),
        ("- openBrowser:", "3:3", &["Not Supported: openBrowser"]),
        ("- openBrowser: { url: x }", "3:3", &["Not Supported: openBrowser"]),
        ("- tapOn: { <<: { text: X }, id: a }", "3:12", &["merge key `<<`"]),
        ("- inputText: \"a\\0b\"", "3:14", &["NUL"]),
        (
            "- repeat: { times: 1001, commands: [back] }",
            "3:20",
            &["Incorrect Format: times", "from 0 to 1000"],
        ),
        ("- repeat: { times: 1.5, commands: [back] }", "3:20", &["whole number"]),
        ("- repeat: { while: {}, commands: [back] }", "3:3", &["never end"]),
        (
            "- retry: { maxRetries: 0.5, commands: [back] }",
            "3:24",
            &["maxRetries"],
        ),
        ("- inputRandomText: 1001", "3:20", &["length", "from 0 to 1000"]),
        (
            "- scrollUntilVisible: { element: X, speed: 101 }",
            "3:44",
            &["speed", "from 0 to 100"],
        ),
        ("- tapOn: { text: X, index: 0.5 }", "3:28", &["index", "whole number"]),
        (
            "- tapOn: { text: X, traits: tall }",
            "3:29",
            &["text, square, long-text"],
        ),
        (
            "- launchApp: { permissions: { camra: allow } }",
            "3:31",
            &["Did you mean `camera`?"],
        ),
        (
            "- launchApp: { permissions: { camera: alow } }",
            "3:39",
            &["Did you mean `allow`?"],
        ),
        (
            "- runFlow: { commands: [back], env: { 1C: x } }",
            "3:39",
            &["Invalid Name: 1C", "not beginning with a digit"],
        ),
        (
            "- inputText: \"${A} and {b}\"",
            "3:14",
            &["`A} and {b` is not JavaScript", "reaches to the last `}`"],
        ),
        (
            "- evalScript: |\n    const a = 1;\n    const b = ;",
            "4:5",
            &["`const a = 1;…` is not JavaScript", "(line 2, column 11 of it)"],
        ),
        (
            "- evalScript: \"${output.a = }\"",
            "3:15",
            &["`output.a =` is not JavaScript"],
        ),
        (
            "- assertTrue: \"${1 == 2\"",
            "3:15",
            &["is no expression", "cannot hold a `$`"],
        ),
        (
            "- assertTrue: \"${false && 'costs $5'}\"",
            "3:15",
            &["`${false && 'costs $5'}` is no expression"],
        ),
        (
            "- evalScript: \"output.y = 1; ${output.z = 2}\"",
            "3:15",
            &["`output.y = 1;` stands outside of the expression"],
        ),
        ("- evalScript: { script: \"a +\" }", "3:25", &["is not JavaScript"]),
        ("- tapOn: { text: X, timeout: 1e3 }", "3:30", &["whole number from 0"]),
        ("- tapOn: { text: X, timeout: -1 }", "3:30", &["whole number from 0"]),
        ("- launchApp: com x y", "3:14", &["Incorrect Format: appId", "blanks"]),
        ("- stopApp: { appId: \"\" }", "3:21", &["must not be empty"]),
        (
            "- runScript: \"${X}.js\"",
            "3:14",
            &["expressions do not work in file names"],
        ),
        (
            "- runFlow: { commands: [back], env: { class: x } }",
            "3:39",
            &["no word of JavaScript"],
        ),
        (
            "- runFlow: { commands: [back], env: { NaN: x } }",
            "3:39",
            &["no word of JavaScript"],
        ),
        ("- openLink: \"${A}\"", "3:3", &["the policy allows no links"]),
        (
            "- assertVisible: { text: X, resource-id: a }",
            "3:29",
            &["Did you mean `id`?"],
        ),
        ("- type: x", "3:3", &["Did you mean `inputText`?"]),
        ("- tapOn: {text: ${A}}", "3:18", &["in quotes"]),
        ("- tapOn: @user", "3:10", &["in quotes"]),
        ("- tapOn:\tx", "3:10", &["tab"]),
        (
            "- assertTrue: 1 == 2",
            "3:15",
            &["an expression: `${1 == 2}`", "every text counts as true"],
        ),
        (
            "- runFlow: { commands: [back], when: { true: output.a } }",
            "3:46",
            &["an expression: `${output.a}`"],
        ),
        ("- addMedia: []", "3:3", &["Missing Property: files"]),
        ("- takeScreenshot: \"\"", "3:19", &["Incorrect Format: path"]),
        ("- assertTrue: ${a} && ${b}", "3:15", &["nothing around it"]),
        (
            "- inputText: '{\"user\": \"${USER}\"}'",
            "3:14",
            &["is not JavaScript", "reaches to the last `}`"],
        ),
    ] {
        fault(&format!("appId: a.b\n---\n{step}\n"), place, words);
    }
}

#[test]
fn a_misspelt_key_is_told_also_where_the_command_cannot_be_read_without_it() {
    for (step, hints) in [
        (
            "- tapOn: { txt: OK, retryTapIfNoChnge: true }",
            &["text", "retryTapIfNoChange"][..],
        ),
        ("- extendedWaitUntil: { visble: x }", &["visible"]),
        ("- inputText: { txt: X }", &["text"]),
        ("- assertVisible: { below: { txt: x } }", &["text"]),
    ] {
        let told = problems(steps(&format!("{step}\n"))).join("\n");
        for hint in hints {
            assert!(told.contains(&format!("Did you mean `{hint}`?")), "{told}");
        }
    }
}

#[test]
fn all_faults_of_a_file_and_its_includes_are_told_at_once() {
    let files = Files::default()
        .with(
            "f.yaml",
            "appId: a.b\nenv: { A: }\n---\n- tapon: X\n- pressKey: Entr\n- runFlow: sub/s.yaml\n",
        )
        .with("sub/s.yaml", "appId: a.b\n---\n- bak\n");
    let found = problems(load(&files, "f.yaml"));
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].contains("Environment variable has no value: A"), "{found:#?}");
    assert!(
        found[3].starts_with("sub/s.yaml:3:3: Invalid Command: bak"),
        "{found:#?}"
    );
}

#[test]
fn hostile_yaml_is_refused_with_a_clear_word() {
    fault(
        "appId: a.b\nappId: c.d\n---\n- back\n",
        "2:1",
        &["Duplicate Key: appId"],
    );
    fault(
        "appId: a.b\n---\n- tapOn: { text: A, text: B }\n",
        "3:21",
        &["Duplicate Key: text"],
    );
    fault("appId: a.b\n---\n- tapOn:\n\ttext: X\n", "4:1", &["tab"]);
    fault(
        &format!("appId: a.b\n---\n{}", "- back\n".repeat(200_000)),
        "1:1",
        &["File Too Large"],
    );
    let deep = format!("appId: a.b\n---\n{}", "- ".repeat(200));
    assert!(problems(parse(&deep))[0].contains("nested deeper"));
    let mut bomb = "appId: a.b\nx0: &x0 [a, a, a, a, a, a, a, a, a, a]\n".to_owned();
    for level in 1..9 {
        let before = format!("*x{}", level - 1);
        bomb += &format!("x{level}: &x{level} [{}]\n", [before.as_str(); 10].join(", "));
    }
    assert!(problems(parse(&format!("{bomb}---\n- back\n")))[0].contains("aliases"));
    let not_text = Files(BTreeMap::from([("f.yaml".to_owned(), vec![0xff, 0xfe, 0x00])]));
    assert!(problems(load(&not_text, "f.yaml"))[0].contains("UTF-8"));
}

#[test]
fn include_cycles_are_found_where_they_close() {
    let files = Files::default()
        .with("a.yaml", "appId: a.b\n---\n- runFlow: d/b.yaml\n")
        .with("d/b.yaml", "appId: a.b\n---\n- back\n- runFlow: ../a.yaml\n");
    let found = problems(load(&files, "a.yaml"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].starts_with("d/b.yaml:4:12: Include Cycle: a.yaml -> d/b.yaml -> a.yaml"),
        "{}",
        found[0]
    );
}

#[test]
fn a_file_may_be_included_often() {
    let files = Files::default()
        .with("a.yaml", "appId: a.b\n---\n- runFlow: b.yaml\n- runFlow: ./b.yaml\n")
        .with("b.yaml", "appId: a.b\n---\n- back\n");
    assert_eq!(load(&files, "a.yaml").unwrap().files, ["a.yaml", "b.yaml"]);
}

#[test]
fn the_hash_knows_every_file() {
    let files = |inner: &str| {
        Files::default()
            .with("a.yaml", "appId: a.b\n---\n- runFlow: b.yaml\n")
            .with("b.yaml", inner)
    };
    let hash = |inner: &str| load(&files(inner), "a.yaml").unwrap().content_hash;
    let (one, two) = (hash("appId: a.b\n---\n- back\n"), hash("appId: a.b\n---\n- scroll\n"));
    assert_eq!(one.len(), 64);
    assert_ne!(one, two);
}

#[test]
fn every_command_of_the_format_is_known() {
    for (key, bare) in COMMANDS {
        let found = match steps(&format!("- {key}\n")) {
            Ok(_) => continue,
            Err(problems) => problems,
        };
        let told = found[0].to_string();
        let refused = told.contains("Not Supported") || told.contains("Not Allowed");
        assert!(
            refused || (!bare && told.contains("requires additional options")),
            "{told}"
        );
    }
    assert_eq!(
        COMMANDS.iter().filter(|(_, bare)| *bare).count() + 1,
        25,
        "with `hide keyboard`"
    );
}

#[test]
fn scalars_stand_for_the_main_field() {
    let flow = steps(
        "- tapOn: 2022\n- hide keyboard\n- action: back\n- swipe: UP\n- repeat: { times: 1_000, commands: [back] }\n",
    );
    let flow = flow.unwrap().flow;
    let Command::Tap(tap) = &flow.steps[0].command else {
        panic!()
    };
    assert_eq!(tap.selector.as_ref().unwrap().text.as_deref(), Some("2022"));
    assert_eq!((tap.repeat, tap.delay_ms, tap.retry_if_no_change), (1, 100, false));
    assert!(matches!(flow.steps[1].command, Command::HideKeyboard));
    assert!(matches!(flow.steps[2].command, Command::Back));
    let Command::Swipe(swipe) = &flow.steps[3].command else {
        panic!()
    };
    assert!(matches!(swipe.path, SwipePath::Direction(_)));
    let Command::Repeat(repeat) = &flow.steps[4].command else {
        panic!()
    };
    assert_eq!(repeat.times.as_deref(), Some("1000"));
}

#[test]
fn the_policy_is_checked_in_every_corner_of_a_flow() {
    let nested = "appId: a.b\nonFlowStart: [ clearState ]\n---\n- retry:\n    commands:\n      - runFlow:\n          \
                  when: { true: \"${x}\" }\n          commands: [ launchApp: { clearState: true } ]\n          \
                  else: [ setAirplaneMode: enabled ]\n- openLink: https://x.y\n- runScript: s.js\n- launchApp\n";
    let files = Files::default().with("f.yaml", nested).with("s.js", "1");
    let found = problems(load(&files, "f.yaml"));
    assert_eq!(found.len(), 5, "{found:#?}");
    for word in ["clearState", "launchApp", "setAirplaneMode", "openLink", "runScript"] {
        let title = format!("Not Allowed: {word}");
        assert!(
            found.iter().any(|problem| problem.contains(&title)),
            "{word}\n{found:#?}"
        );
    }
    let allowed = nested.replace(
        "---\n",
        "farmhand:\n  policy: { allow: [clearState, airplaneMode, runScript], link_schemes: [https] }\n---\n",
    );
    let files = Files::default().with("f.yaml", &allowed).with("s.js", "1");
    load(&files, "f.yaml").unwrap();
}

#[test]
fn commit_labels_must_exist_and_may_not_be_optional() {
    let config =
        |extension: &str| format!("appId: a.b\nfarmhand: {{ {extension} }}\n---\n- tapOn: {{ text: X, label: go }}\n");
    parse(&config("commit: go")).unwrap();
    fault(
        &config("commit: gone"),
        "2:21",
        &["Unknown Label: farmhand.commit", "gone"],
    );
    fault(&config("confirm: go"), "2:22", &["Missing Property: farmhand.commit"]);
    let optional = config("commit: go").replace("label: go", "label: go, optional: true");
    fault(&optional, "4:3", &["optional"]);
}

#[test]
fn mistakes_under_farmhand_are_told() {
    let config = |extension: &str| format!("appId: a.b\nfarmhand:\n  {extension}\n---\n- back\n");
    fault(
        &config("comit: x"),
        "3:3",
        &["Unknown Property: comit", "Did you mean `commit`?"],
    );
    fault(
        &config("own_evidence: mine"),
        "3:17",
        &["own_evidence", "true, false or same"],
    );
    fault(
        &config("own_evidence: same"),
        "3:17",
        &["Missing Property: farmhand.same"],
    );
    parse(&config("own_evidence: same\n  same: [params.text]")).unwrap();
    fault(&config("policy: { allow: [clearstate] }"), "3:21", &["clearState"]);
    fault(&config("params: { type: string }"), "3:19", &["Invalid Schema"]);
    fault(
        &config("params: { properties: { a: { type: strin } } }"),
        "3:38",
        &["Invalid Schema"],
    );
    fault(&config("fan_out: { params: [] }"), "3:12", &["at least one"]);
    fault(
        &config("popups: [ { visible: X, tapp: Y } ]"),
        "3:27",
        &["Did you mean `tap`?"],
    );
    fault(&config("check: nowhere.yaml"), "3:10", &["Invalid File Path"]);
}

#[test]
fn mistakes_under_farmhand_are_told_where_they_stand() {
    for (extension, place, words) in [
        ("  commit: send\n", "3:11", &["Unknown Label: farmhand.commit"][..]),
        ("  same: [\"a +\"]\n", "3:10", &["`a +` is not JavaScript"]),
        ("  same: [\"\"]\n", "3:10", &["must be an expression"]),
        ("  apps: [tikok]\n", "3:10", &["Did you mean `tiktok`?"]),
        ("  checkpoint: here\n", "3:15", &["0 steps of the flow's own list"]),
        (
            "  params: { a: { type: string } }\n",
            "3:16",
            &["`a` is no keyword of a schema; parameters stand under `properties`"],
        ),
        (
            "  params: { properties: { a: { $ref: \"#/nope\" } } }\n",
            "3:38",
            &["there is nothing at `#/nope`"],
        ),
        (
            "  params: { properties: { a: { type: integer } } }\n  fan_out: { params: [a] }\n",
            "4:23",
            &["`a` cannot name targets"],
        ),
        ("  saem: [a]\n", "3:3", &["Did you mean `same`?"]),
        ("  policy: { allow: [http, htpp] }\n", "3:27", &["Did you mean `http`?"]),
        (
            "  policy: { link_schemes: [\"https://\"] }\n",
            "3:28",
            &["write `https`"],
        ),
        ("  fan_out: { params: [] }\n", "3:12", &["at least one parameter"]),
        (
            "  fan_out: { params: [a], matches: \"(\" }\n",
            "3:36",
            &["`(` is no regular expression"],
        ),
        (
            "  fan_out: { params: [a], expects: \"\" }\n",
            "3:36",
            &["Incorrect Format: expects"],
        ),
        (
            "  params: { properties: { user: {} } }\n  fan_out: { params: [usr] }\n",
            "4:23",
            &["`usr` is none of the parameters. Did you mean `user`?"],
        ),
        (
            "  params: { properties: { user: {} } }\n  media: { files: videos }\n",
            "4:19",
            &["`videos` is none of the parameters; there are user"],
        ),
        (
            "  params:\n    properties:\n      a: { type: strng }\n",
            "5:18",
            &["Invalid Schema: farmhand.params", "a.type: must be one of"],
        ),
        (
            "  params: { maxLength: 5, minLength: x }\n",
            "3:38",
            &["minLength: must be a whole number"],
        ),
    ] {
        fault(
            &format!("appId: a.b\nfarmhand:\n{extension}---\n- back\n"),
            place,
            words,
        );
    }
}

#[test]
fn what_is_no_text_is_told_where_it_begins() {
    let files = |bytes: &[u8]| {
        let mut files = Files::default();
        files.0.insert("f.yaml".to_owned(), bytes.to_vec());
        problems(load(&files, "f.yaml"))
    };
    let told = files(b"appId: a.b\n---\n- tapOn: caf\xe9\n");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("f.yaml:3:13: "), "{told:?}");
}

#[test]
fn a_script_file_that_is_no_javascript_is_told_with_its_own_place() {
    let flow = "appId: a.b\nfarmhand: { policy: { allow: [runScript] } }\n---\n- runScript: a.js\n";
    let files = Files::default()
        .with("f.yaml", flow)
        .with("a.js", "const a = 1;\nconst b = ;\n");
    let told = problems(load(&files, "f.yaml"));
    assert_eq!(
        told,
        ["a.js:2:11: Invalid JavaScript: unexpected token in expression: ';'"]
    );
    let files = files.with("a.js", "// http.get\nconst a = http.get(1);\n");
    let told = problems(load(&files, "f.yaml"));
    assert!(told[0].starts_with("a.js:2:11: Not Allowed: http"), "{told:?}");
}

#[test]
fn texts_of_the_config_that_are_never_evaluated_may_hold_anything() {
    let config = "appId: a.b\nname: \"${{\"\ntags: [\"${\"]\nfarmhand:\n  description: \"costs ${5 }\"\n  params: \
                  { properties: { a: { type: string, pattern: \"^x${0,1}$\" } } }\n---\n- back\n";
    assert!(parse(config).is_ok(), "{:?}", parse(config));
}

#[test]
fn the_checkpoint_is_one_step_of_the_flows_own_list_before_the_commit_step() {
    let flow = |steps: &str| format!("appId: a.b\nfarmhand: {{ commit: send, checkpoint: here }}\n---\n{steps}\n");
    let here = "- launchApp: { label: here }\n";
    let send = "- tapOn: { id: send, label: send }\n";
    parse(&flow(&format!("- back\n{here}{send}"))).unwrap();
    fault(
        &flow(&format!("{here}{here}{send}")),
        "2:39",
        &["2 steps of the flow's own list have the label `here`"],
    );
    fault(
        &flow(&format!("{send}{here}")),
        "2:39",
        &["must come before the commit step"],
    );
    let inside = format!("- runFlow:\n    label: here\n    commands:\n      {send}");
    fault(&flow(&inside), "2:39", &["must come before the commit step"]);
}

#[test]
fn nothing_taps_through_choosers_of_links() {
    let policy = "appId: a.b\nfarmhand: { policy: { link_schemes: [https] } }\n---\n";
    let step = "- openLink: { link: \"${A}\", autoVerify: true }\n";
    fault(
        &format!("{policy}{step}"),
        "4:41",
        &["Not Supported: autoVerify", "appId"],
    );
}

#[test]
fn what_could_not_be_read_is_told_once() {
    let config = "appId: a.b\nfarmhand: { commit: send }\n---\n";
    fault(
        &format!("{config}- runFlow: {{ label: send, file: gone.yaml }}\n"),
        "4:33",
        &["Invalid File Path"],
    );
    let many = "- xyzzy\n".repeat(300);
    let told = problems(steps(&many));
    assert_eq!(told.len(), 201);
    assert!(told[200].contains("100 more are not shown"), "{}", told[200]);
}

#[test]
fn what_other_people_write_is_no_fault() {
    let schema = |property: &str| format!("farmhand: {{ params: {{ properties: {{ p: {{ {property} }} }} }} }}");
    for config in [
        "env: { USERNAME: user@example.com, PASSWORD: \"123\" }".to_owned(),
        "names: [a]".to_owned(),
        schema("type: object, properties: { b: { type: string, default: q } }, required: [b], default: {}"),
        schema("type: string, nullable: true, example: x, enumNames: [a]"),
        schema("type: integer, default: 0x1F"),
    ] {
        let text = format!("appId: a.b\n{config}\n---\n- back\n");
        assert!(parse(&text).is_ok(), "{text}\n{:?}", parse(&text));
    }
    for step in [
        "- evalScript: ${output.x = 1};",
        "- evalScript: \"${output.x = 1}, ${output.y = 2}\"",
        "- evalScript: |\n    // count\n    ${output.x = 1}",
        "- runFlow: { commands: [back], env: { APP: x } }",
    ] {
        assert!(steps(step).is_ok(), "{step}\n{:?}", steps(step));
    }
}

#[test]
fn long_words_are_compared_with_nothing() {
    let (long, other) = ("a".repeat(39_999), "a".repeat(40_000));
    let text = format!("appId: a.b\nfarmhand: {{ commit: {other} }}\n---\n- back: {{ label: {long} }}\n");
    assert!(problems(parse(&text))[0].contains("Unknown Label"));
    let many = format!("- inputText: \"{}\"\n", "${a} ".repeat(2_000));
    assert!(problems(steps(&many))[0].contains("at most 1000 expressions"));
}

#[test]
fn an_open_schema_takes_any_parameter_as_a_target() {
    let flow =
        "appId: a.b\nfarmhand:\n  params: { additionalProperties: true }\n  fan_out: { params: [a] }\n---\n- back\n";
    parse(flow).unwrap();
}

#[test]
fn an_order_of_commit_and_confirm_that_cannot_work_is_told() {
    let flow = |confirm: &str, steps: &str| format!("appId: a.b\nfarmhand:\n  commit: send\n{confirm}---\n{steps}");
    let confirm = "  confirm: sent\n";
    let send = "- tapOn: { id: send, label: send }\n";
    let sent = "- assertVisible: { id: sent, label: sent }\n";
    let twice = |first: &str| format!("- repeat:\n    times: {first}\n    commands:\n      {send}");
    for (confirm, steps, place, words) in [
        ("", format!("{send}{send}"), "6:3", "is not confirmed"),
        (confirm, format!("{send}{send}{sent}"), "7:3", "is not confirmed"),
        (
            confirm,
            format!("{sent}{send}"),
            "4:12",
            "never reached after the step `send`",
        ),
        ("", twice("2"), "8:9", "is not confirmed"),
    ] {
        fault(&flow(confirm, &steps), place, &[words]);
    }
    for (confirm, steps) in [
        ("", send.to_owned()),
        (confirm, format!("{send}{sent}")),
        (confirm, format!("{send}{sent}{send}{sent}")),
        ("", twice("1")),
        ("", twice("\"${output.n}\"")),
        (
            "",
            format!("- runFlow:\n    when: {{ visible: a }}\n    commands:\n      {send}    else:\n      {send}"),
        ),
        (
            confirm,
            format!("- repeat:\n    times: 3\n    commands:\n      {sent}      {send}"),
        ),
    ] {
        let text = flow(confirm, &steps);
        assert!(parse(&text).is_ok(), "{text}\n{:?}", parse(&text));
    }
}

#[test]
fn a_flow_can_say_that_its_app_knows_no_accounts() {
    let account = |said: &str| {
        let LoadedFlow { flow, .. } = parse(&format!("appId: a.b\nfarmhand: {{ {said} }}\n---\n- back\n")).unwrap();
        flow.config.extension.account.clone()
    };
    assert!(matches!(account("account: none"), AccountFlow::None));
    assert!(matches!(account("description: x"), AccountFlow::Unsaid));
}

#[test]
fn a_check_can_be_commands_or_a_file() {
    let files = Files::default()
        .with(
            "f.yaml",
            "appId: a.b\nfarmhand: { check: sub/c.yaml, account: sub/c.yaml }\n---\n- back\n",
        )
        .with("sub/c.yaml", "appId: a.b\n---\n- back\n");
    let flow = load(&files, "f.yaml").unwrap().flow;
    assert!(matches!(flow.config.extension.check, Some(Body::File(_))));
    assert_eq!(flow.config.extension.account.own().unwrap().file.as_ref(), "sub/c.yaml");
}

#[test]
fn other_tools_keys_and_the_browsers_are_told_apart() {
    fault(
        "appId: a.b\nandroidWebViewHierarchy: devtools\n---\n- back\n",
        "2:26",
        &["Not Supported: androidWebViewHierarchy"],
    );
    fault(
        "url: https://a.b\n---\n- back\n",
        "1:6",
        &["Not Supported: url", "appId"],
    );
    fault(
        "appId: a.b\n---\n- tapOn: { css: .a }\n",
        "3:17",
        &["Not Supported: css", "Android"],
    );
}

#[test]
fn other_tools_keys_in_the_config_are_left_alone() {
    parse("appId: a.b\nmyTool: { x: [1] }\ngame: chess\next: 1\njsEngine: graaljs\n---\n- back\n").unwrap();
}

#[test]
fn coordinates_that_no_place_has_are_told() {
    for (step, place, words) in [
        (
            "- setLocation: { latitude: 91, longitude: 0 }",
            "4:28",
            &["Incorrect Format: latitude", "-90 to 90"][..],
        ),
        (
            "- setLocation: { latitude: 0, longitude: east }",
            "4:42",
            &["Incorrect Format: longitude"],
        ),
        (
            "- travel: { points: [\"0,0\", \"0,181\"] }",
            "4:29",
            &["Incorrect Format: longitude", "-180 to 180"],
        ),
        ("- travel: { points: [\"here\"] }", "4:22", &["latitude,longitude"]),
        (
            "- travel: { points: [\"1,2\"], speed: 0 }",
            "4:37",
            &["metres per second"],
        ),
    ] {
        let allowed = "appId: a.b\nfarmhand: { policy: { allow: [mockLocation] } }\n---\n";
        fault(&format!("{allowed}{step}\n"), place, words);
    }
}

#[test]
fn a_slip_in_a_key_of_the_config_is_no_other_tools_key() {
    for (wrong, right) in [
        ("farmhnd: { commit: x }", "farmhand"),
        ("onFlowFailur: [back]", "onFlowFailure"),
        ("OnFlowStart: [back]", "onFlowStart"),
        ("Env: { A: b }", "env"),
    ] {
        let hint = format!("Did you mean `{right}`?");
        fault(
            &format!("appId: a.b\n{wrong}\n---\n- back\n"),
            "2:1",
            &["Unknown Property", &hint],
        );
    }
}

#[test]
fn flows_for_browsers_are_read_and_only_refused_on_phones() {
    let files = Files::default().with(
        "f.yaml",
        "url: http://a.b\nappId: a.b\nfarmhand: { policy: { link_schemes: [http] } }\n---\n- launchApp\n- tapOn: { css: .a }\n",
    );
    let flow = load_for(Platform::Web, &files, "f.yaml").unwrap().flow;
    assert_eq!(flow.config.app_id.as_deref(), Some("http://a.b"), "the page wins");
    assert!(matches!(&flow.steps[0].command, Command::OpenLink(open) if open.link.as_ref() == "http://a.b"));
    let found = problems(load(&files, "f.yaml"));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("Not Supported: url") && found[1].contains("Not Supported: css"));
}

/// `count` files, each of which includes the next one three times.
fn fan_out(count: usize, last: &str) -> Files {
    let each = |files: Files, at: usize| {
        let next = format!("- runFlow: f{}.yaml\n", at + 1).repeat(3);
        files.with(&format!("f{at}.yaml"), &format!("appId: a.b\n---\n{next}"))
    };
    let files = (0..count).fold(Files::default(), each);
    files.with(&format!("f{count}.yaml"), &format!("appId: a.b\n---\n{last}"))
}

#[test]
fn files_that_include_one_another_again_and_again_are_refused_at_once() {
    let start = std::time::Instant::now();
    let found = problems(load(&fan_out(30, "- clearState\n"), "f0.yaml"));

    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("f0.yaml:1:1: Flow Too Large: ") && found[0].contains("at most 100000"),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("f30.yaml:3:3: Not Allowed: clearState"),
        "{found:#?}"
    );
    assert!(start.elapsed() < std::time::Duration::from_secs(10));

    load(&fan_out(8, "- back\n"), "f0.yaml").unwrap();
}

#[test]
fn each_permission_that_a_step_needs_must_be_allowed() {
    let flow = |allow: &str| {
        format!(
            "appId: a.b\nfarmhand: {{ policy: {{ allow: [{allow}] }} }}\n---\n- launchApp: {{ clearState: true, \
             permissions: {{ all: allow }} }}\n"
        )
    };
    fault(&flow("clearState"), "4:3", &["does not allow `permissions`;"]);
    fault(&flow("permissions"), "4:3", &["does not allow `clearState`;"]);
    fault(&flow(""), "4:3", &["does not allow `clearState` and `permissions`;"]);
    parse(&flow("clearState, permissions")).unwrap();
}

#[test]
fn points_of_a_swipe_may_be_expressions() {
    let flow = steps("- swipe: { start: \"${x}%,50%\", end: \"${output.to}\" }\n")
        .unwrap()
        .flow;
    let Command::Swipe(swipe) = &flow.steps[0].command else {
        panic!()
    };
    assert!(
        matches!(&swipe.path, SwipePath::Points(from, to) if from.as_ref() == "${x}%,50%" && to.as_ref() == "${output.to}")
    );
}

#[test]
fn the_step_that_counts_must_fail_and_run_for_all_to_see() {
    let config = "appId: a.b\nfarmhand: { commit: go }\n---\n- assertVisible: { text: X, label: gone }\n";
    let of = |step: &str| format!("{config}{step}\n");
    for (step, place, words) in [
        (
            "- runFlow: { optional: true, commands: [tapOn: { text: X, label: go }] }",
            "4:3",
            ["Incorrect Format: runFlow", "`go` of `farmhand.commit`"],
        ),
        (
            "- retry: { optional: true, commands: [runFlow: { commands: [tapOn: { text: X, label: go }] }] }",
            "4:3",
            ["Incorrect Format: retry", "may not be optional"],
        ),
        (
            "- runFlow: { label: go, when: { visible: X }, commands: [back] }",
            "4:3",
            ["Incorrect Format: runFlow", "passed over as a whole"],
        ),
        (
            "- repeat: { label: go, times: 2, commands: [back] }",
            "4:3",
            ["Incorrect Format: repeat", "passed over as a whole"],
        ),
    ] {
        let place = place.replace('4', "5");
        fault(&of(step), &place, &words);
    }
    for step in [
        "- runFlow: { label: go, commands: [back] }",
        "- runFlow: { when: { visible: X }, commands: [tapOn: { text: X, label: go }] }",
        "- runFlow: { optional: true, commands: [back] }\n- tapOn: { text: X, label: go }",
    ] {
        parse(&of(step)).unwrap();
    }
    let confirm = config
        .replace("commit: go", "commit: go, confirm: gone")
        .replace(
            "- assertVisible",
            "- tapOn: { text: X, label: go }\n- repeat: { times: 1, optional: true, commands: [assertVisible",
        )
        .replace("label: gone }\n", "label: gone }] }\n");
    fault(
        &confirm,
        "5:3",
        &["Incorrect Format: repeat", "`gone` of `farmhand.confirm`"],
    );
}

#[test]
fn a_script_may_be_as_long_as_a_flow() {
    let flow = "appId: a.b\nfarmhand: { policy: { allow: [runScript] } }\n---\n- runScript: s.js\n";
    let long = |length: usize| Files::default().with("f.yaml", flow).with("s.js", &" ".repeat(length));
    load(&long(yaml::MAX_BYTES), "f.yaml").unwrap();
    let found = problems(load(&long(yaml::MAX_BYTES + 1), "f.yaml"));
    assert!(found[0].contains("a script may have 1048576"), "{found:#?}");
}

#[test]
fn media_beside_a_flow_are_part_of_its_version() {
    let of = |picture: &str| {
        let files = Files::default()
            .with("f.yaml", "appId: a.b\n---\n- addMedia: [a.png]\n")
            .with("a.png", picture);
        load(&files, "f.yaml").unwrap().content_hash
    };
    assert_ne!(of("one"), of("another"));
}

fn yaml_like() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "appId: a.b\n",
        "---\n",
        "- ",
        "tapOn",
        ": ",
        "\n",
        "  ",
        "    ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "'",
        "&a ",
        "*a",
        "runFlow",
        "commands",
        "when",
        "visible",
        "farmhand:\n",
        "text",
        "${",
        "}",
        "!!x ",
        "|\n",
        "#",
        "\t",
        "?",
        "- back\n",
        "repeat",
        "times",
        "f.yaml",
        "params",
        "żółw",
        "0x1",
        "null",
        "%",
        "@",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_parser_panic(text in yaml_like()) {
        let _whatever = parse(&text);
        let _whatever = steps(&text);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _whatever = load(&Files(BTreeMap::from([("f.yaml".to_owned(), bytes)])), "f.yaml");
    }

    #[test]
    fn a_reference_never_leaves_the_folder(reference in "[./a\\\\:]{0,20}") {
        if let Ok(path) = sources::resolve("d/f.yaml", &reference) {
            prop_assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{path}");
        }
    }
}

#[test]
fn what_cannot_be_undone_may_not_stand_in_a_hook() {
    let flow = |hooks: &str, steps: &str| {
        format!(
            "appId: a.b\n{hooks}farmhand: {{ commit: send, confirm: sent }}\n---\n{steps}- tapOn: {{ id: send, label: send }}\n\
                 - assertVisible: {{ id: sent, label: sent }}\n"
        )
    };
    for hook in ["onFlowStart", "onFlowComplete", "onFlowFailure"] {
        for (name, label) in [("commit", "send"), ("confirm", "sent")] {
            let inside = format!("{hook}:\n  - runFlow:\n      commands:\n        - back: {{ label: {label} }}\n");
            fault(
                &flow(&inside, ""),
                "5:11",
                &[&format!("`{label}` of `farmhand.{name}`"), "hook"],
            );
        }
    }
    let hooked = "appId: a.b\nonFlowComplete:\n  - back: { label: send }\n---\n- back\n";
    let files = Files::default()
        .with("f.yaml", &flow("", "- runFlow: sub.yaml\n- runFlow: sub.yaml\n"))
        .with("sub.yaml", hooked);
    let told = problems(load(&files, "f.yaml"));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("sub.yaml:3:5: ") && told[0].contains("hook"),
        "{told:?}"
    );
    // The same file, but only its commands: what a hook includes is in the hook.
    let acting = "appId: a.b\n---\n- back: { label: send }\n";
    let files = Files::default()
        .with("f.yaml", &flow("onFlowStart:\n  - runFlow: sub.yaml\n", ""))
        .with("sub.yaml", acting);
    let told = problems(load(&files, "f.yaml"));
    assert!(told[0].starts_with("sub.yaml:3:3: "), "{told:?}");
}
