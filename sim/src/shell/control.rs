//! Runs conditions, loops and choices.

use super::{
    ast::{Statement, Word},
    glob,
    interpret::{Interpreter, Unwind},
    io::Streams,
};

impl Interpreter {
    pub(super) async fn run_if(
        &mut self,
        branches: &[(Vec<Statement>, Vec<Statement>)],
        otherwise: &[Statement],
        streams: &Streams,
    ) -> Result<(), Unwind> {
        for (condition, body) in branches {
            self.run_list(condition, streams).await?;
            if self.status == 0 {
                return self.run_list(body, streams).await;
            }
        }
        self.status = 0;
        self.run_list(otherwise, streams).await
    }

    pub(super) async fn run_loop(
        &mut self,
        until: bool,
        condition: &[Statement],
        body: &[Statement],
        streams: &Streams,
    ) -> Result<(), Unwind> {
        let mut status = 0;
        loop {
            self.count_step(streams).await?;
            self.run_list(condition, streams).await?;
            if (self.status == 0) == until {
                break;
            }
            let turn = self.run_list(body, streams).await;
            status = self.status;
            if end_of_turn(turn)? {
                status = 0;
                break;
            }
        }
        self.status = status;
        Ok(())
    }

    pub(super) async fn run_for(
        &mut self,
        name: &str,
        list: Option<&[Word]>,
        body: &[Statement],
        streams: &Streams,
    ) -> Result<(), Unwind> {
        let values = match list {
            Some(words) => self.expand_words(words, streams).await?,
            None => self.variables.positional.clone(),
        };
        self.status = 0;
        for value in values {
            self.count_step(streams).await?;
            self.variables.set(name, &value);
            let turn = self.run_list(body, streams).await;
            if end_of_turn(turn)? {
                self.status = 0;
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn run_case(
        &mut self,
        subject: &Word,
        arms: &[(Vec<Word>, Vec<Statement>)],
        streams: &Streams,
    ) -> Result<(), Unwind> {
        let subject = self.expand_text(subject, streams).await?;
        self.status = 0;
        for (patterns, body) in arms {
            for pattern in patterns {
                let pattern = self.expand_pattern(pattern, streams).await?;
                if glob::matches(&pattern, &subject) {
                    return self.run_list(body, streams).await;
                }
            }
        }
        Ok(())
    }
}

/// Whether a loop ends after a turn that ended this way.
fn end_of_turn(turn: Result<(), Unwind>) -> Result<bool, Unwind> {
    match turn {
        Ok(()) | Err(Unwind::Continue(1)) => Ok(false),
        Err(Unwind::Break(1)) => Ok(true),
        Err(Unwind::Break(levels)) => Err(Unwind::Break(levels.saturating_sub(1))),
        Err(Unwind::Continue(levels)) => Err(Unwind::Continue(levels.saturating_sub(1))),
        Err(unwind) => Err(unwind),
    }
}
