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
