//! Programs that print, cut and count text.

use bytes::Bytes;

use super::{Ending, Options, Process, printf};

/// Lines that `head` and `tail` show by default.
const DEFAULT_LINES: usize = 10;

pub(super) async fn echo(p: &mut Process<'_>) -> Ending {
    let is_option = |word: &&String| {
        word.strip_prefix('-').is_some_and(|letters| {
            !letters.is_empty() && letters.chars().all(|letter| matches!(letter, 'n' | 'e' | 'E'))
        })
    };
    let letters: String = p.arguments.iter().take_while(is_option).map(String::as_str).collect();
    let words: Vec<&str> = p.arguments.iter().skip_while(is_option).map(String::as_str).collect();
    let text = words.join(" ");
    let mut out = Vec::with_capacity(text.len() + 1);
    let stopped = if letters.contains('e') {
        printf::unescape(&text, &mut out)
    } else {
        out.extend_from_slice(text.as_bytes());
        false
    };
    if !stopped && !letters.contains('n') {
        out.push(b'\n');
    }
    p.out(out).await.map(|()| 0)
}

pub(super) async fn cat(p: &mut Process<'_>) -> Ending {
    let options = match p.options("estuv", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let mut code = 0;
    for path in options.inputs() {
        if path == "-" {
            while let Some(chunk) = p.streams.stdin.read_chunk().await {
                p.out(chunk).await?;
            }
        } else if let Some(content) = p.read(&path).await? {
            p.out(content).await?;
        } else {
            code = 1;
        }
    }
    Ok(code)
}

pub(super) async fn head(p: &mut Process<'_>) -> Ending {
    let options = match counted(p) {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    for path in options.inputs() {
        let Some(content) = p.read(&path).await? else {
            return Ok(1);
        };
        let end = match options.value('c') {
            Some(count) => count.parse().unwrap_or(0).min(content.len()),
            None => end_of_lines(&content, lines_wanted(&options)),
        };
        p.out(content.slice(..end)).await?;
    }
    Ok(0)
}

pub(super) async fn tail(p: &mut Process<'_>) -> Ending {
    let options = match counted(p) {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    for path in options.inputs() {
        let Some(content) = p.read(&path).await? else {
            return Ok(1);
        };
        let count = options.value('c').or(options.value('n')).unwrap_or("10");
        let from_start = count.strip_prefix('+').and_then(|count| count.parse::<usize>().ok());
        let number = count
            .trim_start_matches(['-', '+'])
            .parse::<usize>()
            .unwrap_or(DEFAULT_LINES);
        let start = match (options.value('c').is_some(), from_start) {
            (true, Some(first)) => first.saturating_sub(1).min(content.len()),
            (true, None) => content.len().saturating_sub(number),
            (false, Some(first)) => end_of_lines(&content, first.saturating_sub(1)),
            (false, None) => {
                let lines = lines(&content).count();
                end_of_lines(&content, lines.saturating_sub(number))
            }
        };
        p.out(content.slice(start..)).await?;
    }
    Ok(0)
}

/// Options of `head` and `tail`; `-5` is `-n 5`.
fn counted(p: &Process<'_>) -> Result<Options, String> {
    let short = |word: &String| {
        let digits = word.strip_prefix('-').filter(|digits| !digits.is_empty())?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| format!("-n{digits}"))
    };
    let arguments: Vec<String> = p
        .arguments
        .iter()
        .map(|word| short(word).unwrap_or_else(|| word.clone()))
        .collect();
    super::sort_arguments(p.name, &arguments, "fqv", "nc")
}

fn lines_wanted(options: &Options) -> usize {
    options
        .value('n')
        .and_then(|count| count.parse().ok())
        .unwrap_or(DEFAULT_LINES)
}

/// The lines with their newlines.
pub(super) fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|&byte| byte == b'\n')
}

/// Where the first `count` lines end.
fn end_of_lines(content: &[u8], count: usize) -> usize {
    lines(content).take(count).map(<[u8]>::len).sum()
}

pub(super) async fn wc(p: &mut Process<'_>) -> Ending {
    let options = match p.options("lwcm", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let all = !['l', 'w', 'c', 'm'].into_iter().any(|letter| options.has(letter));
    for path in options.inputs() {
        let Some(content) = p.read(&path).await? else {
            return Ok(1);
        };
        let text = String::from_utf8_lossy(&content);
        let counts = [
            ('l', content.iter().filter(|&&byte| byte == b'\n').count()),
            ('w', text.split_whitespace().count()),
            ('c', content.len()),
            ('m', text.chars().count()),
        ];
        let wanted = counts
            .iter()
            .filter(|(letter, _)| options.has(*letter) || (all && *letter != 'm'));
        let mut columns: Vec<String> = wanted.map(|(_, count)| count.to_string()).collect();
        if path != "-" {
            columns.push(path);
        }
        p.out(format!("{}\n", columns.join(" "))).await?;
    }
    Ok(0)
}

pub(super) async fn sort(p: &mut Process<'_>) -> Ending {
    let options = match p.options("nru", "k") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let path = options.operands.first().map_or("-", String::as_str);
    let Some(content) = p.read(path).await? else {
        return Ok(1);
    };
    let text = String::from_utf8_lossy(&content);
    let mut all: Vec<&str> = text.lines().collect();
    if options.has('n') {
        let number = |line: &&str| {
            let line = line.trim_start();
            let end = line
                .find(|c: char| !c.is_ascii_digit() && c != '-')
                .unwrap_or(line.len());
            line.get(..end)
                .and_then(|digits| digits.parse::<i64>().ok())
                .unwrap_or(0)
        };
        all.sort_by_key(number);
    } else {
        all.sort_unstable();
    }
    if options.has('r') {
        all.reverse();
    }
    if options.has('u') {
        all.dedup();
    }
    p.out(all.iter().map(|line| format!("{line}\n")).collect::<String>())
        .await
        .map(|()| 0)
}

pub(super) async fn uniq(p: &mut Process<'_>) -> Ending {
    let path = p
        .arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .map_or("-", String::as_str);
    let Some(content) = p.read(path).await? else {
        return Ok(1);
    };
    let text = String::from_utf8_lossy(&content);
    let mut all: Vec<&str> = text.lines().collect();
    all.dedup();
    p.out(all.iter().map(|line| format!("{line}\n")).collect::<String>())
        .await
        .map(|()| 0)
}

pub(super) async fn tee(p: &mut Process<'_>) -> Ending {
    let options = match p.options("ai", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let content = p.streams.stdin.read_to_end().await?;
    let mut code = 0;
    for path in &options.operands {
        let absolute = p.absolute(path);
        let files = p.shell.files();
        let written = match options.has('a') {
            true => files.append(&absolute, &content),
            false => files.write(&absolute, Bytes::clone(&content)),
        };
        if let Err(error) = written {
            code = p.complain_of(path, error.errno).await?;
        }
    }
    p.out(content).await.map(|()| code)
}
