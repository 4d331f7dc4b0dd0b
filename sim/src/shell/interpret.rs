//! Runs a parsed text.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use super::{
    MAX_DEPTH, MAX_SHELLS, MAX_STEPS,
    ast::{Command, CommandKind, Connector, Pipeline, Redirect, Statement, Word},
    io::{Input, Output, Streams, WriteError, take_buffer},
<<<<<<< HEAD
    live, parse,
    programs::{self, Process},
=======
    parse,
>>>>>>> wire
    variables::Variables,
};
use crate::{device::Device, fs::Filesystem};

/// Commands in the background at a time, of one session.
const MAX_BACKGROUND: u32 = 16;
/// Turns between two pauses for the other tasks of the thread.
const STEPS_PER_TURN: u32 = 32;
/// Why a list of commands ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unwind {
    Exit(u8),
    Break(u32),
    Continue(u32),
    /// The host has gone: nothing more is to be done.
    HungUp,
}

/// A shell. A subshell is a clone.
#[derive(Clone)]
pub(super) struct Interpreter {
    pub device: Arc<dyn Device>,
    /// The working directory.
    pub folder: String,
    pub variables: Variables,
    /// `$?`
    pub status: u8,
    /// Whether the host's end is a terminal.
    pub terminal: bool,
    steps: Arc<AtomicU32>,
    background: Arc<AtomicU32>,
    /// Shells around this one.
    shells: usize,
    /// Lists of commands around the present one, through all shells.
    depth: usize,
}

impl Interpreter {
    pub fn new(device: Arc<dyn Device>, terminal: bool) -> Self {
        Self {
            device,
            folder: "/".to_owned(),
            variables: Variables::of_adb_shell(),
            status: 0,
            terminal,
            steps: Arc::default(),
            background: Arc::default(),
            shells: 0,
            depth: 0,
        }
    }

    pub fn files(&self) -> Arc<Filesystem> {
        self.device.files()
    }

    /// Runs a text in this shell, as `eval` does; a syntax error is said on standard error.
    pub async fn run_text(&mut self, text: &str, streams: &Streams) -> Result<(), Unwind> {
        let script = match parse::parse(text) {
            Ok(script) => script,
            Err(error) => return self.fail(streams, &format!("syntax error: {error}"), 1).await,
        };
        self.run_list(&script, streams).await
    }

    /// Runs a text in a shell of its own, as `sh -c` does.
    pub async fn run_shell(&mut self, text: &str, positional: &[String], streams: &Streams) -> Result<u8, Unwind> {
        let mut shell = self.clone();
        shell.enter_shell(streams).await?;
        shell.variables.positional = positional.to_vec();
        let outcome = shell.run_text(text, streams).await;
        shell.finish(outcome)
    }

    /// Runs a text in this shell for `eval` and `.`; its last exit code.
    pub async fn evaluate(&mut self, text: &str, streams: &Streams) -> Result<u8, Unwind> {
        self.enter_shell(streams).await?;
        self.status = 0;
        let outcome = self.run_text(text, streams).await;
        self.shells -= 1;
        outcome.map(|()| self.status)
    }

    /// Runs a program for another one (`env`, `xargs`, `exec` …); its exit code.
    pub async fn run_nested(&mut self, arguments: &[String], streams: &Streams) -> Result<u8, Unwind> {
        self.enter_shell(streams).await?;
        let outcome = self.run_program(arguments, streams).await;
        self.shells -= 1;
        outcome
    }

    async fn enter_shell(&mut self, streams: &Streams) -> Result<(), Unwind> {
        if self.shells >= MAX_SHELLS {
            return self.fail(streams, "too many shells within one another", 1).await;
        }
        self.shells += 1;
        Ok(())
    }

    /// Runs statements in a subshell; its exit code.
    pub async fn subshell(&mut self, script: &[Statement], streams: &Streams) -> Result<u8, Unwind> {
        let mut shell = self.clone();
        let outcome = shell.run_list(script, streams).await;
        shell.finish(outcome)
    }

    /// The exit code of a shell whose text ended this way.
    pub fn finish(&self, outcome: Result<(), Unwind>) -> Result<u8, Unwind> {
        match outcome {
            Ok(()) | Err(Unwind::Break(_) | Unwind::Continue(_)) => Ok(self.status),
            Err(Unwind::Exit(code)) => Ok(code),
            Err(Unwind::HungUp) => Err(Unwind::HungUp),
        }
    }

    /// Says a message of the shell's own.
    pub async fn complain(&self, streams: &Streams, message: &str) -> Result<(), Unwind> {
        match streams.stderr.write(format!("/system/bin/sh: {message}\n")).await {
            Err(WriteError::HungUp) => Err(Unwind::HungUp),
            _ => Ok(()),
        }
    }

    /// Says a message of the shell's own, which then exits.
    pub async fn fail<T>(&self, streams: &Streams, message: &str, code: u8) -> Result<T, Unwind> {
        self.complain(streams, message).await?;
        Err(Unwind::Exit(code))
    }

    pub fn run_list<'a>(
        &'a mut self,
        list: &'a [Statement],
        streams: &'a Streams,
    ) -> BoxFuture<'a, Result<(), Unwind>> {
        async move {
            if self.depth >= MAX_DEPTH {
                return self.fail(streams, "nested too deeply", 1).await;
            }
            self.depth += 1;
            let outcome = self.run_statements(list, streams).await;
            self.depth -= 1;
            outcome
        }
        .boxed()
    }

    async fn run_statements(&mut self, list: &[Statement], streams: &Streams) -> Result<(), Unwind> {
        for statement in list {
            if statement.background {
                self.start_background(statement, streams);
            } else {
                self.run_statement(statement, streams).await?;
            }
        }
        Ok(())
    }

    fn start_background(&mut self, statement: &Statement, streams: &Streams) {
        self.status = 0;
        let background = self.background.clone();
        if background.fetch_add(1, Ordering::Relaxed) >= MAX_BACKGROUND {
            background.fetch_sub(1, Ordering::Relaxed);
            self.status = 1;
            return;
        }
        let mut shell = self.clone();
        let statement = statement.clone();
        let streams = Streams {
            stdin: Input::empty(),
            ..streams.clone()
        };
        let mut link = self.device.link();
        tokio::spawn(async move {
            let drops = link.borrow().drops;
            tokio::select! {
                _ = shell.run_statement(&statement, &streams) => {}
                // Whatever ran on the phone is gone after a reboot.
                _ = link.wait_for(|link| link.offline || link.drops != drops) => {}
            }
            background.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn run_statement(&mut self, statement: &Statement, streams: &Streams) -> Result<(), Unwind> {
        self.run_pipeline(&statement.first, streams).await?;
        for (connector, pipeline) in &statement.rest {
            if (*connector == Connector::And) == (self.status == 0) {
                self.run_pipeline(pipeline, streams).await?;
            }
        }
        Ok(())
    }

    async fn run_pipeline(&mut self, pipeline: &Pipeline, streams: &Streams) -> Result<(), Unwind> {
        let mut stdin = streams.stdin.clone();
        if let Some((last, before)) = pipeline.commands.split_last() {
            for command in before {
                let (stdout, buffer) = Output::buffer();
                let inner = Streams {
                    stdin,
                    stdout,
                    stderr: streams.stderr.clone(),
                };
                let mut shell = self.clone();
                let outcome = shell.run_command(command, &inner).await;
                shell.finish(outcome)?;
                stdin = Input::from_bytes(Bytes::from(take_buffer(&buffer)));
            }
            let inner = Streams {
                stdin,
                ..streams.clone()
            };
            self.run_command(last, &inner).await?;
        }
        if pipeline.negated {
            self.status = u8::from(self.status == 0);
        }
        Ok(())
    }

    async fn run_command(&mut self, command: &Command, streams: &Streams) -> Result<(), Unwind> {
        self.count_step(streams).await?;
        if let CommandKind::Simple { assignments, words } = &command.kind {
            return self.run_simple(assignments, words, &command.redirects, streams).await;
        }
        let Some(streams) = self.redirect(&command.redirects, streams).await? else {
            return Ok(());
        };
        match &command.kind {
            CommandKind::Simple { .. } => Ok(()),
            CommandKind::Group(body) => self.run_list(body, &streams).await,
            CommandKind::Subshell(body) => {
                self.status = self.subshell(body, &streams).await?;
                Ok(())
            }
            CommandKind::If { branches, otherwise } => self.run_if(branches, otherwise, &streams).await,
            CommandKind::Loop { until, condition, body } => self.run_loop(*until, condition, body, &streams).await,
            CommandKind::For { name, list, body } => self.run_for(name, list.as_deref(), body, &streams).await,
            CommandKind::Case { subject, arms } => self.run_case(subject, arms, &streams).await,
        }
    }

    pub(super) async fn count_step(&mut self, streams: &Streams) -> Result<(), Unwind> {
        let steps = self.steps.fetch_add(1, Ordering::Relaxed);
        if steps >= MAX_STEPS {
            return self.fail(streams, "too many commands", 137).await;
        }
        if steps % STEPS_PER_TURN == STEPS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn run_simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
        streams: &Streams,
    ) -> Result<(), Unwind> {
        // `$?` is that of the last substitution when a command has nothing else.
        let before = std::mem::take(&mut self.status);
        if !words.is_empty() || assignments.is_empty() {
            self.status = before;
        }
        let arguments = self.expand_words(words, streams).await?;
        let mut values = Vec::with_capacity(assignments.len());
        for (name, word) in assignments {
            values.push((name, self.expand_text(word, streams).await?));
        }
        let Some(streams) = self.redirect(redirects, streams).await? else {
            return Ok(());
        };
        if arguments.is_empty() {
            for (name, value) in values {
                self.variables.set(name, &value);
            }
            return Ok(());
        }
        let outer = (!values.is_empty()).then(|| self.variables.clone());
        for (name, value) in values {
            self.variables.set(name, &value);
            self.variables.export(name);
        }
        let outcome = self.run_program(&arguments, &streams).await;
        if let Some(outer) = outer {
            self.variables = outer;
        }
        self.status = outcome?;
        Ok(())
    }

<<<<<<< HEAD
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

    /// Streams after redirection; `None` when a file could not be opened, which has been said then.
    async fn redirect(&mut self, redirects: &[Redirect], streams: &Streams) -> Result<Option<Streams>, Unwind> {
        let mut streams = streams.clone();
        for redirect in redirects {
            let opened = self.open(&redirect.target, &mut streams, redirect.descriptor).await?;
            if let Err(message) = opened {
                self.complain(&streams, &message).await?;
                self.status = 1;
                return Ok(None);
            }
        }
        Ok(Some(streams))
    }

    async fn open(
        &mut self,
        target: &Target,
        streams: &mut Streams,
        descriptor: u8,
    ) -> Result<Result<(), String>, Unwind> {
        let output = match target {
            Target::Read(word) => {
                let name = self.expand_text(word, streams).await?;
                return Ok(match self.files().read(&self.absolute(&name)) {
                    Ok(content) => {
                        streams.stdin = Input::from_bytes(content);
                        Ok(())
                    }
                    Err(error) => Err(format!("can't open {name}: {}", error.errno)),
                });
            }
            Target::Write(word) | Target::Append(word) => {
                let name = self.expand_text(word, streams).await?;
                let path = self.absolute(&name);
                let opened = match target {
                    Target::Append(_) => self.files().create(&path),
                    _ => self.files().write(&path, Bytes::new()),
                };
                if let Err(error) = opened {
                    return Ok(Err(format!("can't create {name}: {}", error.errno)));
                }
                Output::File(self.files(), path)
            }
            Target::Duplicate(1) => streams.stdout.clone(),
            Target::Duplicate(2) => streams.stderr.clone(),
            Target::Duplicate(0) => return Ok(Ok(())),
            Target::Duplicate(number) => return Ok(Err(format!("{number}: bad file descriptor"))),
            Target::Close if descriptor == 0 => {
                streams.stdin = Input::empty();
                return Ok(Ok(()));
            }
            Target::Close => Output::Closed,
        };
        match descriptor {
            1 => streams.stdout = output,
            2 => streams.stderr = output,
            _ => {}
        }
        Ok(Ok(()))
    }

=======
>>>>>>> wire
    /// A path from the working directory.
    pub fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.folder)
        }
    }
}
