//! Requests that were answered before.

use std::collections::HashMap;

use farmhand_actors::{
    domain::{IdempotencyKey, Submitted, Timestamp},
    ports::{IDEMPOTENCY_WINDOW, SubmitResult},
};

use sqlx::SqliteConnection;

use super::{
    fault::Fault,
    transaction::Transaction,
    value::{duration_millis, get, json, millis, parse_json},
};

/// The answers to some keys: those stored, and those given in this transaction.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_key: HashMap<String, Answer>,
    new: Vec<String>,
}

#[derive(Debug)]
struct Answer {
    body_hash: String,
    text: String,
    created_at: i64,
}

impl Answers {
    /// What a request with this key is answered with; `None`: nothing was answered yet within its window.
    pub(super) fn result_for(&self, key: &IdempotencyKey, at: Timestamp) -> Result<Option<SubmitResult>, Fault> {
        let window = duration_millis(IDEMPOTENCY_WINDOW);
        match self.by_key.get(&key.key) {
            Some(answer) if answer.created_at.saturating_add(window) <= millis(at) => Ok(None),
            Some(answer) if answer.body_hash == key.body_hash => {
                Ok(Some(SubmitResult::Replayed(parse_json(&answer.text)?)))
            }
            Some(_) => Ok(Some(SubmitResult::KeyReused)),
            None => Ok(None),
        }
    }

    /// Adds an answer that is given now.
    pub(super) fn add(&mut self, key: &IdempotencyKey, submitted: &Submitted, at: Timestamp) -> Result<(), Fault> {
        let answer = Answer {
            body_hash: key.body_hash.clone(),
            text: json(submitted)?,
            created_at: millis(at),
        };
        self.by_key.insert(key.key.clone(), answer);
        self.new.push(key.key.clone());
        Ok(())
    }
}

/// Reads what these keys were answered with.
pub(super) async fn find_answers(
    conn: &mut SqliteConnection,
    keys: impl Iterator<Item = &IdempotencyKey>,
) -> Result<Answers, Fault> {
    let keys = keys.map(|key| key.key.as_str()).collect::<Vec<_>>();
    let mut answers = Answers::default();
    if keys.is_empty() {
        return Ok(answers);
    }
    let rows = sqlx::query(
        "SELECT key, body_hash, answer, created_at FROM idempotency WHERE key IN (SELECT value FROM json_each(?1))",
    )
    .bind(json(&keys)?)
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let answer = Answer {
            body_hash: get(row, "body_hash")?,
            text: get(row, "answer")?,
            created_at: get(row, "created_at")?,
        };
        answers.by_key.insert(get(row, "key")?, answer);
    }
    Ok(answers)
}

/// Stores the answers given in this transaction; one whose 24 hours are over gives its key to the new one.
pub(super) async fn remember_answers(tx: &mut Transaction, answers: Answers) -> Result<(), Fault> {
    let rows = answers
        .new
        .iter()
        .filter_map(|key| Some((key, answers.by_key.get(key)?)))
        .map(|(key, answer)| (key, &answer.body_hash, &answer.text, answer.created_at))
        .collect::<Vec<_>>();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT OR REPLACE INTO idempotency (key, body_hash, answer, created_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)",
    )
    .bind(json(&rows)?)
    .execute(&mut tx.conn)
    .await?;
    Ok(())
}
