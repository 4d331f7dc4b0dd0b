//! A phone with a few programs and a small screen.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use farmhand_sim::{
    device::{Banner, Completion, Device, Frame, Invocation, Link},
    fs::Filesystem,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::watch,
};

pub struct FakePhone {
    serial: String,
    link: watch::Sender<Link>,
    files: Arc<Filesystem>,
    /// What was run, as it arrived.
    pub invocations: Mutex<Vec<Invocation>>,
    pub reboots: AtomicU32,
}

impl FakePhone {
    pub fn new(serial: &str) -> Arc<Self> {
        Arc::new(Self {
            serial: serial.to_owned(),
            link: watch::Sender::new(Link::default()),
            files: Arc::new(Filesystem::new()),
            invocations: Mutex::default(),
            reboots: AtomicU32::new(0),
        })
    }

    pub fn set_link(&self, change: impl FnOnce(&mut Link)) {
        self.link.send_modify(change);
    }

    /// The package that `install` brought, if it was run.
    pub fn installed(&self) -> Option<Invocation> {
        let invocations = self.invocations.lock().unwrap();
        invocations
            .iter()
            .find(|invocation| invocation.argv.iter().any(|word| word == "install"))
            .cloned()
    }
}

pub const FRAME_WIDTH: u32 = 6;
pub const FRAME_HEIGHT: u32 = 4;

#[async_trait]
impl Device for FakePhone {
    fn serial(&self) -> &str {
        &self.serial
    }

    fn banner(&self) -> Banner {
        Banner {
            product: "panther".to_owned(),
            model: "Pixel 7".to_owned(),
            device: "panther".to_owned(),
        }
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    fn files(&self) -> Arc<Filesystem> {
        self.files.clone()
    }

    async fn run(&self, invocation: Invocation) -> Option<Completion> {
        self.invocations.lock().unwrap().push(invocation.clone());
        let words: Vec<&str> = invocation.argv.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["getprop", "ro.serialno"] => Some(says(&format!("{}\n", self.serial))),
            ["screencap", "-p"] => Some(Completion {
                stdout: (0..=255).cycle().take(300_000).collect(),
                ..says("")
            }),
            ["cmd", "package", "install", ..] => Some(says("Success\n")),
            ["am", "fail"] => Some(Completion {
                stdout: b"out\n".to_vec(),
                stderr: b"err\n".to_vec(),
                code: 7,
            }),
            ["logcat"] => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Some(says(""))
            }
            _ => None,
        }
    }

    async fn frame(&self) -> Frame {
        let rgba = vec![0x80; (FRAME_WIDTH * FRAME_HEIGHT * 4) as usize];
        Frame {
            width: FRAME_WIDTH,
            height: FRAME_HEIGHT,
            rgba,
        }
    }

    /// Something on port 9008 that says everything twice.
    async fn connect_tcp(&self, port: u16) -> Option<DuplexStream> {
        if port != 9008 {
            return None;
        }
        let (theirs, mut ours) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let mut buffer = [0; 64];
            while let Ok(length @ 1..) = ours.read(&mut buffer).await {
                let heard = buffer.get(..length).unwrap();
                ours.write_all(&heard.repeat(2)).await.unwrap();
            }
        });
        Some(theirs)
    }

    async fn reboot(&self) {
        self.reboots.fetch_add(1, Ordering::Relaxed);
    }
}

fn says(text: &str) -> Completion {
    Completion {
        stdout: text.as_bytes().to_vec(),
        ..Completion::default()
    }
}
