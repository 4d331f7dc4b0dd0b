//! The view tree as selectors see it: without what is off the screen.

use std::sync::Arc;

use farmhand_actors::domain::{Bounds, UiNode, UiTree};

use crate::flow::model::ImageSelector;

/// Share of a node's area that must be on the screen.
const MIN_VISIBLE_SHARE: f64 = 0.1;

/// A view tree with the nodes that are worth looking at.
#[derive(Debug)]
pub struct Screen<'t> {
    /// All nodes, in document order.
    pub nodes: &'t [UiNode],
    /// Which of them are on the screen.
    pub shown: Vec<bool>,
    /// Where the tree's own nodes end and those of pictures begin.
    own: usize,
    /// Places of pictures.
    pictures: Vec<(Arc<ImageSelector>, Vec<usize>)>,
}

impl<'t> Screen<'t> {
    /// Drops every node of which less than a tenth is on the screen, unless a child of it is.
    #[must_use]
    pub fn new(tree: &'t UiTree, width: u32, height: u32) -> Self {
        let nodes = tree.nodes.as_slice();
        let mut shown: Vec<bool> = nodes
            .iter()
            .map(|node| {
                node.bounds
                    .is_some_and(|bounds| visible_share(bounds, width, height) >= MIN_VISIBLE_SHARE)
            })
            .collect();
        // Children come after their parents: from the back, each one lifts its parent.
        for at in (0..nodes.len()).rev() {
            let parent = nodes.get(at).and_then(|node| node.parent);
            if shown.get(at) == Some(&true)
                && let Some(flag) = parent.and_then(|parent| shown.get_mut(parent))
            {
                *flag = true;
            }
        }
        if !shown.contains(&true) {
            shown.fill(true);
        }
        Self {
            own: nodes.len(),
            nodes,
            shown,
            pictures: Vec::new(),
        }
    }

    /// The screen of a tree to which nodes of pictures were added behind the first `own`: only the selectors of these
    /// pictures see them.
    #[must_use]
    pub fn with_pictures(mut self, own: usize, pictures: Vec<(Arc<ImageSelector>, Vec<usize>)>) -> Self {
        self.own = own;
        self.pictures = pictures;
        self
    }

    /// Places of a picture.
    #[must_use]
    pub fn pictures(&self, image: &Arc<ImageSelector>) -> &[usize] {
        let known = self.pictures.iter().find(|(known, _)| Arc::ptr_eq(known, image));
        known.map(|(_, places)| places.as_slice()).unwrap_or_default()
    }

    /// A node that is shown.
    #[must_use]
    pub fn node(&self, at: usize) -> Option<&'t UiNode> {
        if self.shown.get(at) == Some(&true) {
            self.nodes.get(at)
        } else {
            None
        }
    }

    /// Places of all nodes that are shown, in document order.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.shown
            .iter()
            .take(self.own)
            .enumerate()
            .filter(|(_, shown)| **shown)
            .map(|(at, _)| at)
    }

    /// Places of the shown children.
    pub fn children(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        self.node(at)
            .map(|node| node.children.as_slice())
            .unwrap_or_default()
            .iter()
            .copied()
            .filter(|child| self.shown.get(*child) == Some(&true))
    }

    /// The place of the node that a node is in.
    #[must_use]
    pub fn parent(&self, at: usize) -> Option<usize> {
        // A parent comes before its children, so going up comes to an end.
        self.nodes.get(at)?.parent.filter(|parent| *parent < at)
    }

    /// For each node whether one of these is below it.
    #[must_use]
    pub fn above(&self, places: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut above = vec![false; self.nodes.len()];
        for place in places {
            let mut next = self.parent(place);
            while let Some(up) = next
                && let Some(flag) = above.get_mut(up).filter(|flag| !**flag)
            {
                *flag = true;
                next = self.parent(up);
            }
        }
        above
    }

    /// Places of all that is shown below a node, the node left out.
    #[must_use]
    pub fn descendants(&self, at: usize) -> Vec<usize> {
        let mut found = Vec::new();
        let mut open: Vec<usize> = self.children(at).collect();
        while let Some(next) = open.pop() {
            found.push(next);
            open.extend(self.children(next));
        }
        found.sort_unstable();
        found
    }
}

/// Which part of a rectangle is on the screen, 0 to 1.
#[must_use]
pub fn visible_share(bounds: Bounds, screen_width: u32, screen_height: u32) -> f64 {
    let (width, height) = (f64::from(bounds.width()), f64::from(bounds.height()));
    if width <= 0.0 && height <= 0.0 {
        return 0.0;
    }
    // A line has no area to measure; upstream keeps such nodes.
    if width <= 0.0 || height <= 0.0 {
        return 1.0;
    }
    let overlap =
        |from: i32, to: i32, limit: u32| (f64::from(to).min(f64::from(limit)) - f64::from(from).max(0.0)).max(0.0);
    let across = overlap(bounds.left, bounds.right, screen_width);
    let down = overlap(bounds.top, bounds.bottom, screen_height);
    // What covers the whole screen counts as all visible, however far it sticks out.
    if across >= f64::from(screen_width) && down >= f64::from(screen_height) {
        return 1.0;
    }
    across * down / (width * height)
}
