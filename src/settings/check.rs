//! Values that cannot be meant: each is refused by its key, before anything starts.

use std::collections::{BTreeSet, HashSet};

use farmhand_actors::domain::ScriptName;

use super::{Settings, SettingsError};

/// Most tasks that one request may ask to create: they are one transaction, which all others wait for.
const TASKS_PER_REQUEST_MAX: usize = 1_000_000;

/// How alike a table's name must be to a script's to be taken for it (0 to 1, Jaro-Winkler).
const NEAR_ENOUGH: f64 = 0.8;

/// Most phones of `farmhand demo`: all of them run in this process.
const SIM_PHONES_MAX: u32 = 500;

impl Settings {
    /// Tables of limits that are named by none of these scripts, each with the mend.
    #[must_use]
    pub fn limits_of_others(&self, scripts: &BTreeSet<ScriptName>) -> Vec<String> {
        let strangers = self.limits.scripts.keys().filter(|name| !scripts.contains(*name));
        let told = strangers.map(|name| {
            let likeness = |script: &ScriptName| strsim::jaro_winkler(script.as_str(), name.as_str());
            let nearest = scripts
                .iter()
                .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
            let mend = match nearest.filter(|script| likeness(script) >= NEAR_ENOUGH) {
                Some(script) => format!("did you mean \"{script}\"?"),
                None => {
                    let names: Vec<&str> = scripts.iter().map(ScriptName::as_str).collect();
                    format!("there are: {}", names.join(", "))
                }
            };
            format!("limits.{name}: there is no script \"{name}\"; {mend}")
        });
        told.collect()
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.check_values()?;
        self.check_adb()
    }

    fn check_values(&self) -> Result<(), SettingsError> {
        if self.retry.delay.is_sorted_by(|from, to| from > to) {
            return invalid("retry.delay", "the first number must not be above the second");
        }
        if jiff::tz::TimeZone::get(&self.scheduler.time_zone).is_err() {
            let name = &self.scheduler.time_zone;
            return invalid(
                "scheduler.time_zone",
                format!("'{name}' is no time zone; use an IANA name like Europe/Warsaw"),
            );
        }
        if self.http.max_body == 0 {
            return invalid("http.max_body", "must be at least 1 byte");
        }
        if !(1..=TASKS_PER_REQUEST_MAX).contains(&self.tasks.max_per_request) {
            let problem = format!("must be from 1 to {TASKS_PER_REQUEST_MAX}");
            return invalid("tasks.max_per_request", problem);
        }
        if self.retention.event_hours == 0 {
            let problem = "must be at least 1: clients that follow events need some time to come back in";
            return invalid("retention.event_hours", problem);
        }
        if self.attempt.time_limit_s == 0 || self.attempt.stop_grace_ms >= 1_700 {
            return invalid("attempt", "time_limit_s must be at least 1, stop_grace_ms below 1700");
        }
        if !(0.0..=1.0).contains(&self.quarantine.max_share) {
            return invalid("quarantine.max_share", "must be from 0 to 1");
        }
        if let Some(host) = self.flows.http_hosts.iter().find(|host| !is_host(host)) {
            let problem = format!("'{host}' is no host; write a name or an address, and `:port` if only that is meant");
            return invalid("flows.http_hosts", problem);
        }
        if let Err(problem) = self.webhooks.check() {
            return invalid("webhooks", problem);
        }
        if !self.database.url.is_empty() && !self.database.url.starts_with("sqlite:") {
            let problem = "only sqlite:// is supported, e.g. sqlite://data/farmhand.db";
            return invalid("database.url", problem);
        }
        if !(1..=SIM_PHONES_MAX).contains(&self.sim.phones) {
            let phones = self.sim.phones;
            return invalid("sim.phones", format!("{phones} is not from 1 to {SIM_PHONES_MAX}"));
        }
        Ok(())
    }

    fn check_adb(&self) -> Result<(), SettingsError> {
        let servers = &self.adb.servers;
        if servers.is_empty() {
            return invalid("adb.servers", "name at least one server, e.g. 127.0.0.1:5037");
        }
        if let Some(server) = servers.iter().find(|server| !is_address(server)) {
            let problem = format!("'{server}' is no address; write host:port, e.g. 127.0.0.1:5037");
            return invalid("adb.servers", problem);
        }
        if let Some((key, problem)) = self.adb.agent.problem() {
            return invalid(key, problem);
        }
        let (mut serials, mut addresses) = (HashSet::new(), HashSet::new());
        for (place, phone) in self.devices.iter().enumerate() {
            let (serial, address) = (&phone.serial, &phone.address);
            if !is_address(address) {
                let problem = format!("'{address}' is no address; write host:port, e.g. 192.168.1.20:5555");
                return invalid(&format!("devices[{place}].address"), problem);
            }
            if !serials.insert(serial) {
                let problem = format!("{serial} stands here twice; each phone has its own serial");
                return invalid(&format!("devices[{place}].serial"), problem);
            }
            if !addresses.insert(address) {
                let problem = format!("{address} stands here twice; each phone has its own address");
                return invalid(&format!("devices[{place}].address"), problem);
            }
        }
        Ok(())
    }
}

fn invalid(key: &str, problem: impl Into<String>) -> Result<(), SettingsError> {
    Err(SettingsError::Invalid {
        key: key.to_owned(),
        problem: problem.into(),
    })
}

/// Whether a text can be the host of a link.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:[]".contains(c))
}

/// Whether a text is `host:port`. Nothing is looked up.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    // An IPv6 address stands in brackets, else its last part would be taken for the port.
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_fits = match bare {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_host(host) && !host.contains([':', '[', ']']),
    };
    host_fits && port.parse::<u16>().is_ok_and(|port| port > 0)
}
