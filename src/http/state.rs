//! What handlers share: the rooms behind the API, the settings, the health of the process.

use std::{
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use farmhand_actors::ports::{Clock, MessageSender, ScriptCatalog, WebhookStore};
use jiff::tz::TimeZone;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::{
    auth::AuthMode,
    door::{Door, Throttle},
    guard::HostPolicy,
    license::License,
    ports::{Farm, Library, Pictures, Reads, SentFlows, TaskCommands},
    schedule::Schedules,
};

/// The rooms behind the API.
#[derive(Clone)]
pub struct AppState {
    /// The task router.
    pub tasks: Arc<dyn TaskCommands>,
    /// The schedules.
    pub schedules: Arc<dyn Schedules>,
    /// The supervisor.
    pub farm: Arc<dyn Farm>,
    /// The store's read functions.
    pub reads: Arc<dyn Reads>,
    /// The scripts.
    pub scripts: Arc<dyn ScriptCatalog>,
    /// Where flows are stored that are sent by themselves.
    pub flows: Arc<dyn SentFlows>,
    /// The encoder of screenshots.
    pub pictures: Arc<dyn Pictures>,
    /// The material library.
    pub library: Arc<dyn Library>,
    /// Webhooks and their messages.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Who sends the messages.
    pub sender: Arc<dyn MessageSender>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// What the plan allows.
    pub license: License,
    /// How the process does.
    pub health: Arc<Health>,
}

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Name or address to listen on (`http.host`).
    pub host: String,
    /// Port; 0 takes a free one (`http.port`).
    pub port: u16,
    /// Longest JSON or CSV body, bytes (`http.max_body`).
    pub max_body: usize,
    /// Longest uploaded file, bytes (`media.max_upload`).
    pub max_upload: u64,
    /// Further names under which clients reach the API (`http.allowed_hosts`), without port.
    pub allowed_hosts: Vec<String>,
    /// Whether a key is needed (`auth.mode`).
    pub auth: AuthMode,
    /// The farm's clock (`scheduler.time_zone`).
    pub time_zone: TimeZone,
    /// Apps that accounts may be of.
    pub apps: Vec<String>,
    /// The longest that an attempt may take, and so a lease.
    pub lease_limit: std::time::Duration,
    /// Where evidence lies: `<data_dir>/evidence`.
    pub evidence_dir: PathBuf,
    /// Where uploads lie until they are taken, on the disk of `<data_dir>`.
    pub upload_dir: PathBuf,
    /// Threads that serve connections; 0: one per core (`http.workers`).
    pub workers: usize,
    /// Requests worked on at the same time; more wait.
    pub max_in_flight: usize,
    /// Requests that may wait; more are refused with 42901.
    pub max_waiting: usize,
    /// Clients that may follow the events at the same time.
    pub max_event_streams: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 50809,
            max_body: 1 << 20,
            max_upload: 512 << 20,
            allowed_hosts: Vec::new(),
            auth: AuthMode::Off,
            time_zone: TimeZone::UTC,
            apps: vec!["tiktok".to_owned(), "instagram".to_owned()],
            lease_limit: std::time::Duration::from_secs(30 * 60),
            evidence_dir: PathBuf::from("data/evidence"),
            upload_dir: PathBuf::from("data/uploads"),
            workers: 2,
            // A request holds a place for some milliseconds, a slow phone's for seconds: this many of either fit
            // into memory easily, and the store commits those of one instant together.
            max_in_flight: 512,
            max_waiting: 2048,
            max_event_streams: 256,
        }
    }
}

/// What one process of the API shares between its workers.
pub struct App {
    /// The rooms.
    pub state: AppState,
    /// The settings.
    pub settings: HttpSettings,
    /// The bound on requests.
    pub door: Door,
    /// The bound on event streams.
    pub streams: Arc<tokio::sync::Semaphore>,
    /// Counts wrong keys by address.
    pub throttle: Throttle,
    /// Which Host and Origin headers are ours.
    pub hosts: HostPolicy,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(state: AppState, settings: HttpSettings) -> Self {
        Self {
            door: Door::new(settings.max_in_flight, settings.max_waiting),
            streams: Arc::new(tokio::sync::Semaphore::new(settings.max_event_streams)),
            throttle: Throttle::default(),
            hosts: HostPolicy::new(&settings.host, &settings.allowed_hosts),
            state,
            settings,
        }
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> farmhand_actors::domain::Timestamp {
        self.state.clock.now().wall
    }
}

/// The future of a [`Check`]: why the thing is not well. Texts are shown to anybody, so they hold no secrets.
pub type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// One thing that readiness looks at.
pub struct Check {
    /// Its name, e.g. `database`.
    pub name: &'static str,
    /// Whether the process is not ready without it (else it is only shown).
    pub required: bool,
    /// Looks.
    pub run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
}

/// How the process does.
#[derive(Default)]
pub struct Health {
    started: AtomicBool,
    draining: CancellationToken,
    checks: Vec<Check>,
}

impl Health {
    /// Not started yet; readiness will look at `checks`.
    #[must_use]
    pub fn new(checks: Vec<Check>) -> Self {
        Self {
            checks,
            ..Self::default()
        }
    }

    /// The start is over: everything is loaded and the actors run.
    pub fn start(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// The end begins: not ready any more, no new writes, event streams end.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Whether the start is over.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Ends when the end begins.
    pub async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// What readiness looks at.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}
