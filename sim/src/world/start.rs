//! Starting, stopping, clearing apps, and what links open.

use super::{
    fault::FaultKind,
    state::{Desk, Dialog},
};
use crate::{
    apps::{
        Front,
        gallery::GalleryApp,
        settings::SettingsApp,
        social::{Skin, SocialApp, SocialData, Target},
    },
    handset::Launched,
};

impl Desk<'_> {
    /// Brings an app to the front, starting it if it does not run; `false` when it is not installed.
    pub(crate) fn start(&mut self, front: &Front) -> bool {
        if *front != Front::Launcher && !self.state.is_installed(front.package()) {
            return false;
        }
        if self.state.front != *front {
            self.state.blur();
            if self.state.front != Front::Launcher {
                self.state.previous = Some(self.state.front.clone());
            }
        }
        let cold = match front {
            Front::Launcher => false,
            Front::Settings => self.state.settings.is_none(),
            Front::Gallery => self.state.gallery.is_none(),
            Front::Social(network) => !self.state.social.contains_key(network),
            Front::Other(package) => !self.state.others.contains(package),
        };
        if cold {
            self.boot_app(front);
        }
        self.state.dialogs.retain(|dialog| match dialog {
            Dialog::Crash { package, .. } => package != front.package(),
            Dialog::Share(_) => false,
            Dialog::Permission { .. } => true,
        });
        self.state.front = front.clone();
        self.state
            .log("I", "ActivityTaskManager", &format!("START u0 {}", front.package()));
        true
    }

    fn boot_app(&mut self, front: &Front) {
        match front {
            Front::Launcher => {}
            Front::Settings => self.state.settings = Some(SettingsApp::default()),
            Front::Gallery => self.state.gallery = Some(GalleryApp::default()),
            Front::Social(network) => {
                self.state.social.insert(*network, SocialApp::new(*network));
            }
            Front::Other(package) => {
                self.state.others.insert(package.clone());
            }
        }
        self.state.popup_open = self.state.faults.get(FaultKind::Popup).is_some();
    }

    fn runs(&self, front: &Front) -> bool {
        match front {
            Front::Launcher => true,
            Front::Settings => self.state.settings.is_some(),
            Front::Gallery => self.state.gallery.is_some(),
            Front::Social(network) => self.state.social.contains_key(network),
            Front::Other(package) => self.state.others.contains(package),
        }
    }

    pub(crate) fn launch(&mut self, package: &str, component: Option<&str>, stop_first: bool) -> Launched {
        let launcher = self.state.system.apps.get(package).and_then(|app| app.launcher.clone());
        let Some(activity) = launcher.filter(|_| self.state.finds(package) && !self.state.booting) else {
            return Launched::Unresolved;
        };
        if component.is_some_and(|component| expanded(component) != expanded(&activity)) {
            return Launched::Unresolved;
        }
        if stop_first {
            self.stop(package);
        }
        let front = Front::of(package);
        let in_front = self.state.front == front;
        let cold = !self.runs(&front);
        self.start(&front);
        if in_front && !cold {
            Launched::AlreadyInFront { activity }
        } else {
            Launched::Started { activity, cold }
        }
    }

    pub(crate) fn open_link(&mut self, link: &str, package: Option<&str>) -> Launched {
        let Some((network, target)) = Target::parse(link) else {
            return Launched::Unresolved;
        };
        let fits = package.is_none_or(|package| package == network.package());
        if !fits || self.state.booting || !self.state.finds(network.package()) {
            return Launched::Unresolved;
        }
        let front = Front::Social(network);
        let cold = !self.runs(&front);
        self.start(&front);
        self.in_social(network, |app, desk| app.open(&target, desk));
        let activity = format!("{}/{}", network.package(), Skin::of(network).activity);
        Launched::Started { activity, cold }
    }

    pub(crate) fn stop(&mut self, package: &str) {
        let front = Front::of(package);
        match &front {
            Front::Launcher => return,
            Front::Settings => self.state.settings = None,
            Front::Gallery => self.state.gallery = None,
            Front::Social(network) => self.kill(*network),
            Front::Other(package) => drop(self.state.others.remove(package)),
        }
        self.state.dialogs.retain(|dialog| {
            !matches!(dialog, Dialog::Crash { package: of, .. } | Dialog::Permission { package: of, .. } if of == package)
        });
        if self.state.front == front {
            self.state.front = Front::Launcher;
            self.state.blur();
        }
    }

    pub(crate) fn clear(&mut self, package: &str) -> bool {
        if !self.state.is_installed(package) {
            return false;
        }
        self.stop(package);
        if let Some(app) = self.state.system.apps.get_mut(package) {
            app.granted_permissions.clear();
        }
        if let Front::Social(network) = Front::of(package) {
            let account = self.account(network);
            self.record(
                network,
                &account,
                "app_data_cleared",
                serde_json::json!({ "package": package }),
            );
            *self.data(network) = SocialData::fresh(network, true);
        }
        true
    }

    pub(crate) fn set_permission(&mut self, package: &str, permission: &str, granted: bool) -> bool {
        let Some(app) = self.state.system.apps.get_mut(package) else {
            return false;
        };
        if !app.requested_permissions.iter().any(|name| name == permission) {
            return false;
        }
        app.granted_permissions.retain(|name| name != permission);
        if granted {
            app.granted_permissions.push(permission.to_owned());
        }
        true
    }

    /// "Allow" in the permission's dialog.
    pub(crate) fn grant_media(&mut self, package: &str) {
        for permission in [
            "android.permission.READ_MEDIA_IMAGES",
            "android.permission.READ_MEDIA_VIDEO",
        ] {
            self.set_permission(package, permission, true);
        }
    }
}

/// `com.x/.Main` is short for `com.x/com.x.Main`.
fn expanded(component: &str) -> String {
    match component.split_once("/.") {
        Some((package, class)) => format!("{package}/{package}.{class}"),
        None => component.to_owned(),
    }
}
