//! How SQLite answers the hot questions: through an index, without reading a table and without sorting.

use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use farmhand_actors::domain::{FailureReason, Status};

use super::*;
use crate::store::{
    TaskFilter,
    list::{
        Page, blocks,
        entries::{self, Walk},
        lanes::{self, Share},
    },
    quiet,
};

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
        ("find_claimable", include_str!("../queries/find_claimable.sql")),
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
        ("shift_due", include_str!("../queries/shift_due.sql")),
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

    for wanted in [
        "SEARCH task USING INDEX task_open (<expr>=? AND lane_id=?)",
        "SEARCH task USING INDEX task_lane (lane_id=? AND rank<?)",
        "SEARCH open USING INDEX task_lane (lane_id=? AND rank<?)",
        "SEARCH task USING INDEX task_due (lane_id=? AND due_at>?)",
    ] {
        assert!(due.iter().any(|step| step == wanted), "{wanted}: {due:#?}");
    }
    assert!(due.iter().any(|step| step.starts_with("SEARCH lane USING")), "{due:#?}");
    // The lanes are brought into the order asked for, and so are the two fronts of each; within them tasks are in order.
    let sorts = due.iter().filter(|step| step.contains("TEMP B-TREE")).count();
    assert_eq!(sorts, 3, "{due:#?}");
    let place = |wanted: &str| {
        let place = due.iter().position(|step| step.starts_with(wanted));
        place.unwrap_or_else(|| panic!("{wanted}: {due:#?}"))
    };
    assert!(
        place("SCAN block") < place("SEARCH task USING INDEX task_open"),
        "{due:#?}"
    );

    let lanes = plan(&mut conn, include_str!("../queries/list_lanes.sql")).await;
    let wanted = "SEARCH task USING INDEX task_open (<expr>=? AND lane_id=?)";
    assert!(lanes.iter().any(|step| step == wanted), "{lanes:#?}");
}

const PAGE: Page = Page { offset: 3, size: 20 };

/// Every filter that can be asked for, by which columns it names and by status.
fn filters() -> Vec<TaskFilter> {
    let statuses = [None].into_iter().chain(Status::ALL.map(Some));
    let mut filters = Vec::new();
    for status in statuses {
        for columns in 0..64_u8 {
            let named = |bit: u8| columns & (1 << bit) != 0;
            filters.push(TaskFilter {
                status,
                serial: named(0).then(|| serial_of("a")),
                username: named(1).then(|| username_of("anna")),
                script_name: named(2).then(|| script_of("post")),
                source: named(3).then_some(Source::Ui),
                batch_id: named(4).then(|| "batch".to_owned()),
                failure_reason: named(5).then_some(FailureReason::Timeout),
            });
        }
    }
    filters
}

fn is_of_lanes(filter: &TaskFilter) -> bool {
    filter.serial.is_some() || filter.username.is_some()
}

#[tokio::test]
async fn every_list_of_what_runs_and_of_a_request_walks_one_index_of_theirs() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for filter in filters() {
        let running = filter.status == Some(Status::Running);
        let walks = if running {
            vec![Walk::Live]
        } else if filter.batch_id.is_some() && !is_of_lanes(&filter) {
            let failed = filter.status == Some(Status::Failed) || filter.failure_reason.is_some();
            vec![if failed { Walk::Failed } else { Walk::Span }, Walk::Batch]
        } else {
            continue;
        };
        for walk in walks {
            let total = entries::total_query(walk, &filter);
            let page = entries::page_query(walk, &filter, PAGE);
            for query in [total, page] {
                let steps = plan(&mut conn, query.sql().as_str()).await;
                let searches = steps.iter().filter(|step| step.contains("SEARCH task"));
                assert!(searches.count() > 0, "{filter:?}: {steps:#?}");
                for step in steps {
                    let reads = reads_all(&step) || step.starts_with("SCAN task");
                    assert!(
                        !reads && (running || !step.contains("TEMP B-TREE")),
                        "{filter:?}: {step}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn every_list_of_a_device_or_an_account_counts_and_reads_block_by_block_in_entries_of_an_index() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for filter in filters() {
        if !is_of_lanes(&filter) || filter.status == Some(Status::Running) {
            continue;
        }
        // What of a request's tasks is asked for stands in their rows, and so does whose a task without a device is.
        let rows = filter.batch_id.is_some() || filter.serial.is_none();
        let apart = vec![Share::Lane(1), Share::Lane(2)];
        let no_lane = filter.serial.is_none().then_some(Share::NoLane);
        let together = [Share::Lanes("[1,2]".to_owned())].into_iter().chain(no_lane).collect();
        let queries = [apart, together].into_iter().flat_map(|shares: Vec<Share>| {
            [
                lanes::counts_query(&shares, &filter, "[7]".to_owned()),
                lanes::part_query(&shares, &filter, 7, PAGE),
            ]
        });
        for query in queries {
            let steps = plan(&mut conn, query.sql().as_str()).await;
            let searches = steps.iter().filter(|step| step.contains("SEARCH task "));
            assert!(searches.clone().count() > 0, "{filter:?}: {steps:#?}");
            for step in searches {
                let by_lane = step.contains("INDEX task_") && step.contains("(<expr>=? AND lane_id=?");
                assert!(by_lane && (rows || step.contains("COVERING")), "{filter:?}: {steps:#?}");
            }
            for step in &steps {
                assert!(!reads_all(step) && !step.starts_with("SCAN task"), "{filter:?}: {step}");
            }
        }
    }
}

#[tokio::test]
async fn sums_of_quiet_blocks_are_found_by_block_and_name_and_made_from_entries_of_an_index() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for filter in filters().into_iter().filter(is_of_lanes) {
        let steps = plan(&mut conn, quiet::sums_query(&filter).sql().as_str()).await;
        let wanted = [
            "SCAN quiet_block",
            "SEARCH quiet_count USING PRIMARY KEY (mark=? AND serial=? AND username=?) LEFT-JOIN",
        ];
        assert_eq!(steps, wanted, "{filter:?}");
    }
    let steps = plan(&mut conn, include_str!("../queries/count_quiet.sql")).await;
    let searches = steps
        .iter()
        .filter(|step| step.contains("SEARCH task "))
        .collect::<Vec<_>>();
    // Those of tasks without a device need the rows.
    let covered = searches.iter().filter(|step| step.contains("COVERING INDEX")).count();
    assert_eq!((searches.len(), covered), (4, 2), "{steps:#?}");
    assert!(!steps.iter().any(|step| reads_all(step)), "{steps:#?}");
}

#[tokio::test]
async fn every_other_list_reads_sums_in_order_and_then_walks_a_single_block() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for filter in filters() {
        let counted = filter.serial.is_none() && filter.username.is_none() && filter.batch_id.is_none();
        if !counted || filter.status == Some(Status::Running) {
            continue;
        }
        let sums = plan(&mut conn, blocks::sums_query(&filter).sql().as_str()).await;
        assert_eq!(sums, ["SEARCH task_count USING PRIMARY KEY (block>?)"], "{filter:?}");
        let block = plan(&mut conn, blocks::block_query(&filter, 7, PAGE).sql().as_str()).await;
        assert_eq!(block.len(), 1, "{filter:?}: {block:#?}");
        let range = block[0].starts_with("SEARCH task USING")
            && (block[0].ends_with("rowid>? AND rowid<?)") || block[0].ends_with("id>? AND id<?)"));
        assert!(range, "{filter:?}: {block:#?}");
        let failed = filter.status == Some(Status::Failed) || filter.failure_reason.is_some();
        assert!(!failed || block[0].contains("COVERING INDEX task_failed"), "{block:#?}");
    }
    let waiting = plan(
        &mut conn,
        blocks::waiting_query(&TaskFilter::default(), PAGE).sql().as_str(),
    )
    .await;
    assert_eq!(waiting[0], "SCAN task USING COVERING INDEX task_open", "{waiting:#?}");
}

#[tokio::test]
async fn totals_failed_tasks_and_scripts_come_from_the_counts_and_an_index() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for (sql, wanted) in [
        (
            "SELECT status, sum(n) AS n FROM task_count WHERE block = ?1 GROUP BY status",
            "SEARCH task_count USING PRIMARY KEY (block=?)",
        ),
        (
            include_str!("../queries/find_failed.sql"),
            "SCAN task USING INDEX task_failed",
        ),
        (
            "SELECT id FROM lane WHERE username = ?1",
            "SEARCH lane USING COVERING INDEX lane_by_username (username=?)",
        ),
    ] {
        let steps = plan(&mut conn, sql).await;
        assert_eq!(steps[0], wanted, "{sql}: {steps:#?}");
    }
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
async fn runs_from_a_time_on_are_found_by_their_schedules() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;

    let steps = plan(&mut conn, include_str!("../queries/list_planned_runs.sql")).await;

    assert!(
        steps.iter().any(|step| step.contains("schedule_id=? AND planned_at>?")),
        "{steps:#?}"
    );
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

/// For each index that a statement of ours would be slow without: such a statement, and how SQLite says that it uses it.
const USES: [(&str, &str, &str); 30] = [
    (
        "account_use_by_name",
        "SELECT username, script_name, at FROM account_use WHERE username = ?1 AND at >= ?2 ORDER BY at, id",
        "username=? AND at>?",
    ),
    (
        "account_use_by_age",
        "SELECT username, script_name, at FROM account_use WHERE at >= ?1 ORDER BY at, id",
        "at>?",
    ),
    (
        "attempt_by_task",
        "SELECT * FROM attempt WHERE task_id = ?1 ORDER BY number",
        "task_id=?",
    ),
    (
        "attempt_live_serial",
        include_str!("../queries/find_claimable.sql"),
        "serial=?",
    ),
    (
        "attempt_live_username",
        include_str!("../queries/find_claimable.sql"),
        "username=?",
    ),
    (
        "attempt_live_task",
        include_str!("../queries/find_cut_off.sql"),
        "SCAN attempt",
    ),
    (
        "delivery_by_age",
        "DELETE FROM delivery WHERE id IN (
             SELECT id FROM delivery WHERE state <> 'waiting' AND created_at <= ?1
               AND (state = 'delivered' OR created_at <= ?2) ORDER BY created_at LIMIT ?3)",
        "created_at<?",
    ),
    (
        "delivery_by_webhook",
        include_str!("../queries/list_webhooks.sql"),
        "webhook_id=? AND state=?",
    ),
    (
        "delivery_due",
        "SELECT * FROM delivery
         WHERE webhook_id = ?1 AND state = 'waiting' AND due_at <= ?2
           AND id NOT IN (SELECT value FROM json_each(?3))
         ORDER BY due_at, id LIMIT ?4",
        "webhook_id=? AND due_at<?",
    ),
    (
        "effect_by_attempt",
        include_str!("../queries/find_touched_again.sql"),
        "attempt_id>?",
    ),
    (
        "effect_by_hash",
        include_str!("../queries/find_repeated.sql"),
        "<expr>=?",
    ),
    (
        "effect_open",
        include_str!("../queries/list_open_uses.sql"),
        "SCAN effect",
    ),
    (
        "idempotency_by_age",
        "DELETE FROM idempotency
         WHERE key IN (SELECT key FROM idempotency WHERE created_at <= ?1 ORDER BY created_at LIMIT ?2)",
        "created_at<?",
    ),
    (
        "lane_by_name",
        include_str!("../queries/list_due.sql"),
        "serial=? AND <expr>=?",
    ),
    (
        "lane_by_username",
        "SELECT id FROM lane WHERE username = ?1",
        "username=?",
    ),
    (
        "material_by_order",
        "SELECT * FROM material ORDER BY sort_order, id",
        "SCAN material",
    ),
    (
        "past_effect_by_age",
        "DELETE FROM past_effect WHERE id IN (SELECT id FROM past_effect WHERE gone_at <= ?1 ORDER BY gone_at LIMIT ?2)",
        "gone_at<?",
    ),
    (
        "past_effect_by_attempt",
        include_str!("../queries/find_rival.sql"),
        "attempt_id>?",
    ),
    (
        "past_effect_by_hash",
        include_str!("../queries/find_repeated.sql"),
        "hash=?",
    ),
    ("repetition_by_time", "DELETE FROM repetition WHERE at <= ?1", "at<?"),
    (
        "schedule_run_latest",
        include_str!("../queries/list_latest_runs.sql"),
        "schedule_id=?",
    ),
    (
        "task_by_batch",
        "SELECT min(id) FROM task INDEXED BY task_by_batch WHERE true AND batch_id = ?1",
        "batch_id=?",
    ),
    (
        "task_by_script",
        "SELECT id FROM task INDEXED BY task_by_script WHERE id >= ?1 AND id < ?2 AND script_name = ?3",
        "script_name=? AND rowid>? AND rowid<?",
    ),
    (
        "task_due",
        include_str!("../queries/list_due.sql"),
        "lane_id=? AND due_at>?",
    ),
    ("task_failed", include_str!("../queries/find_failed.sql"), "SCAN task"),
    (
        "task_finished",
        include_str!("../queries/count_quiet.sql"),
        "COVERING INDEX task_finished (<expr>=? AND lane_id>?)",
    ),
    (
        "task_from_ui",
        "SELECT id FROM task INDEXED BY task_from_ui WHERE id >= ?1 AND id < ?2 AND source = 'ui'",
        "id>? AND id<?",
    ),
    (
        "task_gap",
        "SELECT batch_id, serial, id, at
         FROM (SELECT batch_id, serial, id, started_at AS at,
                      row_number() OVER (PARTITION BY batch_id, serial ORDER BY started_at DESC, id DESC) AS place
               FROM task INDEXED BY task_gap WHERE gap_ms IS NOT NULL AND serial IS NOT NULL AND started_at >= ?1)
         WHERE place <= 2 ORDER BY batch_id, serial, place",
        "SCAN task USING INDEX task_gap",
    ),
    (
        "task_lane",
        include_str!("../queries/list_due.sql"),
        "lane_id=? AND rank<?",
    ),
    (
        "task_open",
        include_str!("../queries/list_due.sql"),
        "<expr>=? AND lane_id=?",
    ),
];

#[tokio::test]
async fn every_index_answers_a_statement_and_no_index_is_there_for_nothing() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for (index, sql, how) in USES {
        let steps = plan(&mut conn, sql).await;
        let uses = |step: &&String| step.contains(&format!("INDEX {index}")) && step.contains(how);
        assert!(steps.iter().any(|step| uses(&step)), "{index}, {how}: {steps:#?}");
    }
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name")
            .fetch_all(&mut conn)
            .await
            .expect("reads");
    let mut known = USES.map(|(index, _, _)| index);
    known.sort_unstable();
    assert_eq!(names, known);
}

#[tokio::test]
async fn what_is_done_now_and_then_walks_through_no_whole_table_at_once() {
    let farm = Farm::new().await;
    let mut conn = connection(&farm).await;
    for (sql, wanted) in [
        (
            include_str!("../queries/find_old_tasks.sql"),
            "SEARCH task USING INTEGER PRIMARY KEY (rowid>?)",
        ),
        (
            include_str!("../queries/delete_events.sql"),
            "SEARCH event USING INTEGER PRIMARY KEY (rowid=?)",
        ),
        (
            include_str!("../queries/find_rival.sql"),
            "SEARCH effect USING INDEX effect_by_attempt (attempt_id>?)",
        ),
        (
            include_str!("../queries/find_touched_again.sql"),
            "SEARCH other USING INDEX effect_by_attempt (attempt_id>?)",
        ),
        (
            include_str!("../queries/pending_tasks.sql"),
            "SEARCH task USING INTEGER PRIMARY KEY (rowid=?)",
        ),
    ] {
        let steps = plan(&mut conn, sql).await;
        assert!(steps.iter().any(|step| step == wanted), "{wanted}: {steps:#?}");
        assert!(!steps.iter().any(|step| step == "SCAN task"), "{steps:#?}");
    }
}
