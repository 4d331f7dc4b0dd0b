//! Outages of what all phones share: the adb server is killed again and again, or hangs; the controller runs out of
//! open files.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{
    AdbServer, BINARY, Controller, SOON, Sim, TASK, follow, free_port, post, settings, tail, wait_for,
};

/// The adb servers that a controller starts by itself on a port of its own. Dropped, the last one ends.
struct StartedServers {
    port: u16,
}

impl StartedServers {
    /// The process that listens on the port: adb's own command line for a server names it.
    fn process_id(&self) -> Option<u32> {
        let wanted = format!("tcp:{}", self.port);
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut ids = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
        ids.find(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let mut words = line.split(|byte| *byte == 0);
            words.any(|word| word == wanted.as_bytes()) && line.windows(11).any(|part| part == b"fork-server")
        })
    }

    fn kill(&self) -> Option<u32> {
        let id = self.process_id()?;
        signal(id, "-KILL");
        Some(id)
    }
}

impl Drop for StartedServers {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// The problem of an adb server, as `/health/ready` tells it; `None` while it is well.
fn problem_of(controller: &Controller) -> Option<String> {
    let (_, health) = controller.call("GET", "/health/ready", None);
    let checks = health["checks"].as_array().unwrap();
    let adb = checks.iter().find(|check| check["name"] == "adb").unwrap();
    adb["problem"].as_str().map(str::to_owned)
}

fn is_usable(controller: &Controller, serial: &str) -> bool {
    let device = controller.ok("GET", &format!("/api/v1/device/{serial}"), None);
    device["state"] == "online" || device["state"] == "busy"
}

fn add_account(controller: &Controller, sim: &Sim, at: usize, serial: &str, username: &str) {
    sim.login(sim.serial(at), "tiktok", username);
    let account = json!({ "username": username, "app": "tiktok", "serial": serial });
    controller.ok("POST", "/api/v1/account", Some(&account));
}

fn threads(controller: &Controller) -> usize {
    let id = controller.process_id().unwrap();
    fs::read_dir(format!("/proc/{id}/task")).map_or(0, Iterator::count)
}

/// A number that a variable of the environment may change.
fn number_of(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |number| {
        number.parse().unwrap_or_else(|_| panic!("{variable} is a number"))
    })
}

/// Every phone is usable again so soon after the return of its adb server.
const RETURN: Duration = Duration::from_secs(5);

/// The usual settings, but nothing is tried again by itself: what goes on nevertheless was not taken for a failure.
fn settings_without_retries(servers: &str, devices: &[(String, String)], own: &Path) -> String {
    let usual = settings(servers, devices, own);
    assert!(usual.contains("auto = true"));
    usual.replace("auto = true", "auto = false")
}

/// No attempt was held against a phone, and no phone rests.
fn assert_no_phone_is_blamed(controller: &Controller, serials: &[String]) {
    let log = fs::read_to_string(controller.log()).unwrap();
    let blamed: Vec<&str> = log.lines().filter(|line| line.contains("blame=\"device\"")).collect();
    assert!(blamed.is_empty(), "{blamed:#?}");
    for serial in serials {
        let device = controller.ok("GET", &format!("/api/v1/device/{serial}"), None);
        assert_eq!(device["quarantine"], Value::Null, "{device:#}");
    }
}

#[test]
fn f10_an_adb_server_that_is_killed_again_and_again_is_started_again_and_costs_no_task() {
    if Command::new("adb").arg("version").output().is_err() {
        eprintln!("skipped: the adb program is not installed (apt-get install adb)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(dir.path(), 3);
    let servers = StartedServers { port: free_port() };
    let home = format!("HOME={}", dir.path().display());
    let environment = ["env", &home, "ADB_EMU=0", "ADB_USB=0", "ADB_MDNS=0"];
    let address = format!("127.0.0.1:{}", servers.port);
    let settings = settings_without_retries(&address, &sim.phones, dir.path())
        .replace("start_server = false", "start_server = true");
    let controller = Controller::start_in(&environment, dir.path(), &settings);
    let mut ids = Vec::new();
    for (place, (serial, _)) in sim.phones.iter().enumerate() {
        controller.await_device(serial, "online");
        add_account(&controller, &sim, place, serial, &format!("alice{place}"));
        ids.extend(controller.create(&post(serial, serial)));
    }
    let pause = Duration::from_secs(number_of("FARMHAND_TEST_KILL_EVERY_S", 0));
    let kills = number_of("FARMHAND_TEST_KILLS", 5);

    for number in 1..=kills {
        let due = Instant::now() + pause;
        // A load that never ends, so that each kill hits tasks that run.
        wait_for("tasks run, and the next kill is due", TASK + pause, || {
            let newest: Vec<i64> = ids.iter().rev().take(sim.phones.len()).copied().collect();
            let states: Vec<Value> = newest.iter().map(|id| controller.task(*id)["status"].clone()).collect();
            if states.iter().all(|status| *status == 2) {
                let name = format!("bob{}", ids.len());
                for (serial, _) in &sim.phones {
                    ids.extend(controller.create(&follow(serial, &name)));
                }
            }
            (states.iter().any(|status| *status == 1) && Instant::now() >= due).then_some(())
        });
        let killed = servers.kill().expect("a server runs");
        wait_for("another server is started", SOON, || {
            servers.process_id().filter(|id| *id != killed)
        });
        let listens = Instant::now();
        wait_for("every phone is usable again", SOON, || {
            let well = problem_of(&controller).is_none();
            (well && sim.phones.iter().all(|(serial, _)| is_usable(&controller, serial))).then_some(())
        });
        let usable = listens.elapsed();
        println!("kill {number}: usable {usable:.1?} after the server's return");
        assert!(
            usable <= RETURN,
            "kill {number}: usable {usable:.1?} after the server's return"
        );
    }

    for id in &ids {
        controller.await_status(*id, 2);
    }
    assert_eq!(sim.ledger("publish").len() + sim.ledger("follow").len(), ids.len());
    let serials: Vec<String> = sim.phones.iter().map(|(serial, _)| serial.clone()).collect();
    assert_no_phone_is_blamed(&controller, &serials);
    // The controller goes first: it would start the server again.
    drop(controller);
}

#[test]
fn f11_an_adb_server_that_hangs_is_noticed_and_hurts_no_phone_of_another_server() {
    let dir = tempfile::tempdir().unwrap();
    let (near, far) = (dir.path().join("near"), dir.path().join("far"));
    for folder in [&near, &far] {
        fs::create_dir(folder).unwrap();
    }
    let Some(adb) = AdbServer::start(&near) else { return };
    let (hit, spared) = (Sim::start(&near, 2), Sim::start(&far, 2));
    for (_, address) in &hit.phones {
        let port = adb.port.to_string();
        let connected = Command::new("adb")
            .args(["-P", &port, "connect", address])
            .output()
            .unwrap();
        assert!(connected.status.success());
    }
    let servers = format!("{}\", \"{}", adb.address(), spared.server);
    let controller = Controller::start(dir.path(), &settings_without_retries(&servers, &[], dir.path()));
    let begin = |sim: &Sim, serials: &[String]| -> Vec<i64> {
        let tasks = serials.iter().enumerate().map(|(place, serial)| {
            controller.await_device(serial, "online");
            let username = format!("alice{serial}").replace([':', '.', '-'], "_");
            add_account(&controller, sim, place, serial, &username);
            controller.create(&post(serial, serial))[0]
        });
        tasks.collect()
    };
    let addresses: Vec<String> = hit.phones.iter().map(|(_, address)| address.clone()).collect();
    let serials: Vec<String> = spared.phones.iter().map(|(serial, _)| serial.clone()).collect();
    let held_up = begin(&hit, &addresses);
    let unhurt = begin(&spared, &serials);
    controller.await_status(held_up[0], 1);
    let before = threads(&controller);

    signal(adb.process_id(), "-STOP");
    let stopped = Instant::now();
    wait_for("the hanging server is told", SOON, || {
        problem_of(&controller).filter(|problem| problem.contains("does not answer"))
    });
    let noticed = stopped.elapsed();
    println!("noticed after {noticed:.1?}");
    // A moment of these are the test's own looks.
    assert!(noticed < Duration::from_millis(2_200), "noticed after {noticed:.1?}");
    for id in unhurt {
        controller.await_status(id, 2);
    }
    for serial in &serials {
        let id = controller.create(&follow(serial, "bob"))[0];
        controller.await_status(id, 2);
    }
    for (id, address) in held_up.iter().zip(&addresses) {
        controller.await_device(address, "offline");
        assert!(controller.task(*id)["status"].as_i64() < Some(2));
    }
    let pause = Duration::from_secs(number_of("FARMHAND_TEST_PAUSE_S", 12));
    wait_for("the pause is over", pause + SOON, || {
        (stopped.elapsed() >= pause).then_some(())
    });
    let during = threads(&controller);
    assert!(
        during <= before + 8,
        "{before} threads before, {during} while the server hangs"
    );

    signal(adb.process_id(), "-CONT");
    let back = Instant::now();
    wait_for("every phone is usable again", SOON, || {
        let well = problem_of(&controller).is_none();
        (well && addresses.iter().all(|address| is_usable(&controller, address))).then_some(())
    });
    let usable = back.elapsed();
    println!("usable {usable:.1?} after the server's return");
    assert!(usable <= RETURN, "usable {usable:.1?} after the server's return");
    assert_no_phone_is_blamed(&controller, &addresses);
    for id in held_up {
        controller.await_status(id, 2);
    }
    assert_eq!((hit.ledger("publish").len(), spared.ledger("publish").len()), (2, 2));
    assert_eq!(spared.ledger("follow").len(), 2);
}

/// Open files of a process.
fn open_files(controller: &Controller) -> usize {
    let id = controller.process_id().unwrap();
    fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count)
}

/// Time on the processor so far, seconds: fields 14 and 15 of `stat`, in hundredths.
fn cpu_seconds(controller: &Controller) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", controller.process_id().unwrap())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = [11, 12]
        .map(|at: usize| fields[at].parse::<f64>().unwrap())
        .iter()
        .sum();
    ticks / 100.0
}

/// How many files the controller of so many idle phones has open.
fn idle_files(dir: &Path, sim: &Sim) -> usize {
    let controller = Controller::start(dir, &settings(&sim.server, &[], dir));
    for (serial, _) in &sim.phones {
        controller.await_device(serial, "online");
    }
    open_files(&controller)
}

#[test]
fn f8_without_open_files_it_says_so_does_not_spin_and_loses_no_task() {
    let phones = number_of("FARMHAND_TEST_PHONES", 12);
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("skipped: the program prlimit is not installed (apt-get install util-linux)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::start(dir.path(), u32::try_from(phones).unwrap());
    let first = dir.path().join("first");
    fs::create_dir(&first).unwrap();
    // A few more than a farm at rest needs, or a limit that is given.
    let files = match number_of("FARMHAND_TEST_FILES", 0) {
        0 => idle_files(&first, &sim) + 12,
        given => usize::try_from(given).unwrap(),
    };
    let limit = format!("--nofile={files}");
    let controller = Controller::start_in(
        &["prlimit", &limit],
        dir.path(),
        &settings(&sim.server, &[], dir.path()),
    );
    let mut ids = Vec::new();
    for (place, (serial, _)) in sim.phones.iter().enumerate() {
        controller.await_device(serial, "online");
        add_account(&controller, &sim, place, serial, &format!("alice{place}"));
    }
    for (serial, _) in &sim.phones {
        ids.extend(controller.create(&follow(serial, "bob")));
    }

    // Clients that connect and say nothing take what is left: the controller cannot even accept them all.
    let address = controller.base.trim_start_matches("http://").to_owned();
    let silent: Vec<_> = (0..files + 50)
        .filter_map(|_| std::net::TcpStream::connect(&address).ok())
        .collect();
    let (cpu, since) = (cpu_seconds(&controller), Instant::now());
    let log = controller.log();
    wait_for("the log tells that there are no files left", SOON, || {
        fs::read_to_string(&log)
            .unwrap()
            .contains("raise its limit")
            .then_some(())
    });
    wait_for("some seconds pass", SOON, || {
        (since.elapsed() > Duration::from_secs(4)).then_some(())
    });
    let share = (cpu_seconds(&controller) - cpu) / since.elapsed().as_secs_f64();
    println!("{share:.2} of a processor while no file could be opened");
    // Where hundreds of phones go on with their tasks meanwhile, that is work.
    assert!(phones > 12 || share < 0.5, "it spins: {share:.2} of a processor");
    drop(silent);

    let ended = |id: i64| {
        wait_for("the task ends", TASK, || {
            let task = controller.task(id);
            (task["status"].as_i64() >= Some(2)).then_some(task)
        })
    };
    for id in ids {
        let mut task = ended(id);
        // Whatever a missing file has spoilt says so, and a retry mends it.
        if task["status"] == 3 {
            println!("retried: {}", task["remark"]);
            assert_eq!(task["failure"]["retryable"], true, "{task:#}");
            controller.ok("POST", &format!("/api/v1/task/{id}/retry"), None);
            task = ended(id);
        }
        assert_eq!(task["status"], 2, "{task:#}\n{}", tail(&log));
    }
    let mut followers: Vec<Value> = sim
        .ledger("follow")
        .iter()
        .map(|entry| entry["serial"].clone())
        .collect();
    followers.sort_by_key(ToString::to_string);
    followers.dedup();
    let phones = usize::try_from(phones).unwrap();
    assert_eq!((followers.len(), sim.ledger("follow").len()), (phones, phones));
}

#[test]
fn the_bench_of_a_sick_phone_prints_a_line_for_each_sickness() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Command::new(BINARY)
        .args(["bench", "blast", "--phones", "3", "--n", "4"])
        .current_dir(dir.path())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();

    assert!(bench.status.success(), "{}", String::from_utf8_lossy(&bench.stderr));
    let lines = String::from_utf8(bench.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let modes: Vec<&str> = lines.iter().map(|line| line["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["fails_at_once", "hangs", "flaps", "sends_garbage"]);
    for line in &lines {
        assert!(
            line["tasks_s"].as_f64() > Some(0.0) && line["share"].as_f64() > Some(0.0),
            "{line}"
        );
    }
}
