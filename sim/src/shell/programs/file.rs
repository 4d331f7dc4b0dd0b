//! Programs that make, move and remove files.

use bytes::Bytes;

use super::{Ending, Process};
use crate::fs::Errno;

/// A block of `dd`, bytes, at most.
const MAX_DD_BYTES: usize = 64 << 20;

pub(super) async fn rm(p: &mut Process<'_>) -> Ending {
    let options = match p.options("rRfiv", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let recursive = options.has('r') || options.has('R');
    let force = options.has('f');
    if options.operands.is_empty() && !force {
        return p.complain("Needs 1 argument (see \"rm --help\")").await;
    }
    let mut code = 0;
    for path in &options.operands {
        let absolute = p.absolute(path);
        let files = p.shell.files();
        let removed = if recursive {
            files.remove_all(&absolute)
        } else {
            files.remove(&absolute)
        };
        match removed {
            Err(error) if force && error.errno == Errno::NotFound => {}
            Err(error) => code = p.complain_of(path, error.errno).await?,
            Ok(()) => {}
        }
    }
    Ok(code)
}

pub(super) async fn mkdir(p: &mut Process<'_>) -> Ending {
    let options = match p.options("pv", "m") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let mut code = 0;
    for path in &options.operands {
        let absolute = p.absolute(path);
        let files = p.shell.files();
        let made = if options.has('p') {
            files.mkdirs(&absolute)
        } else {
            files.mkdir(&absolute)
        };
        if let Err(error) = made {
            code = p.complain(format!("'{path}': {}", error.errno)).await?;
        }
    }
    Ok(code)
}

pub(super) async fn rmdir(p: &mut Process<'_>) -> Ending {
    let mut code = 0;
    for path in p.arguments.iter().filter(|path| !path.starts_with('-')) {
        if let Err(error) = p.shell.files().remove_dir(&p.absolute(path)) {
            code = p.complain_of(path, error.errno).await?;
        }
    }
    Ok(code)
}

pub(super) async fn mv(p: &mut Process<'_>) -> Ending {
    let options = match p.options("finv", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let Some((target, sources)) = options.operands.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return p.complain("Needs 2 arguments (see \"mv --help\")").await;
    };
    let mut code = 0;
    for source in sources {
        let to = inside(p, target, source);
        if let Err(error) = p.shell.files().rename(&p.absolute(source), &to) {
            code = p.complain(format!("bad '{source}': {}", error.errno)).await?;
        }
    }
    Ok(code)
}

pub(super) async fn cp(p: &mut Process<'_>) -> Ending {
    let options = match p.options("rRafpivHLPTd", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let Some((target, sources)) = options.operands.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return p.complain("Needs 2 arguments (see \"cp --help\")").await;
    };
    let recursive = ['r', 'R', 'a'].into_iter().any(|letter| options.has(letter));
    let mut code = 0;
    for source in sources {
        let to = inside(p, target, source);
        code = code.max(copy(p, source, &to, recursive).await?);
    }
    Ok(code)
}

/// Copies a file or a tree; folders that are still to be copied wait in a list, so that no depth is too deep.
async fn copy(p: &Process<'_>, source: &str, to: &str, recursive: bool) -> Ending {
    let files = p.shell.files();
    let root = p.absolute(source);
    let mut waiting = vec![(root.clone(), to.to_owned())];
    while let Some((from, to)) = waiting.pop() {
        let copied = match files.stat(&from) {
            Err(error) => return p.complain(format!("bad '{source}': {}", error.errno)).await,
            Ok(metadata) if metadata.is_dir() && !recursive => {
                return p.complain(format!("Skipped dir '{source}'")).await;
            }
            Ok(metadata) if metadata.is_dir() => {
                if to.starts_with(&format!("{root}/")) {
                    return p
                        .complain(format!("{source}: cannot copy a directory into itself"))
                        .await;
                }
                let entries = files
                    .list(&from)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|entry| entry.name);
                waiting.extend(entries.map(|name| (format!("{from}/{name}"), format!("{to}/{name}"))));
                files.mkdirs(&to)
            }
            Ok(_) => files.read(&from).and_then(|content| files.write(&to, content)),
        };
        if let Err(error) = copied {
            return p.complain(format!("'{}': {}", error.path, error.errno)).await;
        }
    }
    Ok(0)
}

pub(super) async fn touch(p: &mut Process<'_>) -> Ending {
    let options = match p.options("acmh", "dtr") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let mut code = 0;
    for path in &options.operands {
        let absolute = p.absolute(path);
        let files = p.shell.files();
        let touched = match files.stat(&absolute) {
            Ok(_) => files.append(&absolute, b"").or_else(|error| match error.errno {
                Errno::IsADirectory => Ok(()),
                _ => Err(error),
            }),
            Err(_) if options.has('c') => Ok(()),
            Err(_) => files.write(&absolute, Bytes::new()),
        };
        if let Err(error) = touched {
            code = p.complain(format!("'{path}': {}", error.errno)).await?;
        }
    }
    Ok(code)
}

/// `chmod`, and `chown`, which nobody but root may do.
pub(super) async fn chmod(p: &mut Process<'_>) -> Ending {
    let words: Vec<&String> = p.arguments.iter().filter(|word| *word != "-R").collect();
    let Some((mode, paths)) = words.split_first().filter(|(_, paths)| !paths.is_empty()) else {
        return p.complain("Needs 2 arguments").await;
    };
    let mut code = 0;
    for path in paths {
        let absolute = p.absolute(path);
        let files = p.shell.files();
        let changed = match files.stat(&absolute) {
            Ok(_) if p.name == "chown" => {
                code = p.complain_of(path, Errno::PermissionDenied).await?;
                continue;
            }
            Ok(metadata) => files.set_mode(&absolute, new_mode(mode, metadata.mode)),
            Err(error) => Err(error),
        };
        if let Err(error) = changed {
            code = p.complain_of(path, error.errno).await?;
        }
    }
    Ok(code)
}

fn new_mode(spec: &str, old: u32) -> u32 {
    if let Ok(mode) = u32::from_str_radix(spec, 8) {
        return mode;
    }
    let Some(at) = spec.find(['+', '-', '=']) else {
        return old;
    };
    let (_, letters) = spec.split_at(at);
    let bits = letters.chars().fold(0, |bits, letter| match letter {
        'r' => bits | 0o444,
        'w' => bits | 0o222,
        'x' => bits | 0o111,
        _ => bits,
    });
    if letters.starts_with('-') {
        old & !bits
    } else {
        old | bits
    }
}

pub(super) async fn mktemp(p: &mut Process<'_>) -> Ending {
    let path = format!("/data/local/tmp/tmp.{:010x}", rand::random::<u32>());
    let files = p.shell.files();
    let folder = p.arguments.iter().any(|argument| argument == "-d");
    let made = if folder {
        files.mkdir(&path)
    } else {
        files.write(&path, Bytes::new())
    };
    match made {
        Ok(()) => p.out(format!("{path}\n")).await.map(|()| 0),
        Err(error) => p.complain_of(&path, error.errno).await,
    }
}

pub(super) async fn dd(p: &mut Process<'_>) -> Ending {
    let operand = |name: &str| {
        let find = |argument: &String| {
            argument
                .split_once('=')
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        p.arguments.iter().find_map(find)
    };
    let number = |name: &str, default: usize| operand(name).map_or(Some(default), |value| size(&value));
    let block = match (operand("bs"), number("ibs", 512)) {
        (Some(value), _) => size(&value),
        (None, block) => block,
    };
    let (Some(block), Some(skip), Some(count)) = (block, number("skip", 0), number("count", usize::MAX)) else {
        return p.complain("bad number").await;
    };
    let wanted = count.saturating_add(skip).saturating_mul(block).min(MAX_DD_BYTES);
    let content = match operand("if").as_deref() {
        None if count == usize::MAX => p.streams.stdin.read_to_end().await?,
        None => p.streams.stdin.read_exactly(wanted).await,
        Some("/dev/zero") => Bytes::from(vec![0; wanted]),
        Some("/dev/urandom" | "/dev/random") => Bytes::from((0..wanted).map(|_| rand::random()).collect::<Vec<u8>>()),
        Some(path) => match p.read(path).await? {
            Some(content) => content,
            None => return Ok(1),
        },
    };
    let start = skip.saturating_mul(block).min(content.len());
    let limit = count.saturating_mul(block);
    let part = content.slice(start..start.saturating_add(limit).min(content.len()));
    let length = part.len();
    match operand("of") {
        None => p.out(part).await?,
        Some(path) => {
            if let Err(error) = p.shell.files().write(&p.absolute(&path), part) {
                return p.complain_of(&path, error.errno).await;
            }
        }
    }
    if operand("status").as_deref() != Some("none") {
        let (full, partial) = (length / block.max(1), usize::from(length % block.max(1) > 0));
        let summary = format!(
            "{full}+{partial} records in\n{full}+{partial} records out\n{length} bytes ({length} B) copied, 0.001 s, {length} B/s\n"
        );
        p.streams.stderr.write(summary).await?;
    }
    Ok(0)
}

/// A number with an optional `k` or `m`.
fn size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" | "c" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

/// Where a source goes: into the target when that is a folder.
fn inside(p: &Process<'_>, target: &str, source: &str) -> String {
    let to = p.absolute(target);
    if p.shell.files().stat(&to).is_ok_and(|metadata| metadata.is_dir()) {
        let name = source.trim_end_matches('/').rsplit('/').next().unwrap_or(source);
        format!("{to}/{name}")
    } else {
        to
    }
}
