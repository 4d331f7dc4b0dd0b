//! Schedules: created, run by the clock and by hand, changed, deleted; and clocks that are set, under libfaketime.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{Controller, Farm, SOON, free_port, wait_for},
    http::Api,
    shared::{PARKED, ids, shared},
};

/// A minute comes within a minute; the rest is for a loaded machine.
const A_MINUTE: Duration = Duration::from_secs(120);

fn body(name: &str, changes: &Value) -> Value {
    let mut body = json!({
        "name": name, "serials": [PARKED[0]], "script_name": "follow", "script_config": { "target_users": ["x", "y"] },
        "times": ["09:00"], "days": ["mon"]
    });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn path(schedule: &Value) -> String {
    format!("/schedule/{}", schedule["id"])
}

#[test]
fn a_schedule_runs_when_its_minute_comes_and_its_tasks_are_ordinary_ones() {
    let api = &shared().api;
    let every_minute = json!({ "times": null, "days": null, "cron": "* * * * *", "time_zone": "Europe/Warsaw" });
    let created = api.post("/schedule", &body("by the clock", &every_minute)).ok();
    assert_eq!(created["next_runs"].as_array().unwrap().len(), 5);

    let run = wait_for("the minute comes", A_MINUTE, || {
        let last = api.get(&path(&created)).ok()["last_run"].clone();
        last.is_object().then_some(last)
    });
    api.patch(&path(&created), &json!({ "enabled": false })).ok();

    let planned = run["planned_at"].as_str().unwrap();
    let after = created["created_at"].as_str().unwrap();
    assert!(planned.ends_with(":00.000Z") && planned > after, "{run}");
    assert_eq!(
        (&run["manual"], run["task_ids"].as_array().unwrap().len()),
        (&json!(false), 2)
    );
    let of_batch = api
        .get(&format!("/task?batch_id={}", run["batch_id"].as_str().unwrap()))
        .ok();
    assert_eq!(of_batch["total"], 2);
    for task in of_batch["items"].as_array().unwrap() {
        assert_eq!((&task["schedule_id"], &task["source"]), (&created["id"], &json!("api")));
        assert_eq!((&task["serial"], &task["status"]), (&json!(PARKED[0]), &json!(0)));
    }
    api.delete(&path(&created)).ok();
    let task = shared().task(run["task_ids"][0].as_i64().unwrap());
    assert_eq!(task["schedule_id"], created["id"], "its tasks stay");
}

#[test]
fn a_schedule_is_run_by_hand_changed_and_deleted() {
    let api = &shared().api;
    let created = api
        .post("/schedule", &body("by hand", &json!({ "enabled": false })))
        .ok();
    assert_eq!(created["next_runs"], json!([]));

    let first = ids(&api.post(&format!("{}/run", path(&created)), &json!({})).ok());
    let edited = json!({ "script_config": { "target_users": ["z"] }, "enabled": true });
    let changed = api.patch(&path(&created), &edited).ok();
    let second = ids(&api.post(&format!("{}/run", path(&created)), &json!({})).ok());

    assert_eq!((first.len(), second.len()), (2, 1));
    assert_eq!(shared().task(first[0])["script_config"]["target_users"], json!(["x"]));
    assert_eq!(shared().task(second[0])["script_config"]["target_users"], json!(["z"]));
    assert_eq!(
        (&changed["revision"], changed["next_runs"].as_array().unwrap().len()),
        (&json!(2), 5)
    );
    let shown = api.get(&path(&created)).ok();
    assert_eq!(
        (&shown["last_run"]["task_ids"], &shown["last_run"]["revision"]),
        (&json!(second), &json!(2))
    );
    assert!(api.get("/schedule").ok()["items"].as_array().unwrap().contains(&shown));
    api.post("/schedule", &body("by hand", &json!({}))).refused(40901);
    api.delete(&path(&created)).ok();
    api.get(&path(&created)).refused(40401);
    api.post(&format!("{}/run", path(&created)), &json!({})).refused(40401);
}

#[test]
fn a_schedule_that_cannot_be_is_refused_with_all_its_faults_and_none_is_created() {
    let api = &shared().api;
    let count = || {
        let items = api.get("/schedule").ok()["items"].as_array().unwrap().clone();
        items.iter().filter(|item| item["name"] == "never").count()
    };
    for (changes, wanted) in [
        (
            json!({ "cron": "0 0 30 2 *", "times": null, "days": null }),
            vec!["cron"],
        ),
        (json!({ "time_zone": "Europe/Atlantis" }), vec!["time_zone"]),
        (
            json!({ "window": { "from": "08:00", "to": "08:00" } }),
            vec!["window.from"],
        ),
        (json!({ "window": { "from": "10:00", "to": "12:00" } }), vec!["window"]),
        (json!({ "cron": "* * * * *" }), vec!["times"]),
        (
            json!({ "days": ["mon", "noday"], "jitter_s": -1, "misfire_cap": 0, "script_config": { "target_usres": 1 } }),
            vec!["days[1]", "jitter_s", "misfire_cap"],
        ),
    ] {
        let named = api.post("/schedule", &body("never", &changes)).faults();
        for wanted in wanted {
            assert!(
                named.iter().any(|field| field == wanted),
                "{changes}: {wanted} in {named:?}"
            );
        }
    }
    let unknown = body("never", &json!({ "serials": [PARKED[0], "no-such-phone"] }));
    assert_eq!(
        api.post("/schedule", &unknown).refused(40401)["unknown"],
        json!(["no-such-phone"])
    );
    api.post("/schedule", &body("never", &json!({ "script_name": "dance" })))
        .refused(40003);
    let typo = api.post("/schedule", &body("never", &json!({ "timezone": "UTC" })));
    assert_eq!(typo.faults(), ["timezone"]);
    assert!(typo.text().contains("time_zone"), "{}", typo.text());
    assert_eq!(count(), 0);
}

#[test]
fn a_schedule_whose_script_is_gone_is_answered_as_a_task_of_it_is() {
    let flows = tempfile::tempdir().unwrap();
    let file = flows.path().join("mine.yaml");
    std::fs::write(&file, "appId: a.b\n---\n- back\n").unwrap();
    let farm = Farm::without_adb_set(1, &format!("[flows]\ndir = \"{}\"\n", flows.path().display()));
    let api = Api::new(&farm.controller.base);
    let task = json!({ "serials": ["sim-1"], "script_name": "mine", "script_config": {} });
    let mut schedule = task.clone();
    schedule["name"] = json!("mine");
    schedule["times"] = json!(["09:00"]);
    schedule["enabled"] = json!(false);
    let created = api.post("/schedule", &schedule).ok();

    std::fs::remove_file(&file).unwrap();
    wait_for("the script is gone", SOON, || {
        let scripts = api.get("/script").ok()["items"].clone();
        let mut names = scripts.as_array().unwrap().iter().map(|script| &script["name"]);
        names.all(|name| name != "mine").then_some(())
    });

    let refused = api.post(&format!("{}/run", path(&created)), &json!({})).refused(40003);
    let supported = refused["supported"].clone();
    assert_eq!(supported, api.post("/task", &task).refused(40003)["supported"]);
    assert!(supported.as_array().unwrap().contains(&json!("post")), "{supported}");
}

#[test]
fn the_command_line_lists_shows_creates_rests_and_deletes_schedules() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_farmhand"))
            .arg("schedule")
            .args(arguments)
            .env("FARMHAND_SERVER", &shared().farm.controller.base)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let create = |zone: &str| {
        run(&[
            "create",
            "--name",
            "from the command line",
            "--cron",
            "30 9 * * mon-fri",
            "--time-zone",
            zone,
            "--window",
            "08:00-20:00",
            "--misfire",
            "skip",
            "--jitter",
            "60",
            "--script",
            "follow",
            "--config",
            r#"{"target_users": ["x"]}"#,
            "--serial",
            PARKED[1],
        ])
    };

    let (code, _, err) = create("Mars/Olympus");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("time_zone"), "{err}");
    let (code, out, err) = create("Europe/Warsaw");
    assert_eq!(code, 0, "{err}");
    let created: Value = serde_json::from_str(&out).unwrap();
    let id = created["id"].to_string();
    assert_eq!(
        (&created["window"]["to"], &created["jitter_s"]),
        (&json!("20:00"), &json!(60))
    );

    let (code, table, _) = run(&["list"]);
    assert!(
        code == 0 && table.contains("NEXT RUN") && table.contains("from the command line"),
        "{table}"
    );
    let (_, listed, _) = run(&["list", "--json"]);
    assert!(serde_json::from_str::<Value>(&listed).unwrap()["total"].as_u64() > Some(0));
    let shown = |arguments: &[&str]| -> Value {
        let (code, out, err) = run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {err}");
        serde_json::from_str(&out).unwrap()
    };
    assert_eq!(shown(&["disable", &id])["enabled"], false);
    assert_eq!(shown(&["enable", &id])["enabled"], true);
    assert_eq!(shown(&["run", &id])["created_count"], 1);
    assert_eq!(shown(&["show", &id])["last_run"]["manual"], true);
    shown(&["delete", &id]);
    assert_eq!(run(&["show", &id]).0, 3);
    assert_eq!(run(&["create", "--name", "x", "--script", "post"]).0, 2);
}

/// libfaketime, where it is installed (`scripts/test` installs it).
fn fake_clock_library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
}

/// A controller whose wall clock is set by a file; its monotonic clock stays the machine's.
struct Clocked {
    controller: Controller,
    api: Api,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Clocked {
    fn start(library: &Path, wall: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("clock");
        set_clock(&file, wall);
        let settings = format!(
            "devices = [{{ serial = \"phone\", address = \"127.0.0.1:{}\" }}]\n\
             [adb]\nservers = [\"127.0.0.1:{}\"]\nstart_server = false\n",
            free_port(),
            free_port()
        );
        let preloaded = format!("LD_PRELOAD={}", library.display());
        let steered = format!("FAKETIME_TIMESTAMP_FILE={}", file.display());
        let environment = [
            "env",
            &preloaded,
            &steered,
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "TZ=UTC",
        ];
        let controller = Controller::start_in(&environment, dir.path(), &settings);
        Self {
            api: Api::new(&controller.base),
            controller,
            file,
            _dir: dir,
        }
    }

    /// Sets the clock and waits until the controller sees it.
    fn set(&self, wall: &str) {
        set_clock(&self.file, wall);
        let wall: jiff::Timestamp = format!("{wall}Z").parse().unwrap();
        wait_for("the clock is set", SOON, || {
            let off = self.clock().as_second() - wall.as_second();
            (-1..30).contains(&off).then_some(())
        });
    }

    /// How many tasks there are when the clock has come to show this.
    fn tasks_at(&self, shown: &str) -> i64 {
        let shown: jiff::Timestamp = format!("{shown}Z").parse().unwrap();
        wait_for("the clock goes on", SOON, || (self.clock() >= shown).then_some(()));
        self.api.get("/task/stats").ok()["total"].as_i64().unwrap()
    }

    /// What the controller's clock shows, to the second.
    fn clock(&self) -> jiff::Timestamp {
        let answer = self.api.get("/license/check");
        let date = jiff::fmt::rfc2822::parse(answer.header("date").unwrap()).unwrap();
        date.timestamp()
    }
}

/// The clock goes on from this instant, written `YYYY-MM-DDTHH:MM:SS`, from now.
fn set_clock(file: &Path, wall: &str) {
    let wall = format!("{wall}Z").parse::<jiff::Timestamp>().unwrap();
    let offset = wall.as_second() - jiff::Timestamp::now().as_second();
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{offset:+}\n")).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn f19_f21_under_clocks_that_are_set_a_time_of_day_runs_once_and_what_was_missed_is_one_run() {
    let Some(library) = fake_clock_library() else {
        assert!(
            std::env::var("CI").is_err(),
            "libfaketime must be installed where CI runs"
        );
        eprintln!("NOT RUN: libfaketime is not installed (apt-get install faketime)");
        return;
    };
    let mut farm = Clocked::start(&library, "2026-05-01T08:00:00");
    let daily = json!({
        "name": "daily", "serials": ["phone"], "script_name": "follow", "script_config": { "target_users": ["x"] },
        "times": ["09:00"]
    });
    let created = farm.api.post("/schedule", &daily).ok();
    assert_eq!(created["next_runs"][0], "2026-05-01T09:00:00.000Z");
    let by_start_time = json!({
        "serials": ["phone"], "script_name": "follow", "script_config": { "target_users": ["y"] }, "start_time": "09:00"
    });
    let task = ids(&farm.api.post("/task", &by_start_time).ok())[0];
    assert_eq!(
        farm.api.get(&format!("/task/{task}")).ok()["scheduled_at"],
        "2026-05-01T09:00:00.000Z"
    );

    // Nine o'clock comes, and comes again after the clock was set back.
    for wall in [
        "2026-05-01T08:59:57",
        "2026-05-01T08:59:57",
        "2026-05-01T07:59:00",
        "2026-05-01T08:59:57",
    ] {
        farm.set(wall);
        let shown = if wall.ends_with("57") {
            "2026-05-01T09:00:03"
        } else {
            "2026-05-01T07:59:03"
        };
        assert_eq!(farm.tasks_at(shown), 2, "{wall}");
    }
    // A day forth and back: the next day's run comes early, and only once.
    farm.set("2026-05-02T09:30:00");
    assert_eq!(farm.tasks_at("2026-05-02T09:30:03"), 3);
    farm.set("2026-05-01T09:30:00");
    assert_eq!(farm.tasks_at("2026-05-01T09:30:03"), 3);
    farm.set("2026-05-02T08:59:57");
    assert_eq!(farm.tasks_at("2026-05-02T09:00:03"), 3);
    // Ten days off are one run.
    farm.controller.kill();
    set_clock(&farm.file, "2026-05-12T12:00:00");
    farm.controller.restart();
    wait_for("the missed run", SOON, || {
        (farm.api.get("/task/stats").ok()["total"] == 4).then_some(())
    });
    assert_eq!(farm.tasks_at("2026-05-12T12:00:03"), 4);
    let shown = farm.api.get("/schedule/1").ok();
    assert_eq!(shown["last_run"]["planned_at"], "2026-05-12T09:00:00.000Z");
    assert_eq!(shown["next_runs"][0], "2026-05-13T09:00:00.000Z");
}
