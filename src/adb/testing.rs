//! A scripted adb server for this room's tests.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinHandle,
};

/// What the server does about one request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// `OKAY`, then it waits for the next request.
    Okay,
    /// `FAIL` with this text, then it hangs up.
    Fail(String),
    /// `OKAY`, these bytes, then it hangs up.
    Raw(Vec<u8>),
    /// These bytes without `OKAY`, then it hangs up.
    Garbage(Vec<u8>),
    /// `OKAY`, then one byte now and then, for ever.
    Trickle(Vec<u8>),
    /// `OKAY`, then what the channel of [`FakeServer::lists`] brings, as blocks.
    Lists,
    /// `OKAY` and the list as a block.
    CurrentList,
    /// `OKAY` and this text as a block, after the list became this one.
    Connect { text: String, list: String },
    /// `OKAY`, then the phone's end of the file protocol: takes one file, notes `SEND path bytes` as a request.
    TakeFile,
    /// The same, but it refuses the file with this text.
    RefuseFile(String),
    /// `OKAY`, then it gives this file.
    GiveFile(Vec<u8>),
    /// After this time, that.
    Late(Duration, Box<Answer>),
    /// Nothing, but the connection stays open.
    Hang,
    /// It hangs up.
    HangUp,
}

impl Answer {
    pub(crate) fn fail(text: &str) -> Self {
        Self::Fail(text.to_owned())
    }

    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self::Raw(bytes.to_vec())
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Raw(format!("{:04x}{text}", text.len()).into_bytes())
    }

    pub(crate) fn shell(stdout: &str, stderr: &str, code: u8) -> Self {
        Self::shell_bytes(stdout.as_bytes(), stderr.as_bytes(), code)
    }

    pub(crate) fn shell_bytes(stdout: &[u8], stderr: &[u8], code: u8) -> Self {
        let mut bytes = Vec::new();
        for (kind, payload) in [(1u8, stdout), (2, stderr), (3, &[code])] {
            bytes.push(kind);
            bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(payload);
        }
        Self::Raw(bytes)
    }

    /// For requests that a test does not name: transports are there, features have shell v2, all else fails loudly.
    pub(crate) fn unexpected(request: &str) -> Self {
        if request.starts_with("host:transport:") {
            Self::Okay
        } else if request.ends_with(":features") {
            Self::text("shell_v2,cmd")
        } else {
            Self::Fail(format!("the test does not expect {request}"))
        }
    }
}

type Script = dyn Fn(&str) -> Answer + Send + Sync;

/// Shared by all connections of a server.
struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<String>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
    changed: Notify,
    lists: Mutex<Vec<mpsc::UnboundedSender<String>>>,
    last_list: Mutex<String>,
}

impl Shared {
    fn show(&self, list: &str) {
        *self.last_list.lock().unwrap() = list.to_owned();
        self.lists
            .lock()
            .unwrap()
            .retain(|tracker| tracker.send(list.to_owned()).is_ok());
    }
}

/// The server.
pub(crate) struct FakeServer {
    pub(crate) address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl FakeServer {
    pub(crate) async fn start(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", script).await
    }

    pub(crate) async fn start_at(address: &str, script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
            changed: Notify::new(),
            lists: Mutex::default(),
            last_list: Mutex::default(),
        });
        let address = listener.local_addr().unwrap().to_string();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// What `host:devices` and `host:track-devices` tell from now on.
    pub(crate) fn list(&self, list: &str) {
        *self.shared.last_list.lock().unwrap() = list.to_owned();
        self.shared
            .lists
            .lock()
            .unwrap()
            .retain(|tracker| tracker.send(list.to_owned()).is_ok());
    }

    /// The same, but trackers are not told (as server 29 does for a dropped TCP phone).
    pub(crate) fn list_silently(&self, list: &str) {
        *self.shared.last_list.lock().unwrap() = list.to_owned();
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self, request: &str) -> usize {
        self.requests().iter().filter(|seen| *seen == request).count()
    }

    /// The most connections that were open at once.
    pub(crate) fn most_open(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }

    pub(crate) async fn wait_until_no_connection_is_open(&self) {
        let closed = async {
            loop {
                let changed = self.shared.changed.notified();
                if self.shared.open.load(Ordering::SeqCst) == 0 {
                    break;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), closed)
            .await
            .expect("connections stay open");
    }

    /// Ends it and all its connections; answers its address.
    pub(crate) async fn stop(self) -> String {
        self.accepting.abort();
        let _ = self.accepting.await;
        self.address
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(open, Ordering::SeqCst);
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            converse(stream, &shared).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
            shared.changed.notify_waiters();
        });
    }
}

async fn converse(mut stream: TcpStream, shared: &Shared) -> Option<()> {
    loop {
        let mut digits = [0u8; 4];
        stream.read_exact(&mut digits).await.ok()?;
        let length = usize::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
        let mut request = vec![0u8; length];
        stream.read_exact(&mut request).await.ok()?;
        let request = String::from_utf8(request).unwrap();
        shared.requests.lock().unwrap().push(request.clone());
        let answer = (shared.script)(&request);
        if !reply(&mut stream, shared, answer).await? {
            return Some(());
        }
    }
}

/// Whether another request may follow.
async fn reply(stream: &mut TcpStream, shared: &Shared, mut answer: Answer) -> Option<bool> {
    while let Answer::Late(after, then) = answer {
        tokio::time::sleep(after).await;
        answer = *then;
    }
    match answer {
        Answer::Okay => {
            stream.write_all(b"OKAY").await.ok()?;
            return Some(true);
        }
        Answer::Fail(text) => {
            stream
                .write_all(format!("FAIL{:04x}{text}", text.len()).as_bytes())
                .await
                .ok()?;
        }
        Answer::Raw(bytes) => stream.write_all(&[b"OKAY", bytes.as_slice()].concat()).await.ok()?,
        Answer::Garbage(bytes) => stream.write_all(&bytes).await.ok()?,
        Answer::Trickle(bytes) => {
            stream.write_all(&[b"OKAY", bytes.as_slice()].concat()).await.ok()?;
            let mut pace = tokio::time::interval(Duration::from_millis(2));
            loop {
                pace.tick().await;
                stream.write_all(b".").await.ok()?;
            }
        }
        Answer::Lists => {
            let (sender, mut lists) = mpsc::unbounded_channel();
            let first = shared.last_list.lock().unwrap().clone();
            shared.lists.lock().unwrap().push(sender);
            stream
                .write_all(format!("OKAY{:04x}{first}", first.len()).as_bytes())
                .await
                .ok()?;
            loop {
                let mut closed = [0u8; 1];
                tokio::select! {
                    list = lists.recv() => {
                        let list = list?;
                        stream.write_all(format!("{:04x}{list}", list.len()).as_bytes()).await.ok()?;
                    }
                    _ = stream.read(&mut closed) => return Some(false),
                }
            }
        }
        Answer::CurrentList => {
            let list = shared.last_list.lock().unwrap().clone();
            stream
                .write_all(format!("OKAY{:04x}{list}", list.len()).as_bytes())
                .await
                .ok()?;
        }
        Answer::Connect { text, list } => {
            shared.show(&list);
            stream
                .write_all(format!("OKAY{:04x}{text}", text.len()).as_bytes())
                .await
                .ok()?;
        }
        Answer::TakeFile => {
            stream.write_all(b"OKAY").await.ok()?;
            take_file(stream, shared).await?;
            stream.write_all(b"OKAY\0\0\0\0").await.ok()?;
        }
        Answer::RefuseFile(text) => {
            stream.write_all(b"OKAY").await.ok()?;
            take_file(stream, shared).await?;
            let length = u32::try_from(text.len()).unwrap().to_le_bytes();
            stream
                .write_all(&[b"FAIL", length.as_slice(), text.as_bytes()].concat())
                .await
                .ok()?;
        }
        Answer::GiveFile(bytes) => {
            stream.write_all(b"OKAY").await.ok()?;
            assert_eq!(sync_chunk(stream).await?.0, *b"RECV");
            for chunk in bytes.chunks(64 * 1024) {
                let length = u32::try_from(chunk.len()).unwrap().to_le_bytes();
                stream
                    .write_all(&[b"DATA", length.as_slice(), chunk].concat())
                    .await
                    .ok()?;
            }
            stream.write_all(b"DONE\0\0\0\0").await.ok()?;
        }
        Answer::Hang => {
            let _ = stream.read_u8().await;
        }
        Answer::HangUp | Answer::Late(..) => {}
    }
    Some(false)
}

async fn sync_chunk(stream: &mut TcpStream) -> Option<([u8; 4], Vec<u8>)> {
    let mut id = [0u8; 4];
    stream.read_exact(&mut id).await.ok()?;
    let length = usize::try_from(stream.read_u32_le().await.ok()?).unwrap();
    let mut payload = vec![0u8; if &id == b"DONE" { 0 } else { length }];
    stream.read_exact(&mut payload).await.ok()?;
    Some((id, payload))
}

async fn take_file(stream: &mut TcpStream, shared: &Shared) -> Option<()> {
    let (id, path) = sync_chunk(stream).await?;
    assert_eq!(id, *b"SEND");
    let mut bytes = 0;
    loop {
        let (id, payload) = sync_chunk(stream).await?;
        if &id == b"DONE" {
            break;
        }
        bytes += payload.len();
    }
    let note = format!("SEND {} {bytes}", String::from_utf8(path).unwrap());
    shared.requests.lock().unwrap().push(note);
    Some(())
}
