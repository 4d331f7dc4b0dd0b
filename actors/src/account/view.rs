//! What others need to know of an account, from its record alone.

use super::AccountView;
use crate::{
    domain::{AccountRecord, AccountStatus, Package, Timestamp, limits::NotNow},
    settings::FarmSettings,
};

/// The account as the router needs to know it.
#[must_use]
pub fn view_of(record: &AccountRecord, settings: &FarmSettings, now: Timestamp) -> AccountView {
    AccountView {
        username: record.username.clone(),
        app: record.app.clone(),
        package: package_of(record, settings),
        serial: record.serial.clone(),
        enabled: record.status != AccountStatus::Disabled,
        blocked: blocked_by_status(record, now),
        last_used: record.last_used,
        limited: settings
            .limits
            .scripts
            .keys()
            .chain(record.limits.keys())
            .cloned()
            .collect(),
    }
}

/// The package that the account's app means.
#[must_use]
pub fn package_of(record: &AccountRecord, settings: &FarmSettings) -> Option<Package> {
    record
        .package
        .clone()
        .or_else(|| settings.apps.get(&record.app).cloned())
}

pub(super) fn blocked_by_status(record: &AccountRecord, now: Timestamp) -> Option<NotNow> {
    let because = |reason: String, until| Some(NotNow { reason, until });
    match record.status {
        AccountStatus::Active => None,
        AccountStatus::Disabled => because("is disabled; enable it to go on".to_owned(), None),
        AccountStatus::NeedsAttention => {
            let why = record.status_reason.as_deref().unwrap_or("the app asked for a person");
            because(
                format!("needs a person ({why}); deal with it on the phone, then resume it"),
                None,
            )
        }
        AccountStatus::Cooldown => {
            let until = record.cooldown_until.filter(|end| *end > now)?;
            because(format!("rests until {until:.3}"), Some(until))
        }
    }
}
