//! A phone's own port, behind the real adb servers.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use farmhand_sim::adb::{ServedPhone, serve};

use crate::{
    adb::{Adb, AdbServer},
    checks,
    fake::FakePhone,
    programs::{self, under_each_adb},
};

under_each_adb! {
    the_real_adb_server_and_client_find_everything_in_order,
    an_unauthorized_phone_says_hello_when_somebody_allows_it,
    an_offline_phone_refuses_connections_and_comes_back_on_the_same_port,
    a_dropped_connection_is_made_anew_by_the_server,
    a_hung_phone_stays_listed_but_answers_only_when_it_wakes,
}

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn connected(adb: &Adb, phone: &std::sync::Arc<FakePhone>) -> (ServedPhone, String) {
    let served = serve(phone.clone(), ANY_PORT).await.unwrap();
    let serial = served.addr.to_string();
    adb.run(&["connect", &serial]).await;
    (served, serial)
}

async fn the_real_adb_server_and_client_find_everything_in_order(adb: PathBuf) {
    let server = AdbServer::start(adb).await;
    let phone = FakePhone::new("PH0NE");
    let served = serve(phone.clone(), ANY_PORT).await.unwrap();
    let serial = served.addr.to_string();

    let said = server.adb.text(&["connect", &serial]).await;

    assert_eq!(said, format!("connected to {serial}\n"));
    checks::all(&server.adb, &serial, &phone).await;
}

async fn an_unauthorized_phone_says_hello_when_somebody_allows_it(adb: PathBuf) {
    let server = AdbServer::start(adb).await;
    let phone = FakePhone::new("PH0NE");
    phone.set_link(|link| link.unauthorized = true);
    let (_served, serial) = connected(&server.adb, &phone).await;
    server.adb.wait_for_state(&serial, "unauthorized").await;

    let refused = server.adb.run(&["-s", &serial, "shell", "true"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("device unauthorized."));

    phone.set_link(|link| link.unauthorized = false);
    server.adb.wait_for_state(&serial, "device").await;
    assert_eq!(
        server.adb.text(&["-s", &serial, "shell", "echo trusted"]).await,
        "trusted\n"
    );
}

async fn an_offline_phone_refuses_connections_and_comes_back_on_the_same_port(adb: PathBuf) {
    let server = AdbServer::start(adb).await;
    let phone = FakePhone::new("PH0NE");
    let (_served, serial) = connected(&server.adb, &phone).await;
    server.adb.wait_for_state(&serial, "device").await;

    phone.set_link(|link| link.offline = true);
    server.adb.wait_for_state(&serial, "offline").await;
    let refused = tokio::net::TcpStream::connect(&serial).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    phone.set_link(|link| link.offline = false);
    // The server itself tries again only after ten seconds.
    checks::wait_until(|| std::net::TcpStream::connect(&serial).is_ok()).await;
    server.adb.run(&["disconnect", &serial]).await;
    server.adb.run(&["connect", &serial]).await;
    server.adb.wait_for_state(&serial, "device").await;
    assert_eq!(server.adb.text(&["-s", &serial, "shell", "echo back"]).await, "back\n");
}

async fn a_dropped_connection_is_made_anew_by_the_server(adb: PathBuf) {
    let server = AdbServer::start(adb).await;
    let phone = FakePhone::new("PH0NE");
    let (_served, serial) = connected(&server.adb, &phone).await;
    server.adb.wait_for_state(&serial, "device").await;

    let adb = server.adb.clone();
    let name = serial.clone();
    let running = tokio::spawn(async move { adb.run(&["-s", &name, "shell", "logcat"]).await });
    checks::wait_until(|| {
        phone
            .invocations
            .lock()
            .unwrap()
            .iter()
            .any(|run| run.argv == ["logcat"])
    })
    .await;
    phone.set_link(|link| link.drops += 1);

    running.await.unwrap();
    server.adb.wait_for_state(&serial, "device").await;
    assert_eq!(
        server.adb.text(&["-s", &serial, "shell", "echo again"]).await,
        "again\n"
    );
}

async fn a_hung_phone_stays_listed_but_answers_only_when_it_wakes(adb: PathBuf) {
    let server = AdbServer::start(adb).await;
    let phone = FakePhone::new("PH0NE");
    let (_served, serial) = connected(&server.adb, &phone).await;
    server.adb.wait_for_state(&serial, "device").await;

    phone.set_link(|link| link.hang = true);
    let adb = server.adb.clone();
    let name = serial.clone();
    let mut asked = tokio::spawn(async move { adb.text(&["-s", &name, "shell", "echo awake"]).await });
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut asked).await;
    assert!(early.is_err(), "a hung phone answered");
    server.adb.wait_for_state(&serial, "device").await;

    phone.set_link(|link| link.hang = false);
    assert_eq!(asked.await.unwrap(), "awake\n");
}
