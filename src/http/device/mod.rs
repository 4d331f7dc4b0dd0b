//! `/api/v1/device`: the phones, what they show, and what a person may change of them.

pub mod control;
pub mod files;
pub mod flow;
pub mod state;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderMap},
    web,
};
use farmhand_actors::{
    domain::{DeviceInfo, DevicePatch, DeviceState, Freshness, ScreenContent, Serial},
    supervisor::DeviceSnapshot,
};
use serde_json::{Value, json};

use super::{
    account::{USUAL_APP, read_app},
    body::JsonBody,
    envelope::{Answer, ApiError, instant, success, success_list},
    fields::{Fields, echo},
    lease::Held,
    ports::PictureFormat,
    query::{NoQuery, Query},
    state::App,
};

const ALIAS_LIMIT: usize = 64;
const TAGS_LIMIT: usize = 32;
const TAG_LIMIT: usize = 64;
/// Most lines of a phone's log in one answer.
const LOG_LIMIT: u32 = 5000;
const LOG_LINES: u32 = 200;
/// What comes next of a device that is drained, instead of a task.
const DRAINED: &str = "gets no new task while it is drained; resume it to go on (farmhand resume --serial)";

/// `GET /api/v1/device`
pub async fn list(_: NoQuery, app: web::Data<App>) -> Answer {
    let (devices, held) = (app.state.farm.devices().await?, Held::read(&app).await?);
    Ok(success_list(
        devices.iter().map(|device| shown(device, &held)).collect(),
    ))
}

/// `GET /api/v1/device/{serial}`
pub async fn get(_: NoQuery, app: web::Data<App>, path: web::Path<String>) -> Answer {
    show(&app, &app.state.farm.device(parse_serial(&path)?).await?).await
}

/// `PATCH /api/v1/device/{serial}`
pub async fn patch(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let serial = parse_serial(&path)?;
    show(
        &app,
        &app.state
            .farm
            .patch_device(serial, parse_patch(&body, &app.settings.apps)?)
            .await?,
    )
    .await
}

/// `GET /api/v1/device/{serial}/screenshot`
pub async fn screenshot(app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request, &["width"]);
    let width = query.integer("width", 16..=4096);
    let width = query.finish(width)?;
    let (format, media_type) = picture_format(request.headers());
    let shot = app
        .state
        .farm
        .driver(parse_serial(&path)?, false)
        .await?
        .capture(Freshness::Shared)
        .await?;
    let (pictures, content) = (app.state.pictures.clone(), shot.content);
    let encoded = web::block(move || pictures.encode(&shot.picture, format, width)).await;
    let picture = encoded.map_err(|error| error.to_string()).and_then(|encoded| encoded);
    let picture = picture.map_err(|problem| ApiError::Internal(format!("a picture cannot be encoded: {problem}")))?;
    let mut answer = HttpResponse::Ok();
    answer.content_type(media_type).insert_header((header::VARY, "Accept"));
    match content {
        ScreenContent::Visible => {}
        ScreenContent::Secure => drop(answer.insert_header(("X-Screen-Secure", "true"))),
        ScreenContent::Asleep => drop(answer.insert_header(("X-Screen-Asleep", "true"))),
    }
    Ok(answer.body(picture))
}

/// `GET /api/v1/device/{serial}/hierarchy`
pub async fn hierarchy(_: NoQuery, app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Answer {
    let driver = app.state.farm.driver(parse_serial(&path)?, false).await?;
    if prefers(
        request.headers(),
        &["application/xml", "text/xml"],
        &["application/json"],
    ) {
        let text = driver.hierarchy_text().await?;
        return Ok(HttpResponse::Ok()
            .content_type("application/xml; charset=utf-8")
            .body(text));
    }
    Ok(success(&json!(driver.hierarchy().await?)))
}

/// `GET /api/v1/device/{serial}/log`
pub async fn log(app: web::Data<App>, path: web::Path<String>, request: HttpRequest) -> Answer {
    let mut query = Query::of(&request, &["lines"]);
    let lines = query.integer("lines", 1..=LOG_LIMIT).unwrap_or(LOG_LINES);
    let lines = query.finish(lines)?;
    let text = app
        .state
        .farm
        .driver(parse_serial(&path)?, false)
        .await?
        .log(lines)
        .await?;
    Ok(success(&json!({ "log": text })))
}

/// Whatever is not a serial is the serial of no device.
pub fn parse_serial(text: &str) -> Result<Serial, ApiError> {
    Serial::parse(text).map_err(|_| ApiError::not_found(format!("device {} does not exist", echo(text))))
}

fn parse_patch(body: &Value, apps: &[String]) -> Result<DevicePatch, ApiError> {
    let mut fields = Fields::of_body(body, &["alias", "tags", "app", "enabled"])?;
    let alias = if fields.is_null("alias") {
        Some(None)
    } else {
        // A blank name is no name.
        fields
            .text("alias", ALIAS_LIMIT)
            .map(|alias| Some(alias.trim().to_owned()).filter(|alias| !alias.is_empty()))
    };
    let tags = fields.texts("tags", TAGS_LIMIT).map(|texts| {
        let mut tags: Vec<String> = Vec::new();
        for (place, text) in texts {
            let tag = text.trim();
            if tag.is_empty() || tag.chars().count() > TAG_LIMIT || tag.contains(',') {
                fields.fault(
                    &format!("tags[{place}]"),
                    format!("must be 1 to {TAG_LIMIT} characters without a comma"),
                );
            } else if !tags.iter().any(|known| known == tag) {
                tags.push(tag.to_owned());
            }
        }
        tags
    });
    let app = if fields.is_null("app") {
        Some(None)
    } else {
        read_app(&mut fields, apps).map(Some)
    };
    let enabled = fields.flag("enabled");
    fields.finish(DevicePatch {
        alias,
        tags,
        app,
        enabled,
    })
}

fn picture_format(headers: &HeaderMap) -> (PictureFormat, &'static str) {
    if prefers(headers, &["image/png"], &["image/jpeg", "image/*", "*/*"]) {
        (PictureFormat::Png, "image/png")
    } else {
        (PictureFormat::Jpeg, "image/jpeg")
    }
}

/// Whether `Accept` names one of `these` with more weight than any of `those`, or with the same but earlier.
fn prefers(headers: &HeaderMap, these: &[&str], those: &[&str]) -> bool {
    let accept = headers
        .get_all(header::ACCEPT)
        .filter_map(|value| value.to_str().ok())
        .collect::<Vec<_>>()
        .join(",");
    let rank = |names: &[&str]| {
        let weights = accept.split(',').enumerate().filter_map(|(place, entry)| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next()?;
            let named = names.iter().any(|known| known.eq_ignore_ascii_case(name));
            let weight = parts
                .find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            (named && weight > 0.0).then_some((weight, place))
        });
        weights.min_by(|(one, first), (other, second)| other.total_cmp(one).then(first.cmp(second)))
    };
    match (rank(these), rank(those)) {
        (Some((this, first)), Some((that, second))) => this > that || (this >= that && first < second),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// A device with who holds it, as the answer.
pub async fn show(app: &App, device: &DeviceSnapshot) -> Answer {
    Ok(success(&shown(device, &Held::read(app).await?)))
}

fn shown(device: &DeviceSnapshot, held: &Held) -> Value {
    let mut shown = view(device);
    if let Value::Object(fields) = &mut shown {
        fields.insert("lease".to_owned(), held.of_device(&device.serial));
        let draining = held.is_drained(&device.serial);
        fields.insert("draining".to_owned(), json!(draining));
        if draining && matches!(device.state, DeviceState::Online | DeviceState::Busy) {
            fields.insert("next_action".to_owned(), json!(DRAINED));
        }
    }
    shown
}

fn view(device: &DeviceSnapshot) -> Value {
    let DeviceSnapshot {
        serial,
        alias,
        tags,
        app,
        enabled,
        state,
        since,
        cause,
        next_action,
        evidence,
        quarantine,
        info,
        ..
    } = device;
    let DeviceSnapshot {
        accounts,
        current_account,
        current_task,
        leased_since,
        last_seen,
        restarts,
        ..
    } = device;
    let DeviceInfo {
        model,
        android_version,
        sdk,
        screen_width,
        screen_height,
        boot_id: _,
        ..
    } = info;
    let screen = screen_width
        .zip(*screen_height)
        .map(|(width, height)| json!({ "width": width, "height": height }));
    json!({
        "serial": serial,
        "alias": alias,
        "tags": tags,
        "app": app.as_deref().unwrap_or(USUAL_APP),
        "enabled": enabled,
        "state": state.as_str(),
        "since": instant(*since),
        "state_since": instant(*since),
        "cause": cause,
        "next_action": next_action,
        "evidence": state::evidence_view(evidence),
        "quarantine": quarantine.as_ref().map(state::quarantine_view),
        "model": model,
        "android_version": android_version,
        "sdk": sdk,
        "screen": screen,
        "battery": battery(info),
        "accounts": accounts,
        "current_account": current_account,
        "current_task": current_task,
        "leased_since": leased_since.map(instant),
        "last_seen": last_seen.map(instant),
        "restarts": restarts,
    })
}

fn battery(info: &DeviceInfo) -> Option<Value> {
    let level = info.battery_level?;
    Some(json!({
        "level": level,
        "temperature_celsius": info.battery_temperature_decicelsius.map(|tenths| f64::from(tenths) / 10.0),
        "charging": info.charging,
    }))
}

#[cfg(test)]
mod tests;
