//! Multipart bodies: one file, streamed to disk within `media.max_upload`, and a few short texts.

use std::{collections::BTreeMap, time::Duration};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use super::{
    body::check_type,
    envelope::ApiError,
    fields::{echo, unknown},
    state::App,
};

/// The part that holds the file.
const FILE: &str = "file";
/// Longest text part, bytes.
const TEXT_LIMIT: usize = 64 << 10;
/// Most text parts.
const TEXTS_LIMIT: usize = 16;
/// Longest file name that is kept, characters.
const NAME_LIMIT: usize = 255;
/// The next piece of a body must come within this time.
const PIECE_DEADLINE: Duration = Duration::from_secs(30);

/// What came in.
pub struct Upload {
    /// The file; it is deleted when this is dropped.
    pub file: TempPath,
    /// Its name, without a path.
    pub name: String,
    /// The texts by name.
    pub texts: BTreeMap<String, String>,
}

/// Reads a body with a part `file` and texts named in `known`.
///
/// # Errors
/// 41501, 41301, or 40001 that names the part.
pub async fn read(app: &App, request: &HttpRequest, payload: web::Payload, known: &[&str]) -> Result<Upload, ApiError> {
    check_type(
        request,
        &["multipart/form-data"],
        "multipart/form-data with a part \"file\"",
    )?;
    let mut parts = Multipart::new(request.headers(), payload);
    let mut file = None;
    let mut texts = BTreeMap::new();
    while let Some(part) = in_time(parts.next()).await? {
        let part = part.map_err(broken)?;
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE && file.is_none() {
            file = Some(save(app, part).await?);
        } else if name == FILE || texts.contains_key(&name) {
            return Err(ApiError::invalid(echo(&name), "is given more than once"));
        } else if known.contains(&name.as_str()) && texts.len() < TEXTS_LIMIT {
            let text = text_of(&name, part).await?;
            texts.insert(name, text);
        } else {
            let names: Vec<_> = known.iter().copied().chain([FILE]).collect();
            return Err(ApiError::invalid(echo(&name), unknown(&name, &names, "part")));
        }
    }
    let (file, name) = file.ok_or_else(|| ApiError::invalid(FILE, "is required: the file itself"))?;
    Ok(Upload { file, name, texts })
}

async fn save(app: &App, mut part: Field) -> Result<(TempPath, String), ApiError> {
    let given = part
        .content_disposition()
        .and_then(|disposition| disposition.get_filename())
        .map(plain_name);
    let name = given.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::invalid(FILE, "must be sent as a file, with a file name"))?;
    let host = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => ApiError::from(farmhand_actors::ports::StoreError::Full),
        _ => ApiError::Internal(format!("an upload cannot be written: {error}")),
    };
    let folder = &app.settings.upload_dir;
    tokio::fs::create_dir_all(folder).await.map_err(host)?;
    let (file, path) = tempfile::NamedTempFile::new_in(folder).map_err(host)?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let mut length = 0_u64;
    while let Some(piece) = in_time(part.next()).await? {
        let piece = piece.map_err(broken)?;
        length = length.saturating_add(piece.len() as u64);
        if length > app.settings.max_upload {
            return Err(ApiError::TooLarge {
                limit: app.settings.max_upload,
                setting: "media.max_upload",
            });
        }
        file.write_all(&piece).await.map_err(host)?;
    }
    file.flush().await.map_err(host)?;
    Ok((path, name))
}

async fn text_of(name: &str, mut part: Field) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = in_time(part.next()).await? {
        bytes.extend_from_slice(&piece.map_err(broken)?);
        if bytes.len() > TEXT_LIMIT {
            return Err(ApiError::invalid(
                name,
                format!("is too long: at most {TEXT_LIMIT} bytes"),
            ));
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::invalid(name, "must be UTF-8"))
}

async fn in_time<T>(next: impl Future<Output = T>) -> Result<T, ApiError> {
    let late = |_| ApiError::invalid("body", "did not go on within 30 seconds");
    tokio::time::timeout(PIECE_DEADLINE, next).await.map_err(late)
}

fn broken(error: MultipartError) -> ApiError {
    ApiError::invalid("body", format!("is not valid multipart/form-data: {error}"))
}

/// The last part of whatever path a client's system writes, without control characters.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|c| !c.is_control()).take(NAME_LIMIT).collect();
    plain.trim().trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_never_holds_a_path() {
        for (given, wanted) in [
            ("video.mp4", "video.mp4"),
            ("C:\\Videos\\video.mp4", "video.mp4"),
            ("../../etc/passwd", "passwd"),
            ("..", ""),
            ("a\r\nb.mp4", "ab.mp4"),
            ("wideo ąę😀.mp4", "wideo ąę😀.mp4"),
        ] {
            assert_eq!(plain_name(given), wanted);
        }
    }
}
