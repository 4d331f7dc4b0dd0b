//! `addMedia`, `startRecording`, `stopRecording`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use farmhand_actors::ports::{DriverError, MediaError, PickedFile, ShellCommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::flow::{
    model::{MediaItem, Text},
    runner::{Recording, Run, fault::Fault},
};

/// Longest name of a kept file, characters.
const MAX_NAME: usize = 80;
/// Shortest recording; as upstream.
const RECORDING_MIN: Duration = Duration::from_secs(3);
/// What a stop leaves for ending a recording, after the last picture was taken.
const RECORDER_CUT: Duration = Duration::from_millis(300);
/// How long the recorder has for finding out that it cannot record.
const RECORDER_START: Duration = Duration::from_millis(300);
/// How long the recorder has for finishing its file after it was told to stop.
const RECORDER_END: Duration = Duration::from_millis(500);

impl Run {
    /// Copies media into the gallery, the last one first: so the first one ends up as the newest, on top.
    pub(super) async fn add_media(&mut self, items: &[MediaItem]) -> Result<(), Fault> {
        let mut files = Vec::new();
        for item in items {
            match item {
                MediaItem::File(path) => files.push((path.clone(), file_name(path))),
                MediaItem::Expression(text) => files.extend(self.media_of(text).await?),
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
        self.js.run(&format!("media.added = {names}")).await?;
        self.note("added", names);
        self.touched();
        Ok(())
    }

    /// Files that an expression names. Only the attempt's own media can be named: what a picker has checked.
    async fn media_of(&self, text: &str) -> Result<Vec<(PathBuf, String)>, Fault> {
        let code = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let code =
            code.ok_or_else(|| Fault::Invalid(format!("`{text}` must be one expression, e.g. ${{media.files}}")))?;
        let value = self.js.value(code).await?;
        let wanted = match value {
            Value::Array(items) => items,
            // What nobody has set is no list without files: the app would publish whatever is the newest on the phone.
            Value::Null => {
                let problem = format!(
                    "`{}` is not set: give it files (`media.files` are the task's)",
                    code.trim()
                );
                return Err(Fault::Invalid(problem));
            }
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

    /// The name of a kept file: the attempt's, and what the flow calls it.
    pub(super) async fn file_stem(&self, path: &Text) -> Result<String, Fault> {
        let wanted = self.filled(path).await?;
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
        let name = self.file_stem(path).await?;
        let remote = self.recorded_file();
        let said = self.recorder_words();
        let script = format!("screenrecord --bit-rate 100000 {remote} >{said} 2>&1 & echo $!");
        let output = self.shell(&["sh", "-c", &script]).await?;
        let process = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        self.phone.wait(RECORDER_START).await?;
        let alive = self.shell_unchecked(&["kill", "-0", &process]).await?;
        if alive.code != 0 {
            let words = self.shell_unchecked(&["cat", &said]).await?;
            self.shell_unchecked(&["rm", "-f", &said, &remote]).await?;
            let words = String::from_utf8_lossy(&words.stdout);
            let why = words.lines().map(str::trim).rfind(|line| !line.is_empty());
            let why = why.unwrap_or("it does not say why");
            return Err(Fault::Invalid(format!("this phone does not record its screen: {why}")));
        }
        self.recording = Some(Recording {
            file: format!("{name}.mp4"),
            process,
            since: Instant::now(),
        });
        Ok(())
    }

    pub(super) async fn stop_recording(&mut self) -> Result<(), Fault> {
        let Some(recording) = &self.recording else {
            return Err(Fault::Invalid("no recording is under way".to_owned()));
        };
        let (file, process) = (recording.file.clone(), recording.process.clone());
        // A recorder that is stopped sooner may leave a file without a picture.
        let early = RECORDING_MIN.saturating_sub(recording.since.elapsed());
        if !early.is_zero() {
            self.phone.wait(early).await?;
        }
        self.shell_unchecked(&["kill", "-INT", &process]).await?;
        self.phone.wait(RECORDER_END).await?;
        let remote = self.recorded_file();
        let local = self.parts.evidence_dir.join(&file);
        tokio::fs::create_dir_all(&self.parts.evidence_dir)
            .await
            .map_err(|error| Fault::Invalid(error.to_string()))?;
        self.phone.call(self.phone.driver.pull(&remote, &local)).await?;
        self.shell_unchecked(&["rm", "-f", &remote, &self.recorder_words()])
            .await?;
        self.recording = None;
        self.note("recording", json!(file));
        Ok(())
    }

    fn recorded_file(&self) -> String {
        format!("/data/local/tmp/farmhand-{}.mp4", self.spec.attempt)
    }

    /// What the recorder prints.
    fn recorder_words(&self) -> String {
        format!("/data/local/tmp/farmhand-{}.txt", self.spec.attempt)
    }

    /// Ends a recording that the flow left running. Where the attempt may not go on, it is not kept, but it is ended, and
    /// its file goes: the recorder would run on for minutes.
    pub(in crate::flow) async fn end_recording(&mut self) {
        if self.recording.is_none() || self.stop_recording().await.is_ok() {
            return;
        }
        let Some(recording) = self.recording.take() else { return };
        let (film, words) = (self.recorded_file(), self.recorder_words());
        let script = format!("kill -INT {}; rm -f {film} {words}", recording.process);
        let words = ["sh", "-c", script.as_str()].map(str::to_owned).to_vec();
        let end = self.phone.driver.shell(ShellCommand { words, timeout: None });
        // Not by way of `Phone::call`, which refuses what comes after a stop.
        if !matches!(tokio::time::timeout(RECORDER_CUT, end).await, Ok(Ok(_))) {
            tracing::warn!(task.id = %self.spec.task, "a recording may run on and its file may stay on the phone");
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
