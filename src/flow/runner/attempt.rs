//! One attempt from its start to its outcome.

use std::{collections::HashMap, sync::Arc};

use farmhand_actors::{
    domain::{AttemptSpec, Attention, EffectState, Outcome, Purpose},
    ports::{DeviceDriver, PickedMedia, ProgressBeat},
};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    FlowRunnerParts, Run,
    arrival::Arrival,
    effect::{Effects, Verdict, is_open},
    fault::Fault,
    media::{media_global, media_request},
    phone::Phone,
    rounds::Way,
};
use crate::flow::{
    catalog::Script,
    expr::{HttpAccess, Js},
    policy::Permission,
};

/// Runs an attempt.
pub(super) async fn run(
    parts: Arc<FlowRunnerParts>,
    spec: Arc<AttemptSpec>,
    driver: Arc<dyn DeviceDriver>,
    cancel: CancellationToken,
    beat: ProgressBeat,
) -> Outcome {
    let script = match parts.catalog.version(&spec.script).await {
        Ok(script) => script,
        Err(message) => return failed_before_start(&parts, &spec, Fault::Invalid(message)).await,
    };
    parts.journal.record_flow(spec.attempt, script.content_hash());
    let phone = Phone::new(driver, cancel.clone(), beat, spec.time_limit);
    let mut run = match Run::new(parts.clone(), spec.clone(), script, phone, cancel).await {
        Ok(run) => run,
        Err(fault) => return failed_before_start(&parts, &spec, fault).await,
    };
    let purpose = run.spec.purpose;
    let outcome = run.attempt(purpose).await;
    run.end_recording().await;
    outcome
}

/// That an attempt could not even look says nothing of an effect that is open.
async fn failed_before_start(parts: &FlowRunnerParts, spec: &AttemptSpec, fault: Fault) -> Outcome {
    let (failure, blame) = fault.failure(None);
    if spec.purpose == Purpose::Verify {
        let effects = parts.journal.effects(spec.task).await;
        // What the store does not tell may be open.
        if effects.map_or(true, |effects| effects.iter().any(|effect| is_open(effect.state))) {
            return Outcome::Unverified {
                failure,
                blame,
                attention: None,
            };
        }
    }
    Outcome::Failed { failure, blame }
}

impl Run {
    async fn new(
        parts: Arc<FlowRunnerParts>,
        spec: Arc<AttemptSpec>,
        script: Arc<Script>,
        phone: Phone,
        cancel: CancellationToken,
    ) -> Result<Self, Fault> {
        let policy = &script.flow().config.extension.policy;
        let access = policy.allows(Permission::Http).then(|| HttpAccess {
            hosts: parts.settings.http_hosts.clone().into(),
        });
        let js = Js::new(cancel, access);
        let params = script.expand(&spec.config, spec.seed);
        let steps = script.known_steps();
        let mut run = Self {
            settings: parts.settings.clone(),
            parts,
            spec,
            script,
            phone,
            js,
            app_id: String::new(),
            package: String::new(),
            params,
            media: PickedMedia::default(),
            patterns: HashMap::new(),
            challenges: Vec::new(),
            popups: Vec::new(),
            popups_dismissed: 0,
            arrival: Arrival::default(),
            size: None,
            look: None,
            last_action: Instant::now(),
            sight: None,
            step: 0,
            steps,
            depth: 0,
            failed: None,
            detail: Map::new(),
            recording: None,
            effects: Effects::default(),
            way: Way::default(),
            taken_up: None,
        };
        run.set_globals().await?;
        run.compile_watches().await?;
        Ok(run)
    }

    /// The variables that every script of an attempt finds.
    async fn set_globals(&mut self) -> Result<(), Fault> {
        let spec = self.spec.clone();
        let script = self.script.clone();
        // First, so that they hide nothing of ours.
        for (name, text) in script.env() {
            self.js.set(name, &Value::from(text.as_str())).await?;
        }
        let (app, package) = self.app()?;
        self.package = package;
        let account = spec.account.as_ref();
        let username = account.map_or("", |account| account.username.as_str());
        let file = script.flow().file.rsplit('/').next().unwrap_or_default();
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let texts = [
            ("SERIAL", spec.serial.to_string()),
            ("USERNAME", username.to_owned()),
            ("APP", app),
            ("APP_PACKAGE", self.package.clone()),
            ("TASK_ID", spec.task.to_string()),
            ("ATTEMPT", spec.number.to_string()),
            ("MAESTRO_FILENAME", stem.to_owned()),
            ("MAESTRO_DEVICE_UDID", spec.serial.to_string()),
            ("MAESTRO_SHARD_ID", "1".to_owned()),
            ("MAESTRO_SHARD_INDEX", "0".to_owned()),
        ];
        for (name, text) in texts {
            self.js.set(name, &Value::from(text)).await?;
        }
        let extension = &script.flow().config.extension;
        let target = extension.fan_out.as_ref().and_then(|rule| self.params.get(&rule.list));
        let target = target.map_or(Value::Null, |target| match target {
            Value::Array(items) => items.first().cloned().unwrap_or(Value::Null),
            one => one.clone(),
        });
        self.js.set("params", &self.params).await?;
        self.js.set("target", &target).await?;
        self.js.set("effect", &Value::Null).await?;
        self.js.set("media", &media_global(&self.media, self.spec.seed)).await?;
        Ok(())
    }

    /// The app that the attempt is for, and its package, as far as the settings know it.
    pub(super) fn app(&self) -> Result<(String, String), Fault> {
        let spec = &self.spec;
        let extension = &self.script.flow().config.extension;
        let account = spec.account.as_ref();
        let app = match account {
            Some(account) => account.app.clone(),
            None if spec.app.is_some() => spec.app.clone().unwrap_or_default(),
            None if extension.apps.is_empty() || extension.apps.contains(&self.settings.default_app) => {
                self.settings.default_app.clone()
            }
            None => extension.apps.first().cloned().unwrap_or_default(),
        };
        if !extension.apps.is_empty() && !extension.apps.contains(&app.to_lowercase()) {
            let known = extension.apps.join(", ");
            return Err(Fault::Invalid(format!(
                "the script `{}` is for {known}, and the {}'s app is {app}",
                spec.script,
                if account.is_some() { "account" } else { "device" },
            )));
        }
        let package = match account {
            Some(account) => account.package.to_string(),
            None => self
                .settings
                .packages
                .get(&app)
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        Ok((app, package))
    }

    async fn compile_watches(&mut self) -> Result<(), Fault> {
        let script = self.script.clone();
        let extension = &script.flow().config.extension;
        for selector in &extension.challenges {
            let query = self.compile(selector).await?;
            self.challenges.push((selector.to_string(), query));
        }
        for popup in &extension.popups {
            let visible = self.compile(&popup.visible).await?;
            let tap = self.compile(&popup.tap).await?;
            self.popups.push((popup.visible.to_string(), visible, tap));
        }
        Ok(())
    }

    async fn attempt(&mut self, purpose: Purpose) -> Outcome {
        let mut account_shown = false;
        if purpose == Purpose::Verify {
            match self.verify().await {
                Ok(Some(outcome)) => return outcome,
                // Nothing is open any more: the flow may run.
                Ok(None) => account_shown = true,
                // What the store does not tell may be open.
                Err(fault) if self.effects.is_open() || matches!(fault, Fault::Store(_)) => {
                    return self.unverified(&fault);
                }
                Err(Fault::Ended(outcome)) => return *outcome,
                Err(fault) => return self.failed(&fault),
            }
        } else if let Err(fault) = self.refuse_changed_flow().await {
            return self.conclude(Err(fault)).await;
        }
        let result = self.execute_flow(account_shown).await;
        self.conclude(result).await
    }

    async fn execute_flow(&mut self, account_shown: bool) -> Result<(), Fault> {
        self.refuse_unnamed_account().await?;
        self.find_checkpoint().await?;
        self.pick_media().await?;
        if !account_shown {
            self.show_account().await?;
        }
        let flow = self.script.flow().clone();
        self.effects.armed = true;
        let result = self.run_flow(&flow).await;
        self.effects.armed = false;
        result
    }

    async fn pick_media(&mut self) -> Result<(), Fault> {
        let Some(rule) = self.script.flow().config.extension.media.clone() else {
            return Ok(());
        };
        self.phone.may_go_on()?;
        if self.taken_up.is_none() {
            let username = self.spec.account.as_ref().map(|account| account.username.clone());
            let request = media_request(&rule, &self.params, username, self.spec.seed);
            self.media = self.parts.media.pick(&request).await.map_err(Fault::Media)?;
        }
        self.js.set("media", &media_global(&self.media, self.spec.seed)).await?;
        Ok(())
    }

    async fn conclude(&mut self, result: Result<(), Fault>) -> Outcome {
        let fault = match result {
            Err(Fault::Ended(outcome)) => return *outcome,
            Ok(()) if !self.effects.is_open() => return self.done().await,
            Ok(()) if self.effects.beside.is_some() => self.not_believed(),
            Ok(()) if self.script.flow().config.extension.confirm.is_none() => {
                match self.settle_effect(EffectState::Confirmed).await {
                    Ok(()) => return self.done().await,
                    Err(fault) => return self.unverified(&fault),
                }
            }
            Ok(()) => Fault::Assertion("the step that confirms the effect was not reached".to_owned()),
            Err(fault) => fault,
        };
        if self.effects.is_open() {
            return self.resolve_open(fault).await;
        }
        if self.effects.confirmed > 0 && self.has_single_commit() {
            return completed(&match fault {
                Fault::Cancelled => "done; the stop came after its effect".to_owned(),
                fault => format!("done; what came after it failed: {fault}"),
            });
        }
        self.failed(&fault)
    }

    /// The flow ended while its effect was open: look whether it took place, if the phone still answers.
    async fn resolve_open(&mut self, fault: Fault) -> Outcome {
        let cannot_look = !fault.leaves_phone_usable() || matches!(fault, Fault::Challenge(_) | Fault::Store(_));
        if cannot_look || self.script.flow().config.extension.check.is_none() {
            return self.unverified(&fault);
        }
        let step = self.step;
        let verdict = match self.run_check().await {
            Ok(verdict) => verdict,
            Err(second) if !second.leaves_phone_usable() || matches!(second, Fault::Challenge(_)) => {
                return self.unverified(&second);
            }
            Err(_) => Verdict::Unknown,
        };
        let state = match verdict {
            Verdict::Done => EffectState::Confirmed,
            Verdict::NotDone => EffectState::Refuted,
            Verdict::Unknown => EffectState::Unknown,
        };
        if let Err(second) = self.settle_effect(state).await {
            return self.unverified(&second);
        }
        let (mut failure, blame) = fault.failure(Some(step));
        match verdict {
            Verdict::Done => {
                let (task, attempt, serial) = (self.spec.task, self.spec.attempt, &self.spec.serial);
                tracing::info!(task.id = %task, attempt.id = %attempt, device.serial = %serial, "effect found done after it was not confirmed: {fault}");
                if self.has_single_commit() {
                    return self.done().await;
                }
                failure
                    .message
                    .push_str("; its effect took place, a retry goes on with what is left");
                failure.retryable = true;
                Outcome::Failed { failure, blame }
            }
            Verdict::NotDone => {
                failure.retryable = true;
                Outcome::Failed { failure, blame }
            }
            Verdict::Unknown => self.unverified(&fault),
        }
    }

    async fn done(&self) -> Outcome {
        let remark = self.js.output("remark").await;
        let remark = remark.as_ref().and_then(Value::as_str).unwrap_or_default();
        Outcome::Completed {
            remark: remark.to_owned(),
            counts: self.script.flow().config.extension.commit.is_none(),
        }
    }

    fn failed(&self, fault: &Fault) -> Outcome {
        if let Fault::Challenge(_) = fault {
            let Attention { message, screenshot } = self.attention(fault);
            return Outcome::NeedsAttention { message, screenshot };
        }
        let (failure, blame) = fault.failure(self.failed_step());
        Outcome::Failed { failure, blame }
    }

    fn unverified(&self, fault: &Fault) -> Outcome {
        let (failure, blame) = fault.failure(self.failed_step());
        // Without an account nobody can rest until a person has looked: then only the checks are counted.
        let asks = matches!(fault, Fault::Challenge(_)) && self.spec.account.is_some();
        Outcome::Unverified {
            failure,
            blame,
            attention: asks.then(|| self.attention(fault)),
        }
    }

    /// What a person has to look at.
    fn attention(&self, fault: &Fault) -> Attention {
        let failed = self.failed.as_ref();
        Attention {
            message: fault.to_string(),
            screenshot: failed.and_then(|(_, evidence)| evidence.screenshot.clone()),
        }
    }

    fn failed_step(&self) -> Option<u32> {
        let failed = self.failed.as_ref().map(|(step, _)| *step);
        failed.or((self.step > 0).then_some(self.step))
    }
}

/// What a flow with a commit step comes to.
pub(super) fn completed(remark: &str) -> Outcome {
    Outcome::Completed {
        remark: remark.to_owned(),
        counts: false,
    }
}
