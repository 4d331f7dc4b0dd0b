//! What a sick wire between farmhand and an adb server does: deadlines hold, connections are dropped, and nothing that
//! came in part is taken for an answer.

use std::{
    fs,
    time::{Duration, Instant},
};

use farmhand::adb::{AdbDeadlines, AdbLimits, AdbScreens, AdbSettings, AgentSettings};
use farmhand_actors::{
    domain::AdbState,
    ports::{DeviceDriver, DriverError, Point},
};
use farmhand_sim::simulator::Simulator;

use crate::{
    harness::{PATIENCE, Room, serial},
    nasty::{Nasty, Spoil},
    rig::{agent, simulator, until_agent_answers, words},
};

/// Deadlines that a test can wait for, and longer than any healthy call on a busy machine takes.
const DEADLINE_MS: u64 = 1_500;

struct Wire {
    simulator: Simulator,
    nasty: Nasty,
    room: Room,
}

impl Wire {
    async fn start(agent: AgentSettings) -> Self {
        Self::start_with(agent, DEADLINE_MS).await
    }

    /// The same, with this deadline for commands.
    async fn start_with(agent: AgentSettings, shell_ms: u64) -> Self {
        let simulator = simulator(1).await;
        let nasty = Nasty::before(simulator.server().to_string()).await;
        let settings = AdbSettings {
            servers: vec![nasty.address.clone()],
            start_server: false,
            agent,
            // The way by which pictures come is chosen once.
            screens: AdbScreens {
                measure_every: 0,
                ..AdbScreens::default()
            },
            deadlines: AdbDeadlines {
                shell_ms,
                query_ms: DEADLINE_MS,
                input_ms: DEADLINE_MS,
                dump_ms: DEADLINE_MS,
                screenshot_ms: DEADLINE_MS,
                launch_ms: DEADLINE_MS,
                copy_ms: DEADLINE_MS,
                copy_per_mib_ms: 0,
                install_ms: DEADLINE_MS,
                ..AdbDeadlines::default()
            },
            limits: AdbLimits {
                // The deadlines are what is tested, not the rest after them.
                breaker_failures: 1_000_000,
                ..AdbLimits::default()
            },
        };
        let mut room = Room::with(settings, &[]);
        room.state("sim-1", &AdbState::Device).await;
        Self { simulator, nasty, room }
    }

    fn driver(&self) -> std::sync::Arc<dyn DeviceDriver> {
        self.room.handle.factory().open(&serial("sim-1"), None)
    }
}

/// One call of each kind, by the service that carries it.
const KINDS: [(&str, &str); 6] = [
    ("shell", "shell"),
    ("tap", "shell"),
    ("hierarchy", "shell"),
    ("screenshot", "shell"),
    ("push", "sync:"),
    ("pull", "sync:"),
];

async fn call(driver: &dyn DeviceDriver, kind: &str) -> Result<(), DriverError> {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("file");
    match kind {
        "shell" => driver.shell(words(&["echo", "a whole answer"])).await.map(|output| {
            assert_eq!(output.stdout, b"a whole answer\n");
        }),
        "tap" => driver.tap(Point { x: 1, y: 1 }).await,
        "hierarchy" => driver.hierarchy().await.map(|tree| assert!(tree.nodes.len() > 3)),
        "screenshot" => driver.screenshot().await.map(|picture| assert!(picture.width > 0)),
        "push" => {
            fs::write(&local, vec![7; 100_000]).unwrap();
            driver.push(&local, "/sdcard/file").await
        }
        "pull" => {
            let pulled = driver.pull("/sdcard/file", &local).await;
            assert_eq!(pulled.is_ok(), local.exists(), "a part was left");
            pulled.map(|()| assert!(fs::read(&local).unwrap() == vec![7; 100_000]))
        }
        other => panic!("{other}"),
    }
}

fn timed_out(ended: &Result<(), DriverError>) -> bool {
    matches!(ended, Err(DriverError::TimedOut { .. }))
}

#[tokio::test]
async fn f12_a_wire_that_is_slow_or_half_open_costs_each_call_its_deadline_and_no_more() {
    let wire = Wire::start(AgentSettings::default()).await;
    let driver = wire.driver();
    call(&*driver, "push").await.unwrap();
    let sick = [
        Spoil::HalfOpen,
        Spoil::Trickle(Duration::from_secs(1)),
        Spoil::Late(PATIENCE),
    ];

    for (kind, service) in KINDS {
        for how in &sick {
            wire.nasty.spoil(service, how.clone());
            let since = Instant::now();
            let ended = call(&*driver, kind).await;

            assert!(timed_out(&ended), "{kind}, {how:?}: {ended:?}");
            assert!(since.elapsed() >= Duration::from_millis(DEADLINE_MS - 100));
            assert!(since.elapsed() < PATIENCE, "{kind}, {how:?}");
            wire.nasty.until_all_hung_up().await;
        }
        wire.nasty.behave();
        call(&*driver, kind).await.unwrap();
    }
    wire.simulator.stop().await;
}

#[tokio::test]
async fn f12_a_wire_that_is_only_late_is_waited_for() {
    let wire = Wire::start(AgentSettings::default()).await;
    wire.nasty.spoil("shell", Spoil::Late(Duration::from_millis(200)));
    let since = Instant::now();

    call(&*wire.driver(), "shell").await.unwrap();

    assert!(since.elapsed() >= Duration::from_millis(200));
    assert_eq!(wire.nasty.spoilt(), 1);
}

#[tokio::test]
async fn f12_an_answer_cut_off_at_any_byte_is_never_a_success() {
    let wire = Wire::start(AgentSettings::default()).await;
    let driver = wire.driver();
    // Pictures have come by both ways, so from now on they come by the cheaper one.
    for kind in ["push", "screenshot", "screenshot"] {
        call(&*driver, kind).await.unwrap();
    }

    for (kind, service) in [
        ("shell", "shell"),
        ("hierarchy", "shell"),
        ("screenshot", "shell"),
        ("pull", "sync:"),
        ("push", "sync:"),
    ] {
        // What passes whole tells its length; of long answers each end and some places between are tried.
        wire.nasty.spoil(service, Spoil::NeverClose);
        let whole = whole_length(&wire, &*driver, kind).await;
        let step = (whole / 12).max(1);
        let cuts = (0..whole).filter(|at| *at < 12 || whole - at < 12 || at % step == 0);
        for at in cuts.collect::<Vec<_>>() {
            wire.nasty.spoil(service, Spoil::Cut(at));
            let ended = call(&*driver, kind).await;
            if kind == "push" && ended.is_ok() {
                // The phone had it whole before it could say so: then it is there.
                continue;
            }
            assert!(ended.is_err(), "{kind} cut at {at} of {whole}");
            assert!(!timed_out(&ended), "{kind} cut at {at} of {whole} was waited for");
        }
        wire.nasty.behave();
        call(&*driver, kind).await.unwrap();
    }
    wire.simulator.stop().await;
}

/// How long the answer of the service is that carries the call.
async fn whole_length(wire: &Wire, driver: &dyn DeviceDriver, kind: &str) -> usize {
    wire.nasty.behave();
    let mut lengths = (0, 1);
    while lengths.0 != lengths.1 {
        lengths = (lengths.1, one_length(wire, driver, kind).await);
    }
    lengths.0
}

/// The same, or that of the call before, when its end comes late.
async fn one_length(wire: &Wire, driver: &dyn DeviceDriver, kind: &str) -> usize {
    wire.nasty.forget_answered();
    call(driver, kind).await.unwrap();
    // The proxy counts when both have hung up.
    let counted = async {
        loop {
            let answered = wire.nasty.answered();
            if answered > 0 {
                break answered;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.unwrap()
}

#[tokio::test]
async fn f13_words_that_are_not_the_protocol_are_an_error_at_once() {
    let wire = Wire::start(AgentSettings::default()).await;
    let driver = wire.driver();
    let packet = |kind: u8, length: u32, payload: &[u8]| [&[kind], length.to_le_bytes().as_slice(), payload].concat();
    let okay = |rest: &[u8]| [b"OKAY", rest].concat();
    let wrong = [
        b"".to_vec(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"OKAX".to_vec(),
        b"FAILzzzzwhat".to_vec(),
        b"FAILffffshort".to_vec(),
        b"FAIL-001".to_vec(),
        okay(b""),
        okay(b"OKAY"),
        okay(&packet(1, u32::MAX, b"out")),
        okay(&packet(1, 0x00ff_ffff, b"out")),
        okay(&packet(3, 0, b"")),
        okay(&packet(77, 4, b"what")),
        okay(&[packet(1, 3, b"out"), packet(1, 4, b"cut")].concat()),
        okay(&[0xff; 64]),
    ];

    for bytes in wrong {
        wire.nasty.spoil("shell", Spoil::Instead(bytes.clone()));
        let since = Instant::now();
        let ended = call(&*driver, "shell").await;
        assert!(ended.is_err(), "{}", bytes.escape_ascii());
        assert!(since.elapsed() < PATIENCE);
        wire.nasty.until_all_hung_up().await;
    }
    // An answer that nobody has asked for stands before the real one.
    wire.nasty.spoil("shell", Spoil::Before(b"OKAY".to_vec()));
    assert!(call(&*driver, "shell").await.is_err());
    wire.nasty.behave();
    call(&*driver, "shell").await.unwrap();
    wire.simulator.stop().await;
}

#[tokio::test]
async fn f13_a_server_that_never_hangs_up_does_not_hold_a_call_that_is_over() {
    let wire = Wire::start(AgentSettings::default()).await;
    wire.nasty.spoil("shell", Spoil::NeverClose);

    call(&*wire.driver(), "shell").await.unwrap();

    wire.nasty.until_all_hung_up().await;
    assert_eq!(wire.nasty.spoilt(), 1);
    // A file has its end in its own protocol, too.
    wire.nasty.spoil("sync:", Spoil::NeverClose);
    call(&*wire.driver(), "push").await.unwrap();
    wire.nasty.until_all_hung_up().await;
}

#[tokio::test]
async fn f13_an_endless_answer_is_cut_at_the_cap() {
    // However busy the machine is, the cap is reached long before this deadline.
    let wire = Wire::start_with(AgentSettings::default(), 120_000).await;
    let mut packet = vec![1];
    packet.extend(65_536_u32.to_le_bytes());
    packet.extend([b'x'; 65_536]);
    wire.nasty.spoil("shell", Spoil::Flood(b"OKAY".to_vec(), packet));

    let error = wire.driver().shell(words(&["yes"])).await.unwrap_err();

    assert!(
        matches!(&error, DriverError::Refused { problem, .. } if problem.contains("16777216 bytes")),
        "{error}"
    );
    wire.nasty.until_all_hung_up().await;
}

#[tokio::test]
async fn f12_an_agent_that_does_not_answer_is_replaced_by_adb_alone_and_comes_back() {
    let (_jar, agent) = agent();
    let wire = Wire::start(AgentSettings { call_ms: 300, ..agent }).await;
    let driver = wire.driver();
    until_agent_answers(&*driver).await;
    for how in [Spoil::HalfOpen, Spoil::Cut(20)] {
        wire.nasty.spoil_ports(how);
        let text = driver.hierarchy_text().await.unwrap();
        assert!(!text.contains("drawing-order="), "the agent goes on answering");
        assert!(wire.nasty.spoilt() > 0);
        wire.nasty.behave();
        until_agent_answers(&*driver).await;
    }
    wire.simulator.stop().await;
}

#[tokio::test]
async fn f13_an_agent_that_speaks_garbage_never_makes_a_view_tree() {
    let (_jar, agent) = agent();
    let wire = Wire::start(AgentSettings { start_ms: 300, ..agent }).await;
    let driver = wire.driver();
    let answer = |body: &str| {
        let head = format!("OKAYHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Spoil::Instead(head.into_bytes())
    };
    let wrong = [
        Spoil::Instead(b"OKAY".to_vec()),
        Spoil::Instead(b"OKAYHTTP/1.1 200 OK\r\n\r\n<hierarchy/>".to_vec()),
        Spoil::Instead(b"OKAYHTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec()),
        answer("pong"),
        answer(r#"{"jsonrpc":"2.0","id":0,"result":"<hierarchy><node/></hierarchy>"}"#),
        Spoil::Flood(b"OKAYHTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 4_096]),
    ];

    for how in wrong {
        wire.nasty.spoil_ports(how.clone());
        // With or without an agent that was there before, adb alone answers.
        let text = driver.hierarchy_text().await.unwrap();
        assert!(!text.contains("drawing-order="), "{how:?}");
        assert!(driver.hierarchy().await.unwrap().nodes.len() > 3, "{how:?}");
    }
    wire.simulator.stop().await;
}
