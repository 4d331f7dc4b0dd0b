//! Selectors: which element of a screen is meant.
//!
//! The order of the steps decides which of several elements is taken, so it follows the upstream format exactly:
//! basic properties, then the deepest of nested matches, then relations, then order.

mod inside;
pub mod text;
pub mod tree;
mod twins;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use farmhand_actors::domain::{Bounds, UiNode};

pub use self::twins::{same_attributes, same_but_place};
use self::{inside::retain_holders, text::Pattern, tree::Screen, twins::collapse_twins};
use super::model::{ImageSelector, Trait};

/// A selector whose expressions are evaluated and whose patterns are compiled.
#[derive(Debug, Default, Clone)]
pub struct Query {
    /// On text, hint or description.
    pub text: Option<Pattern>,
    /// On the resource id.
    pub id: Option<Pattern>,
    /// Which of several; negative ones count from the end.
    pub index: Option<i64>,
    /// Relations to other elements.
    pub relations: Vec<(Relation, Query)>,
    /// Has this child.
    pub contains_child: Option<Box<Query>>,
    /// Has all of these below it.
    pub contains_descendants: Vec<Query>,
    /// Inside of this.
    pub child_of: Option<Box<Query>>,
    /// Flags with the wanted value.
    pub flags: Vec<(Flag, bool)>,
    /// Pixels.
    pub width: Option<i32>,
    /// Pixels.
    pub height: Option<i32>,
    /// Pixels that width and height may be off.
    pub tolerance: i32,
    /// Kinds of shape.
    pub traits: Vec<Trait>,
    /// Of several, the one nearest to the elements of the relations.
    pub nearest: bool,
    /// The first of these that is there, instead of all the above.
    pub any_of: Vec<Query>,
    /// What it looks like, pixel by pixel.
    pub image: Option<Arc<ImageSelector>>,
    /// Selector of an element of a page.
    pub css: Option<String>,
}

impl Query {
    /// The pictures that have to be looked for to find it, each with whether several places are welcome.
    pub fn images(&self) -> Vec<(Arc<ImageSelector>, bool)> {
        let own = self
            .image
            .iter()
            .map(|image| (image.clone(), self.index.is_some() || self.nearest));
        own.chain(self.others().flat_map(Self::images)).collect()
    }

    /// A pattern, here or below, that was given up: nobody knows whether the element is there.
    #[must_use]
    pub fn given_up(&self) -> Option<&str> {
        let own = [&self.text, &self.id].into_iter().flatten().find_map(Pattern::given_up);
        own.or_else(|| self.others().find_map(Self::given_up))
    }

    fn others(&self) -> impl Iterator<Item = &Self> {
        let relations = self.relations.iter().map(|(_, other)| other);
        let boxed = [&self.contains_child, &self.child_of].into_iter().flatten();
        relations
            .chain(boxed.map(AsRef::as_ref))
            .chain(&self.contains_descendants)
            .chain(&self.any_of)
    }
}

/// Where an element lies, seen from another one. Left upper corners count, strictly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Its top is further down.
    Below,
    /// Its top is further up.
    Above,
    /// Its left edge is further left.
    LeftOf,
    /// Its left edge is further right.
    RightOf,
}

/// A flag of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `enabled`
    Enabled,
    /// `checked`
    Checked,
    /// `focused`
    Focused,
    /// `selected`
    Selected,
}

/// Places of all elements that match, the one that is meant first.
#[must_use]
pub fn find_all(query: &Query, screen: &Screen<'_>) -> Vec<usize> {
    if !query.any_of.is_empty() {
        let alternatives = query.any_of.iter().map(|alternative| find_all(alternative, screen));
        return alternatives
            .into_iter()
            .find(|found| !found.is_empty())
            .unwrap_or_default();
    }
    if let Some(image) = &query.image {
        return pictures(query, image, screen);
    }
    let mut found = candidates(query, screen);
    collapse_twins(screen, &mut found);
    order(query, screen, found)
}

/// Elements of which all is true that is said, but for which of several is meant.
fn candidates(query: &Query, screen: &Screen<'_>) -> Vec<usize> {
    let scope = match &query.child_of {
        None => screen.all().collect(),
        Some(parent) => match find(parent, screen) {
            None => return Vec::new(),
            Some(parent) => {
                let mut scope = vec![parent];
                scope.extend(screen.descendants(parent));
                scope
            }
        },
    };
    let mut found = basic_matches(query, screen, &scope);
    related(query, screen, &mut found);
    retain_holders(query, screen, &mut found);
    found
}

/// Places of a picture. It has no place in the tree: what it lies inside of is told by its middle.
fn pictures(query: &Query, image: &Arc<ImageSelector>, screen: &Screen<'_>) -> Vec<usize> {
    order(query, screen, picture_candidates(query, image, screen))
}

fn picture_candidates(query: &Query, image: &Arc<ImageSelector>, screen: &Screen<'_>) -> Vec<usize> {
    let mut found = screen.pictures(image).to_vec();
    if let Some(parent) = &query.child_of {
        let Some(area) = find(parent, screen).and_then(|at| bounds(screen, at)) else {
            return Vec::new();
        };
        found.retain(|at| bounds(screen, *at).is_some_and(|here| holds_middle(area, here)));
    }
    related(query, screen, &mut found);
    found
}

fn holds_middle(area: Bounds, here: Bounds) -> bool {
    let (x, y) = here.centre();
    (area.left..area.right).contains(&x) && (area.top..area.bottom).contains(&y)
}

/// The place of the element that is meant.
#[must_use]
pub fn find(query: &Query, screen: &Screen<'_>) -> Option<usize> {
    find_all(query, screen).first().copied()
}

/// Nodes with the basic properties, deepest ones only, in the order of the property that found them.
fn basic_matches(query: &Query, screen: &Screen<'_>, scope: &[usize]) -> Vec<usize> {
    let mut ranked: Vec<(u8, usize)> = scope
        .iter()
        .filter_map(|at| Some((basic_rank(query, screen.node(*at)?)?, *at)))
        .collect();
    if has_basic(query) {
        let above = screen.above(ranked.iter().map(|(_, at)| *at));
        ranked.retain(|(_, at)| above.get(*at) != Some(&true));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, at)| at).collect()
}

fn has_basic(query: &Query) -> bool {
    query.text.is_some()
        || query.id.is_some()
        || !query.flags.is_empty()
        || query.width.is_some()
        || query.height.is_some()
        || !query.traits.is_empty()
        || query.css.is_some()
}

/// Which property the text matched (0 text, 1 hint, 2 description), if all basic properties hold.
fn basic_rank(query: &Query, node: &UiNode) -> Option<u8> {
    let rank = match &query.text {
        None => 0,
        Some(pattern) => [&node.text, &node.hint, &node.description]
            .into_iter()
            .zip(0..)
            .find(|(value, _)| !value.is_empty() && pattern.matches_text(value))
            .map(|(_, rank)| rank)?,
    };
    let id_holds = query.id.as_ref().is_none_or(|pattern| id_matches(pattern, &node.id));
    let flags_hold = query
        .flags
        .iter()
        .all(|(flag, wanted)| flag_of(*flag, node) == Some(*wanted));
    let size_holds = size_matches(query, node.bounds);
    let traits_hold = query.traits.iter().all(|shape| has_trait(*shape, node));
    let css_holds = query.css.is_none() || query.css.as_deref() == node.css.as_deref();
    (id_holds && flags_hold && size_holds && traits_hold && css_holds).then_some(rank)
}

fn id_matches(pattern: &Pattern, id: &str) -> bool {
    if id.is_empty() {
        return false;
    }
    let short = id.rsplit_once('/').map_or(id, |(_, short)| short);
    pattern.matches(id) || pattern.matches(short)
}

fn flag_of(flag: Flag, node: &UiNode) -> Option<bool> {
    match flag {
        Flag::Enabled => node.enabled,
        Flag::Checked => node.checked,
        Flag::Focused => node.focused,
        Flag::Selected => node.selected,
    }
}

fn size_matches(query: &Query, bounds: Option<Bounds>) -> bool {
    if query.width.is_none() && query.height.is_none() {
        return true;
    }
    let Some(bounds) = bounds else { return false };
    let near = |wanted: Option<i32>, real: i32| {
        wanted.is_none_or(|wanted| wanted.saturating_sub(real).saturating_abs() <= query.tolerance)
    };
    near(query.width, bounds.width()) && near(query.height, bounds.height())
}

fn has_trait(shape: Trait, node: &UiNode) -> bool {
    match shape {
        Trait::Text => !node.text.is_empty(),
        Trait::LongText => node.text.chars().count() > 200,
        Trait::Square => node.bounds.is_some_and(|bounds| {
            let (width, height) = (f64::from(bounds.width()), f64::from(bounds.height()));
            height > 0.0 && (1.0 - width / height).abs() < 0.03
        }),
    }
}

fn related(query: &Query, screen: &Screen<'_>, found: &mut Vec<usize>) {
    for (relation, other) in &query.relations {
        let Some(anchor) = find(other, screen).and_then(|at| bounds(screen, at)) else {
            found.clear();
            return;
        };
        found.retain(|at| bounds(screen, *at).is_some_and(|here| holds(*relation, here, anchor)));
    }
}

fn bounds(screen: &Screen<'_>, at: usize) -> Option<Bounds> {
    screen.node(at)?.bounds
}

fn holds(relation: Relation, here: Bounds, anchor: Bounds) -> bool {
    match relation {
        Relation::Below => here.top > anchor.top,
        Relation::Above => here.top < anchor.top,
        Relation::LeftOf => here.left < anchor.left,
        Relation::RightOf => here.left > anchor.left,
    }
}

fn order(query: &Query, screen: &Screen<'_>, mut found: Vec<usize>) -> Vec<usize> {
    if let Some(index) = query.index {
        found.sort_by_key(|at| bounds(screen, *at).map(|bounds| (bounds.top, bounds.left)));
        let length = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let index = if index < 0 { length.saturating_add(index) } else { index };
        let one = usize::try_from(index).ok().and_then(|index| found.get(index).copied());
        return one.into_iter().collect();
    }
    if query.nearest {
        let anchors = query.relations.iter().filter_map(|(_, other)| {
            let anchor = bounds(screen, find(other, screen)?)?;
            Some(anchor.centre())
        });
        let anchors: Vec<(i32, i32)> = anchors.collect();
        found.sort_by_key(|at| bounds(screen, *at).map_or(i64::MAX, |here| distance(&anchors, here)));
        return found;
    }
    found.sort_by_key(|at| match screen.node(*at).and_then(|node| node.clickable) {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    });
    found
}

/// Sum of the squared distances to the middles of the elements of all relations.
fn distance(anchors: &[(i32, i32)], here: Bounds) -> i64 {
    let (x, y) = here.centre();
    anchors
        .iter()
        .map(|(anchor_x, anchor_y)| {
            let (dx, dy) = (i64::from(*anchor_x) - i64::from(x), i64::from(*anchor_y) - i64::from(y));
            dx.saturating_mul(dx).saturating_add(dy.saturating_mul(dy))
        })
        .fold(0, i64::saturating_add)
}
