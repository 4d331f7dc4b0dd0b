//! `logcat` and `log`: the end of the phone's log, its continuation, and a line into it.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};

use super::{
    Programs,
    reply::{failed, printed, silent},
};
use crate::device::Completion;

/// Lines that a log keeps at most, as far as this program shows it.
const LONGEST_LOG: usize = 10_000;
/// What a new reader sees first.
const HEADER: &str = "--------- beginning of main\n";
/// How often a reader that goes on looks for new lines.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A real phone's log is never silent for longer, and clients that stop reading wait for the next line.
const LONGEST_SILENCE: Duration = Duration::from_secs(1);

/// What a reader wants to see.
#[derive(Debug, Default)]
struct Request<'a> {
    /// Only that many of the last lines.
    last: Option<usize>,
    /// Ends when the log was printed.
    ends: bool,
    format: Format,
    /// Tags to show; `None`: all.
    tags: Option<Vec<&'a str>>,
}

/// `-v`
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Format {
    #[default]
    ThreadTime,
    Time,
    Brief,
    Tag,
    Raw,
}

/// Prints the log as it is now, or clears it.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Completion {
    match Request::parse(phone, arguments) {
        Ok(request) => {
            let lines = phone.handset.log(LONGEST_LOG);
            printed(format!("{HEADER}{}", request.render(since_cleared(phone, &lines))))
        }
        Err(completion) => completion,
    }
}

/// Prints the log and, without `-d` or `-t`, all that is added to it until the host goes.
pub(super) async fn follow(phone: &Programs, arguments: &[String], output: &mpsc::Sender<Vec<u8>>) -> Completion {
    let request = match Request::parse(phone, arguments) {
        Ok(request) => request,
        Err(completion) => return completion,
    };
    let mut lines = phone.handset.log(LONGEST_LOG);
    let mut text = format!("{HEADER}{}", request.render(since_cleared(phone, &lines)));
    if request.ends {
        return printed(text);
    }
    let mut spoke = Instant::now();
    loop {
        if !text.is_empty() {
            spoke = Instant::now();
            if output.send(text.into_bytes()).await.is_err() {
                return silent();
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        if spoke.elapsed() >= LONGEST_SILENCE {
            phone.handset.write_log("D", "NetworkMonitor", "PROBE_HTTPS ret=204");
        }
        let seen = lines.pop();
        lines = phone.handset.log(LONGEST_LOG);
        text = request.render(after(seen.as_deref(), &lines));
    }
}

/// `log [-p LEVEL] [-t TAG] MESSAGE…`
pub(super) fn log(phone: &Programs, arguments: &[String]) -> Completion {
    let (mut level, mut tag) = ("I".to_owned(), "log".to_owned());
    let mut words = arguments.iter();
    let mut message: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-p" if message.is_empty() => level = words.next().map(|word| word.to_uppercase()).unwrap_or_default(),
            "-t" if message.is_empty() => tag = words.next().cloned().unwrap_or_default(),
            word => message.push(word),
        }
    }
    phone.handset.write_log(&level, &tag, &message.join(" "));
    silent()
}

impl<'a> Request<'a> {
    /// Reads the arguments; what ends at once (`-c`, `-g`, a mistake) is the error.
    fn parse(phone: &Programs, arguments: &'a [String]) -> Result<Self, Completion> {
        let mut request = Self::default();
        let mut silences_others = false;
        let mut tags = Vec::new();
        let mut words = arguments.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "-c" | "--clear" => {
                    phone.memory().log_cleared_after = phone.handset.log(1).pop();
                    return Err(silent());
                }
                "-g" | "--buffer-size" => {
                    let text = "main: ring buffer is 256 KiB (180 KiB consumed, 20 KiB readable), max entry is 5120 B, \
                                max payload is 4068 B\n";
                    return Err(printed(text));
                }
                "-d" => request.ends = true,
                "-t" | "-T" => {
                    let count = words
                        .next()
                        .ok_or_else(|| failed(1, "logcat: option requires an argument -- 't'\n"))?;
                    // A time instead of a count means all that there is.
                    request.last = count.parse().ok();
                    request.ends |= word == "-t";
                }
                "-v" => request.format = Format::parse(words.next().unwrap_or_default()),
                "-b" | "-e" | "-m" | "-r" | "-n" | "-f" => drop(words.next()),
                "-s" | "*:S" => silences_others = true,
                word if word.starts_with('-') => {}
                filter => tags.push(filter.split(':').next().unwrap_or(filter)),
            }
        }
        request.tags = silences_others.then_some(tags);
        Ok(request)
    }

    fn render(&self, lines: &[String]) -> String {
        let shown: Vec<&String> = lines.iter().filter(|line| self.shows(line)).collect();
        let from = self.last.map_or(0, |last| shown.len().saturating_sub(last));
        shown
            .iter()
            .skip(from)
            .map(|line| format!("{}\n", self.format.apply(line)))
            .collect()
    }

    fn shows(&self, line: &str) -> bool {
        let Some(tags) = &self.tags else { return true };
        Entry::parse(line).is_some_and(|entry| tags.contains(&entry.tag))
    }
}

/// A line of the log, which is kept as `-v threadtime` prints it.
struct Entry<'a> {
    time: String,
    process: &'a str,
    level: &'a str,
    tag: &'a str,
    message: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, message) = line.split_once(": ")?;
        let mut words = head.split_whitespace();
        let time = format!("{} {}", words.next()?, words.next()?);
        let (process, _thread, level) = (words.next()?, words.next()?, words.next()?);
        Some(Self {
            time,
            process,
            level,
            tag: words.next()?,
            message,
        })
    }
}

impl Format {
    fn parse(name: &str) -> Self {
        match name {
            "time" => Self::Time,
            "brief" => Self::Brief,
            "tag" => Self::Tag,
            "raw" => Self::Raw,
            _ => Self::ThreadTime,
        }
    }

    fn apply(self, line: &str) -> String {
        let Some(Entry {
            time,
            process,
            level,
            tag,
            message,
        }) = Entry::parse(line)
        else {
            return line.to_owned();
        };
        match self {
            Self::ThreadTime => line.to_owned(),
            Self::Time => format!("{time} {level}/{tag}({process:>5}): {message}"),
            Self::Brief => format!("{level}/{tag}({process:>5}): {message}"),
            Self::Tag => format!("{level}/{tag}: {message}"),
            Self::Raw => message.to_owned(),
        }
    }
}

fn since_cleared<'a>(phone: &Programs, lines: &'a [String]) -> &'a [String] {
    after(phone.memory().log_cleared_after.as_deref(), lines)
}

/// The lines after this one; all of them when it has left the log since.
fn after<'a>(seen: Option<&str>, lines: &'a [String]) -> &'a [String] {
    let at = seen
        .and_then(|seen| lines.iter().rposition(|line| line == seen))
        .map_or(0, |at| at + 1);
    lines.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn the_log_is_printed_from_its_end_and_cleared() {
        let bench = Bench::new();

        assert_eq!(
            stdout(&bench.run("logcat -d -t 1").await),
            "--------- beginning of main\nline 3\n"
        );
        assert_eq!(stdout(&bench.run("logcat -d").await).lines().count(), 4);
        bench.run("logcat -c").await;
        assert_eq!(stdout(&bench.run("logcat -d").await), "--------- beginning of main\n");
    }

    #[tokio::test]
    async fn a_line_is_logged_and_shown_in_the_format_that_was_asked_for() {
        let bench = Bench::new();
        bench.run("log -p w -t TAG hello there").await;
        let cases = [
            (
                "logcat -d -s TAG",
                "01-02 03:04:05.678  1842  1842 W TAG: hello there\n",
            ),
            (
                "logcat -d -v time TAG:V *:S",
                "01-02 03:04:05.678 W/TAG( 1842): hello there\n",
            ),
            ("logcat -d -v brief -s TAG", "W/TAG( 1842): hello there\n"),
            ("logcat -d -v raw -s TAG:I", "hello there\n"),
            ("logcat -d -s OTHER", ""),
        ];
        for (command, expected) in cases {
            let shown = stdout(&bench.run(command).await);
            assert_eq!(shown, format!("--------- beginning of main\n{expected}"), "{command}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_stays_is_shown_each_new_line_once() {
        let bench = Bench::new();
        let (sender, mut pieces) = mpsc::channel(1);
        bench.run("logcat -c").await;

        let read = async {
            assert_eq!(
                pieces.recv().await.expect("the header"),
                b"--------- beginning of main\n"
            );
            for text in ["one", "two"] {
                bench.run(&format!("log -t TAG {text}")).await;
                let piece = String::from_utf8(pieces.recv().await.expect("a line")).expect("text");
                assert!(
                    piece.ends_with(&format!(" I TAG: {text}\n")) && piece.lines().count() == 1,
                    "{piece}"
                );
            }
            drop(pieces);
            bench.run("log -t TAG three").await;
        };
        let (completion, ()) = tokio::join!(bench.run_live("logcat", sender), read);

        assert_eq!(completion.code, 0);
    }
}
