//! The phone as Android's own programs see it.

use super::{Phone, fault::FaultKind, system::installed};
use crate::{
    apps::{Layer, Window, kit},
    device::{Frame, Link},
    handset::{Dump, Handset, InstalledApp, Launched, MediaRow, Power, View},
};

/// More than the fault promises.
const HUGE_NODES: i32 = 8_400;

impl Handset for Phone {
    fn serial(&self) -> String {
        self.serial_number().to_owned()
    }

    fn property(&self, name: &str) -> Option<String> {
        self.properties()
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    fn properties(&self) -> Vec<(String, String)> {
        self.with(|desk| {
            let state = &desk.state;
            state
                .system
                .properties(&state.spec.serial, !state.booting)
                .into_iter()
                .collect()
        })
    }

    fn boot_id(&self) -> String {
        self.with(|desk| desk.state.system.boot_id.clone())
    }

    fn screen_size(&self) -> (u32, u32) {
        (1_080, 2_400)
    }

    fn density(&self) -> u32 {
        420
    }

    fn power(&self) -> Power {
        self.with(|desk| {
            let system = &desk.state.system;
            Power {
                level: system.battery_level,
                temperature: 271,
                charging: true,
                awake: system.awake,
                locked: system.locked,
            }
        })
    }

    fn is_secure(&self) -> bool {
        Phone::is_secure(self)
    }

    fn tap(&self, x: i32, y: i32) {
        self.touch(x, y);
    }

    fn swipe(&self, from: (i32, i32), to: (i32, i32), duration_ms: u64) {
        self.drag(from, to, duration_ms);
    }

    fn key(&self, code: u32) {
        self.press(code);
    }

    fn type_text(&self, text: &str) -> bool {
        self.enter_text(text)
    }

    fn clear_text(&self) -> bool {
        self.erase_all()
    }

    fn clipboard(&self) -> String {
        self.with(|desk| desk.state.system.clipboard.clone())
    }

    fn set_clipboard(&self, text: &str) {
        self.with(|desk| text.clone_into(&mut desk.state.system.clipboard));
    }

    fn dump(&self) -> Dump {
        let fault = self.with(|desk| {
            desk.tempt_fate();
            if let Some(kind) = desk.state.next_dump.take() {
                return Some(kind);
            }
            let kinds = [FaultKind::NoIdle, FaultKind::GarbageHierarchy, FaultKind::HugeHierarchy];
            kinds.into_iter().find(|kind| desk.state.faults.get(*kind).is_some())
        });
        let Some(windows) = self.windows() else {
            return Dump::NoRoot;
        };
        self.with(|desk| match fault {
            Some(kind) => desk.state.faults.strike(kind),
            None => desk.show(),
        });
        match fault {
            Some(FaultKind::NoIdle) => Dump::NotIdle,
            Some(FaultKind::GarbageHierarchy) => Dump::Garbage(GARBAGE.to_vec()),
            Some(_) => {
                let mut views = visible(windows);
                if let Some(root) = views.first_mut() {
                    root.children.push(crowd(&root.package));
                }
                Dump::Views(views)
            }
            None => Dump::Views(visible(windows)),
        }
    }

    fn frame(&self) -> Frame {
        self.draw()
    }

    fn focus(&self) -> Option<(String, String)> {
        let windows = self.windows()?;
        let active = windows.into_iter().rev().find(|window| window.layer == Layer::Main)?;
        Some((active.package, active.component))
    }

    fn launch(&self, package: &str, component: Option<&str>, stop_first: bool) -> Launched {
        self.with(|desk| {
            desk.tempt_fate();
            desk.launch(package, component, stop_first)
        })
    }

    fn open_link(&self, link: &str, package: Option<&str>) -> Launched {
        self.with(|desk| {
            desk.tempt_fate();
            desk.open_link(link, package)
        })
    }

    fn stop(&self, package: &str) {
        self.with(|desk| desk.stop(package));
    }

    fn clear(&self, package: &str) -> bool {
        self.with(|desk| desk.clear(package))
    }

    fn apps(&self) -> Vec<InstalledApp> {
        self.with(|desk| {
            let state = &desk.state;
            state
                .system
                .apps
                .values()
                .filter(|app| state.finds(&app.package))
                .cloned()
                .collect()
        })
    }

    fn install(&self, package: &str) {
        self.with(|desk| {
            if !desk.state.system.apps.contains_key(package) {
                desk.state.system.apps.insert(package.to_owned(), installed(package));
            }
        });
    }

    fn uninstall(&self, package: &str) -> bool {
        self.with(|desk| {
            let there = desk.state.is_installed(package);
            if there {
                desk.clear(package);
                desk.state.system.apps.remove(package);
            }
            there
        })
    }

    fn set_permission(&self, package: &str, permission: &str, granted: bool) -> bool {
        self.with(|desk| desk.set_permission(package, permission, granted))
    }

    fn media(&self) -> Vec<MediaRow> {
        self.with(|desk| desk.state.library.rows().to_vec())
    }

    fn scan_media(&self, path: &str) {
        self.with(|desk| desk.state.library.scan(path, desk.files));
    }

    fn setting(&self, namespace: &str, name: &str) -> Option<String> {
        self.with(|desk| desk.state.system.setting(namespace, name))
    }

    fn put_setting(&self, namespace: &str, name: &str, value: Option<&str>) {
        self.with(|desk| desk.state.system.put_setting(namespace, name, value));
    }

    fn input_methods(&self) -> Vec<(String, bool)> {
        self.with(|desk| desk.state.system.input_methods.clone())
    }

    fn enable_input_method(&self, id: &str, enabled: bool) -> bool {
        self.with(|desk| {
            let method = desk
                .state
                .system
                .input_methods
                .iter_mut()
                .find(|(known, _)| known == id);
            method.map(|(_, state)| *state = enabled).is_some()
        })
    }

    fn set_input_method(&self, id: &str) -> bool {
        self.with(|desk| {
            let system = &mut desk.state.system;
            let there = system
                .input_methods
                .iter()
                .any(|(known, enabled)| known == id && *enabled);
            if there {
                id.clone_into(&mut system.current_ime);
                system.put_setting("secure", "default_input_method", Some(id));
                desk.state.keyboard_open = desk.state.focus.is_some() && id == crate::apps::KEYBOARD_IME;
            }
            there
        })
    }

    fn input_method(&self) -> String {
        self.with(|desk| desk.state.system.current_ime.clone())
    }

    fn keyboard_shown(&self) -> bool {
        self.with(|desk| desk.state.keyboard_open && desk.state.focus.is_some())
    }

    fn log(&self, lines: usize) -> Vec<String> {
        self.with(|desk| desk.state.system.log_lines(lines))
    }

    fn write_log(&self, level: &str, tag: &str, message: &str) {
        self.with(|desk| desk.state.system.log_line(level, tag, message));
    }

    fn reboot(&self) {
        self.with(|desk| desk.begin_reboot(None));
    }

    fn link(&self) -> Link {
        self.watch_link().borrow().clone()
    }
}

/// What a dump shows: the active window, and the keyboard when it is up.
fn visible(windows: Vec<Window>) -> Vec<View> {
    let top = windows.iter().rposition(|window| window.layer == Layer::Main);
    let shown = windows
        .into_iter()
        .enumerate()
        .filter(|(place, window)| match window.layer {
            Layer::Main => Some(*place) == top,
            Layer::Keyboard => top.is_some_and(|top| *place > top),
            Layer::Toast => false,
        });
    shown
        .map(|(_, window)| window.root.into_view(&window.package))
        .collect()
}

/// Not XML, not UTF-8, and cut off.
const GARBAGE: &[u8] = b"\xff\xfe<?xml ver\x00\x01\x02<hierarchy rotation=<node text=\"\xc3\x28 bounds=[0,0][";

/// So many nodes that a dump becomes a burden.
fn crowd(package: &str) -> View {
    let leaf = |number: i32| {
        let (x, y) = (number % 100 * 10, number / 100 * 20);
        View {
            text: format!("item {number}"),
            class: "android.widget.TextView".to_owned(),
            package: package.to_owned(),
            bounds: [x, y, x + 8, y + 16],
            enabled: true,
            ..View::default()
        }
    };
    View {
        class: "androidx.recyclerview.widget.RecyclerView".to_owned(),
        package: package.to_owned(),
        bounds: [0, 0, kit::WIDTH, kit::HEIGHT],
        enabled: true,
        children: (0..HUGE_NODES).map(leaf).collect(),
        ..View::default()
    }
}
