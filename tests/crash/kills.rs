//! SIGKILL at random instants, under load, with phones that fail: again and again.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    harness::{Sim, tail, wait_for},
    storm::{Client, create_tasks, disturb_phones, pass, set_up, settings_of},
    verdict::{examine_database, judge},
    victim::Victim,
};

const PHONES: u32 = 6;
/// Kills when nobody asks for more; see `FARMHAND_CRASH_KILLS`.
const KILLS: u32 = 200;
/// The rest, when the kills are over and the phones are well.
const REST: Duration = Duration::from_secs(180);
/// The kills of a usual run are over after about this: on a slow machine the long lives become shorter.
const KILLING: Duration = Duration::from_secs(75);

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a whole number: {text:?}")),
    )
}

/// Says how to repeat a run, if it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat: FARMHAND_CRASH_SEED={} cargo test --test crash f2_", self.0);
        }
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
            (victim.exited().is_some() || born.elapsed() > limit).then_some(())
        });
    } else {
        pass(Duration::from_millis(dice.random_range(5..500)));
    }
    victim.kill();
}

#[test]
fn f2_no_kill_at_any_instant_loses_doubles_or_invents_an_effect() {
    let seed = Seed(number("FARMHAND_CRASH_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000)));
    let kills = number("FARMHAND_CRASH_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let mut dice = StdRng::seed_from_u64(seed.0);
    let mut folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(folder.path(), PHONES);
    let mut victim = Victim::new(folder.path(), &settings_of(&sim, folder.path()));
    victim.start_ready();
    set_up(&sim, &victim);
    if std::env::var("FARMHAND_CRASH_KEEP").is_ok() {
        folder.disable_cleanup(true);
        eprintln!("kept in {}", folder.path().display());
    }
    let (client, over) = (Client::new(&victim), AtomicBool::new(false));

    let wanted = std::thread::scope(|scope| {
        let load = scope.spawn(|| create_tasks(seed.0 + 1, &sim, &client, &over));
        scope.spawn(|| disturb_phones(seed.0 + 2, &sim, &over));
        let (begun, time) = (Instant::now(), KILLING * kills.max(KILLS) / KILLS);
        for kill in 0..kills {
            let share = time.saturating_sub(begun.elapsed()) / (kills - kill);
            live_and_die(&mut victim, &mut dice, share * 5 + Duration::from_millis(300));
        }
        over.store(true, Ordering::Release);
        victim.start_ready();
        load.join().unwrap()
    });
    wait_for("everything comes to rest", REST, || {
        let stats = victim.ok("GET", "/api/v1/task/stats", None);
        (stats["pending"] == 0 && stats["running"] == 0).then_some(())
    });

    let tasks = victim.tasks();
    let ledger = [sim.ledger("publish"), sim.ledger("follow")].concat();
    let tally = judge(&wanted, &tasks, &ledger);
    assert!(
        tally.completed > 0 && tally.effects > 0,
        "nothing was done: {tally:?}\n{}",
        tail(&victim.log())
    );
    assert!(victim.terminate().success());
    examine_database(&victim.database());
    eprintln!("{kills} kills, seed {}: {tally:?}", seed.0);
}
