//! What a phone that hangs again and again leaves behind: nothing.

use std::{fs, path::Path, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

const ROUNDS: usize = 25;
const CALLS_PER_ROUND: usize = 40;
/// Its name is short enough to be whole in the name of a thread.
const NAME: &str = "hung1000";

fn settings() -> AdbSettings {
    AdbSettings {
        deadlines: AdbDeadlines {
            shell_ms: 25,
            query_ms: 25,
            input_ms: 25,
            dump_ms: 25,
            screenshot_ms: 25,
            launch_ms: 25,
            copy_ms: 25,
            copy_per_mib_ms: 1,
            type_per_char_ms: 0,
            ..AdbDeadlines::default()
        },
        limits: AdbLimits {
            // Every call is to reach the phone.
            breaker_failures: u32::MAX,
            calls_per_phone: CALLS_PER_ROUND,
            ..AdbLimits::default()
        },
        ..AdbSettings::default()
    }
}

/// One call of each kind, and taps for the rest.
async fn call(driver: &dyn DeviceDriver, number: usize, file: &Path) -> Result<(), DriverError> {
    let words = ShellCommand {
        words: vec!["id".into()],
        timeout: None,
    };
    match number {
        0 => driver.hierarchy().await.map(drop),
        1 => driver.screenshot().await.map(drop),
        2 => driver.info().await.map(drop),
        3 => driver.take().await,
        4 => driver.type_text("abc").await,
        5 => driver.open_link("https://x.org", None).await,
        6 => driver.log(10).await.map(drop),
        7 => driver.pull("/sdcard/x", file).await,
        8..14 => driver.push(file, "/sdcard/x").await,
        14..20 => driver.shell(words).await.map(drop),
        _ => driver.tap(Point { x: 1, y: 1 }).await,
    }
}

/// Sockets of this computer to that port whose file is still open.
fn open_sockets(port: u16) -> usize {
    let peer = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[2].ends_with(&peer) && row[9] != "0").count()
}

/// Threads that copy files of the phone.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.trim() == format!("adb {NAME}")).count()
}

async fn until_none(what: &str, count: impl Fn() -> usize) {
    let gone = async {
        while count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    assert!(gone.is_ok(), "{} {what} are left", count());
}

#[tokio::test]
async fn a_phone_that_hangs_a_thousand_times_leaves_no_socket_no_thread_and_is_counted() {
    if fs::read_dir("/proc/self/task").is_err() {
        println!("skipped: this system has no /proc to see threads and sockets in");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, vec![0; 10_000]).unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let counted = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let hanging = |request: &str| match request {
        request if request.starts_with("shell,") || request == "sync:" => Answer::Hang,
        other => Answer::unexpected(other),
    };
    let farm = Farm::named(NAME, settings(), hanging).await;
    let port = farm.server.address.rsplit(':').next().unwrap().parse().unwrap();
    let driver = farm.driver();
    let seen = std::net::TcpStream::connect(&farm.server.address).unwrap();
    assert!(open_sockets(port) > 0);
    drop(seen);

    for _ in 0..ROUNDS {
        let calls = (0..CALLS_PER_ROUND).map(|number| call(&*driver, number, &file));
        for ended in futures_util::future::join_all(calls).await {
            assert!(matches!(ended, Err(DriverError::TimedOut { .. })), "{ended:?}");
        }
    }

    let expected = format!("farmhand_adb_abandoned_total {}", ROUNDS * CALLS_PER_ROUND);
    let metrics = counted.render();
    assert!(metrics.lines().any(|line| line == expected), "{metrics}");
    until_none("threads", threads).await;
    until_none("sockets", || open_sockets(port)).await;
    farm.server.wait_until_no_connection_is_open().await;
    assert_eq!(
        farm.factory.phones.get(&serial()).slots.available_permits(),
        CALLS_PER_ROUND
    );
}
