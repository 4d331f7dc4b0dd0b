//! Simulated phones, once behind a real adb server (connected by us) and once behind the simulator's own server.

use std::{
    fs,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::AdbState,
    ports::{DriverError, HierarchyProblem, Point, ShellCommand},
};
use serde_json::json;

use crate::{
    harness::{PATIENCE, Room, Server, serial},
    rig::{behind_adb, behind_simulator, end_faults, fault, lease, simulator, words},
};

#[tokio::test]
async fn any_words_reach_a_program_of_the_phone_as_they_are() {
    use proptest::{prelude::Strategy as _, strategy::ValueTree as _};
    let (simulator, room) = behind_simulator().await;
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let any_words = proptest::collection::vec("[^\0]{0,30}|[ '\"\\\\$`\n;&|<>(){}*?~#!=-]{1,20}", 1..8);

    for _ in 0..100 {
        let sent = any_words.new_tree(&mut runner).unwrap().current();
        let line: Vec<&str> = ["printf", "%s\\0"]
            .into_iter()
            .chain(sent.iter().map(String::as_str))
            .collect();
        let output = driver.shell(words(&line)).await.unwrap();
        let expected: String = sent.iter().map(|word| format!("{word}\0")).collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{sent:?}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_sleeping_phone_is_woken_when_it_is_taken() {
    const POWER_KEY: u32 = 26;
    let (_simulator, room) = behind_simulator().await;
    let driver = room.handle.factory().open(&serial("sim-1"), Some(&lease("one")));
    driver.take().await.unwrap();
    let is_awake = async || {
        let power = driver.shell(words(&["dumpsys", "power"])).await.unwrap();
        String::from_utf8_lossy(&power.stdout).contains("mWakefulness=Awake")
    };
    driver.key(POWER_KEY).await.unwrap();
    assert!(!is_awake().await);

    driver.take().await.unwrap();

    assert!(is_awake().await);
    assert!(driver.hierarchy().await.is_ok());
}

#[tokio::test]
async fn an_acting_call_of_an_older_lease_does_nothing_on_the_phone() {
    let (_simulator, room) = behind_simulator().await;
    let factory = room.handle.factory();
    let older = factory.open(&serial("sim-1"), Some(&lease("older")));
    older.take().await.unwrap();
    // Another controller, that this one knows nothing of, takes the phone.
    let other = Room::start(&room.handle.servers()[0].server, &[]);
    let mut other = other;
    other.state("sim-1", &AdbState::Device).await;
    other
        .handle
        .factory()
        .open(&serial("sim-1"), Some(&lease("newer")))
        .take()
        .await
        .unwrap();

    let error = older.shell(words(&["touch", "/sdcard/fenced"])).await.unwrap_err();

    assert_eq!(
        error,
        DriverError::Fenced {
            serial: serial("sim-1")
        }
    );
    let seen = factory
        .open(&serial("sim-1"), None)
        .shell(words(&["ls", "/sdcard/fenced"]))
        .await
        .unwrap();
    assert_ne!(seen.code, 0);
}

#[tokio::test]
async fn another_phone_at_the_address_is_never_driven() {
    let Some(server) = Server::start() else { return };
    let simulator = simulator(1).await;
    let address = simulator.phones()[0].1.to_string();
    let mut room = Room::start(&server.address(), &[("wanted", &address)]);

    let named = |state: &AdbState| matches!(state, AdbState::Other(text) if text.contains("sim-1"));
    room.report("the other phone is named", |report| {
        report.devices.iter().any(|presence| named(&presence.state))
    })
    .await;

    let error = room
        .handle
        .factory()
        .open(&serial("wanted"), None)
        .tap(Point { x: 1, y: 1 })
        .await
        .unwrap_err();
    assert!(matches!(error, DriverError::NotReady { .. }), "{error}");
}

#[tokio::test]
async fn a_killed_adb_server_gives_all_phones_back_within_five_seconds() {
    let Some((mut server, _simulator, mut room)) = behind_adb(3).await else {
        return;
    };
    server.kill();
    room.server_away().await;

    let since = Instant::now();
    server.start_again();
    room.usable(3).await;

    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    for name in ["sim-1", "sim-2", "sim-3"] {
        room.handle.factory().open(&serial(name), None).info().await.unwrap();
    }
}

#[tokio::test]
async fn a_phone_that_is_unplugged_comes_back_by_itself() {
    let Some((_server, simulator, mut room)) = behind_adb(1).await else {
        return;
    };

    fault(&simulator, "sim-1", "offline", json!({}));
    room.state("sim-1", &AdbState::Offline).await;
    end_faults(&simulator, "sim-1");

    room.state("sim-1", &AdbState::Device).await;
    room.handle.factory().open(&serial("sim-1"), None).info().await.unwrap();
}

#[tokio::test]
async fn a_phone_that_hangs_times_out_and_hurts_no_other() {
    let Some((_server, simulator, room)) = behind_adb(2).await else {
        return;
    };
    fault(&simulator, "sim-1", "hang", json!({}));
    let factory = room.handle.factory();
    let (sick, well) = (
        factory.open(&serial("sim-1"), None),
        factory.open(&serial("sim-2"), None),
    );
    let hanging = ShellCommand {
        timeout: Some(Duration::from_millis(300)),
        ..words(&["id"])
    };

    let (ended, served) = tokio::join!(sick.shell(hanging), async {
        for _ in 0..20 {
            well.info().await.unwrap();
        }
    });

    let () = served;
    assert!(
        matches!(ended, Err(DriverError::TimedOut { command: "shell", .. })),
        "{ended:?}"
    );
    end_faults(&simulator, "sim-1");
}

#[tokio::test]
async fn a_phone_that_asks_for_trust_is_unauthorized_until_it_has_it() {
    let Some(server) = Server::start() else { return };
    let simulator = simulator(1).await;
    fault(&simulator, "sim-1", "unauthorized", json!({}));
    let address = simulator.phones()[0].1.to_string();
    let mut room = Room::start(&server.address(), &[("sim-1", &address)]);

    room.state("sim-1", &AdbState::Unauthorized).await;
    let error = room
        .handle
        .factory()
        .open(&serial("sim-1"), None)
        .take()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::NotReady {
                state: AdbState::Unauthorized,
                ..
            }
        ),
        "{error}"
    );
    end_faults(&simulator, "sim-1");

    room.state("sim-1", &AdbState::Device).await;
}

#[tokio::test]
async fn a_phone_that_restarts_comes_back_with_another_boot() {
    let Some((_server, simulator, mut room)) = behind_adb(1).await else {
        return;
    };
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let before = driver.info().await.unwrap().boot_id;

    fault(&simulator, "sim-1", "reboot", json!({}));
    room.report("the phone is away", |report| {
        report.devices.iter().all(|presence| presence.state != AdbState::Device)
    })
    .await;
    room.state("sim-1", &AdbState::Device).await;

    // adb shows it before Android is up, and then it is not yet online.
    let up = async {
        loop {
            match driver.info().await {
                Ok(info) => return info,
                Err(error) => assert!(error.to_string().contains("Android is still starting"), "{error}"),
            }
        }
    };
    let info = tokio::time::timeout(PATIENCE, up).await.unwrap();
    assert_ne!(info.boot_id, before);
}

#[tokio::test]
async fn f15_an_attempt_that_goes_on_after_a_restart_is_refused_by_the_phone_and_begins_again() {
    let Some((_server, simulator, mut room)) = behind_adb(1).await else {
        return;
    };
    let driver = room.handle.factory().open(&serial("sim-1"), Some(&lease("one")));
    driver.take().await.unwrap();
    driver.shell(words(&["touch", "/sdcard/before"])).await.unwrap();

    fault(&simulator, "sim-1", "reboot", json!({}));
    room.report("the phone is away", |report| {
        report.devices.iter().all(|presence| presence.state != AdbState::Device)
    })
    .await;
    room.state("sim-1", &AdbState::Device).await;

    let restarted = DriverError::Restarted {
        serial: serial("sim-1"),
    };
    let touched = driver.shell(words(&["touch", "/sdcard/after"])).await;
    assert_eq!(touched.unwrap_err(), restarted);
    assert_eq!(driver.hierarchy().await.unwrap_err(), restarted);
    driver.take().await.unwrap();
    let left = driver.shell(words(&["ls", "/sdcard"])).await.unwrap();
    let left = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(left.contains("before") && !left.contains("after"), "{left}");
}

#[tokio::test]
async fn a_full_phone_refuses_a_file_and_keeps_no_part_of_it() {
    let (simulator, room) = behind_simulator().await;
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("a.jpg");
    fs::write(&local, vec![1; 300_000]).unwrap();
    fault(&simulator, "sim-1", "storage_full", json!({}));

    let error = driver.push(&local, "/sdcard/Download/a.jpg").await.unwrap_err();

    assert!(error.to_string().contains("No space left on device"), "{error}");
    end_faults(&simulator, "sim-1");
    let left = driver.shell(words(&["ls", "-a", "/sdcard/Download"])).await.unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(".part"), "{left:?}");
}

#[tokio::test]
async fn fifty_phones_are_found_at_once_and_asked_in_one_sweep() {
    let Some((_server, _simulator, room)) = behind_adb(50).await else {
        return;
    };
    let factory = room.handle.factory();
    let drivers: Vec<_> = (1..=50)
        .map(|number| factory.open(&serial(&format!("sim-{number}")), None))
        .collect();

    for sweep in 0..2 {
        let since = Instant::now();
        let asked = drivers
            .iter()
            .map(|driver| driver.shell(words(&["getprop", "ro.serialno"])));
        let answers = futures_util::future::join_all(asked).await;
        println!("sweep {sweep}: {:?}", since.elapsed());
        for (driver, answer) in drivers.iter().zip(answers) {
            assert_eq!(
                String::from_utf8_lossy(&answer.unwrap().stdout).trim(),
                driver.serial().as_str()
            );
        }
    }
}

#[tokio::test]
async fn a_connection_that_drops_in_mid_command_is_lost() {
    let Some((_server, simulator, room)) = behind_adb(1).await else {
        return;
    };
    let driver = room.handle.factory().open(&serial("sim-1"), None);

    let (ended, ()) = tokio::join!(driver.shell(words(&["sleep", "20"])), async {
        let probe = room.handle.factory().open(&serial("sim-1"), None);
        probe.info().await.unwrap();
        fault(&simulator, "sim-1", "drop_connection", json!({}));
    });

    assert_eq!(
        ended,
        Err(DriverError::Lost {
            serial: serial("sim-1"),
            command: "shell"
        })
    );
}

#[tokio::test]
async fn dumps_that_fail_are_typed() {
    let (simulator, room) = behind_simulator().await;
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let problem = |error: DriverError| match error {
        DriverError::Hierarchy { problem, .. } => problem,
        other => panic!("{other}"),
    };

    fault(&simulator, "sim-1", "no_idle", json!({}));
    assert_eq!(
        problem(driver.hierarchy().await.unwrap_err()),
        HierarchyProblem::NotIdle
    );
    end_faults(&simulator, "sim-1");
    fault(&simulator, "sim-1", "garbage_hierarchy", json!({}));
    assert!(matches!(
        problem(driver.hierarchy().await.unwrap_err()),
        HierarchyProblem::Malformed(_)
    ));
    end_faults(&simulator, "sim-1");
    fault(&simulator, "sim-1", "huge_hierarchy", json!({}));
    assert!(driver.hierarchy().await.unwrap().nodes.len() > 8_000);
}
