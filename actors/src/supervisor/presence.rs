//! What the adb servers show: each reports all of its phones; one phone may be seen by several.

use std::collections::BTreeMap;

use actix::{Context, Handler};

use super::{PresenceReport, SupervisorActor};
use crate::{
    device::ChangePresence,
    domain::{AdbState, DeviceInfo, DeviceRecord, Serial},
    mail::tell,
};

/// Why a phone is away when all adb servers answer.
const UNLISTED: &str = "no adb server shows it";

/// Who sees which phone, and how it does.
#[derive(Debug, Default)]
pub(super) struct Presences {
    seen: BTreeMap<Serial, BTreeMap<String, AdbState>>,
    problems: BTreeMap<String, String>,
    /// The server that showed each phone last, of those that no server shows now.
    last: BTreeMap<Serial, String>,
}

impl Presences {
    /// Takes a server's report; answers the phones for which something has changed.
    pub(super) fn on_report(&mut self, report: PresenceReport) -> Vec<Serial> {
        let PresenceReport {
            server,
            devices,
            problem,
        } = report;
        let mut changed = Vec::new();
        for (serial, servers) in &mut self.seen {
            let still = devices.iter().any(|presence| presence.serial == *serial);
            if !still && servers.remove(&server).is_some() {
                self.last.insert(serial.clone(), server.clone());
                changed.push(serial.clone());
            }
        }
        for presence in devices {
            let servers = self.seen.entry(presence.serial.clone()).or_default();
            if servers.insert(server.clone(), presence.state.clone()) != Some(presence.state) {
                changed.push(presence.serial);
            }
        }
        let known = match problem.clone() {
            Some(problem) => self.problems.insert(server.clone(), problem),
            None => self.problems.remove(&server),
        };
        if known != problem {
            // Why these are away is another reason now.
            let away = |serial: &Serial| self.seen.get(serial).is_some_and(BTreeMap::is_empty);
            let others = self
                .last
                .iter()
                .filter(|(serial, last)| **last == server && away(serial));
            let others: Vec<Serial> = others.map(|(serial, _)| serial.clone()).collect();
            changed.extend(others);
            changed.sort();
            changed.dedup();
        }
        changed
    }

    /// How a phone does; `None`: no server has ever shown it.
    pub(super) fn of(&self, serial: &Serial) -> Option<ChangePresence> {
        let servers = self.seen.get(serial)?;
        // A phone that one server can use is usable, whatever another one says.
        let usable = servers.values().find(|state| **state == AdbState::Device);
        let state = usable.or_else(|| servers.values().next()).cloned();
        if let Some(state) = state {
            return Some(ChangePresence {
                state,
                problem: None,
                server_away: false,
            });
        }
        // Another server's trouble does not tell why this phone is away.
        let of_server = self.last.get(serial).and_then(|server| self.problems.get(server));
        Some(ChangePresence {
            state: AdbState::Offline,
            problem: Some(of_server.cloned().unwrap_or_else(|| UNLISTED.to_owned())),
            server_away: of_server.is_some(),
        })
    }
}

impl SupervisorActor {
    fn tell_presence(&mut self, serial: &Serial, ctx: &mut Context<Self>) {
        if !self.devices.contains_key(serial) {
            self.meet(serial, ctx);
            return;
        }
        let living = self.devices.get(serial).and_then(|device| device.living.as_ref());
        if let Some((living, presence)) = living.zip(self.presences.of(serial)) {
            living.pulse.sent();
            tell(&living.addr, presence);
        }
    }

    /// A phone that was never seen before.
    fn meet(&mut self, serial: &Serial, ctx: &mut Context<Self>) {
        let (store, at) = (std::sync::Arc::clone(&self.parts.store), self.parts.clock.now().wall);
        let new = serial.clone();
        actix_rt::spawn(async move {
            if let Err(error) = store.add_device(&new, at).await {
                tracing::error!(device.serial = %new, %error, "cannot store a new device");
            }
        });
        let record = DeviceRecord {
            serial: serial.clone(),
            alias: None,
            tags: Vec::new(),
            app: None,
            enabled: true,
            held: None,
            info: DeviceInfo::default(),
            last_seen: None,
            created_at: at,
        };
        // Its actor is told how it does when it starts.
        self.add_device(record, ctx);
    }
}

impl Handler<PresenceReport> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, report: PresenceReport, ctx: &mut Self::Context) {
        for serial in self.presences.on_report(report) {
            self.tell_presence(&serial, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Presence;

    fn serial(name: &str) -> Serial {
        Serial::parse(name).unwrap()
    }

    fn report(server: &str, devices: &[(&str, AdbState)], problem: Option<&str>) -> PresenceReport {
        let presence = |(name, state): &(&str, AdbState)| Presence {
            serial: serial(name),
            state: state.clone(),
        };
        PresenceReport {
            server: server.to_owned(),
            devices: devices.iter().map(presence).collect(),
            problem: problem.map(str::to_owned),
        }
    }

    #[test]
    fn a_phone_that_is_not_in_the_next_report_is_away_and_the_problem_says_why() {
        let mut presences = Presences::default();
        assert_eq!(
            presences.on_report(report("a", &[("p1", AdbState::Device)], None)),
            [serial("p1")]
        );
        assert!(
            presences
                .on_report(report("a", &[("p1", AdbState::Device)], None))
                .is_empty()
        );

        let changed = presences.on_report(report("a", &[], Some("connection refused")));

        assert_eq!(changed, [serial("p1")]);
        let presence = presences.of(&serial("p1")).unwrap();
        assert_eq!(presence.state, AdbState::Offline);
        assert_eq!(presence.problem.as_deref(), Some("connection refused"));
    }

    #[test]
    fn a_phone_that_is_away_names_the_server_that_showed_it_last_and_no_other() {
        let mut presences = Presences::default();
        presences.on_report(report("a", &[], Some("a is refused")));
        presences.on_report(report("b", &[("p1", AdbState::Device), ("p2", AdbState::Device)], None));

        presences.on_report(report("b", &[("p2", AdbState::Device)], None));

        let pulled = presences.of(&serial("p1")).unwrap();
        assert_eq!((pulled.problem.as_deref(), pulled.server_away), (Some(UNLISTED), false));

        let changed = presences.on_report(report("b", &[], Some("b hangs")));
        assert_eq!(changed, [serial("p1"), serial("p2")]);
        let lost = presences.of(&serial("p2")).unwrap();
        assert_eq!((lost.problem.as_deref(), lost.server_away), (Some("b hangs"), true));

        let changed = presences.on_report(report("b", &[("p1", AdbState::Device)], None));
        assert_eq!(
            changed,
            [serial("p1"), serial("p2")],
            "p2 was pulled out in the meantime"
        );
        let pulled = presences.of(&serial("p2")).unwrap();
        assert_eq!((pulled.problem.as_deref(), pulled.server_away), (Some(UNLISTED), false));
    }

    #[test]
    fn a_phone_that_one_server_can_use_is_usable() {
        let mut presences = Presences::default();
        presences.on_report(report("a", &[("p1", AdbState::Unauthorized)], None));
        presences.on_report(report("b", &[("p1", AdbState::Device)], None));
        assert_eq!(presences.of(&serial("p1")).unwrap().state, AdbState::Device);
        presences.on_report(report("b", &[], None));
        assert_eq!(presences.of(&serial("p1")).unwrap().state, AdbState::Unauthorized);
        assert_eq!(presences.of(&serial("p2")), None);
    }
}
