//! The cable of a phone: an address that leads to one phone, then to none, then perhaps to another.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

#[derive(Default)]
struct State {
    target: Option<String>,
    open: Vec<TcpStream>,
}

/// Copies what comes to its address to the phone that is plugged in.
pub struct Plug {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Plug {
    /// A cable that leads to the phone at `target`.
    pub fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for ours in listener.incoming().map_while(Result::ok) {
                connect(ours, &accepting);
            }
        });
        let plug = Self { address, state };
        plug.put(Some(target));
        plug
    }

    /// Pulls the cable out, and plugs it into `target` if there is one.
    pub fn put(&self, target: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        state.target = target.map(str::to_owned);
        for end in state.open.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

/// Without a target the connection just ends.
fn connect(ours: TcpStream, state: &Mutex<State>) {
    let mut state = state.lock().unwrap();
    let Some(theirs) = state.target.as_ref().and_then(|target| TcpStream::connect(target).ok()) else {
        return;
    };
    pump(ours.try_clone().unwrap(), theirs.try_clone().unwrap());
    pump(theirs.try_clone().unwrap(), ours.try_clone().unwrap());
    state.open.extend([ours, theirs]);
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
