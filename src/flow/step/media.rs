//! `addMedia`, `takeScreenshot`, `startRecording`, `stopRecording`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use farmhand_actors::{
    domain::{Bounds, Screenshot},
    ports::{DriverError, MediaError, PickedFile},
};
use serde_json::{Value, json};

use crate::flow::{
    model::{MediaItem, Selector, Text},
    runner::{Run, SCREENSHOT, fault::Fault},
    vision,
};

/// Longest name of a kept file, characters.
const MAX_NAME: usize = 80;
/// How long the recorder has for finishing its file after it was told to stop.
const RECORDER_END: Duration = Duration::from_millis(500);

impl Run {
    /// Copies media into the gallery, the last one first: so the first one ends up as the newest, on top.
    pub(super) async fn add_media(&mut self, items: &[MediaItem]) -> Result<(), Fault> {
        let mut files = Vec::new();
        for item in items {
            match item {
                MediaItem::File(path) => files.push((path.clone(), file_name(path))),
                MediaItem::Expression(text) => files.extend(self.media_of(text)?),
            }
        }
        tell_apart(&mut files);
        let mut names = Vec::new();
        for (path, name) in files.iter().rev() {
            let added = self.phone.call(self.phone.driver.add_media(path, name)).await;
            let added = added.map_err(|fault| match fault {
                Fault::Device(DriverError::HostFile { problem }) => Fault::Media(MediaError::Missing(problem)),
                fault => fault,
            })?;
            names.push(file_name(Path::new(&added)));
        }
        names.reverse();
        let names = json!(names);
        // So that a flow can see whether the app took these and no others.
        self.js.run(&format!("media.added = {names}"))?;
        self.note("added", names);
        self.touched();
        Ok(())
    }

    /// Files that an expression names. Only the attempt's own media can be named: what a picker has checked.
    fn media_of(&self, text: &str) -> Result<Vec<(PathBuf, String)>, Fault> {
        let code = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let code =
            code.ok_or_else(|| Fault::Invalid(format!("`{text}` must be one expression, e.g. ${{media.files}}")))?;
        let value = self.js.value(code)?;
        let wanted = match value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        wanted.iter().map(|item| self.picked_file(item)).collect()
    }

    fn picked_file(&self, item: &Value) -> Result<(PathBuf, String), Fault> {
        let path = item.as_str().or_else(|| item.get("path").and_then(Value::as_str));
        // Files of equal content share a path; then the name tells which is meant.
        let same = |file: &&PickedFile| path.is_some_and(|path| file.path == Path::new(path));
        let name = item.get("name").and_then(Value::as_str);
        let named = self
            .media
            .files
            .iter()
            .filter(same)
            .find(|file| Some(&*file.name) == name);
        let picked = named.or_else(|| self.media.files.iter().find(same));
        let file = picked.ok_or_else(|| {
            Fault::Invalid(format!(
                "{item} is not one of the media of this task; use ${{media.files}}"
            ))
        })?;
        Ok((file.path.clone(), file.name.clone()))
    }

    pub(super) async fn take_screenshot(&mut self, path: &Text, crop: Option<&Selector>) -> Result<(), Fault> {
        let name = self.file_stem(path)?;
        let area = match crop {
            None => None,
            Some(selector) => {
                let query = self.query(selector)?;
                let time = self.left_of(self.settings.lookup_timeout);
                let found = self.find(&query, time).await?;
                Some(found.ok_or_else(|| self.not_found(selector))?.bounds)
            }
        };
        let mut picture = self.phone.call(self.phone.driver.screenshot()).await?;
        if let Some(area) = area {
            picture = cut(&picture, area);
        }
        let encoded = tokio::task::spawn_blocking(move || vision::encode_png(&picture, None)).await;
        let png = encoded
            .map_err(|error| error.to_string())
            .and_then(|png| png.map_err(|error| error.to_string()))
            .map_err(Fault::Invalid)?;
        if let Some(name) = self.keep_file(format!("{name}.png"), png).await {
            self.note(SCREENSHOT, json!(name));
        }
        Ok(())
    }

    /// The name of a kept file: the attempt's, and what the flow calls it.
    fn file_stem(&self, path: &Text) -> Result<String, Fault> {
        let wanted = self.js.interpolate(path)?;
        let safe: String = wanted
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "-_".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .take(MAX_NAME)
            .collect();
        Ok(format!("{}-{}-{}-{safe}", self.spec.task, self.spec.attempt, self.step))
    }

    pub(super) async fn start_recording(&mut self, path: &Text) -> Result<(), Fault> {
        if self.recording.is_some() {
            return Err(Fault::Invalid("a recording is under way; stop it first".to_owned()));
        }
        let name = self.file_stem(path)?;
        let remote = format!("/data/local/tmp/farmhand-{}.mp4", self.spec.attempt);
        let script = format!("screenrecord --bit-rate 100000 {remote} >/dev/null 2>&1 & echo $!");
        let output = self.shell(&["sh", "-c", &script]).await?;
        let process = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        self.recording = Some((format!("{name}.mp4"), process));
        Ok(())
    }

    pub(super) async fn stop_recording(&mut self) -> Result<(), Fault> {
        let Some((name, process)) = self.recording.take() else {
            return Err(Fault::Invalid("no recording is under way".to_owned()));
        };
        self.shell_unchecked(&["kill", "-INT", &process]).await?;
        self.phone.wait(RECORDER_END).await?;
        let remote = format!("/data/local/tmp/farmhand-{}.mp4", self.spec.attempt);
        let local = self.parts.evidence_dir.join(&name);
        tokio::fs::create_dir_all(&self.parts.evidence_dir)
            .await
            .map_err(|error| Fault::Invalid(error.to_string()))?;
        self.phone.call(self.phone.driver.pull(&remote, &local)).await?;
        self.shell_unchecked(&["rm", "-f", &remote]).await?;
        self.note("recording", json!(name));
        Ok(())
    }

    /// Ends a recording that the flow left running, as far as the phone lets us.
    pub(in crate::flow) async fn end_recording(&mut self) {
        if self.recording.is_some() {
            let _best_effort = self.stop_recording().await;
        }
    }
}

/// Gives files of the same name names of their own (`a.jpg`, `a-2.jpg`): on the phone one would replace the other.
fn tell_apart(files: &mut [(PathBuf, String)]) {
    let mut taken = std::collections::HashSet::new();
    for (_, name) in files {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let others = (2_u32..).map(|number| format!("{stem}-{number}.{extension}"));
        let free = std::iter::once(name.clone())
            .chain(others)
            .find(|name| !taken.contains(name));
        *name = free.unwrap_or_default();
        taken.insert(name.clone());
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The part of a picture that lies in `area`.
fn cut(picture: &Screenshot, area: Bounds) -> Screenshot {
    let clamp = |value: i32, limit: u32| u32::try_from(value).unwrap_or(0).min(limit);
    let (left, right) = (clamp(area.left, picture.width), clamp(area.right, picture.width));
    let (top, bottom) = (clamp(area.top, picture.height), clamp(area.bottom, picture.height));
    let mut rgba = Vec::new();
    let index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    for row in top..bottom {
        let start = u64::from(row) * u64::from(picture.width) * 4;
        let from = index(start + u64::from(left) * 4);
        let to = index(start + u64::from(right) * 4);
        rgba.extend_from_slice(picture.rgba.get(from..to).unwrap_or_default());
    }
    Screenshot {
        width: right.saturating_sub(left),
        height: bottom.saturating_sub(top),
        rgba,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_do_not_replace_one_another() {
        let mut files: Vec<_> = ["a.jpg", "b.jpg", "a.jpg", "a-2.jpg", "a.jpg"]
            .map(|name| (PathBuf::from("x"), name.to_owned()))
            .to_vec();
        tell_apart(&mut files);
        let names: Vec<&str> = files.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["a.jpg", "b.jpg", "a-2.jpg", "a-2-2.jpg", "a-3.jpg"]);
    }
}
