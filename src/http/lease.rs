//! Who holds which device and account since when, and where nothing starts.

use farmhand_actors::domain::{Drain, Serial, Username};
use serde_json::{Value, json};

use super::{
    envelope::{ApiError, instant},
    ports::HeldLease,
    state::App,
};

/// Leases and drains at one instant.
pub struct Held {
    leases: Vec<HeldLease>,
    drains: Vec<Drain>,
    limit: std::time::Duration,
}

impl Held {
    /// Reads them.
    pub async fn read(app: &App) -> Result<Self, ApiError> {
        // What is held is worth showing also while the router is being rebuilt.
        let drains = app.state.tasks.drains().await.unwrap_or_default();
        Ok(Self {
            leases: app.state.reads.leases().await?,
            drains,
            limit: app.settings.lease_limit,
        })
    }

    /// All leases, by serial.
    pub fn leases(&self) -> Vec<Value> {
        let whole = |lease: &HeldLease| {
            let mut shown = self.view(lease);
            if let Value::Object(fields) = &mut shown {
                fields.insert("serial".to_owned(), json!(lease.serial));
                fields.insert("username".to_owned(), json!(lease.username));
            }
            shown
        };
        self.leases.iter().map(whole).collect()
    }

    /// All drains; without a serial it is the farm's.
    pub fn drains(&self) -> Vec<Value> {
        let view = |drain: &Drain| json!({ "serial": drain.serial, "since": instant(drain.since) });
        self.drains.iter().map(view).collect()
    }

    /// Who holds a device; null: nobody.
    pub fn of_device(&self, serial: &Serial) -> Value {
        let held = self.leases.iter().find(|lease| lease.serial == *serial);
        held.map_or(Value::Null, |lease| self.view(lease))
    }

    /// Who holds an account; null: nobody.
    pub fn of_account(&self, username: &Username) -> Value {
        let held = self
            .leases
            .iter()
            .find(|lease| lease.username.as_ref() == Some(username));
        held.map_or(Value::Null, |lease| self.view(lease))
    }

    /// Whether nothing starts on a device because a person said so, of it or of the whole farm.
    pub fn is_drained(&self, serial: &Serial) -> bool {
        let of = |drain: &Drain| drain.serial.as_ref().is_none_or(|drained| drained == serial);
        self.drains.iter().any(of)
    }

    fn view(&self, lease: &HeldLease) -> Value {
        json!({
            "task_id": lease.task,
            "attempt": lease.attempt,
            "token": lease.token,
            "since": instant(lease.since),
            "expires_at": lease.since.checked_add(self.limit).ok().map(instant),
        })
    }
}
