//! Multipart bodies: one file, streamed to disk within `media.max_upload`, and a few short texts.

use std::{collections::BTreeMap, time::Duration};

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{HttpRequest, web};
use farmhand_actors::domain::FieldError;
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
/// Most faults of one body that are told.
const FAULTS_LIMIT: usize = 100;
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
}

/// Reads a body with a part `file` and texts named in `known`. What is wrong with its parts is kept in the answer, for
/// [`Form::finish`].
///
/// # Errors
/// 41501, 41301, or 40001 when the body cannot be read on.
pub async fn read(app: &App, request: &HttpRequest, payload: web::Payload, known: &[&str]) -> Result<Form, ApiError> {
    check_type(
        request,
        &["multipart/form-data"],
        "multipart/form-data with a part \"file\"",
    )?;
    let mut parts = Multipart::new(request.headers(), payload);
    let mut form = Form::default();
    while let Some(part) = in_time(parts.next()).await? {
        form.take(app, part.map_err(broken)?, known).await?;
    }
    if !form.has_file {
        form.fault(FILE, "is required: the file itself");
    }
    Ok(form)
}

/// What was read, and every fault of its parts.
#[derive(Default)]
pub struct Form {
    /// The texts by name.
    pub texts: BTreeMap<String, String>,
    file: Option<(TempPath, String)>,
    /// Whether a part with the file's name came, right or wrong.
    has_file: bool,
    faults: Vec<FieldError>,
}

impl Form {
    /// The name of the file, without a path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.file.as_ref().map_or("", |(_, name)| name)
    }

    /// Notes a fault.
    pub fn fault(&mut self, field: &str, message: impl Into<String>) {
        // One part after another may be wrong, and each costs memory.
        if self.faults.len() < FAULTS_LIMIT {
            self.faults.push(FieldError {
                field: field.to_owned(),
                message: message.into(),
            });
        }
    }

    /// The file, if nothing was wrong.
    ///
    /// # Errors
    /// Every fault.
    pub fn finish(self) -> Result<Upload, ApiError> {
        match self.file.filter(|_| self.faults.is_empty()) {
            Some((file, name)) => Ok(Upload { file, name }),
            None => Err(ApiError::Invalid(self.faults)),
        }
    }

    /// Reads one part. A wrong one is passed over, so that those behind it are looked at too.
    async fn take(&mut self, app: &App, part: Field, known: &[&str]) -> Result<(), ApiError> {
        let name = part.name().unwrap_or_default().to_owned();
        let is_file = name == FILE;
        if (is_file && self.has_file) || self.texts.contains_key(&name) {
            self.fault(&echo(&name), "is given more than once");
            return pass_over(app, part).await;
        }
        if !is_file && (!known.contains(&name.as_str()) || self.texts.len() >= TEXTS_LIMIT) {
            let names: Vec<_> = known.iter().copied().chain([FILE]).collect();
            self.fault(&echo(&name), unknown(&name, &names, "part"));
            return pass_over(app, part).await;
        }
        if is_file {
            self.has_file = true;
            match file_name(&part) {
                Some(given) => self.file = Some((save(app, part).await?, given)),
                None => {
                    self.fault(FILE, "must be sent as a file, with a file name");
                    pass_over(app, part).await?;
                }
            }
            return Ok(());
        }
        match text_of(app, part).await? {
            Ok(text) => drop(self.texts.insert(name, text)),
            Err(problem) => self.fault(&name, problem),
        }
        Ok(())
    }
}

/// Reads a part to its end and keeps nothing of it.
async fn pass_over(app: &App, mut part: Field) -> Result<(), ApiError> {
    let mut length = 0_u64;
    while let Some(piece) = in_time(part.next()).await? {
        length = length.saturating_add(piece.map_err(broken)?.len() as u64);
        within_limit(app, length)?;
    }
    Ok(())
}

fn within_limit(app: &App, length: u64) -> Result<(), ApiError> {
    if length <= app.settings.max_upload {
        return Ok(());
    }
    Err(ApiError::TooLarge {
        limit: app.settings.max_upload,
        setting: "media.max_upload",
    })
}

fn file_name(part: &Field) -> Option<String> {
    let given = part.content_disposition()?.get_filename()?;
    Some(plain_name(given)).filter(|name| !name.is_empty())
}

async fn save(app: &App, mut part: Field) -> Result<TempPath, ApiError> {
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
        within_limit(app, length)?;
        file.write_all(&piece).await.map_err(host)?;
    }
    file.flush().await.map_err(host)?;
    Ok(path)
}

/// A text, or what is wrong with it.
async fn text_of(app: &App, mut part: Field) -> Result<Result<String, String>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = in_time(part.next()).await? {
        bytes.extend_from_slice(&piece.map_err(broken)?);
        if bytes.len() > TEXT_LIMIT {
            pass_over(app, part).await?;
            return Ok(Err(format!("is too long: at most {TEXT_LIMIT} bytes")));
        }
    }
    Ok(String::from_utf8(bytes).map_err(|_| "must be UTF-8".to_owned()))
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
