//! The characters of a dump: its encoding, and the references in its attributes.

use std::borrow::Cow;

/// The dump as text: UTF-8 (with or without its mark) or UTF-16; what is not valid becomes U+FFFD.
pub(super) fn decode(dump: &[u8]) -> Cow<'_, str> {
    match dump {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        [b'<', 0, ..] => Cow::Owned(utf16(dump, u16::from_le_bytes)),
        [0, b'<', ..] => Cow::Owned(utf16(dump, u16::from_be_bytes)),
        _ => utf8(dump),
    }
}

/// Valid text is checked many bytes at a time, replacing goes byte by byte.
fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// An attribute's value without its references. Dumpers that write a character beyond U+FFFF as two references to
/// surrogates are understood; an unknown reference stays as it is (nothing is ever declared or expanded).
pub(super) fn resolve_references(value: &str) -> String {
    resolved(value).into_owned()
}

/// The same; most values have none and are answered as they stand.
pub(super) fn resolved(value: &str) -> Cow<'_, str> {
    let Some(first) = next_of_note(value) else {
        return Cow::Borrowed(value);
    };
    let mut resolved = String::with_capacity(value.len());
    let (mut rest, mut next) = (value, Some(first));
    while let Some((before, from)) = next.and_then(|at| rest.split_at_checked(at)) {
        resolved.push_str(before);
        rest = if let Some((character, behind)) = reference(from) {
            resolved.push(character);
            behind
        } else {
            let (literal, behind) = literal(from);
            resolved.push(literal);
            behind
        };
        next = next_of_note(rest);
    }
    resolved.push_str(rest);
    Cow::Owned(resolved)
}

/// Where the next reference, line break or tab begins. Values are short: going over them costs less than a search that is
/// made for long texts.
fn next_of_note(text: &str) -> Option<usize> {
    text.bytes()
        .position(|byte| matches!(byte, b'&' | b'\r' | b'\n' | b'\t'))
}

/// A raw line break or tab in an attribute is a blank (XML 1.0, section 3.3.3); any other character is itself.
fn literal(text: &str) -> (char, &str) {
    let mut chars = text.chars();
    let first = match chars.next() {
        Some('\r') => {
            if chars.as_str().starts_with('\n') {
                chars.next();
            }
            ' '
        }
        Some('\n' | '\t') => ' ',
        Some(other) => other,
        None => ' ',
    };
    (first, chars.as_str())
}

/// The character of the reference at the beginning of the text, and what stands behind it.
fn reference(text: &str) -> Option<(char, &str)> {
    /// `&#x10ffff;` and some leading zeros.
    const NAME_CHARS_MAX: usize = 12;
    let name_on = text.strip_prefix('&')?;
    let end = name_on.bytes().take(NAME_CHARS_MAX).position(|byte| byte == b';')?;
    let (name, behind) = (name_on.get(..end)?, name_on.get(end + 1..)?);
    let named = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return numbered(number_of(name)?, behind),
    };
    Some((named, behind))
}

fn number_of(name: &str) -> Option<u32> {
    let number = name.strip_prefix('#')?;
    let (digits, radix) = number
        .strip_prefix(['x', 'X'])
        .map_or((number, 10), |hexadecimal| (hexadecimal, 16));
    // `from_str_radix` would take a sign.
    digits
        .starts_with(|c: char| c.is_digit(radix))
        .then(|| u32::from_str_radix(digits, radix).ok())?
}

fn numbered(number: u32, behind: &str) -> Option<(char, &str)> {
    if (0xd800..0xdc00).contains(&number) {
        let low = behind.strip_prefix('&').and_then(|name_on| {
            let (name, after) = name_on.split_once(';')?;
            let low = number_of(name).filter(|low| (0xdc00..0xe000).contains(low))?;
            Some((low, after))
        });
        if let Some((low, after)) = low {
            let character = char::from_u32(0x1_0000 + ((number - 0xd800) << 10) + (low - 0xdc00))?;
            return Some((character, after));
        }
    }
    let character = char::from_u32(number)
        .filter(|c| *c != '\0')
        .unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((character, behind))
}
