//! A screen for authors of flows: every element with a selector that finds it, and it alone.

#[cfg(test)]
mod tests;

use std::fmt;

use farmhand_actors::domain::{Bounds, UiNode, UiTree};

use super::select::{Query, find_all, text::Pattern, tree::Screen};

/// An element of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// How deep it lies; a window's root is 0.
    pub depth: usize,
    /// Last part of its class.
    pub class: String,
    /// The words that it shows: text, else hint, else description.
    pub words: String,
    /// A selector in the format of flow files that finds it and nothing else; `None` when there is none: it is not on
    /// the screen, or looks exactly like another one in the same place.
    pub selector: Option<String>,
    /// Its middle as the `point` of a `tapOn`, if that is on the screen.
    pub point: Option<String>,
}

/// All elements of a screen, in document order.
#[must_use]
pub fn elements(tree: &UiTree) -> Vec<Element> {
    let edge = |side: fn(&UiNode) -> Option<i32>| {
        let furthest = tree.nodes.iter().filter_map(side).max();
        furthest.and_then(|furthest| u32::try_from(furthest).ok()).unwrap_or(0)
    };
    let width = edge(|node| node.bounds.map(|bounds| bounds.right));
    let height = edge(|node| node.bounds.map(|bounds| bounds.bottom));
    let screen = Screen::new(tree, width, height);
    let own: Vec<Option<Draft>> = tree
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| alone(&screen, at, own_ways(node)))
        .collect();
    let element = |(at, node): (usize, &UiNode)| Element {
        depth: depth(tree, node),
        class: last_part(&node.class, '.').to_owned(),
        words: words(node).to_owned(),
        selector: selector(&screen, at, node, &own).map(|draft| draft.to_string()),
        point: point(node, width, height),
    };
    tree.nodes.iter().enumerate().map(element).collect()
}

/// The nodes above one, the nearest first. A tree that was made up may have a circle: no more steps than nodes.
fn parents<'t>(nodes: &'t [UiNode], node: &UiNode) -> impl Iterator<Item = usize> + 't {
    let parents = std::iter::successors(node.parent, |at| nodes.get(*at)?.parent);
    parents.take(nodes.len())
}

fn depth(tree: &UiTree, node: &UiNode) -> usize {
    parents(&tree.nodes, node).count()
}

/// A selector in the making.
#[derive(Debug, Clone, Default)]
struct Draft {
    id: Option<String>,
    words: Option<String>,
    index: Option<i64>,
    contains_child: Option<Box<Draft>>,
    child_of: Option<Box<Draft>>,
}

impl Draft {
    fn query(&self) -> Option<Query> {
        let pattern = |text: &String| Pattern::new(&regex::escape(text)).ok();
        let inner = |draft: &Option<Box<Self>>| match draft {
            Some(draft) => draft.query().map(|query| Some(Box::new(query))),
            None => Some(None),
        };
        Some(Query {
            id: self.id.as_ref().and_then(pattern),
            text: self.words.as_ref().and_then(pattern),
            index: self.index,
            contains_child: inner(&self.contains_child)?,
            child_of: inner(&self.child_of)?,
            ..Query::default()
        })
    }
}

/// In the words of a flow file: patterns escaped, texts quoted, no `${`.
impl fmt::Display for Draft {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &String| serde_json::Value::from(regex::escape(text)).to_string();
        let parts = [
            self.id.as_ref().map(|id| format!("id: {}", quoted(id))),
            self.words.as_ref().map(|words| format!("text: {}", quoted(words))),
            self.contains_child
                .as_ref()
                .map(|child| format!("containsChild: {child}")),
            self.child_of.as_ref().map(|parent| format!("childOf: {parent}")),
            self.index.map(|index| format!("index: {index}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        write!(out, "{{ {} }}", parts.join(", "))
    }
}

/// The simplest selector of: id, words, both; that of a child; these within an element around it; these with an index.
fn selector(screen: &Screen<'_>, at: usize, node: &UiNode, own: &[Option<Draft>]) -> Option<Draft> {
    let draft = |at: &usize| own.get(*at).cloned().flatten().map(Box::new);
    if let Some(own) = draft(&at) {
        return Some(*own);
    }
    let by_child = node.children.iter().filter_map(draft).map(|child| Draft {
        contains_child: Some(child),
        ..Draft::default()
    });
    if let Some(found) = alone(screen, at, by_child) {
        return Some(found);
    }
    let around = parents(screen.nodes, node).find_map(|at| draft(&at));
    let within = |way: Draft| Draft {
        child_of: around.clone(),
        ..way
    };
    if around.is_some()
        && let Some(found) = alone(screen, at, own_ways(node).map(within))
    {
        return Some(found);
    }
    let simplest = own_ways(node).next();
    let counted = simplest.into_iter().chain([within(Draft::default()), Draft::default()]);
    counted.into_iter().find_map(|way| with_index(screen, at, node, way))
}

/// A node's id, its words, and both.
fn own_ways(node: &UiNode) -> impl Iterator<Item = Draft> {
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (id, words) = (filled(last_part(&node.id, '/')), filled(words(node)));
    let ways = [(id.clone(), None), (None, words.clone()), (id, words)];
    let drafts = ways.into_iter().map(|(id, words)| Draft {
        id,
        words,
        ..Draft::default()
    });
    drafts.filter(|draft| draft.id.is_some() || draft.words.is_some())
}

/// The first way that finds this node and nothing else.
fn alone(screen: &Screen<'_>, at: usize, ways: impl IntoIterator<Item = Draft>) -> Option<Draft> {
    ways.into_iter()
        .find(|way| way.query().is_some_and(|query| find_all(&query, screen) == [at]))
}

/// Adds the index by which a way finds this node among others.
fn with_index(screen: &Screen<'_>, at: usize, node: &UiNode, mut way: Draft) -> Option<Draft> {
    let found = find_all(&way.query()?, screen);
    let corner = |bounds: Option<Bounds>| bounds.map(|bounds| (bounds.top, bounds.left));
    let place = |at: &usize| screen.node(*at).and_then(|node| corner(node.bounds));
    // Those in one place are told apart by trying.
    let before = found.iter().filter(|at| place(at) < corner(node.bounds)).count();
    let beside = found.iter().filter(|at| place(at) == corner(node.bounds)).count();
    (before..before.saturating_add(beside)).find_map(|index| {
        way.index = Some(i64::try_from(index).ok()?);
        (find_all(&way.query()?, screen) == [at]).then(|| way.clone())
    })
}

/// The middle of a node, in percent if that is exact enough, else in pixels.
fn point(node: &UiNode, width: u32, height: u32) -> Option<String> {
    let bounds = node.bounds?;
    let (x, y) = bounds.centre();
    let (width, height) = (i32::try_from(width).ok()?, i32::try_from(height).ok()?);
    if !(0..width).contains(&x) || !(0..height).contains(&y) {
        return None;
    }
    let percent = |part: i32, whole: i32| i64::from(part).saturating_mul(100) / i64::from(whole);
    let pixel = |percent: i64, whole: i32| percent.saturating_mul(i64::from(whole)) / 100;
    let (across, down) = (percent(x, width), percent(y, height));
    let inside = (i64::from(bounds.left)..i64::from(bounds.right)).contains(&pixel(across, width))
        && (i64::from(bounds.top)..i64::from(bounds.bottom)).contains(&pixel(down, height));
    Some(if inside {
        format!("{across}%,{down}%")
    } else {
        format!("{x},{y}")
    })
}

fn words(node: &UiNode) -> &str {
    let all = [&node.text, &node.hint, &node.description];
    all.into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
}

fn last_part(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or(text)
}
