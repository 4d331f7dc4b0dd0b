//! Following and ending it: effects that cannot be taken back unseen.

use serde_json::json;

use super::SocialApp;
use crate::world::{
    fault::{CrashMoment, FaultKind},
    social::Relation,
    state::Desk,
};

impl SocialApp {
    /// The tap on "Follow".
    pub(crate) fn follow(&mut self, name: &str, desk: &mut Desk<'_>) {
        self.commit(desk, |app, desk| {
            let me = desk.account(app.network);
            let relation = desk.world.social().follow(app.network, &me, name);
            let kind = match relation {
                Some(Relation::Requested) => "follow_request",
                Some(_) => "follow",
                None => return,
            };
            desk.record(app.network, &me, kind, json!({ "target": name }));
        });
    }

    /// The confirmed end of a follow or of a request.
    pub(crate) fn unfollow(&mut self, name: &str, desk: &mut Desk<'_>) {
        self.sheet = None;
        self.commit(desk, |app, desk| {
            let me = desk.account(app.network);
            let ended = desk.world.social().unfollow(app.network, &me, name);
            if ended {
                desk.record(app.network, &me, "unfollow", json!({ "target": name }));
            }
        });
    }

    /// An effect with the network and a waiting crash around it.
    fn commit(&mut self, desk: &mut Desk<'_>, effect: impl FnOnce(&mut Self, &mut Desk<'_>)) {
        if !desk.state.online() {
            desk.toast("No internet connection");
            return;
        }
        let crash = desk
            .state
            .faults
            .take(FaultKind::AppCrash, self.network.package())
            .map(|fault| fault.moment);
        if crash != Some(CrashMoment::Before) {
            effect(self, desk);
        }
        desk.crashing = crash.is_some();
    }
}
