use farmhand_actors::ports::MediaSource;
use serde_json::json;

use super::*;
use crate::flow::testing::FakeMedia;

const GOOD: &str = "appId: a.b\nfarmhand: { description: one }\n---\n- back\n";

fn name(text: &str) -> ScriptName {
    ScriptName::parse(text).unwrap()
}

struct Bench {
    folder: tempfile::TempDir,
    media: Arc<FakeMedia>,
    catalog: Arc<FlowCatalog>,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let media = Arc::new(FakeMedia {
            warnings: vec!["a file is not there yet".to_owned()],
            ..FakeMedia::default()
        });
        let catalog = FlowCatalog::new(Some(folder.path().to_path_buf()), media.clone());
        let bench = Self { folder, media, catalog };
        for (path, text) in files {
            bench.write(path, text);
        }
        bench.catalog.refresh();
        bench
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

#[test]
fn the_bundled_flows_are_sound() {
    let catalog = FlowCatalog::new(None, Arc::new(FakeMedia::default()));
    let scripts = catalog.list();
    assert!(!scripts.is_empty());
    for script in scripts {
        assert!(script.built_in && script.errors.is_empty(), "{script:#?}");
        assert!(!script.description.is_empty(), "{}", script.name);
    }
}

#[test]
fn files_become_scripts_and_files_in_folders_do_not() {
    let bench = Bench::new(&[
        ("mine.yaml", GOOD),
        ("lib/other.yaml", GOOD),
        ("notes.txt", "x"),
        ("also.yml", GOOD),
    ]);
    let mine = bench.catalog.get(&name("mine")).unwrap();
    assert_eq!(
        (mine.description.as_str(), mine.built_in, mine.errors.len()),
        ("one", false, 0)
    );
    assert_eq!(mine.content_hash.len(), 64);
    assert!(bench.catalog.get(&name("also")).is_some());
    assert!(bench.catalog.get(&name("other")).is_none());
    assert!(bench.catalog.get(&name("notes")).is_none());
}

#[test]
fn a_changed_file_is_taken_up_and_running_attempts_keep_theirs() {
    let bench = Bench::new(&[("mine.yaml", GOOD)]);
    let before = bench.catalog.script(&name("mine")).unwrap();

    bench.write("mine.yaml", &GOOD.replace("one", "another"));
    bench.catalog.refresh();

    assert_eq!(bench.catalog.get(&name("mine")).unwrap().description, "another");
    assert_eq!(before.flow().config.extension.description, "one");
    assert_ne!(
        before.content_hash(),
        bench.catalog.script(&name("mine")).unwrap().content_hash()
    );
}

#[test]
fn a_file_whose_name_cannot_be_a_scripts_is_told_until_it_is_renamed() {
    let bench = Bench::new(&[("My Flow.yaml", GOOD), ("fine.yaml", GOOD), (".fine.yaml", GOOD)]);
    let ignored = bench.catalog.ignored();
    assert!(
        ignored.len() == 1 && ignored[0].starts_with("My Flow.yaml: its name cannot"),
        "{ignored:?}"
    );

    let path = |file: &str| bench.folder.path().join(file);
    std::fs::rename(path("My Flow.yaml"), path("my_flow.yaml")).unwrap();
    bench.catalog.refresh();

    assert!(bench.catalog.ignored().is_empty() && bench.catalog.get(&name("my_flow")).is_some());
}

#[test]
fn of_two_files_of_one_name_the_second_is_told_to_count_for_nothing() {
    let bench = Bench::new(&[("mine.yaml", GOOD), ("mine.yml", &GOOD.replace("one", "another"))]);

    assert_eq!(bench.catalog.get(&name("mine")).unwrap().description, "one");
    let ignored = bench.catalog.ignored();
    assert!(
        ignored.len() == 1 && ignored[0].starts_with("mine.yml: another file"),
        "{ignored:?}"
    );
}

#[test]
fn a_file_cannot_take_the_name_of_a_flow_that_was_sent() {
    let bench = Bench::new(&[("flow:x@0123456789abcdef.yaml", GOOD)]);
    assert!(bench.catalog.get(&name("flow:x@0123456789abcdef")).is_none());
}

#[test]
fn a_change_of_an_included_file_is_seen() {
    let bench = Bench::new(&[
        ("mine.yaml", "appId: a.b\n---\n- runFlow: lib/x.yaml\n"),
        ("lib/x.yaml", GOOD),
    ]);
    let before = bench.catalog.get(&name("mine")).unwrap().content_hash;
    bench.write("lib/x.yaml", "appId: a.b\n---\n- scroll\n- back\n");
    bench.catalog.refresh();
    assert_ne!(before, bench.catalog.get(&name("mine")).unwrap().content_hash);
}

#[test]
fn a_broken_file_keeps_its_last_good_version_and_shows_its_errors() {
    let bench = Bench::new(&[("mine.yaml", GOOD)]);
    bench.write("mine.yaml", "appId: a.b\n---\n- tapon: X\n- bak\n");
    bench.catalog.refresh();
    let mine = bench.catalog.get(&name("mine")).unwrap();
    assert_eq!(mine.description, "one");
    assert_eq!(mine.errors.len(), 2, "{:?}", mine.errors);
    assert!(mine.errors[0].starts_with("mine.yaml:3:3: "), "{:?}", mine.errors);
    assert!(bench.catalog.script(&name("mine")).is_some());

    bench.write("mine.yaml", GOOD);
    bench.catalog.refresh();
    assert!(bench.catalog.get(&name("mine")).unwrap().errors.is_empty());
}

#[tokio::test]
async fn a_file_that_was_never_good_is_shown_but_cannot_be_used() {
    let bench = Bench::new(&[("mine.yaml", "nonsense")]);
    assert!(!bench.catalog.get(&name("mine")).unwrap().errors.is_empty());
    assert!(bench.catalog.script(&name("mine")).is_none());
    let errors = bench.catalog.validate(&name("mine"), &json!({})).await.unwrap_err();
    assert_eq!(errors[0].field, "script_name");
}

#[tokio::test]
async fn a_script_that_is_not_there_is_said_to_be_none_and_not_to_have_errors() {
    let bench = Bench::new(&[]);
    let errors = bench.catalog.validate(&name("gone"), &json!({})).await.unwrap_err();
    assert_eq!((errors.len(), errors[0].field.as_str()), (1, "script_name"));
    assert!(errors[0].message.contains("no script `gone`"), "{}", errors[0].message);
    assert!(!errors[0].message.contains("errors"), "{}", errors[0].message);
}

#[tokio::test]
async fn a_task_of_a_flow_that_its_policy_forbids_is_refused_with_the_step() {
    let scripts = "appId: a.b\n---\n- back\n- runScript: talk/talk.js\n- assertTrue: \"${http.get('http://a.b/').ok}\"\n\
                   - clearState\n";
    let bench = Bench::new(&[
        ("talks.yaml", scripts),
        ("talk/talk.js", "output.a = http.post('http://a.b/')"),
    ]);

    let errors = bench.catalog.validate(&name("talks"), &json!({})).await.unwrap_err();

    let [error] = errors.as_slice() else {
        panic!("{errors:?}")
    };
    assert_eq!(error.field, "script_name");
    for words in [
        "4 in all",
        "talk/talk.js:1:12: Not Allowed: http",
        "talks.yaml:4:3: Not Allowed: runScript",
        "talks.yaml:5:15: Not Allowed: http: the policy does not allow `http`",
    ] {
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
    bench.write(
        "talks.yaml",
        &scripts.replacen(
            "a.b\n",
            "a.b\nfarmhand: { policy: { allow: [http, runScript, clearState] } }\n",
            1,
        ),
    );
    bench.catalog.refresh();
    assert!(bench.catalog.validate(&name("talks"), &json!({})).await.is_ok());
}

#[test]
fn a_removed_file_is_no_script_any_more() {
    let bench = Bench::new(&[("mine.yaml", GOOD)]);
    std::fs::remove_file(bench.folder.path().join("mine.yaml")).unwrap();
    bench.catalog.refresh();
    bench.catalog.refresh();
    assert!(bench.catalog.get(&name("mine")).is_none());
}

#[test]
fn a_file_that_is_replaced_is_a_script_all_the_time() {
    let bench = Bench::new(&[("mine.yaml", GOOD), ("post.yaml", GOOD)]);
    for file in ["mine.yaml", "post.yaml"] {
        std::fs::remove_file(bench.folder.path().join(file)).unwrap();
    }
    bench.catalog.refresh();
    for script in ["mine", "post"] {
        assert_eq!(bench.catalog.get(&name(script)).unwrap().description, "one", "{script}");
        assert!(bench.catalog.script(&name(script)).is_some(), "{script}");
    }

    bench.write("mine.yaml", &GOOD.replace("one", "another"));
    bench.catalog.refresh();
    bench.catalog.refresh();

    assert_eq!(bench.catalog.get(&name("mine")).unwrap().description, "another");
    assert!(
        bench.catalog.get(&name("post")).unwrap().built_in,
        "the one that ships is back"
    );
}

#[test]
fn scripts_stay_while_their_folder_cannot_be_read() {
    let bench = Bench::new(&[("mine.yaml", GOOD)]);
    let away = bench.folder.path().with_extension("away");
    std::fs::rename(bench.folder.path(), &away).unwrap();
    for _ in 0..3 {
        bench.catalog.refresh();
        assert!(bench.catalog.script(&name("mine")).is_some());
    }
    std::fs::rename(&away, bench.folder.path()).unwrap();
    bench.write("mine.yaml", &GOOD.replace("one", "another"));
    bench.catalog.refresh();
    assert_eq!(bench.catalog.get(&name("mine")).unwrap().description, "another");
}

#[test]
fn upstreams_settings_of_a_folder_are_no_script() {
    let settings = "flows: [\"*\"]\nexecutionOrder: { flowsOrder: [a] }\n";
    let bench = Bench::new(&[("config.yaml", settings), ("mine.yaml", GOOD)]);
    assert!(bench.catalog.get(&name("config")).is_none());
    assert!(bench.catalog.get(&name("mine")).is_some());

    bench.write("config.yaml", GOOD);
    bench.catalog.refresh();
    assert_eq!(bench.catalog.get(&name("config")).unwrap().description, "one");
}

#[test]
fn links_that_lead_out_of_the_folder_are_refused() {
    let bench = Bench::new(&[]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("x.yaml"), GOOD).unwrap();
    std::os::unix::fs::symlink(outside.path().join("x.yaml"), bench.folder.path().join("x.yaml")).unwrap();
    bench.catalog.refresh();
    assert!(bench.catalog.get(&name("x")).unwrap().errors[0].contains("outside"));
}

#[tokio::test]
async fn configs_are_validated_fanned_out_and_their_media_looked_at() {
    let flow = "appId: a.b\nfarmhand:\n  fan_out: { params: [targets], as: targets }\n  media: { files: files, kind: kind }\n  \
                params:\n    properties:\n      targets: { type: array, items: { type: string } }\n      \
                files: { type: array, items: { type: string }, default: [] }\n      kind: { enum: [0, 1], default: 0 }\n---\n- back\n";
    let bench = Bench::new(&[("mine.yaml", flow)]);
    let config = json!({"targets": ["a", "@A", "b"], "files": ["C:/x.mp4"]});
    let valid = bench.catalog.validate(&name("mine"), &config).await.unwrap();
    assert_eq!(valid.configs.len(), 2);
    assert_eq!(
        *valid.configs[1],
        json!({"targets": ["b"], "files": ["C:/x.mp4"], "kind": 0})
    );
    assert_eq!(valid.warnings, ["a file is not there yet"]);
    let source = bench.media.requests.lock().unwrap()[0].source.clone();
    assert_eq!(source, MediaSource::Files(vec!["C:/x.mp4".to_owned()]));

    let errors = bench
        .catalog
        .validate(&name("mine"), &json!({"kind": 7, "oops": 1}))
        .await
        .unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    for field in ["script_config.kind", "script_config.oops", "script_config.targets"] {
        assert!(fields.contains(&field), "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_folder_is_watched_until_it_is_told_to_stop() {
    let bench = Bench::new(&[]);
    let stop = CancellationToken::new();
    let watch = tokio::spawn(bench.catalog.clone().watch(stop.clone()));
    bench.write("mine.yaml", GOOD);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if bench.catalog.get(&name("mine")).is_some() {
            break;
        }
    }
    assert!(bench.catalog.get(&name("mine")).is_some());
    stop.cancel();
    watch.await.unwrap();
}
