//! SIGKILL at random instants, under load, with phones that fail: again and again.
//!
//! The seed throws all dice: the load, the faults, and how much each life gets through before it is killed. Several phones
//! at once are never served in the same order twice, so a run that fails also tells where each life ended for each phone;
//! with that line and its seed it takes place again for that phone.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    asked::{number, number_or, percentile},
    disk::{ANY, End},
    harness::{Sim, TASK, tail, wait_for},
    progress::{Death, Progress},
    storm::{Client, Load, Storm, pass, set_up, settings_of},
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
const KILLING: Duration = Duration::from_secs(140);

/// Of a script with more tasks than this some are completed.
const FEW: usize = 5;
/// A life of a run that is repeated: until its phone has seen as much as the first time, or this.
const REPEATED: Duration = Duration::from_secs(5);

/// What was asked for.
struct Asked {
    seed: u64,
    kills: u32,
    phones: u32,
    /// The phone for which a run is to take place again, and where its lives ended.
    again: Option<(String, Vec<Death>)>,
}

impl Asked {
    /// # Panics
    /// When a variable is something else than what it has to be.
    fn by_variables() -> Self {
        let deaths = std::env::var("FARMHAND_CRASH_DEATHS").ok().map(|line| {
            let deaths = line.split(',').map(str::parse);
            deaths.collect::<Result<Vec<Death>, _>>().unwrap()
        });
        let again = deaths.map(|deaths| {
            let phone = std::env::var("FARMHAND_CRASH_PHONE").expect("FARMHAND_CRASH_PHONE says whose deaths they are");
            (phone, deaths)
        });
        Self {
            seed: number("FARMHAND_CRASH_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000)),
            kills: number_or("FARMHAND_CRASH_KILLS", KILLS),
            phones: number_or("FARMHAND_CRASH_PHONES", PHONES),
            again,
        }
    }
}

/// Says how to repeat a run, if it fails.
struct Recipe<'a> {
    asked: &'a Asked,
    progress: &'a Progress,
}

impl Drop for Recipe<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Asked {
                seed, kills, phones, ..
            } = self.asked;
            for (phone, deaths) in self.progress.deaths() {
                eprintln!("{phone} saw the lives end at FARMHAND_CRASH_DEATHS={deaths}");
            }
            eprintln!(
                "the same dice: FARMHAND_CRASH_SEED={seed} FARMHAND_CRASH_KILLS={kills} FARMHAND_CRASH_PHONES={phones} \
                 cargo test --test crash f2_; the same instants for one phone: also FARMHAND_CRASH_PHONE=<it> \
                 FARMHAND_CRASH_DEATHS=<its line>"
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

/// One life of the controller. Few end so long after they began; most after a number of syncs and messages, so as often
/// just before and just after a commit as in between, on a fast machine and on a slow one: while it starts and takes up its
/// work, or when it gets things done. Most end at an act on a phone or soon after it, which is where effects
/// are, and a third when something that cannot be undone has just taken place. `limit` bounds them.
fn live_and_die(victim: &mut Victim, sim: &Sim, dice: &mut StdRng, limit: Duration) {
    let end = match dice.random_range(0..150) {
        100.. => {
            let kind = if dice.random_bool(0.7) { "publish" } else { "follow" };
            let delay = dice.random_range(0..2) * dice.random_range(0..300_000);
            return die_of_deed(victim, sim, kind, Duration::from_micros(delay), limit);
        }
        0..10 => End {
            places: 1,
            delay: dice.random_range(5_000..500_000),
            ..End::default()
        },
        10..25 => End {
            places: dice.random_range(1..300),
            ..End::default()
        },
        25..40 => End {
            places: dice.random_range(300..3_000),
            ..End::default()
        },
        _ => End {
            places: dice.random_range(1..60),
            phone: Some(ANY),
            delay: dice.random_range(0..2) * dice.random_range(0..400_000),
        },
    };
    victim.start_until(end);
    die_within(victim, limit);
}

/// The phones know what has taken place before the controller does.
fn die_of_deed(victim: &mut Victim, sim: &Sim, kind: &str, delay: Duration, limit: Duration) {
    let before = sim.ledger(kind).len();
    victim.start();
    let born = Instant::now();
    while sim.ledger(kind).len() == before && born.elapsed() < limit {
        pass(Duration::from_millis(3));
    }
    pass(delay);
    victim.kill();
}

fn die_within(victim: &mut Victim, limit: Duration) {
    let born = Instant::now();
    wait_for("a life ends", limit * 10, || {
        (victim.was_killed() || born.elapsed() > limit).then_some(())
    });
    victim.kill();
}

/// From a start to the first attempt that begins after it. What an earlier life has left running is taken up before the
/// API is there, so what runs then has begun anew.
fn time_to_dispatch(victim: &mut Victim) -> Duration {
    let born = Instant::now();
    victim.start();
    wait_for("an attempt begins", TASK, || {
        let (status, answer) = victim.try_call("GET", "/api/v1/task/stats", None)?;
        (status == 200 && answer["data"]["running"].as_i64() > Some(0)).then_some(())
    });
    let took = born.elapsed();
    victim.kill();
    took
}

/// Kills as the dice say; answers how long those lives took to their first attempt that were let live so long.
fn kill_by_dice(asked: &Asked, victim: &mut Victim, sim: &Sim, progress: &Progress) -> Vec<Duration> {
    let mut dice = StdRng::seed_from_u64(asked.seed);
    let (begun, time) = (Instant::now(), KILLING * asked.kills.max(KILLS) / KILLS);
    let mut dispatches = Vec::new();
    for kill in 0..asked.kills {
        let share = time.saturating_sub(begun.elapsed()) / (asked.kills - kill);
        live_and_die(victim, sim, &mut dice, share * 5 + Duration::from_millis(300));
        progress.end_life();
        if kill % TIMED_EVERY == TIMED_EVERY - 1 {
            dispatches.push(time_to_dispatch(victim));
            progress.end_life();
        }
    }
    dispatches
}

/// Kills where a phone saw the lives of an earlier run end.
fn kill_again(phone: &str, deaths: &[Death], victim: &mut Victim, progress: &Progress) {
    for death in deaths {
        victim.start_until(End {
            places: death.places,
            phone: death.at_phone.then_some(phone),
            delay: death.delay,
        });
        die_within(victim, REPEATED);
        progress.end_life();
    }
}

#[test]
fn f2_no_kill_at_any_instant_loses_doubles_or_invents_an_effect() {
    let asked = Asked::by_variables();
    let mut folder = tempfile::tempdir().unwrap();
    let sim = Sim::start(folder.path(), asked.phones);
    let mut victim = Victim::new(folder.path(), &settings_of(&sim, folder.path()));
    victim.start_ready();
    set_up(&sim, &victim);
    victim.kill();
    if std::env::var("FARMHAND_CRASH_KEEP").is_ok() {
        folder.disable_cleanup(true);
        eprintln!("kept in {}", folder.path().display());
    }
    let progress = Progress::new(victim.disk(), sim.phones.iter().map(|(serial, _)| serial.clone()));
    let _recipe = Recipe {
        asked: &asked,
        progress: &progress,
    };
    let (client, over) = (Client::new(&victim), AtomicBool::new(false));

    let (load, dispatches) = std::thread::scope(|scope| {
        let kills_over = Over(&over);
        let storm = |at| Storm::new(asked.seed, at, &sim, &client, &progress, &over);
        let storms: Vec<_> = (0..sim.phones.len())
            .map(|at| scope.spawn(move || storm(at).rage()))
            .collect();
        let dispatches = match &asked.again {
            Some((phone, deaths)) => {
                kill_again(phone, deaths, &mut victim, &progress);
                Vec::new()
            }
            None => kill_by_dice(&asked, &mut victim, &sim, &progress),
        };
        drop(kills_over);
        victim.start_ready();
        let loads = storms.into_iter().map(|storm| storm.join().unwrap());
        (Load::of_all(loads), dispatches)
    });
    for (phone, deaths) in progress.deaths() {
        eprintln!("{phone} {deaths}");
    }
    wait_for("everything comes to rest", REST, || {
        let stats = victim.ok("GET", "/api/v1/task/stats", None);
        (stats["pending"] == 0 && stats["running"] == 0).then_some(())
    });

    let tasks = victim.tasks();
    let ledger = [sim.ledger("publish"), sim.ledger("follow")].concat();
    let tally = judge(&load, &tasks, &ledger);
    eprintln!("seed {}: {tally:?}", asked.seed);
    assert!(
        tally.completed * 3 > tally.tasks && tally.effects >= tally.completed,
        "too little was done: {tally:?}\n{}",
        tail(&victim.log())
    );
    let idle = tally
        .scripts
        .iter()
        .find(|(_, [tasks, done])| *tasks > FEW && *done == 0);
    assert_eq!(idle, None, "never completed: {tally:?}\n{}", tail(&victim.log()));
    assert!(victim.terminate().success());
    examine_database(&victim.database());
    is_back_soon(dispatches);
}

fn is_back_soon(mut dispatches: Vec<Duration>) {
    if dispatches.is_empty() {
        return;
    }
    dispatches.sort_unstable();
    let [p50, p99] = [50, 99].map(|percent| percentile(&dispatches, percent));
    eprintln!("start to attempt: p50 {p50:?}, p99 {p99:?} of {}", dispatches.len());
    assert!(p99 <= DISPATCH_P99, "{dispatches:?}");
}
