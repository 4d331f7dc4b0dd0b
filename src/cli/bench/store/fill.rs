//! The tasks of `bench store`: how they come into the database.

use std::{
    ops::Range,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{
        Claim, Claimed, Failure, FailureReason, Lease, NewTask, ScriptName, Serial, Source, TaskId, Timestamp, Username,
    },
    ports::{Finish, SubmitResult, TaskNext, TaskStore},
};
use serde_json::json;

use super::{Bench, REQUEST};
use crate::{
    cli::{CliError, serve::failed},
    store::{Store, StoreSettings},
};

/// Of a hundred tasks so many have ended; every 17th of these has failed.
const ENDED_PERCENT: usize = 85;
/// The tasks of these requests have one id: they count as one of 10,000 tasks.
pub(super) const LARGE_BATCH: Range<usize> = 10..20;

impl Bench {
    pub(super) async fn open(path: &Path, devices: usize) -> Result<Self, CliError> {
        let settings = StoreSettings {
            url: format!("sqlite://{}", path.display()),
            ..StoreSettings::default()
        };
        let store = Store::open(settings).await.map_err(failed)?;
        let serials = (0..REQUEST).map(|device| Serial::parse(&format!("phone-{device}")));
        let usernames = (0..devices.saturating_mul(2)).map(|account| Username::parse(&format!("account-{account}")));
        let scripts = ["post", "follow", "browse"].map(ScriptName::parse);
        Ok(Self {
            epoch: store.begin_epoch(Timestamp::now()).await.map_err(failed)?,
            store,
            devices,
            serials: serials.collect::<Result<_, _>>().map_err(failed)?,
            usernames: usernames.collect::<Result<_, _>>().map_err(failed)?,
            scripts: scripts.into_iter().collect::<Result<_, _>>().map_err(failed)?,
        })
    }

    /// The oldest have ended, the newest run, those in between wait.
    pub(super) async fn fill(&self, n: usize) -> Result<(), CliError> {
        let mut told = Instant::now();
        let mut newest = Vec::new();
        for first in (0..n).step_by(REQUEST) {
            let places = first..n.min(first.saturating_add(REQUEST));
            let tasks = places.clone().map(|place| self.task(place, &batch_of(first / REQUEST)));
            let ids = self.submit(tasks.collect::<Result<_, _>>()?).await?;
            if first < n / 100 * ENDED_PERCENT {
                self.end(&ids).await?;
            }
            newest = ids;
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                eprintln!("{} of {n} tasks are stored", places.end);
            }
        }
        let waiting = newest.len().saturating_sub(self.devices);
        self.claim(newest.get(waiting..).unwrap_or_default()).await?;
        Ok(())
    }

    pub(super) fn task(&self, place: usize, batch_id: &str) -> Result<NewTask, CliError> {
        let device = place % self.devices;
        let account = device * 2 + place / self.devices % 2;
        let script = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2]
            .get(place * 7 / 3 % 10)
            .and_then(|script: &usize| self.scripts.get(*script));
        Ok(NewTask {
            batch_id: batch_id.into(),
            script: script.ok_or_else(missing)?.clone(),
            config: Arc::new(json!({"caption": "a few words and a #tag", "material_ids": [1, 2, 3], "like": true})),
            serial: self.serials.get(device).cloned(),
            username: self.usernames.get(account).cloned(),
            enable_multi_account: true,
            source: if (place / 3).is_multiple_of(20) {
                Source::Ui
            } else {
                Source::Api
            },
            start_time: None,
            scheduled_at: None,
            due_at: None,
            gap: None,
            priority: 0,
            schedule: None,
        })
    }

    pub(super) async fn submit(&self, tasks: Vec<NewTask>) -> Result<Vec<TaskId>, CliError> {
        let result = self.store.submit(tasks, None, Vec::new(), Timestamp::now()).await;
        match result.map_err(failed)? {
            SubmitResult::Created(submitted) => Ok(submitted.task_ids),
            _ => Err(CliError::Failed(
                "the store took the tasks of the bench for old ones".to_owned(),
            )),
        }
    }

    /// Runs tasks, each on a device of its own, so that all can be claimed at once.
    async fn end(&self, ids: &[TaskId]) -> Result<(), CliError> {
        let claimed = self.claim(ids).await?;
        let ends = claimed.iter().flatten().map(|claimed| self.end_of(claimed));
        self.store.finish(ends.collect()).await.map_err(failed)?;
        Ok(())
    }

    async fn claim(&self, ids: &[TaskId]) -> Result<Vec<Option<Claimed>>, CliError> {
        let claims = ids.iter().zip(&self.serials).map(|(task, serial)| Claim {
            task: *task,
            serial: serial.clone(),
            username: None,
            lease: self.lease(),
            at: Timestamp::now(),
        });
        self.store.claim(claims.collect()).await.map_err(failed)
    }

    fn lease(&self) -> Lease {
        Lease {
            epoch: self.epoch,
            token: "bench".into(),
        }
    }

    fn end_of(&self, claimed: &Claimed) -> Finish {
        let reasons = [
            FailureReason::Timeout,
            FailureReason::DeviceOffline,
            FailureReason::FlowError,
            FailureReason::AppMissing,
        ];
        let place = usize::try_from(claimed.task.0).unwrap_or(0);
        let reason = reasons.get(place / 17 % reasons.len()).filter(|_| place % 17 == 0);
        let next = match reason {
            Some(reason) => TaskNext::Failed {
                failure: Failure {
                    reason: *reason,
                    message: "it did not go well".to_owned(),
                    step: Some(3),
                    retryable: true,
                },
            },
            None => TaskNext::Completed {
                remark: "done".to_owned(),
            },
        };
        Finish {
            task: claimed.task,
            attempt: claimed.attempt,
            lease: self.lease(),
            next,
            outcome: reason.map_or("completed", |reason| reason.as_str()),
            used: None,
            attention: None,
            at: Timestamp::now(),
        }
    }
}

/// The id of the batch of one request, as long as a real one.
pub(super) fn batch_of(request: usize) -> String {
    let request = if LARGE_BATCH.contains(&request) {
        LARGE_BATCH.start
    } else {
        request
    };
    format!("01JBENCH{request:018}")
}

fn missing() -> CliError {
    CliError::Failed("the bench lacks a script; this is a fault of farmhand".to_owned())
}
