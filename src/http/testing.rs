//! A farm of paper for the tests of the API: it answers from memory, writes down what it was asked, and fails when
//! told to. Every answer is held against the OpenAPI document.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use actix_web::{
    App as WebApp, HttpMessage,
    body::MessageBody,
    dev::Service,
    http::{Method, StatusCode, header::HeaderMap},
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use async_trait::async_trait;
use bytes::Bytes;
use farmhand_actors::{
    domain::*,
    ports::*,
    router::{Deleted, RetryAllAnswer, RouterError},
    supervisor::*,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use super::{
    AppState, Health, HttpSettings, configure,
    docs::OPENAPI,
    license::{License, Plan},
    observe::observe,
    ports::*,
    schedule::testing::FakeSchedules,
    state::App,
    webhook::testing::FakeWebhooks,
};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    at("2026-11-23T12:00:00.5Z")
}

pub fn serial(text: &str) -> Serial {
    Serial::parse(text).unwrap()
}

pub fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub fn script(text: &str) -> ScriptName {
    ScriptName::parse(text).unwrap()
}

pub fn task(id: i64, state: TaskState) -> Task {
    let failed = state == TaskState::Failed;
    Task {
        id: TaskId(id),
        request: NewTask {
            batch_id: "01J00000000000000000000000".into(),
            script: script("post"),
            config: Arc::new(json!({"content_type": 0})),
            serial: Some(serial("device_serial_1")),
            username: Some(username("user1")),
            enable_multi_account: false,
            source: Source::Api,
            start_time: Some("14:30".to_owned()),
            scheduled_at: Some(at("2026-11-23T14:30:00Z")),
            due_at: None,
            gap: None,
            priority: 0,
            schedule: None,
        },
        state,
        purpose: Purpose::Execute,
        created_at: now(),
        started_at: failed.then(now),
        finished_at: failed.then(now),
        retry_count: 0,
        progress: failed.then(|| Progress {
            step: 3,
            steps: 12,
            label: "Publish".to_owned(),
        }),
        remark: "waits".to_owned(),
        failure: failed.then(|| Failure {
            reason: FailureReason::Stopped,
            message: "a person stopped it".to_owned(),
            step: Some(3),
            retryable: true,
        }),
    }
}

/// The router, of paper.
#[derive(Default)]
pub struct FakeTasks {
    pub submitted: Mutex<Vec<SubmitTasks>>,
    pub asked: Mutex<Vec<String>>,
    pub fails: Mutex<Option<RouterError>>,
    pub drained: Mutex<Vec<Drain>>,
}

impl FakeTasks {
    fn ask(&self, what: String) -> Result<(), RouterError> {
        self.asked.lock().unwrap().push(what);
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait(?Send)]
impl TaskCommands for FakeTasks {
    async fn submit(&self, request: SubmitTasks) -> Result<Submitted, RouterError> {
        self.ask("submit".to_owned())?;
        let warnings = request.warnings.clone();
        self.submitted.lock().unwrap().push(request);
        Ok(Submitted {
            task_ids: vec![TaskId(101), TaskId(102)],
            warnings,
        })
    }
    async fn stop(&self, task: TaskId) -> Result<(), RouterError> {
        self.ask(format!("stop {task}"))
    }
    async fn retry(&self, task: TaskId) -> Result<(), RouterError> {
        self.ask(format!("retry {task}"))
    }
    async fn retry_all(&self, filter: RetryFilter) -> Result<RetryAllAnswer, RouterError> {
        self.ask(format!("retry_all {}", filter.include_unknown))?;
        Ok(RetryAllAnswer {
            retried: vec![TaskId(1)],
            skipped: vec![(TaskId(2), "outcome_unknown".to_owned())],
        })
    }
    async fn delete(&self, tasks: Vec<TaskId>) -> Result<Deleted, RouterError> {
        self.ask(format!("delete {tasks:?}"))?;
        let (deleted, not_found) = tasks.into_iter().partition(|task| task.0 < 100);
        Ok(Deleted { deleted, not_found })
    }
    async fn resolve(&self, resolution: Resolution) -> Result<(), RouterError> {
        self.ask(format!(
            "resolve {} {} {:?}",
            resolution.task, resolution.done, resolution.note
        ))
    }
    async fn set_drain(&self, serial: Option<Serial>, draining: bool) -> Result<Vec<Drain>, RouterError> {
        self.ask(format!("drain {serial:?} {draining}"))?;
        *self.drained.lock().unwrap() = draining.then(|| Drain { serial, since: now() }).into_iter().collect();
        self.drains().await
    }
    async fn drains(&self) -> Result<Vec<Drain>, RouterError> {
        Ok(self.drained.lock().unwrap().clone())
    }
    async fn waiting_for(&self, tasks: Vec<TaskId>) -> Result<Vec<(TaskId, String)>, RouterError> {
        self.ask("waiting_for".to_owned())?;
        let reason = || "device device_serial_1 is offline".to_owned();
        Ok(tasks.into_iter().map(|task| (task, reason())).collect())
    }
}

pub fn device(name: &str) -> DeviceSnapshot {
    DeviceSnapshot {
        serial: serial(name),
        alias: Some("desk".to_owned()),
        tags: vec!["a".to_owned()],
        app: None,
        enabled: true,
        state: DeviceState::Online,
        since: now(),
        cause: "seen by adb".to_owned(),
        next_action: String::new(),
        evidence: DeviceEvidence {
            adb: Some(AdbEvidence {
                state: AdbState::Device,
                since: now(),
            }),
            probe: Some(ProbeEvidence {
                kind: ProbeKind::Look,
                at: now(),
                problem: None,
            }),
            last_good: Some(LastGood {
                command: "tap",
                at: now(),
            }),
        },
        quarantine: None,
        info: DeviceInfo {
            model: Some("Pixel".to_owned()),
            screen_width: Some(1080),
            screen_height: Some(2400),
            battery_level: Some(80),
            battery_temperature_decicelsius: Some(275),
            ..DeviceInfo::default()
        },
        accounts: vec![username("user1")],
        current_account: None,
        current_task: None,
        leased_since: None,
        last_seen: Some(now()),
        restarts: 0,
    }
}

pub fn account(name: &str) -> AccountSnapshot {
    let limit = ScriptLimit {
        per_hour: Some(5),
        per_day: None,
        min_gap_s: None,
    };
    AccountSnapshot {
        record: AccountRecord {
            username: username(name),
            app: "tiktok".to_owned(),
            package: None,
            serial: Some(serial("device_serial_1")),
            status: AccountStatus::Active,
            status_reason: None,
            evidence: None,
            cooldown_until: None,
            status_revision: 0,
            limits: Limits::from([(script("post"), limit)]),
            last_used: None,
            created_at: now(),
        },
        package: Some(Package::parse("com.zhiliaoapp.musically").unwrap()),
        effective_limits: Limits::from([(script("post"), limit)]),
        counters: vec![UseCounter {
            script: script("post"),
            last_hour: 1,
            today: 2,
        }],
        current_task: None,
    }
}

/// Devices and accounts, of paper.
pub struct FakeFarm {
    pub devices: Vec<DeviceSnapshot>,
    pub accounts: Mutex<Vec<AccountSnapshot>>,
    pub driver: Arc<FakeDriver>,
    pub device_patches: Mutex<Vec<DevicePatch>>,
    pub account_patches: Mutex<Vec<AccountPatch>>,
    pub created: Mutex<Vec<NewAccount>>,
    pub fails: Mutex<Option<SupervisorError>>,
    pub acting: Mutex<Vec<bool>>,
}

impl Default for FakeFarm {
    fn default() -> Self {
        Self {
            devices: vec![device("device_serial_1"), device("device_serial_2")],
            accounts: Mutex::new(vec![account("user1"), account("user2")]),
            driver: Arc::default(),
            device_patches: Mutex::default(),
            account_patches: Mutex::default(),
            created: Mutex::default(),
            fails: Mutex::default(),
            acting: Mutex::default(),
        }
    }
}

impl FakeFarm {
    fn fail(&self) -> Result<(), SupervisorError> {
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait(?Send)]
impl Farm for FakeFarm {
    async fn devices(&self) -> Result<Vec<DeviceSnapshot>, SupervisorError> {
        self.fail()?;
        Ok(self.devices.clone())
    }
    async fn device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        self.fail()?;
        let found = self.devices.iter().find(|device| device.serial == serial).cloned();
        found.ok_or(SupervisorError::UnknownDevice(serial))
    }
    async fn patch_device(&self, serial: Serial, patch: DevicePatch) -> Result<DeviceSnapshot, SupervisorError> {
        self.device_patches.lock().unwrap().push(patch);
        self.device(serial).await
    }
    async fn quarantine_device(&self, serial: Serial, reason: String) -> Result<DeviceSnapshot, SupervisorError> {
        let device = self.device(serial).await?;
        Ok(DeviceSnapshot {
            state: DeviceState::Quarantined,
            quarantine: Some(QuarantineInfo {
                by_person: true,
                reason,
                until: None,
            }),
            ..device
        })
    }
    async fn release_device(&self, serial: Serial) -> Result<DeviceSnapshot, SupervisorError> {
        self.device(serial.clone()).await?;
        Err(SupervisorError::WrongState(format!(
            "device {serial} is not in quarantine"
        )))
    }
    async fn driver(&self, serial: Serial, acting: bool) -> Result<Arc<dyn DeviceDriver>, SupervisorError> {
        self.acting.lock().unwrap().push(acting);
        self.device(serial).await?;
        Ok(self.driver.clone())
    }
    async fn accounts(&self) -> Result<Vec<AccountSnapshot>, SupervisorError> {
        self.fail()?;
        Ok(self.accounts.lock().unwrap().clone())
    }
    async fn account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        self.fail()?;
        let accounts = self.accounts.lock().unwrap();
        let found = accounts
            .iter()
            .find(|account| account.record.username == username)
            .cloned();
        found.ok_or(SupervisorError::UnknownAccount(username))
    }
    async fn create_account(&self, new: NewAccount) -> Result<AccountSnapshot, SupervisorError> {
        if self.account(new.username.clone()).await.is_ok() {
            return Err(SupervisorError::AccountExists(new.username));
        }
        let created = account(new.username.as_str());
        self.created.lock().unwrap().push(new);
        Ok(created)
    }
    async fn patch_account(&self, username: Username, patch: AccountPatch) -> Result<AccountSnapshot, SupervisorError> {
        self.account_patches.lock().unwrap().push(patch);
        self.account(username).await
    }
    async fn import_accounts(&self, edits: Vec<AccountEdit>) -> Result<(), SupervisorError> {
        for edit in edits {
            match edit {
                AccountEdit::New(new) => self.create_account(new).await.map(drop)?,
                AccountEdit::Patch(username, patch) => self.patch_account(username, patch).await.map(drop)?,
            }
        }
        Ok(())
    }
    async fn delete_account(&self, username: Username) -> Result<(), SupervisorError> {
        self.account(username).await.map(drop)
    }
    async fn resume_account(&self, username: Username) -> Result<AccountSnapshot, SupervisorError> {
        self.account(username).await
    }
    async fn tree(&self) -> Result<Vec<ActorSnapshot>, SupervisorError> {
        self.fail()?;
        Ok(vec![
            actor(ActorKind::Supervisor, "supervisor"),
            actor(ActorKind::Device, "device_serial_1"),
        ])
    }
    async fn restart(&self, kind: String, name: String) -> Result<ActorSnapshot, SupervisorError> {
        let found = self
            .tree()
            .await?
            .into_iter()
            .find(|actor| actor.kind.as_str() == kind && actor.name == name);
        found.ok_or(SupervisorError::UnknownActor { kind, name })
    }
}

fn actor(kind: ActorKind, name: &str) -> ActorSnapshot {
    ActorSnapshot {
        kind,
        name: name.to_owned(),
        state: ActorState::Running,
        since: now(),
        restarts: 0,
        last_heartbeat: Some(now()),
        mailbox_depth: 0,
        current_task: None,
        device_state: (kind == ActorKind::Device).then_some(DeviceState::Online),
        alarm: None,
        generation: 1,
    }
}

/// A phone, of paper.
#[derive(Default)]
pub struct FakeDriver {
    pub calls: Mutex<Vec<String>>,
    pub content: Mutex<ScreenContent>,
    pub fails: Mutex<Option<DriverError>>,
}

impl FakeDriver {
    fn call(&self, what: String) -> Result<(), DriverError> {
        self.calls.lock().unwrap().push(what);
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl DeviceDriver for FakeDriver {
    fn serial(&self) -> &Serial {
        panic!("nobody asks")
    }
    async fn take(&self) -> Result<(), DriverError> {
        self.call("take".to_owned())
    }
    async fn info(&self) -> Result<DeviceInfo, DriverError> {
        self.call("info".to_owned()).map(|()| DeviceInfo::default())
    }
    async fn shell(&self, command: ShellCommand) -> Result<ShellOutput, DriverError> {
        self.call(format!("shell {:?} {:?}", command.words, command.timeout))?;
        Ok(ShellOutput {
            stdout: b"out\xff".to_vec(),
            stderr: Vec::new(),
            code: 3,
        })
    }
    async fn hierarchy(&self) -> Result<UiTree, DriverError> {
        self.call("hierarchy".to_owned())?;
        let node = UiNode {
            text: "OK".to_owned(),
            bounds: Some(Bounds::default()),
            ..UiNode::default()
        };
        Ok(UiTree {
            nodes: vec![node],
            rotation: 0,
        })
    }
    async fn hierarchy_text(&self) -> Result<String, DriverError> {
        self.call("hierarchy_text".to_owned())
            .map(|()| "<hierarchy/>".to_owned())
    }
    async fn screenshot(&self) -> Result<Screenshot, DriverError> {
        self.call("screenshot".to_owned())?;
        Ok(Screenshot {
            width: 1,
            height: 1,
            rgba: vec![0; 4].into(),
        })
    }
    async fn capture(&self, freshness: Freshness) -> Result<Arc<ScreenCapture>, DriverError> {
        assert_eq!(freshness, Freshness::Shared, "people who watch share a picture");
        let picture = self.screenshot().await?;
        let content = *self.content.lock().unwrap();
        Ok(Arc::new(ScreenCapture { picture, content }))
    }
    async fn screen_size(&self) -> Result<(u32, u32), DriverError> {
        self.call("screen_size".to_owned()).map(|()| (1, 1))
    }
    async fn tap(&self, at: Point) -> Result<(), DriverError> {
        self.call(format!("tap {} {}", at.x, at.y))
    }
    async fn swipe(&self, from: Point, to: Point, duration: Duration) -> Result<(), DriverError> {
        self.call(format!("swipe {} {} {} {} {duration:?}", from.x, from.y, to.x, to.y))
    }
    async fn key(&self, code: u32) -> Result<(), DriverError> {
        self.call(format!("key {code}"))
    }
    async fn keys(&self, codes: &[u32]) -> Result<(), DriverError> {
        self.call(format!("keys {codes:?}"))
    }
    async fn type_text(&self, text: &str) -> Result<(), DriverError> {
        self.call(format!("text {text}"))
    }
    async fn launch_app(&self, launch: LaunchApp) -> Result<(), DriverError> {
        self.call(format!("launch {}", launch.package))
    }
    async fn stop_app(&self, package: &Package) -> Result<(), DriverError> {
        self.call(format!("stop {package}"))
    }
    async fn kill_app(&self, package: &Package) -> Result<(), DriverError> {
        self.call(format!("kill {package}"))
    }
    async fn clear_app(&self, package: &Package) -> Result<(), DriverError> {
        self.call(format!("clear {package}"))
    }
    async fn has_app(&self, package: &Package) -> Result<bool, DriverError> {
        self.call(format!("has {package}")).map(|()| true)
    }
    async fn foreground_app(&self) -> Result<Option<Package>, DriverError> {
        self.call("foreground".to_owned()).map(|()| None)
    }
    async fn open_link(&self, link: &str, package: Option<&Package>) -> Result<(), DriverError> {
        self.call(format!("open_link {link} {package:?}"))
    }
    async fn set_permission(&self, package: &Package, permission: &str, granted: bool) -> Result<(), DriverError> {
        self.call(format!("permission {package} {permission} {granted}"))
    }
    async fn push(&self, local: &Path, remote: &str) -> Result<(), DriverError> {
        self.call(format!("push {:?} {remote}", std::fs::read_to_string(local).unwrap()))
    }
    async fn pull(&self, remote: &str, _: &Path) -> Result<(), DriverError> {
        self.call(format!("pull {remote}"))
    }
    async fn add_media(&self, _: &Path, name: &str) -> Result<String, DriverError> {
        self.call(format!("add_media {name}")).map(|()| name.to_owned())
    }
    async fn install(&self, apk: &Path) -> Result<(), DriverError> {
        self.call(format!("install {} bytes", std::fs::read(apk).unwrap().len()))
    }
    async fn log(&self, lines: u32) -> Result<String, DriverError> {
        self.call(format!("log {lines}")).map(|()| "line".to_owned())
    }
}

/// The store, of paper.
pub struct FakeReads {
    pub tasks: Mutex<Vec<Task>>,
    pub attempts: Mutex<Vec<Attempt>>,
    pub filters: Mutex<Vec<(TaskFilter, u32, u32)>>,
    pub keys: Mutex<Vec<KeyRecord>>,
    pub touched: Mutex<Vec<String>>,
    pub answers: Mutex<Vec<(String, SubmitResult)>>,
    pub events: Mutex<EventPage>,
    pub newest: tokio::sync::watch::Sender<i64>,
    pub fails: Mutex<Option<StoreError>>,
    pub panics: Mutex<bool>,
}

impl Default for FakeReads {
    fn default() -> Self {
        Self {
            tasks: Mutex::new(vec![task(1, TaskState::Available), task(2, TaskState::Failed)]),
            attempts: Mutex::default(),
            filters: Mutex::default(),
            keys: Mutex::default(),
            touched: Mutex::default(),
            answers: Mutex::default(),
            events: Mutex::default(),
            newest: tokio::sync::watch::Sender::new(0),
            fails: Mutex::default(),
            panics: Mutex::default(),
        }
    }
}

impl FakeReads {
    fn fail(&self) -> Result<(), StoreError> {
        assert!(!*self.panics.lock().unwrap(), "told to panic");
        self.fails.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait(?Send)]
impl Reads for FakeReads {
    async fn get_task(&self, id: TaskId) -> Result<Option<Task>, StoreError> {
        self.fail()?;
        Ok(self.tasks.lock().unwrap().iter().find(|task| task.id == id).cloned())
    }
    async fn list_tasks(&self, filter: &TaskFilter, page: u32, page_size: u32) -> Result<(u64, Vec<Task>), StoreError> {
        self.fail()?;
        self.filters.lock().unwrap().push((filter.clone(), page, page_size));
        let tasks = self.tasks.lock().unwrap().clone();
        Ok((tasks.len() as u64, tasks))
    }
    async fn list_attempts(&self, _: TaskId) -> Result<Vec<Attempt>, StoreError> {
        self.fail()?;
        Ok(self.attempts.lock().unwrap().clone())
    }
    async fn leases(&self) -> Result<Vec<HeldLease>, StoreError> {
        Ok(vec![HeldLease {
            serial: serial("device_serial_1"),
            username: Some(username("user1")),
            task: TaskId(5),
            attempt: 2,
            token: "3-17".to_owned(),
            since: now(),
        }])
    }
    async fn stats(&self) -> Result<TaskStats, StoreError> {
        self.fail()?;
        Ok(TaskStats {
            total: 10,
            pending: 1,
            running: 2,
            completed: 3,
            failed: 4,
        })
    }
    async fn find_answer(&self, key: &IdempotencyKey, _: Timestamp) -> Result<Option<SubmitResult>, StoreError> {
        let answers = self.answers.lock().unwrap();
        Ok(answers
            .iter()
            .find(|(known, _)| *known == key.key)
            .map(|(_, answer)| answer.clone()))
    }
    async fn list_materials(&self) -> Result<Vec<Material>, StoreError> {
        self.fail()?;
        Ok(vec![material("video.mp4")])
    }
    async fn events_after(&self, seq: i64, limit: u32) -> Result<EventPage, StoreError> {
        self.fail()?;
        let page = self.events.lock().unwrap().clone();
        let events = page
            .events
            .into_iter()
            .filter(|event| event.seq > seq)
            .take(limit as usize)
            .collect();
        Ok(EventPage { events, ..page })
    }
    fn event_watch(&self) -> tokio::sync::watch::Receiver<i64> {
        self.newest.subscribe()
    }
    async fn find_key(&self, prefix: &str) -> Result<Option<KeyRecord>, StoreError> {
        self.fail()?;
        Ok(self
            .keys
            .lock()
            .unwrap()
            .iter()
            .find(|key| key.prefix == prefix)
            .cloned())
    }
    async fn touch_key(&self, prefix: &str, _: Timestamp) -> Result<(), StoreError> {
        self.touched.lock().unwrap().push(prefix.to_owned());
        Ok(())
    }
    async fn ping(&self) -> Result<(), StoreError> {
        self.fail()
    }
}

pub fn material(name: &str) -> Material {
    Material {
        id: MaterialId(7),
        name: name.to_owned(),
        file: "7.mp4".to_owned(),
        kind: MediaKind::Video,
        sha256: "00".to_owned(),
        bytes: 5,
        tags: vec!["cats".to_owned()],
        username: None,
        caption: None,
        sort_order: 0,
        used_by: Vec::new(),
        created_at: now(),
    }
}

/// `post`, `follow` and `unfollow`, as far as the API is concerned: `captions` must be a text, and each of
/// `target_users` makes a task.
pub struct FakeScripts;

#[async_trait]
impl ScriptCatalog for FakeScripts {
    fn list(&self) -> Vec<ScriptInfo> {
        ["follow", "post", "unfollow"]
            .iter()
            .filter_map(|name| self.get(&script(name)))
            .collect()
    }
    fn get(&self, name: &ScriptName) -> Option<ScriptInfo> {
        ["follow", "post", "unfollow"]
            .contains(&name.as_str())
            .then(|| ScriptInfo {
                name: name.clone(),
                description: "a script".to_owned(),
                params: Arc::new(json!({"type": "object"})),
                content_hash: "00".to_owned(),
                built_in: true,
                errors: Vec::new(),
            })
    }
    async fn validate(&self, _: &ScriptName, config: &Value) -> Result<ValidConfig, Vec<FieldError>> {
        if config.get("captions").is_some_and(|captions| !captions.is_string()) {
            let field = "script_config.captions".to_owned();
            return Err(vec![FieldError {
                field,
                message: "must be a string".to_owned(),
            }]);
        }
        let targets = config.get("target_users").and_then(Value::as_array).map_or(1, Vec::len);
        let configs = (0..targets).map(|_| Arc::new(config.clone())).collect();
        Ok(ValidConfig {
            configs,
            warnings: vec!["a file is not there yet".to_owned()],
        })
    }
}

struct FakePictures;

impl Pictures for FakePictures {
    fn encode(&self, _: &Screenshot, format: PictureFormat, width: Option<u32>) -> Result<Vec<u8>, String> {
        Ok(format!("{format:?} {width:?}").into_bytes())
    }
}

/// The material library, of paper.
#[derive(Default)]
pub struct FakeLibrary {
    pub uploads: Mutex<Vec<(NewUpload, Vec<u8>)>>,
}

#[async_trait(?Send)]
impl Library for FakeLibrary {
    async fn add(&self, upload: NewUpload) -> Result<Material, MediaError> {
        let bytes = std::fs::read(&upload.path).unwrap();
        if bytes.starts_with(b"text") {
            return Err(MediaError::Invalid(format!(
                "{} is not an MP4, JPG or PNG",
                upload.name
            )));
        }
        let kept = material(&upload.name);
        self.uploads.lock().unwrap().push((upload, bytes));
        Ok(kept)
    }
    async fn delete(&self, id: MaterialId) -> Result<bool, MediaError> {
        Ok(id.0 == 7)
    }
}

struct FakeClock;

impl Clock for FakeClock {
    fn now(&self) -> Now {
        Now {
            wall: now(),
            mono: Duration::from_secs(1),
        }
    }
}

#[async_trait(?Send)]
impl SentFlows for FakeScripts {
    async fn keep(&self, flow: SentFlow, config: &Value) -> Result<(ScriptName, ValidConfig), SentFlowError> {
        match flow.main.as_str() {
            "wrong.yaml" => Err(SentFlowError::Invalid(vec![FieldError {
                field: "files.wrong.yaml".to_owned(),
                message: "wrong.yaml:3:3: Invalid Command: tapon".to_owned(),
            }])),
            "broken.yaml" => Err(SentFlowError::Host("the disk is full at /secret".to_owned())),
            _ => Ok((
                ScriptName::of_bundle("x", "0123456789abcdef").unwrap(),
                ValidConfig {
                    configs: vec![Arc::new(config.clone())],
                    warnings: Vec::new(),
                },
            )),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }
    pub fn code(&self) -> i64 {
        self.json()["code"].as_i64().unwrap()
    }
    pub fn data(&self) -> Value {
        self.json()["data"].clone()
    }
    /// The fields that are named as faulty.
    pub fn faults(&self) -> Vec<String> {
        let errors = self.data()["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The API over a farm of paper.
pub struct Api {
    pub tasks: Arc<FakeTasks>,
    pub farm: Arc<FakeFarm>,
    pub reads: Arc<FakeReads>,
    pub schedules: Arc<FakeSchedules>,
    pub library: Arc<FakeLibrary>,
    pub webhooks: Arc<FakeWebhooks>,
    pub health: Arc<Health>,
    pub app: web::Data<App>,
    pub folder: tempfile::TempDir,
    document: Value,
}

impl Api {
    pub fn new() -> Self {
        Self::with(HttpSettings::default(), License::of(Plan::Pro), Health::default())
    }

    pub fn with_settings(settings: HttpSettings) -> Self {
        Self::with(settings, License::of(Plan::Pro), Health::default())
    }

    pub fn with(settings: HttpSettings, license: License, health: Health) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = HttpSettings {
            evidence_dir: folder.path().join("evidence"),
            upload_dir: folder.path().join("uploads"),
            ..settings
        };
        let (tasks, farm, reads, library) = (
            Arc::new(FakeTasks::default()),
            Arc::new(FakeFarm::default()),
            Arc::<FakeReads>::default(),
            Arc::default(),
        );
        let schedules = Arc::<FakeSchedules>::default();
        let webhooks = Arc::<FakeWebhooks>::default();
        let health = Arc::new(health);
        let state = AppState {
            tasks: tasks.clone(),
            schedules: schedules.clone(),
            farm: farm.clone(),
            reads: reads.clone(),
            scripts: Arc::new(FakeScripts),
            flows: Arc::new(FakeScripts),
            pictures: Arc::new(FakePictures),
            library: Arc::clone(&library) as Arc<dyn Library>,
            webhooks: Arc::clone(&webhooks) as Arc<dyn WebhookStore>,
            sender: Arc::clone(&webhooks) as Arc<dyn MessageSender>,
            clock: Arc::new(FakeClock),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            license,
            health: health.clone(),
        };
        let app = web::Data::new(App::new(state, settings));
        Self {
            tasks,
            farm,
            reads,
            schedules,
            library,
            webhooks,
            health,
            app,
            folder,
            document: document(),
        }
    }

    /// Sends a request; the answer must be as the OpenAPI document says.
    pub async fn send(&self, request: TestRequest) -> Reply {
        let host = request.insert_header(("x-test", "1"));
        let mut request = host.to_request();
        if !request.headers().contains_key("host") {
            request
                .headers_mut()
                .insert("host".parse().unwrap(), "127.0.0.1:50809".parse().unwrap());
        }
        let (method, path) = (request.method().clone(), request.path().to_owned());
        let service = WebApp::new()
            .app_data(self.app.clone())
            .configure(configure)
            .wrap(from_fn(observe));
        let response = match init_service(service).await.call(request).await {
            Ok(response) => response.into_parts().1,
            Err(error) => error.error_response().map_into_boxed_body(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let streams = headers
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream");
        let body = if streams {
            Bytes::new()
        } else {
            actix_web::body::to_bytes(response.into_body().boxed()).await.unwrap()
        };
        let reply = Reply { status, headers, body };
        assert!(
            !reply.header("x-request-id").is_empty(),
            "{method} {path}: no X-Request-Id"
        );
        conforms(&self.document, &method, &path, &reply);
        reply
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(TestRequest::get().uri(path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(TestRequest::post().uri(path).set_json(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(TestRequest::patch().uri(path).set_json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(TestRequest::delete().uri(path)).await
    }
}

/// The OpenAPI document.
pub fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// The operations of the OpenAPI document: path and method.
pub fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.insert((path.clone(), method.to_uppercase()), operation);
        }
    }
    operations
}

/// Fails when a documented operation answered what its document does not know.
fn conforms(document: &Value, method: &Method, path: &str, reply: &Reply) {
    let matches = |pattern: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        pattern.len() == path.len() && pattern.iter().zip(&path).all(same)
    };
    let words = |pattern: &str| pattern.split('/').filter(|part| !part.starts_with('{')).count();
    let operations = operations(document);
    let found = operations
        .iter()
        .filter(|((pattern, verb), _)| verb == method.as_str() && matches(pattern));
    let Some((_, operation)) = found.max_by_key(|((pattern, _), _)| words(pattern)) else {
        return;
    };
    // An unknown method of a known path is answered before the operation.
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        return;
    }
    let mut response = &operation["responses"][reply.status.as_str()];
    assert!(
        response.is_object(),
        "{method} {path}: status {} is not documented: {:?}",
        reply.status,
        reply.body
    );
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).unwrap();
    }
    let media_type = reply.header("content-type").split(';').next().unwrap().to_owned();
    let content = &response["content"][&media_type];
    assert!(
        content.is_object(),
        "{method} {path}: {media_type} is not documented for {}",
        reply.status
    );
    if media_type != "application/json" || path == "/api/v1/openapi.json" {
        return;
    }
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let faults: Vec<String> = validator
        .iter_errors(&reply.json())
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{method} {path}: {faults:#?}\n{:#}", reply.json());
}
