//! The outbox as its readers see it.

use farmhand_actors::domain::{Event, EventTopic, NewEvent};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::Fault,
    value::{get, get_json, get_time},
};

/// Events after a place, and how far back one can go.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// In order.
    pub events: Vec<Event>,
    /// The oldest event that is still there (or the next one to come, when there is none): a reader whose last event is
    /// older than the one before it has missed some.
    pub oldest_retained: i64,
}

/// Events after `seq`, at most `limit`.
pub(super) async fn list_events(conn: &mut SqliteConnection, seq: i64, limit: u32) -> Result<EventPage, Fault> {
    let rows =
        sqlx::query("SELECT seq, at, topic, kind, subject, data FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")
            .bind(seq)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
    let oldest = sqlx::query(
        "SELECT coalesce((SELECT min(seq) FROM event), (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'event'), 1)
             AS oldest",
    )
    .fetch_one(conn)
    .await?;
    Ok(EventPage {
        events: rows.iter().map(event_of).collect::<Result<_, _>>()?,
        oldest_retained: get(&oldest, "oldest")?,
    })
}

/// The number of the newest event ever written.
pub(super) async fn newest_event(conn: &mut SqliteConnection) -> Result<i64, Fault> {
    let row = sqlx::query("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) AS seq")
        .fetch_one(conn)
        .await?;
    get(&row, "seq")
}

fn event_of(row: &SqliteRow) -> Result<Event, Fault> {
    let word: &str = get(row, "topic")?;
    let topic = [
        EventTopic::Task,
        EventTopic::Device,
        EventTopic::Account,
        EventTopic::Supervisor,
    ]
    .into_iter()
    .find(|topic| topic.as_str() == word)
    .ok_or_else(|| Fault::Row(format!("the database holds an event of {word}, which is no topic")))?;
    Ok(Event {
        seq: get(row, "seq")?,
        at: get_time(row, "at")?,
        event: NewEvent {
            topic,
            kind: get(row, "kind")?,
            subject: get(row, "subject")?,
            data: get_json(row, "data")?,
        },
    })
}
