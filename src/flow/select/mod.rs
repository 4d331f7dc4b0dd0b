//! Selectors: which element of a screen is meant.
//!
//! The order of the steps decides which of several elements is taken, so it follows the upstream format exactly:
//! basic properties, then the deepest of nested matches, then relations, then order.

pub mod text;
pub mod tree;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use farmhand_actors::domain::{Bounds, UiNode};

use self::{text::Pattern, tree::Screen};
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
}

impl Query {
    /// The pictures that have to be looked for to find it, each with whether several places are welcome.
    pub fn images(&self) -> Vec<(Arc<ImageSelector>, bool)> {
        let relations = self.relations.iter().map(|(_, other)| other);
        let boxed = [&self.contains_child, &self.child_of].into_iter().flatten();
        let others = relations
            .chain(boxed.map(AsRef::as_ref))
            .chain(&self.contains_descendants)
            .chain(&self.any_of);
        let own = self
            .image
            .iter()
            .map(|image| (image.clone(), self.index.is_some() || self.nearest));
        own.chain(others.flat_map(Self::images)).collect()
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
    found.retain(|at| contains(query, screen, *at));
    collapse_twins(screen, &mut found);
    order(query, screen, found)
}

/// Places of a picture. It has no place in the tree: what it lies inside of is told by its middle.
fn pictures(query: &Query, image: &Arc<ImageSelector>, screen: &Screen<'_>) -> Vec<usize> {
    let mut found = screen.pictures(image).to_vec();
    if let Some(parent) = &query.child_of {
        let Some(area) = find(parent, screen).and_then(|at| bounds(screen, at)) else {
            return Vec::new();
        };
        found.retain(|at| bounds(screen, *at).is_some_and(|here| holds_middle(area, here)));
    }
    related(query, screen, &mut found);
    order(query, screen, found)
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
    let matching: Vec<usize> = ranked.iter().map(|(_, at)| *at).collect();
    if has_basic(query) {
        // Scope is in document order, so descendants of a node directly follow it.
        ranked.retain(|(_, at)| {
            let below = screen.descendants(*at);
            !matching.iter().any(|other| below.binary_search(other).is_ok())
        });
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
    (id_holds && flags_hold && size_holds && traits_hold).then_some(rank)
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

fn contains(query: &Query, screen: &Screen<'_>, at: usize) -> bool {
    if let Some(child) = &query.contains_child {
        let matching = find_all(child, screen);
        if !screen.children(at).any(|child| matching.contains(&child)) {
            return false;
        }
    }
    if query.contains_descendants.is_empty() {
        return true;
    }
    let below = screen.descendants(at);
    query.contains_descendants.iter().all(|wanted| {
        if wanted.image.is_some() {
            let found = find_all(wanted, screen);
            let area = bounds(screen, at).unwrap_or_default();
            return found
                .iter()
                .any(|found| bounds(screen, *found).is_some_and(|here| holds_middle(area, here)));
        }
        let matching = basic_matches(wanted, screen, &below);
        matching.iter().any(|found| contains(wanted, screen, *found))
    })
}

/// Equal nodes (same attributes, place and children) are one, as in a set.
fn collapse_twins(screen: &Screen<'_>, found: &mut Vec<usize>) {
    let mut kept: Vec<usize> = Vec::new();
    for at in found.iter().copied() {
        if !kept.iter().any(|other| twins(screen, *other, at)) {
            kept.push(at);
        }
    }
    *found = kept;
}

fn twins(screen: &Screen<'_>, left: usize, right: usize) -> bool {
    let mut open = vec![(left, right)];
    while let Some((left, right)) = open.pop() {
        let (Some(a), Some(b)) = (screen.node(left), screen.node(right)) else {
            return false;
        };
        let same = same_attributes(a, b) && a.children.len() == b.children.len();
        if !same {
            return false;
        }
        open.extend(a.children.iter().copied().zip(b.children.iter().copied()));
    }
    true
}

/// Whether two nodes look the same, wherever they stand in the tree.
#[must_use]
pub fn same_attributes(a: &UiNode, b: &UiNode) -> bool {
    same_but_place(a, b) && a.bounds == b.bounds
}

/// Whether two nodes are the same but for where they lie on the screen.
#[must_use]
pub fn same_but_place(a: &UiNode, b: &UiNode) -> bool {
    let key = |node: &UiNode| {
        (
            (
                node.text.clone(),
                node.hint.clone(),
                node.description.clone(),
                node.id.clone(),
            ),
            (node.class.clone(), node.package.clone(), node.clickable, node.enabled),
            (
                node.checked,
                node.focused,
                node.selected,
                node.scrollable,
                node.password,
            ),
        )
    };
    key(a) == key(b)
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
        found.sort_by_key(|at| distance(query, screen, *at));
        return found;
    }
    found.sort_by_key(|at| match screen.node(*at).and_then(|node| node.clickable) {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    });
    found
}

/// Sum of the squared distances to the elements of all relations, between middles.
fn distance(query: &Query, screen: &Screen<'_>, at: usize) -> i64 {
    let Some((x, y)) = bounds(screen, at).map(|bounds| bounds.centre()) else {
        return i64::MAX;
    };
    query
        .relations
        .iter()
        .filter_map(|(_, other)| bounds(screen, find(other, screen)?))
        .map(|anchor| {
            let (anchor_x, anchor_y) = anchor.centre();
            let (dx, dy) = (i64::from(anchor_x) - i64::from(x), i64::from(anchor_y) - i64::from(y));
            dx.saturating_mul(dx).saturating_add(dy.saturating_mul(dy))
        })
        .fold(0, i64::saturating_add)
}
