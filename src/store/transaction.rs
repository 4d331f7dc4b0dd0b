//! The write transaction that the operations of one instant share.

use std::{borrow::Cow, collections::HashSet};

use farmhand_actors::{
    domain::{Epoch, EventTopic, Lease, NewEvent, TaskId, Timestamp},
    ports::Lane,
};
use serde::Serialize;
use sqlx::{Connection, SqliteConnection};

use super::{
    counts::{CountRow, Counts},
    fault::Fault,
    value::{get, json, json_pairs, millis},
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
    events: Vec<EventRun>,
    last_event: i64,
}

/// Events on their way into the outbox, one after another, that differ in subject and data only.
struct EventRun {
    topic: EventTopic,
    kind: Cow<'static, str>,
    /// Subjects and what is told of them, JSON.
    events: Vec<(String, String)>,
}

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

    /// Writes what was gathered and commits; answers the number of the newest event. Its last part is one round trip to
    /// SQLite's thread: a task that waits for its start waits for each of them.
    pub(super) async fn commit(&mut self) -> Result<i64, Fault> {
        let mut runs = std::mem::take(&mut self.events);
        let last = runs.pop();
        for run in &runs {
            let sql = include_str!("queries/add_events.sql");
            self.write(sql, &[], Some(run)).await?;
        }
        let counts = self.counts.take_rows();
        let sql = match (counts.is_empty(), last.is_none()) {
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
        self.write(sql, &counts, last.as_ref()).await?;
        Ok(self.last_event)
    }

    async fn write(&mut self, sql: &'static str, counts: &[CountRow], run: Option<&EventRun>) -> Result<(), Fault> {
        let pairs = run.map(|run| run.events.iter().map(|(subject, data)| (subject, data)));
        let written = sqlx::query(sql)
            .bind(json(counts)?)
            .bind(pairs.map(json_pairs).transpose()?)
            .bind(run.map(|run| run.topic.as_str()))
            .bind(run.map(|run| &*run.kind))
            .bind(millis(Timestamp::now()))
            .execute(&mut self.conn)
            .await?;
        if run.is_some() {
            self.last_event = written.last_insert_rowid();
        }
        Ok(())
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
    pub(super) fn tell_task(&mut self, kind: &'static str, task: TaskId, data: &impl Serialize) -> Result<(), Fault> {
        self.push_event(EventTopic::Task, Cow::Borrowed(kind), task.to_string(), json(data)?);
        Ok(())
    }

    /// Tells of anything in this transaction.
    pub(super) fn tell(&mut self, event: NewEvent) {
        let data = event.data.to_string();
        self.push_event(event.topic, Cow::Owned(event.kind), event.subject, data);
    }

    fn push_event(&mut self, topic: EventTopic, kind: Cow<'static, str>, subject: String, data: String) {
        match self
            .events
            .last_mut()
            .filter(|run| run.topic == topic && run.kind == kind)
        {
            Some(run) => run.events.push((subject, data)),
            None => self.events.push(EventRun {
                topic,
                kind,
                events: vec![(subject, data)],
            }),
        }
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
