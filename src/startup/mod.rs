//! The composition root: the only place that sees every room. `main` and the tests build the same [`Application`].

mod adapters;
mod bundles;
mod checks;
mod clock;
mod evidence;
mod files;
mod lock;
mod schedules;
mod translate;
mod webhooks;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use actix_web::dev::{Server, ServerHandle};
use farmhand_actors::{
    farm::{Farm, FarmParts},
    ports::{AttemptJournal, Clock, MaterialStore, MediaPicker, ScriptRunner, SharedStore, WebhookStore},
    supervisor::SupervisorHandle,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    adb::{AdbHandle, PresenceCallback},
    flow::{FlowCatalog, FlowRunner, FlowRunnerParts, FlowSettings, bundle::Bundles, catalog::look::script_names},
    http::{self, AppState, Health},
    media::{MediaLibrary, MediaPaths, Picker},
    settings::Settings,
    store::Store,
};

pub use clock::SystemClock;

/// How long running attempts may take to come to a safe point when the controller ends. With the store's and the
/// server's part it stays below the ten seconds that the contract promises.
const DRAIN_GRACE: Duration = Duration::from_secs(6);

/// Why the controller does not start. Every text names the thing and the mend.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A setting is wrong.
    #[error("{key}: {problem}")]
    Setting {
        /// Dotted key.
        key: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The data folder cannot be used.
    #[error("data_dir {}: {source}; choose another data_dir, or mend the rights of this one", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another controller uses the data folder.
    #[error("data_dir {}: another controller uses it; end that one, or give this one another data_dir", folder.display())]
    Taken {
        /// Which.
        folder: PathBuf,
    },
    /// The database cannot be used.
    #[error("database.url: {0}")]
    Store(#[from] farmhand_actors::ports::StoreError),
    /// Another process writes the database now.
    #[error(
        "another controller has taken the database over, so this one has ended; keep only one for each data_dir, and \
         never delete controller.lock"
    )]
    Superseded,
    /// The licence is not valid.
    #[error("license: {0}")]
    License(#[from] http::license::LicenseError),
    /// The address cannot be had.
    #[error("{0}")]
    Http(http::ServeError),
    /// The process may open too few files.
    #[error(
        "{problem}: a start takes {needed} open files, and a phone some more; raise the limit (ulimit -n, systemd: \
         LimitNOFILE)"
    )]
    Files {
        /// How many the start takes.
        needed: usize,
        /// In the system's words.
        problem: std::io::Error,
    },
    /// The actors did not start.
    #[error("the actors did not start: {0}")]
    Farm(String),
}

/// A running controller.
pub struct Application {
    server: Server,
    address: SocketAddr,
    farm: Farm,
    adb: Arc<AdbHandle>,
    store: Arc<Store>,
    health: Arc<Health>,
    /// Ends what watches in the background.
    stop: CancellationToken,
    _lock: lock::FolderLock,
}

impl Application {
    /// Opens the store, starts the actors, binds the address. Must run inside an actix system.
    ///
    /// # Errors
    /// Names the setting that stands in the way.
    pub async fn start(settings: Settings) -> Result<Self, StartupError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let license = translate::license(&settings, clock.now().wall)?;
        files::enough(http::workers(settings.http.workers))?;
        let data = make_folder(&settings.data_dir)?;
        // What can be refused is refused before the first actor starts.
        let lock = lock::FolderLock::take(&data)?;
        let http = translate::http(&settings, &data)?;
        make_folder(&http.upload_dir)?;
        let listener = http::Listener::bind(&http).map_err(StartupError::Http)?;
        let starting = http::Starting::serve(&listener).map_err(StartupError::Http)?;
        let address = listener.address();
        let metrics = start_metrics();
        let store = Store::open(translate::store(&settings, &data)).await?;
        let (library, picker) = start_media(&settings, &data, &store, &clock)?;
        let stop = CancellationToken::new();
        let Scripts { catalog, runner } = start_scripts(&settings, &data, &store, &clock, picker, &stop)?;
        let adb = Arc::new(AdbHandle::new(settings.adb.clone()));
        let farm = Farm::start(FarmParts {
            store: Arc::clone(&store) as SharedStore,
            drivers: adb.factory(),
            runner,
            scripts: catalog.clone(),
            clock: Arc::clone(&clock),
            settings: translate::farm(&settings, &license),
            configured_devices: settings.devices.iter().map(|device| device.serial.clone()).collect(),
        })
        .await
        .map_err(|error| StartupError::Farm(error.to_string()))?;
        let sender = webhooks::start(&settings, &store, &clock, &stop)?;
        let health = Arc::new(Health::new(vec![checks::database(&store), checks::adb(&adb)]));
        let state = AppState {
            tasks: Arc::new(farm.router.clone()),
            schedules: Arc::new(schedules::ScheduleDesk {
                store: Arc::clone(&store),
                router: farm.router.clone(),
                clock: Arc::clone(&clock),
            }),
            farm: Arc::new(farm.supervisor.clone()),
            reads: Arc::new(adapters::StoreReads(Arc::clone(&store))),
            flows: Arc::new(adapters::Bundles(Arc::clone(&catalog))),
            scripts: catalog,
            pictures: Arc::new(adapters::Encoder),
            library: Arc::new(adapters::Materials(library)),
            webhooks: Arc::clone(&store) as Arc<dyn WebhookStore>,
            sender,
            clock,
            metrics,
            license,
            health: Arc::clone(&health),
        };
        starting.end().await;
        let server = http::serve(state, http, listener).await.map_err(StartupError::Http)?;
        // The phones come last: where files are scarce they must not take those that the server starts with.
        let supervisor = farm.supervisor.clone();
        let report: PresenceCallback = Arc::new(move |report| supervisor.report_presence(report));
        adb.watch(settings.devices, &report);
        health.start();
        Ok(Self {
            server,
            address,
            farm,
            adb,
            store,
            health,
            stop,
            _lock: lock,
        })
    }

    /// The supervisor, for those who run the application.
    #[must_use]
    pub fn supervisor(&self) -> &SupervisorHandle {
        &self.farm.supervisor
    }

    /// Where the API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `end` is over, or until the database may no longer be trusted, then drains: no new step starts,
    /// running tasks are left resumable.
    ///
    /// # Errors
    /// The database became suspect (a failed sync), or another controller has taken it over: the process has to end, and
    /// the next start checks the database.
    pub async fn run_until(mut self, end: impl Future<Output = ()>) -> Result<(), StartupError> {
        let handle = self.server.handle();
        let serving = actix_rt::spawn(self.server);
        let store = Arc::clone(&self.store);
        let lost = async move {
            while !store.is_suspect() && !store.is_superseded() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = end => {}
            () = lost => {}
        }
        tracing::info!("draining");
        self.health.drain();
        self.farm.shutdown(DRAIN_GRACE).await;
        stop_server(&handle).await;
        serving.abort();
        self.stop.cancel();
        self.adb.stop().await;
        self.store.close().await;
        if self.store.is_superseded() {
            return Err(StartupError::Superseded);
        }
        if self.store.is_suspect() {
            let problem = "the disk failed to store a change; check it, then start again".to_owned();
            return Err(StartupError::Store(farmhand_actors::ports::StoreError::Broken(problem)));
        }
        Ok(())
    }
}

/// Opens the database of these settings, for commands that need nothing else.
///
/// # Errors
/// Names the folder or the file, and the mend.
pub async fn open_store(settings: &Settings) -> Result<Arc<Store>, StartupError> {
    let data = make_folder(&settings.data_dir)?;
    Ok(Store::open(translate::store(settings, &data)).await?)
}

/// Whether the database of these settings is there already.
#[must_use]
pub fn has_database(settings: &Settings) -> bool {
    let url = translate::database_url(settings, &settings.data_dir);
    let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
    std::path::Path::new(file.split('?').next().unwrap_or(file)).exists()
}

/// Tables of limits that are named by no script there is, each with the mend: a misspelt one limits nothing.
#[must_use]
pub fn limits_of_no_script(settings: &Settings) -> Vec<String> {
    let dir = Some(&settings.flows.dir).filter(|dir| !dir.is_empty());
    settings.limits_of_others(&script_names(dir.map(std::path::Path::new)))
}

/// What the licence of these settings allows, in a line.
///
/// # Errors
/// Names the key that is wrong.
pub fn license_message(settings: &Settings) -> Result<String, StartupError> {
    let now = SystemClock::default().now().wall;
    Ok(translate::license(settings, now)?.summary(now))
}

/// Connections that do not end by themselves (event streams) are cut.
async fn stop_server(handle: &ServerHandle) {
    if tokio::time::timeout(Duration::from_secs(1), handle.stop(true))
        .await
        .is_err()
    {
        handle.stop(false).await;
    }
}

fn make_folder(folder: &std::path::Path) -> Result<PathBuf, StartupError> {
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|source| StartupError::Folder {
            folder: folder.to_owned(),
            source,
        })
}

fn start_media(
    settings: &Settings,
    data: &std::path::Path,
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
) -> Result<(Arc<MediaLibrary>, Arc<dyn MediaPicker>), StartupError> {
    let folder = |source| StartupError::Folder {
        folder: data.to_owned(),
        source,
    };
    let rows = Arc::clone(store) as Arc<dyn MaterialStore>;
    let roots: Vec<PathBuf> = settings.media.roots.iter().map(PathBuf::from).collect();
    let map = settings.media.path_map.iter();
    let paths = MediaPaths::new(&roots, map.map(|(prefix, to)| (prefix.clone(), PathBuf::from(to))));
    let library = MediaLibrary::new(data.join("materials"), Arc::clone(&rows), Arc::clone(clock)).map_err(folder)?;
    let library = Arc::new(library);
    let picker = Picker::new(paths, Arc::clone(&library), rows, data.join("spool")).map_err(folder)?;
    Ok((library, Arc::new(picker)))
}

/// Which scripts there are, and what runs them.
struct Scripts {
    catalog: Arc<FlowCatalog>,
    runner: Arc<dyn ScriptRunner>,
}

/// The scripts, what runs them, and what prunes the evidence that they leave.
fn start_scripts(
    settings: &Settings,
    data: &std::path::Path,
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    media: Arc<dyn MediaPicker>,
    stop: &CancellationToken,
) -> Result<Scripts, StartupError> {
    let flows = &settings.flows.dir;
    let folder = (!flows.is_empty()).then(|| PathBuf::from(flows));
    if let Some(folder) = folder.as_ref().filter(|folder| !folder.is_dir()) {
        // One that is made later is seen without a restart.
        tracing::warn!(folder = %folder.display(), "flows.dir is no folder (yet): there are only the bundled scripts");
    }
    for problem in limits_of_no_script(settings) {
        // No more than a warning: its flow may be added while farmhand runs.
        tracing::warn!("settings: {problem}");
    }
    let catalog = FlowCatalog::with_bundles(folder, Arc::clone(&media), Bundles::new(data.join("bundles")));
    actix_rt::spawn(Arc::clone(&catalog).watch(stop.clone()));
    actix_rt::spawn(bundles::prune(Arc::clone(&catalog), Arc::clone(store), stop.clone()));
    let evidence_dir = make_folder(&data.join("evidence"))?;
    let (folder, keep) = (evidence_dir.clone(), settings.retention.clone());
    actix_rt::spawn(evidence::prune(folder, keep, Arc::clone(store), stop.clone()));
    let runner = FlowRunner::new(FlowRunnerParts {
        catalog: Arc::clone(&catalog),
        journal: Arc::clone(store) as Arc<dyn AttemptJournal>,
        media,
        evidence_dir,
        clock: Arc::clone(clock),
        settings: FlowSettings {
            packages: settings.apps.clone(),
            http_hosts: settings.flows.http_hosts.clone(),
            repeat_window: translate::repeat_window(settings),
            ..FlowSettings::default()
        },
    });
    Ok(Scripts { catalog, runner })
}

/// The process has one recorder; a second application in it (tests) renders nothing of its own.
fn start_metrics() -> PrometheusHandle {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_ok() {
        let upkeep = handle.clone();
        // Without upkeep the histograms grow without bound.
        actix_rt::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                upkeep.run_upkeep();
            }
        });
    }
    handle
}
