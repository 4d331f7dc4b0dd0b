//! `/api/v1/evidence/{file}`: screenshots and hierarchies that were kept with steps.

use std::path::{Path, PathBuf};

use actix_web::{HttpResponse, http::header, web};

use super::{
    envelope::{Answer, ApiError},
    state::App,
};

/// Files beyond this are not evidence of ours, bytes.
const SIZE_LIMIT: u64 = 64 << 20;

/// The URL of a file below `<data_dir>/evidence`.
#[must_use]
pub fn url(file: &str) -> String {
    let mut url = "/api/v1/evidence/".to_owned();
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// `GET /api/v1/evidence/{file}`
pub async fn get(app: web::Data<App>, path: web::Path<String>) -> Answer {
    let folder = app.settings.evidence_dir.clone();
    let name = path.into_inner();
    let media_type = media_type(&name);
    let read = web::block(move || read(&folder, &name)).await;
    let bytes = read.map_err(|error| ApiError::Internal(error.to_string()))??;
    // A file of evidence is written once; what it holds comes from phones, so no page may be made of it.
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CACHE_CONTROL, "private, max-age=86400, immutable"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .body(bytes))
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, ApiError> {
    let missing = || ApiError::not_found("there is no such evidence (it may have been pruned)");
    let path = locate(folder, name).ok_or_else(missing)?;
    let length = std::fs::metadata(&path).map_err(|_| missing())?;
    if !length.is_file() || length.len() > SIZE_LIMIT {
        return Err(missing());
    }
    std::fs::read(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => missing(),
        _ => ApiError::Internal(format!("evidence {} cannot be read: {error}", path.display())),
    })
}

/// The file of that name, if it lies below the folder after links are resolved.
fn locate(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0', ':']);
    if !name.split('/').all(plain) {
        return None;
    }
    let folder = folder.canonicalize().ok()?;
    let path = folder.join(name).canonicalize().ok()?;
    path.starts_with(&folder).then_some(path)
}

fn media_type(name: &str) -> &'static str {
    match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("xml") => "application/xml; charset=utf-8",
        Some("json") => "application/json",
        Some("txt" | "log") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_below_the_folder_are_found() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("evidence");
        std::fs::create_dir_all(folder.join("7")).unwrap();
        std::fs::write(folder.join("7/shot 1.png"), b"png").unwrap();
        std::fs::write(outside.path().join("secret"), b"secret").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.join("link.png")).unwrap();

        assert!(locate(&folder, "7/shot 1.png").is_some());
        for name in [
            "../secret",
            "7/../../secret",
            "/etc/passwd",
            "",
            ".",
            "7//shot 1.png",
            "link.png",
            "a\0b",
            "..\\secret",
        ] {
            assert_eq!(locate(&folder, name), None, "{name:?}");
        }
        assert!(matches!(read(&folder, "7"), Err(ApiError::NotFound { .. })));
    }

    #[test]
    fn a_url_holds_any_name() {
        assert_eq!(url("7/shot 1.png"), "/api/v1/evidence/7/shot%201.png");
        assert_eq!(url("ü?#%"), "/api/v1/evidence/%C3%BC%3F%23%25");
    }
}
