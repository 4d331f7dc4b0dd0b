//! A screen for authors of flows: every element with a selector that finds it, and it alone.

use farmhand_actors::domain::{UiNode, UiTree};

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
    /// A selector in the format of flow files; `None` when neither id nor words tell it from the others, or when it
    /// is not on the screen.
    pub selector: Option<String>,
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
    let element = |(at, node): (usize, &UiNode)| Element {
        depth: depth(tree, node),
        class: last_part(&node.class, '.').to_owned(),
        words: words(node).to_owned(),
        selector: selector(&screen, at, node),
    };
    tree.nodes.iter().enumerate().map(element).collect()
}

/// Steps up to the root. A tree that was made up may have a circle: no more steps than nodes.
fn depth(tree: &UiTree, node: &UiNode) -> usize {
    let parents = std::iter::successors(node.parent, |at| tree.nodes.get(*at)?.parent);
    parents.take(tree.nodes.len()).count()
}

/// The simplest selector of: id, words, both, and these with an index.
fn selector(screen: &Screen<'_>, at: usize, node: &UiNode) -> Option<String> {
    let id = Some(last_part(&node.id, '/')).filter(|id| !id.is_empty());
    let words = Some(words(node)).filter(|words| !words.is_empty());
    let tries = [(id, None), (None, words), (id, words)];
    let tries: Vec<_> = tries
        .into_iter()
        .filter(|(id, words)| id.or(*words).is_some())
        .collect();
    let alone = tries.iter().find_map(|(id, words)| {
        let query = query(*id, *words)?;
        (find_all(&query, screen) == [at]).then(|| written(*id, *words, None))
    });
    alone.or_else(|| {
        let (id, words) = tries.first()?;
        let mut query = query(*id, *words)?;
        (0..i64::try_from(find_all(&query, screen).len()).ok()?).find_map(|index| {
            query.index = Some(index);
            (find_all(&query, screen).first() == Some(&at)).then(|| written(*id, *words, Some(index)))
        })
    })
}

fn query(id: Option<&str>, words: Option<&str>) -> Option<Query> {
    let pattern = |text: &str| Pattern::new(&regex::escape(text)).ok();
    let mut query = Query::default();
    if let Some(id) = id {
        query.id = Some(pattern(id)?);
    }
    if let Some(words) = words {
        query.text = Some(pattern(words)?);
    }
    Some(query)
}

/// In the words of a flow file: patterns escaped, texts quoted, no `${`.
fn written(id: Option<&str>, words: Option<&str>, index: Option<i64>) -> String {
    let quoted = |text: &str| serde_json::Value::from(regex::escape(text)).to_string();
    let parts = [
        id.map(|id| format!("id: {}", quoted(id))),
        words.map(|words| format!("text: {}", quoted(words))),
        index.map(|index| format!("index: {index}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{{ {} }}", parts.join(", "))
}

fn words(node: &UiNode) -> &str {
    let all = [&node.text, &node.hint, &node.description];
    all.into_iter().find(|text| !text.is_empty()).map_or("", String::as_str)
}

fn last_part(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::{label, screen};

    fn with_id(id: &str, node: UiNode) -> UiNode {
        UiNode {
            id: format!("a.b:id/{id}"),
            ..node
        }
    }

    #[test]
    fn each_element_gets_the_simplest_selector_that_finds_it_alone() {
        let tree = screen(&[
            with_id("name", label("alice", 0)),
            with_id("row", label("Post", 1)),
            with_id("row", label("Drafts (1)", 2)),
            with_id("cell", label("same", 3)),
            with_id("cell", label("same", 4)),
            UiNode::default(),
        ]);

        let found: Vec<_> = elements(&tree).into_iter().map(|element| element.selector).collect();

        let wanted = [
            None,
            Some(r#"{ id: "name" }"#),
            Some(r#"{ text: "Post" }"#),
            Some(r#"{ text: "Drafts \\(1\\)" }"#),
            Some(r#"{ id: "cell", index: 0 }"#),
            Some(r#"{ id: "cell", index: 1 }"#),
            None,
        ];
        assert_eq!(found, wanted.map(|selector| selector.map(str::to_owned)));
    }

    #[test]
    fn a_tree_with_a_circle_ends() {
        let mut tree = screen(&[label("a", 0)]);
        tree.nodes[0].parent = Some(1);
        assert_eq!(elements(&tree).len(), 2);
    }
}
