//! The beginning of an attempt for an account: the app is brought to show it, whatever the account before has left there.

use serde_json::json;

use super::{Run, evidence::Evidence, fault::Fault};
use crate::flow::step::keys::BACK;

/// Where the app is on its way to the task's account.
#[derive(Debug, Default)]
pub struct Arrival {
    under_way: bool,
    /// A page that asked for a person, before it was known of which account, and what it showed.
    left: Option<(String, Evidence)>,
}

impl Run {
    /// Has the app show the task's account.
    pub(super) async fn show_account(&mut self) -> Result<(), Fault> {
        let Some(flow) = self.script.flow().config.extension.account.clone() else {
            return Ok(());
        };
        if self.spec.account.is_none() {
            return Ok(());
        }
        self.arrival.under_way = true;
        let shown = self.run_sub_flow(&flow, &[]).await;
        self.arrival.under_way = false;
        shown.map_err(|fault| match fault {
            Fault::NotFound(_) | Fault::Assertion(_) | Fault::Invalid(_) | Fault::Script(_) | Fault::Policy(_) => {
                Fault::Account(Box::new(fault))
            }
            fault => fault,
        })?;
        let switched = self.js.output("switched").await == Some(json!(true));
        match self.arrival.left.take().filter(|_| !switched) {
            // It was the task's own account that was asked for a person.
            Some((page, evidence)) => {
                self.failed = Some((self.step, evidence));
                Err(Fault::Challenge(page))
            }
            None => Ok(()),
        }
    }

    /// The app asks for a person. While the task's account is not shown yet, the page may be that of the account before,
    /// whose rest is nothing to this one: it is left, once, by the way on which a person would leave it, and nothing is
    /// done there. Whether it was this account's own shows when the app says whose it is.
    pub(super) async fn asked_for_a_person(&mut self, page: String) -> Result<bool, Fault> {
        if !self.arrival.under_way || self.arrival.left.is_some() {
            return Err(Fault::Challenge(page));
        }
        let evidence = self.keep_evidence(&Fault::Challenge(page.clone())).await;
        tracing::info!(task.id = %self.spec.task, device.serial = %self.spec.serial, %page, "left a page that asks for a person");
        self.note("page_left", json!(page));
        self.arrival.left = Some((page, evidence));
        self.phone.call(self.phone.driver.key(BACK)).await?;
        self.look = None;
        self.phone.wait(self.settings.settle_interval).await?;
        Ok(true)
    }
}
