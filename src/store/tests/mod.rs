//! How the store behaves: each test on a fresh database in a folder of its own.

mod attempts;
mod checkpoints;
mod conformance;
mod effects;
mod farm;
mod list_model;
mod lists;
mod model;
mod open;
mod plans;
mod recovery;
mod schedules;
mod schema;
mod speed;
mod tasks;
mod webhooks;

use std::{path::PathBuf, sync::Arc, time::Duration};

use farmhand_actors::{
    domain::{
        Claim, Claimed, Epoch, Failure, FailureReason, Lease, NewTask, Purpose, ScriptName, Serial, Source, Task,
        TaskId, Timestamp, Username,
    },
    ports::{Finish, Finished, SubmitResult, TaskNext, TaskStore},
};
use serde_json::json;
use tempfile::TempDir;

use super::{Store, StoreSettings};

/// A store on a fresh database.
struct Farm {
    store: Arc<Store>,
    epoch: Epoch,
    folder: TempDir,
}

impl Farm {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = open(&folder.path().join("farmhand.db")).await;
        let epoch = store.begin_epoch(at(0)).await.expect("begins");
        Self { store, epoch, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("farmhand.db")
    }

    async fn submit(&self, tasks: Vec<NewTask>) -> Vec<TaskId> {
        match self
            .store
            .submit(tasks, None, Vec::new(), at(0))
            .await
            .expect("submits")
        {
            SubmitResult::Created(submitted) => submitted.task_ids,
            other => panic!("not created: {other:?}"),
        }
    }

    async fn submit_one(&self, task: NewTask) -> TaskId {
        self.submit(vec![task]).await[0]
    }

    fn lease(&self, token: &str) -> Lease {
        Lease {
            epoch: self.epoch,
            token: token.into(),
        }
    }

    fn claim_of(&self, task: TaskId, serial: &str, username: Option<&str>) -> Claim {
        Claim {
            task,
            serial: serial_of(serial),
            username: username.map(username_of),
            lease: self.lease(&format!("token-{task}")),
            at: at(10),
        }
    }

    async fn claim(&self, task: TaskId, serial: &str, username: Option<&str>) -> Claimed {
        let claim = self.claim_of(task, serial, username);
        let mut claimed = self.store.claim(vec![claim]).await.expect("claims");
        claimed.pop().flatten().expect("was pending")
    }

    fn finish_of(&self, claimed: &Claimed, next: TaskNext) -> Finish {
        Finish {
            task: claimed.task,
            attempt: claimed.attempt,
            lease: self.lease(&format!("token-{}", claimed.task)),
            outcome: match &next {
                TaskNext::Completed { .. } => "completed",
                TaskNext::Failed { failure } => failure.reason.as_str(),
                TaskNext::Again { .. } => "device_offline",
            },
            next,
            used: None,
            attention: None,
            at: at(20),
        }
    }

    async fn finish(&self, claimed: &Claimed, next: TaskNext) -> bool {
        self.end(claimed, next).await.written
    }

    async fn end(&self, claimed: &Claimed, next: TaskNext) -> Finished {
        let finish = self.finish_of(claimed, next);
        let mut finished = self.store.finish(vec![finish]).await.expect("finishes");
        finished.remove(0)
    }

    async fn fail(&self, task: TaskId, serial: &str, reason: FailureReason) {
        let claimed = self.claim(task, serial, None).await;
        assert!(self.finish(&claimed, failed(reason)).await);
    }

    async fn task(&self, id: TaskId) -> Task {
        self.store.get_task(id).await.expect("reads").expect("is there")
    }

    async fn event_kinds(&self) -> Vec<String> {
        let page = self.store.events_after(0, 1000).await.expect("reads");
        page.events.into_iter().map(|event| event.event.kind).collect()
    }
}

async fn open(path: &std::path::Path) -> Arc<Store> {
    Store::open(settings(path)).await.expect("opens")
}

fn settings(path: &std::path::Path) -> StoreSettings {
    StoreSettings {
        url: format!("sqlite://{}", path.display()),
        ..StoreSettings::default()
    }
}

/// Seconds after a fixed instant.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

fn serial_of(text: &str) -> Serial {
    Serial::parse(text).expect("a serial")
}

fn username_of(text: &str) -> Username {
    Username::parse(text).expect("a username")
}

fn script_of(text: &str) -> ScriptName {
    ScriptName::parse(text).expect("a script's name")
}

fn task_for(serial: &str, username: Option<&str>) -> NewTask {
    NewTask {
        batch_id: "batch".into(),
        script: script_of("post"),
        config: Arc::new(json!({"captions": "grüße \u{1F600} \"q\" \\ \u{0} end", "n": 1.50, "list": [1, null]})),
        serial: Some(serial_of(serial)),
        username: username.map(username_of),
        enable_multi_account: false,
        source: Source::Api,
        start_time: None,
        scheduled_at: None,
        due_at: None,
        gap: None,
        priority: 0,
        schedule: None,
    }
}

fn completed() -> TaskNext {
    TaskNext::Completed {
        remark: "done".to_owned(),
    }
}

fn failed(reason: FailureReason) -> TaskNext {
    TaskNext::Failed {
        failure: Failure {
            reason,
            message: format!("failed: {}", reason.as_str()),
            step: Some(3),
            retryable: true,
        },
    }
}

fn again(seconds: i64, purpose: Purpose, counts: bool) -> TaskNext {
    TaskNext::Again {
        due_at: at(seconds),
        purpose,
        remark: "again".to_owned(),
        counts,
    }
}

/// Waits until a condition holds; the bound only ends a test that fails.
async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let bounded = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    });
    bounded.await.unwrap_or_else(|_| panic!("not within 10 s: {what}"));
}
