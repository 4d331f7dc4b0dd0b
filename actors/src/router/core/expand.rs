//! Which tasks a request means: devices or accounts outermost, accounts of a device by name, targets innermost.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::RouterCore;
use crate::{
    domain::{NewTask, Now, Serial, SubmitTarget, SubmitTasks, Username},
    router::RouterError,
};

impl RouterCore {
    /// A number from the dice.
    pub fn roll(&mut self) -> u64 {
        self.dice.next()
    }

    /// The tasks of a request, in the order of their ids; nothing is changed but the dice.
    ///
    /// # Errors
    /// All unknown names at once; devices without an account; accounts without a device; too many tasks.
    pub fn expand(&mut self, request: &SubmitTasks, batch: &Arc<str>, now: Now) -> Result<Vec<NewTask>, RouterError> {
        let pairs = match &request.target {
            SubmitTarget::Devices(serials) => self.pairs_of_devices(serials, request.enable_multi_account)?,
            SubmitTarget::Accounts(usernames) => self.pairs_of_accounts(usernames)?,
        };
        let wanted = pairs.len().saturating_mul(request.configs.len());
        let limit = self.settings.max_tasks_per_request;
        if wanted > limit {
            let of_accounts = matches!(request.target, SubmitTarget::Accounts(_));
            return Err(RouterError::TooMany {
                of_accounts,
                wanted,
                limit,
            });
        }
        let mut tasks = Vec::with_capacity(wanted);
        let mut offsets: HashMap<Serial, Duration> = HashMap::new();
        for (serial, username) in pairs {
            for config in &request.configs {
                let (gap, offset) = self.gap(request, &serial, &mut offsets);
                let start = request.scheduled_at;
                // Later tasks of a batch with gaps are not due yet, so that they crowd nobody out of the lane's window.
                let due_at = match offset {
                    Duration::ZERO => start,
                    offset => start.unwrap_or(now.wall).checked_add(offset).ok(),
                };
                tasks.push(NewTask {
                    batch_id: Arc::clone(batch),
                    script: request.script.clone(),
                    config: Arc::clone(config),
                    serial: Some(serial.clone()),
                    username: username.clone(),
                    enable_multi_account: request.enable_multi_account,
                    source: request.source,
                    start_time: request.start_time.clone(),
                    scheduled_at: request.scheduled_at,
                    due_at,
                    gap,
                    priority: request.priority,
                    schedule: None,
                });
            }
        }
        Ok(tasks)
    }

    /// The account that a device is on: the one used last among those that are enabled, else the first by name.
    fn current_account(&self, serial: &Serial) -> Option<Username> {
        let names = self.bound.get(serial)?;
        let enabled = |name: &&Username| self.accounts.get(*name).is_some_and(|slot| slot.view.enabled);
        let last = self.devices.get(serial).and_then(|slot| slot.last_account.as_ref());
        if let Some(last) = last.filter(|last| names.contains(*last) && enabled(last)) {
            return Some(last.clone());
        }
        let used = |name: &&Username| self.accounts.get(*name).and_then(|slot| slot.last_start);
        let most_recent = names
            .iter()
            .filter(enabled)
            .filter(|name| used(name).is_some())
            .max_by_key(used);
        most_recent
            .or_else(|| names.iter().find(enabled))
            .or_else(|| names.first())
            .cloned()
    }

    fn pairs_of_devices(
        &self,
        serials: &[Serial],
        multi_account: bool,
    ) -> Result<Vec<(Serial, Option<Username>)>, RouterError> {
        let unknown: Vec<Serial> = serials
            .iter()
            .filter(|serial| !self.devices.contains_key(*serial))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(RouterError::UnknownDevices(unknown));
        }
        let mut pairs = Vec::new();
        let mut without = Vec::new();
        for serial in serials {
            if !multi_account {
                pairs.push((serial.clone(), self.current_account(serial)));
                continue;
            }
            let before = pairs.len();
            let names = self.bound.get(serial).into_iter().flatten();
            let enabled = names.filter(|name| self.accounts.get(*name).is_some_and(|slot| slot.view.enabled));
            pairs.extend(enabled.map(|name| (serial.clone(), Some(name.clone()))));
            if pairs.len() == before {
                without.push(serial.clone());
            }
        }
        if without.is_empty() {
            Ok(pairs)
        } else {
            Err(RouterError::NoAccounts(without))
        }
    }

    fn pairs_of_accounts(&self, usernames: &[Username]) -> Result<Vec<(Serial, Option<Username>)>, RouterError> {
        let unknown: Vec<Username> = usernames
            .iter()
            .filter(|name| !self.accounts.contains_key(*name))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(RouterError::UnknownAccounts(unknown));
        }
        let mut pairs = Vec::new();
        let mut unbound = Vec::new();
        for name in usernames {
            match self.accounts.get(name).and_then(|slot| slot.view.serial.clone()) {
                Some(serial) => pairs.push((serial, Some(name.clone()))),
                None => unbound.push(name.clone()),
            }
        }
        if unbound.is_empty() {
            Ok(pairs)
        } else {
            Err(RouterError::Unbound(unbound))
        }
    }

    /// The random gap before a task, and how long after the batch's start it is due at the earliest.
    fn gap(
        &mut self,
        request: &SubmitTasks,
        serial: &Serial,
        offsets: &mut HashMap<Serial, Duration>,
    ) -> (Option<Duration>, Duration) {
        let Some((least, most)) = request.interval_minutes.filter(|(_, most)| *most > 0) else {
            return (None, Duration::ZERO);
        };
        let seconds = self.dice.between(u64::from(least) * 60, u64::from(most) * 60);
        let gap = Duration::from_secs(seconds);
        // The first task of a device has no predecessor to keep away from.
        let offset = offsets.get(serial).map_or(Duration::ZERO, |offset| *offset + gap);
        offsets.insert(serial.clone(), offset);
        (Some(gap), offset)
    }
}
