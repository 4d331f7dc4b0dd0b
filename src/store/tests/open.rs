//! Which files are taken as a database, and which are refused as they are.

use farmhand_actors::ports::{StoreError, TaskStore};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::*;

/// Opens a file that must be refused, and answers why.
async fn refusal(path: &std::path::Path) -> String {
    let before = std::fs::read(path).expect("reads");
    let Err(StoreError::Broken(why)) = Store::open(settings(path)).await else {
        panic!("was opened")
    };
    assert_eq!(std::fs::read(path).expect("reads"), before, "the file was changed");
    assert!(
        why.contains(&path.display().to_string()),
        "does not name the file: {why}"
    );
    why
}

/// A closed database with some tasks.
async fn closed() -> Farm {
    let farm = Farm::new().await;
    farm.submit(vec![task_for("a", None); 300]).await;
    farm.store.close().await;
    farm
}

#[tokio::test]
async fn a_new_database_gets_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("deep/er/farmhand.db");

    let store = open(&path).await;

    assert_eq!(store.stats().await.expect("counts").total, 0);
    store.close().await;
    let files = std::fs::read_dir(folder.path().join("deep/er")).expect("lists").count();
    assert_eq!(files, 1, "a log or a draft was left behind");
}

#[tokio::test]
async fn a_draft_that_a_crash_left_behind_is_no_obstacle() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("farmhand.db.new"), b"half a database").expect("writes");

    let store = open(&folder.path().join("farmhand.db")).await;

    assert_eq!(store.stats().await.expect("counts").total, 0);
}

#[tokio::test]
async fn a_closed_database_opens_again_with_all_that_it_held() {
    let farm = closed().await;

    let store = open(&farm.path()).await;

    assert_eq!(store.stats().await.expect("counts").total, 300);
    assert_eq!(store.begin_epoch(at(1)).await.expect("begins"), Epoch(2));
    assert_eq!(*store.event_watch().borrow(), 300);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (content, problem) in [
        (&b""[..], "is empty"),
        (b"# notes\n", "is not an SQLite database"),
        (&[0; 8192], "is not an SQLite database"),
    ] {
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, content).expect("writes");
        let why = refusal(&path).await;
        assert!(why.contains(problem), "{why}");
    }
}

#[tokio::test]
async fn a_database_that_was_cut_off_is_refused() {
    let farm = closed().await;
    let whole = std::fs::read(farm.path()).expect("reads");
    for length in [50, 100, 4096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(farm.path(), &whole[..length]).expect("writes");
        let why = refusal(&farm.path()).await;
        assert!(
            why.contains("cut off") || why.contains("not an SQLite database"),
            "{length}: {why}"
        );
    }
}

#[tokio::test]
async fn a_database_with_a_broken_page_is_refused() {
    let farm = closed().await;
    let mut broken = std::fs::read(farm.path()).expect("reads");
    for page in broken.chunks_mut(4096).skip(3).step_by(2) {
        page.fill(0x5a);
    }
    std::fs::write(farm.path(), broken).expect("writes");

    let why = refusal(&farm.path()).await;

    assert!(why.contains("is damaged") && why.contains("backup"), "{why}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let farm = closed().await;
    let mut conn = SqliteConnectOptions::new()
        .filename(farm.path())
        .connect()
        .await
        .expect("connects");
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'the future', 1, x'00', 0)",
    )
    .execute(&mut conn)
    .await
    .expect("writes");
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut conn)
        .await
        .expect("checkpoints");
    conn.close().await.expect("closes");

    let why = refusal(&farm.path()).await;

    assert!(why.contains("newer farmhand (schema 99"), "{why}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("other.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut conn = options.connect().await.expect("connects");
    sqlx::query("CREATE TABLE task (id INTEGER)")
        .execute(&mut conn)
        .await
        .expect("writes");
    conn.close().await.expect("closes");

    let why = refusal(&path).await;

    assert!(why.contains("another program") && why.contains("database.url"), "{why}");
}

#[tokio::test]
async fn other_urls_are_refused_with_an_example() {
    for url in [
        "postgres://localhost/farm",
        "sqlite://",
        "sqlite::memory:",
        "data/farmhand.db",
    ] {
        let settings = StoreSettings {
            url: url.to_owned(),
            ..StoreSettings::default()
        };
        let Err(StoreError::Broken(why)) = Store::open(settings).await else {
            panic!("was opened: {url}")
        };
        assert!(why.contains(url) && why.contains("sqlite://data/farmhand.db"), "{why}");
    }
}

#[tokio::test]
async fn after_the_close_everything_is_away() {
    let farm = Farm::new().await;
    farm.store.close().await;

    let submit = farm
        .store
        .submit(vec![task_for("a", None)], None, Vec::new(), at(0))
        .await;
    assert!(matches!(submit, Err(StoreError::Away(_))), "{submit:?}");
    assert!(matches!(farm.store.stats().await, Err(StoreError::Away(_))));
    assert!(matches!(farm.store.ping().await, Err(StoreError::Away(_))));
    farm.store.close().await;
}

#[tokio::test]
async fn what_was_queued_before_the_close_is_written() {
    let farm = Farm::new().await;
    let submits = (0..50).map(|_| farm.store.submit(vec![task_for("a", None)], None, Vec::new(), at(0)));

    let (answers, ()) = futures_util::join!(futures_util::future::join_all(submits), farm.store.close());

    let written = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    let store = open(&farm.path()).await;
    assert_eq!(store.stats().await.expect("counts").total, written);
    assert_eq!(written, 50);
}

#[tokio::test]
async fn while_another_process_holds_the_lock_the_database_is_away_and_then_comes_back() {
    let mut farm = Farm::new().await;
    farm.store.close().await;
    let settings = StoreSettings {
        busy_timeout: Duration::from_millis(50),
        ..settings(&farm.path())
    };
    farm.store = Store::open(settings).await.expect("opens");
    let mut other = SqliteConnectOptions::new()
        .filename(farm.path())
        .connect()
        .await
        .expect("connects");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.expect("locks");

    let submit = farm
        .store
        .submit(vec![task_for("a", None)], None, Vec::new(), at(0))
        .await;
    assert!(matches!(submit, Err(StoreError::Away(_))), "{submit:?}");
    assert_eq!(farm.store.stats().await.expect("reads go on").total, 0);

    sqlx::query("ROLLBACK").execute(&mut other).await.expect("unlocks");
    farm.submit_one(task_for("a", None)).await;
    assert!(!farm.store.is_suspect());
}

/// A thread that ends drops the questions that its tasks have asked when its runtime is gone.
#[test]
fn a_question_that_is_dropped_without_a_runtime_closes_its_connection() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let (first, second) = (runtime(), runtime());
    let (farm, reader) = first.block_on(async {
        let farm = Farm::new().await;
        let reader = farm.store.reader().await.expect("a connection");
        (farm, reader)
    });

    drop(reader);

    second.block_on(async {
        assert_eq!(farm.store.stats().await.expect("reads go on").total, 0);
        farm.store.close().await;
    });
}

/// What the version before has stored: a task that has ended with all that belongs to it, one that waits, and numbers that
/// were given to rows which are gone.
const STORED_BEFORE: &str = "
    INSERT INTO lane (id, serial, username) VALUES (1, 'a', 'anna');
    INSERT INTO task (id, lane_id, batch_id, script_name, serial, username, enable_multi_account, source, priority, rank,
                      state, created_at, started_at, finished_at, config, remark)
    VALUES (1, 1, 'b', 'post', 'a', 'anna', 0, 'api', 0, 5, 'completed', 5, 6, 7, '{}', 'done'),
           (2, 1, 'b', 'post', 'a', 'anna', 0, 'api', 0, 5, 'available', 5, NULL, NULL, '{}', '');
    INSERT INTO task_count (block, script_name, source, status, failure_reason, n)
    VALUES (-1, 'post', 'api', 2, '', 1), (0, 'post', 'api', 2, '', 1),
           (-1, 'post', 'api', 0, '', 1), (0, 'post', 'api', 0, '', 1);
    INSERT INTO attempt (id, task_id, number, purpose, serial, username, epoch, token, started_at, finished_at, outcome,
                         flow_hash)
    VALUES (4, 1, 1, 'execute', 'a', 'anna', 1, 't', 6, 7, 'completed', 'ff');
    INSERT INTO step (attempt_id, number, command, label, state, started_at) VALUES (4, 1, 'tapOn', 'tap', 'warned', 6);
    INSERT INTO effect (task_id, step, ordinal, state, content, baseline, attempt_id, intended_at)
    VALUES (1, 's', 0, 'confirmed', '{}', '{}', 4, 6);
    INSERT INTO checkpoint (task_id, attempt_id, retries, step, flow_hash, state, reached_at)
    VALUES (1, 4, 0, 's', 'ff', '{}', 6);
    INSERT INTO event (seq, at, topic, kind, subject, data) VALUES (3, 6, 'task', 'task.created', '1', '{}');
    UPDATE sqlite_sequence SET seq = 9 WHERE name = 'task';
    UPDATE sqlite_sequence SET seq = 7 WHERE name = 'attempt';
    UPDATE sqlite_sequence SET seq = 5 WHERE name = 'event';
";

#[tokio::test]
async fn a_database_of_the_version_before_keeps_all_its_rows_and_uses_no_number_twice() {
    let mut farm = closed().await;
    std::fs::remove_file(farm.path()).expect("removes");
    let options = SqliteConnectOptions::new()
        .filename(farm.path())
        .create_if_missing(true);
    let mut before = options.connect().await.expect("connects");
    let mut migrations = crate::store::open::migrations();
    migrations.retain(|migration| migration.version < 14);
    let migrator = sqlx::migrate::Migrator::with_migrations(migrations);
    migrator.run(&mut before).await.expect("migrates");
    sqlx::raw_sql(STORED_BEFORE).execute(&mut before).await.expect("writes");
    before.close().await.expect("closes");

    farm.store = open(&farm.path()).await;

    assert_eq!(farm.task(TaskId(1)).await.remark, "done");
    let attempts = farm.store.list_attempts(TaskId(1)).await.expect("reads");
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        (attempts[0].flow_hash.as_deref(), attempts[0].steps.len()),
        (Some("ff"), 1)
    );
    assert_eq!(farm.store.events_after(0, 9).await.expect("reads").events.len(), 1);
    let path = farm.path();
    let count = async |table: &str| {
        let mut conn = SqliteConnectOptions::new()
            .filename(&path)
            .connect()
            .await
            .expect("connects");
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar::<_, i64>(sql)
            .fetch_one(&mut conn)
            .await
            .expect("counts")
    };
    assert_eq!((count("effect").await, count("checkpoint").await), (1, 1));
    let head = farm.store.lanes().await.expect("reads");
    assert_eq!(head.len(), 1, "the one that waits is found");
    farm.epoch = farm.store.begin_epoch(at(0)).await.expect("begins");
    let task = farm.submit_one(task_for("b", None)).await;
    assert_eq!(task, TaskId(10));
    assert_eq!(farm.claim(task, "b", None).await.attempt.0, 8);
    // What belongs to a task goes with it: foreign keys are on again.
    assert_eq!(farm.store.delete(vec![TaskId(1)]).await.expect("deletes"), [TaskId(1)]);
    for table in ["effect", "checkpoint", "step"] {
        assert_eq!(count(table).await, 0, "{table}");
    }
    assert_eq!(count("past_effect").await, 1, "what it did still counts");
}
