//! Discover and search.

use super::{Scene, ground, tab_bar};
use crate::{
    apps::{
        Field,
        kit::{self, BLACK, Column, GREY, WIDTH},
        node::{Icon, Node, Picture, Rect, ScrollId, class},
        social::{SearchTab, SocialAction, Tab},
    },
    world::social::search_sounds,
};

const RESULTS: ScrollId = ScrollId("results");
const ROW: i32 = 170;

pub(super) fn discover(scene: &Scene<'_>) -> Node {
    let y = kit::STATUS + 20;
    let entry = Node::new(class::LINEAR, Rect::at(40, y, 1_000, 100))
        .id("search_entry")
        .desc("Search")
        .fill(kit::PALE)
        .radius(24)
        .tap(SocialAction::OpenSearch)
        .with(kit::drawing(Rect::at(60, y + 20, 60, 60), Picture::Icon(Icon::Search)))
        .with(
            kit::label(Rect::at(140, y + 15, 860, 70), "Search")
                .id("search_entry_text")
                .ink(GREY),
        );
    let mut column = Column::new(40, 300, 1_000);
    let people = scene.social.feed(scene.app.network, scene.me());
    let rows = people.iter().take(5).map(|post| {
        kit::label(column.next(140), format!("@{}: {}", post.account, post.caption))
            .id("discover_item")
            .tap(SocialAction::OpenPerson(post.account.clone()))
    });
    let rows: Vec<Node> = rows.collect();
    ground().with(entry).all(rows).with(tab_bar(scene, Tab::Discover))
}

pub(super) fn search(scene: &Scene<'_>) -> Node {
    let app = scene.app;
    let y = kit::STATUS + 20;
    let bar = Node::new(class::LINEAR, Rect::at(0, y - 20, WIDTH, 140))
        .id("search_bar")
        .with(kit::icon(Rect::at(24, y + 5, 90, 90), Icon::Back, "Back", SocialAction::Back).id("back_button"))
        .with(
            kit::field(
                Rect::at(130, y, 700, 100),
                Field::Search,
                app.value(Field::Search),
                "Search",
                scene.phone.focus,
            )
            .id("search_field"),
        )
        .with(
            kit::word(
                Rect::at(840, y, 220, 100),
                "Search",
                scene.skin.accent,
                SocialAction::SubmitSearch,
            )
            .id("search_submit"),
        );
    let root = ground().with(bar);
    let Some(query) = &app.searched else {
        return root.with(
            kit::label(Rect::at(60, 300, 960, 70), "Search for people and sounds")
                .id("search_idle")
                .ink(GREY),
        );
    };
    let tab = |x: i32, text: &str, id: &str, tab: SearchTab| {
        let selected = app.search_tab == tab;
        kit::word(
            Rect::at(x, 240, 300, 100),
            text,
            if selected { BLACK } else { GREY },
            SocialAction::ShowSearchTab(tab),
        )
        .id(id)
        .selected(selected)
    };
    root.with(tab(40, "Users", "search_tab_users", SearchTab::Users))
        .with(tab(
            360,
            scene.skin.sounds_title,
            "search_tab_sounds",
            SearchTab::Sounds,
        ))
        .with(results(scene, query))
}

fn results(scene: &Scene<'_>, query: &str) -> Node {
    let rect = Rect::new(0, 360, WIDTH, kit::NAVIGATION);
    let mut column = Column::new(0, rect.top, WIDTH);
    let rows: Vec<Node> = match scene.app.search_tab {
        SearchTab::Users => {
            let people = scene.social.search(scene.app.network, query);
            people
                .into_iter()
                .map(|name| user_row(scene, &name, column.next(ROW)))
                .collect()
        }
        SearchTab::Sounds => search_sounds(query)
            .into_iter()
            .map(|(title, artist)| {
                sound_row(
                    column.next(ROW),
                    &title,
                    &artist,
                    SocialAction::OpenSound(title.clone()),
                )
            })
            .collect(),
    };
    let list = Node::new(class::LIST, rect).id("search_results");
    if rows.is_empty() {
        let text = format!("No results found for \"{query}\"");
        return list.with(kit::label(Rect::at(60, 600, 960, 80), text).id("empty_text").centred());
    }
    list.scrolling(RESULTS, column.y - rect.top, scene.app.offset(RESULTS), rows)
}

fn user_row(scene: &Scene<'_>, name: &str, rect: Rect) -> Node {
    let (_, followers, _) = scene.social.counts(scene.app.network, name);
    Node::new(class::GROUP, rect)
        .id("search_user")
        .tap(SocialAction::OpenPerson(name.to_owned()))
        .with(kit::drawing(
            Rect::at(40, rect.top + 20, 130, 130),
            Picture::Avatar(name.to_owned()),
        ))
        .with(
            kit::label(Rect::at(200, rect.top + 25, 800, 64), name)
                .id("search_user_name")
                .size(46),
        )
        .with(
            kit::label(Rect::at(200, rect.top + 92, 800, 54), format!("{followers} followers"))
                .id("search_user_info")
                .size(36)
                .ink(GREY),
        )
}

/// A sound in a list.
pub(super) fn sound_row(rect: Rect, title: &str, artist: &str, action: SocialAction) -> Node {
    Node::new(class::GROUP, rect)
        .id("sound_item")
        .tap(action)
        .with(kit::drawing(
            Rect::at(rect.left + 40, rect.top + 25, 110, 110),
            Picture::Icon(Icon::Note),
        ))
        .with(kit::label(Rect::at(rect.left + 190, rect.top + 25, 760, 64), title).id("sound_item_title"))
        .with(
            kit::label(Rect::at(rect.left + 190, rect.top + 92, 760, 54), artist)
                .id("sound_item_artist")
                .size(36)
                .ink(GREY),
        )
}
