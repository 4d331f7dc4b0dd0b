//! Everything that one phone holds, and the desk at which apps work on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use serde_json::Value;

use super::{
    Network, Phone, PhoneSpec, Upload, World,
    clock::Millis,
    dice::Dice,
    fault::{FaultKind, Faults},
    ledger::Deed,
    library::Library,
    system::System,
};
use crate::{
    apps::{
        Field, Front,
        gallery::GalleryApp,
        settings::SettingsApp,
        social::{SocialApp, SocialData},
    },
    fs::Filesystem,
};

/// How long a toast stays.
const TOAST_MS: Millis = 3_500;

/// One value for each service.
#[derive(Debug)]
pub(crate) struct PerNetwork<T> {
    tiktok: T,
    instagram: T,
}

impl<T> PerNetwork<T> {
    pub fn new(make: impl Fn(Network) -> T) -> Self {
        Self {
            tiktok: make(Network::TikTok),
            instagram: make(Network::Instagram),
        }
    }

    pub fn get(&self, network: Network) -> &T {
        match network {
            Network::TikTok => &self.tiktok,
            Network::Instagram => &self.instagram,
        }
    }

    pub fn get_mut(&mut self, network: Network) -> &mut T {
        match network {
            Network::TikTok => &mut self.tiktok,
            Network::Instagram => &mut self.instagram,
        }
    }
}

/// A dialog of the system that lies over the apps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Dialog {
    /// "… keeps stopping"
    Crash { package: String, label: String },
    /// Asks whether an app may read photos and videos.
    Permission { package: String, label: String },
    /// Where to share these media to (ids of MediaStore rows).
    Share(Vec<u64>),
}

/// A short message at the lower edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub text: String,
    pub until: Millis,
}

/// Everything that one phone holds.
#[derive(Debug)]
pub(crate) struct PhoneState {
    pub(crate) spec: PhoneSpec,
    pub(crate) system: System,
    pub(crate) library: Library,
    pub(crate) faults: Faults,
    pub(crate) front: Front,
    pub(crate) previous: Option<Front>,
    pub(crate) social: BTreeMap<Network, SocialApp>,
    pub(crate) data: PerNetwork<SocialData>,
    pub(crate) settings: Option<SettingsApp>,
    pub(crate) gallery: Option<GalleryApp>,
    pub(crate) others: BTreeSet<String>,
    pub(crate) dialogs: Vec<Dialog>,
    /// Whether the popup of the fault is to be seen.
    pub(crate) popup_open: bool,
    pub(crate) focus: Option<Field>,
    pub(crate) keyboard_open: bool,
    pub(crate) toast: Option<Toast>,
    pub(crate) uploads: Vec<Upload>,
    pub(crate) last_upload: u64,
    /// Counts connections that were closed on purpose; part of the link.
    pub(crate) drops: u64,
    /// Counts reboots, so that the end of an earlier one is not taken for that of a later one.
    pub(crate) boots: u64,
    pub(crate) booting: bool,
    /// The first half of the time that it takes to boot.
    pub(crate) adb_down: bool,
    /// Of the fault `random`.
    pub(crate) dice: Dice,
    /// How often each kind came at random so far.
    pub(crate) mishaps: BTreeMap<&'static str, u64>,
    /// What the next dump finds instead of the screen.
    pub(crate) next_dump: Option<FaultKind>,
}

impl PhoneState {
    /// A phone that has just come up.
    pub(crate) fn new(spec: PhoneSpec) -> Self {
        let first_run = spec.first_run;
        Self {
            system: System::new(&spec.serial),
            spec,
            library: Library::default(),
            faults: Faults::default(),
            front: Front::Launcher,
            previous: None,
            social: BTreeMap::new(),
            data: PerNetwork::new(|network| SocialData::fresh(network, first_run)),
            settings: None,
            gallery: None,
            others: BTreeSet::new(),
            dialogs: Vec::new(),
            popup_open: false,
            focus: None,
            keyboard_open: false,
            toast: None,
            uploads: Vec::new(),
            last_upload: 0,
            drops: 0,
            boots: 0,
            booting: false,
            adb_down: false,
            dice: Dice::new(0),
            mishaps: BTreeMap::new(),
            next_dump: None,
        }
    }

    /// Whether an app of this package can be started.
    pub(crate) fn is_installed(&self, package: &str) -> bool {
        self.system.apps.contains_key(package) && !self.faults.concerns(FaultKind::AppNotInstalled, package)
    }

    /// The same, asked by somebody who uses the phone: the fault `app_not_installed` strikes.
    pub(crate) fn finds(&self, package: &str) -> bool {
        if self.faults.concerns(FaultKind::AppNotInstalled, package) {
            self.faults.strike(FaultKind::AppNotInstalled);
        }
        self.is_installed(package)
    }

    /// Whether the phone has a network.
    pub(crate) fn online(&self) -> bool {
        self.system.setting("global", "airplane_mode_on").as_deref() != Some("1")
    }

    /// Whether an app may read photos and videos.
    pub(crate) fn may_read_media(&self, package: &str) -> bool {
        self.system.apps.get(package).is_some_and(|app| {
            app.granted_permissions.iter().any(|name| {
                matches!(
                    name.as_str(),
                    "android.permission.READ_MEDIA_VIDEO"
                        | "android.permission.READ_MEDIA_IMAGES"
                        | "android.permission.READ_EXTERNAL_STORAGE"
                )
            })
        })
    }

    /// Puts the cursor into a field; the stock keyboard comes up.
    pub(crate) fn focus_on(&mut self, field: Field) {
        self.focus = Some(field);
        self.keyboard_open = self.system.current_ime == crate::apps::KEYBOARD_IME;
    }

    /// No field has the cursor any more.
    pub(crate) fn blur(&mut self) {
        self.focus = None;
        self.keyboard_open = false;
    }

    /// The text of the focused field.
    pub(crate) fn focused_text(&mut self) -> Option<(Field, &mut String)> {
        let field = self.focus?;
        let fields = match &self.front {
            Front::Social(network) => &mut self.social.get_mut(network)?.fields,
            Front::Settings => &mut self.settings.as_mut()?.fields,
            _ => return None,
        };
        Some((field, fields.entry(field).or_default()))
    }
}

/// Where an app works: its phone (without the app itself, which is taken out meanwhile), the world, the time.
pub(crate) struct Desk<'a> {
    pub(crate) state: &'a mut PhoneState,
    pub(crate) world: &'a Arc<World>,
    pub(crate) me: &'a Weak<Phone>,
    pub(crate) files: &'a Filesystem,
    pub(crate) now: Millis,
    /// Set by an app that crashes in this very action.
    pub(crate) crashing: bool,
}

impl Desk<'_> {
    /// Writes into the ledger.
    pub(crate) fn record(&self, network: Network, account: &str, kind: &'static str, detail: Value) {
        let deed = Deed {
            app: network.name().to_owned(),
            account: account.to_owned(),
            kind,
            detail,
        };
        self.world.record(self.now, &self.state.spec.serial, deed);
    }

    /// Shows a message for some seconds.
    pub(crate) fn toast(&mut self, text: impl Into<String>) {
        self.state.toast = Some(Toast {
            text: text.into(),
            until: self.now + TOAST_MS,
        });
    }

    /// The app's data.
    pub(crate) fn data(&mut self, network: Network) -> &mut SocialData {
        self.state.data.get_mut(network)
    }

    /// The account that the app shows; empty when nobody is logged in.
    pub(crate) fn account(&self, network: Network) -> String {
        self.state.data.get(network).current.clone().unwrap_or_default()
    }

    /// The app dies: its uploads are lost, the launcher and a dialog show.
    pub(crate) fn crash(&mut self, network: Network) {
        let account = self.account(network);
        self.state.log(
            "E",
            "AndroidRuntime",
            &format!("FATAL EXCEPTION: main Process: {}", network.package()),
        );
        self.record(
            network,
            &account,
            "app_crash",
            serde_json::json!({ "package": network.package() }),
        );
        self.kill(network);
        let label = crate::apps::social::Skin::of(network).label.to_owned();
        self.state.dialogs.push(Dialog::Crash {
            package: network.package().to_owned(),
            label,
        });
    }

    /// The app's process ends; uploads that are not through are lost.
    pub(crate) fn kill(&mut self, network: Network) {
        self.state.social.remove(&network);
        let (lost, kept) = std::mem::take(&mut self.state.uploads)
            .into_iter()
            .partition(|upload| upload.post.network == network);
        self.state.uploads = kept;
        let lost: Vec<Upload> = lost;
        for upload in lost {
            let detail = serde_json::json!({ "caption": upload.post.caption });
            self.record(network, &upload.post.account, "upload_lost", detail);
        }
        if self.state.front == Front::Social(network) {
            self.state.front = Front::Launcher;
            self.state.blur();
        }
    }
}
