//! Programs that read, choose and change text.

use bytes::Bytes;

use super::{Ending, Options, Process, pattern::Pattern, printf};

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
fn lines(content: &[u8]) -> impl Iterator<Item = &[u8]> {
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

pub(super) async fn grep(p: &mut Process<'_>) -> Ending {
    let options = match p.options("qcvFEGinowlshHrx", "em") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await.map(|_| 2),
    };
    let mut operands = options.operands.clone();
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
        if operands.is_empty() {
            return p.complain("no REGEX").await.map(|_| 2);
        }
        patterns.push(operands.remove(0));
    }
    let fixed = options.has('F') || p.name == "fgrep";
    let extended = options.has('E') || p.name == "egrep";
    let patterns: Vec<Pattern> = patterns
        .iter()
        .flat_map(|text| text.split('\n'))
        .map(|text| Pattern::new(text, fixed, extended, options.has('i')))
        .collect();
    let most = options
        .value('m')
        .and_then(|most| most.parse().ok())
        .unwrap_or(usize::MAX);
    let several = operands.len() > 1 || options.has('H');
    if operands.is_empty() {
        operands.push("-".to_owned());
    }
    let (mut found, mut failed) = (false, false);
    for path in &operands {
        let Some(content) = p.read(path).await? else {
            failed = true;
            continue;
        };
        let mut out = Vec::new();
        let mut count = 0;
        for (index, line) in lines(&content).enumerate() {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end_matches('\n');
            let hit = patterns.iter().find_map(|pattern| pattern.find(text, options.has('x')));
            if hit.is_some() == options.has('v') || count >= most {
                continue;
            }
            count += 1;
            if several && !options.has('h') {
                out.extend_from_slice(format!("{path}:").as_bytes());
            }
            if options.has('n') {
                out.extend_from_slice(format!("{}:", index + 1).as_bytes());
            }
            let part = hit
                .filter(|_| options.has('o'))
                .and_then(|(start, end)| text.get(start..end));
            out.extend_from_slice(part.unwrap_or(text).as_bytes());
            out.push(b'\n');
        }
        found |= count > 0;
        if options.has('q') {
            continue;
        }
        if options.has('c') {
            out = format!("{count}\n").into_bytes();
        } else if options.has('l') {
            out = if count > 0 {
                format!("{path}\n").into_bytes()
            } else {
                Vec::new()
            };
        }
        p.out(out).await?;
    }
    Ok(if found {
        0
    } else if failed {
        2
    } else {
        1
    })
}

pub(super) async fn tr(p: &mut Process<'_>) -> Ending {
    let options = match p.options("dsc", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let Some((from, to)) = options.operands.split_first() else {
        return p.complain("Needs 1 argument").await;
    };
    let set = characters(from);
    let replacements = to.first().map(|to| characters(to)).unwrap_or_default();
    let input = p.streams.stdin.read_to_end().await?;
    let mut out = String::new();
    for c in String::from_utf8_lossy(&input).chars() {
        let place = set.iter().position(|&member| member == c);
        let is_member = place.is_some() != options.has('c');
        if is_member && options.has('d') {
            continue;
        }
        let replacement = place.and_then(|place| replacements.get(place)).or(replacements.last());
        let new = if is_member {
            replacement.copied().unwrap_or(c)
        } else {
            c
        };
        if options.has('s') && is_member && out.ends_with(new) {
            continue;
        }
        out.push(new);
    }
    p.out(out).await.map(|()| 0)
}

/// The members of a set like `a-z\n`.
fn characters(set: &str) -> Vec<char> {
    let set = set
        .replace("[:upper:]", "A-Z")
        .replace("[:lower:]", "a-z")
        .replace("[:digit:]", "0-9");
    let set = set.replace("[:space:]", " \\t\\n\\r");
    let mut plain = Vec::new();
    printf::unescape(&set, &mut plain);
    let plain: Vec<char> = String::from_utf8_lossy(&plain).chars().collect();
    let mut members = Vec::new();
    let mut rest = plain.as_slice();
    loop {
        match rest {
            [low, '-', high, tail @ ..] if low <= high => {
                members.extend(*low..=*high);
                rest = tail;
            }
            [one, tail @ ..] => {
                members.push(*one);
                rest = tail;
            }
            [] => return members,
        }
    }
}

/// `sed` with `s/…/…/[g]`, `Np`, `Nd` and `$`; no other command of it is there.
pub(super) async fn sed(p: &mut Process<'_>) -> Ending {
    let options = match p.options("nEr", "e") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let mut operands = options.operands.clone();
    let script = match options.value('e') {
        Some(script) => script.to_owned(),
        None if operands.is_empty() => return p.complain("no pattern").await,
        None => operands.remove(0),
    };
    let path = operands.first().map_or("-", String::as_str);
    let Some(content) = p.read(path).await? else {
        return Ok(1);
    };
    let text = String::from_utf8_lossy(&content);
    let total = text.lines().count();
    let mut out = String::new();
    let substitution = script.strip_prefix('s').and_then(|rest| {
        let mark = rest.chars().next()?;
        let mut parts = rest.get(mark.len_utf8()..)?.split(mark);
        Some((
            Pattern::new(parts.next()?, false, options.has('E') || options.has('r'), false),
            parts.next()?,
            parts.next()?,
        ))
    });
    for (index, line) in text.lines().enumerate() {
        if let Some((pattern, replacement, flags)) = &substitution {
            out.push_str(&pattern.replace(line, replacement, flags.contains('g')));
        } else {
            let (range, command) = script.split_at(script.len().saturating_sub(1));
            let chosen = in_range(range, index + 1, total);
            match command {
                "p" if chosen => {}
                "p" if options.has('n') => continue,
                "d" if chosen => continue,
                "p" | "d" => {}
                _ => return p.complain(format!("bad pattern '{script}'")).await,
            }
            out.push_str(line);
        }
        out.push('\n');
    }
    p.out(out).await.map(|()| 0)
}

fn in_range(range: &str, line: usize, total: usize) -> bool {
    let number = |text: &str| {
        if text == "$" {
            Some(total)
        } else {
            text.parse::<usize>().ok()
        }
    };
    match range.split_once(',') {
        Some((first, last)) => number(first).is_some_and(|n| line >= n) && number(last).is_some_and(|n| line <= n),
        None => number(range) == Some(line),
    }
}

pub(super) async fn cut(p: &mut Process<'_>) -> Ending {
    let options = match p.options("s", "dfc") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let path = options.operands.first().map_or("-", String::as_str);
    let Some(content) = p.read(path).await? else {
        return Ok(1);
    };
    let separator = options.value('d').unwrap_or("\t");
    let mut out = String::new();
    for line in String::from_utf8_lossy(&content).lines() {
        if let Some(list) = options.value('c') {
            let chosen = line.chars().enumerate().filter(|(index, _)| in_list(list, index + 1));
            out.extend(chosen.map(|(_, c)| c));
        } else if line.contains(separator) {
            let list = options.value('f').unwrap_or("1");
            let fields = line
                .split(separator)
                .enumerate()
                .filter(|(index, _)| in_list(list, index + 1));
            out.push_str(&fields.map(|(_, field)| field).collect::<Vec<_>>().join(separator));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    p.out(out).await.map(|()| 0)
}

/// Whether a number is in a list like `1,3-5,7-`.
fn in_list(list: &str, number: usize) -> bool {
    list.split(',').any(|part| match part.split_once('-') {
        Some((first, last)) => first.parse().unwrap_or(1) <= number && number <= last.parse().unwrap_or(usize::MAX),
        None => part.parse() == Ok(number),
    })
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
