//! The feed, the inbox, and one post by itself.

use super::{Scene, ground, tab_bar, title_bar, upload_banner};
use crate::{
    apps::{
        kit::{self, GREY, WHITE, WIDTH},
        node::{Icon, Node, Picture, Rect, Scroll, ScrollId, class},
        social::{SocialAction, Tab},
    },
    world::{Network, social::Post},
};

/// The feed moves by whole posts.
pub(crate) const FEED: ScrollId = ScrollId("feed");
const FEED_TOP: i32 = 214;

pub(super) fn feed(scene: &Scene<'_>) -> Node {
    let posts = scene.social.feed(scene.app.network, scene.me());
    let rect = Rect::new(0, FEED_TOP, WIDTH, kit::NAVIGATION - 150);
    let page = rect.height();
    let count = i32::try_from(posts.len()).unwrap_or(0);
    let max = (count - 1).max(0) * page;
    let offset = scene.app.offset(FEED).clamp(0, max);
    let index = usize::try_from(offset / page).unwrap_or(0);
    let mut pager = Node::new(class::PAGER, rect).id("feed_pager");
    pager.scroll = Some(Scroll {
        id: FEED,
        max,
        page: Some(page),
    });
    if !scene.phone.online() {
        pager = pager.with(
            kit::label(Rect::at(90, 1_000, 900, 80), "No internet connection")
                .id("empty_text")
                .centred(),
        );
    } else if let Some(post) = posts.get(index) {
        pager = pager.with(card(post, rect));
    }
    let top = Node::new(class::LINEAR, Rect::at(0, kit::STATUS, WIDTH, 130))
        .id("top_bar")
        .with(kit::label(Rect::at(40, kit::STATUS + 25, 400, 80), heading(scene)).size(52))
        .with(
            kit::icon(
                Rect::at(950, kit::STATUS + 20, 90, 90),
                Icon::Search,
                "Search",
                SocialAction::OpenSearch,
            )
            .id("search_button"),
        );
    let mut root = ground().with(pager).with(top);
    root.children.extend(upload_banner(scene, FEED_TOP + 10));
    root.with(tab_bar(scene, Tab::Home))
}

fn heading(scene: &Scene<'_>) -> &'static str {
    match scene.app.network {
        Network::TikTok => "For You",
        Network::Instagram => "Instagram",
    }
}

fn card(post: &Post, rect: Rect) -> Node {
    let name = post.files.first().map_or("post", |file| file.name.as_str()).to_owned();
    let y = rect.bottom - 330;
    let side = |place: i32, icon: Icon, desc: &str| {
        Node::new(class::IMAGE, Rect::at(950, y - 420 + place * 150, 90, 90))
            .desc(desc)
            .picture(Picture::Icon(icon))
            .ink(WHITE)
    };
    Node::new(class::FRAME, rect)
        .id("feed_item")
        .with(
            kit::drawing(
                rect.inset(12),
                Picture::Tile {
                    name,
                    video: post.video,
                },
            )
            .id("feed_media"),
        )
        .with(
            kit::label(Rect::at(40, y, 800, 70), format!("@{}", post.account))
                .id("feed_author")
                .size(46)
                .ink(WHITE)
                .tap(SocialAction::OpenPerson(post.account.clone())),
        )
        .with(
            kit::label(Rect::at(40, y + 80, 860, 140), post.caption.as_str())
                .id("feed_caption")
                .ink(WHITE),
        )
        .with(side(0, Icon::Heart, "Like video"))
        .with(side(1, Icon::Comment, "Read or add comments"))
        .with(side(2, Icon::Share, "Share video"))
}

pub(super) fn inbox(scene: &Scene<'_>) -> Node {
    let (_, followers, _) = scene.social.counts(scene.app.network, scene.me());
    ground()
        .with(
            kit::label(Rect::at(40, kit::STATUS + 25, 1_000, 80), "Inbox")
                .id("inbox_title")
                .size(52)
                .centred(),
        )
        .with(kit::label(Rect::at(40, 320, 1_000, 70), format!("New followers: {followers}")).id("inbox_followers"))
        .with(
            kit::label(Rect::at(40, 420, 1_000, 70), "No messages yet")
                .id("empty_text")
                .ink(GREY),
        )
        .with(tab_bar(scene, Tab::Inbox))
}

/// One post of somebody's grid.
pub(super) fn detail(scene: &Scene<'_>, name: &str, index: usize) -> Node {
    let posts = scene.social.posts_of(scene.app.network, name);
    let rect = Rect::new(0, FEED_TOP, WIDTH, kit::NAVIGATION - 20);
    let root = ground().with(title_bar(&format!("@{name}"), "detail_author"));
    match posts.get(index) {
        None => root.with(
            kit::label(Rect::at(90, 900, 900, 80), "This post isn't available")
                .id("empty_text")
                .centred(),
        ),
        Some(post) => {
            let sound = post
                .sound
                .clone()
                .unwrap_or_else(|| format!("original sound - {}", post.account));
            root.with(card(post, rect)).with(
                kit::label(Rect::at(40, rect.bottom - 90, 860, 60), format!("♫ {sound}"))
                    .id("detail_sound")
                    .ink(GREY),
            )
        }
    }
}

/// One story; a tap goes on to the next older one.
pub(super) fn story(scene: &Scene<'_>, name: &str, index: usize) -> Node {
    let stories = scene.social.stories_of(scene.app.network, name);
    let root = ground().with(title_bar(&format!("@{name}"), "story_author"));
    let Some(post) = stories.get(index) else {
        let place = Rect::at(90, 900, 900, 80);
        return root.with(
            kit::label(place, "This story is unavailable")
                .id("empty_text")
                .centred(),
        );
    };
    let file = post.files.first().map_or_else(String::new, |file| file.name.clone());
    let next = SocialAction::OpenStory(name.to_owned(), (index + 1) % stories.len());
    let rect = Rect::new(0, FEED_TOP, WIDTH, kit::NAVIGATION);
    let picture = Picture::Tile {
        name: file.clone(),
        video: post.video,
    };
    let count = format!("{} of {}", index + 1, stories.len());
    root.with(kit::drawing(rect, picture).id("story_media").desc(file).tap(next))
        .with(
            kit::label(Rect::at(40, FEED_TOP + 20, 400, 60), count)
                .id("story_count")
                .ink(WHITE),
        )
        .with(
            kit::label(Rect::at(90, 1_000, 900, 300), post.caption.as_str())
                .id("story_caption")
                .ink(WHITE)
                .centred(),
        )
}
