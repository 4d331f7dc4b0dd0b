//! Programs that run other programs.

use super::{
    super::{
        interpret::Unwind,
        io::{Input, Streams, WriteError},
        parse::is_name,
    },
    Ending, NAMES, Process,
};

/// Exit code of `timeout` when the time is up.
const TIMED_OUT: u8 = 124;

pub(super) async fn sh(p: &mut Process<'_>) -> Ending {
    let mut arguments = p
        .arguments
        .iter()
        .skip_while(|argument| matches!(argument.as_str(), "-e" | "-x" | "-s" | "-l"));
    let (text, positional) = match arguments.next().map(String::as_str) {
        Some("-c" | "-ec" | "-xc" | "-lc") => {
            let Some(text) = arguments.next() else {
                return p.complain("-c requires an argument").await;
            };
            // The word after the text is `$0`.
            (text.clone(), arguments.skip(1).cloned().collect::<Vec<_>>())
        }
        Some(path) => match p.read(path).await? {
            Some(content) => (
                String::from_utf8_lossy(&content).into_owned(),
                arguments.cloned().collect(),
            ),
            None => return Ok(127),
        },
        None => {
            let content = p.streams.stdin.read_to_end().await?;
            (String::from_utf8_lossy(&content).into_owned(), Vec::new())
        }
    };
    ending(p.shell.run_shell(&text, &positional, p.streams).await)
}

pub(super) async fn toybox(p: &mut Process<'_>) -> Ending {
    match p.arguments.first() {
        None => p.out(format!("{}\n", NAMES.join(" "))).await.map(|()| 0),
        Some(name) if name == "--version" => p.out("toybox 0.8.6-android\n").await.map(|()| 0),
        Some(name) if NAMES.contains(&name.as_str()) => ending(p.shell.run_nested(p.arguments, p.streams).await),
        Some(name) => {
            let message = format!("Unknown command {name} (see \"toybox --help\")");
            p.complain(message).await.map(|_| 127)
        }
    }
}

/// `nohup`, `setsid`, `nice`, `time`: the rest is run as it is.
pub(super) async fn prefix(p: &mut Process<'_>) -> Ending {
    let skip = if p.name == "nice" && p.arguments.first().is_some_and(|word| word == "-n") {
        2
    } else {
        0
    };
    match p.arguments.get(skip..) {
        Some(rest) => ending(p.shell.run_nested(rest, p.streams).await),
        None => p.complain("Needs 1 argument").await,
    }
}

pub(super) async fn timeout(p: &mut Process<'_>) -> Ending {
    let rest: Vec<String> = p
        .arguments
        .iter()
        .skip_while(|word| word.starts_with('-'))
        .cloned()
        .collect();
    let Some((limit, command)) = rest.split_first() else {
        return p.complain("Needs 2 arguments").await;
    };
    let Some(limit) = super::system::duration(limit) else {
        return p.complain(format!("bad '{limit}'")).await;
    };
    let run = p.shell.run_nested(command, p.streams);
    tokio::time::timeout(limit, run).await.map_or(Ok(TIMED_OUT), ending)
}

pub(super) async fn env(p: &mut Process<'_>) -> Ending {
    let is_assignment = |word: &&String| word.split_once('=').is_some_and(|(name, _)| is_name(name));
    let assignments: Vec<&String> = p.arguments.iter().take_while(is_assignment).collect();
    let command = p.arguments.get(assignments.len()..).unwrap_or_default();
    if p.name == "printenv"
        && let Some(name) = command.first()
    {
        return match p.shell.variables.get(name).map(|value| format!("{value}\n")) {
            Some(line) => p.out(line).await.map(|()| 0),
            None => Ok(1),
        };
    }
    let outer = p.shell.variables.clone();
    for (name, value) in assignments.iter().filter_map(|word| word.split_once('=')) {
        p.shell.variables.set(name, value);
        p.shell.variables.export(name);
    }
    let outcome = if command.is_empty() {
        let lines: String = p
            .shell
            .variables
            .exported()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        p.out(lines).await.map(|()| 0)
    } else {
        ending(p.shell.run_nested(command, p.streams).await)
    };
    p.shell.variables = outer;
    outcome
}

pub(super) async fn xargs(p: &mut Process<'_>) -> Ending {
    let mut arguments = p.arguments;
    let (mut null_separated, mut at_a_time) = (false, usize::MAX);
    loop {
        match arguments {
            [flag, rest @ ..] if flag == "-0" => {
                null_separated = true;
                arguments = rest;
            }
            [flag, rest @ ..] if flag == "-r" => arguments = rest,
            [flag, count, rest @ ..] if flag == "-n" => {
                at_a_time = count.parse().unwrap_or(1).max(1);
                arguments = rest;
            }
            _ => break,
        }
    }
    let input = p.streams.stdin.read_to_end().await?;
    let input = String::from_utf8_lossy(&input);
    let words: Vec<String> = if null_separated {
        input
            .split('\0')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    } else {
        input.split_whitespace().map(str::to_owned).collect()
    };
    let echo = ["echo".to_owned()];
    let command = if arguments.is_empty() {
        echo.as_slice()
    } else {
        arguments
    };
    let streams = Streams {
        stdin: Input::empty(),
        ..p.streams.clone()
    };
    let mut worst = 0;
    for chunk in words.chunks(at_a_time.min(words.len().max(1))) {
        let line: Vec<String> = command.iter().chain(chunk).cloned().collect();
        if ending(p.shell.run_nested(&line, &streams).await)? != 0 {
            worst = 123;
        }
    }
    Ok(worst)
}

/// What running another program means for the one that runs it.
fn ending(outcome: Result<u8, Unwind>) -> Ending {
    match outcome {
        Ok(code) | Err(Unwind::Exit(code)) => Ok(code),
        Err(Unwind::Break(_) | Unwind::Continue(_)) => Ok(0),
        Err(Unwind::HungUp) => Err(WriteError::HungUp),
    }
}
