//! Random tables, listed with every pair of filters, against a filter over all tasks that is too small to be wrong.

use farmhand_actors::{
    domain::{FailureReason, Status},
    ports::TaskStore,
};
use proptest::prelude::*;
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};

use super::*;
use crate::store::TaskFilter;

const SERIALS: [&str; 2] = ["a", "b"];
/// More accounts than lanes are looked up one by one.
const USERNAMES: [&str; 6] = ["anna", "bert", "carl", "dora", "emil", "fred"];
const SCRIPTS: [&str; 2] = ["post", "follow"];
const BATCHES: [&str; 2] = ["one", "two"];
const REASONS: [FailureReason; 2] = [FailureReason::Timeout, FailureReason::Stopped];

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Waits,
    Runs,
    Completes,
    Fails(usize),
    Retried,
    Deleted,
}

#[derive(Debug, Clone)]
struct Made {
    serial: Option<usize>,
    username: Option<usize>,
    script: usize,
    source: Source,
    batch: usize,
    end: End,
    /// Numbers passed over before it, so that few tasks lie in many blocks.
    gap: i64,
}

fn made() -> impl Strategy<Value = Vec<Made>> {
    let end = prop_oneof![
        3 => Just(End::Waits),
        1 => Just(End::Runs),
        3 => Just(End::Completes),
        3 => (0..REASONS.len()).prop_map(End::Fails),
        1 => Just(End::Retried),
        1 => Just(End::Deleted),
    ];
    let gap = prop_oneof![8 => Just(0_i64), 1 => Just(1500), 1 => Just(9000)];
    let names = (
        prop_oneof![9 => (0..SERIALS.len()).prop_map(Some), 1 => Just(None)],
        prop_oneof![4 => (0..USERNAMES.len()).prop_map(Some), 1 => Just(None)],
    );
    let rest = (0..SCRIPTS.len(), any::<bool>(), 0..BATCHES.len());
    let task = (names, rest, end, gap).prop_map(|((serial, username), (script, ui, batch), end, gap)| Made {
        serial,
        username,
        script,
        source: if ui { Source::Ui } else { Source::Api },
        batch,
        end,
        gap,
    });
    prop::collection::vec(task, 1..50)
}

/// A task as the filters see it.
#[derive(Debug)]
struct Row {
    id: i64,
    made: Made,
    status: Status,
    reason: Option<FailureReason>,
}

impl Row {
    fn is_named_by(&self, filter: &TaskFilter) -> bool {
        let made = &self.made;
        let is = |name: Option<usize>, names: &[&str], wanted: Option<&str>| {
            wanted.is_none_or(|wanted| name.map(|place| names[place]) == Some(wanted))
        };
        filter.status.is_none_or(|status| self.status == status)
            && is(made.serial, &SERIALS, filter.serial.as_ref().map(Serial::as_str))
            && is(
                made.username,
                &USERNAMES,
                filter.username.as_ref().map(Username::as_str),
            )
            && is(
                Some(made.script),
                &SCRIPTS,
                filter.script_name.as_ref().map(ScriptName::as_str),
            )
            && filter.source.is_none_or(|source| made.source == source)
            && is(Some(made.batch), &BATCHES, filter.batch_id.as_deref())
            && filter.failure_reason.is_none_or(|reason| self.reason == Some(reason))
    }
}

async fn make(farm: &Farm, all: &[Made]) -> Vec<Row> {
    let options = SqliteConnectOptions::new().filename(farm.path());
    let mut other = options.connect().await.expect("connects");
    let mut rows = Vec::new();
    for made in all {
        if made.gap > 0 {
            sqlx::query("UPDATE sqlite_sequence SET seq = seq + ?1 WHERE name = 'task'")
                .bind(made.gap)
                .execute(&mut other)
                .await
                .expect("passes over numbers");
        }
        let mut task = task_for("a", None);
        task.serial = made.serial.map(|place| serial_of(SERIALS[place]));
        task.username = made.username.map(|place| username_of(USERNAMES[place]));
        task.script = script_of(SCRIPTS[made.script]);
        task.source = made.source;
        task.batch_id = BATCHES[made.batch].into();
        let id = farm.submit_one(task).await;
        if let Some((status, reason)) = end(farm, id, made).await {
            rows.push(Row {
                id: id.0,
                made: made.clone(),
                status,
                reason,
            });
        }
    }
    rows.reverse();
    rows
}

/// Brings a task to its end; answers what it is then, or nothing when it is gone.
async fn end(farm: &Farm, id: TaskId, made: &Made) -> Option<(Status, Option<FailureReason>)> {
    // A device of its own, so that any number may run.
    let device = format!("bench-{id}");
    match made.end {
        End::Waits => return Some((Status::Pending, None)),
        End::Runs => {
            farm.claim(id, &device, None).await;
            return Some((Status::Running, None));
        }
        End::Completes => {
            let claimed = farm.claim(id, &device, None).await;
            farm.finish(&claimed, completed()).await;
            return Some((Status::Completed, None));
        }
        End::Fails(reason) => {
            farm.fail(id, &device, REASONS[reason]).await;
            return Some((Status::Failed, Some(REASONS[reason])));
        }
        End::Retried if made.serial.is_some() => {
            farm.fail(id, &device, REASONS[0]).await;
            farm.store.retry(id, at(30)).await.expect("retries");
            return Some((Status::Pending, None));
        }
        End::Retried | End::Deleted => farm.store.delete(vec![id]).await.expect("deletes"),
    };
    None
}

/// Each value of each column alone and with each value of each other column, and none.
fn filters() -> Vec<TaskFilter> {
    let any = TaskFilter::default();
    let mut values: Vec<TaskFilter> = Vec::new();
    let mut add = |change: &dyn Fn(&mut TaskFilter)| {
        let mut filter = any.clone();
        change(&mut filter);
        values.push(filter);
    };
    for status in Status::ALL {
        add(&|filter| filter.status = Some(status));
    }
    for name in ["a", "b", "nowhere"] {
        add(&|filter| filter.serial = Some(serial_of(name)));
    }
    for name in ["anna", "bert", "nobody"] {
        add(&|filter| filter.username = Some(username_of(name)));
    }
    for name in SCRIPTS {
        add(&|filter| filter.script_name = Some(script_of(name)));
    }
    for source in [Source::Api, Source::Ui] {
        add(&|filter| filter.source = Some(source));
    }
    for name in BATCHES {
        add(&|filter| filter.batch_id = Some(name.to_owned()));
    }
    for reason in REASONS {
        add(&|filter| filter.failure_reason = Some(reason));
    }
    let mut filters = vec![any];
    for (place, one) in values.iter().enumerate() {
        // With itself: alone.
        filters.extend(values[place..].iter().map(|other| both(one, other)));
    }
    filters
}

fn both(one: &TaskFilter, other: &TaskFilter) -> TaskFilter {
    TaskFilter {
        status: one.status.or(other.status),
        serial: one.serial.clone().or(other.serial.clone()),
        username: one.username.clone().or(other.username.clone()),
        script_name: one.script_name.clone().or(other.script_name.clone()),
        source: one.source.or(other.source),
        batch_id: one.batch_id.clone().or(other.batch_id.clone()),
        failure_reason: one.failure_reason.or(other.failure_reason),
    }
}

/// Changes some of the tasks in each way that tasks change.
async fn change(farm: &Farm, rows: &mut Vec<Row>) {
    for row in rows.iter_mut().filter(|row| row.id % 2 == 0) {
        let id = TaskId(row.id);
        let (status, reason) = match row.status {
            Status::Pending => {
                end(
                    farm,
                    id,
                    &Made {
                        end: End::Completes,
                        ..row.made.clone()
                    },
                )
                .await
            }
            Status::Failed if row.made.serial.is_some() => {
                farm.store.retry(id, at(40)).await.expect("retries");
                Some((Status::Pending, None))
            }
            _ => continue,
        }
        .expect("stays");
        (row.status, row.reason) = (status, reason);
    }
    let gone = |row: &Row| row.id % 3 == 0 && row.status == Status::Completed;
    let ids = rows.iter().filter(|row| gone(row)).map(|row| TaskId(row.id)).collect();
    farm.store.delete(ids).await.expect("deletes");
    rows.retain(|row| !gone(row));
}

/// Has what is quiet counted; answers how many blocks are.
async fn become_quiet(farm: &Farm) -> i64 {
    for _ in 0..2 {
        farm.store.count_quiet().await.expect("counts");
    }
    let options = SqliteConnectOptions::new().filename(farm.path());
    let mut other = options.connect().await.expect("connects");
    let counted = sqlx::query_scalar("SELECT count(*) FROM quiet_block WHERE counted = 1");
    counted.fetch_one(&mut other).await.expect("reads")
}

async fn check(farm: &Farm, rows: &[Row], page_size: u32) {
    for filter in filters() {
        let named = rows.iter().filter(|row| row.is_named_by(&filter));
        let wanted = named.map(|row| row.id).collect::<Vec<_>>();
        let size = usize::try_from(page_size).expect("fits");
        let pages = u32::try_from(wanted.len().div_ceil(size)).expect("fits");
        for page in [1, 2, pages, pages + 1].into_iter().filter(|page| *page > 0) {
            let (total, tasks) = farm.store.list_tasks(&filter, page, page_size).await.expect("reads");
            assert_eq!(total, wanted.len() as u64, "{filter:?}");
            let first = size * usize::try_from(page - 1).expect("fits");
            let on_page = wanted.iter().skip(first).take(size).copied().collect::<Vec<_>>();
            let ids = tasks.iter().map(|task| task.id.0).collect::<Vec<_>>();
            assert_eq!(ids, on_page, "page {page} by {page_size} of {filter:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn each_page_of_each_filter_holds_what_a_filter_over_all_tasks_holds(all in made(), page_size in 1..9_u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let farm = Farm::new().await;
            let mut rows = make(&farm, &all).await;
            check(&farm, &rows, page_size).await;
            let counted = become_quiet(&farm).await;
            assert!(rows.is_empty() || counted > 0);
            check(&farm, &rows, page_size).await;
            change(&farm, &mut rows).await;
            check(&farm, &rows, page_size).await;
            become_quiet(&farm).await;
            check(&farm, &rows, page_size).await;
        });
    }
}

#[tokio::test]
async fn kinds_that_have_come_to_zero_are_forgotten() {
    let farm = Farm::new().await;
    let options = SqliteConnectOptions::new().filename(farm.path());
    let mut other = options.connect().await.expect("connects");
    let ids = farm.submit(vec![task_for("a", None); 5]).await;
    let claimed = farm.claim(ids[0], "a", None).await;
    farm.finish(&claimed, completed()).await;
    farm.store.delete(ids[1..].to_vec()).await.expect("deletes");

    farm.store.prune(at(30)).await.expect("prunes");

    let rows: Vec<(i64, i64, i64)> = sqlx::query_as("SELECT block, status, n FROM task_count ORDER BY block")
        .fetch_all(&mut other)
        .await
        .expect("reads");
    assert_eq!(rows, [(-1, 2, 1), (0, 2, 1)]);
}
