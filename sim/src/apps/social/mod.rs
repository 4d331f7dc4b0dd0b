//! The two social apps: one machine with two skins. `act` is what taps do, `compose` the way from media to a post,
//! `link` what a link opens, `view` what the screens look like.

mod act;
mod compose;
mod follow;
mod link;
mod skin;
mod view;

use std::collections::BTreeMap;

use super::{Field, node::ScrollId};
use crate::world::{
    Network,
    clock::Millis,
    social::{Placement, PostWay},
};

pub use self::{act::Gate, link::Target, skin::Skin, view::windows};

/// How long a confirmation stays on the screen.
pub(crate) const BANNER_MS: Millis = 8_000;
/// How many images one post can have.
pub(crate) const IMAGES_MAX: usize = 20;

/// The bottom tabs that are pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tab {
    Home,
    Discover,
    Inbox,
    Profile,
}

/// The pages of an app; they lie on a stack, Back takes the topmost off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    Tab(Tab),
    Search,
    Person(String),
    /// A person or sound that is not there.
    Absent,
    Sound(String),
    /// A post of somebody's grid, by its place.
    Detail(String, usize),
    /// Somebody's story, by its place; the newest is 0.
    Story(String, usize),
    /// TikTok's camera, before the picker.
    Camera,
    Picker,
    Editor,
    Post,
    Login,
}

/// What lies over the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sheet {
    Accounts,
    Unfollow(String),
    LeaveDraft,
    Sounds,
    Volumes,
    Products,
}

/// Dialogs of an app's first minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FirstRun {
    Notifications,
    Contacts,
    LoginInfo,
}

/// What the media picker shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Filter {
    #[default]
    All,
    Videos,
    Photos,
}

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SearchTab {
    #[default]
    Users,
    Sounds,
}

/// A post in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub way: PostWay,
    pub placement: Placement,
    /// Ids of MediaStore rows in the order of selection.
    pub picks: Vec<u64>,
    pub video: bool,
    pub sound: Option<String>,
    pub original_volume: u8,
    pub added_volume: u8,
    pub product_link: Option<String>,
    pub caption: String,
    /// Whose it is; empty until it is saved.
    pub account: String,
}

impl Draft {
    /// An empty one.
    pub fn new(network: Network, way: PostWay) -> Self {
        Self {
            way,
            placement: if network == Network::TikTok {
                Placement::Feed
            } else {
                Placement::Reel
            },
            picks: Vec::new(),
            video: false,
            sound: None,
            original_volume: 50,
            added_volume: 50,
            product_link: None,
            caption: String::new(),
            account: String::new(),
        }
    }
}

/// A message that stays for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Banner {
    pub text: String,
    pub until: Millis,
}

/// A running app.
#[derive(Debug)]
pub struct SocialApp {
    pub network: Network,
    pub stack: Vec<Screen>,
    pub sheet: Option<Sheet>,
    pub fields: BTreeMap<Field, String>,
    pub scroll: BTreeMap<ScrollId, i32>,
    pub draft: Draft,
    pub filter: Filter,
    pub search_tab: SearchTab,
    /// The query whose results show.
    pub searched: Option<String>,
    pub banner: Option<Banner>,
}

/// What an app keeps while it does not run.
#[derive(Debug, Default)]
pub struct SocialData {
    /// Logged in, in the order of login.
    pub accounts: Vec<String>,
    pub current: Option<String>,
    /// Still to come.
    pub first_run: Vec<FirstRun>,
    pub drafts: Vec<Draft>,
}

impl SocialData {
    /// As after the installation.
    pub fn fresh(network: Network, first_run: bool) -> Self {
        let dialogs = match network {
            Network::TikTok => vec![FirstRun::Notifications, FirstRun::Contacts],
            Network::Instagram => vec![FirstRun::LoginInfo, FirstRun::Notifications],
        };
        Self {
            first_run: if first_run { dialogs } else { Vec::new() },
            ..Self::default()
        }
    }

    /// Drafts of the current account.
    pub fn own_drafts(&self) -> impl Iterator<Item = (usize, &Draft)> {
        let me = self.current.as_deref();
        self.drafts
            .iter()
            .enumerate()
            .filter(move |(_, draft)| Some(draft.account.as_str()) == me)
    }
}

/// What a tap on one of these apps means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SocialAction {
    Back,
    OpenTab(Tab),
    Create,
    OpenSearch,
    SubmitSearch,
    ShowSearchTab(SearchTab),
    OpenPerson(String),
    OpenSound(String),
    OpenDetail(String, usize),
    OpenStory(String, usize),
    Follow(String),
    AskUnfollow(String),
    Unfollow(String),
    CloseSheet,
    OpenAccounts,
    SwitchTo(String),
    AddAccount,
    LogIn,
    FirstRun(bool),
    UseSound(String),
    CameraUpload,
    PickPlacement(Placement),
    PickFilter(Filter),
    TogglePick(u64),
    PickNext,
    OpenSounds,
    SearchSounds,
    ChooseSound(String),
    RemoveSound,
    OpenVolumes,
    CloseVolumes,
    /// A slider; the value comes from where it was touched.
    Slide(Field),
    EditorNext,
    OpenProducts,
    ChooseProduct(String),
    RemoveProduct,
    Publish,
    SaveDraft,
    Discard,
    OpenDraft(usize),
}

impl SocialApp {
    /// Just started: the feed.
    pub fn new(network: Network) -> Self {
        Self {
            network,
            stack: vec![Screen::Tab(Tab::Home)],
            sheet: None,
            fields: BTreeMap::new(),
            scroll: BTreeMap::new(),
            draft: Draft::new(network, PostWay::AddButton),
            filter: Filter::default(),
            search_tab: SearchTab::default(),
            searched: None,
            banner: None,
        }
    }

    /// The page that shows.
    pub fn screen(&self) -> &Screen {
        self.stack.last().unwrap_or(&Screen::Tab(Tab::Home))
    }

    /// A field's text.
    pub fn value(&self, field: Field) -> &str {
        self.fields.get(&field).map_or("", String::as_str)
    }

    /// How far a part is scrolled.
    pub fn offset(&self, id: ScrollId) -> i32 {
        self.scroll.get(&id).copied().unwrap_or(0)
    }

    /// A name for `GET /phone/{serial}` and for the activity.
    pub fn screen_name(&self) -> &'static str {
        if let Some(sheet) = &self.sheet {
            return match sheet {
                Sheet::Accounts => "accounts",
                Sheet::Unfollow(_) => "unfollow",
                Sheet::LeaveDraft => "leave_draft",
                Sheet::Sounds => "sounds",
                Sheet::Volumes => "volumes",
                Sheet::Products => "products",
            };
        }
        match self.screen() {
            Screen::Tab(Tab::Home) => "home",
            Screen::Tab(Tab::Discover) => "discover",
            Screen::Tab(Tab::Inbox) => "inbox",
            Screen::Tab(Tab::Profile) => "own_profile",
            Screen::Search => "search",
            Screen::Person(_) => "profile",
            Screen::Absent => "absent",
            Screen::Sound(_) => "sound",
            Screen::Detail(..) => "post_detail",
            Screen::Story(..) => "story",
            Screen::Camera => "camera",
            Screen::Picker => "picker",
            Screen::Editor => "editor",
            Screen::Post => "post",
            Screen::Login => "login",
        }
    }
}
