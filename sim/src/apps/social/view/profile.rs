//! Pages of persons and sounds.

use std::sync::Arc;

use super::{Scene, ground, tab_bar, title_bar, upload_banner};
use crate::{
    apps::{
        kit::{self, BLACK, GREY, PALE, WHITE, WIDTH},
        node::{Icon, Node, Picture, Rect, ScrollId, class},
        social::{SocialAction, Tab},
    },
    world::{
        Network,
        social::{Post, Relation},
    },
};

/// The grid of posts.
const GRID: ScrollId = ScrollId("profile");

pub(super) fn own(scene: &Scene<'_>) -> Node {
    let me = scene.me();
    let top = kit::STATUS;
    let shown = match scene.app.network {
        Network::TikTok => format!("@{me}"),
        Network::Instagram => me.to_owned(),
    };
    let bar = Node::new(class::GROUP, Rect::at(0, top, WIDTH, 130))
        .id("profile_bar")
        .with(
            Node::new(class::LINEAR, Rect::at(240, top + 15, 600, 100))
                .id("account_switcher")
                .desc("Switch account")
                .tap(SocialAction::OpenAccounts)
                .with(
                    kit::label(Rect::at(260, top + 25, 480, 80), shown)
                        .id(scene.skin.profile_name_id)
                        .size(50)
                        .centred(),
                )
                .with(kit::drawing(
                    Rect::at(760, top + 35, 60, 60),
                    Picture::Icon(Icon::ChevronDown),
                )),
        );
    let mut root = ground().with(bar);
    let mut y = top + 140;
    if let Some(banner) = upload_banner(scene, y) {
        root = root.with(banner);
        y += 130;
    }
    root = root.with(head(scene, me, y));
    let edit = kit::button(
        Rect::at(90, y + 380, 900, 100),
        "Edit profile",
        PALE,
        BLACK,
        crate::apps::Action::Nothing,
    );
    root = root.with(edit.id("edit_profile_button"));
    let drafts = scene.data.own_drafts().count();
    let posts = scene.social.posts_of(scene.app.network, me);
    root.with(grid(
        scene,
        me,
        &posts,
        drafts,
        Rect::new(0, y + 510, WIDTH, kit::NAVIGATION - 150),
    ))
    .with(tab_bar(scene, Tab::Profile))
}

pub(super) fn person(scene: &Scene<'_>, name: &str) -> Node {
    let y = kit::STATUS + 140;
    let (text, fill, ink, action) = match scene.social.relation(scene.app.network, scene.me(), name) {
        Relation::None => (
            "Follow",
            scene.skin.accent,
            WHITE,
            SocialAction::Follow(name.to_owned()),
        ),
        Relation::FollowedBy => (
            "Follow back",
            scene.skin.accent,
            WHITE,
            SocialAction::Follow(name.to_owned()),
        ),
        Relation::Requested => ("Requested", PALE, BLACK, SocialAction::AskUnfollow(name.to_owned())),
        Relation::Following => ("Following", PALE, BLACK, SocialAction::AskUnfollow(name.to_owned())),
    };
    let root = ground()
        .with(title_bar(name, "profile_title"))
        .with(head(scene, name, y))
        .with(kit::button(Rect::at(90, y + 380, 580, 100), text, fill, ink, action).id("follow_button"))
        .with(
            kit::button(
                Rect::at(690, y + 380, 300, 100),
                "Message",
                PALE,
                BLACK,
                crate::apps::Action::Nothing,
            )
            .id("message_button"),
        );
    let private = scene
        .social
        .person(scene.app.network, name)
        .is_some_and(|person| person.private);
    let follows = scene.social.relation(scene.app.network, scene.me(), name) == Relation::Following;
    if private && !follows {
        let text = "This account is private";
        return root.with(
            kit::label(Rect::at(90, y + 800, 900, 80), text)
                .id("private_text")
                .centred(),
        );
    }
    let posts = scene.social.posts_of(scene.app.network, name);
    root.with(grid(
        scene,
        name,
        &posts,
        0,
        Rect::new(0, y + 510, WIDTH, kit::NAVIGATION),
    ))
}

/// Portrait, name and counts.
fn head(scene: &Scene<'_>, name: &str, y: i32) -> Node {
    let (posts, followers, following) = scene.social.counts(scene.app.network, name);
    let count = |x: i32, id: &str, number: usize, word: &str| {
        Node::new(class::LINEAR, Rect::at(x, y + 220, 330, 140))
            .id(format!("{id}_group"))
            .desc(format!("{number} {word}"))
            .with(
                kit::label(Rect::at(x, y + 225, 330, 64), number.to_string())
                    .id(id)
                    .size(50)
                    .centred(),
            )
            .with(
                kit::label(Rect::at(x, y + 292, 330, 56), word)
                    .size(36)
                    .ink(GREY)
                    .centred(),
            )
    };
    let stories = scene.social.stories_of(scene.app.network, name).len();
    let mut avatar = kit::drawing(Rect::at(60, y + 10, 190, 190), Picture::Avatar(name.to_owned()));
    let mut header = Node::new(class::GROUP, Rect::at(0, y, WIDTH, 370)).id("profile_header");
    if stories > 0 {
        let place = Rect::at(290, y + 135, 500, 60);
        avatar = avatar
            .desc(format!("{name}'s story"))
            .tap(SocialAction::OpenStory(name.to_owned(), 0));
        header = header.with(
            kit::label(place, format!("Stories: {stories}"))
                .id("stories_count")
                .size(36)
                .ink(GREY),
        );
    }
    header
        .with(avatar.id("profile_avatar"))
        .with(
            kit::label(Rect::at(290, y + 60, 730, 80), format!("@{name}"))
                .id("profile_handle")
                .size(46),
        )
        .with(count(45, "posts_count", posts, "Posts"))
        .with(count(375, "followers_count", followers, "Followers"))
        .with(count(705, "following_count", following, "Following"))
}

fn grid(scene: &Scene<'_>, name: &str, posts: &[Arc<Post>], drafts: usize, rect: Rect) -> Node {
    let mut cells = Vec::new();
    if drafts > 0 {
        let index = scene.data.own_drafts().last().map_or(0, |(index, _)| index);
        cells.push((
            "drafts_cell",
            format!("Drafts: {drafts}"),
            None,
            SocialAction::OpenDraft(index),
        ));
    }
    for (index, post) in posts.iter().enumerate() {
        let action = SocialAction::OpenDetail(name.to_owned(), index);
        cells.push(("profile_post", post.caption.clone(), Some(post), action));
    }
    let list = Node::new(class::LIST, rect).id("profile_grid");
    if cells.is_empty() {
        let place = Rect::at(90, rect.top + 200, 900, 80);
        return list.with(kit::label(place, "No posts yet").id("empty_text").ink(GREY).centred());
    }
    let (places, height) = kit::cells(rect, 3, cells.len());
    let content = cells
        .into_iter()
        .zip(places)
        .map(|((id, description, post, action), place)| {
            let cell = Node::new(class::FRAME, place)
                .id(id)
                .desc(description.as_str())
                .tap(action);
            match post {
                Some(post) => {
                    let name = post.files.first().map_or_else(String::new, |file| file.name.clone());
                    cell.with(kit::drawing(
                        place.inset(4),
                        Picture::Tile {
                            name,
                            video: post.video,
                        },
                    ))
                }
                None => {
                    let words = Rect::at(place.left + 20, place.top + 140, 320, 80);
                    cell.fill(PALE)
                        .with(kit::label(words, description).id("drafts_text").centred())
                }
            }
        });
    let content = content.collect();
    list.scrolling(GRID, height, scene.app.offset(GRID), content)
}

pub(super) fn absent(scene: &Scene<'_>) -> Node {
    ground()
        .with(title_bar("", "profile_title"))
        .with(
            kit::label(Rect::at(90, 900, 900, 90), scene.skin.absent)
                .id("absent_text")
                .size(52)
                .centred(),
        )
        .with(
            kit::label(
                Rect::at(90, 1_010, 900, 80),
                "The link may be broken, or the account is gone",
            )
            .ink(GREY)
            .size(36)
            .centred(),
        )
}

pub(super) fn sound(scene: &Scene<'_>, sound: &str) -> Node {
    let artist = crate::world::social::search_sounds(sound)
        .into_iter()
        .find(|(title, _)| title == sound);
    let artist = artist.map_or_else(|| "original sound".to_owned(), |(_, artist)| artist);
    ground()
        .with(title_bar("", "sound_bar_title"))
        .with(kit::drawing(Rect::at(60, 260, 260, 260), Picture::Icon(Icon::Note)))
        .with(
            kit::label(Rect::at(360, 300, 660, 80), sound)
                .id("sound_title")
                .size(52),
        )
        .with(
            kit::label(Rect::at(360, 390, 660, 70), artist)
                .id("sound_artist")
                .ink(GREY),
        )
        .with(
            kit::button(
                Rect::at(90, 2_150, 900, 130),
                scene.skin.use_sound,
                scene.skin.accent,
                WHITE,
                SocialAction::UseSound(sound.to_owned()),
            )
            .id("use_sound_button"),
        )
}
