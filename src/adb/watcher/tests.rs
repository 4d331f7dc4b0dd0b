use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use farmhand_actors::domain::{AdbState, Serial};
use tokio::sync::mpsc;

use super::*;
use crate::adb::{
    settings::{AdbLimits, AdbSettings},
    testing::{Answer, FakeServer},
};

/// Longer than any deadline of the watcher; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(8);

/// A watcher of one server, and what it reports.
struct Watched {
    watcher: Watcher,
    phones: Arc<Phones>,
    reports: mpsc::UnboundedReceiver<PresenceReport>,
}

impl Watched {
    fn start(server: &str, devices: &[(&str, &str)]) -> Self {
        let settings = AdbSettings {
            servers: vec![server.to_owned()],
            start_server: false,
            limits: AdbLimits {
                reconnect_max_ms: 300,
                ..AdbLimits::default()
            },
            ..AdbSettings::default()
        };
        let devices = devices
            .iter()
            .map(|(serial, address)| TcpPhone {
                serial: Serial::parse(serial).unwrap(),
                address: (*address).to_owned(),
            })
            .collect();
        let phones = Arc::new(Phones::new(settings));
        let (sender, reports) = mpsc::unbounded_channel();
        let report: PresenceCallback = Arc::new(move |report| drop(sender.send(report)));
        Self {
            watcher: Watcher::start(&phones, devices, &report),
            phones,
            reports,
        }
    }

    /// The next report for which this holds.
    async fn report(&mut self, what: &str, holds: impl Fn(&PresenceReport) -> bool) -> PresenceReport {
        let mut last = None;
        let found = async {
            loop {
                let report = self.reports.recv().await.unwrap();
                if holds(&report) {
                    break report;
                }
                last = Some(report);
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no report came in which {what}; the last was {last:?}"))
    }

    async fn state(&mut self, serial: &str, state: &AdbState) -> PresenceReport {
        self.report(&format!("{serial} is {state:?}"), |report| {
            shows(report, serial) == Some(state.clone())
        })
        .await
    }
}

fn shows(report: &PresenceReport, serial: &str) -> Option<AdbState> {
    report
        .devices
        .iter()
        .find(|presence| presence.serial.as_str() == serial)
        .map(|presence| presence.state.clone())
}

/// A server whose list is that of [`FakeServer::list`].
async fn listing_server() -> FakeServer {
    answering(|_| None).await
}

/// The same, where `own` may answer first; it can see the list.
async fn answering(own: impl Fn(&str) -> Option<Answer> + Send + Sync + 'static) -> FakeServer {
    FakeServer::start(move |request| own(request).unwrap_or_else(|| usual(request))).await
}

fn usual(request: &str) -> Answer {
    match request {
        "host:track-devices" => Answer::Lists,
        "host:devices" => Answer::CurrentList,
        other => Answer::unexpected(other),
    }
}

#[tokio::test]
async fn phones_are_reported_as_they_come_and_go() {
    let server = listing_server().await;
    server.list("R58M\tdevice\nx\tunauthorized\n");
    let mut watched = Watched::start(&server.address, &[]);

    let first = watched.state("R58M", &AdbState::Device).await;
    assert_eq!(shows(&first, "x"), Some(AdbState::Unauthorized));
    assert!(watched.phones.transports.find(&Serial::parse("R58M").unwrap()).is_ok());
    assert!(watched.phones.transports.find(&Serial::parse("x").unwrap()).is_err());

    let pushed_at = Instant::now();
    server.list("x\tdevice\n");
    let second = watched.state("x", &AdbState::Device).await;
    assert!(
        pushed_at.elapsed() < Duration::from_millis(500),
        "{:?}",
        pushed_at.elapsed()
    );
    assert_eq!(shows(&second, "R58M"), None);
    assert_eq!(watched.watcher.health()[0].usable_devices, 1);
}

#[tokio::test]
async fn states_that_are_sentences_are_reported_as_they_are() {
    let server = listing_server().await;
    server.list(
        "a\tno permissions (user in plugdev group); see [http://x]\nb\trecovery\nno serial number here\tdevice\n",
    );
    let mut watched = Watched::start(&server.address, &[]);

    let report = watched.state("b", &AdbState::Other("recovery".into())).await;

    assert!(matches!(shows(&report, "a"), Some(AdbState::Other(text)) if text.starts_with("no permissions")));
    assert_eq!(report.devices.len(), 2);
}

#[tokio::test]
async fn a_phone_that_drops_without_a_push_is_noticed_by_the_poll() {
    let server = listing_server().await;
    server.list("a\tdevice\n");
    let mut watched = Watched::start(&server.address, &[]);
    watched.state("a", &AdbState::Device).await;

    server.list_silently("a\toffline\n");

    watched.state("a", &AdbState::Offline).await;
}

#[tokio::test]
async fn a_server_that_dies_takes_its_phones_along_and_brings_them_back() {
    let server = listing_server().await;
    server.list("a\tdevice\n");
    let mut watched = Watched::start(&server.address, &[]);
    watched.state("a", &AdbState::Device).await;

    let address = server.stop().await;
    let away = watched
        .report("the server is away", |report| report.problem.is_some())
        .await;
    assert!(away.devices.is_empty());
    assert!(watched.phones.transports.find(&Serial::parse("a").unwrap()).is_err());
    assert!(!watched.watcher.health()[0].up);

    let server = FakeServer::start_at(&address, usual).await;
    server.list("a\tdevice\n");
    let back = watched.state("a", &AdbState::Device).await;
    assert_eq!(back.problem, None);
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_within_two_seconds() {
    let hangs = Arc::new(AtomicBool::new(false));
    let server = answering({
        let hangs = Arc::clone(&hangs);
        move |_| hangs.load(Ordering::SeqCst).then_some(Answer::Hang)
    })
    .await;
    server.list("a\tdevice\n");
    let mut watched = Watched::start(&server.address, &[]);
    watched.state("a", &AdbState::Device).await;

    let since = Instant::now();
    hangs.store(true, Ordering::SeqCst);
    watched
        .report("the server is away", |report| report.problem.is_some())
        .await;

    assert!(since.elapsed() < Duration::from_millis(2_200), "{:?}", since.elapsed());
    hangs.store(false, Ordering::SeqCst);
    watched.state("a", &AdbState::Device).await;
}

#[tokio::test]
async fn garbage_instead_of_a_list_is_a_server_that_is_away() {
    let server = answering(|_| Some(Answer::Garbage(b"OKAYffffa\tdevice\n".to_vec()))).await;
    let mut watched = Watched::start(&server.address, &[]);

    let away = watched
        .report("the server is away", |report| report.problem.is_some())
        .await;

    assert!(away.devices.is_empty());
}

/// A server that shows the phone at this address once it was asked to connect it.
async fn connecting(address: &'static str, calls_itself: &'static str) -> FakeServer {
    answering(move |request| match request.strip_prefix("host:connect:") {
        Some(asked) => {
            assert_eq!(asked, address);
            Some(Answer::Connect {
                text: format!("connected to {address}"),
                list: format!("{address}\tdevice\n"),
            })
        }
        None => request
            .starts_with("shell,")
            .then(|| Answer::shell(&format!("{calls_itself}\n\n"), "", 0)),
    })
    .await
}

#[tokio::test]
async fn a_tcp_phone_is_connected_proven_and_named_by_its_serial() {
    let server = connecting("10.0.0.7:5555", "sim-1").await;
    let mut watched = Watched::start(&server.address, &[("sim-1", "10.0.0.7")]);

    let report = watched.state("sim-1", &AdbState::Device).await;

    assert_eq!(report.devices.len(), 1);
    let transport = watched
        .phones
        .transports
        .find(&Serial::parse("sim-1").unwrap())
        .unwrap();
    assert_eq!(transport.adb_serial, "10.0.0.7:5555");
    assert_eq!(server.asked("host:connect:10.0.0.7:5555"), 1);
}

#[tokio::test]
async fn a_tcp_phone_that_vanishes_is_connected_again() {
    let server = connecting("10.0.0.7:5555", "sim-1").await;
    let mut watched = Watched::start(&server.address, &[("sim-1", "10.0.0.7:5555")]);
    watched.state("sim-1", &AdbState::Device).await;

    server.list("");
    watched.state("sim-1", &AdbState::Device).await;
    server.list("10.0.0.7:5555\toffline\n");
    watched.state("sim-1", &AdbState::Offline).await;
    watched.state("sim-1", &AdbState::Device).await;

    assert!(server.asked("host:connect:10.0.0.7:5555") >= 3);
    assert_eq!(server.asked("host:disconnect:10.0.0.7:5555"), 1);
}

#[tokio::test]
async fn another_phone_at_the_address_is_never_shown_as_usable() {
    let server = connecting("10.0.0.7:5555", "sim-9").await;
    let mut watched = Watched::start(&server.address, &[("sim-1", "10.0.0.7:5555")]);

    let report = watched
        .report("the other phone is named", |report| {
            assert_ne!(shows(report, "sim-1"), Some(AdbState::Device));
            matches!(shows(report, "sim-1"), Some(AdbState::Other(text)) if text.contains("sim-9"))
        })
        .await;

    assert_eq!(shows(&report, "sim-9"), None);
    assert!(
        watched
            .phones
            .transports
            .find(&Serial::parse("sim-1").unwrap())
            .is_err()
    );
}

#[tokio::test]
async fn a_tcp_phone_that_cannot_be_connected_says_why_and_is_tried_again() {
    let server = answering(|request| {
        let asked = request.strip_prefix("host:connect:")?;
        Some(if asked == "10.0.0.8:5555" {
            Answer::text("failed to authenticate to 10.0.0.8:5555")
        } else {
            Answer::text(&format!("failed to connect to '{asked}': Connection refused"))
        })
    })
    .await;
    let mut watched = Watched::start(
        &server.address,
        &[("sim-1", "10.0.0.7:5555"), ("sim-2", "10.0.0.8:5555")],
    );

    let report = watched.state("sim-2", &AdbState::Unauthorized).await;

    assert_eq!(shows(&report, "sim-1"), Some(AdbState::Offline));
    let tried_again = async {
        while server.asked("host:connect:10.0.0.7:5555") < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, tried_again)
        .await
        .expect("it is not tried again");
    let problem = watched
        .phones
        .transports
        .find(&Serial::parse("sim-1").unwrap())
        .unwrap_err()
        .to_string();
    assert!(problem.contains("Connection refused"), "{problem}");
}

#[tokio::test]
async fn many_addresses_without_a_phone_do_not_hold_up_a_phone_that_is_there() {
    const DEAD: usize = 45;
    let server = answering(|request| {
        let asked = request.strip_prefix("host:connect:")?;
        Some(if asked == "10.0.0.7:5555" {
            Answer::Connect {
                text: format!("connected to {asked}"),
                list: format!("{asked}\tdevice\n"),
            }
        } else {
            Answer::Hang
        })
    })
    .await;
    let dead = (0..DEAD).map(|number| (format!("dead-{number}"), format!("10.0.1.{number}:5555")));
    let mut devices: Vec<(String, String)> = dead.collect();
    devices.push(("sim-1".to_owned(), "10.0.0.7:5555".to_owned()));
    let devices: Vec<(&str, &str)> = devices
        .iter()
        .map(|(serial, at)| (serial.as_str(), at.as_str()))
        .collect();
    let since = Instant::now();
    let mut watched = Watched::start(&server.address, &devices);

    watched
        .report("the phone is connected", |report| {
            !matches!(shows(report, "sim-1"), None | Some(AdbState::Offline))
        })
        .await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());

    // And again, when all are to be connected anew: the dead ones are known by now.
    let again = Instant::now();
    server.list("");
    watched.state("sim-1", &AdbState::Offline).await;
    watched
        .report("the phone is connected again", |report| {
            !matches!(shows(report, "sim-1"), None | Some(AdbState::Offline))
        })
        .await;
    assert!(again.elapsed() < Duration::from_secs(5), "{:?}", again.elapsed());
}

#[tokio::test]
async fn a_list_that_was_asked_for_before_another_was_pushed_brings_no_old_state_back() {
    let (told, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
    let server = answering({
        let (told, asked) = (Arc::clone(&told), Arc::clone(&asked));
        move |request| {
            let late = request == "host:devices" && !told.swap(true, Ordering::SeqCst);
            late.then(|| {
                asked.notify_one();
                Answer::Late(Duration::from_millis(300), Box::new(Answer::text("a\tunauthorized\n")))
            })
        }
    })
    .await;
    server.list("a\tunauthorized\n");
    let mut watched = Watched::start(&server.address, &[]);
    watched.state("a", &AdbState::Unauthorized).await;
    asked.notified().await;

    server.list("a\tdevice\n");
    watched.state("a", &AdbState::Device).await;

    // Two polls later.
    let polled = server.asked("host:devices");
    let later = async {
        while server.asked("host:devices") < polled + 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, later).await.unwrap();
    let reported = watched.reports.try_recv();
    assert!(reported.is_err(), "{reported:?}");
}

#[tokio::test]
async fn a_phone_under_its_own_serial_is_not_connected() {
    let server = listing_server().await;
    server.list("sim-1\tdevice\n");
    let mut watched = Watched::start(&server.address, &[("sim-1", "10.0.0.7:5555")]);

    watched.state("sim-1", &AdbState::Device).await;

    assert_eq!(server.asked("host:connect:10.0.0.7:5555"), 0);
}

#[tokio::test]
async fn stopping_ends_all_tasks_and_connections() {
    let server = connecting("10.0.0.7:5555", "sim-1").await;
    let mut watched = Watched::start(&server.address, &[("sim-1", "10.0.0.7:5555")]);
    watched.state("sim-1", &AdbState::Device).await;

    watched.watcher.stop().await;
    watched.watcher.stop().await;

    assert!(watched.watcher.tasks.is_empty());
    server.wait_until_no_connection_is_open().await;
}

#[tokio::test]
async fn a_server_nobody_may_start_says_why_it_is_away() {
    let gone = listing_server().await.stop().await;
    let mut watched = Watched::start(&gone, &[]);

    let away = watched
        .report("the server is away", |report| report.problem.is_some())
        .await;

    assert!(away.problem.unwrap().contains("refused"));
}
