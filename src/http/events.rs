//! `GET /api/v1/events`: what happens on the farm, as Server-Sent Events (HTML standard, section 9.2).
//!
//! A client is never ahead of what it has read: its next events are fetched when it takes them, so a slow client
//! costs no memory. One that comes back too late gets `event: gap` for what is no longer kept.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, header},
    web,
};
use bytes::Bytes;
use farmhand_actors::domain::Event;
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    envelope::{Answer, ApiError, instant},
    query::Query,
    state::App,
};

/// A comment is sent this often when nothing happens, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events fetched at once.
const FETCH: u32 = 100;
/// Pause after the store could not be read.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// What a client is told to wait before it reconnects, milliseconds.
const RECONNECT_MS: u32 = 2000;

/// `GET /api/v1/events`
pub async fn follow(app: web::Data<App>, request: HttpRequest) -> Answer {
    let after = parse_place(&request)?;
    // Without a body there is nothing to wait for.
    if request.method() == Method::HEAD {
        return Ok(head().finish());
    }
    let place = Arc::clone(&app.streams).try_acquire_owned();
    let place = place.map_err(|_| ApiError::RateLimited {
        message: "too many followers",
        retry_after_s: 10,
    })?;
    Ok(head().streaming(messages(Follower::new(app, after, place))))
}

fn head() -> HttpResponseBuilder {
    let mut head = HttpResponse::Ok();
    head.content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"));
    head
}

/// The place after which to begin: a header as browsers send it on reconnecting, a parameter for everybody else.
fn parse_place(request: &HttpRequest) -> Result<Option<i64>, ApiError> {
    let mut query = Query::of(request, &["last_event_id"]);
    let parse = |text: &str| match text.parse::<i64>() {
        Ok(place) if place >= 0 => Ok(place),
        _ => Err("must be the id of an event: a whole number from 0"),
    };
    let by_query = query.parsed("last_event_id", parse);
    let by_query = query.finish(by_query)?;
    match request.headers().get("last-event-id") {
        Some(id) => {
            let place = id.to_str().map_err(|_| "must be a number").and_then(parse);
            place
                .map(Some)
                .map_err(|problem| ApiError::invalid("Last-Event-ID", problem))
        }
        None => Ok(by_query),
    }
}

/// One client.
struct Follower {
    app: web::Data<App>,
    newest: watch::Receiver<i64>,
    /// The place of the last event that was sent.
    sent: i64,
    /// Messages that were fetched and not taken yet: at most [`FETCH`] and a gap.
    ready: VecDeque<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    fn new(app: web::Data<App>, after: Option<i64>, place: OwnedSemaphorePermit) -> Self {
        let newest = app.state.reads.event_watch();
        let head = *newest.borrow();
        let mut ready = VecDeque::from([Bytes::from(format!("retry: {RECONNECT_MS}\n\n"))]);
        // A place that was never reached is from another database: what the client knows is worth nothing.
        if after.is_some_and(|after| after > head) {
            ready.push_back(gap(0, head));
        }
        let sent = after.map_or(head, |after| after.min(head));
        Self {
            app,
            newest,
            sent,
            ready,
            _place: place,
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.app.state.health.is_draining() {
                return None;
            }
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let head = *self.newest.borrow_and_update();
            if head > self.sent {
                self.fetch(head).await;
                continue;
            }
            let app = self.app.clone();
            tokio::select! {
                () = app.state.health.drained() => return None,
                changed = self.newest.changed() => changed.ok()?,
                () = tokio::time::sleep(HEARTBEAT) => return Some(Bytes::from_static(b": still here\n\n")),
            }
        }
    }

    /// Fetches what there is after the last event sent; `head` was the newest place before this was asked.
    async fn fetch(&mut self, head: i64) {
        let page = match self.app.state.reads.events_after(self.sent, FETCH).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "events could not be read");
                tokio::time::sleep(STORE_PAUSE).await;
                return;
            }
        };
        if page.oldest_retained > self.sent + 1 {
            self.ready.push_back(gap(self.sent, page.oldest_retained - 1));
            self.sent = page.oldest_retained - 1;
        }
        if page.events.is_empty() {
            // The newest were pruned already: nothing more comes up to here.
            self.sent = self.sent.max(head);
        }
        for event in page.events.iter().filter(|event| event.seq > self.sent) {
            self.ready.push_back(message(event));
        }
        self.sent = page.events.last().map_or(self.sent, |event| self.sent.max(event.seq));
    }
}

fn messages(follower: Follower) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(follower, |mut follower| async move {
        follower.next().await.map(|message| (Ok(message), follower))
    })
}

fn message(event: &Event) -> Bytes {
    // JSON on one line: it cannot break out of its field.
    let data = json!({
        "seq": event.seq,
        "at": instant(event.at),
        "topic": event.event.topic.as_str(),
        "kind": event.event.kind,
        "subject": event.event.subject,
        "data": event.event.data,
    });
    Bytes::from(format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        event.seq,
        event.event.topic.as_str()
    ))
}

fn gap(after: i64, until: i64) -> Bytes {
    let data = json!({ "after": after, "until": until });
    Bytes::from(format!("id: {until}\nevent: gap\ndata: {data}\n\n"))
}
