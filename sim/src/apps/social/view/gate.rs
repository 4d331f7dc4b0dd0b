//! What stands before the app's pages: challenge, login, the dialogs of the first minutes.

use super::{Scene, ground, title_bar};
use crate::{
    apps::{
        Action, Field,
        kit::{self, GREY, PALE, WHITE},
        node::{Node, Picture, Rect, class},
        social::{FirstRun, SocialAction},
    },
    world::Network,
};

/// Only a person can go on from here: no tap leads away.
pub(super) fn challenge(scene: &Scene<'_>) -> Node {
    let root = ground().with(
        kit::label(Rect::at(90, 320, 900, 90), "Verify it's you")
            .id("challenge_title")
            .size(60)
            .centred(),
    );
    match scene.app.network {
        Network::TikTok => root
            .with(
                kit::label(Rect::at(90, 430, 900, 80), "Drag the slider to fit the puzzle")
                    .id("challenge_text")
                    .ink(GREY)
                    .centred(),
            )
            .with(
                kit::drawing(
                    Rect::at(140, 600, 800, 560),
                    Picture::Tile {
                        name: "puzzle".to_owned(),
                        video: false,
                    },
                )
                .id("challenge_puzzle"),
            )
            .with(
                Node::new(class::SEEK, Rect::at(140, 1_230, 800, 110))
                    .id("challenge_slider")
                    .picture(Picture::Slider(3))
                    .tap(Action::Nothing),
            ),
        Network::Instagram => root
            .with(
                kit::label(
                    Rect::at(90, 430, 900, 80),
                    "Enter the 6-digit code we sent to your email",
                )
                .id("challenge_text")
                .ink(GREY)
                .size(36)
                .centred(),
            )
            .with(
                kit::field(
                    Rect::at(90, 600, 900, 120),
                    Field::Code,
                    scene.app.value(Field::Code),
                    "Security code",
                    scene.phone.focus,
                )
                .id("challenge_code"),
            )
            .with(
                kit::button(
                    Rect::at(90, 780, 900, 120),
                    "Submit",
                    scene.skin.accent,
                    WHITE,
                    Action::Nothing,
                )
                .id("challenge_submit"),
            ),
    }
}

/// The login form; `inside`: opened by "Add account", so there is a way back.
pub(super) fn login(scene: &Scene<'_>, inside: bool) -> Node {
    let app = scene.app;
    let title = format!("Log in to {}", scene.skin.label);
    let mut root = ground();
    root = if inside {
        root.with(title_bar(&title, "login_title"))
    } else {
        root.with(
            kit::label(Rect::at(90, 320, 900, 90), title)
                .id("login_title")
                .size(60)
                .centred(),
        )
    };
    let mut password = kit::field(
        Rect::at(90, 660, 900, 120),
        Field::LoginPassword,
        app.value(Field::LoginPassword),
        "Password",
        scene.phone.focus,
    )
    .id("login_password");
    password.password = !app.value(Field::LoginPassword).is_empty();
    root.with(
        kit::field(
            Rect::at(90, 500, 900, 120),
            Field::LoginName,
            app.value(Field::LoginName),
            "Email or username",
            scene.phone.focus,
        )
        .id("login_username"),
    )
    .with(password)
    .with(
        kit::button(
            Rect::at(90, 840, 900, 120),
            "Log in",
            scene.skin.accent,
            WHITE,
            SocialAction::LogIn,
        )
        .id("login_button"),
    )
    .with(
        kit::button(
            Rect::at(90, 1_000, 900, 120),
            "Create new account",
            PALE,
            GREY,
            Action::Nothing,
        )
        .id("signup_button"),
    )
}

pub(super) fn first_run(scene: &Scene<'_>, dialog: FirstRun) -> Node {
    let label = scene.skin.label;
    let (title, message, yes, no) = match dialog {
        FirstRun::Notifications => (
            "Turn on notifications?".to_owned(),
            "Be the first to know when someone interacts with you.".to_owned(),
            "Turn on",
            "Not now",
        ),
        FirstRun::Contacts => (
            "Find contacts".to_owned(),
            format!("Let {label} access your contacts to find people you know."),
            "Allow",
            "Don't allow",
        ),
        FirstRun::LoginInfo => (
            "Save your login info?".to_owned(),
            "We'll remember it, so you don't have to enter it when you log in again.".to_owned(),
            "Save",
            "Not now",
        ),
    };
    let buttons = vec![
        (
            "dialog_yes".to_owned(),
            yes.to_owned(),
            Action::Social(SocialAction::FirstRun(true)),
        ),
        (
            "dialog_no".to_owned(),
            no.to_owned(),
            Action::Social(SocialAction::FirstRun(false)),
        ),
    ];
    kit::over(kit::dialog(&title, &message, buttons), None)
}
