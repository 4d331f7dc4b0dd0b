//! Tasks, attempts and steps as the API shows them.

use farmhand_actors::{
    domain::{Attempt, Failure, NewTask, Progress, StepRecord, Task},
    router::Deleted,
};
use serde_json::{Value, json};

use crate::http::{envelope::instant, evidence};

/// A task. It is taken apart, so that a new field cannot be forgotten here.
pub fn task(task: &Task) -> Value {
    let Task {
        id,
        request,
        state,
        purpose: _,
        created_at,
        started_at,
        finished_at,
        retry_count,
        ..
    } = task;
    let Task {
        progress,
        remark,
        failure,
        ..
    } = task;
    let NewTask {
        batch_id,
        script,
        config,
        serial,
        username,
        enable_multi_account,
        source,
        start_time,
        schedule,
        priority,
        ..
    } = request;
    json!({
        "id": id,
        "batch_id": batch_id,
        "script_name": script,
        "script_config": config,
        "serial": serial,
        "username": username,
        "enable_multi_account": enable_multi_account,
        "source": source.as_str(),
        "status": state.status().number(),
        "status_text": state.status().as_str(),
        "start_time": start_time,
        "scheduled_at": request.scheduled_at.map(instant),
        "created_at": instant(*created_at),
        "started_at": started_at.map(instant),
        "finished_at": finished_at.map(instant),
        "schedule_id": schedule,
        "priority": priority,
        "retry_count": retry_count,
        "progress": progress.as_ref().map(progress_view),
        "remark": remark,
        "failure": failure.as_ref().map(failure_view),
    })
}

/// An attempt with its steps.
pub fn attempt(attempt: &Attempt) -> Value {
    let Attempt {
        id: _,
        number,
        purpose,
        serial,
        username,
        started_at,
        finished_at,
        outcome,
        flow_hash,
        steps,
    } = attempt;
    json!({
        "number": number,
        "purpose": purpose.as_str(),
        "serial": serial,
        "username": username,
        "started_at": instant(*started_at),
        "finished_at": finished_at.map(instant),
        "outcome": outcome,
        "flow_hash": flow_hash,
        "steps": steps.iter().map(step).collect::<Vec<_>>(),
    })
}

/// What a delete did.
pub fn deleted(done: &Deleted) -> Value {
    json!({ "deleted_count": done.deleted.len(), "deleted": done.deleted, "not_found": done.not_found })
}

fn step(step: &StepRecord) -> Value {
    let StepRecord {
        index,
        command,
        label,
        state,
        started_at,
        duration_ms,
        error,
        detail,
        screenshot,
        hierarchy,
    } = step;
    json!({
        "index": index,
        "command": command,
        "label": label,
        "state": state.as_str(),
        "started_at": instant(*started_at),
        "duration_ms": duration_ms,
        "error": error,
        "selector": told(detail.as_ref(), "selector"),
        "matched": told(detail.as_ref(), "matched"),
        "waited_ms": told(detail.as_ref(), "waited_ms"),
        "detail": detail,
        "screenshot": screenshot.as_deref().map(evidence::url),
        "hierarchy": hierarchy.as_deref().map(evidence::url),
    })
}

/// What every step that looks for something tells under the same name.
fn told<'a>(detail: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    detail?.get(name)
}

fn progress_view(progress: &Progress) -> Value {
    json!({ "step": progress.step, "steps": progress.steps, "label": progress.label })
}

fn failure_view(failure: &Failure) -> Value {
    json!({
        "reason": failure.reason.as_str(),
        "message": failure.message,
        "step": failure.step,
        "retryable": failure.retryable,
    })
}
