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
    parse,
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
    /// How many command substitutions have run: they set `$?` where nothing else does.
    pub substitutions: u64,
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
            substitutions: 0,
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
        let substitutions = self.substitutions;
        let arguments = self.expand_words(words, streams).await?;
        let mut values = Vec::with_capacity(assignments.len());
        for (name, word) in assignments {
            values.push((name, self.expand_text(word, streams).await?));
        }
        let Some(streams) = self.redirect(redirects, streams).await? else {
            return Ok(());
        };
        if arguments.is_empty() {
            // `$?` is that of the last substitution when a command has nothing else.
            if self.substitutions == substitutions {
                self.status = 0;
            }
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

    /// A path from the working directory.
    pub fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.folder)
        }
    }
}
