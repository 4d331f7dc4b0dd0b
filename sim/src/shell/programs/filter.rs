//! Programs that choose and change lines.

use std::collections::HashMap;

use super::{
    Ending, Options, Process,
    pattern::{BUDGET, Pattern},
    printf,
    text::lines,
};

pub(super) async fn grep(p: &mut Process<'_>) -> Ending {
    let options = match p.options("qcvFEGinowlshHrx", "em") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await.map(|_| 2),
    };
    let mut operands = options.operands.clone();
    let mut texts: Vec<String> = options.values('e').map(str::to_owned).collect();
    if texts.is_empty() {
        if operands.is_empty() {
            return p.complain("no REGEX").await.map(|_| 2);
        }
        texts.push(operands.remove(0));
    }
    let headed = (operands.len() > 1 || options.has('H')) && !options.has('h');
    if operands.is_empty() {
        operands.push("-".to_owned());
    }
    let search = Search::new(p.name, &texts, &options);
    let mut budget = BUDGET;
    let (mut found, mut failed) = (false, false);
    for path in &operands {
        let Some(content) = p.read(path).await? else {
            failed = true;
            continue;
        };
        let head = if headed { format!("{path}:") } else { String::new() };
        let (count, hits) = search.run(&content, &head, &options, &mut budget);
        found |= count > 0;
        let out = match () {
            () if options.has('q') => continue,
            () if options.has('c') => format!("{head}{count}\n"),
            () if options.has('l') && count > 0 => format!("{path}\n"),
            () if options.has('l') => continue,
            () => hits,
        };
        p.out(out).await?;
    }
    Ok(match (found, failed) {
        (true, _) => 0,
        (false, true) => 2,
        (false, false) => 1,
    })
}

/// What `grep` looks for.
struct Search {
    patterns: Vec<Pattern>,
    most: usize,
}

impl Search {
    fn new(program: &str, texts: &[String], options: &Options) -> Self {
        let fixed = options.has('F') || program == "fgrep";
        let extended = options.has('E') || program == "egrep";
        let lines = texts.iter().flat_map(|text| text.split('\n'));
        let patterns = lines
            .map(|text| Pattern::new(text, fixed, extended, options.has('i')))
            .collect();
        let most = options
            .value('m')
            .and_then(|most| most.parse().ok())
            .unwrap_or(usize::MAX);
        Self { patterns, most }
    }

    /// The number of lines that are chosen, and what is printed of them.
    fn run(&self, content: &[u8], head: &str, options: &Options, budget: &mut usize) -> (usize, String) {
        let (mut count, mut out) = (0, String::new());
        for (index, line) in lines(content).enumerate() {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end_matches('\n');
            let hit = self
                .patterns
                .iter()
                .find_map(|pattern| pattern.find(text, options.has('x'), budget));
            if hit.is_some() == options.has('v') || count >= self.most {
                continue;
            }
            count += 1;
            out.push_str(head);
            if options.has('n') {
                out += &format!("{}:", index + 1);
            }
            let part = hit
                .filter(|_| options.has('o'))
                .and_then(|(start, end)| text.get(start..end));
            out.push_str(part.unwrap_or(text));
            out.push('\n');
        }
        (count, out)
    }
}

pub(super) async fn tr(p: &mut Process<'_>) -> Ending {
    let options = match p.options("dsc", "") {
        Ok(options) => options,
        Err(message) => return p.complain(message).await,
    };
    let Some((from, to)) = options.operands.split_first() else {
        return p.complain("Needs 1 argument").await;
    };
    // Of a character that stands there twice the first place counts.
    let set: HashMap<char, usize> = characters(from)
        .into_iter()
        .enumerate()
        .rev()
        .map(|(at, c)| (c, at))
        .collect();
    let replacements = to.first().map(|to| characters(to)).unwrap_or_default();
    let input = p.streams.stdin.read_to_end().await?;
    let mut out = String::new();
    for c in String::from_utf8_lossy(&input).chars() {
        let place = set.get(&c);
        let is_member = place.is_some() != options.has('c');
        if is_member && options.has('d') {
            continue;
        }
        let replacement = place.and_then(|&place| replacements.get(place)).or(replacements.last());
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
    let (mut out, mut budget) = (String::new(), BUDGET);
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
            out.push_str(&pattern.replace(line, replacement, flags.contains('g'), &mut budget));
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
