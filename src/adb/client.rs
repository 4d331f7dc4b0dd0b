//! A client of one adb server: each call is one socket of its own, closed when the call ends or its future is dropped.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use farmhand_actors::ports::ShellOutput;
use tokio::{
    net::TcpStream,
    sync::{Mutex, OnceCell, Semaphore, watch},
};

use super::{error::AdbError, places::Places, settings::AdbLimits, shell, wire};

/// One answer of the server's serves all calls that fail within this time: a phone's hang ends many at once.
const ASKED_LATELY: Duration = Duration::from_millis(250);

/// So long after an adb server's return a phone that is not there yet is missing because of the server.
const RETURN: Duration = Duration::from_secs(5);

/// What is known of the server's being away.
#[derive(Debug, Clone, Default)]
pub(super) struct Outage {
    /// How often it went away.
    number: u64,
    /// Why, while it is away.
    problem: Option<Arc<str>>,
    /// It has been away for so long that calls under way have no hope.
    hopeless: bool,
    /// When it came back.
    back: Option<Instant>,
}

/// When the server was last asked whether it is there, and what is wrong with it.
#[derive(Debug)]
struct Asked {
    at: Instant,
    problem: Option<String>,
}

/// One adb server.
#[derive(Debug, Clone)]
pub(super) struct ServerClient {
    address: Arc<str>,
    /// The budget of sockets for calls to phones; questions to the server itself are few and do not count.
    pub(super) slots: Arc<Semaphore>,
    /// How many phones may be asked about themselves at the same time.
    pub(super) setups: Arc<Places>,
    outage: Arc<watch::Sender<Outage>>,
    asked: Arc<Mutex<Option<Asked>>>,
}

impl ServerClient {
    pub(super) fn new(address: &str, limits: &AdbLimits) -> Self {
        Self {
            address: address.into(),
            slots: Arc::new(Semaphore::new(limits.calls_per_server.max(1))),
            setups: Arc::new(Places::new(limits.setups)),
            outage: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// `host:port`
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// It does not answer. Calls under way may still end well, for as long as it is not `hopeless`.
    pub(super) fn went_away(&self, problem: &str, hopeless: bool) {
        self.outage.send_modify(|outage| {
            if outage.problem.is_none() {
                outage.number = outage.number.saturating_add(1);
            }
            outage.problem = Some(problem.into());
            outage.hopeless |= hopeless;
        });
    }

    /// It answers again.
    pub(super) fn came_back(&self) {
        self.outage.send_if_modified(|outage| {
            let was_away = outage.problem.take().is_some();
            if was_away {
                outage.hopeless = false;
                outage.back = Some(Instant::now());
            }
            was_away
        });
    }

    pub(super) fn outage(&self) -> Outage {
        self.outage.borrow().clone()
    }

    /// Why a phone that was there before is missing, if it is because of the server.
    pub(super) fn excuse(&self) -> Option<String> {
        let outage = self.outage();
        let just_back = outage.back.is_some_and(|back| back.elapsed() < RETURN);
        match outage.problem {
            Some(problem) => Some(problem.to_string()),
            None => just_back.then(|| "it was away a moment ago".to_owned()),
        }
    }

    /// Does `call`, unless the server stays away for too long.
    pub(super) async fn unless_hopeless<T>(
        &self,
        call: impl Future<Output = Result<T, AdbError>>,
    ) -> Result<T, AdbError> {
        let mut outage = self.outage.subscribe();
        let hopeless = async {
            let outage = outage.wait_for(|outage| outage.hopeless).await;
            outage
                .ok()
                .and_then(|outage| outage.problem.as_deref().map(str::to_owned))
        };
        tokio::select! {
            biased;
            ended = call => ended,
            problem = hopeless => Err(AdbError::Unreachable(problem.unwrap_or_default())),
        }
    }

    /// The same failure, unless it is the server's: then it says so. `before` is how the server did when the call
    /// began. A phone and a server that went away look the same from a call, so the server is asked.
    pub(super) async fn attribute(&self, error: AdbError, before: &Outage, deadline: Duration) -> AdbError {
        let not_ready = matches!(error, AdbError::NotReady { .. });
        if !error.blames_phone() && !not_ready {
            return error;
        }
        let now = self.outage();
        let mut problem = now
            .problem
            .or_else(|| before.problem.clone())
            .map(|problem| problem.to_string());
        if problem.is_none() && now.number != before.number {
            problem = Some("it was away in the middle of the call".to_owned());
        }
        if not_ready {
            problem = problem.or_else(|| self.excuse());
        } else if problem.is_none() {
            problem = self.problem_now(deadline).await;
        }
        problem.map_or(error, AdbError::Unreachable)
    }

    /// What is wrong with the server. One call asks for all that want to know at the same time.
    async fn problem_now(&self, deadline: Duration) -> Option<String> {
        let mut asked = self.asked.lock().await;
        if let Some(asked) = asked.as_ref().filter(|asked| asked.at.elapsed() < ASKED_LATELY) {
            return asked.problem.clone();
        }
        let problem = match within(deadline, self.ask("host:version")).await {
            Err(AdbError::Unreachable(problem)) => Some(problem),
            Err(silent @ AdbError::TimedOut(_)) => Some(silent.to_string()),
            _ => None,
        };
        *asked = Some(Asked {
            at: Instant::now(),
            problem: problem.clone(),
        });
        problem
    }

    /// Asks the server itself.
    pub(super) async fn ask(&self, request: &str) -> Result<String, AdbError> {
        let mut stream = self.dial().await?;
        wire::request(&mut stream, request).await?;
        wire::block(&mut stream).await
    }

    /// A stream of lists: each time that the server sees a change (and at once), [`wire::block`] reads one.
    pub(super) async fn track(&self) -> Result<TcpStream, AdbError> {
        let mut stream = self.dial().await?;
        wire::request(&mut stream, "host:track-devices").await?;
        Ok(stream)
    }

    /// Opens a service of a phone (`shell,v2,raw:…`, `exec:…`, `tcp:…`).
    pub(super) async fn open(&self, adb_serial: &str, service: &str) -> Result<TcpStream, AdbError> {
        let mut stream = self.dial().await?;
        wire::request(&mut stream, &format!("host:transport:{adb_serial}")).await?;
        wire::request(&mut stream, service).await.map_err(|error| match error {
            // The server had accepted the phone: now it is the phone that went away.
            AdbError::Unreachable(_) => AdbError::Lost,
            AdbError::Refused(text) if text == "closed" => AdbError::Lost,
            other => other,
        })?;
        Ok(stream)
    }

    pub(super) async fn dial(&self) -> Result<TcpStream, AdbError> {
        let stream = TcpStream::connect(&*self.address)
            .await
            .map_err(|error| AdbError::unreachable(&error))?;
        // Requests are smaller than a segment and each waits for its answer.
        stream
            .set_nodelay(true)
            .map_err(|error| AdbError::unreachable(&error))?;
        Ok(stream)
    }
}

/// The way to one phone: an adb server and the serial by which it knows the phone.
#[derive(Debug)]
pub(super) struct Transport {
    pub(super) server: ServerClient,
    pub(super) adb_serial: String,
    shell_v2: OnceCell<bool>,
}

impl Transport {
    pub(super) fn new(server: ServerClient, adb_serial: &str) -> Self {
        Self {
            server,
            adb_serial: adb_serial.to_owned(),
            shell_v2: OnceCell::new(),
        }
    }

    /// Runs a command line of the phone's shell.
    pub(super) async fn shell(&self, line: &str, limit: usize) -> Result<ShellOutput, AdbError> {
        if self.has_shell_v2().await? {
            let stream = self
                .server
                .open(&self.adb_serial, &format!("shell,v2,raw:{line}"))
                .await?;
            shell::read_v2(stream, limit).await
        } else {
            let line = shell::marked_for_v1(line);
            let stream = self.server.open(&self.adb_serial, &format!("shell:{line}")).await?;
            shell::read_v1(stream, limit).await
        }
    }

    /// Runs a program whose output is binary. Phones without shell v2 have a terminal in the way of `shell:`, so these
    /// are asked by `exec:`, which tells no exit code: the output itself has to show whether it is whole.
    pub(super) async fn binary(&self, line: &str, limit: usize) -> Result<ShellOutput, AdbError> {
        if self.has_shell_v2().await? {
            return self.shell(line, limit).await;
        }
        let stream = self.server.open(&self.adb_serial, &format!("exec:{line}")).await?;
        let stdout = shell::read_to_end(stream, limit).await?;
        Ok(ShellOutput {
            stdout,
            ..ShellOutput::default()
        })
    }

    /// Asked once for each time that the phone appears.
    async fn has_shell_v2(&self) -> Result<bool, AdbError> {
        let request = format!("host-serial:{}:features", self.adb_serial);
        let known = self.shell_v2.get_or_try_init(|| async {
            let features = self.server.ask(&request).await?;
            Ok(features.split(',').any(|feature| feature.trim() == "shell_v2"))
        });
        known.await.copied()
    }
}

/// Ends a call at its deadline; its socket closes with it.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, AdbError>>,
) -> Result<T, AdbError> {
    tokio::time::timeout(deadline, call)
        .await
        .unwrap_or(Err(AdbError::TimedOut(deadline)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adb::testing::{Answer, FakeServer};

    const DEADLINE: Duration = Duration::from_millis(40);

    fn transport(server: &FakeServer) -> Transport {
        Transport::new(ServerClient::new(&server.address, &AdbLimits::default()), "phone")
    }

    #[tokio::test]
    async fn a_shell_command_brings_both_outputs_and_its_code() {
        let server = FakeServer::start(|service| match service {
            "shell,v2,raw:ls" => Answer::shell("out", "err", 2),
            other => Answer::unexpected(other),
        })
        .await;

        let output = transport(&server).shell("ls", 1_000).await.unwrap();

        assert_eq!(
            output,
            ShellOutput {
                stdout: b"out".to_vec(),
                stderr: b"err".to_vec(),
                code: 2
            }
        );
    }

    #[tokio::test]
    async fn a_phone_without_shell_v2_is_asked_by_version_1() {
        let server = FakeServer::start(|service| match service {
            "host-serial:phone:features" => Answer::text("cmd,stat_v2"),
            service if service.starts_with("shell:(ls);") => Answer::raw(b"out\nfarmhand-exit:4\n"),
            "exec:screencap" => Answer::raw(b"\x00\x01"),
            other => Answer::unexpected(other),
        })
        .await;
        let transport = transport(&server);

        let output = transport.shell("ls", 1_000).await.unwrap();

        assert_eq!((output.stdout.as_slice(), output.code), (b"out".as_slice(), 4));
        assert_eq!(transport.binary("screencap", 1_000).await.unwrap().stdout, b"\x00\x01");
        assert_eq!(server.asked("host-serial:phone:features"), 1);
    }

    #[tokio::test]
    async fn the_servers_refusals_are_typed() {
        let server = FakeServer::start(|service| match service {
            "host:transport:phone" => Answer::fail("device 'phone' not found"),
            other => Answer::unexpected(other),
        })
        .await;

        let error = transport(&server).shell("ls", 1_000).await.unwrap_err();

        assert!(matches!(error, AdbError::NotReady { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_in_mid_command_is_a_lost_phone() {
        let server = FakeServer::start(|service| match service {
            "shell,v2,raw:ls" => Answer::raw(b"\x01\x10\x00\x00\x00half"),
            "shell,v2,raw:id" => Answer::HangUp,
            "shell,v2,raw:true" => Answer::fail("closed"),
            other => Answer::unexpected(other),
        })
        .await;

        assert_eq!(transport(&server).shell("ls", 1_000).await, Err(AdbError::Lost));
        assert_eq!(transport(&server).shell("id", 1_000).await, Err(AdbError::Lost));
        assert_eq!(transport(&server).shell("true", 1_000).await, Err(AdbError::Lost));
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        let gone = FakeServer::start(Answer::unexpected).await.stop().await;

        let error = ServerClient::new(&gone, &AdbLimits::default())
            .ask("host:version")
            .await
            .unwrap_err();

        assert!(matches!(error, AdbError::Unreachable(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_slow_trickle_does_not_outlast_the_deadline() {
        let server = FakeServer::start(|service| match service {
            "shell,v2,raw:ls" => Answer::Trickle(b"\x01\xff\x00\x00\x00".to_vec()),
            other => Answer::unexpected(other),
        })
        .await;

        let ended = within(DEADLINE, transport(&server).shell("ls", 1_000)).await;

        assert_eq!(ended, Err(AdbError::TimedOut(DEADLINE)));
    }

    #[tokio::test]
    async fn a_thousand_hanging_calls_leave_no_socket_open() {
        let server = FakeServer::start(|service| match service {
            "shell,v2,raw:ls" => Answer::Hang,
            other => Answer::unexpected(other),
        })
        .await;
        let transport = transport(&server);
        assert!(transport.has_shell_v2().await.unwrap());

        for _ in 0..20 {
            let calls = (0..50).map(|_| within(DEADLINE, transport.shell("ls", 1_000)));
            let ended = futures_util::future::join_all(calls).await;
            assert!(
                ended.iter().all(|end| matches!(end, Err(AdbError::TimedOut(_)))),
                "{ended:?}"
            );
        }

        // On a busy host some calls end before the server has heard of them.
        assert!(server.asked("shell,v2,raw:ls") > 500);
        server.wait_until_no_connection_is_open().await;
    }
}
