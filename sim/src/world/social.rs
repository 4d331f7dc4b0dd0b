//! What the two social services know, shared by all phones: people, who follows whom, posts, sounds.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::Network;

/// A user of a service. Names are kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// Follows have to be accepted.
    pub private: bool,
}

/// A file that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostedFile {
    /// File name without its folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// How somebody came to the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PostWay {
    /// From the gallery's share sheet.
    #[serde(rename = "share")]
    Share,
    /// From the app's + tab.
    #[serde(rename = "addButton")]
    AddButton,
    /// From "Use this sound" on a sound's page.
    #[serde(rename = "useSound")]
    UseSound,
}

/// Where a post appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// TikTok's feed.
    Feed,
    /// Instagram's reels.
    Reel,
    /// A story: gone from the profile's grid.
    Story,
    /// Instagram's ordinary post.
    Post,
}

/// A published post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The service.
    pub network: Network,
    /// The author.
    pub account: String,
    /// As typed.
    pub caption: String,
    /// In the order of selection.
    pub files: Vec<PostedFile>,
    /// A video, or images.
    pub video: bool,
    /// How the author came to it.
    pub way: PostWay,
    /// Title of the added sound.
    pub sound: Option<String>,
    /// 0..=100
    pub original_volume: u8,
    /// 0..=100
    pub added_volume: u8,
    /// Name of the linked product.
    pub product_link: Option<String>,
    /// Where it appears.
    pub placement: Placement,
}

impl Post {
    /// The ledger's `detail` of a publish.
    pub fn detail(&self) -> Value {
        json!({
            "caption": self.caption,
            "files": self.files,
            "content_type": if self.video { "video" } else { "images" },
            "post_way": self.way,
            "sound": self.sound,
            "original_volume": self.original_volume,
            "added_volume": self.added_volume,
            "product_link": self.product_link,
            "placement": self.placement,
        })
    }
}

/// How one person stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Does not follow.
    None,
    /// Does not follow, but is followed: the button says "Follow back".
    FollowedBy,
    /// Has asked a private person.
    Requested,
    /// Follows.
    Following,
}

/// Names that contain one of these belong to nobody; any other well-formed name exists.
const ABSENT: [&str; 7] = [
    "nobody",
    "missing",
    "no_such",
    "unknown",
    "nonexistent",
    "does_not_exist",
    "ghost",
];

/// People whose posts fill the feeds from the start.
const RESIDENTS: [(&str, &str); 5] = [
    ("coffee_corner", "Flat white in forty seconds #coffee"),
    ("trail_diary", "Sunrise over the ridge #hiking #morning"),
    ("paper_birds", "Folding a crane, step by step"),
    ("night_market", "Skewers, smoke and neon #streetfood"),
    ("tiny_workshop", "A drawer that closes softly #woodwork"),
];

/// How many posts a page shows at most; more would only make dumps slow.
const SHOWN: usize = 60;

/// One service's people and posts.
#[derive(Debug, Default)]
struct Service {
    people: BTreeMap<String, Person>,
    following: BTreeMap<String, BTreeSet<String>>,
    followers: BTreeMap<String, BTreeSet<String>>,
    requests: BTreeSet<(String, String)>,
    /// All but stories, oldest first.
    feed: Vec<Arc<Post>>,
    posts: BTreeMap<String, Vec<Arc<Post>>>,
    stories: BTreeMap<String, Vec<Arc<Post>>>,
}

/// Both services.
#[derive(Debug)]
pub struct Social {
    tiktok: Service,
    instagram: Service,
}

impl Default for Social {
    fn default() -> Self {
        Self {
            tiktok: Service::inhabited(Network::TikTok),
            instagram: Service::inhabited(Network::Instagram),
        }
    }
}

/// A user's name as the services compare it: without `@`, lower case.
pub fn canonical_name(name: &str) -> String {
    name.trim().trim_start_matches('@').to_lowercase()
}

/// Some people accept their followers by hand.
fn is_private(name: &str) -> bool {
    name.starts_with("private_")
}

impl Social {
    /// Makes sure that a person is known.
    pub fn join(&mut self, network: Network, name: &str) {
        let name = canonical_name(name);
        let person = Person {
            private: is_private(&name),
        };
        self.service_mut(network).people.entry(name).or_insert(person);
    }

    /// The person of that name, if there is one.
    pub fn person(&self, network: Network, name: &str) -> Option<Person> {
        let name = canonical_name(name);
        if let Some(person) = self.service(network).people.get(&name) {
            return Some(person.clone());
        }
        let well_formed = (1..=30).contains(&name.chars().count())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_')
            && !ABSENT.iter().any(|part| name.contains(part));
        well_formed.then(|| Person {
            private: is_private(&name),
        })
    }

    /// People whose name contains the query, an exact hit first; at most ten.
    pub fn search(&self, network: Network, query: &str) -> Vec<String> {
        let query = canonical_name(query);
        if query.is_empty() {
            return Vec::new();
        }
        let exact = self.person(network, &query).is_some().then(|| query.clone());
        let others = self
            .service(network)
            .people
            .keys()
            .filter(|name| **name != query && name.contains(&query));
        exact.into_iter().chain(others.cloned()).take(10).collect()
    }

    /// How `from` stands to `to`.
    pub fn relation(&self, network: Network, from: &str, to: &str) -> Relation {
        let service = self.service(network);
        let (from, to) = (canonical_name(from), canonical_name(to));
        if service.follows(&from, &to) {
            Relation::Following
        } else if service.requests.contains(&(from.clone(), to.clone())) {
            Relation::Requested
        } else if service.follows(&to, &from) {
            Relation::FollowedBy
        } else {
            Relation::None
        }
    }

    /// Follows or asks to; answers the new relation, `None` when nothing changed.
    pub fn follow(&mut self, network: Network, from: &str, to: &str) -> Option<Relation> {
        let private = self.person(network, to)?.private;
        let (from, to) = (canonical_name(from), canonical_name(to));
        let service = self.service_mut(network);
        if service.follows(&from, &to) || from == to {
            return None;
        }
        service.people.entry(to.clone()).or_insert(Person { private });
        if private {
            return service.requests.insert((from, to)).then_some(Relation::Requested);
        }
        service.followers.entry(to.clone()).or_default().insert(from.clone());
        service.following.entry(from).or_default().insert(to);
        Some(Relation::Following)
    }

    /// Ends a follow or a request; `false` when there was none.
    pub fn unfollow(&mut self, network: Network, from: &str, to: &str) -> bool {
        let (from, to) = (canonical_name(from), canonical_name(to));
        let service = self.service_mut(network);
        service.followers.entry(to.clone()).or_default().remove(&from);
        let followed = service.following.entry(from.clone()).or_default().remove(&to);
        service.requests.remove(&(from, to)) || followed
    }

    /// Adds a post.
    pub fn publish(&mut self, post: Post) {
        self.service_mut(post.network).publish(post);
    }

    /// A person's posts in the profile's grid, newest first, as far as the grid shows them.
    pub fn posts_of(&self, network: Network, name: &str) -> Vec<Arc<Post>> {
        let posts = self.service(network).posts.get(&canonical_name(name));
        posts.into_iter().flatten().rev().take(SHOWN).cloned().collect()
    }

    /// A person's stories, newest first.
    pub fn stories_of(&self, network: Network, name: &str) -> Vec<Arc<Post>> {
        let stories = self.service(network).stories.get(&canonical_name(name));
        stories.into_iter().flatten().rev().cloned().collect()
    }

    /// What the feed shows: others' newest posts first; at most 20.
    pub fn feed(&self, network: Network, viewer: &str) -> Vec<Arc<Post>> {
        let viewer = canonical_name(viewer);
        let posts = self.service(network).feed.iter().rev();
        posts.filter(|post| post.account != viewer).take(20).cloned().collect()
    }

    /// Posts in the grid, followers and followed people of a person.
    pub fn counts(&self, network: Network, name: &str) -> (usize, usize, usize) {
        let name = canonical_name(name);
        let service = self.service(network);
        let posts = service.posts.get(&name).map_or(0, Vec::len);
        let followers = service.followers.get(&name).map_or(0, BTreeSet::len);
        let following = service.following.get(&name).map_or(0, BTreeSet::len);
        (posts, followers, following)
    }

    fn service(&self, network: Network) -> &Service {
        match network {
            Network::TikTok => &self.tiktok,
            Network::Instagram => &self.instagram,
        }
    }

    fn service_mut(&mut self, network: Network) -> &mut Service {
        match network {
            Network::TikTok => &mut self.tiktok,
            Network::Instagram => &mut self.instagram,
        }
    }
}

impl Service {
    fn follows(&self, from: &str, to: &str) -> bool {
        self.following.get(from).is_some_and(|followed| followed.contains(to))
    }

    fn publish(&mut self, post: Post) {
        let post = Arc::new(post);
        if post.placement == Placement::Story {
            self.stories.entry(post.account.clone()).or_default().push(post);
        } else {
            self.posts
                .entry(post.account.clone())
                .or_default()
                .push(Arc::clone(&post));
            self.feed.push(post);
        }
    }

    fn inhabited(network: Network) -> Self {
        let mut service = Self::default();
        for (name, caption) in RESIDENTS {
            service.people.insert(name.to_owned(), Person::default());
            service.publish(Post {
                network,
                account: name.to_owned(),
                caption: caption.to_owned(),
                files: vec![PostedFile {
                    name: format!("{name}.mp4"),
                    size: 1_048_576,
                    sha256: String::new(),
                }],
                video: true,
                way: PostWay::AddButton,
                sound: None,
                original_volume: 50,
                added_volume: 50,
                product_link: None,
                placement: if network == Network::TikTok {
                    Placement::Feed
                } else {
                    Placement::Reel
                },
            });
        }
        service
    }
}

/// A sound that can be added to a post: title, artist.
pub const SOUNDS: [(&str, &str); 8] = [
    ("Morning Coffee", "The Kettles"),
    ("Paper Planes Home", "Lena Marsh"),
    ("Slow Tram", "Night Line"),
    ("Bright Side Up", "Orchard Club"),
    ("Low Tide", "Pier Eleven"),
    ("Sunday Loop", "Maple & Rye"),
    ("City of Umbrellas", "Rain Dept."),
    ("Happy Feet", "Tin Parade"),
];

/// Titles and artists that match a query; a query that matches no title finds an original sound of that name, as
/// the services have one for nearly everything.
pub fn search_sounds(query: &str) -> Vec<(String, String)> {
    let query = query.trim();
    let wanted = query.to_lowercase();
    let known = SOUNDS
        .iter()
        .filter(|(title, artist)| title.to_lowercase().contains(&wanted) || artist.to_lowercase().contains(&wanted));
    let mut found: Vec<_> = known
        .map(|(title, artist)| ((*title).to_owned(), (*artist).to_owned()))
        .collect();
    if found.is_empty() && !ABSENT.iter().any(|part| wanted.contains(part)) {
        found.push((query.to_owned(), "original sound".to_owned()));
    }
    found
}
