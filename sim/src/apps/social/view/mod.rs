//! What the social apps' pages look like.

mod editor;
mod gate;
mod home;
mod picker;
mod profile;
mod search;
mod sheets;

use super::{Screen, Skin, SocialAction, SocialApp, SocialData, Tab, act::Gate};
use crate::{
    apps::{
        Window,
        kit::{self, BLACK, GREY, WHITE, WIDTH},
        node::{Icon, Node, Picture, Rect, class},
    },
    world::{PhoneState, clock::Millis, social::Social},
};

/// What a page is built from.
pub(super) struct Scene<'a> {
    pub app: &'a SocialApp,
    pub skin: &'static Skin,
    pub phone: &'a PhoneState,
    pub data: &'a SocialData,
    pub social: &'a Social,
    pub now: Millis,
}

impl Scene<'_> {
    /// The current account; empty when nobody is logged in.
    pub fn me(&self) -> &str {
        self.data.current.as_deref().unwrap_or_default()
    }
}

/// The app's windows, the lowest first.
pub fn windows(app: &SocialApp, phone: &PhoneState, social: &Social, now: Millis) -> Vec<Window> {
    let skin = Skin::of(app.network);
    let data = phone.data.get(app.network);
    let scene = Scene {
        app,
        skin,
        phone,
        data,
        social,
        now,
    };
    let package = app.network.package();
    let gate = app.gate(&phone.faults, data);
    let (page, component) = match gate {
        Some(Gate::Challenge) => (gate::challenge(&scene), "challenge.ChallengeActivity".to_owned()),
        Some(Gate::LoggedOut) => (gate::login(&scene, false), "login.LoginActivity".to_owned()),
        None => (page(&scene), activity(&scene)),
    };
    let mut windows = vec![Window::new(package, format!("{package}/{component}"), kit::decor(page))];
    if gate.is_some() {
        return windows;
    }
    if let Some(dialog) = data.first_run.first() {
        let root = gate::first_run(&scene, *dialog);
        windows.push(Window::new(package, format!("{package}/{component}"), root));
    } else if let Some(sheet) = &app.sheet {
        windows.push(Window::new(
            package,
            format!("{package}/{component}"),
            sheets::sheet(&scene, sheet),
        ));
    }
    windows
}

fn activity(scene: &Scene<'_>) -> String {
    match scene.app.screen() {
        Screen::Camera | Screen::Picker | Screen::Editor => "creation.CreationActivity".to_owned(),
        Screen::Post => "publish.PublishActivity".to_owned(),
        Screen::Person(_) | Screen::Absent => "profile.ProfileActivity".to_owned(),
        Screen::Sound(_) => "sound.SoundActivity".to_owned(),
        Screen::Login => "login.LoginActivity".to_owned(),
        _ => scene.skin.activity.to_owned(),
    }
}

fn page(scene: &Scene<'_>) -> Node {
    match scene.app.screen() {
        Screen::Tab(Tab::Home) => home::feed(scene),
        Screen::Tab(Tab::Discover) => search::discover(scene),
        Screen::Tab(Tab::Inbox) => home::inbox(scene),
        Screen::Tab(Tab::Profile) => profile::own(scene),
        Screen::Search => search::search(scene),
        Screen::Person(name) => profile::person(scene, name),
        Screen::Absent => profile::absent(scene),
        Screen::Sound(sound) => profile::sound(scene, sound),
        Screen::Detail(name, index) => home::detail(scene, name, *index),
        Screen::Story(name, index) => home::story(scene, name, *index),
        Screen::Camera => picker::camera(scene),
        Screen::Picker => picker::picker(scene),
        Screen::Editor => editor::editor(scene),
        Screen::Post => editor::post(scene),
        Screen::Login => gate::login(scene, true),
    }
}

/// A page's ground, below the status bar.
pub(super) fn ground() -> Node {
    Node::new(class::RELATIVE, Rect::new(0, kit::STATUS, WIDTH, kit::NAVIGATION))
}

/// The bar at the top of a further page: Back and a title.
pub(super) fn title_bar(title: &str, id: &str) -> Node {
    let y = kit::STATUS;
    Node::new(class::GROUP, Rect::at(0, y, WIDTH, 130))
        .id("title_bar")
        .with(kit::icon(Rect::at(24, y + 20, 90, 90), Icon::Back, "Back", SocialAction::Back).id("back_button"))
        .with(
            kit::label(Rect::at(130, y + 25, 820, 80), title)
                .id(id)
                .size(52)
                .centred(),
        )
}

/// The bar at the foot of the main pages.
pub(super) fn tab_bar(scene: &Scene<'_>, current: Tab) -> Node {
    let tabs = [
        (Some(Tab::Home), Icon::Home),
        (Some(Tab::Discover), Icon::Search),
        (None, Icon::Plus),
        (Some(Tab::Inbox), Icon::Inbox),
        (Some(Tab::Profile), Icon::Person),
    ];
    let top = kit::NAVIGATION - 150;
    let mut bar = Node::new(class::LINEAR, Rect::at(0, top, WIDTH, 150))
        .id("tab_bar")
        .fill(WHITE);
    let mut x = 0;
    for ((tab, icon), (id, name)) in tabs.into_iter().zip(scene.skin.tabs) {
        let selected = tab == Some(current);
        let action = tab.map_or(SocialAction::Create, SocialAction::OpenTab);
        let ink = if selected { BLACK } else { GREY };
        let mut cell = Node::new(class::FRAME, Rect::at(x, top, 216, 150))
            .id(id)
            .desc(name)
            .selected(selected)
            .tap(action);
        let height = if scene.skin.tab_texts { 80 } else { 110 };
        cell = cell.with(
            Node::new(class::IMAGE, Rect::at(x + 68, top + 16, 80, height))
                .picture(Picture::Icon(icon))
                .ink(ink),
        );
        if scene.skin.tab_texts {
            cell = cell.with(
                kit::label(Rect::at(x, top + 98, 216, 44), name)
                    .size(32)
                    .ink(ink)
                    .centred(),
            );
        }
        bar = bar.with(cell);
        x += 216;
    }
    bar
}

/// What the app says of the upload that has ended last, or how far the newest running one is, at the top of the main pages: for
/// some seconds the word on an earlier one hides that another is still on its way.
pub(super) fn upload_banner(scene: &Scene<'_>, top: i32) -> Option<Node> {
    let rect = Rect::at(24, top, WIDTH - 48, 110);
    let banner = Node::new(class::LINEAR, rect)
        .id("upload_banner")
        .fill(kit::PALE)
        .radius(20);
    if let Some(told) = scene.app.banner.as_ref().filter(|told| told.until > scene.now) {
        let text = kit::label(Rect::at(60, top + 25, 960, 60), told.text.as_str());
        return Some(banner.with(text.id("upload_result")));
    }
    let mut running = scene.phone.uploads.iter();
    let upload = running.rfind(|upload| upload.post.network == scene.app.network)?;
    let percent = upload.percent(scene.now);
    let text = format!("Uploading… {percent}%");
    let bar = Rect::at(60, top + 84, i32::try_from(percent).unwrap_or(0) * 960 / 100 + 1, 10);
    Some(
        banner
            .with(kit::label(Rect::at(60, top + 16, 960, 60), text).id("upload_progress"))
            .with(Node::new(class::PROGRESS, bar).id("upload_bar").fill(scene.skin.accent)),
    )
}
