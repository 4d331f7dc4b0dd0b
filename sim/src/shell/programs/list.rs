//! Programs that show folders.

use super::{Ending, Options, Process, format_time};
use crate::fs::{Entry, Metadata};

pub(super) async fn ls(p: &mut Process<'_>) -> Ending {
    let options = match p.options("la1AdhRtrSpsFikZ", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let operands = if options.operands.is_empty() {
        vec![p.shell.folder.clone()]
    } else {
        options.operands.clone()
    };
    let files = p.shell.files();
    let (mut code, mut singles, mut folders) = (0, Vec::new(), Vec::new());
    for path in &operands {
        match files.stat(&p.absolute(path)) {
            // The permissions of `/sdcard` are those of the link; tools that want its content add a slash.
            Ok(metadata) if metadata.is_dir() && !options.has('d') => folders.push(path.clone()),
            Ok(metadata) => singles.push(Entry {
                name: path.clone(),
                metadata,
            }),
            Err(error) => code = p.complain_of(path, error.errno).await?,
        }
    }
    if !singles.is_empty() {
        p.out(show(singles, &options)).await?;
    }
    let headed = operands.len() > 1 || options.has('R');
    folders.reverse();
    while let Some(path) = folders.pop() {
        let entries = match files.list(&p.absolute(&path)) {
            Ok(entries) => entries,
            Err(error) => {
                code = p.complain_of(&path, error.errno).await?;
                continue;
            }
        };
        if headed {
            p.out(format!("{path}:\n")).await?;
        }
        let visible = |entry: &Entry| options.has('a') || options.has('A') || !entry.name.starts_with('.');
        let mut entries: Vec<Entry> = entries.into_iter().filter(visible).collect();
        if options.has('R') {
            let inner = entries.iter().filter(|entry| entry.metadata.is_dir()).rev();
            folders.extend(inner.map(|entry| format!("{}/{}", path.trim_end_matches('/'), entry.name)));
        }
        if options.has('l') {
            p.out(format!(
                "total {}\n",
                entries.iter().map(|entry| blocks(&entry.metadata)).sum::<u64>()
            ))
            .await?;
        }
        if options.has('a') {
            let dots = [".", ".."].into_iter().rev();
            if let Ok(metadata) = files.stat(&p.absolute(&path)) {
                dots.for_each(|name| {
                    entries.insert(
                        0,
                        Entry {
                            name: name.to_owned(),
                            metadata: metadata.clone(),
                        },
                    )
                });
            }
        }
        p.out(show(entries, &options)).await?;
    }
    Ok(code)
}

fn show(mut entries: Vec<Entry>, options: &Options) -> String {
    if options.has('t') {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.metadata.mtime));
    }
    if options.has('S') {
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.metadata.size));
    }
    if options.has('r') {
        entries.reverse();
    }
    let width = entries
        .iter()
        .map(|entry| entry.metadata.size.to_string().len())
        .max()
        .unwrap_or(0);
    let line = |entry: &Entry| {
        let mark = if entry.metadata.is_dir() && (options.has('p') || options.has('F')) {
            "/"
        } else {
            ""
        };
        let name = format!("{}{mark}", entry.name);
        let inode = if options.has('i') {
            format!("{} ", entry.metadata.inode)
        } else {
            String::new()
        };
        if !options.has('l') {
            return format!("{inode}{name}\n");
        }
        let Metadata {
            mode,
            size,
            mtime,
            owner,
            group,
            ..
        } = &entry.metadata;
        let links = if entry.metadata.is_dir() { 2 } else { 1 };
        let time = format_time(*mtime, "%Y-%m-%d %H:%M");
        format!(
            "{inode}{} {links} {owner} {group} {size:>width$} {time} {name}\n",
            mode_text(*mode)
        )
    };
    entries.iter().map(line).collect()
}

/// Kilobytes on the disk.
fn blocks(metadata: &Metadata) -> u64 {
    metadata.size.div_ceil(4096) * 4
}

/// A mode as `ls -l` and `stat` show it: `-rw-r--r--`.
pub(super) fn mode_text(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o020_000 => 'c',
        0o120_000 => 'l',
        _ => '-',
    };
    let bits = (0..9).rev().map(|bit| {
        let letter = match bit % 3 {
            2 => 'r',
            1 => 'w',
            _ => 'x',
        };
        if mode & (1 << bit) != 0 { letter } else { '-' }
    });
    std::iter::once(kind).chain(bits).collect()
}

pub(super) async fn find(p: &mut Process<'_>) -> Ending {
    let is_test = |word: &&String| word.starts_with('-');
    let split = p
        .arguments
        .iter()
        .position(|word| is_test(&word))
        .unwrap_or(p.arguments.len());
    let (roots, tests) = p.arguments.split_at(split);
    let value = |name: &str| {
        let at = tests.iter().position(|word| word == name)?;
        tests.get(at + 1).cloned()
    };
    let (name, kind) = (value("-name"), value("-type"));
    let depth = value("-maxdepth")
        .and_then(|depth| depth.parse().ok())
        .unwrap_or(usize::MAX);
    let here = [".".to_owned()];
    let roots = if roots.is_empty() { &here } else { roots };
    let files = p.shell.files();
    let mut code = 0;
    for root in roots {
        let mut waiting = vec![(root.clone(), 0_usize)];
        while let Some((path, level)) = waiting.pop() {
            let metadata = match files.stat(&p.absolute(&path)) {
                Ok(metadata) => metadata,
                Err(error) => {
                    code = p.complain_of(&path, error.errno).await?;
                    continue;
                }
            };
            let last = path.rsplit('/').next().unwrap_or(&path);
            let named = name
                .as_ref()
                .is_none_or(|pattern| super::super::glob::matches(pattern, last));
            let typed = kind.as_ref().is_none_or(|kind| (kind == "d") == metadata.is_dir());
            if named && typed {
                p.out(format!("{path}\n")).await?;
            }
            if metadata.is_dir() && level < depth {
                let entries = files.list(&p.absolute(&path)).unwrap_or_default();
                let inner = entries.into_iter().rev();
                waiting.extend(inner.map(|e| (format!("{}/{}", path.trim_end_matches('/'), e.name), level + 1)));
            }
        }
    }
    Ok(code)
}

pub(super) async fn du(p: &mut Process<'_>) -> Ending {
    let options = match p.options("ashkmc", "d") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let files = p.shell.files();
    let here = vec![".".to_owned()];
    for root in if options.operands.is_empty() {
        &here
    } else {
        &options.operands
    } {
        let mut waiting = vec![p.absolute(root)];
        let mut total = 0;
        while let Some(path) = waiting.pop() {
            match files.stat(&path) {
                Ok(metadata) => total += blocks(&metadata),
                Err(error) => return p.complain_of(root, error.errno).await,
            }
            let entries = files.list(&path).unwrap_or_default();
            waiting.extend(entries.into_iter().map(|entry| format!("{path}/{}", entry.name)));
        }
        p.out(format!("{total}\t{root}\n")).await?;
    }
    Ok(0)
}
