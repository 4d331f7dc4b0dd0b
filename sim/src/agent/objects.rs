//! The views of a screen in document order, so that a subtree is a range.

use serde_json::{Value, json};

use crate::handset::View;

/// A view and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) view: &'a View,
    /// In document order.
    pub(super) position: usize,
    /// Among its siblings.
    pub(super) index: usize,
    parent: Option<usize>,
    /// After the last view below it.
    end: usize,
}

/// All views of a screen.
#[derive(Debug)]
pub(super) struct Objects<'a>(Vec<Object<'a>>);

impl<'a> Objects<'a> {
    pub(super) fn new(roots: &'a [View]) -> Self {
        let mut objects: Vec<Object<'a>> = Vec::new();
        // Views may nest deeper than a stack of calls could.
        let mut waiting: Vec<(&View, usize, Option<usize>)> = roots
            .iter()
            .enumerate()
            .rev()
            .map(|(index, view)| (view, index, None))
            .collect();
        while let Some((view, index, parent)) = waiting.pop() {
            let position = objects.len();
            objects.push(Object {
                view,
                position,
                index,
                parent,
                end: position + 1,
            });
            let children = view.children.iter().enumerate().rev();
            waiting.extend(children.map(|(index, child)| (child, index, Some(position))));
        }
        for position in (0..objects.len()).rev() {
            let Some(Object {
                end,
                parent: Some(parent),
                ..
            }) = objects.get(position).copied()
            else {
                continue;
            };
            if let Some(parent) = objects.get_mut(parent) {
                parent.end = parent.end.max(end);
            }
        }
        Self(objects)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, position: usize) -> Option<Object<'a>> {
        self.0.get(position).copied()
    }

    /// What stands below an object.
    pub(super) fn below(&self, object: &Object<'_>) -> std::ops::Range<usize> {
        object.position + 1..object.end
    }

    /// What stands below an object's parent.
    pub(super) fn around(&self, object: &Object<'_>) -> std::ops::Range<usize> {
        object
            .parent
            .and_then(|parent| self.get(parent))
            .map_or(0..self.len(), |parent| self.below(&parent))
    }
}

impl Object<'_> {
    /// The middle of its bounds.
    pub(super) fn center(&self) -> (i32, i32) {
        let [left, top, right, bottom] = self.view.bounds;
        (left.midpoint(right), top.midpoint(bottom))
    }

    /// What `objInfo` says of it.
    pub(super) fn info(&self) -> Value {
        let view = self.view;
        let [left, top, right, bottom] = view.bounds;
        let bounds = json!({ "left": left, "top": top, "right": right, "bottom": bottom });
        let or_null = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        json!({
            "bounds": bounds,
            "visibleBounds": bounds,
            "childCount": view.children.len(),
            "className": view.class,
            "contentDescription": or_null(&view.description),
            "packageName": view.package,
            "resourceName": or_null(&view.id),
            "text": view.text,
            "checkable": view.checkable,
            "checked": view.checked,
            "clickable": view.clickable,
            "enabled": view.enabled,
            "focusable": view.focusable,
            "focused": view.focused,
            "longClickable": view.long_clickable,
            "scrollable": view.scrollable,
            "selected": view.selected,
        })
    }
}
