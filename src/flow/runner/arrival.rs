//! The beginning of an attempt for an account: the app is brought to show it, whatever the account before has left there.

use std::sync::Arc;

use farmhand_actors::ports::LaunchApp;
use serde_json::json;

use super::{Run, evidence::Evidence, fault::Fault};
use crate::flow::{
    catalog::account_flow,
    model::{AccountFlow, Flow},
    step::keys::BACK,
};

/// Where the app is on its way to the task's account.
#[derive(Debug, Default)]
pub struct Arrival {
    under_way: bool,
    /// A page that asked for a person, before it was known of which account, and what it showed.
    left: Option<(String, Evidence)>,
    /// How many times such a page was met.
    times: u32,
}

impl Run {
    /// Has the app show the task's account.
    pub(super) async fn show_account(&mut self) -> Result<(), Fault> {
        let Some(flow) = self.account_flow().await? else {
            return Ok(());
        };
        self.arrival = Arrival {
            under_way: true,
            ..Arrival::default()
        };
        let shown = self.run_sub_flow(&flow, &[]).await;
        self.arrival.under_way = false;
        self.judge_arrival(shown).await
    }

    /// The flow that shows the task's account. One that acts without saying how gets the one that ships with farmhand:
    /// nothing is done for whichever account happens to be shown.
    async fn account_flow(&self) -> Result<Option<Arc<Flow>>, Fault> {
        let Some(account) = &self.spec.account else {
            return Ok(None);
        };
        let extension = &self.script.flow().config.extension;
        match &extension.account {
            AccountFlow::Own(flow) => Ok(Some(flow.clone())),
            AccountFlow::Unsaid if extension.commit.is_some() => {
                self.refuse_other_app(account.package.as_str()).await?;
                account_flow(&account.app).map(Some).ok_or_else(|| {
                    Fault::Invalid(format!(
                        "the script `{}` acts for an account and does not say how the app {} shows it: name a flow as \
                     `farmhand.account`, or write `account: none` if the app knows no accounts",
                        self.spec.script, account.app
                    ))
                })
            }
            AccountFlow::Unsaid | AccountFlow::None => Ok(None),
        }
    }

    /// The account's app is brought to show the account; a flow that acts in another one would act for whoever is shown there.
    async fn refuse_other_app(&self, package: &str) -> Result<(), Fault> {
        let config = &self.script.flow().config;
        let Some(app_id) = config.app_id.as_deref() else {
            return Ok(());
        };
        let scope = self.enter(&config.env).await?;
        let acts_in = self.filled(app_id).await;
        self.leave(scope, Ok(())).await?;
        let acts_in = acts_in?;
        if acts_in == package {
            return Ok(());
        }
        Err(Fault::Invalid(format!(
            "the script `{}` acts in {acts_in} (its `appId`), and the account's app is {package}: write `appId: ${{APP_PACKAGE}}` to \
             act in the account's own, or say as `farmhand.account` how {acts_in} shows the account",
            self.spec.script
        )))
    }

    /// Whose the page was that had to be left on the way: of the account from which the app was switched, or else of the
    /// task's own, also when nothing more could be seen behind it.
    async fn judge_arrival(&mut self, shown: Result<(), Fault>) -> Result<(), Fault> {
        let could_look = shown.as_ref().err().is_none_or(Fault::leaves_phone_usable);
        if let Some((page, evidence)) = self.arrival.left.take().filter(|_| could_look) {
            let switched = self.js.output("switched").await == Some(json!(true));
            if !switched {
                self.failed = Some((self.step, evidence));
                return Err(Fault::Challenge(page));
            }
        }
        shown.map_err(|fault| match fault {
            Fault::NotFound(_) | Fault::Assertion(_) | Fault::Invalid(_) | Fault::Script(_) | Fault::Policy(_) => {
                Fault::Account(Box::new(fault))
            }
            fault => fault,
        })
    }

    /// The app asks for a person. While the task's account is not shown yet, the page may be that of the account before,
    /// whose rest is nothing to this one: it is left, by the back key, or else by a start of the app, and nothing is done
    /// there. Whether it was this account's own shows when the app says whose it is.
    pub(super) async fn asked_for_a_person(&mut self, page: String) -> Result<bool, Fault> {
        let switched = self.js.output("switched").await == Some(json!(true));
        let Some(account) = self
            .spec
            .account
            .as_ref()
            .filter(|_| self.arrival.under_way && !switched)
        else {
            return Err(Fault::Challenge(page));
        };
        let package = account.package.clone();
        if self.arrival.left.is_none() {
            let evidence = self.keep_evidence(&Fault::Challenge(page.clone())).await;
            tracing::info!(task.id = %self.spec.task, device.serial = %self.spec.serial, %page, "left a page that asks for a person");
            self.note("page_left", json!(page));
            self.arrival.left = Some((page.clone(), evidence));
        }
        self.arrival.times = self.arrival.times.saturating_add(1);
        match self.arrival.times {
            1 => self.phone.call(self.phone.driver.key(BACK)).await?,
            // It stands before what is behind it, too: in the middle of something that the other account had begun.
            2 => {
                let anew = LaunchApp {
                    package,
                    stop_first: true,
                    extras: Vec::new(),
                };
                self.phone.call(self.phone.driver.launch_app(anew)).await?;
            }
            _ => return Err(Fault::Challenge(page)),
        }
        self.look = None;
        self.phone.wait(self.settings.settle_interval).await?;
        Ok(true)
    }
}
