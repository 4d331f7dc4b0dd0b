//! What many phones cost, in a process of their own, behind a real adb server.

#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

mod support;

use std::{
    fs,
    time::{Duration, Instant},
};

use support::{Rig, programs, text, wait_for};

const PHONES: usize = 200;
const MEMORY_KIB_MAX: u64 = 400_000_000 / 1024;
/// Of one core, while nobody asks them anything.
const IDLE_SHARE_MAX: f64 = 0.05;
const WINDOW: Duration = Duration::from_secs(4);
/// Linux counts CPU time in hundredths of a second (`proc(5)`).
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::test]
async fn two_hundred_phones_take_less_than_400_mb_and_five_percent_of_a_core_while_idle() {
    let Some(adb) = programs::adb_29() else { return };
    let rig = Rig::start(adb, PHONES).await;
    let phones: Vec<String> = rig
        .simulator()
        .phones()
        .iter()
        .map(|(_, address)| address.to_string())
        .collect();
    for phone in &phones {
        rig.adb(&["connect", phone]);
    }
    wait_for("all phones", || {
        let listed = text(&rig.adb(&["devices"]).stdout);
        (listed.matches("\tdevice\n").count() == PHONES).then_some(())
    });
    for phone in &phones {
        let model = rig.adb(&["-s", phone, "shell", "getprop", "ro.product.model"]);
        assert!(model.stdout.len() > 1, "{phone}: {model:?}");
    }

    let memory = resident_kib();
    assert!(memory < MEMORY_KIB_MAX, "{memory} KiB");
    // What was asked last may still be tidied up in the first.
    let shares: Vec<f64> = (0..3).map(|_| cpu_share()).collect();
    println!("{PHONES} phones: {memory} KiB, {shares:.4?} of a core");
    assert!(shares.iter().any(|share| *share < IDLE_SHARE_MAX), "{shares:?}");
    rig.stop().await;
}

/// What of this process is in memory.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number of KiB")
}

/// The CPU time of this process in a window, as a share of one core.
fn cpu_share() -> f64 {
    let (since, before) = (Instant::now(), cpu_seconds());
    while since.elapsed() < WINDOW {
        std::thread::park_timeout(WINDOW);
    }
    (cpu_seconds() - before) / since.elapsed().as_secs_f64()
}

fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    // The 14th and 15th field, of which the name is the second.
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().expect("ticks")).sum::<f64>() / TICKS_PER_SECOND
}
