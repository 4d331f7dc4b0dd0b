//! Webhooks as clients write them.

use base64::{Engine, prelude::BASE64_STANDARD};
use farmhand_actors::domain::{EVENT_KINDS, EventTopic, NewWebhook, WebhookPatch};
use rand::Rng;
use serde_json::Value;

use crate::http::{
    envelope::ApiError,
    fields::{Fields, unknown},
    state::App,
};

const WRITABLE: [&str; 5] = ["url", "events", "secret", "enabled", "description"];
const URL_LIMIT: usize = 2048;
const EVENTS_LIMIT: usize = 100;
const DESCRIPTION_LIMIT: usize = 500;
/// What stands before the base64 of a secret, and how long the secret is, bytes (Standard Webhooks).
const SECRET_PREFIX: &str = "whsec_";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A body of `POST /api/v1/webhook`.
pub async fn parse_new(body: &Value, app: &App) -> Result<NewWebhook, ApiError> {
    let mut fields = Fields::of_body(body, &WRITABLE)?;
    let url = read_url(&mut fields, app).await;
    let url = fields.required("url", url);
    let new = NewWebhook {
        url: url.unwrap_or_default(),
        events: read_events(&mut fields).unwrap_or_default(),
        secret: read_secret(&mut fields).unwrap_or_else(new_secret),
        enabled: fields.flag("enabled").unwrap_or(true),
        description: read_description(&mut fields).unwrap_or_default(),
        created_at: app.now(),
    };
    fields.finish(new)
}

/// A body of `PATCH /api/v1/webhook/{id}`.
pub async fn parse_patch(body: &Value, app: &App) -> Result<WebhookPatch, ApiError> {
    let mut fields = Fields::of_body(body, &WRITABLE)?;
    for name in ["url", "secret", "enabled"] {
        if fields.is_null(name) {
            fields.fault(name, "must not be null; leave it out to keep it");
        }
    }
    let patch = WebhookPatch {
        url: read_url(&mut fields, app).await,
        events: if fields.is_null("events") {
            Some(Vec::new())
        } else {
            read_events(&mut fields)
        },
        secret: read_secret(&mut fields),
        enabled: fields.flag("enabled"),
        description: if fields.is_null("description") {
            Some(String::new())
        } else {
            read_description(&mut fields)
        },
    };
    fields.finish(patch)
}

async fn read_url(fields: &mut Fields<'_>, app: &App) -> Option<String> {
    let url = fields.text("url", URL_LIMIT)?.trim().to_owned();
    match app.state.sender.check_target(&url).await {
        Ok(()) => Some(url),
        Err(problem) => {
            fields.fault("url", problem);
            None
        }
    }
}

/// Kinds and topics, without repeats; none means all.
fn read_events(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let topics = EventTopic::ALL.map(EventTopic::as_str);
    let known: Vec<&str> = EVENT_KINDS.into_iter().chain(topics).collect();
    let mut events: Vec<String> = Vec::new();
    for (place, word) in fields.texts("events", EVENTS_LIMIT)? {
        let word = word.trim();
        if !known.contains(&word) {
            fields.fault(&format!("events[{place}]"), unknown(word, &known, "kind of event"));
        } else if events.iter().all(|other| other != word) {
            events.push(word.to_owned());
        }
    }
    Some(events)
}

fn read_secret(fields: &mut Fields<'_>) -> Option<String> {
    fields.parsed("secret", |text| {
        let key = text
            .strip_prefix(SECRET_PREFIX)
            .and_then(|key| BASE64_STANDARD.decode(key).ok());
        match key.filter(|key| SECRET_BYTES.contains(&key.len())) {
            Some(_) => Ok(text.to_owned()),
            None => Err("must be whsec_ and the base64 of 24 to 64 bytes; leave it out to have one made"),
        }
    })
}

fn read_description(fields: &mut Fields<'_>) -> Option<String> {
    fields
        .text("description", DESCRIPTION_LIMIT)
        .map(|text| text.trim().to_owned())
}

fn new_secret() -> String {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(key))
}
