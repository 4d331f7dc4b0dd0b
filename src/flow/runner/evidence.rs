//! What the screen showed when a step failed, kept in files.

use std::{path::PathBuf, sync::Arc, time::Duration};

use farmhand_actors::domain::{Freshness, ScreenCapture, ScreenContent};
use tokio::time::timeout;

use super::{Run, fault::Fault};
use crate::flow::vision;

/// Quality of kept pictures, 1 to 100: texts stay legible.
const QUALITY: u8 = 80;

/// Names of the files about a failed step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The picture.
    pub screenshot: Option<String>,
    /// The view tree.
    pub hierarchy: Option<String>,
    /// What the picture can be believed to show.
    pub content: ScreenContent,
}

impl Evidence {
    /// What a step says of its failure: a black picture is explained.
    pub(super) fn explain(&self, failure: String) -> String {
        match self.content.remark() {
            Some(remark) => format!("{failure} ({remark})"),
            None => failure,
        }
    }
}

impl Run {
    /// Keeps what the screen shows; nothing when the phone is gone. Never fails: the step's own failure is what
    /// matters.
    pub(super) async fn keep_evidence(&mut self, fault: &Fault) -> Evidence {
        let limit = match fault {
            Fault::Cancelled => self.settings.evidence_timeout_when_stopped,
            Fault::Ended(_) => return Evidence::default(),
            Fault::TimeUp(_) => self.settings.evidence_timeout,
            fault if !fault.leaves_phone_usable() => return Evidence::default(),
            _ => self.settings.evidence_timeout,
        };
        let stem = format!("{}-{}-{}", self.spec.task, self.spec.attempt, self.step);
        // Two calls share the limit, so that the slower one cannot take it all.
        let half = limit / 2;
        let capture = timeout(half, self.phone.driver.capture(Freshness::Fresh)).await;
        let capture = capture.ok().and_then(Result::ok);
        let content = capture
            .as_ref()
            .map_or_else(Default::default, |capture| capture.content);
        Evidence {
            screenshot: self.keep_screenshot(&stem, capture).await,
            hierarchy: self.keep_hierarchy(&stem, half).await,
            content,
        }
    }

    async fn keep_screenshot(&self, stem: &str, capture: Option<Arc<ScreenCapture>>) -> Option<String> {
        let capture = capture?;
        let name = format!("{stem}.jpg");
        let path = self.parts.evidence_dir.join(&name);
        let write = move || {
            let jpeg = vision::encode_jpeg(&capture.picture, None, QUALITY).map_err(|error| error.to_string())?;
            write_file(&path, &jpeg)
        };
        kept(tokio::task::spawn_blocking(write).await, name)
    }

    async fn keep_hierarchy(&self, stem: &str, limit: Duration) -> Option<String> {
        let text = timeout(limit, self.phone.driver.hierarchy_text()).await.ok()?.ok()?;
        let name = format!("{stem}.xml");
        let path = self.parts.evidence_dir.join(&name);
        kept(
            tokio::task::spawn_blocking(move || write_file(&path, text.as_bytes())).await,
            name,
        )
    }

    /// Writes a file that a step made (a picture, a recording) and answers its name.
    pub(in crate::flow) async fn keep_file(&self, name: String, bytes: Vec<u8>) -> Option<String> {
        let path = self.parts.evidence_dir.join(&name);
        kept(
            tokio::task::spawn_blocking(move || write_file(&path, &bytes)).await,
            name,
        )
    }
}

fn write_file(path: &PathBuf, bytes: &[u8]) -> Result<(), String> {
    let describe = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(describe)?;
    }
    std::fs::write(path, bytes).map_err(|error| {
        // Half a picture on a full disk is of no use to anybody.
        let _ = std::fs::remove_file(path);
        describe(error)
    })
}

fn kept(result: Result<Result<(), String>, tokio::task::JoinError>, name: String) -> Option<String> {
    match result {
        Ok(Ok(())) => Some(name),
        Ok(Err(problem)) => {
            tracing::warn!(%problem, "evidence could not be written");
            None
        }
        Err(problem) => {
            tracing::warn!(%problem, "evidence could not be made");
            None
        }
    }
}
