//! Where no attempt begins because a person said so.

use std::collections::BTreeMap;

use super::RouterCore;
use crate::domain::{Drain, Serial, Timestamp};

/// The drains there are.
#[derive(Debug, Default)]
pub(super) struct Drains {
    farm: Option<Timestamp>,
    devices: BTreeMap<Serial, Timestamp>,
}

impl Drains {
    pub(super) fn holds_farm(&self) -> bool {
        self.farm.is_some()
    }

    pub(super) fn holds(&self, serial: &Serial) -> bool {
        self.farm.is_some() || self.devices.contains_key(serial)
    }

    /// Why a task of the device waits.
    pub(super) fn reason(&self, serial: &Serial) -> Option<String> {
        if self.farm.is_some() {
            return Some("the farm is drained: nothing starts until it is resumed (POST /api/v1/resume)".to_owned());
        }
        self.devices.get(serial).map(|_| {
            format!(
                "device {serial} is drained: nothing starts on it until it is resumed (POST …/device/{serial}/resume)"
            )
        })
    }
}

impl RouterCore {
    /// The drains that were stored.
    pub fn on_drains(&mut self, drains: Vec<Drain>) {
        for Drain { serial, since } in drains {
            self.on_drain_set(serial, Some(since));
        }
    }

    /// A drain has begun, or is over; it is durable.
    pub fn on_drain_set(&mut self, serial: Option<Serial>, since: Option<Timestamp>) {
        match (serial, since) {
            (None, since) => self.drains.farm = since.map(|since| self.drains.farm.unwrap_or(since)),
            (Some(serial), Some(since)) => {
                self.drains.devices.entry(serial).or_insert(since);
            }
            (Some(serial), None) => {
                self.drains.devices.remove(&serial);
            }
        }
        self.plan_wanted = true;
    }

    /// All drains, the farm's first.
    #[must_use]
    pub fn drains(&self) -> Vec<Drain> {
        let farm = self.drains.farm.map(|since| Drain { serial: None, since });
        let devices = self.drains.devices.iter().map(|(serial, since)| Drain {
            serial: Some(serial.clone()),
            since: *since,
        });
        farm.into_iter().chain(devices).collect()
    }
}
