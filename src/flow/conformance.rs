//! The upstream format's own cases, run on a phone in memory. Their data are not part of this project: the test reads
//! them where `FARMHAND_MAESTRO_CASES` or the folder beside the checkout has them, and says so when it does not.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use farmhand_actors::{
    domain::{Outcome, Purpose, UiNode, UiTree},
    ports::{ScriptCatalog, ScriptRunner},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    FlowCatalog, FlowRunner, FlowRunnerParts, FlowSettings,
    parse::{Platform, keys::key_code},
    testing::{FakeJournal, FakeMedia, FakePhone, StandingClock, bounds, spec},
};

/// How many cases there are.
const CASES: usize = 58;

fn cases_folder() -> Option<PathBuf> {
    let named = std::env::var_os("FARMHAND_MAESTRO_CASES").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| PathBuf::from("/work/shared/maestro-cases"));
    folder.join("cases.json").is_file().then_some(folder)
}

#[test]
fn upstream_cases_end_as_upstream_says() {
    let Some(folder) = cases_folder() else {
        println!("skipped: there are no upstream cases (FARMHAND_MAESTRO_CASES names their folder)");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("cases.json")).unwrap()).unwrap();
    // They take a processor's time, and none knows of another.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let shares = cases.chunks(cases.len().div_ceil(threads).max(1));
        let running: Vec<_> = shares.map(|share| scope.spawn(|| run_cases(&folder, share))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert_eq!(cases.len(), CASES);
}

/// Runs cases one after another; answers those that end otherwise than upstream says.
fn run_cases(folder: &Path, cases: &[Value]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ends = cases.iter().filter_map(|case| {
        let problem = runtime
            .block_on(tokio::task::LocalSet::new().run_until(run_case(folder, case)))
            .err()?;
        Some(format!("{}: {problem}", case["name"].as_str().unwrap()))
    });
    ends.collect()
}

async fn run_case(folder: &Path, case: &Value) -> Result<(), String> {
    let work = tempfile::tempdir().unwrap();
    let catalog = prepare(folder, case, work.path());
    let errors = catalog
        .get(&spec("case", json!({}), Purpose::Execute).script)
        .unwrap()
        .errors;
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let apps: Vec<String> = serde_json::from_value(case["installed"].clone()).unwrap();
    let phone = Arc::new(
        FakePhone::new(tree(&case["layout"]))
            .with_apps(&apps)
            .reacting(scrolling),
    );
    let journal: Arc<FakeJournal> = Arc::default();
    let runner = FlowRunner::new(FlowRunnerParts {
        catalog,
        journal: journal.clone(),
        media: Arc::new(FakeMedia::default()),
        evidence_dir: work.path().join("evidence"),
        clock: Arc::new(StandingClock),
        settings: without_waiting(),
    });
    let spec = Arc::new(spec("case", json!({}), Purpose::Execute));
    let outcome = runner
        .run(spec, phone.clone(), CancellationToken::new(), Rc::new(|| {}))
        .await;
    judge(&case["expect"], &outcome, &phone)
}

/// The case's flows below a flow that gives them its variables and allows them everything.
fn prepare(folder: &Path, case: &Value, work: &Path) -> Arc<FlowCatalog> {
    let inside = work.join("flows/cases");
    std::fs::create_dir_all(inside.join("media")).unwrap();
    std::fs::write(inside.join("media/abc.png"), "png").unwrap();
    for file in std::fs::read_dir(folder.join("flows")).unwrap().flatten() {
        std::fs::copy(file.path(), inside.join(file.file_name())).unwrap();
    }
    let flow = case["flows"][0].as_str().unwrap();
    let wrapper = format!(
        "appId: com.example.wrapper\nfarmhand:\n  policy:\n    allow: [clearState, permissions, airplaneMode, \
         runScript, mockLocation]\n    link_schemes: [http, https]\n---\n- runFlow:\n    file: cases/{flow}\n    env: {}\n",
        case["env"]
    );
    std::fs::write(work.join("flows/case.yaml"), wrapper).unwrap();
    // One case is a page in a browser: the engine knows such flows, farmhand's phones have none.
    FlowCatalog::for_platform(Platform::Web, work.join("flows"), Arc::new(FakeMedia::default()))
}

/// As upstream's tests: one look per lookup.
fn without_waiting() -> FlowSettings {
    FlowSettings {
        lookup_timeout: Duration::ZERO,
        optional_lookup_timeout: Duration::ZERO,
        short_lookup_timeout: Duration::ZERO,
        poll_interval: Duration::from_millis(1),
        settle_interval: Duration::ZERO,
        settle_timeout: Duration::ZERO,
        reaction_time: Duration::ZERO,
        fresh_for: Duration::ZERO,
        ..FlowSettings::default()
    }
}

/// The content follows the finger.
fn scrolling(event: &str, tree: &mut UiTree) {
    let numbers: Vec<i32> = event
        .strip_prefix("Swipe(")
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    if let [_, from, _, to, ..] = numbers[..] {
        for bounds in tree.nodes.iter_mut().filter_map(|node| node.bounds.as_mut()) {
            bounds.top += to - from;
            bounds.bottom += to - from;
        }
    }
}

fn tree(layout: &Value) -> UiTree {
    let mut tree = UiTree::default();
    add(&mut tree, layout, None);
    tree
}

fn add(tree: &mut UiTree, node: &Value, parent: Option<usize>) -> usize {
    let at = tree.nodes.len();
    let side = |at: usize| i32::try_from(node["bounds"][at].as_i64().unwrap()).unwrap();
    let area = match &node["bounds"] {
        Value::Array(_) => Some(bounds(side(0), side(1), side(2), side(3))),
        // Sizes that the case's code knows by name.
        Value::Object(_) => Some(bounds(0, 0, 100, 200)),
        _ => None,
    };
    let text = match &node["text"] {
        Value::Object(_) => "Maestro",
        text => text.as_str().unwrap_or_default(),
    };
    tree.nodes.push(UiNode {
        parent,
        text: text.to_owned(),
        id: node["id"].as_str().unwrap_or_default().to_owned(),
        bounds: area,
        enabled: node["enabled"].as_bool(),
        css: node["matchesCssFilter"].as_str().map(Into::into),
        ..UiNode::default()
    });
    for child in node["children"].as_array().into_iter().flatten() {
        let child = add(tree, child, Some(at));
        tree.nodes[at].children.push(child);
    }
    at
}

fn judge(expect: &Value, outcome: &Outcome, phone: &FakePhone) -> Result<(), String> {
    let events = phone.events();
    let told = |problem: String| Err(format!("{problem}; it did {events:?} and ended as {outcome:?}"));
    match (expect["throws"].as_str(), outcome) {
        (None, Outcome::Completed { .. }) => {}
        (Some(kind), Outcome::Failed { failure, .. }) => {
            let word = if kind.ends_with("ElementNotFound") {
                "element not found"
            } else {
                "assertion failed"
            };
            if !failure.message.starts_with(word) {
                return told(format!("{kind} was expected"));
            }
        }
        _ => return told("another end was expected".to_owned()),
    }
    if expect["no_interaction"] == true && !events.is_empty() {
        return told("nothing was to be done".to_owned());
    }
    if let Some(text) = expect["current_text"].as_str()
        && phone.typed() != text
    {
        return told(format!("`{}` was typed", phone.typed()));
    }
    for event in strings(&expect["has_event"]) {
        if !events.iter().any(|real| is(&event, real)) && !permissions_hold(&event, &events) {
            return told(format!("{event} is missing"));
        }
    }
    let mut rest = events.iter();
    for event in strings(&expect["events_in_order"]) {
        // There is no keychain on Android.
        if event == "ClearKeychain" || permissions_hold(&event, &events) {
            continue;
        }
        if !rest.any(|real| is(&event, real)) {
            return told(format!("{event} is missing in its place"));
        }
    }
    for count in expect["event_count"].as_array().into_iter().flatten() {
        let event = count[0].as_str().unwrap();
        let real = events.iter().filter(|real| is(event, real)).count();
        if u64::try_from(real).unwrap() != count[1].as_u64().unwrap() {
            return told(format!("{event} occurred {real} times"));
        }
    }
    if !strings(&expect["other"]).is_empty() {
        return random_texts(&events);
    }
    Ok(())
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// Case 052, whose expectations are code.
fn random_texts(events: &[String]) -> Result<(), String> {
    let texts: Vec<&str> = events.iter().map(|event| &event[5..event.len() - 1]).collect();
    let five_digits = |text: &&str| {
        text.parse::<u32>()
            .is_ok_and(|number| (10_000..=99_999).contains(&number))
    };
    let holds = texts.iter().all(|text| text.len() >= 5)
        && texts.iter().any(five_digits)
        && texts.iter().any(|text| text.contains('@'))
        && texts.iter().any(|text| text.contains(' '));
    holds.then_some(()).ok_or(format!("{texts:?}"))
}

fn permissions_hold(expected: &str, events: &[String]) -> bool {
    if !expected.starts_with("SetPermissions") {
        return false;
    }
    let last = |name: &str| {
        let mut all = events.iter().rev();
        all.find(|event| event.contains(name))
            .map(|event| event.ends_with("true)"))
    };
    let (camera, notifications) = (last("CAMERA"), last("POST_NOTIFICATIONS"));
    let all = expected.contains(r#""all" to "allow""#);
    let single = if expected.contains(r#""notifications""#) {
        expected.contains(r#""notifications" to "allow""#)
    } else {
        all
    };
    camera == Some(all) && notifications == Some(single)
}

/// Whether an event of upstream's fake driver is one of ours.
fn is(expected: &str, real: &str) -> bool {
    let (kind, rest) = expected.split_once('(').unwrap_or((expected, ""));
    let rest = rest.strip_suffix(')').unwrap_or(rest);
    let quoted = || kotlin_text(rest);
    let numbers = || numbers(rest);
    match kind {
        "StopApp" => real == format!("Stop({})", quoted()),
        "ClearState" => real == format!("Clear({})", quoted()),
        "LaunchApp" if rest.contains("launchArguments") => {
            real == "Launch(com.example.app (\"argumentA\", Bool(true)) (\"argumentB\", Integer(4)) (\"argumentC\", \
                     Decimal(4.0)) (\"argumentD\", Text(\"Hello String Value true\")))"
        }
        "LaunchApp" => real == format!("Launch({})", quoted()),
        "InputText" => real == format!("Type({})", quoted()),
        "OpenLink" => real == format!("Link({} -)", quoted()),
        "OpenBrowser" => real == format!("Link({} com.android.chrome)", quoted()),
        "Tap" => real == format!("Tap({},{})", numbers()[0], numbers()[1]),
        "LongPress" => real == format!("Swipe({0},{1} {0},{1} 3000)", numbers()[0], numbers()[1]),
        "Swipe" => match numbers()[..] {
            [x, y, to_x, to_y, ms] => real == format!("Swipe({x},{y} {to_x},{to_y} {ms})"),
            _ => false,
        },
        "SwipeWithDirection" => real == format!("Swipe(54,480 486,480 {})", numbers()[0]),
        "SwipeElementWithDirection" => {
            let (x, y, ms) = (numbers()[0], numbers()[1], numbers()[2]);
            let to = if rest.contains("UP") {
                format!("{x},96")
            } else {
                format!("486,{y}")
            };
            real == format!("Swipe({x},{y} {to} {ms})")
        }
        "BackPress" => real == "Key(4)",
        "PressKey" => real == format!("Key({})", key(rest)),
        "SetLocation" => {
            let place: Vec<String> = decimals(rest).iter().map(ToString::to_string).collect();
            real.ends_with(&format!("--location {})", place.join(",")))
        }
        "SetOrientation" => real == format!("Shell(settings put system user_rotation {})", rotation(rest)),
        "StartRecording" => real.starts_with("Shell(sh -c screenrecord"),
        "TakeScreenshot" => real == "Screenshot",
        "AddMedia" => real == "AddMedia(abc.png)",
        _ => false,
    }
}

/// The first text literal of a piece of Kotlin.
fn kotlin_text(code: &str) -> String {
    let mut out = String::new();
    let mut letters = code.split_once('"').unwrap().1.chars();
    loop {
        match letters.next().unwrap() {
            '\\' => out.push(letters.next().unwrap()),
            '"' => return out,
            letter => out.push(letter),
        }
    }
}

/// All whole numbers of an event, the screen's measures put in.
fn numbers(code: &str) -> Vec<i32> {
    let code = code
        .replace("deviceInfo.widthGrid", "540")
        .replace("deviceInfo.heightGrid", "960");
    let code = code.replace("Point(", "").replace(')', "");
    let words = code
        .split(',')
        .map(|word| word.rsplit('=').next().unwrap().trim().to_owned());
    words
        .filter_map(|word| match word.split_once(" / ") {
            Some((number, part)) => Some(number.parse::<i32>().unwrap() / part.parse::<i32>().unwrap()),
            None => word.parse().ok(),
        })
        .collect()
}

fn decimals(code: &str) -> Vec<f64> {
    let words = code.split(',').map(|word| word.rsplit('=').next().unwrap().trim());
    words.map(|word| word.parse().unwrap()).collect()
}

fn rotation(code: &str) -> u8 {
    ["PORTRAIT", "LANDSCAPE_LEFT", "UPSIDE_DOWN", "LANDSCAPE_RIGHT"]
        .iter()
        .zip(0..)
        .find(|(name, _)| code.ends_with(*name))
        .unwrap()
        .1
}

fn key(code: &str) -> u32 {
    let name = code.strip_prefix("KeyCode.").unwrap();
    let dpad = ["UP", "DOWN", "LEFT", "RIGHT", "CENTER"];
    let media = ["PLAY_PAUSE", "STOP", "NEXT", "PREVIOUS", "REWIND", "FAST_FORWARD"];
    let name = match name.strip_prefix("REMOTE_") {
        Some(rest) if dpad.contains(&rest) => format!("REMOTE_DPAD_{rest}"),
        Some(rest) if media.contains(&rest) => format!("REMOTE_MEDIA_{rest}"),
        _ => name.to_owned(),
    };
    key_code(&name.replace('_', " ")).unwrap()
}
