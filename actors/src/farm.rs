//! The farm as a whole: what it is made of, how it starts and how it ends.

use std::{sync::Arc, time::Duration};

use actix::{Actor, Arbiter};

use crate::{
    boot::boot_router,
    domain::{
        LoadedUses, Serial, Timestamp,
        limits::USES_KEPT,
        schedule::{ScheduleError, parse_zone},
    },
    mail::{Slot, Terminate},
    ports::{Clock, DriverFactory, ScriptCatalog, ScriptRunner, SharedStore, StoreError},
    router::{RouterActor, RouterHandle},
    settings::FarmSettings,
    supervisor::{SupervisorActor, SupervisorError, SupervisorHandle, SupervisorParts},
};

/// What a farm is made of.
pub struct FarmParts {
    /// What is remembered.
    pub store: SharedStore,
    /// Opens drivers.
    pub drivers: Arc<dyn DriverFactory>,
    /// Runs scripts.
    pub runner: Arc<dyn ScriptRunner>,
    /// The scripts that tasks may name.
    pub scripts: Arc<dyn ScriptCatalog>,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: FarmSettings,
    /// Devices that exist even before they are seen.
    pub configured_devices: Vec<Serial>,
}

/// Why the farm did not start.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// The store does not give what the farm needs to begin.
    #[error("cannot {what}: {source}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// The store's words.
        source: StoreError,
    },
    /// `scheduler.time_zone` is wrong.
    #[error("scheduler.time_zone: {0}")]
    Zone(#[from] ScheduleError),
    /// The supervisor did not come up.
    #[error("the supervisor did not start: {0}")]
    Supervisor(SupervisorError),
}

/// A running farm.
pub struct Farm {
    /// How to talk to the router.
    pub router: RouterHandle,
    /// How to talk to the supervisor.
    pub supervisor: SupervisorHandle,
    supervisor_slot: Slot<SupervisorActor>,
    arbiters: Vec<Arbiter>,
}

fn store_error(what: &'static str) -> impl FnOnce(StoreError) -> FarmError {
    move |source| FarmError::Store { what, source }
}

impl Farm {
    /// Takes up what the former start left, then starts all actors. Must be called within an actix system; returns when
    /// the actors answer.
    ///
    /// # Errors
    /// Says what could not be read, or which setting is wrong.
    pub async fn start(parts: FarmParts) -> Result<Self, FarmError> {
        let zone = parse_zone(&parts.settings.time_zone)?;
        let now = parts.clock.now().wall;
        let store = &parts.store;
        for serial in &parts.configured_devices {
            store
                .add_device(serial, now)
                .await
                .map_err(store_error("store the configured devices"))?;
        }
        let boot = boot_router(store, now, &parts.settings);
        let boot = boot
            .await
            .map_err(store_error("take up the tasks of the former start"))?;
        let devices = store.load_devices().await.map_err(store_error("load the devices"))?;
        let accounts = store.load_accounts().await.map_err(store_error("load the accounts"))?;
        let since = now.checked_sub(USES_KEPT).unwrap_or(Timestamp::MIN);
        let load_uses = async || {
            let open = store.open_uses(None).await?;
            let confirmed = store.account_uses(since).await?;
            Ok(LoadedUses { confirmed, open })
        };
        let uses = load_uses().await.map_err(store_error("load the uses of accounts"))?;

        let arbiters: Vec<Arbiter> = (0..control_and(parts.settings.device_arbiters))
            .map(|_| Arbiter::new())
            .collect();
        let (router_slot, supervisor_slot) = (Slot::<RouterActor>::default(), Slot::<SupervisorActor>::default());
        let settings = Arc::new(parts.settings);
        let supervisor_parts = SupervisorParts {
            store: parts.store,
            drivers: Arc::clone(&parts.drivers),
            runner: parts.runner,
            scripts: parts.scripts,
            clock: Arc::clone(&parts.clock),
            settings: Arc::clone(&settings),
            zone: zone.clone(),
            arbiters: arbiters.iter().skip(1).map(Arbiter::handle).collect(),
            router: router_slot.clone(),
            this: supervisor_slot.clone(),
            devices,
            accounts,
            uses: Some(Arc::new(uses)),
            boot: Some(boot),
        };
        let addr = match arbiters.first() {
            Some(control) => {
                SupervisorActor::start_in_arbiter(&control.handle(), |_| SupervisorActor::new(supervisor_parts))
            }
            None => SupervisorActor::new(supervisor_parts).start(),
        };
        supervisor_slot.set(Some(addr));
        let supervisor = SupervisorHandle::new(
            supervisor_slot.clone(),
            parts.drivers,
            parts.clock,
            Arc::clone(&settings),
            zone,
        );
        supervisor.tree().await.map_err(FarmError::Supervisor)?;
        Ok(Self {
            router: RouterHandle::new(router_slot, settings.ask_timeout()),
            supervisor,
            supervisor_slot,
            arbiters,
        })
    }

    /// Starts nothing any more, ends what runs at its next safe point (resumable), then ends all actors and their
    /// threads; once more does nothing. Answers how many attempts did not end within the grace: they are rescued at the next start.
    pub async fn shutdown(&mut self, grace: Duration) -> usize {
        let left = self.router.shutdown(grace).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the router could not be asked to drain");
            0
        });
        self.supervisor_slot.tell(Terminate);
        let arbiters = std::mem::take(&mut self.arbiters);
        if arbiters.is_empty() {
            return left;
        }
        for arbiter in &arbiters {
            arbiter.stop();
        }
        let joined = tokio::task::spawn_blocking(move || {
            for arbiter in arbiters {
                // A thread that a stuck attempt holds would hold up the exit as well: the process ends without it.
                if arbiter.join().is_err() {
                    tracing::warn!("a thread of the farm panicked");
                }
            }
        });
        if tokio::time::timeout(JOIN_LIMIT, joined).await.is_err() {
            tracing::warn!("threads of the farm did not end in time");
        }
        left
    }
}

/// How long threads may take to end at shutdown.
const JOIN_LIMIT: Duration = Duration::from_secs(2);

/// Devices have threads of their own, and so does the control plane then: a slow device never holds it up.
fn control_and(device_arbiters: usize) -> usize {
    match device_arbiters {
        0 => 0,
        devices => devices + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{AdbState, DeviceState, Presence, TaskState},
        supervisor::PresenceReport,
        testing::{
            AnyScript, Behaviour, FakeDriverFactory, ManualClock, MemoryStore, ScriptedRunner,
            farm::{MORNING, request, serial, times},
        },
    };

    fn parts(store: &MemoryStore, runner: &ScriptedRunner, settings: FarmSettings) -> FarmParts {
        FarmParts {
            store: store.shared(),
            drivers: Arc::new(FakeDriverFactory::default()),
            runner: Arc::new(runner.clone()),
            scripts: Arc::new(AnyScript),
            clock: Arc::new(ManualClock::starting_at(MORNING.parse().unwrap())),
            settings,
            configured_devices: ["p1", "p2", "p3", "p4"].map(serial).to_vec(),
        }
    }

    /// Bounded: 20 s of real time.
    async fn until(mut condition: impl AsyncFnMut() -> bool) {
        for _ in 0..4_000 {
            if condition().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never");
    }

    #[actix::test]
    async fn a_farm_on_threads_of_its_own_starts_works_and_ends() {
        let (store, runner) = (
            MemoryStore::new(),
            ScriptedRunner::usually(Behaviour::completes(Duration::ZERO)),
        );
        let mut farm = Farm::start(parts(&store, &runner, FarmSettings::default()))
            .await
            .unwrap();
        let presence = |name| Presence {
            serial: serial(name),
            state: AdbState::Device,
        };
        farm.supervisor.report_presence(PresenceReport {
            server: "adb".to_owned(),
            devices: ["p1", "p2", "p3", "p4"].map(presence).to_vec(),
            problem: None,
        });
        until(async || {
            let devices = farm.supervisor.devices().await.unwrap();
            devices.iter().all(|device| device.state == DeviceState::Online)
        })
        .await;

        let submitted = farm
            .router
            .submit(times(request(&["p1", "p2", "p3", "p4"]), 50))
            .await
            .unwrap();
        until(async || store.tasks().iter().all(|task| task.state == TaskState::Completed)).await;
        let left = farm.shutdown(Duration::from_secs(3)).await;

        assert_eq!((submitted.task_ids.len(), left), (200, 0));
        assert_eq!(runner.overlaps(), Vec::<String>::new());
        assert!(matches!(farm.supervisor.tree().await, Err(SupervisorError::Away)));
        assert_eq!(farm.shutdown(Duration::from_secs(3)).await, 0, "once more does nothing");
    }

    #[actix::test]
    async fn a_farm_with_a_wrong_zone_or_without_its_store_does_not_start_and_says_why() {
        let (store, runner) = (MemoryStore::new(), ScriptedRunner::default());
        let wrong = FarmSettings {
            time_zone: "Mars/Olympus".to_owned(),
            ..FarmSettings::default()
        };
        let zone = Farm::start(parts(&store, &runner, wrong)).await.err().unwrap();
        store.set_away(true);
        let away = Farm::start(parts(&store, &runner, FarmSettings::default()))
            .await
            .err()
            .unwrap();

        assert!(
            zone.to_string().contains("scheduler.time_zone: \"Mars/Olympus\""),
            "{zone}"
        );
        assert!(away.to_string().contains("configured devices"), "{away}");
    }
}
