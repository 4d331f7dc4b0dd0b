//! Screenshots and hierarchies of finished tasks are pruned by age and by size, and when the disk is full. Those stay that
//! somebody still needs: of open tasks, of tasks whose effect nobody knows, of accounts that need a person.
//!
//! Files are named `<task>-<attempt>-<step>.<kind>` (see `flow::runner`), so a file tells whose evidence it is.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use farmhand_actors::{
    domain::{AccountStatus, Status, TaskId},
    ports::{AccountStore, StoreError, TaskStore},
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
    let needed = match Needed::of(&due, store).await {
        Ok(needed) => needed,
        Err(error) => return tracing::warn!(%error, "evidence is not pruned"),
    };
    for piece in due.iter().filter(|piece| !needed.has(piece)) {
        if let Err(error) = std::fs::remove_file(&piece.path) {
            tracing::warn!(file = %piece.path.display(), %error, "evidence not pruned");
        }
    }
}

/// What somebody still needs, however old it is.
struct Needed {
    /// Tasks that are not over, and failed ones whose effect may have taken place: a person has to look.
    tasks: HashSet<TaskId>,
    /// Files that accounts name which need a person.
    files: HashSet<String>,
}

impl Needed {
    async fn of(pieces: &[Piece], store: &Store) -> Result<Self, StoreError> {
        let tasks: HashSet<TaskId> = pieces.iter().filter_map(|piece| piece.task).collect();
        let states = store.states(tasks.into_iter().collect()).await?;
        let is_open = |status| matches!(status, Status::Pending | Status::Running);
        let (open, over): (Vec<_>, Vec<_>) = states.into_iter().partition(|(_, state)| is_open(state.status()));
        let failed = over.into_iter().filter(|(_, state)| state.status() == Status::Failed);
        let in_doubt = store.open_effects(failed.map(|(task, _)| task).collect()).await?;
        let accounts = store.load_accounts().await?.into_iter();
        let waiting = accounts.filter(|account| account.status == AccountStatus::NeedsAttention);
        Ok(Self {
            tasks: open.into_iter().map(|(task, _)| task).chain(in_doubt).collect(),
            files: waiting.filter_map(|account| account.evidence).collect(),
        })
    }

    fn has(&self, piece: &Piece) -> bool {
        let name = piece.path.file_name().and_then(|name| name.to_str());
        // The view tree beside the picture that an account names belongs to it.
        let picture = piece.path.with_extension("jpg");
        let picture = picture.file_name().and_then(|name| name.to_str());
        let is_named = |name: Option<&str>| name.is_some_and(|name| self.files.contains(name));
        piece.task.is_some_and(|task| self.tasks.contains(&task)) || is_named(name) || is_named(picture)
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
    use farmhand_actors::{
        domain::{
            AccountPatch, AccountRecord, Claim, EffectGate, EffectIntent, EffectKey, Failure, FailureReason, Lease,
            NewTask, ScriptName, Serial, Source, Timestamp, Username,
        },
        ports::{AttemptJournal, Finish, TaskNext},
    };

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

    async fn open_store(folder: &Path) -> Arc<Store> {
        let settings = StoreSettings {
            url: format!("sqlite://{}", folder.join("farmhand.db").display()),
            ..StoreSettings::default()
        };
        Store::open(settings).await.unwrap()
    }

    /// Files of that age, days, in a new folder.
    fn evidence(folder: &Path, files: &[(&str, u32)]) -> PathBuf {
        let evidence = folder.join("evidence");
        std::fs::create_dir(&evidence).unwrap();
        for (name, days) in files {
            let file = std::fs::File::create(evidence.join(name)).unwrap();
            file.set_len(10).unwrap();
            file.set_modified(SystemTime::now() - DAY * *days).unwrap();
        }
        evidence
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Lets the task fail with an effect that nobody knows of.
    async fn fail_in_doubt(store: &Store, task: TaskId, serial: &str, lease: &Lease) {
        let at = Timestamp::UNIX_EPOCH;
        let claim = Claim {
            task,
            serial: Serial::parse(serial).unwrap(),
            username: None,
            lease: lease.clone(),
            at,
        };
        let attempt = store.claim(vec![claim]).await.unwrap()[0].clone().unwrap().attempt;
        let key = EffectKey {
            task,
            step: "Commit".into(),
            ordinal: 0,
        };
        let (content, baseline) = (serde_json::json!({}), serde_json::json!({}));
        let intent = EffectIntent {
            key,
            attempt,
            lease: lease.clone(),
            content,
            baseline,
        };
        assert_eq!(store.intend(intent).await.unwrap(), EffectGate::Act);
        let failure = Failure {
            reason: FailureReason::OutcomeUnknown,
            message: "nobody knows".to_owned(),
            step: None,
            retryable: false,
        };
        let finish = Finish {
            task,
            attempt,
            lease: lease.clone(),
            outcome: "unverified",
            next: TaskNext::Failed { failure },
            used: None,
            attention: None,
            at,
        };
        assert!(
            store
                .finish(vec![finish])
                .await
                .unwrap()
                .iter()
                .all(|finished| finished.written)
        );
    }

    #[tokio::test]
    async fn evidence_that_a_person_has_to_look_at_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(folder.path()).await;
        let at = Timestamp::UNIX_EPOCH;
        let lease = Lease {
            epoch: store.begin_epoch(at).await.unwrap(),
            token: "t".into(),
        };
        let tasks = vec![new_task("a"), new_task("b"), new_task("c")];
        store.submit(tasks, None, Vec::new(), at).await.unwrap();
        fail_in_doubt(&store, TaskId(1), "a", &lease).await;
        store.intend_stop(TaskId(2), at).await.unwrap();
        store.intend_stop(TaskId(3), at).await.unwrap();
        let account = AccountRecord {
            username: Username::parse("anna").unwrap(),
            app: "tiktok".to_owned(),
            package: None,
            serial: None,
            status: AccountStatus::NeedsAttention,
            status_reason: Some("a code".to_owned()),
            evidence: Some("2-1-1.jpg".to_owned()),
            cooldown_until: None,
            status_revision: 0,
            limits: farmhand_actors::domain::Limits::new(),
            last_used: None,
            created_at: at,
        };
        store.create_account(account).await.unwrap();
        let files = [
            "1-1-1.jpg",
            "1-1-1.xml",
            "2-1-1.jpg",
            "2-1-1.xml",
            "2-1-2.jpg",
            "3-1-1.jpg",
        ];
        let evidence = evidence(folder.path(), &files.map(|name| (name, 40)));

        prune_once(&evidence, &keep(30, 1), false, &store).await;

        assert_eq!(names(&evidence), ["1-1-1.jpg", "1-1-1.xml", "2-1-1.jpg", "2-1-1.xml"]);
        let username = Username::parse("anna").unwrap();
        let active = AccountPatch {
            status: Some(AccountStatus::Active),
            ..AccountPatch::default()
        };
        store.patch_account(&username, active).await.unwrap();
        prune_once(&evidence, &keep(30, 1), false, &store).await;
        assert_eq!(names(&evidence), ["1-1-1.jpg", "1-1-1.xml"]);
        store.close().await;
    }

    #[tokio::test]
    async fn the_evidence_of_open_tasks_stays_however_old_and_however_much_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(folder.path()).await;
        let at = Timestamp::UNIX_EPOCH;
        store.begin_epoch(at).await.unwrap();
        let tasks = vec![new_task("a"), new_task("b")];
        store.submit(tasks, None, Vec::new(), at).await.unwrap();
        store.intend_stop(TaskId(2), at).await.unwrap();
        let mut files = ["1-1-1.jpg", "1-1-1.xml", "2-2-1.jpg", "99-9-1.xml"]
            .map(|name| (name, 40))
            .to_vec();
        files.push(("2-2-9.xml", 0));
        let evidence = evidence(folder.path(), &files);

        prune_once(&evidence, &keep(30, 25), false, &store).await;

        assert_eq!(names(&evidence), ["1-1-1.jpg", "1-1-1.xml", "2-2-9.xml"]);
        prune_once(&evidence, &keep(0, 1), false, &store).await;
        assert_eq!(names(&evidence).len(), 2, "too much, but of an open task");
        store.close().await;
    }
}
