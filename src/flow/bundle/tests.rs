use serde_json::json;

use super::*;

const GOOD: &str = "appId: a.b\n---\n- runFlow: sub/next.yaml\n- runScript: s.js\n";
const ALLOWED: &str =
    "appId: a.b\nfarmhand: { policy: { allow: [runScript] } }\n---\n- runFlow: sub/next.yaml\n- runScript: s.js\n";
const NEXT: &str = "appId: a.b\n---\n- addMedia: [ \"../a.png\" ]\n- back\n";

fn bundle(main: &str, files: &[(&str, &str)]) -> Bundle {
    Bundle {
        main: main.to_owned(),
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect(),
        env: BTreeMap::new(),
    }
}

fn whole() -> Bundle {
    let files = [
        ("x.yaml", ALLOWED),
        ("sub/next.yaml", NEXT),
        ("s.js", "1"),
        ("a.png", "png"),
    ];
    bundle("x.yaml", &files)
}

fn faults(bundle: Bundle) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let bundles = Bundles::new(folder.path().join("bundles"));
    let error = bundles.check(bundle).unwrap_err();
    let left = fs::read_dir(folder.path().join("bundles")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing is stored");
    match error {
        BundleError::Invalid(faults) => faults.into_iter().map(|fault| (fault.field, fault.message)).collect(),
        other => panic!("{other}"),
    }
}

#[test]
fn a_bundle_is_found_again_by_the_name_of_its_script_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bundles = Bundles::new(folder.path().join("bundles"));
    let mut sent = whole();
    sent.env = BTreeMap::from([("WHO".to_owned(), "anna".to_owned())]);
    let checked = bundles.check(sent.clone()).unwrap();
    let name = bundles.keep(&checked).unwrap();
    let hash = checked.script().content_hash().to_owned();
    drop(checked);

    let later = Bundles::new(folder.path().join("bundles"));
    let found = later.load(&name).unwrap();

    assert!(name.as_str().starts_with("flow:x@"), "{name}");
    assert_eq!(found.content_hash(), hash);
    assert_eq!(found.env(), [("WHO".to_owned(), "anna".to_owned())]);
    assert_eq!(
        later.keep(&later.check(sent).unwrap()).unwrap(),
        name,
        "sent twice, stored once"
    );
    assert_eq!(fs::read_dir(folder.path().join("bundles")).unwrap().count(), 1);
    let other = later.keep(&later.check(whole()).unwrap()).unwrap();
    assert_ne!(other, name, "other variables");
}

#[test]
fn every_fault_of_a_bundle_is_told_and_nothing_is_stored() {
    let mut many = bundle(
        "main.txt",
        &[
            ("../up.yaml", GOOD),
            ("/abs.yaml", GOOD),
            ("a//b.yaml", GOOD),
            ("C:\\x.yaml", GOOD),
            ("d", "x"),
            ("d/e.yaml", GOOD),
            ("main.txt", GOOD),
            ("line\nbreak.yaml", GOOD),
        ],
    );
    many.env = BTreeMap::from([
        ("1A".into(), "x".into()),
        ("output".into(), "x".into()),
        ("OK_1".into(), "x".into()),
    ]);
    let found = faults(many);
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    for field in [
        "files.../up.yaml",
        "files./abs.yaml",
        "files.a//b.yaml",
        "files.C:\\x.yaml",
        "files.d/e.yaml",
        "files.line\nbreak.yaml",
        "main",
        "env.1A",
        "env.output",
    ] {
        assert!(fields.contains(&field), "{field}: {found:#?}");
    }
    assert_eq!(found.len(), 9, "{found:#?}");
    assert!(
        faults(bundle("gone.yaml", &[("x.yaml", GOOD)]))[0]
            .1
            .contains("not among the files")
    );
}

#[test]
fn a_bundled_flow_is_checked_as_a_script_is() {
    let found = faults(bundle(
        "x.yaml",
        &[
            (
                "x.yaml",
                "appId: a.b\n---\n- tapon: X\n- clearState\n- runFlow: sub/next.yaml\n- runFlow: ../y.yaml\n",
            ),
            ("sub/next.yaml", "appId: a.b\n---\n- bak\n"),
        ],
    ));
    let wanted = [
        ("files.sub/next.yaml", "sub/next.yaml:3:3: Invalid Command: bak"),
        ("files.x.yaml", "x.yaml:3:3: Invalid Command: tapon"),
        ("files.x.yaml", "x.yaml:6:12: Invalid File Path"),
    ];
    for (field, start) in wanted {
        assert!(
            found
                .iter()
                .any(|(known, message)| known == field && message.starts_with(start)),
            "{start}: {found:#?}"
        );
    }
    let policy = faults(bundle("x.yaml", &[("x.yaml", "appId: a.b\n---\n- clearState\n")]));
    assert!(
        policy[0].1.starts_with("x.yaml:3:3: Not Allowed: clearState"),
        "{policy:?}"
    );
}

#[test]
fn too_much_is_refused() {
    let mut large = whole();
    large.files.insert("film.mp4".to_owned(), vec![0; MAX_BYTES + 1]);
    assert!(faults(large)[0].1.contains("library"));
    let mut many = whole();
    for number in 0..=MAX_FILES {
        many.files.insert(format!("{number}.png"), Vec::new());
    }
    assert!(faults(many)[0].1.contains("at most"));
}

#[test]
fn what_a_flow_reads_is_collected_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in whole().files {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    fs::write(folder.path().join("private.txt"), "x").unwrap();
    let collected = collect(folder.path(), "x.yaml").unwrap();
    assert_eq!(collected, whole());

    fs::write(folder.path().join("x.yaml"), GOOD).unwrap();
    let problems = collect(folder.path(), "x.yaml").unwrap_err();
    assert!(
        problems[0]
            .to_string()
            .starts_with("x.yaml:4:3: Not Allowed: runScript"),
        "{problems:?}"
    );
}

#[test]
fn bundles_that_no_task_names_are_forgotten_once_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let bundles = Bundles::new(folder.path().join("bundles"));
    let keep = |file: &str| {
        bundles
            .keep(
                &bundles
                    .check(bundle(file, &[(file, "appId: a.b\n---\n- back\n")]))
                    .unwrap(),
            )
            .unwrap()
    };
    let (used, unused, fresh) = (keep("used.yaml"), keep("unused.yaml"), keep("fresh.yaml"));
    for name in [&used, &unused] {
        let manifest = bundles.place(name).unwrap().join(MANIFEST);
        let file = fs::File::options().write(true).open(manifest).unwrap();
        file.set_modified(SystemTime::now() - 2 * GRACE).unwrap();
    }

    assert_eq!(bundles.prune(&HashSet::from([used.clone()])).unwrap(), 1);

    assert!(bundles.load(&used).is_ok() && bundles.load(&fresh).is_ok());
    let told = bundles.load(&unused).unwrap_err();
    assert!(told.contains("not there any more"), "{told}");
    assert_eq!(
        Bundles::new(folder.path().join("none")).prune(&HashSet::new()).unwrap(),
        0
    );
}

#[tokio::test]
async fn a_flow_is_kept_with_its_config_checked() {
    let folder = tempfile::tempdir().unwrap();
    let media = std::sync::Arc::new(crate::flow::testing::FakeMedia::default());
    let place = folder.path().join("bundles");
    let catalog = crate::flow::FlowCatalog::with_bundles(None, media, Bundles::new(place.clone()));
    let flow =
        "appId: a.b\nfarmhand: { params: { properties: { who: { type: string, default: anna } } } }\n---\n- back\n";
    let sent = || bundle("x.yaml", &[("x.yaml", flow)]);

    let refused = catalog.keep(sent(), &json!({ "whom": "x" })).await.unwrap_err();
    assert!(matches!(refused, BundleError::Invalid(faults) if faults[0].field == "script_config.whom"));
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "nothing is stored");

    let (name, config) = catalog.keep(sent(), &json!({})).await.unwrap();
    assert_eq!(*config.configs[0], json!({ "who": "anna" }));
    assert!(catalog.version(&name).await.is_ok());
    let listed = farmhand_actors::ports::ScriptCatalog::get(&*catalog, &name);
    assert!(listed.is_none(), "no other task can name it");
}

#[test]
fn a_flow_in_a_folder_is_sent_with_what_lies_beside_that_folder() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("sub/x.yaml", "appId: a.b\n---\n- runFlow: ../y.yaml\n"),
        ("y.yaml", NEXT.replace("../a.png", "a.png").as_str()),
        ("a.png", "png"),
    ] {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    let sent = collect(folder.path(), "sub/x.yaml").unwrap();

    assert_eq!(sent.main, "sub/x.yaml");
    let paths: Vec<&str> = sent.files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["a.png", "sub/x.yaml", "y.yaml"]);
}
