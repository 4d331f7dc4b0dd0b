//! Lists of tasks.

use farmhand_actors::{
    domain::{FailureReason, Status},
    ports::{Lane, TaskStore},
};

use super::*;
use crate::store::{TaskFilter, quiet};

async fn listed(farm: &Farm, filter: &TaskFilter) -> (u64, Vec<i64>) {
    let (total, tasks) = farm.store.list_tasks(filter, 1, 100).await.expect("reads");
    (total, tasks.iter().map(|task| task.id.0).collect())
}

/// Six tasks: 1 running, 2 completed, 3 and 4 failed, 5 and 6 pending.
async fn mixed() -> Farm {
    let farm = Farm::new().await;
    let mut follow = task_for("b", Some("bert"));
    follow.script = script_of("follow");
    let mut ui = task_for("b", None);
    ui.source = Source::Ui;
    ui.batch_id = "other".into();
    let anna = || task_for("a", Some("anna"));
    let ids = farm.submit(vec![anna(), anna(), anna(), follow, ui, anna()]).await;
    farm.claim(ids[0], "x", None).await;
    let claimed = farm.claim(ids[1], "a", None).await;
    farm.finish(&claimed, completed()).await;
    farm.fail(ids[2], "a", FailureReason::Timeout).await;
    farm.fail(ids[3], "b", FailureReason::DeviceOffline).await;
    farm
}

#[tokio::test]
async fn each_filter_and_all_together_name_the_right_tasks_newest_first() {
    let farm = mixed().await;
    let any = TaskFilter::default;
    let api = Some(Source::Api);
    let cases = [
        (any(), vec![6, 5, 4, 3, 2, 1]),
        (
            TaskFilter {
                status: Some(Status::Pending),
                ..any()
            },
            vec![6, 5],
        ),
        (
            TaskFilter {
                status: Some(Status::Running),
                ..any()
            },
            vec![1],
        ),
        (
            TaskFilter {
                status: Some(Status::Completed),
                ..any()
            },
            vec![2],
        ),
        (
            TaskFilter {
                status: Some(Status::Failed),
                ..any()
            },
            vec![4, 3],
        ),
        (
            TaskFilter {
                serial: Some(serial_of("b")),
                ..any()
            },
            vec![5, 4],
        ),
        (
            TaskFilter {
                username: Some(username_of("ANNA")),
                ..any()
            },
            vec![6, 3, 2, 1],
        ),
        (
            TaskFilter {
                script_name: Some(script_of("follow")),
                ..any()
            },
            vec![4],
        ),
        (
            TaskFilter {
                source: Some(Source::Ui),
                ..any()
            },
            vec![5],
        ),
        (
            TaskFilter {
                batch_id: Some("other".to_owned()),
                ..any()
            },
            vec![5],
        ),
        (
            TaskFilter {
                failure_reason: Some(FailureReason::Timeout),
                ..any()
            },
            vec![3],
        ),
        (
            TaskFilter {
                status: Some(Status::Failed),
                source: api,
                ..any()
            },
            vec![4, 3],
        ),
        (
            TaskFilter {
                serial: Some(serial_of("a")),
                status: Some(Status::Failed),
                source: api,
                ..any()
            },
            vec![3],
        ),
        (
            TaskFilter {
                serial: Some(serial_of("nowhere")),
                ..any()
            },
            vec![],
        ),
        (
            TaskFilter {
                status: Some(Status::Failed),
                serial: Some(serial_of("b")),
                username: Some(username_of("bert")),
                script_name: Some(script_of("follow")),
                source: api,
                batch_id: Some("batch".to_owned()),
                failure_reason: Some(FailureReason::DeviceOffline),
            },
            vec![4],
        ),
    ];
    for (filter, wanted) in cases {
        assert_eq!(
            listed(&farm, &filter).await,
            (wanted.len() as u64, wanted),
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repeat() {
    let farm = Farm::new().await;
    farm.submit(vec![task_for("a", None); 3000]).await;
    let gone = (500..1700).map(TaskId).collect::<Vec<_>>();
    farm.store.delete(gone).await.expect("deletes");
    for filter in [
        TaskFilter::default(),
        TaskFilter {
            status: Some(Status::Pending),
            ..TaskFilter::default()
        },
    ] {
        let mut seen = Vec::new();
        for page in 1..=19 {
            let (total, tasks) = farm.store.list_tasks(&filter, page, 100).await.expect("reads");
            assert_eq!(total, 1800);
            seen.extend(tasks.iter().map(|task| task.id.0));
        }
        let wanted = (1..=3000)
            .rev()
            .filter(|id| !(500..1700).contains(id))
            .collect::<Vec<_>>();
        assert_eq!(seen, wanted);
        let (total, beyond) = farm.store.list_tasks(&filter, u32::MAX, 100).await.expect("reads");
        assert_eq!((total, beyond.len()), (1800, 0));
    }
}

#[tokio::test]
async fn while_a_task_has_to_be_verified_nothing_else_of_its_lane_is_due() {
    let mut farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", Some("ann")); 3]).await;
    let lane = Lane {
        serial: serial_of("a"),
        username: Some(username_of("ann")),
    };
    let heads = async |store: &Store, seconds| {
        let heads = store
            .lane_heads(vec![lane.clone().into()], 10, at(seconds))
            .await
            .expect("reads");
        let due: Vec<TaskId> = heads[0].due.iter().map(|task| task.id).collect();
        (due, heads[0].next_due)
    };
    let second = farm.claim(ids[1], "a", Some("ann")).await;
    assert!(farm.finish(&second, again(60, Purpose::Verify, false)).await);

    assert_eq!(heads(&farm.store, 30).await, (vec![], Some(at(60))));
    assert_eq!(heads(&farm.store, 60).await, (vec![ids[1]], None));
    // Also after a start.
    farm.store.close().await;
    farm.store = open(&farm.path()).await;
    farm.epoch = farm.store.begin_epoch(at(61)).await.expect("begins");
    assert_eq!(heads(&farm.store, 61).await, (vec![ids[1]], None));
    let claimed = farm.claim(ids[1], "a", Some("ann")).await;
    assert!(farm.finish(&claimed, again(62, Purpose::Execute, false)).await);
    assert_eq!(heads(&farm.store, 70).await.0, ids);
}

#[tokio::test]
async fn a_change_beside_the_count_of_its_block_leaves_no_sums_behind() {
    let farm = Farm::new().await;
    let ids = farm.submit(vec![task_for("a", None); 5]).await;
    let of_a = TaskFilter {
        serial: Some(serial_of("a")),
        ..TaskFilter::default()
    };
    let store = &farm.store;
    store.count_quiet().await.expect("marks");
    let mut reader = store.reader().await.expect("a connection");
    let counted = quiet::count_next(reader.conn().expect("open"), 0)
        .await
        .expect("counts")
        .expect("a block");

    store.delete(vec![ids[0]]).await.expect("deletes");
    store.count_quiet().await.expect("marks again");
    quiet::store(&store.queue, &counted)
        .await
        .expect("is not needed any more");

    let sums = quiet::sums_query(&of_a)
        .build()
        .fetch_all(reader.conn().expect("open"))
        .await
        .expect("reads");
    assert!(sums.is_empty());
    assert_eq!(listed(&farm, &of_a).await, (4, vec![5, 4, 3, 2]));
    store.count_quiet().await.expect("counts");
    let sums = quiet::sums_query(&of_a)
        .build()
        .fetch_all(reader.conn().expect("open"))
        .await
        .expect("reads");
    assert_eq!(sums.len(), 1);
    assert_eq!(listed(&farm, &of_a).await, (4, vec![5, 4, 3, 2]));
}
