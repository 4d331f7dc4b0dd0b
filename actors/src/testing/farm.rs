//! A whole farm under virtual time: real actors on the test's thread, everything else scripted.

use std::{sync::Arc, time::Duration};

use super::{AnyScript, FakeDriverFactory, ManualClock, MemoryStore, ScriptedRunner};
use crate::{
    Farm, FarmParts, FarmSettings,
    domain::{
        AccountRecord, AccountStatus, AdbState, Limits, Presence, ScriptLimit, ScriptName, Serial, Source,
        SubmitTarget, SubmitTasks, Submitted, Task, TaskId, TaskState, Timestamp, Username,
    },
    ports::{AccountStore, DeviceStore},
    router::RouterError,
    supervisor::PresenceReport,
};

/// Wall time at which test farms begin.
pub const MORNING: &str = "2026-05-01T06:00:00Z";

/// A running farm and its stand-ins.
pub struct TestFarm {
    pub farm: Farm,
    pub store: MemoryStore,
    pub runner: ScriptedRunner,
    pub drivers: FakeDriverFactory,
    pub clock: Arc<ManualClock>,
}

/// Settings for tests: all actors on one thread, limits that are counted and not kept.
pub fn quick_settings() -> FarmSettings {
    let mut settings = FarmSettings {
        device_arbiters: 0,
        ..FarmSettings::default()
    };
    settings.limits.enabled = false;
    settings.limits.scripts.insert(script("post"), ScriptLimit::default());
    settings
}

pub fn serial(name: &str) -> Serial {
    Serial::parse(name).unwrap()
}

pub fn username(name: &str) -> Username {
    Username::parse(name).unwrap()
}

pub fn script(name: &str) -> ScriptName {
    ScriptName::parse(name).unwrap()
}

pub fn account_record(name: &str, device: Option<&str>) -> AccountRecord {
    AccountRecord {
        username: username(name),
        app: "tiktok".to_owned(),
        package: None,
        serial: device.map(serial),
        status: AccountStatus::Active,
        status_reason: None,
        evidence: None,
        cooldown_until: None,
        status_revision: 0,
        limits: Limits::new(),
        last_used: None,
        created_at: MORNING.parse().unwrap(),
    }
}

/// A request for one task of script `post` per device.
pub fn request(devices: &[&str]) -> SubmitTasks {
    SubmitTasks {
        target: SubmitTarget::Devices(devices.iter().map(|name| serial(name)).collect()),
        script: script("post"),
        configs: vec![Arc::new(serde_json::json!({}))],
        enable_multi_account: false,
        start_time: None,
        scheduled_at: None,
        interval_minutes: None,
        priority: 0,
        source: Source::Api,
        idempotency: None,
        warnings: Vec::new(),
    }
}

/// The same, for accounts.
pub fn request_for(accounts: &[&str]) -> SubmitTasks {
    SubmitTasks {
        target: SubmitTarget::Accounts(accounts.iter().map(|name| username(name)).collect()),
        ..request(&[])
    }
}

/// The same, `times` tasks each.
pub fn times(mut request: SubmitTasks, times: usize) -> SubmitTasks {
    request.configs = (0..times)
        .map(|number| Arc::new(serde_json::json!({ "number": number })))
        .collect();
    request
}

impl TestFarm {
    /// Starts a farm with these devices and the accounts bound to them; all devices are online.
    pub async fn start(devices: &[(&str, &[&str])], settings: FarmSettings, runner: ScriptedRunner) -> Self {
        tokio::time::pause();
        let store = MemoryStore::new();
        let morning: Timestamp = MORNING.parse().unwrap();
        for (device, accounts) in devices {
            store.add_device(&serial(device), morning).await.unwrap();
            for account in *accounts {
                store
                    .create_account(account_record(account, Some(device)))
                    .await
                    .unwrap();
            }
        }
        let farm = Self::on(store, settings, runner).await;
        let names: Vec<&str> = devices.iter().map(|(name, _)| *name).collect();
        farm.connect(&names).await;
        farm
    }

    /// Starts a farm on what a store already holds; no device is seen yet.
    pub async fn on(store: MemoryStore, settings: FarmSettings, runner: ScriptedRunner) -> Self {
        let clock = Arc::new(ManualClock::starting_at(MORNING.parse().unwrap()));
        let drivers = FakeDriverFactory::default();
        runner.set_journal(Arc::new(store.clone()));
        let farm = Farm::start(FarmParts {
            store: store.shared(),
            drivers: Arc::new(drivers.clone()),
            runner: Arc::new(runner.clone()),
            scripts: Arc::new(AnyScript),
            clock: clock.clone(),
            settings,
            configured_devices: Vec::new(),
        });
        let farm = farm.await.unwrap();
        Self {
            farm,
            store,
            runner,
            drivers,
            clock,
        }
    }

    /// The adb server shows exactly these phones.
    pub fn show(&self, devices: &[&str]) {
        let presence = |name: &&str| Presence {
            serial: serial(name),
            state: AdbState::Device,
        };
        self.farm.supervisor.report_presence(PresenceReport {
            server: "adb".to_owned(),
            devices: devices.iter().map(presence).collect(),
            problem: None,
        });
    }

    /// The same, and waits until they are looked at.
    pub async fn connect(&self, devices: &[&str]) {
        self.show(devices);
        for name in devices {
            self.until_device(name, crate::domain::DeviceState::Online).await;
        }
    }

    /// Waits until the device is in this state.
    pub async fn until_device(&self, name: &str, state: crate::domain::DeviceState) {
        for _ in 0..LOOKS {
            if self.farm.supervisor.device(serial(name)).await.unwrap().state == state {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        let shown = self.farm.supervisor.device(serial(name)).await.unwrap();
        panic!("device {name} never became {state:?}: {shown:?}");
    }

    pub async fn submit(&self, request: SubmitTasks) -> Vec<TaskId> {
        let Submitted { task_ids, .. } = self.try_submit(request).await.unwrap();
        task_ids
    }

    pub async fn try_submit(&self, request: SubmitTasks) -> Result<Submitted, RouterError> {
        self.farm.router.submit(request).await
    }

    pub fn task(&self, id: TaskId) -> Task {
        self.store.task(id).unwrap()
    }

    pub fn state(&self, id: TaskId) -> TaskState {
        self.task(id).state
    }

    /// Waits (virtual time) until the condition holds.
    pub async fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        for _ in 0..LOOKS {
            if condition(self) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("never: {what}");
    }

    pub async fn until_state(&self, id: TaskId, state: TaskState) {
        let what = format!("task {id} {state:?}");
        self.until(&what, |farm| farm.state(id) == state).await;
    }
}

/// Between two looks, virtual time, and how many looks are taken: 500 s in all.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: u32 = 100_000;

impl Drop for TestFarm {
    fn drop(&mut self) {
        let overlaps = self.runner.overlaps();
        assert!(
            overlaps.is_empty() || std::thread::panicking(),
            "two attempts at once: {overlaps:?}"
        );
    }
}
