//! `runFlow`, `repeat`, `retry`, `evalScript`, `runScript`.

use futures_util::future::LocalBoxFuture;

use crate::flow::{
    model::{Command, Repeat, Retry, RunFlow, RunScript, Text},
    runner::{Done, Round, Run, fault::Fault, whole_number},
};

/// Most attempts after the first; as upstream.
const MAX_RETRIES: i64 = 3;

impl Run {
    /// Boxed, since flows run flows.
    pub(in crate::flow) fn control<'a>(&'a mut self, command: &'a Command) -> LocalBoxFuture<'a, Result<Done, Fault>> {
        Box::pin(async move {
            match command {
                Command::RunFlow(run) => self.sub_flow(run).await,
                Command::Repeat(repeat) => self.repeat(repeat).await,
                Command::Retry(retry) => self.retry(retry).await,
                _ => Ok(Done::Completed),
            }
        })
    }

    async fn sub_flow(&mut self, run: &RunFlow) -> Result<Done, Fault> {
        if let Some(when) = &run.when
            && !self.holds(when).await?
        {
            return match &run.otherwise {
                None => Ok(Done::Skipped),
                Some(steps) => {
                    let scope = self.enter(&run.env).await?;
                    let result = self.run_steps(steps).await;
                    self.leave(scope, result).await.map(|()| Done::Completed)
                }
            };
        }
        self.run_body(&run.body, &run.env).await?;
        Ok(Done::Completed)
    }

    async fn repeat(&mut self, repeat: &Repeat) -> Result<Done, Fault> {
        let times = match &repeat.times {
            None => None,
            Some(text) => Some(whole_number(&self.js.interpolate(text).await?, "times")?),
        };
        // A condition may end it at any time.
        let planned = times.filter(|_| repeat.condition.is_none());
        let planned = planned.and_then(|times| u32::try_from(times).ok());
        let mut rounds = 0_i64;
        while times.is_none_or(|times| rounds < times) {
            if let Some(condition) = &repeat.condition
                && !self.holds(condition).await?
            {
                break;
            }
            if rounds >= i64::from(self.settings.max_rounds) {
                return Err(Fault::Invalid(format!(
                    "`repeat` has run {rounds} rounds, the most there may be; look at its condition"
                )));
            }
            self.way.begin_round(Round {
                round: u32::try_from(rounds).unwrap_or(u32::MAX),
                of: planned,
            });
            let result = self.run_steps(&repeat.steps).await;
            self.way.end_round();
            result?;
            rounds += 1;
        }
        Ok(if rounds == 0 { Done::Skipped } else { Done::Completed })
    }

    /// Never runs again what has begun something that cannot be undone, nor anything while that is open.
    async fn retry(&mut self, retry: &Retry) -> Result<Done, Fault> {
        let wanted = whole_number(&self.js.interpolate(&retry.max_retries).await?, "maxRetries")?;
        let mut left = wanted.clamp(0, MAX_RETRIES);
        let intents = self.effects.intents;
        loop {
            match self.run_body(&retry.body, &retry.env).await {
                Ok(()) => return Ok(Done::Completed),
                Err(fault) if left == 0 || !fault.is_flow_failure() => return Err(fault),
                Err(fault) if self.effects.is_open() || self.effects.intents != intents => return Err(fault),
                Err(_) => left -= 1,
            }
        }
    }

    /// Expressions in `${}` are evaluated for what they do; a text without any is a script as a whole.
    pub(super) async fn eval_script(&mut self, script: &Text) -> Result<(), Fault> {
        if script.contains("${") {
            self.js.interpolate(script).await?;
        } else {
            self.js.run(script).await?;
        }
        self.last_action = tokio::time::Instant::now();
        Ok(())
    }

    pub(super) async fn run_script(&mut self, script: &RunScript) -> Result<Done, Fault> {
        if let Some(when) = &script.when
            && !self.holds(when).await?
        {
            return Ok(Done::Skipped);
        }
        let scope = self.enter(&script.env).await?;
        let result = self.js.run(&script.source).await;
        let result = result.map_err(|error| Fault::from(error.of_file(&script.file)));
        self.leave(scope, result).await?;
        self.last_action = tokio::time::Instant::now();
        Ok(Done::Completed)
    }
}
