//! The settings, cut into what each room is told.

use std::{path::Path, time::Duration};

use farmhand_actors::{
    domain::{Timestamp, schedule::parse_zone},
    settings::FarmSettings,
};

use super::StartupError;
use crate::{
    http::{HttpSettings, auth, license::License},
    settings::{AuthMode, Settings},
    store::{Retention, StoreSettings},
};

/// `database.url` as it is when nobody has set it: then the file follows `data_dir`.
const DEFAULT_URL: &str = "sqlite://data/farmhand.db";

pub(super) fn license(settings: &Settings, now: Timestamp) -> Result<License, StartupError> {
    let license = &settings.license;
    let (token, key) = (Some(license.token.as_str()), Some(license.public_key.as_str()));
    Ok(License::from_settings(&license.plan, token, key, now)?)
}

pub(super) fn store(settings: &Settings, data: &Path) -> StoreSettings {
    StoreSettings {
        url: database_url(settings, data),
        retention: retention(settings),
        ..StoreSettings::default()
    }
}

/// Where the database is: `database.url`, or `farmhand.db` in the data folder.
pub(super) fn database_url(settings: &Settings, data: &Path) -> String {
    let url = &settings.database.url;
    if url.is_empty() || url == DEFAULT_URL {
        return format!("sqlite://{}", data.join("farmhand.db").display());
    }
    url.clone()
}

/// How long the same content is not published again.
pub(super) fn repeat_window(settings: &Settings) -> Duration {
    Duration::from_secs(settings.duplicates.window_h.saturating_mul(60 * 60))
}

fn retention(settings: &Settings) -> Retention {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let days = settings.retention.task_days;
    let hours = u64::from(settings.retention.event_hours.max(1));
    Retention {
        finished_tasks: (days > 0).then(|| DAY.saturating_mul(days)),
        events: Duration::from_secs(hours.saturating_mul(60 * 60)),
        acts: Retention::default().acts.max(repeat_window(settings)),
        ..Retention::default()
    }
}

pub(super) fn farm(settings: &Settings, license: &License) -> FarmSettings {
    FarmSettings {
        time_zone: settings.scheduler.time_zone.clone(),
        device_limit: Some(license.device_limit),
        max_tasks_per_request: settings.tasks.max_per_request,
        poison_limit: settings.tasks.poison_limit,
        apps: settings.apps.clone(),
        limits: settings.limits.clone(),
        retry: settings.retry.clone(),
        attempt: settings.attempt,
        quarantine: settings.quarantine,
        probe: settings.probe,
        supervision: settings.supervision,
        ..FarmSettings::default()
    }
}

pub(super) fn http(settings: &Settings, data: &Path) -> Result<HttpSettings, StartupError> {
    let zone = parse_zone(&settings.scheduler.time_zone).map_err(|error| StartupError::Setting {
        key: "scheduler.time_zone",
        problem: error.to_string(),
    })?;
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let http = &settings.http;
    Ok(HttpSettings {
        host: http.host.clone(),
        port: http.port,
        max_body: http.max_body,
        max_upload: settings.media.max_upload,
        allowed_hosts: http.allowed_hosts.clone(),
        auth: match settings.auth.mode {
            AuthMode::Off => auth::AuthMode::Off,
            AuthMode::Keys => auth::AuthMode::Keys,
        },
        time_zone: zone,
        apps: settings.apps.keys().cloned().collect(),
        lease_limit: settings.attempt.time_limit(),
        evidence_dir: data.join("evidence"),
        upload_dir: data.join("uploads"),
        workers: if http.workers == 0 { cores } else { http.workers },
        ..HttpSettings::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_kept_for_as_many_days_as_the_settings_say_and_for_ever_with_0() {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let mut settings = Settings::defaults().unwrap();
        for (days, kept) in [(0, None), (1, Some(DAY)), (30, Some(30 * DAY))] {
            settings.retention.task_days = days;
            settings.retention.event_hours = 5;
            let retention = store(&settings, Path::new("data")).retention;
            assert_eq!((retention.finished_tasks, retention.events), (kept, DAY * 5 / 24));
        }
    }
}
