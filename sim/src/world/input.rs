//! Fingers, keys and typing: from a point to the node under it, from the node to its app.

use super::{
    Network, Phone,
    phone::windows,
    state::{Desk, Dialog},
};
use crate::apps::{
    Action, Field, Front, Layer, Window,
    gallery::GalleryApp,
    node::{Node, Scroll},
    overlay::SystemAction,
    settings::SettingsApp,
    social::{SocialAction, SocialApp},
};

/// A press of at least this many milliseconds is a long one.
const LONG_PRESS_MS: u64 = 500;
/// A finger that moves less than this stays where it is, pixels.
const TOUCH_SLOP: i32 = 24;
/// How far a finger has to go to turn a page or to open the keyguard, pixels.
const PAGE_TURN: i32 = 150;
/// The longest text of a field; TikTok's own limit of a caption.
const TEXT_MAX: usize = 4_000;
/// The longest text of the settings' search, which Android does not limit.
const SEARCH_MAX: usize = 16_000;

impl Phone {
    /// A finger at a point.
    pub(crate) fn touch(&self, x: i32, y: i32) {
        self.with(|desk| {
            desk.tempt_fate();
            let Some(node) = desk.node_at(x, y, &|node| node.action.is_some() || node.field.is_some()) else {
                return;
            };
            if let Some(field) = node.field {
                desk.state.focus_on(field);
            } else if let Some(action) = &node.action {
                let width = node.rect.width().max(1);
                let point = u8::try_from(((x - node.rect.left) * 100 / width).clamp(0, 100)).unwrap_or(0);
                desk.perform(action, point);
            }
        });
    }

    /// A finger along a line.
    pub(crate) fn drag(&self, from: (i32, i32), to: (i32, i32), duration_ms: u64) {
        let still = (to.0 - from.0).abs() < TOUCH_SLOP && (to.1 - from.1).abs() < TOUCH_SLOP;
        if still && duration_ms < LONG_PRESS_MS {
            return self.touch(from.0, from.1);
        }
        self.with(|desk| {
            let up = from.1 - to.1;
            if desk.state.system.locked {
                if desk.state.system.awake && up >= PAGE_TURN {
                    desk.state.system.locked = false;
                }
            } else if still {
                desk.press_long(from);
            } else {
                desk.slide_or_scroll(from, to, up);
            }
        });
    }

    /// A key by its code.
    pub(crate) fn press(&self, code: u32) {
        self.with(|desk| {
            if !desk.state.booting {
                desk.press(code);
            }
        });
    }

    /// Types into the focused field.
    pub(crate) fn enter_text(&self, text: &str) -> bool {
        self.with(|desk| desk.type_text(text))
    }

    /// Empties the focused field.
    pub(crate) fn erase_all(&self) -> bool {
        self.with(|desk| match desk.state.focused_text() {
            Some((_, value)) => {
                value.clear();
                true
            }
            None => false,
        })
    }
}

impl Desk<'_> {
    fn windows(&self) -> Vec<Window> {
        if self.state.booting || !self.state.system.awake {
            return Vec::new();
        }
        windows(self.state, &self.world.social(), self.now)
    }

    /// The topmost node at a point that satisfies a condition, in the topmost window that is there.
    fn node_at(&self, x: i32, y: i32, wanted: &dyn Fn(&Node) -> bool) -> Option<Node> {
        let windows = self.windows();
        let touched = windows
            .iter()
            .rev()
            .find(|window| window.layer != Layer::Toast && window.root.rect.contains(x, y))?;
        touched.root.hit(x, y, wanted).cloned()
    }

    fn press_long(&mut self, at: (i32, i32)) {
        let node = self.node_at(at.0, at.1, &|node| node.long_action.is_some());
        if let Some(action) = node.and_then(|node| node.long_action) {
            self.perform(&action, 50);
        }
    }

    fn slide_or_scroll(&mut self, from: (i32, i32), to: (i32, i32), up: i32) {
        let slider = self.node_at(from.0, from.1, &|node| {
            matches!(node.action, Some(Action::Social(SocialAction::Slide(_))))
        });
        if let Some(Node {
            action: Some(action),
            rect,
            ..
        }) = slider
        {
            let point = (to.0 - rect.left) * 100 / rect.width().max(1);
            return self.perform(&action, u8::try_from(point.clamp(0, 100)).unwrap_or(0));
        }
        let part = self.node_at(from.0, from.1, &|node| node.scroll.is_some());
        if let Some(scroll) = part.and_then(|node| node.scroll) {
            self.scroll(scroll, up);
        }
    }

    fn scroll(&mut self, scroll: Scroll, up: i32) {
        let offsets = match &self.state.front {
            Front::Social(network) => self.state.social.get_mut(network).map(|app| &mut app.scroll),
            Front::Settings => self.state.settings.as_mut().map(|app| &mut app.scroll),
            Front::Gallery => self.state.gallery.as_mut().map(|app| &mut app.scroll),
            Front::Launcher | Front::Other(_) => None,
        };
        let Some(offset) = offsets.map(|offsets| offsets.entry(scroll.id).or_default()) else {
            return;
        };
        let by = match scroll.page {
            Some(page) if up >= PAGE_TURN => page,
            Some(page) if up <= -PAGE_TURN => -page,
            Some(_) => 0,
            None => up,
        };
        *offset = (*offset + by).clamp(0, scroll.max);
    }

    /// Carries out what a tap means.
    pub(crate) fn perform(&mut self, action: &Action, point: u8) {
        match action {
            Action::Nothing => {}
            Action::System(action) => self.perform_system(action),
            Action::Settings(action) => {
                let mut app: SettingsApp = self.state.settings.take().unwrap_or_default();
                app.act(action, self);
                self.state.settings = Some(app);
            }
            Action::Gallery(action) => {
                let mut app: GalleryApp = self.state.gallery.take().unwrap_or_default();
                app.act(action, self);
                self.state.gallery = Some(app);
            }
            Action::Social(action) => {
                if let Front::Social(network) = self.state.front {
                    self.in_social(network, |app, desk| app.act(action, point, desk));
                }
            }
        }
    }

    /// Lets a social app work; when it crashes in doing so, it is gone afterwards.
    pub(crate) fn in_social<R>(
        &mut self,
        network: Network,
        work: impl FnOnce(&mut SocialApp, &mut Self) -> R,
    ) -> Option<R> {
        let mut app = self.state.social.remove(&network)?;
        let answer = work(&mut app, self);
        if std::mem::take(&mut self.crashing) {
            self.crash(network);
        } else {
            self.state.social.insert(network, app);
        }
        Some(answer)
    }

    fn perform_system(&mut self, action: &SystemAction) {
        match action {
            SystemAction::Launch(package) => {
                self.start(&Front::of(package));
            }
            SystemAction::DismissPopup => self.dismiss_popup(),
            SystemAction::CloseCrash => drop(self.state.dialogs.pop()),
            SystemAction::Permission(allowed) => {
                if let Some(Dialog::Permission { package, .. }) = self.state.dialogs.pop()
                    && *allowed
                {
                    self.grant_media(&package);
                }
            }
            SystemAction::CancelShare => drop(self.state.dialogs.pop()),
            SystemAction::ShareTo(network, placement) => {
                let Some(Dialog::Share(media)) = self.state.dialogs.pop() else {
                    return;
                };
                if !self.start(&Front::Social(*network)) {
                    return self.toast("App not installed");
                }
                self.in_social(*network, |app, desk| app.receive(media, *placement, desk));
            }
            SystemAction::Type(text) => drop(self.type_text(text)),
            SystemAction::Erase => self.press(67),
            SystemAction::Enter => self.press(66),
        }
    }

    fn type_text(&mut self, text: &str) -> bool {
        let Some((field, value)) = self.state.focused_text() else {
            return false;
        };
        let numeric = matches!(field, Field::OriginalVolume | Field::AddedVolume);
        let limit = match field {
            _ if numeric => 3,
            Field::SettingsSearch => SEARCH_MAX,
            _ => TEXT_MAX,
        };
        let room = limit - value.chars().count().min(limit);
        value.extend(
            text.chars()
                .filter(|letter| !numeric || letter.is_ascii_digit())
                .take(room),
        );
        true
    }

    fn press(&mut self, code: u32) {
        match code {
            3 => self.go_home(),
            4 | 111 => self.go_back(),
            26 if self.state.system.awake => self.sleep(),
            26 | 224 => self.state.system.awake = true,
            223 => self.sleep(),
            82 => self.state.system.locked &= !self.state.system.awake,
            66 | 160 => self.press_enter(),
            67 => {
                if let Some((_, value)) = self.state.focused_text() {
                    value.pop();
                }
            }
            187 => self.switch_app(),
            279 => {
                let text = self.state.system.clipboard.clone();
                self.type_text(&text);
            }
            _ => {
                if let Some(letter) = letter_of(code) {
                    self.type_text(&letter.to_string());
                }
            }
        }
    }

    fn sleep(&mut self) {
        self.state.system.awake = false;
        self.state.system.locked = true;
        self.state.keyboard_open = false;
    }

    fn go_home(&mut self) {
        if self.state.system.locked || !self.state.system.awake {
            return;
        }
        self.leave_front();
        self.state.dialogs.retain(|dialog| !matches!(dialog, Dialog::Share(_)));
        self.state.front = Front::Launcher;
    }

    fn leave_front(&mut self) {
        if self.state.front != Front::Launcher {
            self.state.previous = Some(self.state.front.clone());
        }
        self.state.blur();
    }

    fn switch_app(&mut self) {
        if let Some(other) = self.state.previous.take() {
            self.start(&other);
        }
    }

    fn go_back(&mut self) {
        if self.state.system.locked || !self.state.system.awake {
            return;
        }
        if self.state.popup_open && self.state.faults.get(super::fault::FaultKind::Popup).is_some() {
            self.dismiss_popup();
        } else if self.state.dialogs.pop().is_some() {
        } else if self.state.keyboard_open {
            self.state.keyboard_open = false;
        } else if !self.app_goes_back() {
            self.go_home();
        }
    }

    fn app_goes_back(&mut self) -> bool {
        match self.state.front.clone() {
            Front::Launcher => true,
            Front::Other(_) => false,
            Front::Settings => {
                self.state.blur();
                self.state.settings.as_mut().is_some_and(SettingsApp::back)
            }
            Front::Gallery => self.state.gallery.as_mut().is_some_and(GalleryApp::back),
            Front::Social(network) => {
                let (faults, data) = (&self.state.faults, self.state.data.get(network));
                if self
                    .state
                    .social
                    .get(&network)
                    .is_some_and(|app| app.is_shut(faults, data))
                {
                    return false;
                }
                if !self.state.data.get(network).first_run.is_empty() {
                    self.state.data.get_mut(network).first_run.remove(0);
                    return true;
                }
                self.in_social(network, SocialApp::back).unwrap_or(false)
            }
        }
    }

    fn press_enter(&mut self) {
        match (self.state.focus, self.state.front.clone()) {
            (Some(Field::Search), Front::Social(network)) => {
                self.in_social(network, SocialApp::submit_search);
            }
            (Some(Field::Caption | Field::StoryText), _) => drop(self.type_text("\n")),
            (Some(_), _) => self.state.blur(),
            (None, _) => {}
        }
    }
}

/// What a key types: digits, letters, and the signs that have a key of their own.
fn letter_of(code: u32) -> Option<char> {
    let from = |first: u8, offset: u32| u8::try_from(offset).ok().map(|offset| char::from(first + offset));
    match code {
        7..=16 => from(b'0', code - 7),
        29..=54 => from(b'a', code - 29),
        17 => Some('*'),
        18 => Some('#'),
        55 => Some(','),
        56 => Some('.'),
        62 => Some(' '),
        69 => Some('-'),
        70 => Some('='),
        74 => Some(';'),
        75 => Some('\''),
        76 => Some('/'),
        77 => Some('@'),
        81 => Some('+'),
        _ => None,
    }
}
