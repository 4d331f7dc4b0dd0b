//! A phone in words, for the control API.

use serde_json::{Value, json};

use super::{
    Network, Phone,
    fault::{FaultKind, Faults},
};
use crate::apps::{Front, social::Skin};

impl Phone {
    /// Link, faults and how often each kind made a difference, what is in front, apps with their accounts, media, battery; for `GET /phone/{serial}`.
    pub fn describe(&self) -> Value {
        let focus = crate::handset::Handset::focus(self);
        self.with(|desk| {
            let state = &*desk.state;
            let mut struck = state.faults.struck();
            let refused = desk.files.refused();
            if refused > 0 {
                *struck.entry(FaultKind::StorageFull.name()).or_default() += refused;
            }
            let mut link = state.faults.link(state.drops);
            link.offline |= state.adb_down;
            let screen = match &state.front {
                Front::Launcher => "launcher",
                Front::Settings => state.settings.as_ref().map_or("", |app| app.screen_name()),
                Front::Gallery => state.gallery.as_ref().map_or("", |app| app.screen_name()),
                Front::Social(network) => state.social.get(network).map_or("", |app| app.screen_name()),
                Front::Other(_) => "main",
            };
            let apps = Network::ALL.map(|network| {
                let data = state.data.get(network);
                json!({
                    "app": network.name(),
                    "package": network.package(),
                    "label": Skin::of(network).label,
                    "installed": state.is_installed(network.package()),
                    "running": state.social.contains_key(&network),
                    "accounts": data.accounts,
                    "current": data.current,
                    "drafts": data.drafts.len(),
                    "uploads": state.uploads.iter().filter(|upload| upload.post.network == network).count(),
                })
            });
            json!({
                "serial": state.spec.serial,
                "model": state.system.model.model,
                "android": state.system.model.release,
                "booting": state.booting,
                "boot_id": state.system.boot_id,
                "link": {
                    "offline": link.offline,
                    "unauthorized": link.unauthorized,
                    "hang": link.hang,
                    "slow_ms": link.slow_ms,
                    "drops": link.drops,
                },
                "faults": faults(&state.faults),
                "mishaps": state.mishaps,
                "struck": struck,
                "foreground": state.front.package(),
                "focus": focus.map(|(_, component)| component),
                "screen": screen,
                "apps": apps,
                "media": state.library.rows().iter().map(|row| row.path.as_str()).collect::<Vec<_>>(),
                "battery": state.system.battery_level,
                "awake": state.system.awake,
                "locked": state.system.locked,
            })
        })
    }
}

fn faults(faults: &Faults) -> Vec<Value> {
    faults.iter().map(super::fault::Fault::describe).collect()
}
