//! Commands that change the shell itself.

use super::super::{
    interpret::{Interpreter, Unwind},
    io::{Streams, WriteError},
    parse::is_name,
};

impl Interpreter {
    /// Runs a command of the shell's own; `None` when there is none of that name.
    pub(in crate::shell) async fn run_builtin(
        &mut self,
        name: &str,
        arguments: &[String],
        streams: &Streams,
    ) -> Option<Result<u8, Unwind>> {
        let first = arguments.first().map(String::as_str);
        Some(match name {
            "exit" | "return" => {
                let code = first.map_or(i64::from(self.status), |code| code.parse().unwrap_or(1));
                Err(Unwind::Exit(u8::try_from(code & 255).unwrap_or(1)))
            }
            "break" => Err(Unwind::Break(levels(first))),
            "continue" => Err(Unwind::Continue(levels(first))),
            "cd" => self.change_folder(first.unwrap_or("/"), streams).await,
            "export" | "local" | "readonly" | "typeset" => Ok(self.declare(arguments, name == "export")),
            "unset" => {
                arguments.iter().for_each(|name| self.variables.unset(name));
                Ok(0)
            }
            "set" => self.set(arguments, streams).await,
            "shift" => Ok(self.shift(first)),
            "read" => Ok(self.read(arguments, streams).await),
            "eval" => self.evaluate(&arguments.join(" "), streams).await,
            "." | "source" => self.source(first.unwrap_or_default(), streams).await,
            "exec" if arguments.is_empty() => Ok(0),
            "exec" => match self.run_nested(arguments, streams).await {
                Ok(code) => Err(Unwind::Exit(code)),
                unwind => unwind,
            },
            "command" | "builtin" if first == Some("-v") => self.locate(arguments, streams).await,
            "command" | "builtin" => self.run_nested(arguments, streams).await,
            "wait" | "trap" | "umask" | "ulimit" | "alias" | "stty" => Ok(0),
            _ => return None,
        })
    }

    async fn change_folder(&mut self, target: &str, streams: &Streams) -> Result<u8, Unwind> {
        let path = self.absolute(target);
        let files = self.files();
        let is_folder = files.stat(&path).map(|metadata| metadata.is_dir());
        let problem = match is_folder {
            Ok(true) => {
                self.folder = tidy(&path);
                return Ok(0);
            }
            Ok(false) => "Not a directory".to_owned(),
            Err(error) => error.errno.to_string(),
        };
        self.complain(streams, &format!("cd: {target}: {problem}")).await?;
        Ok(2)
    }

    fn declare(&mut self, arguments: &[String], export: bool) -> u8 {
        for argument in arguments.iter().filter(|argument| !argument.starts_with('-')) {
            let (name, value) = argument
                .split_once('=')
                .map_or((argument.as_str(), None), |(n, v)| (n, Some(v)));
            if !is_name(name) {
                return 1;
            }
            if let Some(value) = value {
                self.variables.set(name, value);
            }
            if export {
                self.variables.export(name);
            }
        }
        0
    }

    async fn set(&mut self, arguments: &[String], streams: &Streams) -> Result<u8, Unwind> {
        if arguments.is_empty() {
            let lines: String = self
                .variables
                .all()
                .map(|(name, value)| format!("{name}={value}\n"))
                .collect();
            return match streams.stdout.write(lines).await {
                Err(WriteError::HungUp) => Err(Unwind::HungUp),
                outcome => Ok(u8::from(outcome.is_err())),
            };
        }
        // Options of the shell (`-e`, `-x`) make no difference here; what follows `--` are its parameters.
        if let Some(end) = arguments
            .iter()
            .position(|argument| argument == "--" || !argument.starts_with(['-', '+']))
        {
            let rest = arguments.iter().skip(end).skip_while(|argument| *argument == "--");
            self.variables.positional = rest.cloned().collect();
        }
        Ok(0)
    }

    fn shift(&mut self, count: Option<&str>) -> u8 {
        let count: usize = count.map_or(1, |count| count.parse().unwrap_or(usize::MAX));
        if count > self.variables.positional.len() {
            return 1;
        }
        self.variables.positional.drain(..count);
        0
    }

    async fn read(&mut self, arguments: &[String], streams: &Streams) -> u8 {
        let Some(line) = streams.stdin.read_line().await else {
            return 1;
        };
        let line = String::from_utf8_lossy(&line);
        let mut rest = line.trim_end_matches('\n').trim_matches([' ', '\t']);
        let names: Vec<&String> = arguments.iter().filter(|name| is_name(name)).collect();
        let Some((last, before)) = names.split_last() else {
            self.variables.set("REPLY", rest);
            return 0;
        };
        for name in before {
            let (word, tail) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
            self.variables.set(name, word);
            rest = tail.trim_start_matches([' ', '\t']);
        }
        self.variables.set(last, rest);
        0
    }

    async fn source(&mut self, path: &str, streams: &Streams) -> Result<u8, Unwind> {
        match self.files().read(&self.absolute(path)) {
            Ok(content) => self.evaluate(&String::from_utf8_lossy(&content), streams).await,
            Err(error) => {
                self.complain(streams, &format!(".: {path}: {}", error.errno)).await?;
                Ok(1)
            }
        }
    }

    async fn locate(&mut self, arguments: &[String], streams: &Streams) -> Result<u8, Unwind> {
        let words: Vec<String> = std::iter::once("which".to_owned())
            .chain(arguments.iter().skip(1).cloned())
            .collect();
        self.run_nested(&words, streams).await
    }
}

fn levels(argument: Option<&str>) -> u32 {
    argument.and_then(|levels| levels.parse().ok()).unwrap_or(1).max(1)
}

/// The path without `.`, `..` and doubled slashes, but with `/sdcard` as it was typed.
fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}
