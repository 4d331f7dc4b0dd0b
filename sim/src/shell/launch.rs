//! Runs programs: the shell's own, the small ones, the phone's, scripts.

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use super::{
    interpret::{Interpreter, Unwind},
    io::{Streams, WriteError},
    live,
    programs::{self, Process},
};
use crate::device::Invocation;

/// A package that is streamed into an install command, bytes.
const MAX_PACKAGE_BYTES: usize = 512 << 20;
/// Exit code of a program that died of SIGPIPE.
const BROKEN_PIPE: u8 = 141;

impl Interpreter {
    /// Runs a program by its arguments; its exit code.
    pub fn run_program<'a>(
        &'a mut self,
        arguments: &'a [String],
        streams: &'a Streams,
    ) -> BoxFuture<'a, Result<u8, Unwind>> {
        async move {
            let Some((path, rest)) = arguments.split_first() else {
                return Ok(0);
            };
            let name = programs::plain_name(path);
            if let Some(outcome) = self.run_builtin(name, rest, streams).await {
                return outcome;
            }
            let process = Process {
                shell: self,
                name,
                arguments: rest,
                streams,
            };
            let outcome = match programs::run(process).await {
                Some(outcome) => outcome,
                None => self.run_on_device(name, rest, streams).await?,
            };
            match outcome {
                Ok(code) => Ok(code),
                Err(WriteError::HungUp) => Err(Unwind::HungUp),
                Err(WriteError::Overflow) => Ok(BROKEN_PIPE),
                Err(WriteError::File(errno)) => {
                    // The error's own stream may be the one that fails.
                    streams.stderr.write(format!("{name}: write: {errno}\n")).await.ok();
                    Ok(1)
                }
            }
        }
        .boxed()
    }

    async fn run_on_device(
        &mut self,
        name: &str,
        arguments: &[String],
        streams: &Streams,
    ) -> Result<Result<u8, WriteError>, Unwind> {
        let argv: Vec<String> = std::iter::once(name.to_owned())
            .chain(arguments.iter().cloned())
            .collect();
        let stdin = match package_size(&argv) {
            Some(size) if size <= MAX_PACKAGE_BYTES => streams.stdin.read_exactly(size).await,
            _ if streams.stdin.is_live() => Bytes::new(),
            _ => match streams.stdin.read_to_end().await {
                Ok(stdin) => stdin,
                Err(error) => return Ok(Err(error)),
            },
        };
        let terminal = self.terminal && streams.stdout.is_host();
        let invocation = Invocation {
            argv,
            stdin: stdin.into(),
            terminal,
        };
        // A program at the start of a pipe would never end if it went on as it does for a host.
        let completion = match streams.stdout.is_host() {
            true => match live::run(&*self.device, invocation, streams).await {
                Ok(completion) => completion,
                Err(error) => return Ok(Err(error)),
            },
            false => self.device.run(invocation).await,
        };
        let Some(completion) = completion else {
            return self.run_script_file(name, arguments, streams).await.map(Ok);
        };
        let written = match streams.stdout.write(completion.stdout).await {
            Ok(()) => streams.stderr.write(completion.stderr).await,
            error => error,
        };
        Ok(written.map(|()| completion.code))
    }

    async fn run_script_file(&mut self, name: &str, arguments: &[String], streams: &Streams) -> Result<u8, Unwind> {
        let path = self.absolute(name);
        let metadata = self
            .files()
            .stat(&path)
            .ok()
            .filter(|metadata| name.contains('/') && !metadata.is_dir());
        let Some(metadata) = metadata else {
            self.complain(streams, &format!("{name}: inaccessible or not found"))
                .await?;
            return Ok(127);
        };
        if metadata.mode & 0o111 == 0 {
            self.complain(streams, &format!("{name}: can't execute: Permission denied"))
                .await?;
            return Ok(126);
        }
        let content = self.files().read(&path).unwrap_or_default();
        self.run_shell(&String::from_utf8_lossy(&content), arguments, streams)
            .await
    }
}

/// The bytes that an install command reads from its input: `cmd package install … -S N`.
fn package_size(argv: &[String]) -> Option<usize> {
    let installs = matches!(argv.first()?.as_str(), "cmd" | "pm")
        && argv.iter().take(3).any(|argument| argument.starts_with("install"));
    let flag = argv.iter().position(|argument| argument == "-S").filter(|_| installs)?;
    argv.get(flag + 1)?.parse().ok()
}
