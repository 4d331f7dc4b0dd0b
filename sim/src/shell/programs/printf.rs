//! `printf`, and the escapes that it shares with `echo -e`.

use super::{Ending, Process};

/// The widest field, characters.
const MAX_WIDTH: usize = 4096;

pub(super) async fn printf(p: &mut Process<'_>) -> Ending {
    let Some((format, mut arguments)) = p.arguments.split_first() else {
        return p.complain("Needs 1 argument").await;
    };
    let mut out = Vec::new();
    loop {
        let before = arguments.len();
        let stop = render(format, &mut arguments, &mut out);
        p.out(std::mem::take(&mut out)).await?;
        // The format is used again until all arguments are.
        if stop || arguments.is_empty() || arguments.len() == before {
            return Ok(0);
        }
    }
}

/// One pass over the format; whether `\c` ended everything.
fn render(format: &str, arguments: &mut &[String], out: &mut Vec<u8>) -> bool {
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => match escape(rest, out) {
                Some(used) => rest = rest.get(used..).unwrap_or_default(),
                None => return true,
            },
            '%' if rest.starts_with('%') => {
                out.push(b'%');
                rest = rest.get(1..).unwrap_or_default();
            }
            '%' => {
                let end = rest
                    .find(|c: char| c.is_ascii_alphabetic())
                    .map_or(rest.len(), |index| index + 1);
                let (spec, tail) = rest.split_at(end);
                rest = tail;
                let argument = arguments.split_first().map(|(first, others)| {
                    *arguments = others;
                    first.as_str()
                });
                if conversion(spec, argument.unwrap_or_default(), out) {
                    return true;
                }
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    false
}

fn conversion(spec: &str, argument: &str, out: &mut Vec<u8>) -> bool {
    let kind = spec.chars().last().unwrap_or('s');
    let flags = spec.get(..spec.len().saturating_sub(1)).unwrap_or_default();
    let left = flags.starts_with('-');
    let zero = flags.starts_with('0');
    let (width, precision) = flags
        .trim_start_matches(['-', '0', '+', ' '])
        .split_once('.')
        .map_or_else(
            || (flags.trim_start_matches(['-', '0', '+', ' ']), None),
            |(width, precision)| (width, precision.parse::<usize>().ok()),
        );
    let width = width.parse::<usize>().unwrap_or(0).min(MAX_WIDTH);
    let number = || integer(argument);
    let (text, stop) = match kind {
        'd' | 'i' | 'u' => (number().to_string(), false),
        'x' => (format!("{:x}", number()), false),
        'X' => (format!("{:X}", number()), false),
        'o' => (format!("{:o}", number()), false),
        'c' => (argument.chars().take(1).collect(), false),
        'b' => {
            let mut bytes = Vec::new();
            let stop = unescape(argument, &mut bytes);
            (String::from_utf8_lossy(&bytes).into_owned(), stop)
        }
        _ => (argument.chars().take(precision.unwrap_or(usize::MAX)).collect(), false),
    };
    let padding = width.saturating_sub(text.chars().count());
    let text = match (left, zero) {
        (true, _) => format!("{text}{}", " ".repeat(padding)),
        (false, true) if kind != 's' => format!("{}{text}", "0".repeat(padding)),
        _ => format!("{}{text}", " ".repeat(padding)),
    };
    out.extend_from_slice(text.as_bytes());
    stop
}

fn integer(argument: &str) -> i64 {
    let argument = argument.trim();
    match argument.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).unwrap_or(0),
        None => argument.parse().unwrap_or(0),
    }
}

/// Replaces all escapes; whether `\c` ended everything.
pub(super) fn unescape(text: &str, out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(rest.get(..at).unwrap_or_default().as_bytes());
        rest = rest.get(at + 1..).unwrap_or_default();
        match escape(rest, out) {
            Some(used) => rest = rest.get(used..).unwrap_or_default(),
            None => return true,
        }
    }
    out.extend_from_slice(rest.as_bytes());
    false
}

/// What follows a backslash: writes it, and says how long it was; `None` for `\c`.
fn escape(rest: &str, out: &mut Vec<u8>) -> Option<usize> {
    let simple = match rest.bytes().next() {
        Some(b'a') => 7,
        Some(b'b') => 8,
        Some(b'e') => 27,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 11,
        Some(b'\\') => b'\\',
        Some(b'c') => return None,
        Some(b'x') => return Some(1 + coded(rest.get(1..).unwrap_or_default(), 2, 16, out)),
        Some(b'0'..=b'7') => return Some(coded(rest, 4, 8, out)),
        _ => {
            out.push(b'\\');
            return Some(0);
        }
    };
    out.push(simple);
    Some(1)
}

/// A byte given by digits; how many there were.
fn coded(rest: &str, most: usize, radix: u32, out: &mut Vec<u8>) -> usize {
    let digits: String = rest.chars().take(most).take_while(|c| c.is_digit(radix)).collect();
    let value = u32::from_str_radix(&digits, radix).unwrap_or(0);
    out.push(u8::try_from(value & 255).unwrap_or(0));
    digits.len()
}
