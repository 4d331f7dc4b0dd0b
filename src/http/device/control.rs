//! A person's own hand on a phone: taps, keys, text, links, shells. Refused while a task runs there.

use std::{sync::Arc, time::Duration};

use actix_web::web;
use farmhand_actors::{
    domain::Package,
    ports::{DeviceDriver, Point, ShellCommand, ShellOutput},
};
use serde_json::{Value, json};

use super::parse_serial;
use crate::http::{
    auth::AdminOnly,
    body::JsonBody,
    envelope::{Answer, ApiError, success},
    fields::{Fields, id},
    state::App,
};

/// No screen has more pixels in a row or a column.
const COORDINATE_LIMIT: i64 = 16_384;
const TEXT_LIMIT: usize = 10_000;
const LINK_LIMIT: usize = 4096;
const SHELL_WORDS_LIMIT: usize = 256;
const SHELL_DEADLINE_MS: i64 = 60_000;
/// What a shell command prints beyond this is cut off, bytes.
const SHELL_OUTPUT_LIMIT: usize = 1 << 20;
/// Keys by name: Android's `KEYCODE_…`.
const KEYS: [(&str, u32); 14] = [
    ("home", 3),
    ("back", 4),
    ("up", 19),
    ("down", 20),
    ("left", 21),
    ("right", 22),
    ("volume_up", 24),
    ("volume_down", 25),
    ("power", 26),
    ("tab", 61),
    ("enter", 66),
    ("delete", 67),
    ("recent_apps", 187),
    ("wake_up", 224),
];

/// `POST /api/v1/device/{serial}/tap`
pub async fn tap(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let at = parse_tap(&body)?;
    acting(&app, &path).await?.tap(at).await?;
    done()
}

/// `POST /api/v1/device/{serial}/swipe`
pub async fn swipe(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let (from, to, duration) = parse_swipe(&body)?;
    acting(&app, &path).await?.swipe(from, to, duration).await?;
    done()
}

/// `POST /api/v1/device/{serial}/key`
pub async fn key(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let code = parse_key(&body)?;
    acting(&app, &path).await?.key(code).await?;
    done()
}

/// `POST /api/v1/device/{serial}/text`
pub async fn text(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let text = parse_text(&body)?;
    acting(&app, &path).await?.type_text(&text).await?;
    done()
}

/// `POST /api/v1/device/{serial}/open_link`
pub async fn open_link(app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let (link, package) = parse_link(&body)?;
    acting(&app, &path).await?.open_link(&link, package.as_ref()).await?;
    done()
}

/// `POST /api/v1/device/{serial}/shell`
pub async fn shell(_: AdminOnly, app: web::Data<App>, path: web::Path<String>, JsonBody(body): JsonBody) -> Answer {
    let command = parse_shell(&body)?;
    let output = acting(&app, &path).await?.shell(command).await?;
    Ok(success(&shell_view(&output)))
}

/// The driver for something that changes the phone.
pub async fn acting(app: &App, serial: &str) -> Result<Arc<dyn DeviceDriver>, ApiError> {
    Ok(app.state.farm.driver(parse_serial(serial)?, true).await?)
}

/// An answer without data.
pub fn done() -> Answer {
    Ok(success(&json!({})))
}

fn coordinate(fields: &mut Fields<'_>, name: &str) -> i32 {
    let number = fields.integer(name, 0..=COORDINATE_LIMIT);
    fields
        .required(name, number)
        .and_then(|number| i32::try_from(number).ok())
        .unwrap_or(0)
}

fn parse_tap(body: &Value) -> Result<Point, ApiError> {
    let mut fields = Fields::of_body(body, &["x", "y"])?;
    let at = Point {
        x: coordinate(&mut fields, "x"),
        y: coordinate(&mut fields, "y"),
    };
    fields.finish(at)
}

fn parse_swipe(body: &Value) -> Result<(Point, Point, Duration), ApiError> {
    let mut fields = Fields::of_body(body, &["x1", "y1", "x2", "y2", "duration_ms"])?;
    let from = Point {
        x: coordinate(&mut fields, "x1"),
        y: coordinate(&mut fields, "y1"),
    };
    let to = Point {
        x: coordinate(&mut fields, "x2"),
        y: coordinate(&mut fields, "y2"),
    };
    let duration_ms = fields.integer("duration_ms", 1..=10_000).unwrap_or(300);
    fields.finish((from, to, Duration::from_millis(duration_ms.unsigned_abs())))
}

fn parse_key(body: &Value) -> Result<u32, ApiError> {
    let mut fields = Fields::of_body(body, &["code", "key"])?;
    let code = fields
        .integer("code", 0..=1000)
        .and_then(|code| u32::try_from(code).ok());
    let named = fields.parsed("key", |word| {
        let found = KEYS.iter().find(|(name, _)| *name == word).map(|(_, code)| *code);
        found.ok_or_else(|| format!("must be one of: {}", KEYS.map(|(name, _)| name).join(", ")))
    });
    match (fields.value("code").is_some(), fields.value("key").is_some()) {
        (false, false) => fields.fault("key", "is required, or code (Android's key code)"),
        (true, true) => fields.fault("code", "must not stand beside key"),
        _ => {}
    }
    fields.finish(code.or(named).unwrap_or(0))
}

fn parse_text(body: &Value) -> Result<String, ApiError> {
    let mut fields = Fields::of_body(body, &["text"])?;
    let text = fields.text("text", TEXT_LIMIT);
    let text = fields.required("text", text).unwrap_or_default();
    if fields.value("text").is_some_and(|value| value == "") {
        fields.fault("text", "must not be empty");
    }
    fields.finish(text.to_owned())
}

fn parse_link(body: &Value) -> Result<(String, Option<Package>), ApiError> {
    let mut fields = Fields::of_body(body, &["link", "package"])?;
    let link = fields.text("link", LINK_LIMIT);
    let link = fields.required("link", link).unwrap_or_default();
    let is_link = link.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c))
            && !rest.is_empty()
    });
    if fields.value("link").is_some_and(Value::is_string) && (!is_link || link.chars().any(char::is_control)) {
        fields.fault("link", "must be a link with its scheme, e.g. https://example.com/");
    }
    let package = fields.parsed("package", id(Package::parse));
    fields.finish((link.to_owned(), package))
}

/// A list of words is a program and its arguments; one text is a line for the phone's own shell.
fn parse_shell(body: &Value) -> Result<ShellCommand, ApiError> {
    let mut fields = Fields::of_body(body, &["command", "timeout_ms"])?;
    let words = match fields.value("command") {
        Some(Value::String(line)) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        _ => {
            let words = fields.texts("command", SHELL_WORDS_LIMIT);
            let words = fields.required("command", words).unwrap_or_default();
            words.into_iter().map(|(_, word)| word.to_owned()).collect()
        }
    };
    let blank = words
        .last()
        .is_none_or(|line| line.trim().is_empty() && words.len() != 2);
    if fields
        .value("command")
        .is_some_and(|value| value.is_string() || value.is_array())
        && blank
    {
        fields.fault("command", "must not be empty");
    }
    if words.iter().any(|word| word.contains('\0')) {
        fields.fault("command", "must not contain NUL");
    }
    let timeout = fields.integer("timeout_ms", 1..=SHELL_DEADLINE_MS);
    let timeout = timeout.map(|timeout_ms| Duration::from_millis(timeout_ms.unsigned_abs()));
    fields.finish(ShellCommand { words, timeout })
}

fn shell_view(output: &ShellOutput) -> Value {
    let text = |bytes: &[u8]| {
        let kept = bytes.get(..SHELL_OUTPUT_LIMIT).unwrap_or(bytes);
        String::from_utf8_lossy(kept).into_owned()
    };
    json!({
        "stdout": text(&output.stdout),
        "stderr": text(&output.stderr),
        "exit_code": output.code,
        "truncated": output.stdout.len().max(output.stderr.len()) > SHELL_OUTPUT_LIMIT,
    })
}
