//! SIGKILL at random instants, under load, with phones that fail: again and again.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    asked::{number, number_or, percentile},
    harness::{Sim, TASK, tail, wait_for},
    storm::{Client, Load, create_tasks, disturb_phones, meddle, pass, set_up, settings_of},
    verdict::{examine_database, judge},
    victim::Victim,
};

/// Phones when nobody asks for more; see `FARMHAND_CRASH_PHONES`.
const PHONES: u32 = 6;
/// Kills when nobody asks for more; see `FARMHAND_CRASH_KILLS`.
const KILLS: u32 = 200;
/// The rest, when the kills are over and the phones are well.
const REST: Duration = Duration::from_secs(180);
/// Of so many lives one is let live until its first attempt begins, and that is timed.
const TIMED_EVERY: u32 = 10;
/// From a start to the first attempt, 99 of a hundred times. A second where nothing else runs; this is for machines that
/// do many other things, and for phones that are on their way back from a reboot.
const DISPATCH_P99: Duration = Duration::from_secs(30);
/// The kills of a usual run are over after about this: on a slow machine the long lives become shorter.
const KILLING: Duration = Duration::from_secs(120);

/// Says how to repeat a run, if it fails.
struct Seed {
    number: u64,
    kills: u32,
    phones: u32,
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { number, kills, phones } = self;
            eprintln!(
                "to repeat: FARMHAND_CRASH_SEED={number} FARMHAND_CRASH_KILLS={kills} FARMHAND_CRASH_PHONES={phones} \
                 cargo test --test crash f2_"
            );
        }
    }
}

/// Tells what goes on beside that it is over, also when the kills have failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One life of the controller. Some end by the clock; most after a number of syncs and messages, so as often just before
/// and just after a commit or a tap as in between, on a fast machine and on a slow one. Half of those end while it starts
/// and takes up its work, the others get things done; `limit` bounds them.
fn live_and_die(victim: &mut Victim, dice: &mut StdRng, limit: Duration) {
    let count = match dice.random_range(0..100) {
        0..15 => None,
        15..55 => Some(dice.random_range(1..300)),
        _ => Some(dice.random_range(300..3_000)),
    };
    victim.start(count);
    if count.is_some() {
        let born = Instant::now();
        wait_for("a life ends", limit * 10, || {
            (victim.was_killed() || born.elapsed() > limit).then_some(())
        });
    } else {
        pass(Duration::from_millis(dice.random_range(5..500)));
        victim.was_killed();
    }
    victim.kill();
}

/// From a start to the first attempt that begins after it. What an earlier life has left running is taken up before the
/// API is there, so what runs then has begun anew.
fn time_to_dispatch(victim: &mut Victim) -> Duration {
    let born = Instant::now();
    victim.start(None);
    wait_for("an attempt begins", TASK, || {
        let (status, answer) = victim.try_call("GET", "/api/v1/task/stats", None)?;
        (status == 200 && answer["data"]["running"].as_i64() > Some(0)).then_some(())
    });
    let took = born.elapsed();
    victim.kill();
    took
}

#[test]
fn f2_no_kill_at_any_instant_loses_doubles_or_invents_an_effect() {
    let seed = Seed {
        number: number("FARMHAND_CRASH_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000)),
        kills: number_or("FARMHAND_CRASH_KILLS", KILLS),
        phones: number_or("FARMHAND_CRASH_PHONES", PHONES),
    };
    let (number, kills) = (seed.number, seed.kills);
    let mut dice = StdRng::seed_from_u64(number);
    let mut folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(folder.path(), seed.phones);
    let mut victim = Victim::new(folder.path(), &settings_of(&sim, folder.path()));
    victim.start_ready();
    set_up(&sim, &victim);
    if std::env::var("FARMHAND_CRASH_KEEP").is_ok() {
        folder.disable_cleanup(true);
        eprintln!("kept in {}", folder.path().display());
    }
    let (client, over) = (Client::new(&victim), AtomicBool::new(false));
    let mut dispatches = Vec::new();

    let load = std::thread::scope(|scope| {
        let kills_over = Over(&over);
        let load = scope.spawn(|| create_tasks(number + 1, &sim, &client, &over));
        scope.spawn(|| disturb_phones(number + 2, &sim, &over));
        let hands = scope.spawn(|| meddle(number + 3, &client, &over));
        let (begun, time) = (Instant::now(), KILLING * kills.max(KILLS) / KILLS);
        for kill in 0..kills {
            let share = time.saturating_sub(begun.elapsed()) / (kills - kill);
            live_and_die(&mut victim, &mut dice, share * 5 + Duration::from_millis(300));
            if kill % TIMED_EVERY == TIMED_EVERY - 1 {
                dispatches.push(time_to_dispatch(&mut victim));
            }
        }
        drop(kills_over);
        victim.start_ready();
        Load {
            wanted: load.join().unwrap(),
            meddled: hands.join().unwrap(),
        }
    });
    wait_for("everything comes to rest", REST, || {
        let stats = victim.ok("GET", "/api/v1/task/stats", None);
        (stats["pending"] == 0 && stats["running"] == 0).then_some(())
    });

    let tasks = victim.tasks();
    let ledger = [sim.ledger("publish"), sim.ledger("follow")].concat();
    let tally = judge(&load, &tasks, &ledger);
    assert!(
        tally.completed * 3 > tally.tasks && tally.effects >= tally.completed,
        "too little was done: {tally:?}\n{}",
        tail(&victim.log())
    );
    assert!(victim.terminate().success());
    examine_database(&victim.database());
    eprintln!("{kills} kills, seed {number}: {tally:?}");
    dispatches.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| percentile(&dispatches, percent));
    eprintln!("start to attempt: p50 {p50:?}, p99 {p99:?} of {}", dispatches.len());
    assert!(p99 <= DISPATCH_P99, "{dispatches:?}");
}
