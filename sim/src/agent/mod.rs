//! The uiautomator2 agent: JSON-RPC over HTTP on a TCP port of the phone, alive as long as the `app_process` command
//! that started it. The protocol is that of openatx/android-uiautomator-server-jar as its Python client speaks it.

mod calls;
mod http;
mod objects;
mod rpc;
mod selector;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::io::DuplexStream;
use tokio_util::sync::CancellationToken;

use crate::{device::Completion, fs::Filesystem, handset::Handset};

/// Where the host pushes the agent to.
const JAR: &str = "/data/local/tmp/u2.jar";
const MAIN_CLASS: &str = "com.wetest.uia2.Main";
const DEFAULT_PORT: u16 = 9008;
/// `SIGABRT`: the runtime gives up when it cannot find the class.
const ABORTED: u8 = 134;
/// Bytes in flight of one connection, in each direction.
const STREAM_BUFFER: usize = 64 * 1024;
/// How long the agent waits for a dump in progress before it gives up, as two quick commands in a row may overlap.
const REGISTRATION_WAIT: Duration = Duration::from_secs(2);

/// The phone's one accessibility connection for tests; only one process may hold it.
#[derive(Debug, Default)]
pub struct UiAutomation {
    holder: Mutex<Holder>,
}

#[derive(Debug, Default)]
struct Holder {
    /// The boot of the process that holds it: no process survives a reboot.
    boot_id: Option<String>,
    /// Counts the holders, so that a late one does not release the connection of its successor.
    number: u64,
}

/// Another process holds the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UiAutomationTaken;

/// The connection is free again when this is dropped.
#[derive(Debug)]
pub struct HeldUiAutomation {
    of: Arc<UiAutomation>,
    number: u64,
}

impl UiAutomation {
    /// Takes the connection in this boot if nobody has it.
    pub fn take(self: &Arc<Self>, boot_id: &str) -> Result<HeldUiAutomation, UiAutomationTaken> {
        let mut holder = self.holder();
        if holder.boot_id.as_deref() == Some(boot_id) {
            return Err(UiAutomationTaken);
        }
        holder.boot_id = Some(boot_id.to_owned());
        holder.number += 1;
        Ok(HeldUiAutomation {
            of: self.clone(),
            number: holder.number,
        })
    }

    fn holder(&self) -> MutexGuard<'_, Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldUiAutomation {
    fn drop(&mut self) {
        let mut holder = self.of.holder();
        if holder.number == self.number {
            holder.boot_id = None;
        }
    }
}

/// The agent of one phone, running or not.
pub struct Agent {
    handset: Arc<dyn Handset>,
    files: Arc<Filesystem>,
    ui_automation: Arc<UiAutomation>,
    server: Mutex<Option<Server>>,
}

/// A running agent.
#[derive(Debug, Clone)]
struct Server {
    /// Of its hold on the accessibility connection.
    number: u64,
    port: u16,
    /// The boot in which it was started: no process survives a reboot.
    boot_id: String,
    /// Ends its connections, and the command that started it.
    ended: CancellationToken,
}

/// Ends the server when the command that started it is gone.
struct Running<'a> {
    agent: &'a Agent,
    ended: CancellationToken,
    held: HeldUiAutomation,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.ended.cancel();
        let mut server = self.agent.server();
        // After a reboot and another start it is that one's.
        if server.as_ref().is_some_and(|server| server.number == self.held.number) {
            *server = None;
        }
    }
}

impl Agent {
    /// The agent of this phone, not started.
    pub fn new(handset: Arc<dyn Handset>, files: Arc<Filesystem>) -> Self {
        Self {
            handset,
            files,
            ui_automation: Arc::default(),
            server: Mutex::default(),
        }
    }

    /// The connection that the agent holds while it runs.
    pub fn ui_automation(&self) -> &Arc<UiAutomation> {
        &self.ui_automation
    }

    /// `CLASSPATH=/data/local/tmp/u2.jar app_process / com.wetest.uia2.Main -p 9008`: ends when its future is dropped
    /// (the host closes the stream), or on `GET /stop`.
    pub async fn app_process(&self, arguments: &[String]) -> Completion {
        if !arguments.iter().any(|argument| argument == MAIN_CLASS) || !self.files.exists(JAR) {
            return Completion {
                stderr: b"Aborted \n".to_vec(),
                code: ABORTED,
                ..Completion::default()
            };
        }
        let boot_id = self.handset.boot_id();
        let Some(held) = self.register(&boot_id).await else {
            let words = "[server] INFO: [UiAutomator2Server] Starting Server\njava.lang.IllegalStateException: \
                         UiAutomationService android.accessibilityservice.IAccessibilityServiceClient$Stub$Proxy\
                         @5deffd5already registered!\n";
            return Completion {
                stdout: words.into(),
                code: 1,
                ..Completion::default()
            };
        };
        let port = arguments
            .iter()
            .position(|argument| argument == "-p")
            .and_then(|at| arguments.get(at + 1));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
        let ended = CancellationToken::new();
        let server = Server {
            number: held.number,
            port,
            boot_id,
            ended: ended.clone(),
        };
        if let Some(former) = self.server().replace(server) {
            // It died with the boot before; whoever still waits for its command may know.
            former.ended.cancel();
        }
        let running = Running {
            agent: self,
            ended: ended.clone(),
            held,
        };
        ended.cancelled().await;
        drop(running);
        let words = "[server] INFO: [UiAutomator2Server] Starting Server\n[server] INFO: Server stopped\n";
        Completion {
            stdout: words.into(),
            ..Completion::default()
        }
    }

    async fn register(&self, boot_id: &str) -> Option<HeldUiAutomation> {
        if self.server().as_ref().is_some_and(|server| server.boot_id == boot_id) {
            return None;
        }
        let taken = async {
            loop {
                if let Ok(held) = self.ui_automation.take(boot_id) {
                    return held;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(REGISTRATION_WAIT, taken).await.ok()
    }

    /// Connects to the agent; `None` when nothing listens on that port.
    pub fn connect(self: &Arc<Self>, port: u16) -> Option<DuplexStream> {
        let server = self.server().clone().filter(|server| server.port == port)?;
        if server.boot_id != self.handset.boot_id() {
            return None;
        }
        let (client, host) = tokio::io::duplex(STREAM_BUFFER);
        let agent = self.clone();
        tokio::spawn(async move {
            let ended = server.ended.clone();
            ended.run_until_cancelled(http::serve(host, agent, server.ended)).await;
        });
        Some(client)
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{
        commands::testing::{Bench, stdout},
        handset::Handset,
    };

    const START: &str = "app_process / com.wetest.uia2.Main -p 9008";

    async fn exchange(agent: &Arc<Agent>, request: &str) -> Option<String> {
        let mut stream = agent.connect(9008)?;
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        Some(String::from_utf8(answer).expect("text"))
    }

    async fn call(agent: &Arc<Agent>, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let request = format!(
            "POST /jsonrpc/0 HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(agent, &request).await.expect("a running agent");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        serde_json::from_str(body).expect("JSON")
    }

    async fn while_running<T>(bench: &Bench, work: impl Future<Output = T>) -> T {
        bench.files.write(JAR, "jar").expect("a place for the jar");
        tokio::select! {
            biased;
            completion = bench.run(START) => panic!("the agent ended: {completion:?}"),
            result = async { tokio::task::yield_now().await; work.await } => result,
        }
    }

    #[tokio::test]
    async fn the_agent_answers_while_its_command_runs_and_not_a_moment_longer() {
        let bench = Bench::new();
        let ping = "GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert!(bench.agent.connect(9008).is_none());

        let answer = while_running(&bench, exchange(&bench.agent, ping))
            .await
            .expect("an answer");

        assert!(answer.ends_with("\r\n\r\npong"), "{answer}");
        assert!(bench.agent.connect(9008).is_none());
        assert_eq!(bench.run("uiautomator dump").await.code, 0);
    }

    #[tokio::test]
    async fn without_its_jar_the_agent_does_not_start() {
        assert_eq!(Bench::new().run(START).await.code, 134);
    }

    #[tokio::test]
    async fn while_the_agent_runs_a_dump_is_killed_and_a_second_agent_is_refused() {
        let bench = Bench::new();

        let (dump, second) = while_running(&bench, async {
            (bench.run("uiautomator dump").await, bench.run(START).await)
        })
        .await;

        assert_eq!((dump.code, stdout(&dump)), (137, String::new()));
        assert!(stdout(&second).contains("already registered"));
    }

    #[tokio::test]
    async fn no_agent_survives_a_reboot_and_another_one_can_start() {
        let bench = Bench::new();

        bench.files.write(JAR, "jar").expect("a place for the jar");

        tokio::join!(bench.run(START), async {
            tokio::task::yield_now().await;
            assert!(bench.agent.connect(9008).is_some());
            bench.handset.reboot();
            assert!(bench.agent.connect(9008).is_none());
            assert_eq!(bench.run("uiautomator dump").await.code, 0);
            while_running(&bench, async { assert!(bench.agent.connect(9008).is_some()) }).await;
        });

        assert_eq!(bench.run("uiautomator dump").await.code, 0);
    }

    #[tokio::test]
    async fn stop_ends_the_command() {
        let bench = Bench::new();
        bench.files.write(JAR, "jar").expect("a place for the jar");

        let (completion, _) = tokio::join!(bench.run(START), async {
            tokio::task::yield_now().await;
            exchange(&bench.agent, "GET /stop HTTP/1.1\r\n\r\n").await
        });

        assert_eq!(completion.code, 0);
        assert!(bench.agent.connect(9008).is_none());
    }

    #[tokio::test]
    async fn an_object_is_found_described_and_tapped() {
        let bench = Bench::new();
        let selector = json!({ "mask": 1, "childOrSibling": [], "childOrSiblingSelector": [], "text": "Hello" });
        let agent = &bench.agent;

        let (exists, info, center) = while_running(&bench, async {
            let exists = call(agent, "waitForExists", json!([selector, 20_000])).await;
            let info = call(agent, "objInfo", json!([selector])).await;
            (exists, info, call(agent, "click", json!([60.0, 45.0])).await)
        })
        .await;

        assert_eq!(exists["result"], true);
        assert_eq!(
            info["result"]["bounds"],
            json!({ "left": 10, "top": 20, "right": 110, "bottom": 70 })
        );
        assert_eq!(info["result"]["resourceName"], "com.example.app:id/hello");
        assert_eq!(center["result"], true);
        assert_eq!(bench.handset.calls(), ["tap 60 45"]);
    }

    #[tokio::test]
    async fn a_missing_object_is_the_exception_that_clients_know() {
        let bench = Bench::new();
        let selector = json!({ "mask": 1, "text": "Nowhere" });
        let agent = &bench.agent;

        let (info, exists) = while_running(&bench, async {
            (
                call(agent, "objInfo", json!([selector])).await,
                call(agent, "exist", json!([selector])).await,
            )
        })
        .await;

        assert_eq!(info["error"]["code"], -32001);
        assert_eq!(
            info["error"]["message"],
            "androidx.test.uiautomator.UiObjectNotFoundException"
        );
        assert_eq!(exists["result"], false);
    }

    #[tokio::test]
    async fn text_goes_through_the_clipboard_or_straight_into_a_field() {
        let bench = Bench::new();
        bench.handset.focus_field(true);
        let agent = &bench.agent;
        let field = json!({ "mask": 0x10, "className": "android.widget.EditText" });

        while_running(&bench, async {
            call(agent, "setClipboard", json!([null, "żółw 😀"])).await;
            call(agent, "pasteClipboard", json!({})).await;
            assert_eq!(bench.handset.typed(), "żółw 😀");
            assert_eq!(call(agent, "setText", json!([field, "new"])).await["result"], true);
        })
        .await;

        assert_eq!(bench.handset.typed(), "new");
        assert_eq!(bench.handset.calls(), ["tap 60 125"]);
    }

    #[tokio::test]
    async fn the_hierarchy_the_screen_and_the_device_are_described() {
        let bench = Bench::new();
        let agent = &bench.agent;

        let (hierarchy, picture, info) = while_running(&bench, async {
            (
                call(agent, "dumpWindowHierarchy", json!([false, 50])).await,
                call(agent, "takeScreenshot", json!([1, 80])).await,
                call(agent, "deviceInfo", json!({})).await,
            )
        })
        .await;

        assert!(hierarchy["result"].as_str().expect("XML").contains("text=\"Hello\""));
        assert!(
            picture["result"].as_str().expect("base64").starts_with("/9j/"),
            "a JPEG"
        );
        assert_eq!(info["result"]["displayWidth"], 1080);
        assert_eq!(info["result"]["sdkInt"], 34);
    }

    #[tokio::test]
    async fn one_connection_carries_many_requests_and_bad_ones_get_an_error() {
        let bench = Bench::new();
        let requests = "GET /ping HTTP/1.1\r\n\r\nPOST /jsonrpc/0 HTTP/1.1\r\nContent-Length: 3\r\n\r\n{x}\
                        GET /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n";

        let answer = while_running(&bench, exchange(&bench.agent, requests))
            .await
            .expect("an answer");

        assert!(answer.contains("\r\n\r\npongHTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("\"code\":-32700"), "{answer}");
        assert!(answer.contains("HTTP/1.1 404 Not Found"), "{answer}");
    }
}
