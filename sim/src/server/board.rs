//! Which phones there are, and how their connections do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use super::DeviceList;
use crate::device::{Device, Link};

/// How long a phone whose connection dropped is `offline`: what a real server needs to reconnect.
const RECONNECT: Duration = Duration::from_millis(250);
/// The longest list that four hex digits can announce, bytes.
const MAX_LIST_BYTES: usize = 0xffff;

/// How a server sees a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Device,
    Offline,
    Unauthorized,
}

impl State {
    pub fn of(link: &Link) -> Self {
        if link.offline {
            Self::Offline
        } else if link.unauthorized {
            Self::Unauthorized
        } else {
            Self::Device
        }
    }

    /// The word in device lists.
    pub fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Offline => "offline",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// A phone on the board.
#[derive(Clone)]
pub(super) struct Entry {
    pub device: Arc<dyn Device>,
    pub state: State,
    pub transport_id: u64,
}

/// How a client names the phone that it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selector {
    Any,
    /// Emulators, of which there are none.
    Emulator,
    Serial(String),
    TransportId(u64),
}

pub(super) struct Board {
    list: Arc<dyn DeviceList>,
    changes: watch::Sender<u64>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    transport_ids: BTreeMap<String, u64>,
    /// Serials of phones whose connection was dropped just now.
    away: BTreeSet<String>,
}

impl Memory {
    /// Numbers phones that have no number yet, in the order of the list, whichever is asked for first.
    fn number(&mut self, devices: &[Arc<dyn Device>], wanted: &str) -> u64 {
        for serial in devices.iter().map(|device| device.serial()).chain([wanted]) {
            let next = self.transport_ids.len() as u64 + 1;
            self.transport_ids.entry(serial.to_owned()).or_insert(next);
        }
        self.transport_ids.get(wanted).copied().unwrap_or_default()
    }
}

impl Board {
    pub fn new(list: Arc<dyn DeviceList>) -> Self {
        Self {
            list,
            changes: watch::Sender::new(0),
            memory: Mutex::default(),
        }
    }

    /// Changes whenever a phone's state or the list does.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Notices changes for as long as it is polled: one task for all phones and all clients.
    pub async fn watch(&self) {
        loop {
            let mut list = self.list.changes();
            self.bump();
            let mut waits: FuturesUnordered<_> = self
                .list
                .devices()
                .into_iter()
                .map(|device| self.next_change(device.serial().to_owned(), device.link()))
                .collect();
            loop {
                tokio::select! {
                    Some(changed) = waits.next() => {
                        if let Some((serial, link)) = changed {
                            waits.push(self.next_change(serial, link));
                        }
                    }
                    changed = list.changed() => match changed {
                        Ok(()) => break,
                        // The list will never change again.
                        Err(_) => while let Some(changed) = waits.next().await {
                            if let Some((serial, link)) = changed {
                                waits.push(self.next_change(serial, link));
                            }
                        },
                    },
                }
            }
        }
    }

    /// Waits for one change of a link and tells of it; `None` when the phone is no more.
    async fn next_change(
        &self,
        serial: String,
        mut link: watch::Receiver<Link>,
    ) -> Option<(String, watch::Receiver<Link>)> {
        let drops = link.borrow().drops;
        link.changed().await.ok()?;
        let dropped = link.borrow().drops != drops;
        if dropped {
            self.memory().away.insert(serial.clone());
        }
        self.bump();
        if dropped {
            tokio::time::sleep(RECONNECT).await;
            self.memory().away.remove(&serial);
            self.bump();
        }
        Some((serial, link))
    }

    fn bump(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// The phones themselves.
    pub fn devices(&self) -> Vec<Arc<dyn Device>> {
        self.list.devices()
    }

    /// All phones and their states.
    fn entries(&self) -> Vec<Entry> {
        self.devices().into_iter().map(|device| self.entry(device)).collect()
    }

    fn entry(&self, device: Arc<dyn Device>) -> Entry {
        let mut memory = self.memory();
        let transport_id = match memory.transport_ids.get(device.serial()) {
            Some(&id) => id,
            None => memory.number(&self.devices(), device.serial()),
        };
        let state = match State::of(&device.link().borrow()) {
            _ if memory.away.contains(device.serial()) => State::Offline,
            state => state,
        };
        Entry {
            device,
            state,
            transport_id,
        }
    }

    /// The phone that a client means, in whatever state; or what a server says.
    pub fn select(&self, selector: &Selector) -> Result<Entry, String> {
        let mut devices = self.devices();
        let found = match selector {
            Selector::Emulator => return Err("no emulators found".to_owned()),
            Selector::Any if devices.len() > 1 => return Err("more than one device/emulator".to_owned()),
            Selector::Any => devices.pop().ok_or_else(|| "no devices/emulators found".to_owned()),
            Selector::Serial(serial) => devices
                .into_iter()
                .find(|device| device.serial() == serial)
                .ok_or_else(|| format!("device '{serial}' not found")),
            Selector::TransportId(id) => {
                let found = self.entries().into_iter().find(|entry| entry.transport_id == *id);
                return found.ok_or_else(|| format!("no device with transport id '{id}'"));
            }
        };
        found.map(|device| self.entry(device))
    }

    /// As [`Self::select`], if the phone can be used.
    pub fn select_usable(&self, selector: &Selector) -> Result<Entry, String> {
        let entry = self.select(selector)?;
        match entry.state {
            State::Device => Ok(entry),
            State::Offline => Err("device offline".to_owned()),
            State::Unauthorized => Err("device unauthorized.\n\
                This adb server's $ADB_VENDOR_KEYS is not set\n\
                Try 'adb kill-server' if that seems wrong.\n\
                Otherwise check for a confirmation dialog on your device."
                .to_owned()),
        }
    }

    /// The device list, a line for each phone; lines that would make it too long for the protocol are left out.
    pub fn text(&self, long: bool) -> String {
        let mut text = String::new();
        for entry in self.entries() {
            let line = if long {
                long_line(&entry)
            } else {
                format!("{}\t{}\n", entry.device.serial(), entry.state.word())
            };
            if text.len() + line.len() > MAX_LIST_BYTES {
                break;
            }
            text.push_str(&line);
        }
        text
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn long_line(entry: &Entry) -> String {
    let mut line = format!("{:<22} {}", entry.device.serial(), entry.state.word());
    if entry.state == State::Device {
        let banner = entry.device.banner();
        let model: String = banner
            .model
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        line += &format!(" product:{} model:{model} device:{}", banner.product, banner.device);
    }
    line + &format!(" transport_id:{}\n", entry.transport_id)
}
