//! `stat` and `date`.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, fmt::strtime};

use super::{Ending, Process, list::mode_text};
use crate::fs::Metadata;

/// A time in UTC (the phone's zone), by a format of `strftime`.
pub(in crate::shell) fn format_time(seconds: u32, format: &str) -> String {
    let timestamp = Timestamp::from_second(i64::from(seconds)).unwrap_or_default();
    strtime::format(format, timestamp).unwrap_or_default()
}

pub(super) async fn stat(p: &mut Process<'_>) -> Ending {
    let options = match p.options("Lft", "c") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    if options.operands.is_empty() {
        return p.complain("Needs 1 argument (see \"stat --help\")").await;
    }
    let mut code = 0;
    for path in &options.operands {
        match p.shell.files().stat(&p.absolute(path)) {
            Ok(metadata) => {
                let line = match options.value('c') {
                    Some(format) => describe(format, path, &metadata),
                    None => full(path, &metadata),
                };
                p.out(line + "\n").await?;
            }
            Err(error) => code = p.complain(format!("'{path}': {}", error.errno)).await?,
        }
    }
    Ok(code)
}

fn describe(format: &str, path: &str, metadata: &Metadata) -> String {
    let mut line = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            line.push(c);
            continue;
        }
        let text = match characters.next() {
            Some('a') => format!("{:o}", metadata.mode & 0o7777),
            Some('A') => mode_text(metadata.mode),
            Some('b') => (metadata.size.div_ceil(512)).to_string(),
            Some('B') => "512".to_owned(),
            Some('f') => format!("{:x}", metadata.mode),
            Some('F') => if metadata.is_dir() { "directory" } else { "regular file" }.to_owned(),
            Some('g') => "1015".to_owned(),
            Some('G') => metadata.group.to_owned(),
            Some('h') => "1".to_owned(),
            Some('i') => metadata.inode.to_string(),
            Some('n' | 'N') => path.to_owned(),
            Some('o') => "4096".to_owned(),
            Some('s') => metadata.size.to_string(),
            Some('u') => "2000".to_owned(),
            Some('U') => metadata.owner.to_owned(),
            Some('X' | 'Y' | 'Z') => metadata.mtime.to_string(),
            Some('x' | 'y' | 'z') => format_time(metadata.mtime, "%Y-%m-%d %H:%M:%S.000000000"),
            Some('%') => "%".to_owned(),
            Some(other) => format!("%{other}"),
            None => "%".to_owned(),
        };
        line.push_str(&text);
    }
    line
}

fn full(path: &str, metadata: &Metadata) -> String {
    let lines = [
        "  File: %n",
        "  Size: %s\t Blocks: %b\t IO Blocks: 512\t %F",
        "Device: fd05h/64773d\t Inode: %i\t Links: %h",
        "Access: (%a/%A)\tUid: (%u/%U)\tGid: (%g/%G)",
        "Access: %x +0000",
        "Modify: %y +0000",
        "Change: %z +0000",
    ];
    describe(&lines.join("\n"), path, metadata)
}

pub(super) async fn date(p: &mut Process<'_>) -> Ending {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX);
    let format = p
        .arguments
        .iter()
        .find_map(|word| word.strip_prefix('+'))
        .unwrap_or("%a %b %e %H:%M:%S UTC %Y");
    // jiff knows no `%N`; strftime of toybox gives nanoseconds for it.
    let format = format.replace("%N", &format!("{:09}", since_1970.subsec_nanos()));
    p.out(format!("{}\n", format_time(seconds, &format))).await.map(|()| 0)
}
