//! How fast SQLite is on this disk and processor: the yardsticks beside the figures of the benches.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use farmhand_actors::ports::StoreError;
use sqlx::Connection;

use super::{fault::Fault, open};

/// Commits that are timed together: reading the clock costs next to nothing then.
const ROUND: u32 = 16;

/// Commits of one changed row in a second, one after another, in a database of its own in `folder`, opened as the
/// store opens its own. Measures for about as long as `lasting`.
///
/// # Errors
/// The database cannot be created or written.
pub async fn raw_commits_per_second(folder: &Path, lasting: Duration) -> Result<f64, StoreError> {
    let mut conn = open::open_bare(&folder.join("raw.db")).await?;
    let mut run = async || {
        sqlx::query("CREATE TABLE yardstick (n INTEGER NOT NULL); INSERT INTO yardstick VALUES (0)")
            .execute(&mut conn)
            .await?;
        let (started, mut commits) = (Instant::now(), 0_u32);
        while started.elapsed() < lasting {
            for _ in 0..ROUND {
                sqlx::query("UPDATE yardstick SET n = n + 1").execute(&mut conn).await?;
            }
            commits = commits.saturating_add(ROUND);
        }
        Ok::<_, sqlx::Error>(f64::from(commits) / started.elapsed().as_secs_f64())
    };
    let rate = run().await.map_err(|error| Fault::Sql(error).told())?;
    conn.close().await.map_err(|error| Fault::Sql(error).told())?;
    Ok(rate)
}

/// What a task is to a queue that is nothing but a table: a row that is written, begun and ended, each in a transaction
/// that it shares with all others that are under way.
const BARE_TRANSITIONS: [&str; 3] = [
    "INSERT INTO bare (state) SELECT 'pending' FROM json_each(?1)",
    "UPDATE bare SET state = 'running' FROM json_each(?1) AS one WHERE bare.id = one.value",
    "UPDATE bare SET state = 'completed' FROM json_each(?1) AS one WHERE bare.id = one.value",
];

/// Tasks that a bare table takes through three durable transitions in a second, `in_flight` of them in each commit, in a
/// database of its own in `folder`, opened as the store opens its own: what a queue on this machine can come to at most.
/// Measures for about as long as `lasting`.
///
/// # Errors
/// The database cannot be created or written.
pub async fn bare_tasks_per_second(folder: &Path, in_flight: u32, lasting: Duration) -> Result<f64, StoreError> {
    let mut conn = open::open_bare(&folder.join(format!("bare-{in_flight}.db"))).await?;
    let mut run = async || {
        sqlx::query("CREATE TABLE bare (id INTEGER PRIMARY KEY, state TEXT NOT NULL)")
            .execute(&mut conn)
            .await?;
        let (started, mut tasks) = (Instant::now(), 0_u32);
        while started.elapsed() < lasting {
            let ids: Vec<u32> = (1..=in_flight).map(|number| tasks.saturating_add(number)).collect();
            let ids = serde_json::json!(ids).to_string();
            for transition in BARE_TRANSITIONS {
                sqlx::query(transition).bind(ids.as_str()).execute(&mut conn).await?;
            }
            tasks = tasks.saturating_add(in_flight);
        }
        Ok::<_, sqlx::Error>(f64::from(tasks) / started.elapsed().as_secs_f64())
    };
    let rate = run().await.map_err(|error| Fault::Sql(error).told())?;
    conn.close().await.map_err(|error| Fault::Sql(error).told())?;
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_yardstick_commits_at_least_once() {
        let folder = tempfile::tempdir().unwrap();
        let rate = raw_commits_per_second(folder.path(), Duration::from_millis(5))
            .await
            .unwrap();
        assert!(rate > 0.0);
    }

    #[tokio::test]
    async fn a_bare_table_takes_whole_rounds_of_tasks_through_all_transitions() {
        let folder = tempfile::tempdir().unwrap();
        let rate = bare_tasks_per_second(folder.path(), 8, Duration::from_millis(5))
            .await
            .unwrap();
        assert!(rate > 0.0);
        let mut conn = open::open_bare(&folder.path().join("bare-8.db")).await.unwrap();
        let query = sqlx::query_as("SELECT count(*), sum(state = 'completed') FROM bare");
        let (all, completed): (i64, i64) = query.fetch_one(&mut conn).await.unwrap();
        assert!(all >= 8 && all % 8 == 0 && completed == all, "{completed} of {all}");
    }
}
