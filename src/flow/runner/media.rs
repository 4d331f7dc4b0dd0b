//! The media of an attempt: which are wanted, and how scripts see them.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use farmhand_actors::{
    domain::{MaterialId, MediaKind, Username},
    ports::{MediaRequest, MediaSource, PickedFile, PickedMedia},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::flow::{
    model::MediaParams,
    params::spintax::{Chooser, expand},
    parse::sources::digest_of,
};

/// What a config asks for; `None` without a rule.
#[must_use]
pub fn media_request(rule: &MediaParams, config: &Value, username: Option<Username>, seed: u64) -> MediaRequest {
    let value = |name: &Option<String>| name.as_ref().and_then(|name| config.get(name));
    let text = |name| value(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let files = strings(value(&rule.files));
    let kind = match value(&rule.kind) {
        Some(Value::Number(number)) if number.as_i64() == Some(1) => MediaKind::Image,
        Some(Value::String(word)) if word.to_lowercase().starts_with("image") || word == "1" => MediaKind::Image,
        _ => MediaKind::Video,
    };
    let wanted = value(&rule.count).and_then(Value::as_u64);
    let count = match kind {
        MediaKind::Video => 1,
        // Named files are all meant, whatever the count says.
        MediaKind::Image if !files.is_empty() => u32::try_from(files.len()).unwrap_or(u32::MAX),
        MediaKind::Image => wanted.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1),
    };
    let source = if !files.is_empty() {
        MediaSource::Files(files)
    } else if text(&rule.source) == "localFolder" {
        MediaSource::Folder(text(&rule.folder))
    } else {
        MediaSource::Library {
            tags: strings(value(&rule.tags)),
        }
    };
    MediaRequest {
        source,
        kind,
        count,
        username,
        seed,
    }
}

/// A list of texts, or a text with commas.
fn strings(value: Option<&Value>) -> Vec<String> {
    let texts: Vec<String> = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => text.split(',').map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}

/// The global `media` of scripts; the caption's words are chosen by the seed.
#[must_use]
pub fn media_global(media: &PickedMedia, seed: u64) -> Value {
    let files: Vec<Value> = media
        .files
        .iter()
        .map(|file| json!({ "name": file.name, "path": file.path, "kind": file.kind.as_str() }))
        .collect();
    let caption = media
        .caption
        .as_deref()
        .map(|caption| expand(caption, &mut Chooser::new(seed, "media.caption")));
    json!({
        "files": files,
        "added": [],
        "caption": caption.unwrap_or_default(),
        "sound_name": media.sound_name.as_deref().unwrap_or_default(),
        "sound_url": media.sound_url.as_deref().unwrap_or_default(),
    })
}

/// What an intent tells of the media.
#[must_use]
pub fn media_content(media: &PickedMedia) -> Value {
    media
        .files
        .iter()
        .map(|file| json!({ "name": file.name, "sha256": file.sha256, "kind": file.kind.as_str() }))
        .collect()
}

/// Media as a checkpoint keeps them.
#[derive(Serialize, Deserialize)]
struct KeptMedia {
    files: Vec<KeptFile>,
    caption: Option<String>,
    sound_name: Option<String>,
    sound_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    path: PathBuf,
    name: String,
    kind: MediaKind,
    sha256: String,
    material: Option<MaterialId>,
}

/// What a checkpoint keeps of the media.
#[must_use]
pub fn kept_media(media: &PickedMedia) -> Value {
    let files = media.files.iter().map(|file| KeptFile {
        path: file.path.clone(),
        name: file.name.clone(),
        kind: file.kind,
        sha256: file.sha256.clone(),
        material: file.material,
    });
    json!(KeptMedia {
        files: files.collect(),
        caption: media.caption.clone(),
        sound_name: media.sound_name.clone(),
        sound_url: media.sound_url.clone(),
    })
}

/// The media that a checkpoint has kept, if all are still what they were. Blocks.
#[must_use]
pub fn media_again(kept: &Value) -> Option<PickedMedia> {
    let kept = KeptMedia::deserialize(kept).ok()?;
    let mut files = Vec::new();
    for file in kept.files {
        if !hash(&file.path).is_ok_and(|hash| hash == file.sha256) {
            return None;
        }
        files.push(PickedFile {
            path: file.path,
            name: file.name,
            kind: file.kind,
            sha256: file.sha256,
            material: file.material,
        });
    }
    Some(PickedMedia {
        files,
        caption: kept.caption,
        sound_name: kept.sound_name,
        sound_url: kept.sound_url,
    })
}

fn hash(path: &Path) -> io::Result<String> {
    let digest = digest_of(&mut File::open(path)?)?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
