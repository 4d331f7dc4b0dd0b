//! Keeps one TCP phone connected to the first adb server, and proves that it is the wanted phone before it is shown.
//! The adb server forgets a phone a minute after it dropped, and all of them when it restarts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use farmhand_actors::domain::{AdbState, Serial};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};
use tracing::warn;

use super::{list::mend_of, server::POLL};
use crate::adb::{
    breaker::back_off,
    client::{ServerClient, Transport, within},
    driver::is_phone,
    error::{AdbError, one_line},
    phone::lock,
    places::Places,
    settings::{AdbSettings, TcpPhone, millis},
};

/// One line of the server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state: AdbState,
    /// Another number each time that the phone comes into this state.
    pub(super) incarnation: u64,
}

/// The server's list, by its serials.
pub(super) type Listing = HashMap<String, Entry>;

/// What the keepers know of their phones.
#[derive(Debug)]
pub(super) struct Standings {
    pub(super) by_serial: Mutex<HashMap<Serial, Standing>>,
    /// One of them changed.
    pub(super) changed: Notify,
}

/// What a keeper knows of its phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It cannot be connected.
    Apart {
        /// `Unauthorized` or `Offline`.
        state: AdbState,
        /// In adb's words.
        problem: String,
    },
    /// It is the wanted phone, in this incarnation.
    Proven(u64),
    /// It is usable for adb, but it is another phone or does not answer.
    Unproven(String),
}

impl Standings {
    /// Of a phone that the server shows as usable.
    pub(super) fn of_usable(&self, serial: &Serial, incarnation: u64) -> (AdbState, String) {
        match lock(&self.by_serial).get(serial) {
            Some(Standing::Proven(proven)) if *proven == incarnation => (AdbState::Device, String::new()),
            Some(Standing::Unproven(problem)) => (AdbState::Other(problem.clone()), problem.clone()),
            _ => (
                AdbState::Other("connecting".to_owned()),
                "its serial is being compared; wait a moment".to_owned(),
            ),
        }
    }

    /// Of a phone that the server does not show.
    pub(super) fn of_unlisted(&self, serial: &Serial) -> (AdbState, String) {
        match lock(&self.by_serial).get(serial) {
            Some(Standing::Apart { state, problem }) => (state.clone(), problem.clone()),
            _ => (AdbState::Offline, mend_of(&AdbState::Offline)),
        }
    }

    fn set(&self, serial: &Serial, standing: Standing) {
        let before = lock(&self.by_serial).insert(serial.clone(), standing.clone());
        if before.as_ref() != Some(&standing) {
            match &standing {
                Standing::Apart { problem, .. } | Standing::Unproven(problem) => {
                    warn!(device.serial = %serial, "TCP phone is not usable: {problem}");
                }
                Standing::Proven(_) => {}
            }
            self.changed.notify_one();
        }
    }
}

/// The adb server tries a dropped phone again by itself after 250 ms; only then do we.
const OWN_RETRY: Duration = Duration::from_millis(700);

/// The first pause after a failed attempt; it doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);

/// For so long a phone may hold one of the places that all share for being connected.
const MOMENT: Duration = Duration::from_secs(1);

/// How the server's list shows one phone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    /// The server is away.
    NoServer,
    /// Under its own serial, e.g. on USB: there is nothing to connect.
    OtherWay,
    /// Not at all.
    Unlisted,
    /// Under its address.
    Listed(Entry),
}

/// Keeps one phone.
pub(super) struct TcpPhoneKeeper {
    phone: TcpPhone,
    adb_serial: String,
    client: ServerClient,
    settings: AdbSettings,
    connects: Arc<Places>,
    standings: Arc<Standings>,
    listing: watch::Receiver<Option<Arc<Listing>>>,
    failures: u32,
    /// It did not answer the last time, within a moment.
    slow: bool,
}

impl TcpPhoneKeeper {
    pub(super) fn new(
        phone: &TcpPhone,
        client: &ServerClient,
        settings: &AdbSettings,
        connects: &Arc<Places>,
        standings: &Arc<Standings>,
        listing: watch::Receiver<Option<Arc<Listing>>>,
    ) -> Self {
        Self {
            phone: phone.clone(),
            adb_serial: phone.adb_serial(),
            client: client.clone(),
            settings: settings.clone(),
            connects: Arc::clone(connects),
            standings: Arc::clone(standings),
            listing,
            failures: 0,
            slow: false,
        }
    }

    /// Until the task is cancelled, or nobody watches the server any more.
    pub(super) async fn keep(mut self) {
        loop {
            let view = self.view();
            let pause = self.look_after(&view).await;
            if !self.view_changed(&view, pause).await {
                return;
            }
        }
    }

    fn view(&mut self) -> View {
        let listing = self.listing.borrow_and_update();
        let Some(listing) = listing.as_ref() else {
            return View::NoServer;
        };
        let shown_by_itself = listing
            .get(self.phone.serial.as_str())
            .is_some_and(|entry| entry.state == AdbState::Device);
        match listing.get(&self.adb_serial) {
            Some(entry) => View::Listed(entry.clone()),
            None if shown_by_itself => View::OtherWay,
            None => View::Unlisted,
        }
    }

    /// Waits until the list shows this phone differently (other phones' changes do not shorten a pause), or for the
    /// pause; `false` when nobody watches the server any more.
    async fn view_changed(&mut self, view: &View, pause: Option<Duration>) -> bool {
        let until = pause.map(|pause| Instant::now() + pause);
        while self.view() == *view {
            let changed = self.listing.changed();
            let changed = match until {
                Some(until) => match timeout_at(until, changed).await {
                    Ok(changed) => changed,
                    Err(_) => return true,
                },
                None => changed.await,
            };
            if changed.is_err() {
                return false;
            }
        }
        true
    }

    /// Does what the phone needs now; answers after what time to look again if the list does not change before.
    async fn look_after(&mut self, view: &View) -> Option<Duration> {
        match view {
            View::NoServer => {
                // When the server is back, the phone is connected at once.
                self.failures = 0;
                None
            }
            View::OtherWay => None,
            View::Unlisted => Some(self.connect(false).await),
            View::Listed(entry) => match &entry.state {
                AdbState::Device => self.prove(entry.incarnation).await,
                AdbState::Offline => {
                    if self.view_changed(view, Some(OWN_RETRY)).await && self.view() != *view {
                        return Some(Duration::ZERO);
                    }
                    Some(self.connect(true).await)
                }
                // It comes by itself when a person allows it, or when it is done.
                AdbState::Unauthorized | AdbState::Other(_) => None,
            },
        }
    }

    /// Compares the phone's own serial with the wanted one, on the connection that will be used.
    async fn prove(&mut self, incarnation: u64) -> Option<Duration> {
        if lock(&self.standings.by_serial).get(&self.phone.serial) == Some(&Standing::Proven(incarnation)) {
            return None;
        }
        let setups = Arc::clone(&self.client.setups);
        let _place = setups.line(self.slow).acquire().await;
        let transport = Transport::new(self.client.clone(), &self.adb_serial);
        let asked = within(
            millis(self.settings.deadlines.query_ms),
            is_phone(&transport, &self.phone.serial),
        )
        .await;
        self.slow = matches!(asked, Err(AdbError::TimedOut(_)));
        match asked {
            Ok(Ok(())) => {
                self.failures = 0;
                self.standings.set(&self.phone.serial, Standing::Proven(incarnation));
                None
            }
            Ok(Err(found)) => {
                let address = &self.phone.address;
                let problem = format!("the phone at {address} calls itself {found:?}; mend its entry in devices");
                Some(self.failed(Standing::Unproven(problem)))
            }
            // The list will say so too.
            Err(AdbError::NotReady { .. } | AdbError::Unreachable(_) | AdbError::NoSocket(_)) => Some(self.pause()),
            Err(error) => Some(self.failed(Standing::Unproven(format!("it does not answer a question: {error}")))),
        }
    }

    async fn connect(&mut self, disconnect_first: bool) -> Duration {
        let connects = Arc::clone(&self.connects);
        let _turn = connects.line(self.slow).acquire().await;
        let address = &self.adb_serial;
        let patience = millis(self.settings.deadlines.connect_ms);
        // A phone that is there answers in a moment; who does not is given its time in the other line.
        let deadline = if self.slow { patience } else { patience.min(MOMENT) };
        if disconnect_first {
            // A dropped phone that the server still lists would be "already connected".
            let _ = within(deadline, self.client.ask(&format!("host:disconnect:{address}"))).await;
        }
        let answer = within(deadline, self.client.ask(&format!("host:connect:{address}"))).await;
        let first_of_two = !self.slow && deadline < patience;
        self.slow = matches!(answer, Err(AdbError::TimedOut(_)));
        match answer {
            Ok(answer) if is_connected(&answer) => {
                // The list shows it at once, by the poll at the latest, or else it has dropped again.
                self.pause().max(POLL)
            }
            Ok(answer) => {
                let state = if answer.contains("authenticate") {
                    AdbState::Unauthorized
                } else {
                    AdbState::Offline
                };
                self.failed(Standing::Apart {
                    state,
                    problem: one_line(&answer),
                })
            }
            Err(AdbError::Unreachable(_) | AdbError::NoSocket(_)) => self.pause(),
            Err(AdbError::TimedOut(_)) if first_of_two => Duration::ZERO,
            Err(error) => self.failed(Standing::Apart {
                state: AdbState::Offline,
                problem: error.to_string(),
            }),
        }
    }

    fn failed(&mut self, standing: Standing) -> Duration {
        self.standings.set(&self.phone.serial, standing);
        self.pause()
    }

    fn pause(&mut self) -> Duration {
        let longest = millis(self.settings.limits.reconnect_max_ms);
        let pause = back_off(RETRY_FIRST, longest, self.failures, rand::random());
        self.failures = self.failures.saturating_add(1);
        pause
    }
}

/// The protocol always says `OKAY`; only the text tells whether the phone is connected.
fn is_connected(answer: &str) -> bool {
    let answer = answer.trim();
    answer.starts_with("connected to ") || answer.starts_with("already connected to ")
}

impl TcpPhone {
    /// The serial by which the adb server knows it: the address as it was given, with adb's usual port.
    pub(super) fn adb_serial(&self) -> String {
        const USUAL_PORT: u16 = 5555;
        if self.address.contains(':') {
            self.address.clone()
        } else {
            format!("{}:{USUAL_PORT}", self.address)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_tells_whether_a_phone_is_connected() {
        assert!(is_connected("connected to 127.0.0.1:15601"));
        assert!(is_connected("already connected to 127.0.0.1:15601"));
        assert!(!is_connected("failed to connect to '127.0.0.1:1': Connection refused"));
        assert!(!is_connected("failed to authenticate to 127.0.0.1:15601"));
        assert!(!is_connected(""));
    }
}
