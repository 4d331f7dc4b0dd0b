//! Runs flows on phones: one attempt at a time, step by step, with a record of each.

mod arrival;
mod attempt;
mod beside;
mod checkpoint;
mod effect;
mod evidence;
pub mod fault;
mod instead;
mod media;
pub mod phone;
mod picture;
mod query;
mod repeat;
mod rounds;
mod screen;
mod steps;
#[cfg(test)]
mod tests;
mod told;
mod verify;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use farmhand_actors::{
    domain::{AttemptSpec, Outcome, Reached},
    ports::{AttemptJournal, Clock, DeviceDriver, MediaPicker, PickedMedia, ProgressBeat, ScriptRunner},
};
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{arrival::Arrival, effect::Effects, evidence::Evidence, phone::Phone, rounds::Way, screen::Look};
pub(in crate::flow) use self::{
    media::media_request,
    query::whole_number,
    rounds::Round,
    screen::Found,
    steps::{Done, SCREENSHOT},
};
use super::{
    catalog::{FlowCatalog, Script},
    expr::Js,
    select::{Query, text::Pattern},
    settings::FlowSettings,
};

/// What a runner needs.
pub struct FlowRunnerParts {
    /// The scripts.
    pub catalog: Arc<FlowCatalog>,
    /// Where steps and effects are written.
    pub journal: Arc<dyn AttemptJournal>,
    /// Where media come from.
    pub media: Arc<dyn MediaPicker>,
    /// Folder of the screenshots and hierarchies of failed steps; made when it is needed.
    pub evidence_dir: PathBuf,
    /// For the times in the records.
    pub clock: Arc<dyn Clock>,
    /// How it waits.
    pub settings: FlowSettings,
}

/// Runs attempts of scripts that are flows.
pub struct FlowRunner {
    parts: Arc<FlowRunnerParts>,
}

impl FlowRunner {
    /// A runner.
    #[must_use]
    pub fn new(parts: FlowRunnerParts) -> Arc<Self> {
        Arc::new(Self { parts: Arc::new(parts) })
    }
}

impl ScriptRunner for FlowRunner {
    fn run(
        &self,
        spec: Arc<AttemptSpec>,
        driver: Arc<dyn DeviceDriver>,
        cancel: CancellationToken,
        beat: ProgressBeat,
    ) -> LocalBoxFuture<'static, Outcome> {
        let parts = self.parts.clone();
        Box::pin(async move { attempt::run(parts, spec, driver, cancel, beat).await })
    }
}

/// A recording of the screen under way.
pub(in crate::flow) struct Recording {
    /// Name of the file that it is kept in.
    pub(in crate::flow) file: String,
    /// The recorder on the phone.
    pub(in crate::flow) process: String,
    /// Its beginning.
    pub(in crate::flow) since: Instant,
}

/// One attempt under way.
pub(in crate::flow) struct Run {
    pub(in crate::flow) parts: Arc<FlowRunnerParts>,
    pub(in crate::flow) settings: FlowSettings,
    pub(in crate::flow) spec: Arc<AttemptSpec>,
    pub(in crate::flow) script: Arc<Script>,
    pub(in crate::flow) phone: Phone,
    pub(in crate::flow) js: Js,
    /// Package of the flow that runs, as its `appId` says.
    pub(in crate::flow) app_id: String,
    /// Package of the account's app, or of the device's; empty when it is not known.
    package: String,
    /// The parameters, texts chosen.
    pub(in crate::flow) params: Value,
    /// The media that were chosen.
    pub(in crate::flow) media: PickedMedia,
    pub(in crate::flow) patterns: HashMap<String, Pattern>,
    pub(in crate::flow) challenges: Vec<(String, Query)>,
    pub(in crate::flow) popups: Vec<(String, Query, Query)>,
    pub(in crate::flow) popups_dismissed: u32,
    /// Where it is on its way to the task's account.
    arrival: Arrival,
    pub(in crate::flow) size: Option<(u32, u32)>,
    pub(in crate::flow) look: Option<Look>,
    pub(in crate::flow) last_action: Instant,
    /// How well pictures fitted when the last one was looked for in vain.
    pub(in crate::flow) sight: Option<String>,
    /// Number of the last step that began.
    pub(in crate::flow) step: u32,
    /// How many steps are known.
    pub(in crate::flow) steps: u32,
    /// How many steps the one that runs is in.
    pub(in crate::flow) depth: u32,
    /// Number of the step that failed, and its evidence.
    pub(in crate::flow) failed: Option<(u32, Evidence)>,
    /// What the record of the step under way will tell.
    pub(in crate::flow) detail: Map<String, Value>,
    /// Recording under way.
    pub(in crate::flow) recording: Option<Recording>,
    pub(in crate::flow) effects: Effects,
    /// Where its flow is to be taken up.
    taken_up: Option<Reached>,
    /// Where in its flow it is.
    pub(in crate::flow) way: Way,
}
