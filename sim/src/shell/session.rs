//! A shell that a host has opened.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    MAX_SCRIPT_BYTES,
    interpret::{Interpreter, Unwind},
    io::{Channel, Chunk, Input, Output, Streams},
    parse::{self, SyntaxError},
};
use crate::device::Device;

/// A shell that a host has opened. Dropping what it runs ends it, as a hang-up does.
pub struct Session {
    interpreter: Interpreter,
}

impl Session {
    /// A shell on this phone; `terminal` says whether its output is a terminal.
    pub fn new(device: Arc<dyn Device>, terminal: bool) -> Self {
        Self {
            interpreter: Interpreter::new(device, terminal),
        }
    }

    /// Runs a text; the exit code, or `None` when nobody reads the output any more. Commands that it left in the
    /// background hold the output open.
    pub async fn run(mut self, text: &str, stdin: Input, output: mpsc::Sender<Chunk>) -> Option<u8> {
        let streams = streams(stdin, output);
        let outcome = self.interpreter.run_text(text, &streams).await;
        self.interpreter.finish(outcome).ok()
    }

    /// Runs one program with these arguments, without any quoting.
    pub async fn run_program(mut self, argv: &[String], stdin: Input, output: mpsc::Sender<Chunk>) -> Option<u8> {
        let streams = streams(stdin, output);
        let outcome = self
            .interpreter
            .run_program(argv, &streams)
            .await
            .map(|code| self.interpreter.status = code);
        self.interpreter.finish(outcome).ok()
    }

    /// Runs what is typed, line by line. On a terminal it prompts and echoes.
    pub async fn interact(mut self, stdin: Input, output: mpsc::Sender<Chunk>) -> Option<u8> {
        let terminal = self.interpreter.terminal;
        let prompt = format!("{}:/ $ ", self.interpreter.device.banner().device);
        let streams = streams(stdin, output);
        let mut text = String::new();
        loop {
            if terminal && text.is_empty() {
                streams.stdout.write(prompt.clone()).await.ok()?;
            }
            let line = match terminal {
                true => read_typed(&streams).await,
                false => streams
                    .stdin
                    .read_line()
                    .await
                    .map(|line| String::from_utf8_lossy(&line).into_owned()),
            };
            let ended = line.is_none();
            text.push_str(&line.unwrap_or_default());
            let wants_more = matches!(parse::parse(&text), Err(SyntaxError::Incomplete));
            if wants_more && !ended && text.len() < MAX_SCRIPT_BYTES {
                continue;
            }
            match self.interpreter.run_text(&text, &streams).await {
                Ok(()) | Err(Unwind::Break(_) | Unwind::Continue(_)) => {}
                // A syntax error does not end a shell that somebody types into.
                Err(Unwind::Exit(_)) if terminal && parse::parse(&text).is_err() => {}
                Err(Unwind::Exit(code)) => return Some(code),
                Err(Unwind::HungUp) => return None,
            }
            text.clear();
            if ended {
                return Some(self.interpreter.status);
            }
        }
    }
}

/// A line from a terminal in raw mode: it is echoed, Return ends it, Ctrl-C empties it, Ctrl-D ends the input.
async fn read_typed(streams: &Streams) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let byte = *streams.stdin.read_exactly(1).await.first()?;
        match byte {
            b'\r' | b'\n' => {
                streams.stdout.write("\r\n").await.ok()?;
                line.push(b'\n');
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            0x03 => {
                streams.stdout.write("^C\r\n").await.ok()?;
                return Some("\n".to_owned());
            }
            0x04 if line.is_empty() => return None,
            0x7f | 0x08 => {
                if line.pop().is_some() {
                    streams.stdout.write("\u{8} \u{8}").await.ok()?;
                }
            }
            byte => {
                if line.len() < MAX_SCRIPT_BYTES {
                    line.push(byte);
                }
                streams.stdout.write(vec![byte]).await.ok()?;
            }
        }
    }
}

fn streams(stdin: Input, output: mpsc::Sender<Chunk>) -> Streams {
    let stderr = Output::Host(output.clone(), Channel::Stderr);
    Streams {
        stdin,
        stdout: Output::Host(output, Channel::Stdout),
        stderr,
    }
}
