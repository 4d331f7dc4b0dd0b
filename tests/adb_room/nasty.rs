//! A proxy between farmhand and an adb server that spoils the services of phones on command. Questions to the server
//! itself pass, so that the phones stay listed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

/// What becomes of a service's answer.
#[derive(Debug, Clone)]
pub enum Spoil {
    /// One byte, a pause, one byte …
    Trickle(Duration),
    /// All of it, later.
    Late(Duration),
    /// Nothing, and nobody hangs up: the other end is gone and its reset was swallowed.
    HalfOpen,
    /// So many bytes, then it hangs up.
    Cut(usize),
    /// All of it, but it never hangs up.
    NeverClose,
    /// These bytes instead, then it hangs up.
    Instead(Vec<u8>),
    /// These bytes first.
    Before(Vec<u8>),
    /// These bytes, then again the latter for as long as the client takes them.
    Flood(Vec<u8>, Vec<u8>),
}

#[derive(Default)]
struct State {
    /// Services that begin like this are spoilt like that.
    spoil: Mutex<Option<(&'static str, Spoil)>>,
    /// Bytes that the last service of that kind was answered with.
    answered: AtomicUsize,
    /// Clients of spoilt services that have not hung up.
    open: AtomicUsize,
    /// Those there were.
    spoilt: AtomicUsize,
    closed: Notify,
    /// Ends what passes unspoilt to ports of phones.
    cut: Notify,
}

/// The proxy.
pub struct Nasty {
    pub address: String,
    state: Arc<State>,
}

impl Nasty {
    /// Before the server at `upstream`.
    pub async fn before(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (upstream, state) = (upstream.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // Whoever hangs up ends the conversation.
                    let _ = converse(client, &upstream, &state).await;
                });
            }
        });
        Self { address, state }
    }

    /// From now on, services that begin with `service` are spoilt.
    pub fn spoil(&self, service: &'static str, how: Spoil) {
        *self.state.spoil.lock().unwrap() = Some((service, how));
    }

    /// The same, and connections to ports of phones that are open already end.
    pub fn spoil_ports(&self, how: Spoil) {
        self.spoil("tcp:", how);
        self.state.cut.notify_waiters();
    }

    pub fn behave(&self) {
        *self.state.spoil.lock().unwrap() = None;
    }

    /// How many bytes the last service of a phone had for its answer, if the proxy let it pass whole.
    pub fn answered(&self) -> usize {
        self.state.answered.load(Ordering::SeqCst)
    }

    /// Forgets that.
    pub fn forget_answered(&self) {
        self.state.answered.store(0, Ordering::SeqCst);
    }

    /// How many services were spoilt so far.
    pub fn spoilt(&self) -> usize {
        self.state.spoilt.load(Ordering::SeqCst)
    }

    /// Waits, within bounds, until no client holds on to a spoilt service.
    pub async fn until_all_hung_up(&self) {
        let closed = async {
            loop {
                let changed = self.state.closed.notified();
                if self.state.open.load(Ordering::SeqCst) == 0 {
                    break;
                }
                changed.await;
            }
        };
        tokio::time::timeout(crate::harness::PATIENCE, closed)
            .await
            .expect("a socket stays open");
    }
}

async fn converse(mut client: TcpStream, upstream: &str, state: &Arc<State>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    loop {
        let mut digits = [0; 4];
        client.read_exact(&mut digits).await?;
        let length = usize::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap();
        let mut request = vec![0; length];
        client.read_exact(&mut request).await?;
        server.write_all(&[digits.as_slice(), &request].concat()).await?;
        let request = String::from_utf8(request).unwrap();
        if request.starts_with("host:transport:") {
            let mut status = [0; 4];
            server.read_exact(&mut status).await?;
            client.write_all(&status).await?;
            if &status == b"OKAY" {
                continue;
            }
        }
        let spoil = state.spoil.lock().unwrap().clone();
        return match spoil.filter(|(service, _)| request.starts_with(service)) {
            Some((_, how)) => spoilt(client, server, how, state).await,
            None => {
                let copied = copy_bidirectional(&mut client, &mut server);
                let (_, answered) = tokio::select! {
                    copied = copied => copied?,
                    () = state.cut.notified(), if request.starts_with("tcp:") => return Ok(()),
                };
                if !request.starts_with("host") {
                    state
                        .answered
                        .store(usize::try_from(answered).unwrap(), Ordering::SeqCst);
                }
                Ok(())
            }
        };
    }
}

/// Tells of a client's end, however it comes.
struct Open(Arc<State>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.closed.notify_waiters();
    }
}

async fn spoilt(client: TcpStream, server: TcpStream, how: Spoil, state: &Arc<State>) -> std::io::Result<()> {
    state.open.fetch_add(1, Ordering::SeqCst);
    state.spoilt.fetch_add(1, Ordering::SeqCst);
    let _open = Open(Arc::clone(state));
    let (mut from_client, to_client) = client.into_split();
    let (from_server, mut to_server) = server.into_split();
    let answering = answer(from_server, to_client, how);
    tokio::pin!(answering);
    let sending = async {
        // Until the client hangs up.
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    tokio::pin!(sending);
    tokio::select! {
        () = &mut sending => {}
        _ = &mut answering => {}
    }
    Ok(())
}

async fn answer(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, how: Spoil) -> std::io::Result<()> {
    match how {
        Spoil::Trickle(pause) => {
            while let Ok(byte) = server.read_u8().await {
                client.write_all(&[byte]).await?;
                tokio::time::sleep(pause).await;
            }
        }
        Spoil::Late(pause) => {
            tokio::time::sleep(pause).await;
            tokio::io::copy(&mut server, &mut client).await?;
        }
        Spoil::HalfOpen => std::future::pending().await,
        Spoil::Cut(bytes) => {
            let mut part = server.take(bytes.try_into().unwrap());
            tokio::io::copy(&mut part, &mut client).await?;
        }
        Spoil::NeverClose => {
            tokio::io::copy(&mut server, &mut client).await?;
            let () = std::future::pending().await;
        }
        Spoil::Instead(bytes) => {
            client.write_all(&bytes).await?;
            client.shutdown().await?;
        }
        Spoil::Before(bytes) => {
            client.write_all(&bytes).await?;
            tokio::io::copy(&mut server, &mut client).await?;
        }
        Spoil::Flood(first, again) => {
            client.write_all(&first).await?;
            loop {
                client.write_all(&again).await?;
            }
        }
    }
    Ok(())
}
