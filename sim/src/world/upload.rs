//! Uploads: between the tap on "Post" and the effect.

use std::sync::Arc;

use super::{Network, clock::Millis, fault::FaultKind, schedule::Event, social::Post, state::Desk};
use crate::apps::social::{BANNER_MS, Banner, Draft, Skin};

/// How an upload ends, as far as it is known at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The app says that it is posted.
    Confirmed,
    /// It is posted, and the app says that something went wrong.
    AckLost,
    /// It is posted, and the app crashes.
    CrashAfter,
}

/// A running upload.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub number: u64,
    pub post: Post,
    /// Kept when it fails.
    pub draft: Draft,
    pub started: Millis,
    pub ends: Millis,
    pub verdict: Verdict,
}

impl Upload {
    /// 0..=99
    pub fn percent(&self, now: Millis) -> u64 {
        let whole = self.ends.saturating_sub(self.started).max(1);
        (now.saturating_sub(self.started) * 100 / whole).min(99)
    }
}

impl Desk<'_> {
    /// Begins an upload.
    pub(crate) fn upload(&mut self, post: Post, draft: Draft, verdict: Verdict) {
        let slow = self.state.faults.get(FaultKind::UploadSlow).map(|fault| fault.ms);
        if slow.is_some() {
            self.state.faults.strike(FaultKind::UploadSlow);
        }
        let ends = self.now + slow.unwrap_or(self.state.spec.upload_ms);
        self.state.last_upload += 1;
        let number = self.state.last_upload;
        self.state.uploads.push(Upload {
            number,
            post,
            draft,
            started: self.now,
            ends,
            verdict,
        });
        Arc::clone(self.world).plan(ends, self.me.clone(), Event::UploadThrough(number));
    }

    /// The time of an upload has come: it takes effect now, or fails.
    pub(crate) fn finish_upload(&mut self, number: u64) {
        let Some(place) = self.state.uploads.iter().position(|upload| upload.number == number) else {
            return;
        };
        let Upload {
            post,
            mut draft,
            verdict,
            ..
        } = self.state.uploads.remove(place);
        let network = post.network;
        let skin = Skin::of(network);
        let fails = self.state.faults.get(FaultKind::UploadFails).is_some();
        if fails {
            self.state.faults.strike(FaultKind::UploadFails);
        }
        if fails || !self.state.online() {
            self.record(
                network,
                &post.account,
                "upload_failed",
                serde_json::json!({ "caption": post.caption }),
            );
            draft.account = post.account;
            self.data(network).drafts.push(draft);
            self.announce(network, skin.upload_failed);
            return;
        }
        self.record(network, &post.account, "publish", post.detail());
        let video = post.video;
        self.world.social().publish(post);
        match verdict {
            Verdict::Confirmed => self.announce(network, if video { skin.posted_video } else { skin.posted_images }),
            Verdict::AckLost => self.announce(network, skin.ack_lost),
            Verdict::CrashAfter => self.crash(network),
        }
    }

    fn announce(&mut self, network: Network, text: &str) {
        let until = self.now + BANNER_MS;
        if let Some(app) = self.state.social.get_mut(&network) {
            app.banner = Some(Banner {
                text: text.to_owned(),
                until,
            });
        }
    }
}
