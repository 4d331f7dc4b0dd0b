//! The adb server's own faults.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use farmhand::adb;
use farmhand_actors::{domain::AdbState, ports::DriverError};

use crate::harness::{PATIENCE, Room, Server, serial};

#[tokio::test]
async fn a_killed_server_is_noticed_and_followed_again() {
    let Some(mut server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;
    assert!(adb::server_version(&server.address(), PATIENCE).await.unwrap() >= 40);

    let since = Instant::now();
    server.kill();
    room.server_away().await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());

    server.start_again();
    room.server_up().await;
    assert!(room.handle.servers()[0].up);
}

#[tokio::test]
async fn a_server_that_hangs_is_noticed_within_two_seconds() {
    let Some(server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;

    let since = Instant::now();
    server.signal("-STOP");
    let problem = room.server_away().await;

    assert!(since.elapsed() < Duration::from_millis(2_300), "{:?}", since.elapsed());
    assert!(problem.contains("does not answer"), "{problem}");
    server.signal("-CONT");
    room.server_up().await;
}

#[tokio::test]
async fn a_phone_that_refuses_its_connection_says_so() {
    let Some(server) = Server::start() else { return };
    let refused = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let mut room = Room::start(&server.address(), &[("sim-1", &refused)]);

    room.state("sim-1", &AdbState::Offline).await;

    let driver = room.handle.factory().open(&serial("sim-1"), None);
    let told = async {
        loop {
            match driver.info().await.unwrap_err() {
                DriverError::NotReady { problem, .. } if problem.contains("refused") => break,
                DriverError::NotReady { .. } => tokio::task::yield_now().await,
                other => panic!("{other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("the refusal is not told");
}

#[tokio::test]
async fn stopping_ends_within_a_moment() {
    let Some(server) = Server::start() else { return };
    let mut room = Room::start(&server.address(), &[]);
    room.server_up().await;

    tokio::time::timeout(PATIENCE, room.handle.stop()).await.unwrap();
}
