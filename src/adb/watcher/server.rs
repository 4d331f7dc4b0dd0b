//! One adb server: its list, pushed by the server at each change and asked for once a second (server 29 does not push
//! when a TCP phone drops; a server that hangs pushes nothing at all), and what it means for the farm's phones.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use farmhand_actors::{
    domain::{AdbState, Presence, Serial},
    supervisor::PresenceReport,
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, info, warn};

use super::{
    PresenceCallback, ServerHealth,
    list::{self, Listed, mend_of},
    server_process,
    tcp_phone::{Entry, Listing, Standings},
};
use crate::adb::{
    breaker::back_off,
    client::{ServerClient, Transport, within},
    error::AdbError,
    metrics,
    phone::{Phones, lock},
    settings::{TcpPhone, millis},
    transports::Seen,
    wire,
};

/// With the deadline of an answer (under a second) a server that hangs is noticed within two seconds.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// Pauses before an adb server that is away is tried again. Short: the farm stands still without it.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// After so many tries in a row that an adb server did not answer, calls to its phones are ended. A server that only
/// stumbles for a second or two costs no call.
const HOPELESS_TRIES: u32 = 3;

/// Watches one adb server.
pub(super) struct ServerWatch {
    place: usize,
    client: ServerClient,
    phones: Arc<Phones>,
    /// The TCP phones' serials, by the server's serials.
    devices: HashMap<String, Serial>,
    standings: Arc<Standings>,
    listing: watch::Sender<Option<Arc<Listing>>>,
    health: Arc<Mutex<ServerHealth>>,
    report: PresenceCallback,
    view: Mutex<View>,
}

/// The last that was seen, and what was made of it.
#[derive(Default)]
struct View {
    listed: Vec<Listed>,
    /// By the server's serials; kept while a phone stays usable, so that what is known of its connection stays known.
    transports: HashMap<String, Arc<Transport>>,
    incarnations: u64,
    reported: Option<PresenceReport>,
}

impl ServerWatch {
    #[allow(
        clippy::too_many_arguments,
        reason = "the one place that puts the parts of a watch together"
    )]
    pub(super) fn new(
        place: usize,
        client: ServerClient,
        phones: Arc<Phones>,
        devices: &[TcpPhone],
        standings: Arc<Standings>,
        listing: watch::Sender<Option<Arc<Listing>>>,
        health: Arc<Mutex<ServerHealth>>,
        report: PresenceCallback,
    ) -> Self {
        let devices = devices
            .iter()
            .map(|device| (device.adb_serial(), device.serial.clone()))
            .collect();
        Self {
            place,
            client,
            phones,
            devices,
            standings,
            listing,
            health,
            report,
            view: Mutex::default(),
        }
    }

    pub(super) async fn watch(self) {
        let mut failures = 0;
        loop {
            let error = self.follow().await;
            let was_up = lock(&self.health).up;
            if was_up {
                failures = 0;
            }
            // Without a socket of ours nothing is said of the server, and calls that have theirs go on.
            let hopeless = failures >= HOPELESS_TRIES && !matches!(error, AdbError::NoSocket(_));
            if was_up || lock(&self.view).reported.is_none() {
                // Told before the server is mended, which may take its time.
                self.went_away(problem_of(&error), hopeless);
            }
            let mended = self.mend(&error).await;
            self.went_away(mended.err().unwrap_or_else(|| problem_of(&error)), hopeless);
            sleep(back_off(RETRY_FIRST, RETRY_MAX, failures, rand::random())).await;
            failures = failures.saturating_add(1);
        }
    }

    /// Follows the server until it fails.
    async fn follow(&self) -> AdbError {
        let deadline = millis(self.phones.settings.deadlines.server_ms);
        // A list that was asked for before another one was pushed may be the older one.
        let pushes = AtomicU64::new(0);
        let push = |list: &str| {
            pushes.fetch_add(1, Ordering::Relaxed);
            self.saw(list);
        };
        let pushed = async {
            let mut stream = within(deadline, self.client.track()).await?;
            push(&within(deadline, wire::block(&mut stream)).await?);
            loop {
                push(&wire::block(&mut stream).await?);
            }
        };
        let polled = async {
            let mut ticks = interval(POLL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let before = pushes.load(Ordering::Relaxed);
                let list = within(deadline, self.client.ask("host:devices")).await?;
                if pushes.load(Ordering::Relaxed) == before {
                    self.saw(&list);
                }
            }
        };
        let proven = async {
            loop {
                self.standings.changed.notified().await;
                self.tell();
            }
        };
        let ended: Result<(), AdbError> = tokio::select! {
            ended = pushed => ended,
            ended = polled => ended,
            () = proven => Ok(()),
        };
        ended.err().unwrap_or(AdbError::Lost)
    }

    /// The server showed this list.
    fn saw(&self, text: &str) {
        let listed = list::parse(text);
        let mut came_up = false;
        {
            let mut health = lock(&self.health);
            if !health.up {
                came_up = true;
                health.up = true;
                health.problem = None;
            }
        }
        if came_up {
            self.client.came_back();
            info!(adb.server = self.client.address(), "adb server answers");
            metrics::server_up(self.client.address(), true);
        }
        if !came_up && lock(&self.view).listed == listed {
            return;
        }
        self.publish(listed);
        self.tell();
    }

    /// Hands the list to the keepers of TCP phones. A phone that became usable is another incarnation, that has to be
    /// proven again.
    fn publish(&self, listed: Vec<Listed>) {
        let mut view = lock(&self.view);
        let before = self.listing.borrow().clone();
        let mut entries = Listing::new();
        for line in &listed {
            let known = before
                .as_ref()
                .and_then(|before| before.get(&line.adb_serial))
                .filter(|entry| entry.state == line.state);
            let incarnation = known.map_or_else(
                || {
                    view.incarnations = view.incarnations.saturating_add(1);
                    view.incarnations
                },
                |entry| entry.incarnation,
            );
            let entry = Entry {
                state: line.state.clone(),
                incarnation,
            };
            if known.is_none() {
                view.transports.remove(&line.adb_serial);
                debug!(adb.server = self.client.address(), adb.serial = line.adb_serial, state = ?line.state, "adb shows a phone");
            }
            entries.insert(line.adb_serial.clone(), entry);
        }
        view.transports.retain(|adb_serial, _| entries.contains_key(adb_serial));
        view.listed = listed;
        self.listing.send_replace(Some(Arc::new(entries)));
    }

    /// Updates the table of transports, and reports when something changed.
    fn tell(&self) {
        let seen = self.seen();
        let devices = seen
            .iter()
            .map(|seen| Presence {
                serial: seen.serial.clone(),
                state: seen.state.clone(),
            })
            .collect();
        lock(&self.health).usable_devices = seen.iter().filter(|seen| seen.state == AdbState::Device).count();
        for serial in self.phones.transports.replace(self.place, seen) {
            // It is there anew: what failed before was another connection.
            self.phones.get(&serial).breaker().succeeded();
        }
        self.send(PresenceReport {
            server: self.client.address().to_owned(),
            devices,
            problem: None,
        });
    }

    /// All phones, under farmhand's serials, in their order; of two ways to one phone the usable one.
    fn seen(&self) -> Vec<Seen> {
        let listing = self.listing.borrow().clone().unwrap_or_default();
        let mut by_serial: HashMap<Serial, Seen> = HashMap::new();
        let mut view = lock(&self.view);
        for line in view.listed.clone() {
            let Some((serial, state, problem)) = self.standing_of(&line, &listing) else {
                continue;
            };
            if by_serial
                .get(&serial)
                .is_some_and(|other| other.state == AdbState::Device)
            {
                continue;
            }
            let client = &self.client;
            let transport = view
                .transports
                .entry(line.adb_serial.clone())
                .or_insert_with(|| Arc::new(Transport::new(client.clone(), &line.adb_serial)));
            by_serial.insert(
                serial.clone(),
                Seen {
                    serial,
                    state,
                    problem,
                    transport: Arc::clone(transport),
                },
            );
        }
        drop(view);
        for (adb_serial, serial) in &self.devices {
            by_serial.entry(serial.clone()).or_insert_with(|| {
                let (state, problem) = self.standings.of_unlisted(serial);
                let transport = Arc::new(Transport::new(self.client.clone(), adb_serial));
                Seen {
                    serial: serial.clone(),
                    state,
                    problem,
                    transport,
                }
            });
        }
        let mut seen: Vec<Seen> = by_serial.into_values().collect();
        seen.sort_by(|one, other| one.serial.cmp(&other.serial));
        seen
    }

    /// Whose line it is, and what it means for that phone.
    fn standing_of(&self, line: &Listed, listing: &Listing) -> Option<(Serial, AdbState, String)> {
        let configured = self.devices.get(&line.adb_serial);
        if let (Some(serial), AdbState::Device) = (configured, &line.state) {
            let incarnation = listing.get(&line.adb_serial).map_or(0, |entry| entry.incarnation);
            let (state, problem) = self.standings.of_usable(serial, incarnation);
            return Some((serial.clone(), state, problem));
        }
        let serial = match configured {
            Some(serial) => serial.clone(),
            // A phone without a serial cannot be named, so it cannot be driven.
            None => Serial::parse(&line.adb_serial).ok()?,
        };
        Some((serial, line.state.clone(), mend_of(&line.state)))
    }

    /// The server is away: nothing is known of its phones.
    fn went_away(&self, problem: String, hopeless: bool) {
        // First of all: who finds his phone missing asks why.
        self.client.went_away(&problem, hopeless);
        {
            let mut health = lock(&self.health);
            health.problem = Some(problem.clone());
            health.usable_devices = 0;
            health.up = false;
        }
        metrics::server_up(self.client.address(), false);
        lock(&self.view).listed.clear();
        lock(&self.view).transports.clear();
        self.listing.send_replace(None);
        self.phones.transports.replace(self.place, Vec::new());
        self.send(PresenceReport {
            server: self.client.address().to_owned(),
            devices: Vec::new(),
            problem: Some(problem),
        });
    }

    fn send(&self, report: PresenceReport) {
        {
            let mut view = lock(&self.view);
            if view.reported.as_ref() == Some(&report) {
                return;
            }
            view.reported = Some(report.clone());
        }
        if let Some(problem) = &report.problem {
            warn!(adb.server = report.server, "adb server is away: {problem}");
        }
        (self.report)(report);
    }

    /// Starts a server of this computer that does not listen, where that is ours to do.
    async fn mend(&self, error: &AdbError) -> Result<(), String> {
        let settings = &self.phones.settings;
        let may_start = settings.start_server && matches!(error, AdbError::Unreachable(_));
        match server_process::local_port(self.client.address()) {
            Some(port) if may_start => server_process::start(port, millis(settings.deadlines.start_server_ms)).await,
            _ => Ok(()),
        }
    }
}

fn problem_of(error: &AdbError) -> String {
    match error {
        AdbError::TimedOut(after) => format!("it does not answer within {after:?}; if it stays so, restart it"),
        other => other.to_string(),
    }
}
