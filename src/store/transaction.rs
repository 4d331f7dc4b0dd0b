//! The write transaction that the operations of one instant share.

use std::{borrow::Cow, collections::HashSet, fmt::Display};

use farmhand_actors::{
    domain::{AttemptId, Epoch, EventTopic, Lease, NewEvent, Serial, TaskId, Timestamp, Username},
    ports::Lane,
};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, query::Query};

use super::{
    counts::Counts,
    fault::Fault,
    foresight::{Finds, Found},
    value::{get, get_json, json, millis, timestamp},
    writes::{Piece, Writes},
};

/// A clock that was further ahead than this was wrong, milliseconds: nothing is to wait for it to come there again.
const SET_BACK_MAX: i64 = 2 * 60 * 60 * 1_000;

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
    /// When the newest task was created, milliseconds since 1970; `None` until it is asked for.
    newest_task: Option<i64>,
    last_attempt: i64,
    events: Vec<EventRun>,
    last_event: i64,
    writes: Writes,
    /// What the call that began it has found.
    pub(super) found: Found,
    /// Attempts that it ends, and whom it has given something to do: what was found before does not know.
    pub(super) ended: HashSet<AttemptId>,
    pub(super) taken: HashSet<Serial>,
    pub(super) taken_accounts: HashSet<Username>,
}

/// Events on their way into the outbox, one after another, that differ in subject and data only.
struct EventRun {
    topic: EventTopic,
    kind: Cow<'static, str>,
    /// Subjects and what is told of them, a JSON object without its last brace: it is put together here, since a
    /// transaction may tell of thousands.
    events: String,
}

/// `AUTOINCREMENT` keeps the largest number of each table in `sqlite_sequence`, also after a delete.
macro_rules! begin {
    ($($query:literal),*) => {
        concat!(
            "BEGIN IMMEDIATE;
             SELECT (SELECT max(epoch) FROM controller) AS epoch,
                    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task'), 0) AS task,
                    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'attempt'), 0) AS attempt,
                    coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0) AS event",
            $(";", include_str!(concat!("queries/", $query, ".sql"))),*
        )
    };
}

impl Transaction {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn,
            counts: Counts::default(),
            known_lanes: HashSet::new(),
            newest_epoch: None,
            own_epoch: None,
            last_task: 0,
            newest_task: None,
            last_attempt: 0,
            events: Vec::new(),
            last_event: 0,
            writes: Writes::default(),
            found: Found::default(),
            ended: HashSet::new(),
            taken: HashSet::new(),
            taken_accounts: HashSet::new(),
        }
    }

    /// Begins, sees who is the newest controller, and asks what is known to be asked.
    pub(super) async fn begin(&mut self, finds: &Finds) -> Result<(), Fault> {
        self.counts.clear();
        self.events.clear();
        self.writes = Writes::default();
        self.ended.clear();
        self.taken.clear();
        self.taken_accounts.clear();
        let sql = match (finds.ends.is_empty(), finds.claims.is_empty()) {
            (true, true) => begin!(),
            (false, true) => begin!("find_endable"),
            (true, false) => begin!("find_claimable"),
            (false, false) => begin!("find_endable", "find_claimable"),
        };
        let mut query = sqlx::query(sql);
        if !finds.ends.is_empty() {
            query = query.bind(json(&finds.ends)?);
        }
        if !finds.claims.is_empty() {
            query = query.bind(json(&finds.claims)?);
        }
        let rows = query.fetch_all(&mut self.conn).await?;
        let mut rows = rows.iter();
        let mut next = || rows.next().ok_or(sqlx::Error::RowNotFound);
        let row = next()?;
        self.newest_epoch = get::<Option<i64>>(row, "epoch")?.map(Epoch);
        self.last_task = get(row, "task")?;
        self.last_attempt = get(row, "attempt")?;
        self.last_event = get(row, "event")?;
        self.found = Found::default();
        if !finds.ends.is_empty() {
            self.found.endable = Some(get_json(next()?, "endable")?);
        }
        if !finds.claims.is_empty() {
            self.found.claimable = get_json(next()?, "claimable")?;
        }
        Ok(())
    }

    /// Has rows written before anybody reads them, or with the commit.
    pub(super) async fn write_later(&mut self, piece: Piece, rows: String) -> Result<(), Fault> {
        if self.writes.has(piece) {
            self.flush().await?;
        }
        self.writes.put(piece, rows);
        Ok(())
    }

    /// Writes what was put off.
    pub(super) async fn flush(&mut self) -> Result<(), Fault> {
        if !self.writes.is_empty() {
            let (sql, rows) = self.writes.take();
            let query = rows.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    /// Writes what was gathered and commits, all in one call; answers the number of the newest event.
    pub(super) async fn commit(&mut self) -> Result<i64, Fault> {
        let changed = self.counts.blocks();
        let counts = self.counts.take_rows();
        let runs = std::mem::take(&mut self.events);
        let (mut sql, rows) = self.writes.take();
        if !changed.is_empty() {
            // Their sums go with them.
            sql.push_str("DELETE FROM quiet_block WHERE block IN (SELECT value FROM json_each(?));");
        }
        if !counts.is_empty() {
            sql.push_str(concat!(include_str!("queries/add_counts.sql"), ";"));
        }
        if !runs.is_empty() {
            sql.push_str(concat!(include_str!("queries/add_events.sql"), ";"));
        }
        sql.push_str("COMMIT");
        let mut query = rows.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        if !changed.is_empty() {
            query = query.bind(json(&changed)?);
        }
        if !counts.is_empty() {
            query = query.bind(json(&counts)?);
        }
        if !runs.is_empty() {
            let events = outbox_of(&runs)?;
            query = query.bind(millis(Timestamp::now())).bind(events);
        }
        let written = query.execute(&mut self.conn).await?;
        if !runs.is_empty() {
            // The outbox is the last that was inserted into.
            self.last_event = written.last_insert_rowid();
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

    /// When a task counts as created that is created now. A clock that was set back by some hours puts none before those
    /// that are there: first come is first served by these times.
    pub(super) async fn creation(&mut self, now: Timestamp) -> Result<Timestamp, Fault> {
        let newest = match self.newest_task {
            Some(newest) => newest,
            None => {
                let row = sqlx::query("SELECT created_at FROM task ORDER BY id DESC LIMIT 1")
                    .fetch_optional(&mut self.conn)
                    .await?;
                row.map_or(Ok(0), |row| get(&row, "created_at"))?
            }
        };
        let now = millis(now);
        let ahead = newest.saturating_sub(now);
        let at = if (0..=SET_BACK_MAX).contains(&ahead) {
            newest
        } else {
            now
        };
        self.newest_task = Some(at);
        timestamp(at)
    }

    /// The number for the next attempt.
    pub(super) fn next_attempt(&mut self) -> i64 {
        self.last_attempt += 1;
        self.last_attempt
    }

    /// Tells of a task in this transaction.
    pub(super) fn tell_task(&mut self, kind: &'static str, task: TaskId, data: &impl Serialize) -> Result<(), Fault> {
        self.push_event(EventTopic::Task, Cow::Borrowed(kind), &task, data)
    }

    /// Tells of anything in this transaction.
    pub(super) fn tell(&mut self, event: NewEvent) -> Result<(), Fault> {
        let NewEvent {
            topic,
            kind,
            subject,
            data,
        } = event;
        self.push_event(topic, Cow::Owned(kind), &subject, &data)
    }

    fn push_event(
        &mut self,
        topic: EventTopic,
        kind: Cow<'static, str>,
        subject: &(impl Display + ?Sized),
        data: &impl Serialize,
    ) -> Result<(), Fault> {
        let (subject, data) = (json(&subject.to_string())?, json(data)?);
        let last = self.events.last_mut();
        match last.filter(|run| run.topic == topic && run.kind == kind) {
            Some(run) => run.events.extend([",", &subject, ":", &data]),
            None => {
                let events = ["{", &subject, ":", &data].concat();
                self.events.push(EventRun { topic, kind, events });
            }
        }
        Ok(())
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

/// As `add_events.sql` wants them.
fn outbox_of(runs: &[EventRun]) -> Result<String, Fault> {
    let mut outbox = String::new();
    for run in runs {
        outbox.push(if outbox.is_empty() { '{' } else { ',' });
        outbox.push_str(&json(&format!("{} {}", run.topic.as_str(), run.kind))?);
        outbox.extend([":", &run.events, "}"]);
    }
    outbox.push('}');
    Ok(outbox)
}
