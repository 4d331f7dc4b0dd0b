use std::time::Duration;

use crate::{
    domain::TaskState,
    testing::{
        Behaviour, ScriptedRunner, TestFarm,
        farm::{quick_settings, request},
    },
};

#[actix::test]
async fn a_task_for_an_idle_device_runs_to_its_end() {
    let runner = ScriptedRunner::usually(Behaviour::completes(Duration::from_secs(3)));
    let farm = TestFarm::start(&[("p1", &["a"])], quick_settings(), runner).await;

    let ids = farm.submit(request(&["p1"])).await;

    farm.until_state(ids[0], TaskState::Running).await;
    farm.until_state(ids[0], TaskState::Completed).await;
    assert_eq!(farm.task(ids[0]).remark, "done");
    assert_eq!(farm.store.attempts(ids[0]).len(), 1);
}
