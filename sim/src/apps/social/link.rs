//! What a link opens.

use super::{Screen, Skin, SocialApp, Tab};
use crate::world::{Network, social::SOUNDS, state::Desk};

/// The page that a link names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A person's page.
    Person(String),
    /// A sound's page.
    Sound(String),
    /// The app's start page.
    Home,
}

/// First words of Instagram addresses that are no names.
const NO_NAMES: [&str; 5] = ["reel", "reels", "p", "explore", "stories"];

impl Target {
    /// Which app a link belongs to, and what it opens there.
    pub fn parse(link: &str) -> Option<(Network, Self)> {
        Network::ALL
            .into_iter()
            .find_map(|network| Some((network, Self::of(Skin::of(network), link)?)))
    }

    fn of(skin: &Skin, link: &str) -> Option<Self> {
        if let Some(rest) = strip(link, skin.sound_links) {
            return Some(Self::Sound(sound_title(first_part(rest))));
        }
        if let Some(rest) = strip(link, skin.person_links) {
            let name = first_part(rest);
            if name.is_empty() || NO_NAMES.contains(&name) {
                return Some(Self::Home);
            }
            return Some(Self::Person(decoded(name)));
        }
        let hosts: &[&str] = match skin.network {
            Network::TikTok => &[
                "https://www.tiktok.com",
                "https://vm.tiktok.com",
                "snssdk1233://",
                "tiktok://",
            ],
            Network::Instagram => &["https://www.instagram.com", "https://instagram.com", "instagram://"],
        };
        strip(link, hosts).map(|_| Self::Home)
    }
}

impl SocialApp {
    /// Shows what a link names.
    pub(crate) fn open(&mut self, target: &Target, desk: &mut Desk<'_>) {
        self.open_tab(Tab::Home, desk);
        match target {
            Target::Person(name) => self.open_person(name, desk),
            Target::Sound(sound) => self.push(Screen::Sound(sound.clone()), desk),
            Target::Home => {}
        }
    }
}

fn strip<'a>(link: &'a str, starts: &[&str]) -> Option<&'a str> {
    starts.iter().find_map(|start| {
        let (head, rest) = link.split_at_checked(start.len())?;
        head.eq_ignore_ascii_case(start).then_some(rest)
    })
}

fn first_part(rest: &str) -> &str {
    rest.trim_start_matches('/')
        .split(['/', '?', '#', '&'])
        .next()
        .unwrap_or_default()
}

/// `Morning-Coffee-7012345` and `Morning-Coffee` are the sound "Morning Coffee"; another number or word is a sound of
/// that name.
fn sound_title(part: &str) -> String {
    let words = decoded(part).replace(['-', '_', '+'], " ");
    let mut words: Vec<&str> = words.split_whitespace().collect();
    if words.len() > 1
        && words
            .last()
            .is_some_and(|last| last.len() > 5 && last.chars().all(|c| c.is_ascii_digit()))
    {
        words.pop();
    }
    let title = words.join(" ");
    let known = SOUNDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(&title));
    known.map_or(title, |(known, _)| (*known).to_owned())
}

/// Percent-decoding, what is not UTF-8 stays.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        let ahead: Vec<u8> = rest.clone().take(2).collect();
        let hex = std::str::from_utf8(&ahead)
            .ok()
            .filter(|_| byte == b'%' && ahead.len() == 2);
        if let Some(value) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(value);
            rest.nth(1);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| part.to_owned())
}
