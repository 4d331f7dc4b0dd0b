//! The write transaction that the operations of one instant share.

use std::{borrow::Cow, collections::HashSet};

use farmhand_actors::{
    domain::{Epoch, EventTopic, Lease, NewEvent, TaskId, Timestamp},
    ports::Lane,
};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};

use super::{
    counts::Counts,
    fault::Fault,
    value::{get, json, millis},
};

/// The one connection that writes, and what a transaction on it has gathered so far.
pub(super) struct Transaction {
    pub(super) conn: SqliteConnection,
    /// Changes of the counts, written before the commit.
    pub(super) counts: Counts,
    /// Lanes that are in the table.
    pub(super) known_lanes: HashSet<Lane>,
    /// The newest epoch in the table, if there is any.
    newest_epoch: Option<Epoch>,
    /// The epoch that this process began.
    own_epoch: Option<Epoch>,
    /// The largest numbers that were ever given to rows.
    last_task: i64,
    last_attempt: i64,
    events: Vec<PendingEvent>,
    last_event: i64,
}

/// An event on its way into the outbox.
type PendingEvent = (&'static str, Cow<'static, str>, String, Value);

/// `AUTOINCREMENT` keeps the largest number of each table in `sqlite_sequence`, also after a delete.
const BEGIN: &str = "BEGIN IMMEDIATE;
    SELECT (SELECT max(epoch) FROM controller) AS epoch,
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task'), 0) AS task,
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'attempt'), 0) AS attempt,
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) AS event";

impl Transaction {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn,
            counts: Counts::default(),
            known_lanes: HashSet::new(),
            newest_epoch: None,
            own_epoch: None,
            last_task: 0,
            last_attempt: 0,
            events: Vec::new(),
            last_event: 0,
        }
    }

    /// Begins, and sees who is the newest controller.
    pub(super) async fn begin(&mut self) -> Result<(), Fault> {
        self.counts.clear();
        self.events.clear();
        let rows = sqlx::query(BEGIN).fetch_all(&mut self.conn).await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        self.newest_epoch = get::<Option<i64>>(row, "epoch")?.map(Epoch);
        self.last_task = get(row, "task")?;
        self.last_attempt = get(row, "attempt")?;
        self.last_event = get(row, "event")?;
        Ok(())
    }

    /// Writes what was gathered and commits; answers the number of the newest event. All of it is one round trip to
    /// SQLite's thread: a task that waits for its start waits for each of them.
    pub(super) async fn commit(&mut self) -> Result<i64, Fault> {
        let counts = self.counts.take_rows();
        let sql = match (counts.is_empty(), self.events.is_empty()) {
            (true, true) => "COMMIT",
            (true, false) => concat!(include_str!("queries/add_events.sql"), ";COMMIT"),
            (false, true) => concat!(include_str!("queries/add_counts.sql"), ";COMMIT"),
            (false, false) => concat!(
                include_str!("queries/add_counts.sql"),
                ";",
                include_str!("queries/add_events.sql"),
                ";COMMIT"
            ),
        };
        let written = sqlx::query(sql)
            .bind(json(&counts)?)
            .bind(json(&self.events)?)
            .bind(millis(Timestamp::now()))
            .execute(&mut self.conn)
            .await?;
        if !self.events.is_empty() {
            self.last_event = written.last_insert_rowid();
            self.events.clear();
        }
        Ok(self.last_event)
    }

    /// Undoes everything since [`Self::begin`].
    pub(super) async fn roll_back(&mut self) {
        self.known_lanes.clear();
        // SQLite has rolled back by itself after some errors, and then says that there is no transaction.
        if let Err(error) = sqlx::query("ROLLBACK").execute(&mut self.conn).await {
            tracing::debug!(%error, "nothing to roll back");
        }
    }

    /// Refuses when a newer controller has begun: this process was thought dead and may write no more.
    pub(super) fn check_epoch(&self) -> Result<(), Fault> {
        match (self.own_epoch, self.newest_epoch) {
            (Some(own), Some(newest)) if own < newest => Err(Fault::Superseded { own, newest }),
            _ => Ok(()),
        }
    }

    /// Notes the epoch that this process has begun in this transaction.
    pub(super) fn own(&mut self, epoch: Epoch) {
        self.own_epoch = Some(epoch);
        self.newest_epoch = Some(epoch);
    }

    /// Whether the lease was given by the newest controller.
    pub(super) fn is_current(&self, lease: &Lease) -> bool {
        self.newest_epoch.is_none_or(|newest| lease.epoch == newest)
    }

    /// The number for the next task; in one statement rows get their numbers in the order in which they were asked for.
    pub(super) fn next_task(&mut self) -> i64 {
        self.last_task += 1;
        self.last_task
    }

    /// The number for the next attempt.
    pub(super) fn next_attempt(&mut self) -> i64 {
        self.last_attempt += 1;
        self.last_attempt
    }

    /// Tells of a task in this transaction.
    pub(super) fn tell_task(&mut self, kind: &'static str, task: TaskId, data: Value) {
        self.events
            .push((EventTopic::Task.as_str(), Cow::Borrowed(kind), task.to_string(), data));
    }

    /// Tells of anything in this transaction.
    pub(super) fn tell(&mut self, event: NewEvent) {
        self.events
            .push((event.topic.as_str(), Cow::Owned(event.kind), event.subject, event.data));
    }

    /// Moves the log into the database and closes the connection.
    pub(super) async fn close(mut self) {
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.conn)
            .await
        {
            tracing::warn!(%error, "the log could not be moved into the database; the next start does it");
        }
        if let Err(error) = self.conn.close().await {
            tracing::warn!(%error, "the database was not closed cleanly");
        }
    }
}
