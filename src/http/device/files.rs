//! Files for a phone: apps to install, files to push.

use std::{fs::File, io::Read, path::Path};

use actix_web::{HttpRequest, web};
use serde_json::json;

use super::control::{acting, done};
use crate::http::{
    envelope::{Answer, ApiError, success},
    state::App,
    upload,
};

/// Where files may be put: the shared storage and adb's own folder.
const PUSH_ROOTS: [&str; 3] = ["/sdcard/", "/storage/emulated/0/", "/data/local/tmp/"];
/// Longest path on a phone, bytes.
const PATH_LIMIT: usize = 1024;
/// farmhand's own files on the phone, the lease among them.
const OWN_PREFIX: &str = ".farmhand";

/// `POST /api/v1/device/{serial}/install`
pub async fn install(app: web::Data<App>, path: web::Path<String>, request: HttpRequest, body: web::Payload) -> Answer {
    let driver = acting(&app, &path).await?;
    let upload = upload::read(&app, &request, body, &[]).await?.finish()?;
    if !is_zip(&upload.file) {
        return Err(ApiError::invalid("file", "is not an APK file"));
    }
    driver.install(&upload.file).await?;
    done()
}

/// `POST /api/v1/device/{serial}/push`
pub async fn push(app: web::Data<App>, path: web::Path<String>, request: HttpRequest, body: web::Payload) -> Answer {
    let driver = acting(&app, &path).await?;
    let mut form = upload::read(&app, &request, body, &["path"]).await?;
    let given = form.texts.get("path").map_or("", String::as_str);
    let remote = parse_remote(given, form.name());
    if let Err(problem) = &remote {
        form.fault("path", problem.clone());
    }
    let upload = form.finish()?;
    let remote = remote.unwrap_or_default();
    driver.push(&upload.file, &remote).await?;
    Ok(success(&json!({ "path": remote })))
}

/// An APK is a ZIP file.
fn is_zip(path: &Path) -> bool {
    let mut start = [0_u8; 4];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == *b"PK\x03\x04"
}

/// A path that ends with a slash is a folder: the file keeps its name in it.
fn parse_remote(path: &str, name: &str) -> Result<String, String> {
    let path = if path.ends_with('/') {
        format!("{path}{name}")
    } else {
        path.to_owned()
    };
    let allowed = PUSH_ROOTS
        .iter()
        .any(|root| path.len() > root.len() && path.starts_with(root));
    let plain = path
        .split('/')
        .skip(1)
        .all(|part| !matches!(part, "" | "." | "..") && !part.starts_with(OWN_PREFIX));
    if path.len() <= PATH_LIMIT && allowed && plain && !path.chars().any(char::is_control) {
        return Ok(path);
    }
    Err(format!(
        "must be a path on the phone below one of: {}",
        PUSH_ROOTS.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_pushed_only_where_files_of_people_lie() {
        assert_eq!(
            parse_remote("/sdcard/Download/a b.txt", "x"),
            Ok("/sdcard/Download/a b.txt".to_owned())
        );
        assert_eq!(
            parse_remote("/sdcard/Download/", "x.mp4"),
            Ok("/sdcard/Download/x.mp4".to_owned())
        );
        for path in [
            "",
            "/",
            "/sdcard/",
            "/sdcard/../data/x",
            "/system/bin/sh",
            "sdcard/x",
            "/sdcard//x",
            "/sdcard/a\nb",
        ] {
            assert!(parse_remote(path, "").is_err(), "{path:?}");
        }
        assert!(parse_remote("/data/local/tmp/.farmhand_lease", "").is_err());
    }
}
