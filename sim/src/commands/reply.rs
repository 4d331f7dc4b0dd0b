//! How Android's programs answer: plain text, a failure, or the exception block of its shell commands.

use crate::device::Completion;

/// What a program hands back: a result either way, so that `?` can end a program early.
pub(super) type Answer = Result<Completion, Completion>;

/// Success with this on standard output.
pub(super) fn printed(text: impl Into<Vec<u8>>) -> Completion {
    Completion {
        stdout: text.into(),
        ..Completion::default()
    }
}

/// Success without a word.
pub(super) fn silent() -> Completion {
    Completion::default()
}

/// These words on standard output and this exit code: many of Android's programs report failures there.
pub(super) fn printed_failure(code: u8, text: impl Into<Vec<u8>>) -> Completion {
    Completion {
        stdout: text.into(),
        code,
        ..Completion::default()
    }
}

/// These words on standard error and this exit code.
pub(super) fn failed(code: u8, text: impl Into<Vec<u8>>) -> Completion {
    Completion {
        stderr: text.into(),
        code,
        ..Completion::default()
    }
}

/// The block that `android.os.ShellCommand` prints when a command throws (since Android 11), exit 255.
pub(super) fn exception(command: &str, error: &str, frames: &[&str]) -> Completion {
    let mut text = format!("\nException occurred while executing '{command}':\n{error}\n");
    for frame in frames {
        text.push_str("\tat ");
        text.push_str(frame);
        text.push('\n');
    }
    text.push_str("\tat com.android.modules.utils.BasicShellCommandHandler.exec(BasicShellCommandHandler.java:97)\n");
    text.push_str("\tat android.os.ShellCommand.exec(ShellCommand.java:38)\n");
    text.push_str("\tat android.os.Binder.shellCommand(Binder.java:1092)\n");
    failed(255, text)
}

/// `IllegalArgumentException` with this message.
pub(super) fn illegal_argument(command: &str, message: &str) -> Completion {
    exception(command, &format!("java.lang.IllegalArgumentException: {message}"), &[])
}

/// What `handleDefaultCommands` says about a sub-command that it does not know.
pub(super) fn unknown_command(name: &str) -> Completion {
    printed_failure(255, format!("Unknown command: {name}\n"))
}

/// A program's arguments, read one by one as `BasicShellCommandHandler` does.
#[derive(Debug, Clone)]
pub(super) struct Arguments<'a> {
    command: &'a str,
    rest: &'a [String],
    last: &'a str,
}

impl<'a> Arguments<'a> {
    /// The arguments after `command`, whose name appears in error blocks.
    pub(super) fn new(command: &'a str, rest: &'a [String]) -> Self {
        Self {
            command,
            rest,
            last: command,
        }
    }

    /// The command that these arguments belong to.
    pub(super) fn command(&self) -> &'a str {
        self.command
    }

    /// The next argument, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.last = first;
        Some(first)
    }

    /// The next argument without taking it.
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.rest.first().map(String::as_str)
    }

    /// The next argument when it is an option (`-x`, `--long`); `--` ends the options.
    pub(super) fn next_option(&mut self) -> Option<&'a str> {
        let option = self.peek().filter(|word| word.starts_with('-') && word.len() > 1)?;
        self.next();
        (option != "--").then_some(option)
    }

    /// The next argument; without one the exception of `getNextArgRequired`.
    pub(super) fn required(&mut self) -> Result<&'a str, Completion> {
        let after = self.last;
        self.next()
            .ok_or_else(|| illegal_argument(self.command, &format!("Argument expected after \"{after}\"")))
    }

    /// The next argument as a pixel coordinate; Android parses floats and cuts them.
    pub(super) fn required_pixel(&mut self) -> Result<i32, Completion> {
        let word = self.required()?;
        let value: f32 = word.parse().map_err(|_| number_format(self.command, word))?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float that is out of range ends at the nearest i32"
        )]
        Ok(value as i32)
    }

    /// The next argument as a whole number.
    pub(super) fn required_number<N: std::str::FromStr>(&mut self) -> Result<N, Completion> {
        let word = self.required()?;
        word.parse().map_err(|_| number_format(self.command, word))
    }

    /// All that was not read yet.
    pub(super) fn rest(&self) -> &'a [String] {
        self.rest
    }
}

/// `NumberFormatException` as `Integer.parseInt` and `Float.parseFloat` throw it.
pub(super) fn number_format(command: &str, word: &str) -> Completion {
    exception(
        command,
        &format!("java.lang.NumberFormatException: For input string: \"{word}\""),
        &[],
    )
}
