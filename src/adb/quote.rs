//! Command lines for a phone's shell. This is the only way to build one: fixed text of ours is `&'static str`,
//! whatever comes from outside is quoted by [`quote`].

use std::fmt::Write as _;

/// Quotes one word for a POSIX shell: whatever it contains, the shell hands it on as it is, as one argument.
/// Everything stands in single quotes, inside which nothing is special; a single quote itself is put outside of them.
/// (A NUL cannot be an argument of a program at all; [`CommandLine::render`] refuses it.)
pub(super) fn quote(word: &str) -> String {
    let mut quoted = String::with_capacity(word.len() + 2);
    quoted.push('\'');
    for (place, part) in word.split('\'').enumerate() {
        if place > 0 {
            quoted.push_str(r"'\''");
        }
        quoted.push_str(part);
    }
    quoted.push('\'');
    quoted
}

/// Why a command line cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LineError {
    /// A NUL ends a command for the phone, so what stands behind it would be lost.
    #[error("an argument contains a NUL character; remove it")]
    Nul,
    /// The adb server's requests carry four hexadecimal digits of length.
    #[error("the command is {bytes} bytes long, {limit} at most can be sent; shorten its arguments")]
    TooLong {
        /// What it has.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
}

/// What the fence before a command may take.
const FENCE_BYTES: usize = 512;

/// The longest command: 65,535 bytes of request, less the name of the service.
const LINE_BYTES_MAX: usize = 64_000;

/// A command line for a phone's shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommandLine {
    text: String,
}

impl CommandLine {
    /// A program of the phone; arguments follow by [`Self::arg`].
    pub(super) fn program(name: &'static str) -> Self {
        Self { text: name.to_owned() }
    }

    /// Shell text of ours; values from outside come into it as variables, by [`Self::with`].
    pub(super) fn script(text: &'static str) -> Self {
        Self { text: text.to_owned() }
    }

    /// A command that a person gave: each word is one argument, the program's name included.
    pub(super) fn of_words(words: &[String]) -> Self {
        Self {
            text: words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        }
    }

    /// Adds an argument.
    pub(super) fn arg(mut self, word: &str) -> Self {
        self.text.push(' ');
        self.text.push_str(&quote(word));
        self
    }

    /// Adds numbers as arguments.
    pub(super) fn numbers(mut self, numbers: &[i64]) -> Self {
        for number in numbers {
            // Writing to a String cannot fail.
            let _ = write!(self.text, " {number}");
        }
        self
    }

    /// Adds several arguments of ours.
    pub(super) fn flags(mut self, flags: &[&'static str]) -> Self {
        for flag in flags {
            self.text.push(' ');
            self.text.push_str(flag);
        }
        self
    }

    /// Sets a shell variable before the text so far.
    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        Self {
            text: format!("{name}={}; {}", quote(value), self.text),
        }
    }

    /// This and then, when it succeeded, the other.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            text: format!("{} && {}", self.text, other.text),
        }
    }

    /// This and then, however it ended, the other.
    pub(super) fn then(self, other: Self) -> Self {
        Self {
            text: format!("{}; {}", self.text, other.text),
        }
    }

    /// Whether it can be sent, also with a fence before it.
    pub(super) fn fits(&self) -> bool {
        self.text.len() <= LINE_BYTES_MAX - FENCE_BYTES
    }

    /// The text to send.
    ///
    /// # Errors
    /// When it cannot arrive whole.
    pub(super) fn render(&self) -> Result<&str, LineError> {
        if self.text.contains('\0') {
            return Err(LineError::Nul);
        }
        if self.text.len() > LINE_BYTES_MAX {
            return Err(LineError::TooLong {
                bytes: self.text.len(),
                limit: LINE_BYTES_MAX,
            });
        }
        Ok(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a POSIX shell makes of a line of quoted words, after the rules of the standard's section 2.2.
    fn words_of(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                c if quoted => word.get_or_insert_default().push(c),
                '\\' => word.get_or_insert_default().push(chars.next().unwrap()),
                ' ' => words.extend(word.take()),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        assert!(!quoted, "an open quote in {line}");
        words
    }

    fn host_shell_prints(words: &[String]) -> Option<Vec<u8>> {
        let line = words
            .iter()
            .fold(CommandLine::program("printf").arg("%s\\0"), |line, word| line.arg(word));
        let output = Command::new("/bin/sh")
            .arg("-c")
            .arg(line.render().ok()?)
            .output()
            .ok()?;
        Some(output.stdout)
    }

    const HOSTILE: &[&str] = &[
        "",
        " ",
        "a b",
        "'",
        "''",
        "it's",
        "$(reboot)",
        "`reboot`",
        "; rm -rf /",
        "&& x",
        "| x",
        "\n",
        "a\nb\r\n",
        "\t",
        "-n",
        "--",
        "*",
        "~",
        "!",
        "$HOME",
        "\\",
        "\\'",
        "\"",
        "%s",
        "%n",
        "#",
        "a=b",
        "\u{202e}abc",
        "😀",
        "ا",
    ];

    #[test]
    fn hostile_words_arrive_as_they_are_in_a_real_shell() {
        let words: Vec<String> = HOSTILE
            .iter()
            .map(|word| (*word).to_owned())
            .chain(["x'".repeat(5_000)])
            .collect();
        let Some(printed) = host_shell_prints(&words) else {
            println!("skipped: this host has no /bin/sh");
            return;
        };

        let expected: Vec<u8> = words
            .iter()
            .flat_map(|word| [word.as_bytes(), b"\0"].concat())
            .collect();
        assert_eq!(printed, expected);
    }

    proptest! {
        #[test]
        fn any_words_come_back_from_the_rules_of_the_shell(words in prop::collection::vec("\\PC*|[ '\"\\\\$`\n;&|]*", 0..6)) {
            let line = CommandLine::of_words(&words);
            prop_assert_eq!(words_of(&line.text), words);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_words_come_back_from_the_hosts_shell(words in prop::collection::vec("[^\0]{0,40}", 1..8)) {
            let expected: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
            if let Some(printed) = host_shell_prints(&words) {
                prop_assert_eq!(printed, expected);
            }
        }
    }

    #[test]
    fn a_variable_carries_any_value_into_a_script() {
        let line = CommandLine::script("printf %s \"$V\"").with("V", "a'b $(x)\n");

        let output = Command::new("/bin/sh")
            .arg("-c")
            .arg(line.render().unwrap())
            .output()
            .unwrap();

        assert_eq!(output.stdout, b"a'b $(x)\n");
    }

    #[test]
    fn what_cannot_arrive_whole_is_refused() {
        assert_eq!(CommandLine::program("echo").arg("a\0b").render(), Err(LineError::Nul));
        assert!(matches!(
            CommandLine::program("echo").arg(&"x".repeat(70_000)).render(),
            Err(LineError::TooLong { .. })
        ));
    }
}
