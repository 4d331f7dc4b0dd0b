//! Files to and from the phone, its gallery, installing, its log.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use farmhand_actors::ports::DriverError;

use super::{
    apps::says_success,
    call::{AdbDriver, problem_of},
    relay::with_adb_client,
};
use crate::adb::{quote::CommandLine, settings::millis};

/// A file arrives under a hidden name beside its place and is then moved there: it is never seen half, and the move is
/// refused when the phone belongs to another attempt. That it is whole, nobody but its size can tell: adb_client may take
/// a connection that was cut off for the end.
const MOVE: &str = r#"if [ "$(stat -c %s "$part")" != "$bytes" ]; then rm -f "$part"; echo "the file did not arrive whole" >&2; exit 1; fi
if [ -d "$to" ]; then to="$to/$name"; fi; mv -f "$part" "$to" || { rm -f "$part"; exit 1; }"#;

/// How often the MediaStore is asked whether the file is there.
const MEDIA_PAUSE: Duration = Duration::from_millis(150);

/// A file that was there before keeps its place in the MediaStore, among the older ones, and a flow that takes the newest
/// would take another: so it goes first, and its row with it. (Since Android 11 the row goes with the file.)
const FORGET: &str = r#"[ -e "$path" ] || exit 0; rm -f "$path" || exit 1
am broadcast -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d "file://$path" >/dev/null
content call --uri content://media --method scan_file --arg "$path" >/dev/null 2>&1; exit 0"#;

/// Kinds of media, by the folder where a gallery looks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaKind {
    Image,
    Video,
}

impl AdbDriver {
    pub(super) async fn push_file(&self, local: &Path, remote: &str) -> Result<(), DriverError> {
        self.push_as("push", local, remote).await
    }

    pub(super) async fn push_as(&self, op: &'static str, local: &Path, remote: &str) -> Result<(), DriverError> {
        let name = local.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let remote = remote.trim_end_matches('/');
        let folder = remote.rsplit_once('/').map_or("", |(folder, _)| folder);
        let part = format!("{folder}/.farmhand-{}.part", self.phone.next_part());
        let bytes = self.copy_to_phone(op, local, &part).await?;
        let line = CommandLine::script(MOVE)
            .with("bytes", &bytes.to_string())
            .with("part", &part)
            .with("name", &name)
            .with("to", remote);
        self.act_well(op, millis(self.phones.settings.deadlines.query_ms), line)
            .await
            .map(drop)
    }

    /// Answers how many bytes were sent.
    async fn copy_to_phone(&self, op: &'static str, local: &Path, remote: &str) -> Result<u64, DriverError> {
        let (file, bytes) = open_file(local).map_err(|problem| DriverError::HostFile { problem })?;
        let transport = self.transport()?;
        let path = remote.to_owned();
        let copied = with_adb_client(&transport, move |device| device.push(file, path));
        let deadline = self.phones.settings.deadlines.copy(bytes);
        self.call(op, deadline, &transport.server, copied).await?;
        Ok(bytes)
    }

    pub(super) async fn pull_file(&self, remote: &str, local: &Path) -> Result<(), DriverError> {
        const OP: &str = "pull";
        let bytes = self.size_on_phone(OP, remote).await?;
        let transport = self.transport()?;
        let (from, to) = (remote.to_owned(), local.to_owned());
        let part = part_beside(local, self.phone.next_part());
        let copied = with_adb_client(&transport, move |device| {
            let copied = File::create(&part).map_err(Into::into).and_then(|mut file| {
                let mut at_most = AtMost {
                    file: &mut file,
                    left: bytes,
                    over: false,
                };
                let pulled = device.pull(&from, &mut at_most);
                // Its last bytes it writes without looking whether that went well.
                if at_most.over {
                    let problem = format!("the phone sends more than the {bytes} bytes that it has told");
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem).into());
                }
                pulled?;
                // It takes a connection that was cut off for the file's end.
                if file.metadata()?.len() < bytes {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                Ok(())
            });
            let moved = copied.and_then(|()| fs::rename(&part, &to).map_err(Into::into));
            if moved.is_err() {
                // It may not be there at all.
                let _ = fs::remove_file(&part);
            }
            moved
        });
        self.call(
            OP,
            self.phones.settings.deadlines.copy(bytes),
            &transport.server,
            copied,
        )
        .await
    }

    async fn size_on_phone(&self, op: &'static str, remote: &str) -> Result<u64, DriverError> {
        let line = CommandLine::program("stat -c %s").arg(remote);
        let output = self
            .query(op, millis(self.phones.settings.deadlines.query_ms), &line)
            .await?;
        let size = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
        size.filter(|_| output.code == 0)
            .ok_or_else(|| self.refused(op, problem_of(&output)))
    }

    pub(super) async fn add_to_gallery(&self, local: &Path, name: &str) -> Result<String, DriverError> {
        const OP: &str = "add_media";
        let name = safe_name(name);
        let kind = kind_of(&name);
        let folder = match kind {
            MediaKind::Image => "/sdcard/Pictures/farmhand",
            MediaKind::Video => "/sdcard/Movies/farmhand",
        };
        let path = format!("{folder}/{name}");
        let deadline = millis(self.phones.settings.deadlines.media_scan_ms);
        let forget = CommandLine::script(FORGET).with("path", &path);
        self.act_well(OP, deadline, forget).await?;
        self.push_as(OP, local, &path).await?;
        let scan = CommandLine::program("touch").arg(&path).and(
            CommandLine::program("am broadcast -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d")
                .arg(&format!("file://{path}"))
                .flags(&[">/dev/null"])
                .then(CommandLine::program("content call --uri content://media --method scan_file --arg").arg(&path))
                .flags(&[">/dev/null 2>&1"])
                .then(CommandLine::program("exit 0")),
        );
        self.act_well(OP, deadline, scan).await?;
        let seen = tokio::time::timeout(deadline, self.wait_for_media(kind, &name)).await;
        seen.unwrap_or_else(|_| {
            Err(self.refused(
                OP,
                format!("{path} did not come into the phone's gallery in {deadline:?}"),
            ))
        })?;
        Ok(path)
    }

    /// Until the MediaStore has a row of that name in our folder.
    async fn wait_for_media(&self, kind: MediaKind, name: &str) -> Result<(), DriverError> {
        let program = match kind {
            MediaKind::Image => "content query --uri content://media/external/images/media",
            MediaKind::Video => "content query --uri content://media/external/video/media",
        };
        let line = CommandLine::program(program)
            .flags(&["--projection", "_id:_data", "--where"])
            .arg(&format!("_display_name='{name}'"));
        let end = format!("/farmhand/{name}");
        loop {
            let deadline = millis(self.phones.settings.deadlines.query_ms);
            let output = self.query("add_media", deadline, &line).await?;
            if String::from_utf8_lossy(&output.stdout)
                .lines()
                .any(|row| row.starts_with("Row:") && row.trim().ends_with(&end))
            {
                return Ok(());
            }
            tokio::time::sleep(MEDIA_PAUSE).await;
        }
    }

    /// By a file on the phone and `pm install`, whose whole answer can be read; streaming it in tells one line only.
    pub(super) async fn install_apk(&self, apk: &Path) -> Result<(), DriverError> {
        const OP: &str = "install";
        let remote = format!("/data/local/tmp/farmhand-{}.apk", self.phone.next_part());
        self.copy_to_phone(OP, apk, &remote).await?;
        let line =
            CommandLine::script(r#"pm install -r -t "$apk"; code=$?; rm -f "$apk"; exit $code"#).with("apk", &remote);
        let output = self
            .act(OP, millis(self.phones.settings.deadlines.install_ms), line)
            .await?;
        if says_success(&output) {
            Ok(())
        } else {
            Err(self.refused(OP, problem_of(&output)))
        }
    }

    pub(super) async fn read_log(&self, lines: u32) -> Result<String, DriverError> {
        const OP: &str = "log";
        /// More than a person reads, fewer than the output's cap holds.
        const LINES_MAX: u32 = 10_000;
        let lines = lines.clamp(1, LINES_MAX);
        let line = CommandLine::program("logcat -d -t").numbers(&[lines.into()]);
        let output = self
            .query(OP, millis(self.phones.settings.deadlines.shell_ms), &line)
            .await?;
        if output.code != 0 {
            return Err(self.refused(OP, problem_of(&output)));
        }
        // `-t` counts entries, and an entry may have many lines.
        let log = String::from_utf8_lossy(&output.stdout);
        let first = log
            .lines()
            .count()
            .saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
        Ok(log.lines().skip(first).map(|line| format!("{line}\n")).collect())
    }
}

/// A file that takes no more than the phone has told: a phone that lies must not fill the disk.
struct AtMost<'a> {
    file: &'a mut File,
    left: u64,
    /// It was told more.
    over: bool,
}

impl Write for AtMost<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(more) else {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.left = left;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A regular file of this host and its size.
fn open_file(path: &Path) -> Result<(File, u64), String> {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    Ok((file, metadata.len()))
}

/// A file that is pulled has its name only when it is whole.
fn part_beside(path: &Path, number: u64) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{number}.part"))
}

/// A name that means the same to the shell, to a `file:` URL, to SQL and to FAT: letters, digits, `.`, `_`, `-`.
fn safe_name(name: &str) -> String {
    const CHARS_MAX: usize = 120;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    let skipped = name.chars().count().saturating_sub(CHARS_MAX);
    let name: String = name.chars().skip(skipped).map(safe).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() {
        "media".to_owned()
    } else {
        name.to_owned()
    }
}

fn kind_of(name: &str) -> MediaKind {
    let extension = name
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension)
        .to_ascii_lowercase();
    match extension.as_str() {
        "mp4" | "m4v" | "mov" | "webm" | "mkv" | "3gp" => MediaKind::Video,
        _ => MediaKind::Image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_media_mean_the_same_everywhere() {
        assert_eq!(safe_name("video 1.mp4"), "video_1.mp4");
        assert_eq!(safe_name("../../it's $(x).jpg"), "it_s___x_.jpg");
        assert_eq!(safe_name("C:\\Videos\\a.mp4"), "a.mp4");
        assert_eq!(safe_name(".hidden"), "hidden");
        assert_eq!(safe_name(""), "media");
        assert_eq!(safe_name(&format!("{}.mp4", "ü".repeat(300))).chars().count(), 120);
    }

    #[test]
    fn videos_go_to_movies_and_the_rest_to_pictures() {
        assert_eq!(kind_of("a.MP4"), MediaKind::Video);
        assert_eq!(kind_of("a.jpg"), MediaKind::Image);
        assert_eq!(kind_of("a"), MediaKind::Image);
    }

    #[test]
    fn a_file_of_this_host_has_to_be_a_file() {
        let folder = tempfile::tempdir().unwrap();

        assert!(open_file(folder.path()).unwrap_err().contains("is not a file"));
        assert!(
            open_file(&folder.path().join("no"))
                .unwrap_err()
                .contains("no: No such file")
        );
    }
}
