//! Databases that cannot be used are refused and left as they are; one that needs time is waited for, and who calls is
//! told so.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{
    ConnectOptions, Connection, Row, SqlSafeStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};

use crate::{
    asked::number_or,
    harness::{SOON, follow, free_port, settings, wait_for},
    victim::Victim,
};

/// What a page of the database has.
const PAGE: usize = 4096;
/// A log as it is left behind when nothing could be moved into the database for long, MiB; `FARMHAND_CRASH_LOG_MIB` asks
/// for a longer one.
const LONG_LOG: u32 = 64;
/// Until a start over such a log is ready, for each 64 MiB: a second where nothing else runs; this is for a debug build on
/// a machine that does many other things.
const READY_PER_64_MIB: Duration = Duration::from_secs(30);

/// Its name, what does the damage, and the words of the refusal.
type Case<'a> = (&'a str, &'a dyn Fn(), [&'a str; 2]);

/// A controller without phones that has stored some tasks and ended.
fn used(folder: &Path, tasks: usize) -> Victim {
    let phone = ("away-1".to_owned(), format!("127.0.0.1:{}", free_port()));
    let adb = format!("127.0.0.1:{}", free_port());
    let mut victim = Victim::new(folder, &settings(&adb, &[phone], folder));
    victim.start_ready();
    for _ in 0..tasks {
        victim.create(&follow("away-1", "bob"));
    }
    assert!(victim.terminate().success());
    victim
}

/// Runs a command to its end; answers its exit code and everything that it said.
fn run(victim: &Victim, arguments: &[&str]) -> (Option<i32>, String) {
    let output = victim.command(arguments).env("RUST_LOG", "off").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// Whether nobody holds the database's write lock.
pub fn takes_writes(file: &Path) -> bool {
    block_on(async {
        let options = SqliteConnectOptions::new().filename(file);
        let mut database = options.busy_timeout(std::time::Duration::ZERO).connect().await.unwrap();
        let taken = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK").execute(&mut database).await;
        database.close().await.unwrap();
        taken.is_ok()
    })
}

async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).connect().await.unwrap()
}

/// Does something to the database of a controller that does not run.
fn change(file: &Path, sql: &'static str) {
    block_on(async {
        let mut database = connect(file).await;
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
}

#[test]
fn f4_a_damaged_or_newer_database_is_refused_by_name_left_as_it_is_and_doctor_says_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let victim = used(folder.path(), 20);
    let whole = std::fs::read(victim.database()).unwrap();
    let damaged = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut content = whole.clone();
        damage(&mut content);
        std::fs::write(victim.database(), content).unwrap();
    };
    let cases: [Case; 6] = [
        (
            "cut off",
            &|| damaged(&|content| content.truncate(whole.len() / 2)),
            ["is cut off: it has", "put a backup"],
        ),
        (
            "empty",
            &|| damaged(&Vec::clear),
            ["is empty, so it was cut off", "put a backup"],
        ),
        (
            "zero pages",
            &|| damaged(&|content| content[PAGE..PAGE * 3].fill(0)),
            ["is damaged", "put a backup"],
        ),
        // The kind of a page: a bit of plain content that is another one cannot be known.
        (
            "a bit",
            &|| damaged(&|content| content[PAGE] ^= 0x10),
            ["is damaged", "put a backup"],
        ),
        (
            "no database",
            &|| damaged(&|content| content[0] ^= 1),
            ["is not an SQLite database", "set database.url"],
        ),
        (
            "newer",
            &|| {
                damaged(&|_| {});
                change(
                    &victim.database(),
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                     VALUES (99, 'the future', 1, x'00', 0)",
                );
            },
            [
                "was written by a newer farmhand (schema 99",
                "start the version that wrote it",
            ],
        ),
    ];
    for (name, damage, words) in cases {
        damage();
        let before = std::fs::read(victim.database()).unwrap();

        for command in ["serve", "doctor"] {
            let (code, said) = run(&victim, &[command]);
            assert_eq!(code, Some(1), "{name}, {command}: {said}");
            for word in words.into_iter().chain(["farmhand.db"]) {
                assert!(said.contains(word), "{name}, {command}: no {word:?} in {said}");
            }
        }
        assert!(
            std::fs::read(victim.database()).unwrap() == before,
            "{name}: the file was changed"
        );
    }
}

/// What the first version has stored: a follow that took place, one that failed, one that waits for a phone that is away.
const FIRST_ROWS: &str = r#"
    INSERT INTO controller (started_at) VALUES (1), (2);
    INSERT INTO lane (id, serial, username) VALUES (1, 'away-1', 'anna');
    INSERT INTO task (id, lane_id, batch_id, script_name, serial, username, enable_multi_account, source, priority, rank,
                      state, attempts, created_at, started_at, finished_at, config, remark, failure_reason,
                      failure_message, failure_retryable)
    VALUES (1, 1, 'b', 'follow', 'away-1', 'anna', 0, 'api', 0, 5, 'completed', 1, 5, 6, 7, '{"target_users":["bob"]}',
            'done', NULL, NULL, NULL),
           (2, 1, 'b', 'follow', 'away-1', 'anna', 0, 'ui', 0, 5, 'failed', 0, 5, NULL, 8, '{"target_users":["cy"]}',
            '', 'stopped', 'stopped on request', 1),
           (3, 1, 'b', 'follow', 'away-1', 'anna', 0, 'api', 0, 5, 'available', 0, 5, NULL, NULL,
            '{"target_users":["dee"]}', '', NULL, NULL, NULL);
    INSERT INTO task_count (script_name, source, status, failure_reason, n)
    VALUES ('follow', 'api', 2, '', 1), ('follow', 'ui', 3, 'stopped', 1), ('follow', 'api', 0, '', 1);
    INSERT INTO attempt (id, task_id, number, purpose, serial, username, epoch, token, started_at, finished_at, outcome)
    VALUES (1, 1, 1, 'execute', 'away-1', 'anna', 2, 't', 6, 7, 'completed');
    INSERT INTO step (attempt_id, number, command, label, state, started_at)
    VALUES (1, 1, 'tapOn', 'Follow', 'completed', 6);
    INSERT INTO effect (task_id, step, ordinal, state, content, baseline, evidence, attempt_id, intended_at, settled_at)
    VALUES (1, 'follow', 0, 'confirmed', '{}', '{}', '{}', 1, 6, 7);
"#;

#[test]
fn f4_a_database_of_an_older_version_is_brought_up_to_date_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = used(folder.path(), 0);
    std::fs::remove_file(victim.database()).unwrap();
    let first = Migration::new(
        1,
        "task engine".into(),
        MigrationType::Simple,
        include_str!("../../migrations/0001_task_engine.sql").into_sql_str(),
        false,
    );
    block_on(async {
        let options = SqliteConnectOptions::new().filename(victim.database());
        let mut database = options.create_if_missing(true).connect().await.unwrap();
        let migrator = Migrator::with_migrations(vec![first]);
        migrator.run(&mut database).await.unwrap();
        sqlx::raw_sql(FIRST_ROWS).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });

    victim.start_ready();
    let next = victim.create(&follow("away-1", "bob"));
    let [done, failed, waiting] = [1, 2, 3].map(|id| victim.task(id));
    let stats = victim.ok("GET", "/api/v1/task/stats", None);
    let of_phone = victim.ok("GET", "/api/v1/task?serial=away-1&username=anna", None);
    assert!(victim.terminate().success());

    assert_eq!(next, [4]);
    assert_eq!(
        (&done["status"], &done["remark"]),
        (&json!(2), &json!("done")),
        "{done:#}"
    );
    assert_eq!(done["attempts"][0]["steps"][0]["label"], "Follow", "{done:#}");
    assert_eq!(
        (&failed["status"], &failed["failure"]["reason"], &failed["source"]),
        (&json!(3), &json!("stopped"), &json!("ui")),
        "{failed:#}"
    );
    assert_eq!(waiting["status"], 0, "{waiting:#}");
    assert_eq!(waiting["script_config"]["target_users"], json!(["dee"]), "{waiting:#}");
    let numbers = ["total", "pending", "completed", "failed"].map(|of| stats[of].as_i64());
    assert_eq!(numbers, [4, 2, 1, 1].map(Some), "{stats:#}");
    assert_eq!(of_phone["total"], 3, "{of_phone:#}");
    block_on(async {
        let mut database = connect(&victim.database()).await;
        for (question, answer) in [
            ("SELECT group_concat(epoch) FROM controller", "1,2,3"),
            (
                "SELECT group_concat(task_id || ' ' || state) FROM effect",
                "1 confirmed",
            ),
        ] {
            let row = sqlx::query(question).fetch_one(&mut database).await.unwrap();
            assert_eq!(row.get::<String, _>(0), answer, "{question}");
        }
    });
}

#[test]
fn f5_after_a_log_of_64_mib_was_left_behind_the_start_is_quick_and_everything_is_there() {
    let wanted = number_or("FARMHAND_CRASH_LOG_MIB", LONG_LOG);
    let folder = tempfile::tempdir().unwrap();
    let mut victim = used(folder.path(), 5);
    let left = tempfile::tempdir().unwrap();
    std::fs::copy(victim.database(), left.path().join("farmhand.db")).unwrap();
    block_on(async {
        let mut database = connect(&left.path().join("farmhand.db")).await;
        // The transactions of months, in a minute's time: rows that come and go.
        let sql = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0;
                   CREATE TABLE filler (x BLOB)";
        sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        for _ in 0..=wanted {
            let sql = "INSERT INTO filler VALUES (zeroblob(1048576)); DELETE FROM filler";
            sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        }
        sqlx::raw_sql("UPDATE task SET remark = 'from the log'")
            .execute(&mut database)
            .await
            .unwrap();
        // As a crash leaves it: copied while it is open.
        for file in ["farmhand.db", "farmhand.db-wal"] {
            std::fs::copy(left.path().join(file), victim.data.join(file)).unwrap();
        }
        database.close().await.unwrap();
    });
    let log = std::fs::metadata(victim.data.join("farmhand.db-wal")).unwrap().len();
    assert!(log >= u64::from(wanted) << 20, "{log}");
    let limit = READY_PER_64_MIB * wanted.div_ceil(64);

    let begun = Instant::now();
    victim.start();
    victim.await_ready_within(limit);
    let ready = begun.elapsed();

    let share = ready.as_secs_f64() * f64::from(1 << 26) / log as f64;
    eprintln!(
        "ready after {ready:?} over a log of {} MiB: {share:.2} s for 64 MiB",
        log >> 20
    );
    let tasks = victim.tasks();
    assert_eq!(tasks.len(), 5);
    assert!(victim.terminate().success());
    let log = std::fs::metadata(victim.data.join("farmhand.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log was not moved into the database");
    crate::verdict::examine_database(&victim.database());
}

#[test]
fn f5_while_the_start_takes_its_time_callers_are_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = used(folder.path(), 1);
    // Somebody else writes to the database for a while, so that the start has to wait.
    let (begun, wait) = std::sync::mpsc::channel();
    let (done, end) = std::sync::mpsc::channel::<()>();
    let file = victim.database();
    let other = std::thread::spawn(move || {
        block_on(async {
            let mut database = connect(&file).await;
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut database).await.unwrap();
            begun.send(()).unwrap();
            end.recv_timeout(SOON).ok();
            sqlx::raw_sql("ROLLBACK").execute(&mut database).await.unwrap();
        });
    });
    wait.recv_timeout(SOON).unwrap();

    victim.start();
    let (status, answer) = wait_for("somebody answers", SOON, || {
        victim.try_call("POST", "/api/v1/task", Some(&follow("away-1", "bob")))
    });
    let live = victim.try_call("GET", "/health/live", None).map(|(status, _)| status);
    let ready = victim.try_call("GET", "/health/ready", None);
    done.send(()).unwrap();
    other.join().unwrap();
    victim.await_ready();

    assert_eq!((status, &answer["code"]), (503, &json!(50301)), "{answer}");
    assert_eq!((live, ready), (Some(200), Some((503, json!({ "status": "starting" })))));
    assert_eq!(victim.tasks().len(), 1, "what was refused is there");
}
