//! One farm that most tests share, each with phones and accounts of its own there.

use std::{
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{
    harness::{Farm, follow},
    http::Api,
};

/// How many phones there are.
pub const PHONES: u32 = 9;
/// Phones that are switched off: tasks for them stay pending.
pub const PARKED: [&str; 3] = ["sim-1", "sim-2", "sim-3"];
/// Switched off, and without accounts but those that one test binds.
pub const ALONE: &str = "sim-7";
/// Where tasks may run.
pub const WORKING: &str = "sim-4";
/// Where a person's own hand acts.
pub const BY_HAND: &str = "sim-5";
/// Where things go wrong on purpose, each test on one of its own: a fault is not for others' tasks.
pub const CHALLENGED: &str = "sim-8";
/// As [`CHALLENGED`]; its uploads fail.
pub const FAILING: &str = "sim-9";
/// Switched off and on, restarted.
pub const SHAKEN: &str = "sim-6";

pub struct Shared {
    pub api: Api,
    pub farm: Farm,
}

static SHARED: LazyLock<Shared> = LazyLock::new(|| {
    let farm = Farm::without_adb(PHONES);
    end_with_this_process(&[farm.sim.process_id(), farm.controller.process_id().unwrap()]);
    let api = Api::new(&farm.controller.base);
    for serial in PARKED.into_iter().chain([ALONE]) {
        api.patch(&format!("/device/{serial}"), &json!({ "enabled": false }))
            .ok();
    }
    for serial in PARKED.into_iter().chain([ALONE]) {
        farm.controller.await_device(serial, "disabled");
    }
    Shared { api, farm }
});

pub fn shared() -> &'static Shared {
    &SHARED
}

/// Statics are not dropped: a shell outlives this process by a moment and ends what it started.
fn end_with_this_process(ids: &[u32]) {
    let ids: Vec<_> = ids.iter().map(u32::to_string).collect();
    let script = format!("cat > /dev/null; kill -9 {}", ids.join(" "));
    let child = Command::new("sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Its standard input closes when this process ends, however it does.
    std::mem::forget(child);
}

impl Shared {
    /// A new account of the given app on a phone.
    pub fn account(&self, serial: &str, app: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let username = format!("person{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.farm.account(serial, app, &username);
        username
    }

    /// A new pending task.
    pub fn pending(&self) -> i64 {
        ids(&self.api.post("/task", &follow(PARKED[0], "somebody")).ok())[0]
    }

    pub fn task(&self, id: i64) -> Value {
        self.api.get(&format!("/task/{id}")).ok()
    }
}

/// The ids of a creation.
pub fn ids(created: &Value) -> Vec<i64> {
    let ids: Vec<_> = created["task_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_i64().unwrap())
        .collect();
    assert_eq!(created["created_count"], ids.len());
    assert!(created["warnings"].is_array());
    ids
}
