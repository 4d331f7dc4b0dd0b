//! The example flows, each run on a simulated phone.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use crate::{
    harness::Farm,
    scripts::{completed, file_names},
};

/// The scripts of the folder of examples.
fn example_names(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_example_flow_does_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flows");
    let farm = Farm::without_adb_set(2, &format!("[flows]\ndir = \"{}\"\n", folder.display()));
    farm.account(farm.sim.serial(0), "tiktok", "anna");
    let photo = json!({ "photo": ["C:/Images/image1.jpg"], "caption": "{by|by} example" });
    let on = |phone: usize, script: &str, config: Value| {
        let serial = farm.sim.serial(phone);
        json!({ "serials": [serial], "script_name": script, "script_config": config })
    };
    let tasks = [
        on(1, "settings_app", json!({ "search_for": "Display" })),
        on(1, "rename_phone", json!({ "prefix": "Farm" })),
        on(1, "tap_by_picture", json!({})),
        json!({ "usernames": ["anna"], "script_name": "post_photo", "script_config": photo }),
    ];
    let run: BTreeSet<String> = tasks
        .iter()
        .map(|task| task["script_name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(run, example_names(&folder), "every example is run here");
    let ids: Vec<i64> = tasks.iter().map(|task| farm.controller.create(task)[0]).collect();

    let ended: Vec<Value> = ids.iter().map(|id| completed(&farm, *id)).collect();

    let remark = |at: usize| ended[at]["remark"].as_str().unwrap_or_default();
    assert!(remark(0).ends_with("found Display"), "{}", remark(0));
    assert!(remark(1).starts_with("named Farm "), "{}", remark(1));
    let steps = ended[2]["attempts"][0]["steps"].as_array().unwrap();
    let tap = steps.iter().find(|step| step["command"] == "tapOn").unwrap();
    assert_eq!(tap["detail"]["matched"]["image"], "pictures/settings_icon.png");
    let published = farm.sim.ledger("publish");
    assert_eq!(published.len(), 1, "{published:#?}");
    assert_eq!(published[0]["detail"]["caption"], "by example");
    assert_eq!(file_names(&published[0]), json!(["image1.jpg"]));
}
