//! Keeps a phone's agent: copies its file there, starts it, waits until it answers, and starts it again when it ends.
//! The agent lives as long as the stream of its start command; so it ends when the keeper does, whatever ends that.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::ports::DriverError;
use md5::{Digest as _, Md5};
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tracing::{debug, info, warn};

use super::call::AdbDriver;
use crate::adb::{
    agent::{AgentError, CallError, Keeping, RunningAgent},
    client::Transport,
    error::{AdbError, one_line},
    metrics,
    quote::CommandLine,
    settings::millis,
};

/// Where the agent's own tools put it, too; a copy of the same version is not sent again.
const JAR: &str = "/data/local/tmp/u2.jar";

/// How often a starting agent is asked whether it listens, and a running one whether somebody still wants it.
const PING_PAUSE: Duration = Duration::from_millis(100);
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// After so many failures in a row the agent is left alone for a while; between them the pause doubles.
const FAILURES_MAX: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(10 * 60);

/// An agent that has run for so long has not failed.
const HEALTHY: Duration = Duration::from_secs(60);

/// What the agent prints, as much of it as is kept.
const WORDS_BYTES_MAX: usize = 4 * 1024;

/// Why an agent ended.
enum End {
    /// Nobody has wanted it for a while.
    Idle,
    /// Somebody found it sick.
    Sick,
    /// By itself, with these words.
    Ended(String),
}

impl AdbDriver {
    /// Starts the agent in the background, unless somebody does already or it is left alone.
    pub(super) fn want_agent(&self) {
        if !self.phones.settings.agent.enabled() || !self.phone.agent.begin_keeping() {
            return;
        }
        let keeper = AdbDriver::new(&self.phones, &self.phone.serial, None);
        let stop = self.phones.stop.clone();
        self.phones.background.spawn(async move {
            let keeping = Keeping::of(&keeper.phone.agent);
            stop.run_until_cancelled(keeper.keep_agent(&keeping)).await;
        });
    }

    async fn keep_agent(&self, keeping: &Keeping<'_>) {
        let serial = &self.phone.serial;
        let mut failures = 0;
        while failures < FAILURES_MAX {
            let since = Instant::now();
            match self.start_agent().await {
                Ok((agent, stream)) => {
                    metrics::agent_start("ok");
                    info!(device.serial = %serial, "the agent answers");
                    keeping.came_up(&agent);
                    let end = self.watch_agent(&agent, stream).await;
                    keeping.went_down();
                    match end {
                        End::Idle => {
                            debug!(device.serial = %serial, "the agent was ended, nobody wants it");
                            return;
                        }
                        End::Sick => {}
                        End::Ended(words) => warn!(device.serial = %serial, "the agent ended: {words}"),
                    }
                    if since.elapsed() >= HEALTHY {
                        failures = 0;
                    }
                }
                Err(problem) => {
                    metrics::agent_start("failed");
                    warn!(device.serial = %serial, "the agent does not start: {problem}");
                }
            }
            if self.transport().is_err() {
                // It is wanted again when the phone is back.
                return;
            }
            failures += 1;
            tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1))).await;
        }
        warn!(device.serial = %serial, "the agent is left alone for {REST:?} after {failures} failures; adb alone answers");
        keeping.leave_alone(REST);
    }

    async fn start_agent(&self) -> Result<(Arc<RunningAgent>, TcpStream), String> {
        self.put_jar().await.map_err(|error| error.to_string())?;
        let settings = &self.phones.settings.agent;
        let patience = millis(settings.start_ms);
        let transport = self.transport().map_err(|error| error.to_string())?;
        // A dump that runs would be killed, or would keep the agent from starting.
        let _turn = self
            .turn("agent_start", patience, &self.phone.dump)
            .await
            .map_err(|error| error.to_string())?;
        let started = async {
            match tokio::time::timeout(patience, launch(&transport, settings.port)).await {
                Ok(Ok(stream)) => Ok(Ok(stream)),
                Ok(Err(CallError::Agent(error))) => Ok(Err(error)),
                Ok(Err(CallError::Adb(error))) => Err(error),
                Err(_) => Ok(Err(AgentError::TimedOut(patience))),
            }
        };
        let deadline = patience.saturating_add(Duration::from_secs(1));
        let started = self.call("agent_start", deadline, &transport.server, started).await;
        match started.map_err(|error| error.to_string())? {
            Ok(stream) => Ok((Arc::new(RunningAgent::new(settings.port)), stream)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Copies the file to the phone unless it is there.
    async fn put_jar(&self) -> Result<(), DriverError> {
        const OP: &str = "agent_start";
        let jar = self.phones.settings.agent.jar.clone();
        let wanted = {
            let jar = jar.clone();
            tokio::task::spawn_blocking(move || checksum(&jar)).await
        };
        let host_file = |problem| DriverError::HostFile { problem };
        let wanted = wanted
            .unwrap_or_else(|error| Err(error.to_string()))
            .map_err(host_file)?;
        let line = CommandLine::program("toybox md5sum").arg(JAR);
        let query = millis(self.phones.settings.deadlines.query_ms);
        let there = self.query(OP, query, &line).await?;
        let there = String::from_utf8_lossy(&there.stdout).into_owned();
        if there.split_whitespace().next() == Some(&wanted) {
            return Ok(());
        }
        self.push_as(OP, &jar, JAR).await
    }

    /// Until it ends, is found sick, or nobody wants it.
    async fn watch_agent(&self, agent: &RunningAgent, mut stream: TcpStream) -> End {
        let idle_max = Duration::from_secs(self.phones.settings.agent.idle_s);
        let mut words = Words::default();
        loop {
            tokio::select! {
                () = agent.sick.cancelled() => return End::Sick,
                ended = words.read_more(&mut stream) => {
                    if ended {
                        return End::Ended(words.told());
                    }
                }
                () = tokio::time::sleep(LOOK_PAUSE) => {
                    if agent.idle_for() >= idle_max {
                        return End::Idle;
                    }
                }
            }
        }
    }
}

/// Runs the start command and waits until the agent answers. Its stream has to be kept: the agent ends with it.
async fn launch(transport: &Transport, port: u16) -> Result<TcpStream, CallError> {
    if RunningAgent::ping(transport, port).await.is_ok() {
        // Somebody's who has gone and whom the phone still takes for present: two cannot run, and this one is not ours
        // to watch. Whether it has ended, the next one's start shows.
        let _ = RunningAgent::stop(transport, port).await;
    }
    // By version 1 of the service: its terminal hangs up when the stream closes, and so ends the agent.
    let line = format!("shell:CLASSPATH={JAR} app_process / com.wetest.uia2.Main -p {port}");
    let mut stream = transport.server.open(&transport.adb_serial, &line).await?;
    let mut words = Words::default();
    loop {
        match RunningAgent::ping(transport, port).await {
            Ok(()) => return Ok(stream),
            Err(CallError::Agent(AgentError::NotListening(_) | AgentError::Ended)) => {}
            Err(error) => return Err(error),
        }
        let ended = tokio::select! {
            ended = words.read_more(&mut stream) => ended,
            () = tokio::time::sleep(PING_PAUSE) => false,
        };
        if ended && words.bytes.is_empty() {
            return Err(AdbError::Lost.into());
        }
        if words.say_taken() {
            return Err(AgentError::Taken.into());
        }
        if ended {
            return Err(AgentError::NotStarted(words.told()).into());
        }
    }
}

/// What the agent has printed.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
}

impl Words {
    /// Whether the stream has ended.
    async fn read_more(&mut self, stream: &mut TcpStream) -> bool {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap_or(0);
        self.bytes.extend_from_slice(chunk.get(..read).unwrap_or_default());
        // The newest say why it ended.
        let surplus = self.bytes.len().saturating_sub(WORDS_BYTES_MAX);
        self.bytes.drain(..surplus);
        read == 0
    }

    fn say_taken(&self) -> bool {
        String::from_utf8_lossy(&self.bytes).contains("already registered")
    }

    fn told(&self) -> String {
        let told = one_line(&String::from_utf8_lossy(&self.bytes));
        if told.is_empty() {
            "without a word".to_owned()
        } else {
            told
        }
    }
}

/// As `md5sum` prints it.
fn checksum(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}; see adb.agent.jar", path.display()))?;
    Ok(Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
