//! The life of the agent on a phone: copied once, started, watched, started again, ended.

use farmhand::adb::AgentSettings;
use farmhand_actors::ports::{DeviceDriver, DriverError, HierarchyProblem};
use farmhand_sim::handset::Handset as _;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    harness::{PATIENCE, Room, serial},
    nasty::{Nasty, Spoil},
    rig::{agent, behind_adb_with, behind_simulator_with, fault, lease, simulator, until_agent_answers, words},
    suite::focused_field,
};

/// A service of the phone, by hand.
async fn open(server: &str, service: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    for request in ["host:transport:sim-1", service] {
        let frame = format!("{:04x}{request}", request.len());
        stream.write_all(frame.as_bytes()).await.unwrap();
        let mut okay = [0; 4];
        stream.read_exact(&mut okay).await.unwrap();
        assert_eq!(&okay, b"OKAY", "{service}");
    }
    stream
}

/// Ends the agent from outside, as a person could.
async fn kill_agent(server: &str) {
    let mut stream = open(server, "tcp:9008").await;
    stream.write_all(b"GET /stop HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
}

/// A view tree that does not come from the agent.
async fn until_adb_alone_answers(driver: &dyn DeviceDriver) {
    let alone = async {
        while driver
            .hierarchy_text()
            .await
            .is_ok_and(|text| text.contains("drawing-order="))
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, alone).await.unwrap();
}

#[tokio::test]
async fn taking_a_phone_starts_the_agent_and_its_file_is_on_the_phone() {
    let (jar, settings) = agent();
    let (simulator, room) = behind_simulator_with(settings).await;
    let driver = room.handle.factory().open(&serial("sim-1"), Some(&lease("one")));

    driver.take().await.unwrap();

    until_agent_answers(&*driver).await;
    let there = driver.shell(words(&["cat", "/data/local/tmp/u2.jar"])).await.unwrap();
    assert_eq!(there.stdout, std::fs::read(jar.path()).unwrap());
    simulator.stop().await;
}

#[tokio::test]
async fn an_agent_that_is_killed_is_started_again_and_its_file_is_not_copied_again() {
    let (_jar, settings) = agent();
    let simulator = simulator(1).await;
    let nasty = Nasty::before(simulator.server().to_string()).await;
    // Not spoilt at all, but counted.
    nasty.spoil("sync:", Spoil::NeverClose);
    let mut room = Room::start_with(&nasty.address, &[], settings);
    room.usable(1).await;
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    until_agent_answers(&*driver).await;
    assert_eq!(nasty.spoilt(), 1);

    kill_agent(&nasty.address).await;

    // Whoever answers, there is always a view tree.
    until_agent_answers(&*driver).await;
    assert_eq!(nasty.spoilt(), 1);
    simulator.stop().await;
}

#[tokio::test]
async fn an_agent_that_somebody_has_left_behind_is_replaced() {
    let (_jar, settings) = agent();
    let (simulator, room) = behind_simulator_with(settings).await;
    let server = simulator.server().to_string();
    let plain = Room::start(&server, &[]);
    let mut plain = plain;
    plain.usable(1).await;
    let other = plain.handle.factory().open(&serial("sim-1"), None);
    other
        .shell(words(&["sh", "-c", "echo x > /data/local/tmp/u2.jar"]))
        .await
        .unwrap();
    let start = "shell:CLASSPATH=/data/local/tmp/u2.jar app_process / com.wetest.uia2.Main -p 9008";
    let mut left_behind = open(&server, start).await;

    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;

    let mut said = Vec::new();
    left_behind.read_to_end(&mut said).await.unwrap();
    assert!(String::from_utf8_lossy(&said).contains("Server stopped"));
    simulator.stop().await;
}

#[tokio::test]
async fn while_another_program_holds_the_screen_the_view_tree_says_so_and_then_the_agent_comes() {
    let (_jar, settings) = agent();
    let (simulator, room) = behind_simulator_with(settings).await;
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    driver
        .shell(words(&["sh", "-c", "echo x > /data/local/tmp/u2.jar"]))
        .await
        .unwrap();
    // On a port of its own: somebody else's, not to be ended.
    let start = "shell:CLASSPATH=/data/local/tmp/u2.jar app_process / com.wetest.uia2.Main -p 9123";
    let holder = open(&simulator.server().to_string(), start).await;

    let error = driver.hierarchy().await.unwrap_err();
    assert!(
        matches!(
            error,
            DriverError::Hierarchy {
                problem: HierarchyProblem::Killed,
                ..
            }
        ),
        "{error}"
    );
    drop(holder);
    let back = async { while driver.hierarchy().await.is_err() {} };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    until_agent_answers(&*driver).await;
    simulator.stop().await;
}

#[tokio::test]
async fn after_the_lease_is_lost_nothing_acts_by_the_agent_and_looking_goes_on() {
    let (_jar, settings) = agent();
    let (simulator, room) = behind_simulator_with(settings).await;
    let factory = room.handle.factory();
    let driver = factory.open(&serial("sim-1"), Some(&lease("ours")));
    driver.take().await.unwrap();
    until_agent_answers(&*driver).await;
    let phone = simulator.world().phone("sim-1").unwrap();
    focused_field(&*driver).await;
    driver.type_text("zażółć").await.unwrap();
    assert_eq!(phone.clipboard(), "zażółć", "the agent types it");
    let before = driver.hierarchy_text().await.unwrap();

    // Another controller takes the phone.
    let write = "printf another > /data/local/tmp/.farmhand_lease";
    let person = factory.open(&serial("sim-1"), None);
    person.shell(words(&["sh", "-c", write])).await.unwrap();
    phone.set_clipboard("what the other one is about to paste");

    let end = driver.type_text("gęślą jaźń").await;
    assert!(matches!(end, Err(DriverError::Fenced { .. })), "{end:?}");
    let end = driver.type_text(&"ż".repeat(2_000)).await;
    assert!(matches!(end, Err(DriverError::Fenced { .. })), "{end:?}");
    assert_eq!(phone.clipboard(), "what the other one is about to paste");
    let after = driver.hierarchy_text().await.unwrap();
    assert!(after.contains("drawing-order="), "the agent still answers");
    assert_eq!(after, before);
    simulator.stop().await;
}

#[tokio::test]
async fn the_agent_ends_with_the_room_and_leaves_the_phone_to_others() {
    let (_jar, settings) = agent();
    let Some((server, simulator, room)) = behind_adb_with(1, settings).await else {
        return;
    };
    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;

    room.handle.stop().await;

    let address = simulator.phones()[0].1.to_string();
    let mut plain = Room::start(&server.address(), &[("sim-1", &address)]);
    plain.usable(1).await;
    until_adb_alone_answers(&*plain.handle.factory().open(&serial("sim-1"), None)).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_agent_comes_back_after_the_phone_restarted() {
    let (_jar, settings) = agent();
    let Some((_server, simulator, mut room)) = behind_adb_with(1, settings).await else {
        return;
    };
    let driver = room.handle.factory().open(&serial("sim-1"), None);
    until_agent_answers(&*driver).await;

    fault(&simulator, "sim-1", "reboot", json!({}));
    room.report("the phone is away", |report| {
        report
            .devices
            .iter()
            .all(|presence| presence.state != farmhand_actors::domain::AdbState::Device)
    })
    .await;
    room.usable(1).await;

    let back = async { while driver.take().await.is_err() {} };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    until_agent_answers(&*driver).await;
    simulator.stop().await;
}

#[tokio::test]
async fn an_agent_that_nobody_wants_any_more_ends() {
    let (_jar, settings) = agent();
    let (simulator, room) = behind_simulator_with(AgentSettings { idle_s: 1, ..settings }).await;
    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;
    let server = simulator.server().to_string();
    let mut plain = Room::start(&server, &[]);
    plain.usable(1).await;

    // Looking by adb alone wants nothing of the agent.
    let other = plain.handle.factory().open(&serial("sim-1"), None);
    let free = async { while other.hierarchy().await.is_err() {} };
    tokio::time::timeout(PATIENCE, free).await.expect("it never ends");
    simulator.stop().await;
}
