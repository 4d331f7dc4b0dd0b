//! Schedules as the API shows them.

use farmhand_actors::domain::{
    SubmitTarget, Timestamp,
    schedule::{Recurrence, RecurrenceText, Schedule, ScheduleRun, ScheduleSpec, ScheduledRequest, WindowText},
};
use serde_json::{Map, Value, json};

use super::ports::ScheduleShown;
use crate::http::envelope::instant;

/// How many of the next runs are shown.
const NEXT_RUNS: usize = 5;

/// A schedule: what a client may write, and what became of it.
pub fn schedule(shown: &ScheduleShown, now: Timestamp) -> Value {
    let ScheduleShown {
        schedule,
        last_run,
        ran,
    } = shown;
    let Schedule {
        id,
        revision,
        spec,
        seed: _,
        next: _,
        planned_since: _,
        created_at,
        updated_at,
    } = schedule;
    let next_runs = schedule.next_starts(now, NEXT_RUNS, ran);
    let mut fields = writable(spec);
    fields.extend([
        ("id".to_owned(), json!(id)),
        ("revision".to_owned(), json!(revision)),
        ("next_runs".to_owned(), next_runs.into_iter().map(instant).collect()),
        ("last_run".to_owned(), json!(last_run.as_ref().map(run))),
        ("created_at".to_owned(), json!(instant(*created_at))),
        ("updated_at".to_owned(), json!(instant(*updated_at))),
    ]);
    Value::Object(fields)
}

/// A schedule as it was just written, with what the client should know of it.
pub fn written(shown: &ScheduleShown, now: Timestamp, warnings: &[String]) -> Value {
    let mut value = schedule(shown, now);
    if let Value::Object(fields) = &mut value {
        fields.insert("warnings".to_owned(), json!(warnings));
    }
    value
}

/// What a client may write, all fields.
pub fn writable(spec: &ScheduleSpec) -> Map<String, Value> {
    let ScheduleSpec {
        name,
        request,
        recurrence,
        misfire,
        misfire_cap,
        enabled,
    } = spec;
    let mut fields = request_fields(request);
    fields.extend(recurrence_fields(recurrence));
    fields.extend([
        ("name".to_owned(), json!(name)),
        ("misfire".to_owned(), json!(misfire.as_str())),
        ("misfire_cap".to_owned(), json!(misfire_cap)),
        ("enabled".to_owned(), json!(enabled)),
    ]);
    fields
}

fn request_fields(request: &ScheduledRequest) -> Map<String, Value> {
    let ScheduledRequest {
        target,
        script,
        config,
        enable_multi_account,
        interval_minutes,
        priority,
        source: _,
    } = request;
    let (serials, usernames) = match target {
        SubmitTarget::Devices(serials) => (Some(serials), None),
        SubmitTarget::Accounts(usernames) => (None, Some(usernames)),
    };
    named([
        ("serials", json!(serials)),
        ("usernames", json!(usernames)),
        ("script_name", json!(script)),
        ("script_config", config.clone()),
        ("enable_multi_account", json!(enable_multi_account)),
        ("min_interval", json!(interval_minutes.map(|(min, _)| min))),
        ("max_interval", json!(interval_minutes.map(|(_, max)| max))),
        ("priority", json!(priority)),
    ])
}

fn recurrence_fields(recurrence: &Recurrence) -> Map<String, Value> {
    let RecurrenceText {
        cron,
        times,
        time_zone,
        days,
        window,
        jitter_s,
    } = recurrence.text();
    let window = window
        .as_ref()
        .map(|WindowText { from, to }| json!({ "from": from, "to": to }));
    named([
        ("cron", json!(cron)),
        ("times", json!(times)),
        ("time_zone", json!(time_zone)),
        ("days", json!(days)),
        ("window", json!(window)),
        ("jitter_s", json!(jitter_s)),
    ])
}

fn run(run: &ScheduleRun) -> Value {
    let ScheduleRun {
        planned_at,
        manual,
        fired_at,
        revision,
        batch_id,
        first_task: _,
        task_count: _,
        remark,
    } = run;
    json!({
        "planned_at": instant(*planned_at),
        "manual": manual,
        "fired_at": instant(*fired_at),
        "revision": revision,
        "batch_id": batch_id,
        "task_ids": run.task_ids().collect::<Vec<_>>(),
        "remark": remark,
    })
}

fn named<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
