//! The seam between the wire (adb, shell) and the phone behind it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::{
    io::DuplexStream,
    sync::{mpsc, watch},
};

/// What a phone says of itself when a host connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    /// `ro.product.name`
    pub product: String,
    /// `ro.product.model`
    pub model: String,
    /// `ro.product.device`
    pub device: String,
}

/// How the phone's connection does at the moment. Faults set it; the wire obeys it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// The phone refuses connections and closes those it has.
    pub offline: bool,
    /// The phone does not trust the host: it answers every signature with another token.
    pub unauthorized: bool,
    /// Connections stay open but nothing is read or answered any more.
    pub hang: bool,
    /// Every answer comes this much later, milliseconds.
    pub slow_ms: u64,
    /// Goes up by one to close every connection once, at once (a cable that was moved, a reboot).
    pub drops: u64,
}

/// A program's input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invocation {
    /// Program and arguments, after the shell's quoting.
    pub argv: Vec<String>,
    /// What is piped into it.
    pub stdin: Vec<u8>,
    /// Whether standard output is a raw terminal (adb's `shell:` service without v2).
    pub terminal: bool,
}

/// A program's result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code.
    pub code: u8,
}

/// Raw pixels of the screen: RGBA, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}

/// A phone as the wire sees it.
#[async_trait]
pub trait Device: Send + Sync {
    /// Its own serial (`ro.serialno`).
    fn serial(&self) -> &str;

    /// For the CNXN packet and for long device lists.
    fn banner(&self) -> Banner;

    /// How its connection does; the wire watches this.
    fn link(&self) -> watch::Receiver<Link>;

    /// Called when the wire has held an answer back for [`Link::slow_ms`].
    fn was_slow(&self) {}

    /// Its files.
    fn files(&self) -> Arc<crate::fs::Filesystem>;

    /// Runs one of Android's own programs (`am`, `input`, `uiautomator`, `getprop` …). `None`: there is no such
    /// program, the shell says "inaccessible or not found" and 127.
    async fn run(&self, invocation: Invocation) -> Option<Completion>;

    /// The same for programs that go on for long (`logcat`): what they print on their way goes to `output`, the rest
    /// is in the completion. The program ends when this future is dropped.
    async fn run_live(&self, invocation: Invocation, output: mpsc::Sender<Vec<u8>>) -> Option<Completion> {
        drop(output);
        self.run(invocation).await
    }

    /// What the screen shows now.
    async fn frame(&self) -> Frame;

    /// Connects to a TCP port on the phone (the uiautomator2 agent on 9008), if something listens there.
    async fn connect_tcp(&self, port: u16) -> Option<DuplexStream>;

    /// Called when the wire has carried out a reboot request (`reboot:` service).
    async fn reboot(&self);
}
