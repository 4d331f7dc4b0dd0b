//! Elements that look the same: equal ones are one, as in a set.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use farmhand_actors::domain::UiNode;

use super::tree::Screen;

/// Equal nodes (same attributes, place and children) are one: the first of them stays.
pub(super) fn collapse_twins(screen: &Screen<'_>, found: &mut Vec<usize>) {
    if found.len() < 2 {
        return;
    }
    let looks = looks(screen.nodes);
    let mut kept: HashMap<u64, Vec<usize>> = HashMap::new();
    found.retain(|at| {
        let alike = kept.entry(looks.get(*at).copied().unwrap_or_default()).or_default();
        let is_new = !alike.iter().any(|other| twins(screen, *other, *at));
        if is_new {
            alike.push(*at);
        }
        is_new
    });
}

/// A number for each node with all below it, the same for twins: only those with the same one are compared.
fn looks(nodes: &[UiNode]) -> Vec<u64> {
    let mut looks = vec![0; nodes.len()];
    // Children come after their parents.
    for (at, node) in nodes.iter().enumerate().rev() {
        let mut hasher = DefaultHasher::new();
        look_of(node).hash(&mut hasher);
        node.bounds
            .map(|area| (area.left, area.top, area.right, area.bottom))
            .hash(&mut hasher);
        for child in &node.children {
            looks.get(*child).hash(&mut hasher);
        }
        if let Some(look) = looks.get_mut(at) {
            *look = hasher.finish();
        }
    }
    looks
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
    look_of(a) == look_of(b)
}

/// All that a node is but its place: its words, and its flags.
type Look<'n> = ([&'n str; 6], [Option<bool>; 7]);

fn look_of(node: &UiNode) -> Look<'_> {
    (
        [
            &node.text,
            &node.hint,
            &node.description,
            &node.id,
            &node.class,
            &node.package,
        ],
        [
            node.clickable,
            node.enabled,
            node.checked,
            node.focused,
            node.selected,
            node.scrollable,
            node.password,
        ],
    )
}
