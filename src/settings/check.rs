//! Values that cannot be meant: each is refused by its key, before anything starts.

use std::collections::{BTreeSet, HashSet};

use farmhand_actors::domain::{ScriptName, schedule::parse_zone};

use super::{Settings, SettingsError};

/// Most tasks that one request may ask to create: they are one transaction, which all others wait for.
const TASKS_PER_REQUEST_MAX: usize = 1_000_000;

/// How alike a table's name must be to a script's to be taken for it (0 to 1, Jaro-Winkler).
const NEAR_ENOUGH: f64 = 0.8;

/// A stop is over after two seconds, its last word included; so long a grace leaves no time for that.
const STOP_GRACE_MS_END: u64 = 1_700;

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

    /// # Errors
    /// All values that cannot be meant, a line each.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let mut faults = Faults::default();
        self.check_values(&mut faults);
        self.check_lists(&mut faults);
        self.check_devices(&mut faults);
        match faults.0.is_empty() {
            true => Ok(()),
            false => Err(SettingsError::Mistaken(faults.0.join("\n"))),
        }
    }

    fn check_values(&self, faults: &mut Faults) {
        if self.retry.delay.is_sorted_by(|from, to| from > to) {
            faults.add("retry.delay", "the first number must not be above the second");
        }
        if parse_zone(&self.scheduler.time_zone).is_err() {
            let name = &self.scheduler.time_zone;
            let problem = format!("'{name}' is no time zone; use an IANA name like Europe/Warsaw");
            faults.add("scheduler.time_zone", problem);
        }
        if self.http.max_body == 0 {
            faults.add("http.max_body", "must be at least 1 byte");
        }
        if !(1..=TASKS_PER_REQUEST_MAX).contains(&self.tasks.max_per_request) {
            let problem = format!("must be from 1 to {TASKS_PER_REQUEST_MAX}");
            faults.add("tasks.max_per_request", problem);
        }
        if self.tasks.poison_limit == 0 {
            faults.add(
                "tasks.poison_limit",
                "must be at least 1: then a task is given up after its first",
            );
        }
        if self.retention.event_hours == 0 {
            let problem = "must be at least 1: clients that follow events need some time to come back in";
            faults.add("retention.event_hours", problem);
        }
        if self.attempt.time_limit_s == 0 {
            faults.add("attempt.time_limit_s", "must be at least 1");
        }
        if self.attempt.stop_grace_ms >= STOP_GRACE_MS_END {
            faults.add("attempt.stop_grace_ms", format!("must be below {STOP_GRACE_MS_END}"));
        }
        if !(0.0..=1.0).contains(&self.quarantine.max_share) {
            faults.add("quarantine.max_share", "must be from 0 to 1");
        }
        if !self.database.url.is_empty() && !self.database.url.starts_with("sqlite:") {
            let problem = "only sqlite:// is supported, e.g. sqlite://data/farmhand.db";
            faults.add("database.url", problem);
        }
        if !(1..=SIM_PHONES_MAX).contains(&self.sim.phones) {
            let phones = self.sim.phones;
            faults.add("sim.phones", format!("{phones} is not from 1 to {SIM_PHONES_MAX}"));
        }
    }

    fn check_lists(&self, faults: &mut Faults) {
        if let Some(host) = self.flows.http_hosts.iter().find(|host| !is_host(host)) {
            let problem = format!("'{host}' is no host; write a name or an address, and `:port` if only that is meant");
            faults.add("flows.http_hosts", problem);
        }
        for (key, problem) in self.webhooks.problems() {
            faults.add(key, problem);
        }
        let servers = &self.adb.servers;
        if servers.is_empty() {
            faults.add("adb.servers", "name at least one server, e.g. 127.0.0.1:5037");
        }
        for server in servers.iter().filter(|server| !is_address(server)) {
            let problem = format!("'{server}' is no address; write host:port, e.g. 127.0.0.1:5037");
            faults.add("adb.servers", problem);
        }
        for (key, problem) in self.adb.agent.problems() {
            faults.add(key, problem);
        }
    }

    fn check_devices(&self, faults: &mut Faults) {
        let (mut serials, mut addresses) = (HashSet::new(), HashSet::new());
        for (place, phone) in self.devices.iter().enumerate() {
            let (serial, address) = (&phone.serial, &phone.address);
            if !serials.insert(serial) {
                let problem = format!("{serial} stands here twice; each phone has its own serial");
                faults.add(&format!("devices[{place}].serial"), problem);
            }
            let wrong = if !is_address(address) {
                format!("'{address}' is no address; write host:port, e.g. 192.168.1.20:5555")
            } else if !addresses.insert(address) {
                format!("{address} stands here twice; each phone has its own address")
            } else {
                continue;
            };
            faults.add(&format!("devices[{place}].address"), wrong);
        }
    }
}

/// What cannot be meant, a line each.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, key: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("settings: {key}: {problem}"));
    }
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
