//! How fast the disk under a database is: the yardstick beside the figures of the benches.

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
}
