//! Schedules and their runs.

use std::collections::HashMap;

use farmhand_actors::{
    domain::{
        ScheduleId, TaskId, Timestamp,
        schedule::{Misfire, Recurrence, Schedule, ScheduleRun, ScheduleSpec},
    },
    ports::{NewRun, NewSchedule, RunStored, ScheduleChange, ScheduleWritten},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    submit::create_tasks,
    transaction::Transaction,
    value::{get, get_json, get_time, get_time_opt, get_unsigned, json, millis},
};

/// How long runs are kept besides the latest: a clock that is set back by less finds what took place.
const RUNS_KEPT_MS: i64 = 31 * 24 * 60 * 60 * 1000;

/// A stored schedule that this version does not understand.
pub(super) struct Strange {
    pub(super) id: ScheduleId,
    pub(super) name: String,
    pub(super) problem: String,
}

/// All schedules, by number. Those that this version does not understand (the time zone database goes on, too) are apart:
/// they keep no other from its runs.
pub(super) async fn list_schedules(conn: &mut SqliteConnection) -> Result<(Vec<Schedule>, Vec<Strange>), Fault> {
    let rows = sqlx::query("SELECT * FROM schedule ORDER BY id")
        .fetch_all(conn)
        .await?;
    let (mut schedules, mut strange) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in &rows {
        match schedule_of(row) {
            Ok(schedule) => schedules.push(schedule),
            Err(Fault::Row(problem)) => strange.push(Strange {
                id: ScheduleId(get(row, "id")?),
                name: get(row, "name")?,
                problem,
            }),
            Err(fault) => return Err(fault),
        }
    }
    Ok((schedules, strange))
}

/// One schedule.
pub(super) async fn find_schedule(conn: &mut SqliteConnection, id: ScheduleId) -> Result<Option<Schedule>, Fault> {
    let row = sqlx::query("SELECT * FROM schedule WHERE id = ?1")
        .bind(id.0)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(schedule_of).transpose()
}

/// Each schedule with its latest run, if it has one.
pub(super) async fn with_latest_runs(
    conn: &mut SqliteConnection,
    schedules: Vec<Schedule>,
) -> Result<Vec<(Schedule, Option<ScheduleRun>)>, Fault> {
    let ids = schedules.iter().map(|schedule| schedule.id).collect::<Vec<_>>();
    let rows = sqlx::query(include_str!("queries/list_latest_runs.sql"))
        .bind(json(&ids)?)
        .fetch_all(conn)
        .await?;
    let runs = rows
        .iter()
        .map(|row| Ok((ScheduleId(get(row, "schedule_id")?), run_of(row)?)));
    let mut runs = runs.collect::<Result<HashMap<_, _>, Fault>>()?;
    let with_run = |schedule: Schedule| {
        let run = runs.remove(&schedule.id);
        (schedule, run)
    };
    Ok(schedules.into_iter().map(with_run).collect())
}

/// Instants from `since` on for which these schedules had planned runs with tasks.
pub(super) async fn list_planned_runs(
    conn: &mut SqliteConnection,
    schedules: &[ScheduleId],
    since: Timestamp,
) -> Result<HashMap<ScheduleId, Vec<Timestamp>>, Fault> {
    let rows = sqlx::query(include_str!("queries/list_planned_runs.sql"))
        .bind(json(&schedules)?)
        .bind(millis(since))
        .fetch_all(conn)
        .await?;
    let mut runs: HashMap<ScheduleId, Vec<Timestamp>> = HashMap::new();
    for row in &rows {
        let of_schedule = runs.entry(ScheduleId(get(row, "schedule_id")?)).or_default();
        of_schedule.push(get_time(row, "planned_at")?);
    }
    Ok(runs)
}

/// Creates one, unless its name is taken or there are too many.
pub(super) async fn create_schedule(tx: &mut Transaction, new: &NewSchedule) -> Result<ScheduleWritten, Fault> {
    if is_taken(tx, &new.spec.name, ScheduleId(0)).await? {
        return Ok(ScheduleWritten::NameTaken);
    }
    let row = sqlx::query(include_str!("queries/insert_schedule.sql"))
        .bind(&new.spec.name)
        .bind(new.spec.enabled)
        .bind(json(&new.spec.request)?)
        .bind(json(new.spec.recurrence.text())?)
        .bind(new.spec.misfire.as_str())
        .bind(new.spec.misfire_cap)
        .bind(new.seed.cast_signed())
        .bind(new.next.map(millis))
        .bind(millis(new.at))
        .bind(i64::try_from(new.limit).unwrap_or(i64::MAX))
        .fetch_optional(&mut tx.conn)
        .await?;
    match row {
        Some(row) => Ok(ScheduleWritten::Stored(Box::new(schedule_of(&row)?))),
        None => Ok(ScheduleWritten::TooMany),
    }
}

/// Changes one, if it still has the revision that the change was made for.
pub(super) async fn change_schedule(tx: &mut Transaction, change: &ScheduleChange) -> Result<ScheduleWritten, Fault> {
    if is_taken(tx, &change.spec.name, change.id).await? {
        return Ok(ScheduleWritten::NameTaken);
    }
    let row = sqlx::query(include_str!("queries/update_schedule.sql"))
        .bind(change.id.0)
        .bind(change.revision)
        .bind(&change.spec.name)
        .bind(change.spec.enabled)
        .bind(json(&change.spec.request)?)
        .bind(json(change.spec.recurrence.text())?)
        .bind(change.spec.misfire.as_str())
        .bind(change.spec.misfire_cap)
        .bind(change.replanned.is_some())
        .bind(change.replanned.flatten().map(millis))
        .bind(millis(change.at))
        .fetch_optional(&mut tx.conn)
        .await?;
    match row {
        Some(row) => Ok(ScheduleWritten::Stored(Box::new(schedule_of(&row)?))),
        None if find_schedule(&mut tx.conn, change.id).await?.is_some() => Ok(ScheduleWritten::Changed),
        None => Ok(ScheduleWritten::NotFound),
    }
}

/// Deletes one with its runs.
pub(super) async fn delete_schedule(tx: &mut Transaction, id: &ScheduleId) -> Result<bool, Fault> {
    let deleted = sqlx::query("DELETE FROM schedule WHERE id = ?1")
        .bind(id.0)
        .execute(&mut tx.conn)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Stores a run, its tasks and the schedule's next run.
pub(super) async fn store_run(tx: &mut Transaction, run: &NewRun) -> Result<RunStored, Fault> {
    let current = sqlx::query("SELECT 1 FROM schedule WHERE id = ?1 AND revision = ?2")
        .bind(run.schedule.0)
        .bind(run.revision)
        .fetch_optional(&mut tx.conn)
        .await?;
    if current.is_none() {
        return Ok(RunStored::Stale);
    }
    if !run.manual {
        sqlx::query("UPDATE schedule SET next_at = ?2 WHERE id = ?1")
            .bind(run.schedule.0)
            .bind(run.next.map(millis))
            .execute(&mut tx.conn)
            .await?;
    }
    if !run.manual && has_run(tx, run).await? {
        return Ok(RunStored::AlreadyRun);
    }
    let planned_at = if run.manual {
        free_instant(tx, run).await?
    } else {
        millis(run.planned_at)
    };
    let task_ids = create_tasks(tx, &run.tasks, run.at).await?;
    sqlx::query(include_str!("queries/insert_run.sql"))
        .bind(run.schedule.0)
        .bind(planned_at)
        .bind(run.manual)
        .bind(millis(run.at))
        .bind(run.revision)
        .bind((!task_ids.is_empty()).then_some(&run.batch_id))
        .bind(task_ids.first().map(|task| task.0))
        .bind(i64::try_from(task_ids.len()).unwrap_or(i64::MAX))
        .bind(&run.remark)
        .bind(planned_at.saturating_sub(RUNS_KEPT_MS))
        .execute(&mut tx.conn)
        .await?;
    Ok(RunStored::Fired(task_ids))
}

/// Whether the planned instant has had its run; one that created no task gives its place to one that does.
async fn has_run(tx: &mut Transaction, run: &NewRun) -> Result<bool, Fault> {
    let row = sqlx::query(
        "SELECT 1 FROM schedule_run
         WHERE schedule_id = ?1 AND planned_at = ?2 AND manual = 0 AND batch_id IS NOT NULL",
    )
    .bind(run.schedule.0)
    .bind(millis(run.planned_at))
    .fetch_optional(&mut tx.conn)
    .await?;
    Ok(row.is_some())
}

/// The instant of a run by hand, or the next millisecond that has none: whoever asks for a run gets one.
async fn free_instant(tx: &mut Transaction, run: &NewRun) -> Result<i64, Fault> {
    let row = sqlx::query(
        "SELECT min(at) AS free
         FROM (SELECT ?2 AS at
               UNION ALL SELECT planned_at + 1 FROM schedule_run
                         WHERE schedule_id = ?1 AND planned_at >= ?2 AND manual = 1) AS candidate
         WHERE NOT EXISTS (SELECT 1 FROM schedule_run
                           WHERE schedule_id = ?1 AND planned_at = candidate.at AND manual = 1)",
    )
    .bind(run.schedule.0)
    .bind(millis(run.planned_at))
    .fetch_one(&mut tx.conn)
    .await?;
    get(&row, "free")
}

async fn is_taken(tx: &mut Transaction, name: &str, besides: ScheduleId) -> Result<bool, Fault> {
    let row = sqlx::query("SELECT 1 FROM schedule WHERE name = ?1 AND id <> ?2")
        .bind(name.to_owned())
        .bind(besides.0)
        .fetch_optional(&mut tx.conn)
        .await?;
    Ok(row.is_some())
}

fn schedule_of(row: &SqliteRow) -> Result<Schedule, Fault> {
    let recurrence = Recurrence::compile(get_json(row, "recurrence")?).map_err(|faults| {
        Fault::Row(format!(
            "the database holds a schedule that this version does not understand: {faults:?}"
        ))
    })?;
    let misfire: &str = get(row, "misfire")?;
    let misfire = Misfire::from_word(misfire)
        .ok_or_else(|| Fault::Row(format!("the database holds a misfire {misfire}, which is none")))?;
    Ok(Schedule {
        id: ScheduleId(get(row, "id")?),
        revision: get_unsigned(row, "revision")?,
        spec: ScheduleSpec {
            name: get(row, "name")?,
            request: get_json(row, "request")?,
            recurrence,
            misfire,
            misfire_cap: get_unsigned(row, "misfire_cap")?,
            enabled: get(row, "enabled")?,
        },
        seed: get::<i64>(row, "seed")?.cast_unsigned(),
        next: get_time_opt(row, "next_at")?,
        planned_since: get_time(row, "planned_since")?,
        created_at: get_time(row, "created_at")?,
        updated_at: get_time(row, "updated_at")?,
    })
}

fn run_of(row: &SqliteRow) -> Result<ScheduleRun, Fault> {
    Ok(ScheduleRun {
        planned_at: get_time(row, "planned_at")?,
        manual: get(row, "manual")?,
        fired_at: get_time(row, "fired_at")?,
        revision: get_unsigned(row, "revision")?,
        batch_id: get(row, "batch_id")?,
        first_task: get::<Option<i64>>(row, "first_task")?.map(TaskId),
        task_count: get_unsigned(row, "task_count")?,
        remark: get(row, "remark")?,
    })
}
