//! Faults that a phone can be given: the kinds of the control API, what they need and how long they last.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::{Value, json};

use super::{Network, WorldError, clock::Millis, social::canonical_name};
use crate::device::Link;

/// All kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Refuses connections.
    Offline,
    /// Does not trust the host.
    Unauthorized,
    /// Connections stay, nothing is answered.
    Hang,
    /// Every answer comes `ms` later.
    Slow,
    /// Closes every connection once.
    DropConnection,
    /// The dump is not a hierarchy.
    GarbageHierarchy,
    /// The dump has more than 8,000 nodes.
    HugeHierarchy,
    /// "could not get idle state"
    NoIdle,
    /// The window in front forbids pictures: it is black in them, and still in the dump.
    SecureScreen,
    /// A dialog with `text` lies over every app; once dismissed it comes again when an app is started.
    Popup,
    /// The social apps (or `app`) ask for a verification that only a person can give; with `account` only that one,
    /// and only where it does something.
    Challenge,
    /// The social apps (or `app`) show their login form; `account` as above.
    LoggedOut,
    /// Uploads fail at their end; the draft is kept.
    UploadFails,
    /// Uploads take `ms`.
    UploadSlow,
    /// The next publish or follow crashes the app, `when` = `before` or `after` the effect; `now` = at once.
    AppCrash,
    /// The next publish takes effect but the app reports an error.
    PublishAckLost,
    /// Restarts.
    Reboot,
    /// No space left.
    StorageFull,
    /// The social apps (or `app`) are not there.
    AppNotInstalled,
    /// With probability `rate` (0..=1) something goes wrong at each tap, start, link or dump, any of the kinds above; the
    /// same again for the same `seed` and the same acts. What lasts ends by itself after a few seconds.
    Random,
}

const KINDS: [(FaultKind, &str); 20] = [
    (FaultKind::Offline, "offline"),
    (FaultKind::Unauthorized, "unauthorized"),
    (FaultKind::Hang, "hang"),
    (FaultKind::Slow, "slow"),
    (FaultKind::DropConnection, "drop_connection"),
    (FaultKind::GarbageHierarchy, "garbage_hierarchy"),
    (FaultKind::HugeHierarchy, "huge_hierarchy"),
    (FaultKind::NoIdle, "no_idle"),
    (FaultKind::SecureScreen, "secure_screen"),
    (FaultKind::Popup, "popup"),
    (FaultKind::Challenge, "challenge"),
    (FaultKind::LoggedOut, "logged_out"),
    (FaultKind::UploadFails, "upload_fails"),
    (FaultKind::UploadSlow, "upload_slow"),
    (FaultKind::AppCrash, "app_crash"),
    (FaultKind::PublishAckLost, "publish_ack_lost"),
    (FaultKind::Reboot, "reboot"),
    (FaultKind::StorageFull, "storage_full"),
    (FaultKind::AppNotInstalled, "app_not_installed"),
    (FaultKind::Random, "random"),
];

impl FaultKind {
    /// From its name in the control API.
    pub fn parse(name: &str) -> Result<Self, WorldError> {
        let hit = KINDS.iter().find(|(_, known)| *known == name);
        hit.map(|(kind, _)| *kind)
            .ok_or_else(|| WorldError::UnknownFault { kind: name.to_owned() })
    }

    /// Its name in the control API.
    pub fn name(self) -> &'static str {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// All names, for messages.
    pub fn names() -> String {
        KINDS.map(|(_, name)| name).join(", ")
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.into_iter().map(|(kind, _)| kind)
    }

    /// Whether it waits for one event and is over then.
    fn once(self) -> bool {
        matches!(self, Self::AppCrash | Self::PublishAckLost)
    }
}

/// When a crash comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrashMoment {
    /// Nothing has taken effect.
    #[default]
    Before,
    /// It took effect, the app could not say so.
    After,
}

const MILLISECONDS: &str = "a number of milliseconds, 0 or more";

/// A share as millionths: whole numbers compare and repeat exactly.
fn millionths(share: &Value) -> Option<u32> {
    let share = share.as_f64().filter(|share| (0.0..=1.0).contains(share))?;
    // Digits after the point, read as a number: no cast from floating point.
    format!("{:.0}", share * 1_000_000.0).parse().ok()
}

/// A fault that waits or lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub kind: FaultKind,
    /// `ms`, for those that have it.
    pub ms: Millis,
    /// `text` of a popup.
    pub text: String,
    /// `app` if it concerns only one: a package.
    pub package: Option<String>,
    /// `account` if it concerns only one.
    pub account: Option<String>,
    /// `when` of a crash.
    pub moment: CrashMoment,
    /// `now` of a crash.
    pub at_once: bool,
    /// `seed` of `random`.
    pub seed: u64,
    /// `rate` of `random`, in millionths.
    pub rate_ppm: u32,
    /// It came at random, as this mishap of the phone, and ends by itself.
    pub mishap: Option<u64>,
}

impl Fault {
    /// A fault without parameters.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            ms: 0,
            text: "How do you like this app so far?".to_owned(),
            package: None,
            account: None,
            moment: CrashMoment::Before,
            at_once: false,
            seed: 1,
            rate_ppm: 50_000,
            mishap: None,
        }
    }

    /// Checks a fault's parameters.
    pub fn parse(kind: &str, params: &Value) -> Result<Self, WorldError> {
        let mut fault = Self::new(FaultKind::parse(kind)?);
        let bad = |field, wanted| WorldError::BadParameter {
            kind: fault.kind.name(),
            field,
            wanted,
        };
        let words = |field| match params.get(field) {
            Some(value) => value.as_str().map(Some).ok_or_else(|| bad(field, "a string")),
            None => Ok(None),
        };
        let number = |field, wanted| match params.get(field) {
            Some(value) => value.as_u64().map(Some).ok_or_else(|| bad(field, wanted)),
            None => Ok(None),
        };
        let ms = number("ms", MILLISECONDS)?;
        if ms.is_none() && matches!(fault.kind, FaultKind::Slow | FaultKind::UploadSlow) {
            return Err(bad("ms", MILLISECONDS));
        }
        let seed = number("seed", "a whole number, 0 or more")?;
        let (text, app, account) = (words("text")?, words("app")?, words("account")?);
        let moment = match words("when")? {
            None | Some("before") => CrashMoment::Before,
            Some("after") => CrashMoment::After,
            Some(_) => return Err(bad("when", "`before` or `after`")),
        };
        let rate = match params.get("rate") {
            None => None,
            Some(rate) => Some(millionths(rate).ok_or_else(|| bad("rate", "a number from 0 to 1"))?),
        };
        let at_once = match params.get("now") {
            None => false,
            Some(now) => now.as_bool().ok_or_else(|| bad("now", "true or false"))?,
        };
        let network = app.map(|app| Network::parse(app).ok_or_else(|| WorldError::UnknownApp { app: app.to_owned() }));
        fault.package = network.transpose()?.map(|network| network.package().to_owned());
        fault.ms = ms.unwrap_or(fault.ms);
        fault.seed = seed.unwrap_or(fault.seed);
        fault.rate_ppm = rate.unwrap_or(fault.rate_ppm);
        fault.account = account.map(canonical_name);
        fault.text = text.map_or(fault.text, str::to_owned);
        fault.moment = moment;
        fault.at_once = at_once;
        Ok(fault)
    }

    /// For `GET /phone/{serial}`.
    pub fn describe(&self) -> Value {
        let mut fault = json!({ "kind": self.kind.name() });
        if let Some(fields) = fault.as_object_mut() {
            if matches!(self.kind, FaultKind::Slow | FaultKind::UploadSlow) {
                fields.insert("ms".into(), json!(self.ms));
            }
            if self.kind == FaultKind::Popup {
                fields.insert("text".into(), json!(self.text));
            }
            if self.kind == FaultKind::AppCrash {
                let when = if self.moment == CrashMoment::Before {
                    "before"
                } else {
                    "after"
                };
                fields.insert("when".into(), json!(when));
            }
            if self.kind == FaultKind::Random {
                fields.insert("seed".into(), json!(self.seed));
                fields.insert("rate".into(), json!(f64::from(self.rate_ppm) / 1_000_000.0));
            }
            if let Some(package) = &self.package {
                fields.insert("app".into(), json!(package));
            }
            if let Some(account) = &self.account {
                fields.insert("account".into(), json!(account));
            }
        }
        fault
    }
}

/// A phone's faults.
#[derive(Debug, Default)]
pub struct Faults {
    active: Vec<Fault>,
    /// How often each kind made a difference so far. It is counted where somebody only looks, too.
    struck: RefCell<BTreeMap<FaultKind, u64>>,
}

impl Faults {
    /// Adds one. A lasting kind replaces its former; of the others each waits for its own event.
    pub fn set(&mut self, fault: Fault) {
        if !fault.kind.once() {
            self.end(fault.kind);
        }
        self.active.push(fault);
    }

    /// Ends a kind; `false` when there was none.
    pub fn end(&mut self, kind: FaultKind) -> bool {
        let before = self.active.len();
        self.active.retain(|fault| fault.kind != kind);
        self.active.len() != before
    }

    /// The fault of that kind, if there is one.
    pub fn get(&self, kind: FaultKind) -> Option<&Fault> {
        self.active.iter().find(|fault| fault.kind == kind)
    }

    /// Whether a fault of that kind concerns a package.
    pub fn concerns(&self, kind: FaultKind, package: &str) -> bool {
        let is_social = Network::ALL.iter().any(|network| network.package() == package);
        self.get(kind)
            .is_some_and(|fault| fault.package.as_deref().map_or(is_social, |only| only == package))
    }

    /// Takes the oldest that waits for this event.
    pub fn take(&mut self, kind: FaultKind, package: &str) -> Option<Fault> {
        let place = self
            .active
            .iter()
            .position(|fault| fault.kind == kind && fault.package.as_deref().is_none_or(|only| only == package))?;
        self.strike(kind);
        Some(self.active.remove(place))
    }

    /// A fault of that kind makes a difference now: to an answer, to an app, to the connection.
    pub fn strike(&self, kind: FaultKind) {
        *self.struck.borrow_mut().entry(kind).or_default() += 1;
    }

    /// How often each kind made a difference so far, also of faults that are over.
    pub fn struck(&self) -> BTreeMap<&'static str, u64> {
        let struck = self.struck.borrow();
        struck.iter().map(|(kind, times)| (kind.name(), *times)).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.active.iter()
    }

    /// What they make of the link; `drops` stays.
    pub fn link(&self, drops: u64) -> Link {
        Link {
            offline: self.get(FaultKind::Offline).is_some(),
            unauthorized: self.get(FaultKind::Unauthorized).is_some(),
            hang: self.get(FaultKind::Hang).is_some(),
            slow_ms: self.get(FaultKind::Slow).map_or(0, |fault| fault.ms),
            drops,
        }
    }
}
