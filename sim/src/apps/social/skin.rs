//! In what the two social apps differ on the outside: words, ids, colours.

use crate::{apps::node::Color, world::Network};

/// One app's words and ids.
#[derive(Debug)]
pub struct Skin {
    pub network: Network,
    pub label: &'static str,
    pub activity: &'static str,
    pub accent: Color,
    /// Home, discover, create, inbox, profile: id and content-desc (TikTok shows it as text too).
    pub tabs: [(&'static str, &'static str); 5],
    pub tab_texts: bool,
    pub profile_name_id: &'static str,
    pub accounts_title: &'static str,
    pub absent: &'static str,
    pub add_sound: &'static str,
    pub use_sound: &'static str,
    pub sounds_title: &'static str,
    pub caption_id: &'static str,
    pub caption_hint: &'static str,
    pub post_screen: &'static str,
    pub post_id: &'static str,
    pub post: &'static str,
    pub posted_video: &'static str,
    pub posted_images: &'static str,
    pub upload_failed: &'static str,
    pub ack_lost: &'static str,
    /// Links of a person's page, without the name.
    pub person_links: &'static [&'static str],
    /// Links of a sound's page, without the sound.
    pub sound_links: &'static [&'static str],
}

static TIKTOK: Skin = Skin {
    network: Network::TikTok,
    label: "TikTok",
    activity: "com.ss.android.ugc.aweme.splash.SplashActivity",
    accent: Color(0xfffe_2c55),
    tabs: [
        ("tab_home", "Home"),
        ("tab_discover", "Discover"),
        ("tab_create", "Create"),
        ("tab_inbox", "Inbox"),
        ("tab_profile", "Profile"),
    ],
    tab_texts: true,
    profile_name_id: "profile_username",
    accounts_title: "Switch account",
    absent: "Couldn't find this account",
    add_sound: "Add sound",
    use_sound: "Use this sound",
    sounds_title: "Sounds",
    caption_id: "caption_field",
    caption_hint: "Add description...",
    post_screen: "Post",
    post_id: "post_button",
    post: "Post",
    posted_video: "Your video has been posted",
    posted_images: "Your photos have been posted",
    upload_failed: "Couldn't upload. Saved to drafts",
    ack_lost: "Something went wrong. Check your connection",
    person_links: &[
        "https://www.tiktok.com/@",
        "http://www.tiktok.com/@",
        "https://tiktok.com/@",
        "https://m.tiktok.com/@",
        "snssdk1233://user/profile/",
        "tiktok://user/@",
    ],
    sound_links: &[
        "https://www.tiktok.com/music/",
        "https://tiktok.com/music/",
        "https://m.tiktok.com/music/",
        "snssdk1233://music/detail/",
    ],
};

static INSTAGRAM: Skin = Skin {
    network: Network::Instagram,
    label: "Instagram",
    activity: "com.instagram.mainactivity.InstagramMainActivity",
    accent: Color(0xff00_95f6),
    tabs: [
        ("feed_tab", "Home"),
        ("search_tab", "Search and explore"),
        ("creation_tab", "Create"),
        ("direct_tab", "Inbox"),
        ("profile_tab", "Profile"),
    ],
    tab_texts: false,
    profile_name_id: "action_bar_title",
    accounts_title: "Accounts",
    absent: "User not found",
    add_sound: "Add audio",
    use_sound: "Use audio",
    sounds_title: "Audio",
    caption_id: "caption_text_view",
    caption_hint: "Write a caption...",
    post_screen: "New post",
    post_id: "share_button",
    post: "Share",
    posted_video: "Posted",
    posted_images: "Posted",
    upload_failed: "Couldn't upload. Saved to drafts",
    ack_lost: "Something went wrong. Please try again later",
    person_links: &[
        "instagram://user?username=",
        "https://www.instagram.com/",
        "http://www.instagram.com/",
        "https://instagram.com/",
    ],
    sound_links: &[
        "https://www.instagram.com/reels/audio/",
        "https://instagram.com/reels/audio/",
        "instagram://audio?id=",
    ],
};

impl Skin {
    /// The skin of an app.
    pub fn of(network: Network) -> &'static Self {
        match network {
            Network::TikTok => &TIKTOK,
            Network::Instagram => &INSTAGRAM,
        }
    }
}
