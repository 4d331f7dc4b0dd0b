//! Accounts and devices in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    domain::{
        AccountChange, AccountPatch, AccountRecord, AccountStatus, AccountUse, DeviceInfo, DevicePatch, DeviceRecord,
        Held, NewEvent, OpenUse, Serial, TaskId, Timestamp, Username,
    },
    ports::{AccountStore, DeviceStore, EventStore, StoreError},
};

#[async_trait]
impl AccountStore for MemoryStore {
    async fn load_accounts(&self) -> Result<Vec<AccountRecord>, StoreError> {
        self.enter().await?;
        Ok(self.lock().accounts.values().cloned().collect())
    }

    async fn create_account(&self, account: AccountRecord) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        if tables.accounts.contains_key(&account.username) {
            let problem = format!("account {} exists already", account.username);
            return Err(StoreError::Conflict(problem));
        }
        tables.accounts.insert(account.username.clone(), account);
        Ok(())
    }

    async fn patch_account(&self, name: &Username, patch: AccountPatch) -> Result<Option<AccountRecord>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let Some(record) = tables.accounts.get_mut(name) else {
            return Ok(None);
        };
        let events = patch.apply(record);
        let record = record.clone();
        drop(tables);
        self.tell(events);
        Ok(Some(record))
    }

    async fn import_accounts(&self, changes: Vec<AccountChange>) -> Result<Vec<AccountRecord>, StoreError> {
        let (before, told) = {
            let tables = self.lock();
            (tables.accounts.clone(), tables.events.len())
        };
        let mut records = Vec::new();
        for change in changes {
            let written = match change {
                AccountChange::Create(record) => self.create_account(record.clone()).await.map(|()| Some(record)),
                AccountChange::Patch(username, patch) => self.patch_account(&username, patch).await,
            };
            match written {
                Ok(Some(record)) => records.push(record),
                failed => {
                    let mut tables = self.lock();
                    tables.accounts = before;
                    tables.events.truncate(told);
                    let gone = || StoreError::Conflict("an account does not exist any more".to_owned());
                    return Err(failed.err().unwrap_or_else(gone));
                }
            }
        }
        Ok(records)
    }

    async fn find_account(&self, username: &Username) -> Result<Option<AccountRecord>, StoreError> {
        self.enter().await?;
        Ok(self.lock().accounts.get(username).cloned())
    }

    async fn resume_account(&self, username: &Username, event: NewEvent) -> Result<Option<AccountRecord>, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let Some(record) = tables.accounts.get_mut(username) else {
            return Ok(None);
        };
        let waits = matches!(record.status, AccountStatus::NeedsAttention | AccountStatus::Cooldown);
        if waits {
            record.activate();
            record.status_revision += 1;
        }
        let record = record.clone();
        drop(tables);
        if waits {
            self.tell(vec![event]);
        }
        Ok(Some(record))
    }

    async fn end_rest(&self, name: &Username, ended: Option<Timestamp>, event: NewEvent) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let rests =
            |record: &&mut AccountRecord| record.status == AccountStatus::Cooldown && record.cooldown_until == ended;
        let Some(record) = tables.accounts.get_mut(name).filter(rests) else {
            return Ok(());
        };
        record.activate();
        record.status_revision += 1;
        drop(tables);
        self.tell(vec![event]);
        Ok(())
    }

    async fn touch_account(&self, username: &Username, at: Timestamp) -> Result<(), StoreError> {
        self.enter().await?;
        if let Some(record) = self.lock().accounts.get_mut(username) {
            record.last_used = Some(at);
        }
        Ok(())
    }

    async fn delete_account(&self, username: &Username) -> Result<bool, StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let mut live = tables.attempts.values().filter(|attempt| attempt.outcome.is_none());
        if live.any(|attempt| attempt.username.as_ref() == Some(username)) {
            let problem = format!("a task runs for account {username}: stop it, or wait for its end");
            return Err(StoreError::Conflict(problem));
        }
        Ok(tables.accounts.remove(username).is_some())
    }

    async fn open_uses(&self, username: Option<&Username>) -> Result<Vec<OpenUse>, StoreError> {
        self.enter().await?;
        let of = |open: &OpenUse| username.is_none_or(|username| open.username == *username);
        Ok(self.lock().open_uses(of))
    }

    async fn open_uses_of_tasks(&self, tasks: Vec<TaskId>) -> Result<Vec<OpenUse>, StoreError> {
        self.enter().await?;
        Ok(self.lock().open_uses(|open| tasks.contains(&open.task)))
    }

    async fn uses_of_account(&self, username: &Username, since: Timestamp) -> Result<Vec<AccountUse>, StoreError> {
        let mut uses = self.account_uses(since).await?;
        uses.retain(|used| used.username == *username);
        Ok(uses)
    }

    async fn account_uses(&self, since: Timestamp) -> Result<Vec<AccountUse>, StoreError> {
        self.enter().await?;
        let mut uses: Vec<AccountUse> = self
            .lock()
            .uses
            .iter()
            .filter(|used| used.at >= since)
            .cloned()
            .collect();
        uses.sort_by_key(|used| used.at);
        Ok(uses)
    }
}

#[async_trait]
impl DeviceStore for MemoryStore {
    async fn load_devices(&self) -> Result<Vec<DeviceRecord>, StoreError> {
        self.enter().await?;
        Ok(self.lock().devices.values().cloned().collect())
    }

    async fn add_device(&self, serial: &Serial, at: Timestamp) -> Result<(), StoreError> {
        self.enter().await?;
        let record = || DeviceRecord {
            serial: serial.clone(),
            alias: None,
            tags: Vec::new(),
            app: None,
            enabled: true,
            held: None,
            info: DeviceInfo::default(),
            last_seen: None,
            created_at: at,
        };
        self.lock().devices.entry(serial.clone()).or_insert_with(record);
        Ok(())
    }

    async fn note_device(&self, serial: &Serial, info: DeviceInfo, at: Timestamp) -> Result<(), StoreError> {
        self.enter().await?;
        if let Some(record) = self.lock().devices.get_mut(serial) {
            record.info = info;
            record.last_seen = Some(at);
        }
        Ok(())
    }

    async fn patch_device(&self, serial: &Serial, patch: DevicePatch) -> Result<(), StoreError> {
        self.enter().await?;
        if let Some(record) = self.lock().devices.get_mut(serial) {
            record.alias = patch.alias.unwrap_or_else(|| record.alias.clone());
            record.tags = patch.tags.unwrap_or_else(|| record.tags.clone());
            record.app = patch.app.unwrap_or_else(|| record.app.clone());
            record.enabled = patch.enabled.unwrap_or(record.enabled);
        }
        Ok(())
    }
    async fn hold_device(&self, serial: &Serial, held: Option<Held>) -> Result<(), StoreError> {
        self.enter().await?;
        let mut tables = self.lock();
        let unknown = || StoreError::Conflict(format!("device {serial} does not exist"));
        tables.devices.get_mut(serial).ok_or_else(unknown)?.held = held;
        Ok(())
    }
}
