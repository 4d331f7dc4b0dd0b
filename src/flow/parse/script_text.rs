//! A script without what is no code in it, so that words of comments and texts are not taken for uses of a name.

/// The script with comments, texts and regular expressions blanked out, every other byte and all line ends in their places.
#[must_use]
pub fn code_only(script: &str) -> String {
    let mut code = Code::default();
    code.read(script.as_bytes());
    String::from_utf8_lossy(&code.out).into_owned()
}

#[derive(Default)]
struct Code {
    out: Vec<u8>,
    /// The last byte of code that is no blank; a blanked text counts as one.
    last: Option<u8>,
}

impl Code {
    fn read(&mut self, script: &[u8]) {
        let mut rest = script;
        while let [byte, behind @ ..] = rest {
            let length = match rest {
                [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
                [b'/', b'*', ..] => until(rest, 2, b"*/"),
                [b'`', ..] => {
                    rest = self.template(behind);
                    continue;
                }
                [quote @ (b'"' | b'\''), ..] => text_length(rest, *quote),
                [b'/', ..] if self.may_begin_pattern() => pattern_length(rest),
                _ => {
                    self.out.push(*byte);
                    if !byte.is_ascii_whitespace() {
                        self.last = Some(*byte);
                    }
                    rest = behind;
                    continue;
                }
            };
            let (blanked, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.blank(blanked);
            if !matches!(blanked, [b'/', b'/' | b'*', ..]) {
                self.last = Some(b'"');
            }
            rest = after;
        }
    }

    /// A text in backticks, whose `${}` hold code; answers what stands behind it.
    fn template<'s>(&mut self, behind: &'s [u8]) -> &'s [u8] {
        self.blank(b"`");
        let mut rest = behind;
        loop {
            let length = match rest {
                [] => break,
                [b'`', after @ ..] => {
                    self.blank(b"`");
                    rest = after;
                    break;
                }
                [b'$', b'{', inside @ ..] => {
                    self.blank(b"${");
                    let (code, after) = inside.split_at_checked(braced_length(inside)).unwrap_or((inside, &[]));
                    self.last = None;
                    self.read(code);
                    rest = after;
                    continue;
                }
                [b'\\', _, ..] => 2,
                _ => 1,
            };
            let (text, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.blank(text);
            rest = after;
        }
        self.last = Some(b'"');
        rest
    }

    fn blank(&mut self, bytes: &[u8]) {
        let blank = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
        self.out.extend(bytes.iter().map(blank));
    }

    /// Whether a slash here begins a regular expression: a division comes behind a value.
    fn may_begin_pattern(&self) -> bool {
        let behind_word = self.out.trim_ascii_end().ends_with(b"return");
        behind_word || self.last.is_none_or(|last| b"(,=:[!&|?{};+-*%<>~^".contains(&last))
    }
}

/// Up to and with `end`, which is looked for from `from` on; all, if it does not come.
fn until(bytes: &[u8], from: usize, end: &[u8]) -> usize {
    let inside = bytes.get(from..).unwrap_or_default();
    let at = inside.windows(end.len()).position(|part| part == end);
    at.map_or(bytes.len(), |at| from + at + end.len())
}

/// A text that ends with its quote, or with its line.
fn text_length(bytes: &[u8], quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'\n' => return at,
            byte if *byte == quote => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn pattern_length(bytes: &[u8]) -> usize {
    let (mut escaped, mut in_class) = (false, false);
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'\n' => return at,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'/' if !in_class => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Up to the brace that closes what was open before.
fn braced_length(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return at,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_code_is_left() {
        for (script, code) in [
            ("a // http.get\nb", "a\nb"),
            ("a /* http */ b", "a b"),
            ("a = 'http' + \"it's\" + b", "a = + + b"),
            ("a = `x ${http.get(1)} y` + b", "a = http.get(1) + b"),
            ("a = b / c / d", "a = b / c / d"),
            ("a = /http/.test(b)", "a = .test(b)"),
            ("return /[/]http/", "return"),
            ("'open\nb", "\nb"),
            ("/* open", ""),
        ] {
            let found = code_only(script);
            assert_eq!(found.len(), script.len(), "{script}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&found), words(code), "{script}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_keeps_its_place(script in "[a-z ż'\"`/*\\\\${}\n\\[\\]]{0,40}") {
            let code = code_only(&script);
            prop_assert_eq!(code.len(), script.len());
            prop_assert_eq!(code.matches('\n').count(), script.matches('\n').count());
        }
    }
}
