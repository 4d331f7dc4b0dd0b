//! The world, driven only through what Android's own programs can do: find a view in the dump, tap its centre.

mod awkward;
mod follow;
mod phone;
mod picture;
mod post;
mod random;

use std::sync::Arc;

use serde_json::Value;

use super::{LedgerEntry, Phone, PhoneSpec, World};
use crate::handset::{Dump, Handset, Launched, View};

const TIKTOK: &str = "com.zhiliaoapp.musically";
const INSTAGRAM: &str = "com.instagram.android";

/// A phone and a hand.
struct Rig {
    world: Arc<World>,
    phone: Arc<Phone>,
}

impl Rig {
    /// A phone with two accounts on each app, without the dialogs of the first minutes.
    fn new() -> Self {
        let spec = PhoneSpec {
            first_run: false,
            ..PhoneSpec::new("sim-1")
        }
        .with_account("tiktok", "user1")
        .with_account("tiktok", "user2")
        .with_account("instagram", "user1")
        .with_account("instagram", "user2");
        Self::of(spec)
    }

    fn of(spec: PhoneSpec) -> Self {
        let world = World::with_manual_clock();
        let phone = Phone::new(Arc::clone(&world), spec);
        Self { world, phone }
    }

    /// Puts files into the gallery in this order, so that the last is the newest.
    fn media(self, names: &[&str]) -> Self {
        for name in names {
            let path = format!("/sdcard/DCIM/Camera/{name}");
            self.phone
                .files()
                .write(&path, format!("content of {name}").into_bytes())
                .unwrap();
            self.phone.scan_media(&path);
        }
        self
    }

    fn launch(&self, package: &str) {
        assert!(matches!(
            self.phone.launch(package, None, false),
            Launched::Started { .. } | Launched::AlreadyInFront { .. }
        ));
    }

    /// One of the four apps, installed or not.
    fn launch_any(&self, which: u64) {
        let package = match which {
            0 => TIKTOK,
            1 => INSTAGRAM,
            2 => crate::apps::GALLERY,
            _ => crate::apps::SETTINGS,
        };
        self.phone.launch(package, None, which == 1);
    }

    fn views(&self) -> Vec<View> {
        fn flatten(view: &View, into: &mut Vec<View>) {
            into.push(view.clone());
            view.children.iter().for_each(|child| flatten(child, into));
        }
        let Dump::Views(roots) = self.phone.dump() else {
            return Vec::new();
        };
        let mut all = Vec::new();
        roots.iter().for_each(|root| flatten(root, &mut all));
        all
    }

    /// By text, content-desc or the last part of the id; an exact text comes first.
    fn find(&self, what: &str) -> Option<View> {
        let views = self.views();
        let hit = |matches: &dyn Fn(&View) -> bool| views.iter().rfind(|view| matches(view)).cloned();
        hit(&|view| view.text == what && view.class.ends_with("Button"))
            .or_else(|| hit(&|view| view.text == what))
            .or_else(|| hit(&|view| view.description == what))
            .or_else(|| {
                views
                    .iter()
                    .find(|view| view.id.rsplit('/').next() == Some(what))
                    .cloned()
            })
    }

    fn see(&self, what: &str) -> View {
        self.find(what)
            .unwrap_or_else(|| panic!("`{what}` is not on the screen: {:#?}", self.words()))
    }

    fn sees(&self, what: &str) -> bool {
        self.find(what).is_some()
    }

    /// All that can be read.
    fn words(&self) -> Vec<String> {
        let words = self
            .views()
            .into_iter()
            .map(|view| format!("{}|{}|{}", view.id, view.text, view.description));
        words.filter(|words| words != "||").collect()
    }

    fn tap(&self, what: &str) {
        let [left, top, right, bottom] = self.see(what).bounds;
        self.phone.tap((left + right) / 2, (top + bottom) / 2);
    }

    fn taps(&self, path: &[&str]) {
        path.iter().for_each(|what| self.tap(what));
    }

    fn write(&self, field: &str, text: &str) {
        self.tap(field);
        assert!(self.phone.clear_text());
        assert!(self.phone.type_text(text), "no field has the cursor");
        self.back();
    }

    fn back(&self) {
        self.phone.key(4);
    }

    fn wait(&self, ms: u64) {
        self.world.advance(ms);
    }

    fn fault(&self, kind: &str, params: Value) {
        self.phone.set_fault(kind, &params).unwrap();
    }

    fn deeds(&self, kind: &str) -> Vec<LedgerEntry> {
        self.world
            .ledger()
            .into_iter()
            .filter(|entry| entry.kind == kind)
            .collect()
    }

    /// From anywhere in TikTok to the page with the "Post" button, with the newest medium.
    fn to_tiktok_post_page(&self) {
        self.launch(TIKTOK);
        self.taps(&["Create", "Upload", "media_cell", "picker_next", "editor_next"]);
        assert!(self.sees("post_button"));
    }
}
