//! A device's state: what it rests on, and people's word on it.

use actix_web::web;
use farmhand_actors::domain::{AdbEvidence, DeviceEvidence, LastGood, ProbeEvidence, QuarantineInfo};
use serde_json::{Value, json};

use super::{parse_serial, show};
use crate::http::{
    body::{JsonBody, NoFields},
    envelope::{Answer, ApiError, instant},
    fields::Fields,
    state::App,
};

const REASON_LIMIT: usize = 200;

/// `POST /api/v1/device/{serial}/quarantine`
pub async fn quarantine(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let (serial, reason) = (parse_serial(&path)?, parse_reason(&body)?);
    show(&app, &app.state.farm.quarantine_device(serial, reason).await?).await
}

/// `POST /api/v1/device/{serial}/release`
pub async fn release(_: NoFields, app: web::Data<App>, path: web::Path<String>) -> Answer {
    show(&app, &app.state.farm.release_device(parse_serial(&path)?).await?).await
}

/// One line that says to the next person why.
fn parse_reason(body: &Value) -> Result<String, ApiError> {
    let mut fields = Fields::of_body(body, &["reason"])?;
    let text = fields.text("reason", REASON_LIMIT);
    let reason = fields.required("reason", text).map(str::trim);
    if reason.is_some_and(|reason| reason.is_empty() || reason.chars().any(char::is_control)) {
        fields.fault("reason", "must be one line that says why");
    }
    fields.finish(reason.unwrap_or_default().to_owned())
}

pub(super) fn evidence_view(evidence: &DeviceEvidence) -> Value {
    let DeviceEvidence { adb, probe, last_good } = evidence;
    let adb = adb
        .as_ref()
        .map(|AdbEvidence { state, since }| json!({ "state": state.words(), "since": instant(*since) }));
    let probe = probe.as_ref().map(|ProbeEvidence { kind, at, problem }| {
        json!({ "kind": kind.as_str(), "at": instant(*at), "ok": problem.is_none(), "problem": problem })
    });
    let last_good = last_good
        .as_ref()
        .map(|LastGood { command, at }| json!({ "command": command, "at": instant(*at) }));
    json!({ "adb": adb, "probe": probe, "last_good": last_good })
}

pub(super) fn quarantine_view(info: &QuarantineInfo) -> Value {
    let QuarantineInfo {
        by_person,
        reason,
        until,
    } = info;
    let by = if *by_person { "person" } else { "farmhand" };
    json!({ "by": by, "reason": reason, "until": until.map(instant) })
}
