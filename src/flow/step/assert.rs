//! `assertVisible`, `assertNotVisible`, `assertTrue`, `extendedWaitUntil`, `waitForAnimationToEnd`.

use std::time::Duration;

use farmhand_actors::domain::Screenshot;
use tokio::time::Instant;

use crate::flow::{
    model::{Condition, Selector, Step, Text, When},
    policy::platform_holds,
    runner::{Run, fault::Fault},
};

/// Share of pixels that may differ between two pictures of a screen at rest.
const MAX_DIFFERENCE: f64 = 0.000_05;

impl Run {
    pub(super) async fn assert_visible(&mut self, step: &Step, selector: &Selector) -> Result<(), Fault> {
        let time = self
            .lookup_time(step.timeout.as_ref(), self.settings.lookup_timeout)
            .await?;
        self.expect_visible(selector, time).await
    }

    async fn expect_visible(&mut self, selector: &Selector, time: Duration) -> Result<(), Fault> {
        let query = self.query(selector).await?;
        let found = self.find(&query, time).await?;
        let Some(found) = found else {
            let what = self.shown(&selector.to_string()).await;
            return Err(Fault::Assertion(format!(
                "{what} is not visible{}",
                self.instead(&query)
            )));
        };
        self.note("matched", found.detail());
        Ok(())
    }

    pub(super) async fn assert_not_visible(&mut self, step: &Step, selector: &Selector) -> Result<(), Fault> {
        let time = self
            .lookup_time(step.timeout.as_ref(), self.settings.lookup_timeout)
            .await?;
        self.expect_not_visible(selector, time).await
    }

    async fn expect_not_visible(&mut self, selector: &Selector, time: Duration) -> Result<(), Fault> {
        let query = self.query(selector).await?;
        let start = Instant::now();
        let gone = self.goes_away(&query, time).await?;
        self.note_waited(start);
        if gone {
            return Ok(());
        }
        Err(Fault::Assertion(format!(
            "{} is visible",
            self.shown(&selector.to_string()).await
        )))
    }

    pub(super) async fn assert_true(&mut self, text: &Text) -> Result<(), Fault> {
        let value = self.js.interpolate(text).await?;
        if is_true(&value) {
            return Ok(());
        }
        Err(Fault::Assertion(format!("`{text}` is `{value}`")))
    }

    pub(super) async fn extended_wait(&mut self, condition: &Condition) -> Result<(), Fault> {
        let timeout = match &condition.timeout {
            Some(text) => self.millis(text, "timeout").await?,
            None => self.settings.lookup_timeout,
        };
        if let Some(selector) = &condition.visible {
            let time = self.left_of(timeout);
            self.expect_visible(selector, time).await?;
        }
        if let Some(selector) = &condition.not_visible {
            let time = self.left_of(timeout);
            self.expect_not_visible(selector, time).await?;
        }
        self.last_action = Instant::now();
        Ok(())
    }

    /// Waits until two pictures are the same; never fails for want of rest.
    pub(super) async fn wait_for_animation(&mut self, timeout: Option<&Text>) -> Result<(), Fault> {
        let usual = self.settings.animation_timeout;
        let time = match timeout {
            None => usual,
            Some(text) => match self.js.interpolate(text).await?.trim().starts_with('-') {
                true => usual,
                false => self.millis(text, "timeout").await?,
            },
        };
        let start = Instant::now();
        let mut before = self.phone.call(self.phone.driver.screenshot()).await?;
        loop {
            self.phone.wait(self.settings.poll_interval).await?;
            let now = self.phone.call(self.phone.driver.screenshot()).await?;
            if difference(&before, &now) <= MAX_DIFFERENCE || start.elapsed() >= time {
                break;
            }
            before = now;
        }
        self.look = None;
        self.last_action = Instant::now();
        Ok(())
    }

    /// Whether a condition holds; an element is waited for, but not as long as by an assertion.
    pub(super) async fn holds(&mut self, when: &When) -> Result<bool, Fault> {
        if !platform_holds(when) {
            return Ok(false);
        }
        if let Some(text) = &when.is_true
            && !is_true(&self.js.interpolate(text).await?)
        {
            return Ok(false);
        }
        let usual = self.settings.optional_lookup_timeout;
        if let Some(selector) = &when.visible {
            let time = self.lookup_time(when.timeout.as_ref(), usual).await?;
            let query = self.query(selector).await?;
            if self.find(&query, time).await?.is_none() {
                return Ok(false);
            }
        }
        if let Some(selector) = &when.not_visible {
            let time = self.lookup_time(when.timeout.as_ref(), usual).await?;
            let query = self.query(selector).await?;
            return self.goes_away(&query, time).await;
        }
        Ok(true)
    }
}

/// What counts as true: everything but blank, `false`, `undefined`, `null` and 0.
#[must_use]
pub fn is_true(value: &str) -> bool {
    let value = value.trim();
    let word = matches!(value.to_lowercase().as_str(), "" | "false") || matches!(value, "undefined" | "null");
    !word && value.parse::<f64>() != Ok(0.0)
}

/// Share of pixels that differ, 0 to 1.
fn difference(a: &Screenshot, b: &Screenshot) -> f64 {
    if (a.width, a.height, a.rgba.len()) != (b.width, b.height, b.rgba.len()) {
        return 1.0;
    }
    if a.rgba == b.rgba {
        return 0.0;
    }
    let pixels = a.rgba.chunks_exact(4).zip(b.rgba.chunks_exact(4));
    let (count, different) = pixels.fold((0_u32, 0_u32), |(count, different), (a, b)| {
        (count.saturating_add(1), different.saturating_add(u32::from(a != b)))
    });
    f64::from(different) / f64::from(count.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_what_upstream_takes_for_it() {
        for truth in ["1", "true", "x", "-1", "0.1", "False?", "Undefined"] {
            assert!(is_true(truth), "{truth}");
        }
        for lie in ["", "  ", "false", "FALSE", "undefined", "null", "0", "0.0", "-0"] {
            assert!(!is_true(lie), "{lie}");
        }
    }
}
