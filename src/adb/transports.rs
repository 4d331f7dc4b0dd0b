//! Which phone is reached how: farmhand's serial to an adb server and the serial that this server uses.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use farmhand_actors::{
    domain::{AdbState, Serial},
    ports::DriverError,
};

use super::client::{ServerClient, Transport};

/// One phone as one server shows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) serial: Serial,
    pub(super) state: AdbState,
    /// In adb's words, when it cannot be used.
    pub(super) problem: String,
    pub(super) transport: Arc<Transport>,
}

/// The table. The watcher writes it, drivers read it at each call.
#[derive(Debug, Default)]
pub(super) struct Transports {
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// By the server's place in the settings: an earlier server wins for a phone that two of them show.
    servers: Vec<HashMap<Serial, Seen>>,
    /// The server through which each phone was usable last.
    last: HashMap<Serial, ServerClient>,
}

impl Transports {
    /// Replaces what one server shows; answers the phones that are usable now and were not before.
    pub(super) fn replace(&self, server: usize, seen: Vec<Seen>) -> Vec<Serial> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let Tables { servers, last } = &mut *tables;
        if servers.len() <= server {
            servers.resize_with(server + 1, HashMap::new);
        }
        let Some(table) = servers.get_mut(server) else {
            return Vec::new();
        };
        let usable = |table: &HashMap<Serial, Seen>| -> HashSet<Serial> {
            table
                .values()
                .filter(|seen| seen.state == AdbState::Device)
                .map(|seen| seen.serial.clone())
                .collect()
        };
        let before = usable(table);
        for seen in seen.iter().filter(|seen| seen.state == AdbState::Device) {
            last.insert(seen.serial.clone(), seen.transport.server.clone());
        }
        *table = seen.into_iter().map(|seen| (seen.serial.clone(), seen)).collect();
        usable(table).difference(&before).cloned().collect()
    }

    /// The way to a phone that can be used now.
    pub(super) fn find(&self, serial: &Serial) -> Result<Arc<Transport>, DriverError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let shown: Vec<&Seen> = tables.servers.iter().filter_map(|table| table.get(serial)).collect();
        if let Some(usable) = shown.iter().find(|seen| seen.state == AdbState::Device) {
            return Ok(Arc::clone(&usable.transport));
        }
        let last = tables.last.get(serial);
        if let Some((server, problem)) = last.and_then(|server| Some((server, server.excuse()?))) {
            return Err(DriverError::ServerDown {
                server: server.address().to_owned(),
                problem,
            });
        }
        let (state, problem) = shown.first().map_or_else(
            || {
                (
                    AdbState::Offline,
                    "no adb server shows it; check its cable or network".to_owned(),
                )
            },
            |seen| (seen.state.clone(), seen.problem.clone()),
        );
        Err(DriverError::NotReady {
            serial: serial.clone(),
            state,
            problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adb::{client::ServerClient, settings::AdbLimits};

    fn serial() -> Serial {
        Serial::parse("a").unwrap()
    }

    fn seen(server: &str, state: AdbState) -> Seen {
        let client = ServerClient::new(server, &AdbLimits::default());
        Seen {
            serial: serial(),
            state,
            problem: "in adb's words".into(),
            transport: Arc::new(Transport::new(client, "a")),
        }
    }

    #[test]
    fn a_phone_is_found_at_the_server_where_it_is_usable() {
        let transports = Transports::default();
        transports.replace(1, vec![seen("one:1", AdbState::Device)]);
        transports.replace(0, vec![seen("zero:1", AdbState::Offline)]);

        assert_eq!(transports.find(&serial()).unwrap().server.address(), "one:1");
    }

    #[test]
    fn an_unusable_phone_says_its_state_and_an_unknown_one_is_offline() {
        let transports = Transports::default();
        let problem = |transports: &Transports| match transports.find(&serial()) {
            Err(DriverError::NotReady { state, problem, .. }) => (state, problem),
            other => panic!("{other:?}"),
        };

        assert_eq!(problem(&transports).0, AdbState::Offline);
        transports.replace(0, vec![seen("zero:1", AdbState::Unauthorized)]);
        assert_eq!(
            problem(&transports),
            (AdbState::Unauthorized, "in adb's words".to_owned())
        );
    }

    #[test]
    fn phones_that_became_usable_are_told_once() {
        let transports = Transports::default();

        assert!(
            transports
                .replace(0, vec![seen("zero:1", AdbState::Offline)])
                .is_empty()
        );
        assert_eq!(
            transports.replace(0, vec![seen("zero:1", AdbState::Device)]),
            [serial()]
        );
        assert!(transports.replace(0, vec![seen("zero:1", AdbState::Device)]).is_empty());
        assert!(transports.replace(0, vec![]).is_empty());
        assert_eq!(
            transports.replace(0, vec![seen("zero:1", AdbState::Device)]),
            [serial()]
        );
    }
}
