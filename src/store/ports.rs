//! The store as the actors see it.

use async_trait::async_trait;
use farmhand_actors::{
    domain::{
        AccountChange, AccountPatch, AccountRecord, AccountUse, AttemptId, BatchStart, Checkpoint, Claim, ClaimAhead,
        Claimed, DeviceInfo, DevicePatch, DeviceRecord, Drain, Effect, EffectFinding, EffectGate, EffectIntent,
        EffectKey, Epoch, Held, IdempotencyKey, Material, MaterialId, NewEvent, NewTask, OpenUse, PendingTask,
        Progress, Reached, Rescued, ScheduleId, Serial, StepRecord, TaskId, TaskState, TaskStats, Timestamp, Username,
        retry::Repetition, schedule::Schedule,
    },
    ports::{
        AccountStore, AttemptJournal, DeviceStore, EventStore, Finish, Finished, Lane, LaneAsk, LaneHead,
        MaterialStore, NewMaterial, NewRun, NewSchedule, Resolution, ResolveResult, RetriedAll, RetryFilter,
        RetryResult, RunStored, ScheduleChange, ScheduleStore, ScheduleWritten, StopIntent, StoreError, SubmitResult,
        TaskStore,
    },
};

use super::{
    Store, account, account_use, beside, checkpoint, claim::ClaimedRow, controller, device, drain, effect,
    fault::Fault, lane, material, repetition, request, retry, schedule, stop, submit::Submission, task, writer::Op,
};

#[async_trait]
impl TaskStore for Store {
    async fn begin_epoch(&self, at: Timestamp) -> Result<Epoch, StoreError> {
        self.write(at, controller::begin_epoch).await
    }

    async fn rescue(&self, epoch: Epoch, poison_limit: u32, at: Timestamp) -> Result<Vec<Rescued>, StoreError> {
        self.write((epoch, poison_limit, at), controller::rescue).await
    }

    async fn submit(
        &self,
        tasks: Vec<NewTask>,
        idempotency: Option<IdempotencyKey>,
        warnings: Vec<String>,
        at: Timestamp,
    ) -> Result<SubmitResult, StoreError> {
        let none = Vec::new();
        let (result, _) = self.submit_claiming(tasks, idempotency, warnings, at, none).await?;
        Ok(result)
    }

    async fn submit_claiming(
        &self,
        tasks: Vec<NewTask>,
        idempotency: Option<IdempotencyKey>,
        warnings: Vec<String>,
        at: Timestamp,
        ahead: Vec<ClaimAhead>,
    ) -> Result<(SubmitResult, Vec<Option<Claimed>>), StoreError> {
        let submission = Submission {
            tasks,
            idempotency,
            warnings,
            at,
            ahead,
        };
        let (result, rows) = self.ask(|reply| Op::Submit(request(submission, reply))).await?;
        Ok((result, parsed(rows)?))
    }

    async fn lanes(&self) -> Result<Vec<Lane>, StoreError> {
        Ok(lane::list_lanes(self.reader().await?.conn()?).await?)
    }

    async fn lane_heads(
        &self,
        asks: Vec<LaneAsk>,
        limit_each: u32,
        at: Timestamp,
    ) -> Result<Vec<LaneHead>, StoreError> {
        Ok(lane::list_heads(self.reader().await?.conn()?, asks, limit_each, at).await?)
    }

    async fn pending(&self, tasks: Vec<TaskId>) -> Result<Vec<PendingTask>, StoreError> {
        Ok(lane::list_pending(self.reader().await?.conn()?, &tasks).await?)
    }

    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Option<Claimed>>, StoreError> {
        let rows = self.ask(|reply| Op::Claim(request(claims, reply))).await?;
        Ok(parsed(rows)?)
    }

    async fn finish(&self, finishes: Vec<Finish>) -> Result<Vec<Finished>, StoreError> {
        self.ask(|reply| Op::Finish(request(finishes, reply))).await
    }

    async fn release(&self, claims: Vec<(TaskId, AttemptId)>, remark: String) -> Result<(), StoreError> {
        self.write((claims, remark), stop::release).await
    }

    async fn intend_stop(&self, task: TaskId, at: Timestamp) -> Result<StopIntent, StoreError> {
        self.write((task, at), stop::intend_stop).await
    }

    async fn retry(&self, task: TaskId, at: Timestamp) -> Result<RetryResult, StoreError> {
        self.write((task, at), retry::retry).await
    }

    async fn retry_all(&self, filter: RetryFilter, at: Timestamp) -> Result<RetriedAll, StoreError> {
        self.write((filter, at), retry::retry_all).await
    }

    async fn resolve(&self, resolution: Resolution) -> Result<ResolveResult, StoreError> {
        self.write(resolution, retry::resolve).await
    }

    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        self.write(tasks, task::delete_tasks).await
    }

    async fn states(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, TaskState)>, StoreError> {
        Ok(task::list_states(self.reader().await?.conn()?, &tasks).await?)
    }

    async fn set_drain(&self, serial: Option<Serial>, draining: bool, at: Timestamp) -> Result<(), StoreError> {
        self.write((serial, draining, at), drain::set_drain).await
    }

    async fn drains(&self) -> Result<Vec<Drain>, StoreError> {
        Ok(drain::list_drains(self.reader().await?.conn()?).await?)
    }

    async fn shift_due(&self, by_ms: i64, before: Timestamp) -> Result<(), StoreError> {
        self.write((by_ms, before), task::shift_due).await
    }

    async fn batch_starts(&self, since: Timestamp) -> Result<Vec<BatchStart>, StoreError> {
        Ok(task::list_batch_starts(self.reader().await?.conn()?, since).await?)
    }

    async fn repetitions(&self) -> Result<Vec<Repetition>, StoreError> {
        Ok(repetition::list_repetitions(self.reader().await?.conn()?).await?)
    }

    async fn remark(&self, remarks: Vec<(TaskId, String)>) -> Result<(), StoreError> {
        self.write(remarks, task::remark_tasks).await
    }

    async fn open_effects(&self, tasks: Vec<TaskId>) -> Result<Vec<TaskId>, StoreError> {
        Ok(effect::list_open(self.reader().await?.conn()?, &tasks).await?)
    }

    async fn stats(&self) -> Result<TaskStats, StoreError> {
        Store::stats(self).await
    }
}

fn parsed(rows: Vec<Option<ClaimedRow>>) -> Result<Vec<Option<Claimed>>, Fault> {
    let claimed = rows.into_iter().map(|row| row.map(ClaimedRow::parse).transpose());
    claimed.collect()
}

#[async_trait]
impl ScheduleStore for Store {
    async fn load_schedules(&self) -> Result<Vec<Schedule>, StoreError> {
        let (schedules, strange) = schedule::list_schedules(self.reader().await?.conn()?).await?;
        for schedule::Strange { id, name, problem } in strange {
            tracing::error!(schedule.id = %id, schedule.name = name, problem, "a schedule is left out: delete it, then create it anew");
        }
        Ok(schedules)
    }

    async fn create_schedule(&self, new: NewSchedule) -> Result<ScheduleWritten, StoreError> {
        self.write(new, schedule::create_schedule).await
    }

    async fn change_schedule(&self, change: ScheduleChange) -> Result<ScheduleWritten, StoreError> {
        self.write(change, schedule::change_schedule).await
    }

    async fn delete_schedule(&self, id: ScheduleId) -> Result<bool, StoreError> {
        self.write(id, schedule::delete_schedule).await
    }

    async fn store_run(&self, run: NewRun) -> Result<RunStored, StoreError> {
        self.write(run, schedule::store_run).await
    }
}

#[async_trait]
impl AccountStore for Store {
    async fn load_accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        Ok(account::list_accounts(self.reader().await?.conn()?).await?)
    }

    async fn create_account(&self, account: AccountRecord) -> Result<(), StoreError> {
        self.write(account, account::create_account).await
    }

    async fn patch_account(
        &self,
        username: &Username,
        patch: AccountPatch,
    ) -> Result<Option<AccountRecord>, StoreError> {
        self.write((username.clone(), patch), account::patch_account).await
    }

    async fn import_accounts(&self, changes: Vec<AccountChange>) -> Result<Vec<AccountRecord>, StoreError> {
        self.write(changes, account::import_accounts).await
    }

    async fn find_account(&self, username: &Username) -> Result<Option<AccountRecord>, StoreError> {
        Ok(account::find_account(self.reader().await?.conn()?, username).await?)
    }

    async fn resume_account(&self, username: &Username, event: NewEvent) -> Result<Option<AccountRecord>, StoreError> {
        self.write((username.clone(), event), account::resume_account).await
    }

    async fn end_rest(&self, username: &Username, ended: Option<Timestamp>, event: NewEvent) -> Result<(), StoreError> {
        self.write((username.clone(), ended, event), account::end_rest).await
    }

    async fn touch_account(&self, username: &Username, at: Timestamp) -> Result<(), StoreError> {
        self.write((username.clone(), at), account::touch_account).await
    }

    async fn delete_account(&self, username: &Username) -> Result<bool, StoreError> {
        self.write(username.clone(), account::delete_account).await
    }

    async fn open_uses(&self, username: Option<&Username>) -> Result<Vec<OpenUse>, StoreError> {
        Ok(account_use::list_open(self.reader().await?.conn()?, username).await?)
    }

    async fn open_uses_of_tasks(&self, tasks: Vec<TaskId>) -> Result<Vec<OpenUse>, StoreError> {
        Ok(account_use::list_open_of_tasks(self.reader().await?.conn()?, &tasks).await?)
    }

    async fn uses_of_account(&self, username: &Username, since: Timestamp) -> Result<Vec<AccountUse>, StoreError> {
        Ok(account_use::list_uses_of(self.reader().await?.conn()?, username, since).await?)
    }

    async fn account_uses(&self, since: Timestamp) -> Result<Vec<AccountUse>, StoreError> {
        Ok(account_use::list_uses(self.reader().await?.conn()?, since).await?)
    }
}

#[async_trait]
impl DeviceStore for Store {
    async fn load_devices(&self) -> Result<Vec<DeviceRecord>, StoreError> {
        Ok(device::list_devices(self.reader().await?.conn()?).await?)
    }

    async fn add_device(&self, serial: &Serial, at: Timestamp) -> Result<(), StoreError> {
        self.write((serial.clone(), at), device::add_device).await
    }

    async fn note_device(&self, serial: &Serial, info: DeviceInfo, at: Timestamp) -> Result<(), StoreError> {
        self.write((serial.clone(), info, at), device::note_device).await
    }

    async fn patch_device(&self, serial: &Serial, patch: DevicePatch) -> Result<(), StoreError> {
        self.write((serial.clone(), patch), device::patch_device).await
    }

    async fn hold_device(&self, serial: &Serial, held: Option<Held>) -> Result<(), StoreError> {
        self.write((serial.clone(), held), device::hold_device).await
    }
}

#[async_trait]
impl EventStore for Store {
    fn tell(&self, events: Vec<NewEvent>) {
        self.shared.aside.tell(events);
    }
}

#[async_trait]
impl MaterialStore for Store {
    async fn load_materials(&self) -> Result<Vec<Material>, StoreError> {
        self.list_materials().await
    }

    async fn create_material(&self, material: NewMaterial) -> Result<Material, StoreError> {
        self.write(material, material::create_material).await
    }

    async fn delete_material(&self, id: MaterialId) -> Result<Option<Material>, StoreError> {
        self.write(id, material::delete_material).await
    }

    async fn used_media(&self, username: &Username, sha256: &[String]) -> Result<Vec<String>, StoreError> {
        Ok(material::list_used(self.reader().await?.conn()?, username, sha256).await?)
    }
}

#[async_trait]
impl AttemptJournal for Store {
    fn record_step(&self, attempt: AttemptId, step: StepRecord) {
        self.shared.aside.step(attempt, step);
    }

    fn record_flow(&self, attempt: AttemptId, content_hash: &str) {
        self.shared.aside.flow(attempt, content_hash);
    }

    fn record_progress(&self, task: TaskId, attempt: AttemptId, progress: Progress) {
        self.shared.aside.progress(task, attempt, progress);
    }

    async fn intend(&self, intent: EffectIntent) -> Result<EffectGate, StoreError> {
        self.write(intent, effect::intend).await
    }

    async fn find_repeated(
        &self,
        task: TaskId,
        username: Option<&Username>,
        serial: &Serial,
        hash: &str,
        since: Timestamp,
    ) -> Result<Option<TaskId>, StoreError> {
        Ok(effect::find_repeated(self.reader().await?.conn()?, task, username, serial, hash, since).await?)
    }

    async fn has_rival(
        &self,
        effect: &EffectKey,
        username: Option<&Username>,
        serial: &Serial,
        by_same: bool,
    ) -> Result<bool, StoreError> {
        Ok(effect::has_rival(self.reader().await?.conn()?, effect, username, serial, by_same).await?)
    }

    async fn was_touched_again(&self, effect: &EffectKey, param: &str) -> Result<bool, StoreError> {
        Ok(effect::was_touched_again(self.reader().await?.conn()?, effect, param).await?)
    }

    async fn newest_open(
        &self,
        task: TaskId,
        serial: &Serial,
        package: &str,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(beside::newest_open(self.reader().await?.conn()?, task, serial, package, since).await?)
    }

    async fn has_account(&self, serial: &Serial, app: &str) -> Result<bool, StoreError> {
        Ok(beside::has_account(self.reader().await?.conn()?, serial, app).await?)
    }

    async fn acted_since_checkpoint(
        &self,
        task: TaskId,
        username: Option<&Username>,
        serial: &Serial,
    ) -> Result<bool, StoreError> {
        Ok(beside::acted_since_checkpoint(self.reader().await?.conn()?, task, username, serial).await?)
    }

    async fn is_stop_requested(&self, task: TaskId) -> Result<bool, StoreError> {
        Ok(effect::is_stop_requested(self.reader().await?.conn()?, task).await?)
    }

    async fn reach(&self, checkpoint: Checkpoint) -> Result<(), StoreError> {
        self.write(checkpoint, checkpoint::reach).await
    }

    async fn reached(&self, task: TaskId) -> Result<Option<Reached>, StoreError> {
        Ok(checkpoint::reached(self.reader().await?.conn()?, task).await?)
    }

    async fn settle(&self, finding: EffectFinding) -> Result<(), StoreError> {
        self.write(finding, effect::settle).await
    }

    async fn effects(&self, task: TaskId) -> Result<Vec<Effect>, StoreError> {
        Ok(effect::list_effects(self.reader().await?.conn()?, task).await?)
    }
}
