//! Screenshots and hierarchies of finished tasks are pruned by age and by size, and when the disk is full; those of open
//! tasks stay.
//!
//! Files are named `<task>-<attempt>-<step>.<kind>` (see `flow::runner`), so a file tells whose evidence it is.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use farmhand_actors::{
    domain::{Status, TaskId},
    ports::TaskStore,
};
use tokio_util::sync::CancellationToken;

use crate::{settings::Retention, store::Store};

/// Between two looks: evidence grows by files, not by gigabytes a minute.
const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Between two looks while the disk is full.
const FULL_INTERVAL: Duration = Duration::from_secs(5);
/// What is given up at each of those: room for thousands of tasks, and the newest evidence stays as long as can be.
const FULL_SHARE: u64 = 64 * 1024 * 1024;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A file of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    path: PathBuf,
    task: Option<TaskId>,
    bytes: u64,
    age: Duration,
}

/// Prunes `folder` from time to time, until `stop`.
pub async fn prune(folder: PathBuf, keep: Retention, store: Arc<Store>, stop: CancellationToken) {
    let mut full = store.full_watch();
    loop {
        let is_full = *full.borrow_and_update();
        prune_once(&folder, &keep, is_full, &store).await;
        let pause = tokio::time::sleep(if is_full { FULL_INTERVAL } else { INTERVAL });
        tokio::select! {
            () = pause => {}
            // An error means that the store is gone, and then `stop` comes too.
            _ = full.changed() => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn prune_once(folder: &Path, keep: &Retention, is_full: bool, store: &Store) {
    let place = folder.to_owned();
    let Ok(Ok(pieces)) = tokio::task::spawn_blocking(move || list(&place)).await else {
        tracing::warn!(folder = %folder.display(), "evidence cannot be listed");
        return;
    };
    let mut keep = keep.clone();
    if is_full {
        keep.evidence_bytes = all_but(&pieces, FULL_SHARE);
        tracing::warn!("the disk is full: the oldest evidence is dropped");
    }
    let due = choose(pieces, &keep);
    let tasks: HashSet<TaskId> = due.iter().filter_map(|piece| piece.task).collect();
    let states = match store.states(tasks.into_iter().collect()).await {
        Ok(states) => states,
        Err(error) => return tracing::warn!(%error, "evidence is not pruned"),
    };
    let is_open =
        |state: farmhand_actors::domain::TaskState| matches!(state.status(), Status::Pending | Status::Running);
    let open: HashSet<TaskId> = states
        .into_iter()
        .filter(|(_, state)| is_open(*state))
        .map(|(task, _)| task)
        .collect();
    for piece in due
        .iter()
        .filter(|piece| piece.task.is_none_or(|task| !open.contains(&task)))
    {
        if let Err(error) = std::fs::remove_file(&piece.path) {
            tracing::warn!(file = %piece.path.display(), %error, "evidence not pruned");
        }
    }
}

fn list(folder: &Path) -> std::io::Result<Vec<Piece>> {
    let now = SystemTime::now();
    let mut pieces = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if !meta.is_file() {
            continue;
        }
        let name = entry.file_name();
        let task = name
            .to_str()
            .and_then(|name| name.split('-').next()?.parse().ok())
            .map(TaskId);
        let age = now.duration_since(meta.modified()?).unwrap_or_default();
        pieces.push(Piece {
            path: entry.path(),
            task,
            bytes: meta.len(),
            age,
        });
    }
    Ok(pieces)
}

/// What may stay when so many bytes have to go.
fn all_but(pieces: &[Piece], share: u64) -> u64 {
    let all: u64 = pieces.iter().map(|piece| piece.bytes).sum();
    // 0 would mean that there is no bound.
    all.saturating_sub(share).max(1)
}

/// What is too old, and, of the rest, the oldest that make it too much.
fn choose(mut pieces: Vec<Piece>, keep: &Retention) -> Vec<Piece> {
    let oldest = (keep.evidence_days > 0).then(|| DAY.saturating_mul(keep.evidence_days));
    let mut room = if keep.evidence_bytes == 0 {
        u64::MAX
    } else {
        keep.evidence_bytes
    };
    pieces.sort_by_key(|piece| piece.age);
    pieces.retain(|piece| {
        let fits = room.checked_sub(piece.bytes);
        room = fits.unwrap_or(0);
        fits.is_none() || oldest.is_some_and(|oldest| piece.age > oldest)
    });
    pieces
}

#[cfg(test)]
mod tests {
    use farmhand_actors::domain::{NewTask, ScriptName, Serial, Source, Timestamp};

    use super::*;
    use crate::store::StoreSettings;

    fn piece(task: i64, bytes: u64, days: u32) -> Piece {
        Piece {
            path: PathBuf::from(format!("{task}-1-1.jpg")),
            task: Some(TaskId(task)),
            bytes,
            age: DAY * days,
        }
    }

    fn keep(evidence_days: u32, evidence_bytes: u64) -> Retention {
        Retention {
            task_days: 0,
            event_hours: 1,
            evidence_days,
            evidence_bytes,
        }
    }

    fn chosen(days: u32, bytes: u64) -> Vec<i64> {
        let pieces = vec![piece(1, 10, 5), piece(2, 10, 0), piece(3, 10, 40), piece(4, 10, 1)];
        let mut tasks: Vec<i64> = choose(pieces, &keep(days, bytes))
            .iter()
            .map(|piece| piece.task.unwrap().0)
            .collect();
        tasks.sort_unstable();
        tasks
    }

    #[test]
    fn what_is_old_or_too_much_goes_and_the_newest_stays() {
        assert_eq!(chosen(30, 0), [3]);
        assert_eq!(chosen(0, 25), [1, 3]);
        assert_eq!(chosen(3, 15), [1, 3, 4]);
        assert_eq!(chosen(0, 0), [0; 0]);
    }

    fn new_task(serial: &str) -> NewTask {
        NewTask {
            batch_id: "b".into(),
            script: ScriptName::parse("post").unwrap(),
            config: Arc::new(serde_json::json!({})),
            serial: Some(Serial::parse(serial).unwrap()),
            username: None,
            enable_multi_account: false,
            source: Source::Api,
            start_time: None,
            scheduled_at: None,
            due_at: None,
            gap: None,
            priority: 0,
            schedule: None,
        }
    }

    #[tokio::test]
    async fn the_evidence_of_open_tasks_stays_however_old_and_however_much_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("farmhand.db").display());
        let settings = StoreSettings {
            url,
            ..StoreSettings::default()
        };
        let store = Store::open(settings).await.unwrap();
        let at = Timestamp::UNIX_EPOCH;
        store.begin_epoch(at).await.unwrap();
        let tasks = vec![new_task("a"), new_task("b")];
        store.submit(tasks, None, Vec::new(), at).await.unwrap();
        store.intend_stop(TaskId(2), at).await.unwrap();
        let evidence = folder.path().join("evidence");
        std::fs::create_dir(&evidence).unwrap();
        for name in ["1-1-1.jpg", "1-1-1.xml", "2-2-1.jpg", "99-9-1.xml", "2-2-9.xml"] {
            let file = std::fs::File::create(evidence.join(name)).unwrap();
            file.set_len(10).unwrap();
            let age = if name == "2-2-9.xml" { Duration::ZERO } else { DAY * 40 };
            file.set_modified(SystemTime::now() - age).unwrap();
        }

        prune_once(&evidence, &keep(30, 25), false, &store).await;

        let mut left: Vec<String> = std::fs::read_dir(&evidence)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["1-1-1.jpg", "1-1-1.xml", "2-2-9.xml"]);
        prune_once(&evidence, &keep(0, 1), false, &store).await;
        assert_eq!(
            std::fs::read_dir(&evidence).unwrap().count(),
            2,
            "too much, but of an open task"
        );
        store.close().await;
    }
}
