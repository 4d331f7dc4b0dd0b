//! One simulated phone: its state behind a lock, its files, its link.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, Weak},
};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Network, PhoneSpec, PhoneState, World, WorldError,
    clock::Millis,
    dice::Dice,
    fault::{Fault, FaultKind},
    ledger::Deed,
    lock,
    schedule::{Due, Event},
    social::{Social, canonical_name},
    state::Desk,
    system::{BOOT_MS_MIN, new_boot_id},
};
use crate::{
    apps::{
        Front, Layer, Window, gallery, kit, launcher,
        node::Node,
        overlay, settings,
        social::{self, Gate},
    },
    device::{Frame, Link},
    fs::Filesystem,
    render,
};

/// One simulated phone.
#[derive(Debug)]
pub struct Phone {
    serial: String,
    world: Arc<World>,
    me: Weak<Self>,
    files: Arc<Filesystem>,
    state: Mutex<PhoneState>,
    link: watch::Sender<Link>,
}

impl Phone {
    /// Makes a phone, logs its accounts in and switches it on. Accounts of unknown apps or with impossible names are
    /// left out; [`Phone::login`] says why.
    pub fn new(world: Arc<World>, spec: PhoneSpec) -> Arc<Self> {
        let accounts = spec.accounts.clone();
        let phone = Arc::new_cyclic(|me| Self {
            serial: spec.serial.clone(),
            world,
            me: me.clone(),
            files: Arc::new(Filesystem::default()),
            state: Mutex::new(PhoneState::new(spec)),
            link: watch::Sender::new(Link::default()),
        });
        phone.world.enroll(&phone);
        for (app, account) in accounts.iter().rev() {
            phone.place_account(app, account);
        }
        phone
    }

    /// `ro.serialno`
    pub fn serial_number(&self) -> &str {
        &self.serial
    }

    /// The phone's files.
    pub fn files(&self) -> Arc<Filesystem> {
        Arc::clone(&self.files)
    }

    /// The world it lives in.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// How the connection does, now and from now on.
    pub fn watch_link(&self) -> watch::Receiver<Link> {
        self.world.settle();
        self.link.subscribe()
    }

    /// The connection has held an answer back, because of the fault `slow`.
    pub fn was_slow(&self) {
        self.with(|desk| desk.state.faults.strike(FaultKind::Slow));
    }

    /// What a person does on the phone: logs in. The account becomes the app's current one, and the fault
    /// `logged_out` ends. `app` is `tiktok`, `instagram` or a package.
    pub fn login(&self, app: &str, account: &str) -> Result<(), WorldError> {
        let network = Network::parse(app).ok_or_else(|| WorldError::UnknownApp { app: app.to_owned() })?;
        let name = canonical_name(account);
        if self.world.social().person(network, &name).is_none() {
            return Err(WorldError::BadAccount {
                account: account.to_owned(),
            });
        }
        self.with(|desk| desk.sign_in(network, &name));
        Ok(())
    }

    /// Gives the phone a fault: `kind` and its parameters as in the control API.
    pub fn set_fault(&self, kind: &str, params: &Value) -> Result<(), WorldError> {
        let fault = Fault::parse(kind, params)?;
        match fault.kind {
            FaultKind::DropConnection => self.with(|desk| desk.drop_connections()),
            FaultKind::Reboot => self.with(|desk| desk.begin_reboot(params.get("ms").map(|_| fault.ms))),
            _ => self.with(|desk| desk.begin_fault(fault)),
        }
        Ok(())
    }

    /// Ends a fault; `false` when the phone did not have it.
    pub fn clear_fault(&self, kind: &str) -> Result<bool, WorldError> {
        let kind = FaultKind::parse(kind)?;
        Ok(self.with(|desk| desk.end_fault(kind)))
    }

    /// Ends all faults.
    pub fn clear_all_faults(&self) {
        self.with(|desk| {
            for kind in FaultKind::all() {
                desk.end_fault(kind);
            }
        });
    }

    /// Works on the phone: what fell due is applied first, the link is told afterwards.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Desk<'_>) -> R) -> R {
        self.world.settle();
        let mut state = lock(&self.state);
        self.at_desk(&mut state, self.world.clock.now(), work)
    }

    fn at_desk<R>(&self, state: &mut PhoneState, now: Millis, work: impl FnOnce(&mut Desk<'_>) -> R) -> R {
        for app in state.social.values_mut() {
            app.expire(now);
        }
        let mut desk = Desk {
            state,
            world: &self.world,
            me: &self.me,
            files: &self.files,
            now,
            crashing: false,
        };
        let answer = work(&mut desk);
        let mut link = state.faults.link(state.drops);
        link.offline |= state.adb_down;
        self.link.send_if_modified(|old| {
            let changed = *old != link;
            *old = link;
            changed
        });
        answer
    }

    /// An event of this phone has fallen due (called by the world alone).
    pub(crate) fn fall_due(&self, due: &Due) {
        let mut state = lock(&self.state);
        self.at_desk(&mut state, due.at, |desk| match due.event {
            Event::UploadThrough(number) => desk.finish_upload(number),
            Event::AdbUp(number) if number == desk.state.boots => desk.begin_boot(),
            Event::Booted(number) if number == desk.state.boots => desk.finish_boot(),
            Event::AdbUp(_) | Event::Booted(_) => {}
            Event::MishapOver(number) => desk.end_mishap(number),
        });
    }

    /// The windows that show now, the lowest first; `None` while the screen is dark.
    pub(crate) fn windows(&self) -> Option<Vec<Window>> {
        self.with(|desk| {
            let dark = desk.state.booting || !desk.state.system.awake;
            (!dark).then(|| windows(desk.state, &desk.world.social(), desk.now))
        })
    }

    /// Whether the window in front forbids pictures.
    pub(crate) fn is_secure(&self) -> bool {
        self.with(|desk| desk.state.faults.get(FaultKind::SecureScreen).is_some())
    }

    /// Draws the screen, or takes it from the world's small store of drawn screens.
    pub(crate) fn draw(&self) -> Frame {
        let windows = self.windows();
        let clock = self
            .world
            .clock
            .timestamp(self.world.clock.now())
            .strftime("%H:%M")
            .to_string();
        let level = self.with(|desk| desk.state.system.battery_level);
        // A secure window is left out of pictures; what lies above all apps stays.
        let secure = self.with(|desk| {
            desk.show();
            let secure = desk.state.faults.get(FaultKind::SecureScreen).is_some();
            if secure {
                desk.state.faults.strike(FaultKind::SecureScreen);
            }
            secure
        });
        let windows = windows.map(|mut windows| {
            windows.retain(|window| !secure || window.layer != Layer::Main);
            windows
        });
        let mut hasher = DefaultHasher::new();
        (&windows, &clock, level).hash(&mut hasher);
        let roots: Option<Vec<&Node>> = windows
            .as_ref()
            .map(|windows| windows.iter().map(|window| &window.root).collect());
        self.world.frames.get_or_draw(hasher.finish(), || match &roots {
            Some(roots) => render::screen(roots, &clock, level),
            None => render::dark(),
        })
    }

    fn place_account(&self, app: &str, account: &str) {
        let Some(network) = Network::parse(app) else { return };
        let name = canonical_name(account);
        if self.world.social().person(network, &name).is_none() {
            return;
        }
        self.world.social().join(network, &name);
        self.with(|desk| {
            let data = desk.data(network);
            data.accounts.insert(0, name.clone());
            data.current = Some(name);
        });
    }
}

/// The windows of a state, the lowest first.
pub(crate) fn windows(state: &PhoneState, social: &Social, now: Millis) -> Vec<Window> {
    let mut windows = match &state.front {
        Front::Launcher => vec![launcher::window(state)],
        Front::Settings => state.settings.iter().map(|app| settings::window(app, state)).collect(),
        Front::Gallery => state.gallery.iter().map(|app| gallery::window(app, state)).collect(),
        Front::Social(network) => {
            let app = state.social.get(network);
            app.map(|app| social::windows(app, state, social, now))
                .unwrap_or_default()
        }
        Front::Other(package) => vec![plain(package)],
    };
    if windows.is_empty() {
        windows.push(launcher::window(state));
    }
    if let Some(app) = windows.last().cloned() {
        windows.extend(overlay::windows(state, &app, now));
    }
    windows
}

/// An app that nothing is known of.
fn plain(package: &str) -> Window {
    let name = launcher::label_of(package);
    let place = crate::apps::node::Rect::at(90, 1_000, 900, 100);
    Window::new(
        package,
        format!("{package}/.MainActivity"),
        kit::decor(kit::label(place, name).id("title").centred()),
    )
}

impl Desk<'_> {
    /// Every connection is closed once.
    pub(crate) fn drop_connections(&mut self) {
        self.state.faults.strike(FaultKind::DropConnection);
        self.state.drops += 1;
    }

    /// What a dump or a picture shows because of a fault, it has done.
    pub(super) fn show(&self) {
        let state = &*self.state;
        let in_front = match &state.front {
            Front::Social(network) => state
                .social
                .get(network)
                .and_then(|app| app.gate(&state.faults, state.data.get(*network))),
            _ => None,
        };
        let gate = match in_front {
            Some(Gate::Challenge) => Some(FaultKind::Challenge),
            Some(Gate::LoggedOut) => Some(FaultKind::LoggedOut),
            None => None,
        };
        let popup = state.popup_open.then_some(FaultKind::Popup);
        let shown = gate.into_iter().chain(popup);
        // Nobody has to be logged in, fault or not.
        for kind in shown.filter(|kind| state.faults.get(*kind).is_some()) {
            state.faults.strike(kind);
        }
    }

    /// The link drops, everything that runs ends, unfinished uploads are lost; back after the phone's boot time or
    /// `ms`.
    pub(crate) fn begin_reboot(&mut self, ms: Option<Millis>) {
        self.state.faults.strike(FaultKind::Reboot);
        let (app, account) = (String::new(), String::new());
        let deed = Deed {
            app,
            account,
            kind: "reboot",
            detail: json!({}),
        };
        self.world.record(self.now, &self.state.spec.serial, deed);
        for network in Network::ALL {
            self.kill(network);
        }
        let state = &mut *self.state;
        state.settings = None;
        state.gallery = None;
        state.others.clear();
        state.dialogs.clear();
        state.toast = None;
        state.blur();
        state.front = Front::Launcher;
        state.previous = None;
        state.booting = true;
        state.adb_down = true;
        state.boots += 1;
        state.drops += 1;
        let takes = ms.unwrap_or(state.spec.boot_ms).max(BOOT_MS_MIN);
        // As on real phones, adb is there long before Android is.
        for (at, event) in [
            (takes / 2, Event::AdbUp(state.boots)),
            (takes, Event::Booted(state.boots)),
        ] {
            Arc::clone(self.world).plan(self.now + at, self.me.clone(), event);
        }
    }

    pub(super) fn begin_fault(&mut self, fault: Fault) {
        match fault.kind {
            FaultKind::AppCrash if fault.at_once => {
                for network in Network::ALL {
                    let concerned = fault.package.as_deref().is_none_or(|only| only == network.package());
                    if concerned && self.state.social.contains_key(&network) {
                        self.state.faults.strike(FaultKind::AppCrash);
                        self.crash(network);
                    }
                }
                return;
            }
            FaultKind::Popup => self.state.popup_open = true,
            FaultKind::StorageFull => self.files.set_full(true),
            FaultKind::Random => self.state.dice = Dice::new(fault.seed),
            FaultKind::Offline | FaultKind::Unauthorized | FaultKind::Hang => self.state.faults.strike(fault.kind),
            _ => {}
        }
        let kind = fault.kind;
        self.state.faults.set(fault);
        if kind == FaultKind::AppNotInstalled {
            for network in Network::ALL {
                if !self.state.is_installed(network.package()) {
                    self.kill(network);
                }
            }
        }
    }

    pub(super) fn end_fault(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::Popup => self.state.popup_open = false,
            FaultKind::StorageFull => self.files.set_full(false),
            _ => {}
        }
        self.state.faults.end(kind)
    }

    fn begin_boot(&mut self) {
        self.state.adb_down = false;
        self.state.system.boot_id = new_boot_id();
    }

    fn finish_boot(&mut self) {
        self.state.booting = false;
        self.state.system.awake = true;
        self.state.system.locked = true;
        self.state.log("I", "SystemServer", "boot completed");
    }
}
