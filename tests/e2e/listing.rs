//! An adb server whose list of phones the test writes; everything else it hands on to the simulated phones' own server.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
};

#[derive(Default)]
struct State {
    /// Serial and state of each phone.
    phones: BTreeMap<String, String>,
    trackers: Vec<mpsc::Sender<String>>,
}

impl State {
    fn list(&self) -> String {
        let lines = self.phones.iter().map(|(serial, state)| format!("{serial}\t{state}\n"));
        lines.collect()
    }
}

/// The server.
pub struct ListingServer {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl ListingServer {
    /// In front of the server at `upstream`, with no phones yet.
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (upstream, shared) = (upstream.to_owned(), Arc::clone(&state));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (upstream, shared) = (upstream.clone(), Arc::clone(&shared));
                // A peer that hangs up ends its thread.
                std::thread::spawn(move || drop(serve(stream, &upstream, &shared)));
            }
        });
        Self { address, state }
    }

    /// Shows a phone in this state, and tells all that track.
    pub fn show(&self, serial: &str, word: &str) {
        let mut state = self.state.lock().unwrap();
        state.phones.insert(serial.to_owned(), word.to_owned());
        let list = state.list();
        state.trackers.retain(|tracker| tracker.send(list.clone()).is_ok());
    }
}

fn serve(mut stream: TcpStream, upstream: &str, shared: &Mutex<State>) -> std::io::Result<()> {
    let mut digits = [0; 4];
    stream.read_exact(&mut digits)?;
    let length = usize::from_str_radix(&String::from_utf8_lossy(&digits), 16).unwrap();
    let mut request = vec![0; length];
    stream.read_exact(&mut request)?;
    match request.as_slice() {
        b"host:devices" => {
            let list = shared.lock().unwrap().list();
            stream.write_all(format!("OKAY{:04x}{list}", list.len()).as_bytes())
        }
        b"host:track-devices" => {
            let (send, lists) = mpsc::channel();
            let first = {
                let mut state = shared.lock().unwrap();
                state.trackers.push(send);
                state.list()
            };
            stream.write_all(b"OKAY")?;
            for list in std::iter::once(first).chain(lists) {
                stream.write_all(format!("{:04x}{list}", list.len()).as_bytes())?;
            }
            Ok(())
        }
        _ => {
            let mut theirs = TcpStream::connect(upstream)?;
            theirs.write_all(&digits)?;
            theirs.write_all(&request)?;
            let (mut from, mut to) = (theirs.try_clone()?, stream.try_clone()?);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
            std::io::copy(&mut stream, &mut theirs)?;
            theirs.shutdown(std::net::Shutdown::Both)
        }
    }
}
