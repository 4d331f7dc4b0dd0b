//! Looking at the screen: lookups with their waiting, settling, popups and challenges.

use std::{sync::Arc, time::Duration};

use farmhand_actors::{
    domain::{Bounds, UiNode, UiTree},
    ports::{DriverError, Point},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Run, fault::Fault, query::known_to_match};
use crate::flow::{
    model::ImageSelector,
    select::{self, Query, tree::Screen},
};

/// A look at the screen.
#[derive(Debug, Clone)]
pub struct Look {
    /// What it showed.
    pub tree: Arc<UiTree>,
    at: Instant,
    /// Whether the screen was at rest.
    quiet: bool,
    /// Whether popups and challenges were looked for.
    checked: bool,
}

/// What it means when a picture fits in several places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is not found: a touch could go wrong.
    IsAbsent,
    /// It is not gone.
    IsPresent,
}

/// An element that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The node, as it was.
    pub node: UiNode,
    /// Where it lies.
    pub bounds: Bounds,
    /// The picture that it was found by.
    pub image: Option<Arc<ImageSelector>>,
}

impl Found {
    /// What a step's record tells of it.
    #[must_use]
    pub fn detail(&self) -> Value {
        if let Some(image) = &self.image {
            return json!({ "image": image.file, "bounds": self.bounds });
        }
        json!({ "id": self.node.id, "text": self.node.text, "description": self.node.description, "bounds": self.bounds })
    }

    /// Its text: what is written in it, else its hint, else its description.
    #[must_use]
    pub fn text(&self) -> &str {
        [&self.node.text, &self.node.hint, &self.node.description]
            .into_iter()
            .find(|text| !text.is_empty())
            .map_or("", |text| text)
    }
}

/// The name that the list of popups has in a step's record.
const POPUPS: &str = "popups_dismissed";
/// The name that the element has there that was found last.
const MATCHED: &str = "matched";

impl Run {
    /// The size of the screen in its present rotation.
    pub(in crate::flow) async fn size(&mut self) -> Result<(u32, u32), Fault> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let size = self.phone.call(self.phone.driver.screen_size()).await?;
        self.size = Some(size);
        Ok(size)
    }

    /// Notes that the phone was acted upon: what is known of the screen is old, and waiting times begin anew.
    pub(in crate::flow) fn touched(&mut self) {
        self.last_action = Instant::now();
        self.look = None;
    }

    /// What is left of a waiting time that runs from the last action.
    pub(in crate::flow) fn left_of(&self, timeout: Duration) -> Duration {
        timeout.saturating_sub(self.last_action.elapsed())
    }

    async fn fetch(&mut self) -> Result<Arc<UiTree>, Fault> {
        let tree = Arc::new(self.phone.call(self.phone.driver.hierarchy()).await?);
        if self
            .look
            .as_ref()
            .is_none_or(|look| look.tree.rotation != tree.rotation)
        {
            self.size = None;
        }
        self.look = Some(Look {
            tree: tree.clone(),
            at: Instant::now(),
            quiet: false,
            checked: false,
        });
        Ok(tree)
    }

    /// What the screen shows at this moment.
    pub(in crate::flow) async fn screen_now(&mut self) -> Result<Arc<UiTree>, Fault> {
        self.clear_screen(false).await
    }

    /// The screen without whatever gets in the way; a look that is fresh is used again.
    async fn clear_screen(&mut self, fresh: bool) -> Result<Arc<UiTree>, Fault> {
        let mut reusable = fresh.then(|| self.fresh_look()).flatten();
        loop {
            let tree = match reusable.take() {
                Some(tree) => tree,
                None => self.fetch().await?,
            };
            if !self.dismiss_popup(&tree).await? {
                return Ok(tree);
            }
        }
    }

    fn fresh_look(&self) -> Option<Arc<UiTree>> {
        let look = self.look.as_ref()?;
        (look.at.elapsed() <= self.settings.fresh_for).then(|| look.tree.clone())
    }

    /// Before a step: deals with popups and challenges, if it is known what the screen shows.
    pub(in crate::flow) async fn check_known_screen(&mut self) -> Result<(), Fault> {
        if self.fresh_look().is_some() && (!self.popups.is_empty() || !self.challenges.is_empty()) {
            self.clear_screen(true).await?;
        }
        Ok(())
    }

    /// Fails on a challenge (or leaves that of another account); taps a popup away and says so.
    async fn dismiss_popup(&mut self, tree: &Arc<UiTree>) -> Result<bool, Fault> {
        if self.look.as_ref().is_some_and(|look| look.checked) {
            return Ok(false);
        }
        if self.popups.is_empty() && self.challenges.is_empty() {
            return Ok(false);
        }
        let (width, height) = self.size().await?;
        let screen = Screen::new(tree, width, height);
        let mut asked = None;
        for (name, query) in &self.challenges {
            if select::find(query, &screen).is_some() {
                asked = Some(name.clone());
                break;
            }
            known_to_match(query)?;
        }
        if let Some(page) = asked {
            return self.asked_for_a_person(page).await;
        }
        let target = self.popups.iter().find_map(|(name, visible, tap)| {
            select::find(visible, &screen)?;
            let bounds = screen.node(select::find(tap, &screen)?)?.bounds?;
            Some((name.clone(), bounds))
        });
        for (_, visible, tap) in &self.popups {
            known_to_match(visible)?;
            known_to_match(tap)?;
        }
        let Some((name, bounds)) = target.filter(|_| self.popups_dismissed < self.settings.max_popups) else {
            if let Some(look) = &mut self.look {
                look.checked = true;
            }
            return Ok(false);
        };
        self.popups_dismissed = self.popups_dismissed.saturating_add(1);
        tracing::info!(task.id = %self.spec.task, device.serial = %self.spec.serial, popup = %name, "popup dismissed");
        self.note(POPUPS, json!(self.popups_dismissed));
        let (x, y) = bounds.centre();
        self.phone.call(self.phone.driver.tap(Point { x, y })).await?;
        self.look = None;
        self.phone.wait(self.settings.settle_interval).await?;
        Ok(true)
    }

    /// Looks for an element, at least once, until `timeout` is over.
    pub(in crate::flow) async fn find(&mut self, query: &Query, timeout: Duration) -> Result<Option<Found>, Fault> {
        self.find_one(query, timeout, Doubt::IsAbsent).await
    }

    async fn find_one(&mut self, query: &Query, timeout: Duration, doubt: Doubt) -> Result<Option<Found>, Fault> {
        let start = Instant::now();
        let mut fresh = true;
        loop {
            let found = match self.clear_screen(fresh).await {
                Ok(tree) => self.find_in(query, &tree, doubt).await?,
                Err(fault) => self.forgive_unreadable(fault, start, timeout)?,
            };
            fresh = false;
            let waited = start.elapsed();
            if found.is_some() || waited >= timeout {
                self.note_found(start, found.as_ref());
                return Ok(found);
            }
            let pause = self.settings.poll_interval.min(timeout.saturating_sub(waited));
            self.phone.wait(pause).await?;
        }
    }

    /// A screen that cannot be read now may be readable a moment later: only the last try's failure counts.
    fn forgive_unreadable(&self, fault: Fault, start: Instant, timeout: Duration) -> Result<Option<Found>, Fault> {
        let unreadable = matches!(fault, Fault::Device(DriverError::Hierarchy { .. }));
        if unreadable && start.elapsed() < timeout {
            return Ok(None);
        }
        Err(fault)
    }

    async fn find_in(&mut self, query: &Query, tree: &UiTree, doubt: Doubt) -> Result<Option<Found>, Fault> {
        if !query.images().is_empty() {
            return self.find_by_picture(query, tree, doubt).await;
        }
        let (width, height) = self.size().await?;
        let screen = Screen::new(tree, width, height);
        let node = select::find(query, &screen).and_then(|at| screen.node(at));
        known_to_match(query)?;
        Ok(node.map(|node| Found {
            node: node.clone(),
            bounds: node.bounds.unwrap_or_default(),
            image: None,
        }))
    }

    /// Whether an element goes away, and stays away for a moment, before `timeout` is over.
    pub(in crate::flow) async fn goes_away(&mut self, query: &Query, timeout: Duration) -> Result<bool, Fault> {
        let start = Instant::now();
        loop {
            let short = self.settings.short_lookup_timeout.min(timeout);
            if self.find_one(query, short, Doubt::IsPresent).await?.is_none() {
                return Ok(true);
            }
            if start.elapsed() >= timeout {
                return Ok(false);
            }
            self.phone.wait(self.settings.poll_interval).await?;
            self.look = None;
        }
    }

    /// Finds an element that is to be touched: once the screen is at rest, and where it then is.
    pub(in crate::flow) async fn find_at_rest(
        &mut self,
        query: &Query,
        timeout: Duration,
    ) -> Result<Option<Found>, Fault> {
        let Some(found) = self.find(query, timeout).await? else {
            return Ok(None);
        };
        if self.look.as_ref().is_some_and(|look| look.quiet) {
            return Ok(Some(found));
        }
        self.rest(None, None).await?;
        let Some(tree) = self.look.as_ref().map(|look| look.tree.clone()) else {
            return Ok(Some(found));
        };
        if !query.images().is_empty() {
            let again = self.find_in(query, &tree, Doubt::IsAbsent).await?;
            return Ok(Some(again.unwrap_or(found)));
        }
        let mut same = tree
            .nodes
            .iter()
            .filter(|node| select::same_but_place(node, &found.node));
        let again = match (same.next(), same.next()) {
            (Some(node), None) => node.bounds.map(|bounds| Found {
                node: node.clone(),
                bounds,
                image: None,
            }),
            _ => None,
        };
        Ok(Some(again.unwrap_or(found)))
    }

    /// Notes an action and waits until the screen is at rest.
    pub(in crate::flow) async fn acted(&mut self, settle_ms: Option<u64>) -> Result<(), Fault> {
        let before = self.look.as_ref().map(|look| look.tree.clone());
        self.touched();
        self.rest(Some(before), settle_ms.map(Duration::from_millis)).await?;
        self.last_action = Instant::now();
        Ok(())
    }

    /// Waits until the screen looks the same twice. After an action (`action` is what the screen showed before, as far
    /// as that is known) it must have changed, too, or the app must have had its time to react.
    async fn rest(&mut self, action: Option<Option<Arc<UiTree>>>, limit: Option<Duration>) -> Result<(), Fault> {
        let limit = limit.unwrap_or(self.settings.settle_timeout);
        let start = Instant::now();
        let reacts_later = action.is_some();
        let mut before = action.flatten();
        let mut last: Option<Arc<UiTree>> = None;
        loop {
            let looked = Instant::now();
            let now = match self.fetch().await {
                Ok(tree) => Some(tree),
                Err(Fault::Device(DriverError::Hierarchy { .. })) => None,
                Err(fault) => return Err(fault),
            };
            // Without a look from before the action, the first one afterwards stands for it.
            before = before.or_else(|| now.clone());
            let reacted = !reacts_later || before != now || start.elapsed() >= self.settings.reaction_time;
            let idle = looked.elapsed() >= self.settings.idle_look;
            if now.is_some() && (idle || now == last && reacted) {
                if let Some(look) = &mut self.look {
                    look.quiet = true;
                }
                return Ok(());
            }
            if start.elapsed() >= limit {
                return Ok(());
            }
            last = now;
            let pause = self.settings.settle_interval.saturating_sub(looked.elapsed());
            self.phone.wait(pause).await?;
        }
    }

    /// Tells how long the step has looked for something.
    pub(in crate::flow) fn note_waited(&mut self, since: Instant) {
        let waited = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.note("waited_ms", json!(waited));
    }

    /// Tells what the step has looked for so long, and what it has found.
    fn note_found(&mut self, since: Instant, found: Option<&Found>) {
        self.note_waited(since);
        match found {
            Some(found) => self.note(MATCHED, found.detail()),
            None => drop(self.detail.remove(MATCHED)),
        }
    }

    /// Adds something to the record of the step that runs.
    pub(in crate::flow) fn note(&mut self, name: &str, value: Value) {
        self.detail.insert(name.to_owned(), value);
    }
}
