//! The small programs that Android's toybox and its shell bring along, as far as tools use them.

mod builtin;
mod chosen;
mod digest;
mod file;
mod filter;
mod list;
mod metadata;
mod pattern;
mod printf;
mod runner;
mod system;
mod text;

use bytes::Bytes;

use super::{
    interpret::Interpreter,
    io::{Streams, WriteError},
};
use crate::fs::Errno;

pub(super) use metadata::format_time;

/// What a program ends with: its exit code.
pub(super) type Ending = Result<u8, WriteError>;

/// A program that is being run.
pub(super) struct Process<'a> {
    pub shell: &'a mut Interpreter,
    pub name: &'a str,
    /// Without the name.
    pub arguments: &'a [String],
    pub streams: &'a Streams,
}

/// Folders whose programs are known by their names alone.
const PROGRAM_FOLDERS: [&str; 5] = [
    "/system/bin/",
    "/system/xbin/",
    "/vendor/bin/",
    "/product/bin/",
    "/bin/",
];

/// A program's name without the folder where programs are.
pub(super) fn plain_name(path: &str) -> &str {
    let inside = PROGRAM_FOLDERS.iter().find_map(|folder| path.strip_prefix(folder));
    inside
        .filter(|name| !name.is_empty() && !name.contains('/'))
        .unwrap_or(path)
}

/// Names of the programs here.
pub(super) const NAMES: [&str; 54] = [
    "[", "basename", "cat", "chmod", "cp", "cut", "date", "dd", "df", "dirname", "du", "echo", "env", "false", "find",
    "free", "grep", "egrep", "fgrep", "head", "hostname", "id", "kill", "killall", "ls", "md5sum", "mkdir", "mktemp",
    "mv", "nohup", "printenv", "printf", "pwd", "readlink", "realpath", "rm", "rmdir", "sed", "seq", "sh", "sleep",
    "sort", "stat", "sync", "tail", "tee", "test", "timeout", "touch", "toybox", "tr", "true", "uname", "uniq",
];

/// Runs a program of this folder; `None` when there is none of that name.
pub(super) async fn run(mut process: Process<'_>) -> Option<Ending> {
    let p = &mut process;
    Some(match p.name {
        "true" | ":" | "sync" => Ok(0),
        "false" => Ok(1),
        "test" | "[" => chosen::test(p).await,
        "echo" => text::echo(p).await,
        "printf" => printf::printf(p).await,
        "cat" => text::cat(p).await,
        "head" => text::head(p).await,
        "tail" => text::tail(p).await,
        "wc" => text::wc(p).await,
        "grep" | "egrep" | "fgrep" => filter::grep(p).await,
        "tr" => filter::tr(p).await,
        "sed" => filter::sed(p).await,
        "cut" => filter::cut(p).await,
        "sort" => text::sort(p).await,
        "uniq" => text::uniq(p).await,
        "tee" => text::tee(p).await,
        "ls" => list::ls(p).await,
        "find" => list::find(p).await,
        "du" => list::du(p).await,
        "stat" => metadata::stat(p).await,
        "date" => metadata::date(p).await,
        "rm" => file::rm(p).await,
        "mkdir" => file::mkdir(p).await,
        "rmdir" => file::rmdir(p).await,
        "mv" => file::mv(p).await,
        "cp" => file::cp(p).await,
        "touch" => file::touch(p).await,
        "chmod" | "chown" => file::chmod(p).await,
        "dd" => file::dd(p).await,
        "mktemp" => file::mktemp(p).await,
        "md5sum" => digest::md5sum(p).await,
        "id" => system::id(p).await,
        "whoami" => p.out("shell\n").await.map(|()| 0),
        "uname" => system::uname(p).await,
        "hostname" => p.out("localhost\n").await.map(|()| 0),
        "df" => system::df(p).await,
        "kill" | "killall" | "pkill" => system::kill(p).await,
        "free" => system::free(p).await,
        "env" | "printenv" => runner::env(p).await,
        "sleep" => system::sleep(p).await,
        "seq" => system::seq(p).await,
        "basename" | "dirname" | "readlink" | "realpath" => system::path(p).await,
        "which" => system::which(p).await,
        "pwd" => p.out(format!("{}\n", p.shell.folder)).await.map(|()| 0),
        "sh" | "mksh" => runner::sh(p).await,
        "toybox" => runner::toybox(p).await,
        "nohup" | "setsid" | "nice" | "time" => runner::prefix(p).await,
        "timeout" => runner::timeout(p).await,
        "xargs" => runner::xargs(p).await,
        _ => return None,
    })
}

impl Process<'_> {
    /// Writes to standard output.
    pub async fn out(&self, bytes: impl Into<Bytes>) -> Result<(), WriteError> {
        self.streams.stdout.write(bytes).await
    }

    /// Says on standard error what is wrong; the exit code 1.
    pub async fn complain(&self, message: impl std::fmt::Display) -> Ending {
        self.streams.stderr.write(format!("{}: {message}\n", self.name)).await?;
        Ok(1)
    }

    /// Says what is wrong with a file; the exit code 1.
    pub async fn complain_of(&self, path: &str, errno: Errno) -> Ending {
        self.complain(format!("{path}: {errno}")).await
    }

    /// A path from the working directory.
    pub fn absolute(&self, path: &str) -> String {
        self.shell.absolute(path)
    }

    /// The content of a file, or of standard input for `-`; what is wrong with it is said.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>, WriteError> {
        if path == "-" {
            return self.streams.stdin.read_to_end().await.map(Some);
        }
        match self.shell.files().read(&self.absolute(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) => self.complain_of(path, error.errno).await.map(|_| None),
        }
    }

    /// Splits the arguments into options and operands. `valued` options take the rest of their word or the next one.
    pub fn options(&self, flags: &str, valued: &str) -> Result<Options, String> {
        sort_arguments(self.name, self.arguments, flags, valued)
    }
}

/// Splits arguments into options and operands.
pub(super) fn sort_arguments(name: &str, words: &[String], flags: &str, valued: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = words.iter();
    while let Some(argument) = arguments.next() {
        let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            options.operands.push(argument.clone());
            continue;
        };
        if letters == "-" {
            options.operands.extend(arguments.cloned());
            break;
        }
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            if flags.contains(letter) {
                options.flags.push(letter);
            } else if valued.contains(letter) {
                let rest: String = letters.by_ref().collect();
                let value = if rest.is_empty() {
                    arguments.next().cloned()
                } else {
                    Some(rest)
                };
                let value = value.ok_or_else(|| format!("Missing argument to -{letter}"))?;
                options.values.push((letter, value));
            } else {
                return Err(format!("Unknown option '{letter}' (see \"{} --help\")", name));
            }
        }
    }
    Ok(options)
}

/// Arguments, sorted.
#[derive(Debug, Default)]
pub(super) struct Options {
    flags: Vec<char>,
    values: Vec<(char, String)>,
    pub operands: Vec<String>,
}

impl Options {
    pub fn has(&self, letter: char) -> bool {
        self.flags.contains(&letter)
    }

    /// The last value of an option.
    pub fn value(&self, letter: char) -> Option<&str> {
        self.values
            .iter()
            .rev()
            .find(|(name, _)| *name == letter)
            .map(|(_, value)| value.as_str())
    }

    /// All values of an option.
    pub fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .filter(move |(name, _)| *name == letter)
            .map(|(_, value)| value.as_str())
    }

    /// The operands, or `-` (standard input) when there is none.
    pub fn inputs(&self) -> Vec<String> {
        if self.operands.is_empty() {
            vec!["-".to_owned()]
        } else {
            self.operands.clone()
        }
    }
}
