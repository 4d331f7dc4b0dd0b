//! What the operations of a transaction will ask first, asked in the call that begins it.

use std::{collections::VecDeque, sync::Arc};

use farmhand_actors::domain::{AttemptId, Claim, Epoch, Serial, TaskId, Username};
use farmhand_actors::ports::Finish;

use super::{claim::Claimable, finish::Endable, submit::Submission};

/// What will be asked.
#[derive(Debug, Default)]
pub(super) struct Finds {
    /// As `find_endable.sql` wants them.
    pub ends: Vec<(AttemptId, TaskId, Epoch, Arc<str>)>,
    /// As `find_claimable.sql` wants them.
    pub claims: Vec<(Option<TaskId>, Option<Serial>, Option<Username>)>,
}

/// What was found, to be taken by those whom it is for, in their order.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub endable: Option<Vec<Endable>>,
    pub claimable: VecDeque<Claimable>,
}

/// The input of an operation that knows what it will ask.
pub(super) trait Foresees {
    fn foresee(&self, finds: &mut Finds);
}

impl Foresees for Vec<Finish> {
    fn foresee(&self, finds: &mut Finds) {
        finds.ends.extend(self.iter().map(end_of));
    }
}

impl Foresees for Vec<Claim> {
    fn foresee(&self, finds: &mut Finds) {
        finds.claims.extend(self.iter().map(claim_of));
    }
}

impl Foresees for Submission {
    fn foresee(&self, finds: &mut Finds) {
        finds.claims.extend(self.ahead.iter().map(|ahead| {
            let task = self.tasks.get(ahead.place);
            let serial = task.and_then(|task| task.serial.clone());
            (None, serial, task.and_then(|task| task.username.clone()))
        }));
    }
}

pub(super) fn end_of(finish: &Finish) -> (AttemptId, TaskId, Epoch, Arc<str>) {
    let lease = &finish.lease;
    (finish.attempt, finish.task, lease.epoch, Arc::clone(&lease.token))
}

pub(super) fn claim_of(claim: &Claim) -> (Option<TaskId>, Option<Serial>, Option<Username>) {
    (Some(claim.task), Some(claim.serial.clone()), claim.username.clone())
}
