//! `logcat`: the end of the phone's log. Without `-d` a real one goes on; this one ends, as after `-d`.

use super::{
    Programs,
    reply::{failed, printed, silent},
};
use crate::device::Completion;

/// Lines that a log keeps at most, as far as this program shows it.
const LONGEST_LOG: usize = 10_000;
/// What a new reader sees first.
const HEADER: &str = "--------- beginning of main\n";

/// Prints the log, or clears it.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Completion {
    let mut last = LONGEST_LOG;
    let mut filters = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-c" | "--clear" => {
                phone.memory().log_cleared_after = phone.handset.log(1).pop();
                return silent();
            }
            "-g" | "--buffer-size" => {
                return printed(
                    "main: ring buffer is 256 KiB (180 KiB consumed, 20 KiB readable), max entry is 5120 B, max payload is 4068 B\n",
                );
            }
            "-t" | "-T" => match words.next().map(|count| count.parse::<usize>()) {
                Some(Ok(count)) => last = count,
                // A time instead of a count: all that there is.
                Some(Err(_)) => {}
                None => return failed(1, "logcat: option requires an argument -- 't'\n"),
            },
            "-b" | "-v" | "-e" | "-m" | "-r" | "-n" | "-f" => drop(words.next()),
            "-s" => filters.push("*:S"),
            word if word.starts_with('-') => {}
            filter => filters.push(filter),
        }
    }
    let lines = since_cleared(phone);
    let shown: Vec<&String> = lines.iter().filter(|line| passes(line, &filters)).collect();
    let from = shown.len().saturating_sub(last);
    let mut text = HEADER.to_owned();
    for line in shown.iter().skip(from) {
        text.push_str(line);
        text.push('\n');
    }
    printed(text)
}

fn since_cleared(phone: &Programs) -> Vec<String> {
    let mut lines = phone.handset.log(LONGEST_LOG);
    let mark = phone.memory().log_cleared_after.clone();
    if let Some(at) = mark.and_then(|mark| lines.iter().rposition(|line| *line == mark)) {
        lines.drain(..=at);
    }
    lines
}

/// `*:S` silences every tag but those that are named.
fn passes(line: &str, filters: &[&str]) -> bool {
    if !filters.contains(&"*:S") {
        return true;
    }
    let tags = filters
        .iter()
        .filter(|filter| **filter != "*:S")
        .map(|filter| filter.split(':').next().unwrap_or(filter));
    tags.into_iter()
        .any(|tag| line.contains(&format!(" {tag}:")) || line.contains(&format!(" {tag} :")))
}

#[cfg(test)]
mod tests {
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
}
