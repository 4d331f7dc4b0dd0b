//! From media to a post: camera, picker, editor, sounds, volumes, product, drafts, the tap on "Post".

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Draft, IMAGES_MAX, Screen, Sheet, SocialAction, SocialApp, Tab};
use crate::{
    apps::Field,
    world::{
        Network, Verdict,
        fault::{CrashMoment, FaultKind},
        social::{Placement, Post, PostWay, PostedFile, SOUNDS},
        state::{Desk, Dialog},
    },
};

impl SocialApp {
    /// The actions of this file.
    pub(crate) fn compose(&mut self, action: &SocialAction, point: u8, desk: &mut Desk<'_>) {
        use SocialAction as A;
        match action {
            A::Create => {
                self.draft = Draft::new(self.network, PostWay::AddButton);
                self.begin(desk);
            }
            A::UseSound(sound) => {
                self.draft = Draft::new(self.network, PostWay::UseSound);
                self.draft.sound = Some(sound.clone());
                self.begin(desk);
            }
            A::CameraUpload => self.open_picker(desk),
            A::PickPlacement(placement) => self.draft.placement = *placement,
            A::PickFilter(filter) => {
                self.filter = *filter;
                self.scroll.clear();
            }
            A::TogglePick(id) => self.toggle_pick(*id, desk),
            A::PickNext => self.open_editor(desk),
            A::OpenSounds => {
                self.fields.remove(&Field::SoundSearch);
                self.sheet = Some(Sheet::Sounds);
            }
            A::SearchSounds => {
                desk.state.blur();
                self.scroll.clear();
            }
            A::ChooseSound(sound) => {
                self.draft.sound = Some(sound.clone());
                self.sheet = None;
                desk.state.blur();
            }
            A::RemoveSound => self.draft.sound = None,
            A::OpenVolumes => self.open_volumes(),
            A::Slide(field) => {
                self.fields.insert(*field, point.to_string());
            }
            A::EditorNext => self.push(Screen::Post, desk),
            A::OpenProducts => self.sheet = Some(Sheet::Products),
            A::ChooseProduct(product) => {
                self.draft.product_link = Some(product.clone());
                self.sheet = None;
            }
            A::RemoveProduct => self.draft.product_link = None,
            A::Publish => self.publish(desk),
            A::SaveDraft => self.save_draft(desk),
            A::Discard => self.abandon(desk),
            A::OpenDraft(index) => self.open_draft(*index, desk),
            _ => {}
        }
    }

    /// Media come from another app: straight to the editor.
    pub(crate) fn receive(&mut self, picks: Vec<u64>, placement: Placement, desk: &mut Desk<'_>) {
        self.open_tab(Tab::Home, desk);
        let videos = picks
            .iter()
            .filter(|pick| desk.state.library.row(**pick).is_some_and(|row| row.video))
            .count();
        if videos > 0 && picks.len() > 1 {
            return desk.toast("Choose one video, or photos only");
        }
        self.draft = Draft {
            placement,
            picks,
            ..Draft::new(self.network, PostWay::Share)
        };
        self.open_editor(desk);
    }

    /// Takes the numbers of the volume fields over; what is no number changes nothing.
    pub(crate) fn take_volumes(&mut self) {
        let number = |text: &str| {
            text.trim()
                .parse::<u32>()
                .ok()
                .map(|value| u8::try_from(value.min(100)).unwrap_or(100))
        };
        if let Some(value) = number(self.value(Field::OriginalVolume)) {
            self.draft.original_volume = value;
        }
        if let Some(value) = number(self.value(Field::AddedVolume)) {
            self.draft.added_volume = value;
        }
    }

    fn begin(&mut self, desk: &mut Desk<'_>) {
        self.fields.remove(&Field::Caption);
        self.fields.remove(&Field::StoryText);
        match self.network {
            Network::TikTok => self.push(Screen::Camera, desk),
            Network::Instagram => self.open_picker(desk),
        }
    }

    fn open_picker(&mut self, desk: &mut Desk<'_>) {
        self.push(Screen::Picker, desk);
        let package = self.network.package();
        if !desk.state.may_read_media(package) {
            let label = super::Skin::of(self.network).label.to_owned();
            desk.state.dialogs.push(Dialog::Permission {
                package: package.to_owned(),
                label,
            });
        }
    }

    fn toggle_pick(&mut self, id: u64, desk: &mut Desk<'_>) {
        let Some(row) = desk.state.library.row(id) else { return };
        if let Some(place) = self.draft.picks.iter().position(|pick| *pick == id) {
            self.draft.picks.remove(place);
            return;
        }
        let others = self.draft.picks.iter().filter_map(|pick| desk.state.library.row(*pick));
        let (videos, images) = others.fold((0, 0), |(videos, images), other| {
            if other.video {
                (videos + 1, images)
            } else {
                (videos, images + 1)
            }
        });
        if (row.video && images > 0) || videos > 0 {
            desk.toast("Choose one video, or photos only");
        } else if images == IMAGES_MAX {
            desk.toast(format!("You can choose up to {IMAGES_MAX} photos"));
        } else {
            self.draft.picks.push(id);
        }
    }

    fn open_editor(&mut self, desk: &mut Desk<'_>) {
        let rows: Vec<_> = self
            .draft
            .picks
            .iter()
            .filter_map(|pick| desk.state.library.row(*pick))
            .collect();
        if rows.is_empty() {
            return;
        }
        self.draft.video = rows.iter().any(|row| row.video);
        // Photo posts get a recommended sound by themselves, as TikTok does it.
        if !self.draft.video && self.draft.sound.is_none() && self.network == Network::TikTok {
            self.draft.sound = SOUNDS.first().map(|(title, _)| (*title).to_owned());
        }
        self.push(Screen::Editor, desk);
    }

    fn open_volumes(&mut self) {
        self.fields
            .insert(Field::OriginalVolume, self.draft.original_volume.to_string());
        self.fields
            .insert(Field::AddedVolume, self.draft.added_volume.to_string());
        self.sheet = Some(Sheet::Volumes);
    }

    /// The tap after which there is no way back.
    fn publish(&mut self, desk: &mut Desk<'_>) {
        if !desk.state.online() {
            desk.toast("No internet connection");
            return;
        }
        if desk.state.faults.get(FaultKind::StorageFull).is_some() {
            desk.state.faults.strike(FaultKind::StorageFull);
            desk.toast("Not enough storage space");
            return;
        }
        let Some(post) = self.finished_post(desk) else {
            desk.toast("This file can't be read");
            return;
        };
        let package = self.network.package();
        let verdict = match desk
            .state
            .faults
            .take(FaultKind::AppCrash, package)
            .map(|fault| fault.moment)
        {
            Some(CrashMoment::Before) => {
                desk.crashing = true;
                return;
            }
            Some(CrashMoment::After) => Verdict::CrashAfter,
            None if desk.state.faults.take(FaultKind::PublishAckLost, package).is_some() => Verdict::AckLost,
            None => Verdict::Confirmed,
        };
        let draft = Draft {
            caption: post.caption.clone(),
            ..self.draft.clone()
        };
        desk.upload(post, draft, verdict);
        self.banner = None;
        self.abandon(desk);
        if self.network == Network::TikTok {
            self.open_tab(Tab::Profile, desk);
        }
    }

    fn finished_post(&self, desk: &Desk<'_>) -> Option<Post> {
        let mut files = Vec::new();
        for pick in &self.draft.picks {
            let row = desk.state.library.row(*pick)?;
            let bytes = desk.files.read(&row.path).ok()?;
            let digest = Sha256::digest(&bytes);
            files.push(PostedFile {
                name: row.name.clone(),
                size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            });
        }
        let story = self.draft.placement == Placement::Story;
        let caption = self
            .value(if story { Field::StoryText } else { Field::Caption })
            .to_owned();
        Some(Post {
            network: self.network,
            account: desk.account(self.network),
            caption,
            files,
            video: self.draft.video,
            way: self.draft.way,
            sound: self.draft.sound.clone(),
            original_volume: self.draft.original_volume,
            added_volume: self.draft.added_volume,
            product_link: self.draft.product_link.clone(),
            placement: self.draft.placement,
        })
    }

    fn save_draft(&mut self, desk: &mut Desk<'_>) {
        let account = desk.account(self.network);
        let caption = self.value(Field::Caption).to_owned();
        desk.record(self.network, &account, "save_draft", json!({ "caption": caption }));
        let draft = Draft {
            caption,
            account,
            ..self.draft.clone()
        };
        desk.data(self.network).drafts.push(draft);
        self.abandon(desk);
        desk.toast("Draft saved");
    }

    fn abandon(&mut self, desk: &mut Desk<'_>) {
        self.draft = Draft::new(self.network, PostWay::AddButton);
        self.fields.clear();
        self.open_tab(Tab::Home, desk);
    }

    fn open_draft(&mut self, index: usize, desk: &mut Desk<'_>) {
        let drafts = &mut desk.data(self.network).drafts;
        if index < drafts.len() {
            self.draft = drafts.remove(index);
            self.fields.insert(Field::Caption, self.draft.caption.clone());
            self.push(Screen::Post, desk);
        }
    }
}
