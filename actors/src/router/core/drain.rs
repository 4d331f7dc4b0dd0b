//! Where no attempt begins because a person said so.

use std::collections::BTreeMap;

use super::RouterCore;
use crate::domain::{Drain, Serial, Timestamp};

/// The drains there are.
#[derive(Debug, Default)]
pub(super) struct Drains {
    farm: Option<Timestamp>,
    devices: BTreeMap<Serial, Timestamp>,
    /// Drains that are being stored. They hold already: what was claimed before is claimed when they are answered, and
    /// nothing after.
    asked: Vec<Option<Serial>>,
}

impl Drains {
    pub(super) fn holds_farm(&self) -> bool {
        self.farm.is_some() || self.asked.contains(&None)
    }

    pub(super) fn holds(&self, serial: &Serial) -> bool {
        let is_asked = |asked: &Option<Serial>| asked.as_ref().is_some_and(|asked| asked == serial);
        self.holds_farm() || self.devices.contains_key(serial) || self.asked.iter().any(is_asked)
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

    /// A drain is about to be stored.
    pub fn on_drain_asked(&mut self, serial: Option<Serial>) {
        self.drains.asked.push(serial);
    }

    /// A drain that was asked for is stored, or could not be.
    pub fn on_drain_answered(&mut self, serial: &Option<Serial>) {
        if let Some(place) = self.drains.asked.iter().position(|asked| asked == serial) {
            self.drains.asked.remove(place);
        }
        self.plan_wanted = true;
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
