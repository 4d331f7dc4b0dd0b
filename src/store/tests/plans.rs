//! How SQLite answers the hot questions: through an index, without reading a table and without sorting.

use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::*;

async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .fetch_all(conn)
        .await
        .expect("is planned");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

async fn connection(farm: &Farm) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(farm.path());
    options.connect().await.expect("connects")
}

/// Whether a step reads a whole table of ours; what callers pass in as JSON is read whole on purpose.
fn reads_all(step: &str) -> bool {
    let scans = step.starts_with("SCAN ") && !step.contains("VIRTUAL TABLE") && !step.contains("INDEX");
    scans
        && [
            "task", "attempt", "step", "effect", "event", "waiting", "schedule", "run", "latest",
        ]
        .iter()
        .any(|table| step[5..].starts_with(table))
}

#[tokio::test]
async fn no_write_of_the_hot_path_reads_a_table_or_sorts() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for (name, sql) in [
        ("find_startable", include_str!("../queries/find_startable.sql")),
        ("start_tasks", include_str!("../queries/start_tasks.sql")),
        ("insert_attempts", include_str!("../queries/insert_attempts.sql")),
        ("find_endable", include_str!("../queries/find_endable.sql")),
        ("end_attempts", include_str!("../queries/end_attempts.sql")),
        ("end_tasks", include_str!("../queries/end_tasks.sql")),
        ("complete_tasks", include_str!("../queries/complete_tasks.sql")),
        ("release_tasks", include_str!("../queries/release_tasks.sql")),
        ("retry_tasks", include_str!("../queries/retry_tasks.sql")),
        ("delete_tasks", include_str!("../queries/delete_tasks.sql")),
        ("write_steps", include_str!("../queries/write_steps.sql")),
        ("intend_effect", include_str!("../queries/intend_effect.sql")),
        ("settle_effect", include_str!("../queries/settle_effect.sql")),
        ("find_cut_off", include_str!("../queries/find_cut_off.sql")),
        ("insert_tasks", include_str!("../queries/insert_tasks.sql")),
        ("update_schedule", include_str!("../queries/update_schedule.sql")),
    ] {
        let steps = plan(&mut conn, sql).await;
        assert!(!steps.iter().any(|step| reads_all(step)), "{name}: {steps:#?}");
        let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorts || name == "find_cut_off", "{name}: {steps:#?}");
    }
}

#[tokio::test]
async fn the_front_of_a_lane_comes_from_its_index_in_order() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;

    let due = plan(&mut conn, include_str!("../queries/list_due.sql")).await;
    let wanted = "SEARCH waiting USING INDEX task_lane (lane_id=? AND rank<?)";
    assert!(due.iter().any(|step| step == wanted), "{due:#?}");
    assert!(due.iter().any(|step| step.starts_with("SEARCH lane USING")), "{due:#?}");
    assert!(
        due.iter()
            .any(|step| step == "SEARCH task USING INTEGER PRIMARY KEY (rowid=?)"),
        "{due:#?}"
    );

    let next = plan(&mut conn, include_str!("../queries/list_next_due.sql")).await;
    let wanted = "SEARCH task USING INDEX task_due (lane_id=? AND due_at>?)";
    assert!(next.iter().any(|step| step == wanted), "{next:#?}");

    let lanes = plan(&mut conn, include_str!("../queries/list_lanes.sql")).await;
    let wanted = "SEARCH task EXISTS USING INDEX task_lane (lane_id=?)";
    assert!(lanes.iter().any(|step| step == wanted), "{lanes:#?}");
}

#[tokio::test]
async fn every_list_walks_an_index_from_its_newest_end() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for (conditions, wanted) in [
        ("batch_id = ?", "task_by_batch (batch_id=?)"),
        ("username = ? AND +serial = ?", "task_by_username (username=?)"),
        ("serial = ? AND +status = ?", "task_by_serial (serial=?)"),
        (
            "failure_reason = ? AND +status = ?",
            "task_by_failure (failure_reason=?)",
        ),
        (
            "status <> 1 AND status = ? AND +source = ?",
            "task_by_status (status=?)",
        ),
        ("script_name = ? AND +source = ?", "task_by_script (script_name=?)"),
        ("source = ?", "task_by_source (source=?)"),
    ] {
        let sql = format!("SELECT id FROM task WHERE {conditions} ORDER BY id DESC LIMIT ? OFFSET ?");
        let steps = plan(&mut conn, &sql).await;
        assert_eq!(steps.len(), 1, "{conditions}: {steps:#?}");
        assert!(steps[0].ends_with(wanted), "{conditions}: {steps:#?}");
    }
    let running = "SELECT id FROM task WHERE id IN (SELECT task_id FROM attempt WHERE finished_at IS NULL)
                   ORDER BY id DESC LIMIT ? OFFSET ?";
    let steps = plan(&mut conn, running).await;
    assert!(steps.iter().any(|step| step.contains("attempt_live_")), "{steps:#?}");
    assert!(!steps.iter().any(|step| reads_all(step)), "{steps:#?}");
}

#[tokio::test]
async fn attempts_steps_and_effects_of_a_task_are_found_by_it() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for sql in [
        "SELECT * FROM attempt WHERE task_id = ?1 ORDER BY number",
        "SELECT step.* FROM attempt JOIN step ON step.attempt_id = attempt.id
         WHERE attempt.task_id = ?1 ORDER BY attempt.number, step.number",
        "SELECT seq FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        "SELECT username, script_name, at FROM account_use WHERE at >= ?1",
        "DELETE FROM schedule_run WHERE schedule_id = ?1 AND planned_at < ?2",
        "SELECT 1 FROM schedule WHERE name = ?1 AND id <> ?2",
    ] {
        let steps = plan(&mut conn, sql).await;
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{sql}: {steps:#?}");
    }
}

#[tokio::test]
async fn the_latest_runs_are_found_by_their_schedules() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;

    let steps = plan(&mut conn, include_str!("../queries/list_latest_runs.sql")).await;

    assert!(!steps.iter().any(|step| reads_all(step)), "{steps:#?}");
    assert!(
        steps.iter().any(|step| step.contains("schedule_run_latest")),
        "{steps:#?}"
    );
}
