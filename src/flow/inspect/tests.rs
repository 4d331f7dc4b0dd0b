use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::flow::{
    model::{Command, Selector, Text},
    parse::{load, sources::Sources},
    select::same_attributes,
    testing::{label, screen},
};

/// A folder with one file.
#[derive(Debug)]
struct One(String);

impl Sources for One {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        Ok(PathBuf::from(path))
    }
}

fn with_id(id: &str, node: UiNode) -> UiNode {
    UiNode {
        id: format!("a.b:id/{id}"),
        ..node
    }
}

#[test]
fn each_element_gets_the_simplest_selector_that_finds_it_alone_or_else_a_point() {
    let mut tree = screen(&[
        with_id("name", label("alice", 0)),
        with_id("row", label("Post", 1)),
        with_id("row", label("Drafts (1)", 2)),
        with_id("cell", label("same", 3)),
        with_id("cell", label("same", 4)),
        label("", 5),
        label("", 6),
        label("", 6),
        label("Below", 7),
        UiNode::default(),
    ]);
    tree.nodes[0].children.retain(|child| *child != 9);
    tree.nodes[7].children = vec![9];
    tree.nodes[9].parent = Some(7);

    let found = elements(&tree);

    let told: Vec<&str> = found
        .iter()
        .map(|element| element.selector.as_deref().or(element.point.as_deref()).unwrap_or("-"))
        .collect();
    let wanted = [
        r#"{ containsChild: { id: "name" } }"#,
        r#"{ id: "name" }"#,
        r#"{ text: "Post" }"#,
        r#"{ text: "Drafts \\(1\\)" }"#,
        r#"{ id: "cell", index: 0 }"#,
        r#"{ id: "cell", index: 1 }"#,
        "{ index: 6 }",
        r#"{ containsChild: { text: "Below" } }"#,
        "{ index: 8 }",
        r#"{ text: "Below" }"#,
        "-",
    ];
    assert_eq!(told, wanted);
    assert_eq!(found[2].point.as_deref(), Some("9%,15%"));
}

#[test]
fn of_two_that_look_the_same_in_the_same_place_one_has_only_a_point() {
    let found = elements(&screen(&[label("same", 1), label("same", 1)]));
    assert_eq!(found[1].selector.as_deref(), Some(r#"{ text: "same" }"#));
    assert_eq!(
        (found[2].selector.as_deref(), found[2].point.as_deref()),
        (None, Some("9%,15%"))
    );
}

/// The query of a printed selector, by way of the parser of flow files.
fn read(selector: &str) -> Query {
    let text = format!("appId: a.b\n---\n- tapOn: {selector}\n");
    let loaded = load(&One(text.clone()), "f.yaml").unwrap();
    let Command::Tap(tap) = &loaded.flow.steps[0].command else {
        panic!("{text}")
    };
    compiled(tap.selector.as_ref().unwrap())
}

fn compiled(selector: &Selector) -> Query {
    let pattern = |text: &Option<Text>| text.as_ref().map(|text| Pattern::new(text).unwrap());
    let inner = |selector: &Option<Box<Selector>>| selector.as_ref().map(|inner| Box::new(compiled(inner)));
    Query {
        id: pattern(&selector.id),
        text: pattern(&selector.text),
        index: selector.index.as_ref().map(|index| index.parse().unwrap()),
        contains_child: inner(&selector.contains_child),
        child_of: inner(&selector.child_of),
        ..Query::default()
    }
}

/// A root and nodes below it, each within one before it, on few lines and with few ids and words.
fn any_tree() -> impl Strategy<Value = UiTree> {
    let node = (
        0..4_usize,
        0..4_usize,
        0..9_i32,
        any::<prop::sample::Index>(),
        any::<bool>(),
    );
    prop::collection::vec(node, 1..24).prop_map(|drawn| {
        let mut tree = screen(&[]);
        for (id, text, row, parent, clickable) in drawn {
            // In document order: the last one of a line of parents is open for children.
            let mut open = vec![tree.nodes.len() - 1];
            while let Some(parent) = tree.nodes[*open.last().unwrap()].parent {
                open.push(parent);
            }
            let parent = open[parent.index(open.len())];
            let at = tree.nodes.len();
            tree.nodes[parent].children.push(at);
            tree.nodes.push(UiNode {
                id: ["", "", "a.b:id/x", "a.b:id/y"][id].to_owned(),
                clickable: Some(clickable),
                parent: Some(parent),
                ..label(["", "", "Post (1)", "\"a\\b\" {c}: #1"][text], row)
            });
        }
        tree
    })
}

proptest! {
    // Each reads a flow file for every element: more of them take minutes.
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn every_printed_selector_finds_its_element_and_nothing_else(tree in any_tree()) {
        let screen = Screen::new(&tree, 540, 960);
        for (at, element) in elements(&tree).into_iter().enumerate() {
            if let Some(selector) = &element.selector {
                prop_assert_eq!(find_all(&read(selector), &screen), [at], "{}", selector);
            }
            let twin = tree.nodes[..at].iter().any(|node| same_attributes(node, &tree.nodes[at]));
            prop_assert!(element.selector.is_some() || twin, "nothing finds {element:?}");
        }
    }
}

#[test]
fn a_tree_with_a_circle_ends() {
    let mut tree = screen(&[label("a", 0)]);
    tree.nodes[0].parent = Some(1);
    assert_eq!(elements(&tree).len(), 2);
}
