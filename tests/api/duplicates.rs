//! The same content twice: an account does not publish by mistake what it has published.

use serde_json::{Value, json};

use crate::{
    harness::{Farm, post},
    http::Api,
    shared::ids,
};

fn forced(mut body: Value) -> Value {
    body["force"] = json!(true);
    body
}

#[test]
fn the_same_post_of_an_account_is_refused_unless_it_is_forced() {
    let farm = Farm::without_adb_as(1, |settings| settings.replace("window_h = 0", "window_h = 24"));
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "careful");
    let create = |body: &Value| ids(&api.post("/task", body).ok())[0];

    let first = create(&post("sim-1", "only once"));
    farm.controller.await_status(first, 2);
    let second = create(&post("sim-1", "only once"));
    let refused = farm.controller.await_status(second, 3);
    let other = create(&post("sim-1", "something else"));
    farm.controller.await_status(other, 2);
    let again = create(&forced(post("sim-1", "only once")));
    farm.controller.await_status(again, 2);

    let failure = &refused["failure"];
    let message = failure["message"].as_str().unwrap();
    assert_eq!(
        (&failure["reason"], &failure["retryable"]),
        (&json!("material_invalid"), &json!(false))
    );
    assert!(
        message.contains(&format!("task {first}")) && message.contains("force"),
        "{message}"
    );
    let captions: Vec<_> = farm
        .sim
        .ledger("publish")
        .iter()
        .map(|entry| entry["detail"]["caption"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(captions, ["only once", "something else", "only once"]);
}

#[test]
fn a_script_that_cannot_be_forced_says_so_and_nothing_is_created() {
    let farm = Farm::without_adb(1);
    let api = Api::new(&farm.controller.base);
    farm.account("sim-1", "tiktok", "careful");
    let body = forced(crate::harness::follow("sim-1", "somebody"));

    assert_eq!(api.post("/task", &body).faults(), ["script_config.force"]);
    assert_eq!(api.get("/task/stats").ok()["total"], 0);
}
