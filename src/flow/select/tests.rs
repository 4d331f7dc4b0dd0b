use farmhand_actors::domain::{UiNode, UiTree};
use proptest::prelude::*;

use super::{text::Pattern, tree::Screen, *};
use crate::flow::testing::bounds;

/// A node as `depth`, text, id, place; the tree follows from the depths.
fn tree(nodes: &[(usize, &str, &str, [i32; 4])]) -> UiTree {
    let mut tree = UiTree::default();
    let mut open: Vec<usize> = Vec::new();
    for (depth, text, id, [left, top, right, bottom]) in nodes {
        open.truncate(*depth);
        let at = tree.nodes.len();
        let parent = open.last().copied();
        if let Some(parent) = parent {
            tree.nodes[parent].children.push(at);
        }
        tree.nodes.push(UiNode {
            parent,
            text: (*text).to_owned(),
            id: (*id).to_owned(),
            bounds: Some(bounds(*left, *top, *right, *bottom)),
            ..UiNode::default()
        });
        open.push(at);
    }
    tree
}

fn text(pattern: &str) -> Query {
    Query {
        text: Some(Pattern::new(pattern).unwrap()),
        ..Query::default()
    }
}

fn id(pattern: &str) -> Query {
    Query {
        id: Some(Pattern::new(pattern).unwrap()),
        ..Query::default()
    }
}

fn all(query: &Query, tree: &UiTree) -> Vec<usize> {
    find_all(query, &Screen::new(tree, 1000, 1000))
}

const FULL: [i32; 4] = [0, 0, 1000, 1000];

#[test]
fn texts_match_as_a_whole_without_case_and_also_letter_for_letter() {
    for (pattern, value, wanted) in [
        ("save", "Save", true),
        ("save", "Save as", false),
        ("Save.*", "Save\nas", true),
        ("Save as", "Save\nas", true),
        ("What is this room about?", "What is this room about?", true),
        ("Price (USD)", "Price (USD)", true),
        ("[invalid", "[INVALID", true),
        ("a)|(b", "b", false),
        ("a)|(b", "a)|(b", true),
        ("(?!x)y", "y", true),
        ("^b$", "b", true),
        ("ŻÓŁW", "żółw", true),
        ("1+", "1+", true),
        ("", "", true),
        (r"\Qa.b\E", "a.b", true),
        (r"\Qa.b\E", "axb", false),
        (r"Price \Q(USD)\E .*", "price (usd) 5", true),
        (r"\Qa.b", "A.B", true),
        (r"\\Q.", r"\Qx", true),
    ] {
        assert_eq!(
            Pattern::new(pattern).unwrap().matches_text(value),
            wanted,
            "{pattern} {value}"
        );
    }
    assert!(
        !Pattern::new("Price (USD)").unwrap().matches("Price (USD)"),
        "ids have no letter-for-letter way"
    );
}

#[test]
fn a_pattern_that_never_ends_does_not_hang() {
    let pattern = Pattern::new("(?=(a+)+b)(a+)+c").unwrap();
    let start = std::time::Instant::now();
    assert!(!pattern.matches(&"a".repeat(5_000)));
    assert!(start.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn ids_match_whole_or_after_the_last_slash() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "", "com.x:id/save", [0, 0, 9, 9]),
        (1, "", "save_all", [0, 9, 9, 18]),
    ]);
    assert_eq!(all(&id("save"), &tree), [1]);
    assert_eq!(all(&id("com.x:id/save"), &tree), [1]);
    assert_eq!(all(&id(".*save.*"), &tree), [1, 2]);
}

#[test]
fn the_deepest_of_nested_matches_counts() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "Go", "outer", [0, 0, 500, 500]),
        (2, "Go", "inner", [0, 0, 100, 100]),
        (1, "Go", "other", [500, 500, 600, 600]),
    ]);
    assert_eq!(all(&text("Go"), &tree), [2, 3]);
    assert_eq!(all(&id("outer"), &tree), [1]);
}

#[test]
fn text_hits_come_before_hints_and_descriptions_and_clickable_ones_before_all() {
    let mut tree = tree(&[
        (0, "", "", FULL),
        (1, "", "", [0, 0, 9, 9]),
        (1, "", "", [0, 9, 9, 18]),
        (1, "Go", "", [0, 18, 9, 27]),
    ]);
    tree.nodes[1].description = "Go".to_owned();
    tree.nodes[2].hint = "Go".to_owned();
    assert_eq!(all(&text("Go"), &tree), [3, 2, 1]);
    tree.nodes[1].clickable = Some(true);
    tree.nodes[2].clickable = Some(false);
    assert_eq!(all(&text("Go"), &tree), [1, 2, 3]);
}

#[test]
fn of_several_below_the_first_of_the_document_counts_unless_the_nearest_is_wanted() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "Item", "far", [0, 700, 100, 800]),
        (1, "Title", "", [0, 100, 100, 200]),
        (1, "Item", "near", [0, 300, 100, 400]),
        (1, "Item", "above", [0, 50, 100, 99]),
    ]);
    let mut query = text("Item");
    query.relations.push((Relation::Below, text("Title")));
    assert_eq!(all(&query, &tree), [1, 3]);
    query.nearest = true;
    assert_eq!(all(&query, &tree), [3, 1]);
}

#[test]
fn relations_compare_upper_left_corners_strictly() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "A", "", [100, 100, 200, 200]),
        (1, "B", "", [100, 101, 110, 110]),
        (1, "C", "", [101, 100, 300, 300]),
    ]);
    let below = |name: &str| {
        let mut query = text(name);
        query.relations.push((Relation::Below, text("A")));
        !all(&query, &tree).is_empty()
    };
    assert!(below("B"), "one pixel lower is below, overlap or not");
    assert!(!below("C"), "the same top is not below");
    let mut right = text("C");
    right.relations.push((Relation::RightOf, text("A")));
    assert_eq!(all(&right, &tree), [3]);
    let mut nothing = text("B");
    nothing.relations.push((Relation::Below, text("Nobody")));
    assert!(all(&nothing, &tree).is_empty());
}

#[test]
fn an_index_counts_from_the_top_left_or_from_the_end() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "x", "", [0, 500, 9, 509]),
        (1, "x", "", [50, 100, 59, 109]),
        (1, "x", "", [0, 100, 9, 109]),
    ]);
    for (index, wanted) in [
        (0, vec![3]),
        (1, vec![2]),
        (2, vec![1]),
        (3, vec![]),
        (-1, vec![1]),
        (-3, vec![3]),
        (-4, vec![]),
    ] {
        let query = Query {
            index: Some(index),
            ..text("x")
        };
        assert_eq!(all(&query, &tree), wanted, "{index}");
    }
}

#[test]
fn containers_are_found_by_what_they_hold() {
    let tree = tree(&[
        (0, "", "list", FULL),
        (1, "", "row", [0, 0, 100, 100]),
        (2, "Anna", "", [0, 0, 50, 50]),
        (2, "", "box", [50, 0, 100, 50]),
        (3, "Follow", "", [50, 0, 100, 40]),
        (1, "", "row", [0, 100, 100, 200]),
        (2, "Bob", "", [0, 100, 50, 150]),
    ]);
    let mut child = id("row");
    child.contains_child = Some(Box::new(text("Bob")));
    assert_eq!(all(&child, &tree), [5]);
    let mut grandchild = id("row");
    grandchild.contains_child = Some(Box::new(text("Follow")));
    assert!(all(&grandchild, &tree).is_empty(), "only direct children count");
    let mut descendants = id("row");
    descendants.contains_descendants = vec![text("Anna"), text("Follow")];
    assert_eq!(all(&descendants, &tree), [1]);
    let mut inside = text("Follow");
    inside.child_of = Some(Box::new(descendants));
    assert_eq!(all(&inside, &tree), [4]);
}

#[test]
fn what_is_looked_for_inside_is_a_whole_selector() {
    let tree = tree(&[
        (0, "", "list", FULL),
        (1, "", "row", [0, 0, 100, 100]),
        (2, "Anna", "", [0, 0, 50, 50]),
        (2, "Follow", "", [50, 10, 100, 50]),
        (1, "", "row", [0, 100, 100, 200]),
        (2, "Bob", "", [0, 100, 50, 150]),
        (2, "Follow", "", [50, 90, 100, 140]),
        (2, "Follow", "", [50, 150, 100, 190]),
    ]);
    let rows_with = |wanted: Query| {
        let mut row = id("row");
        row.contains_descendants = vec![wanted];
        all(&row, &tree)
    };
    let any_of = |names: &[&str]| Query {
        any_of: names.iter().map(|name| text(name)).collect(),
        ..Query::default()
    };
    assert!(rows_with(any_of(&["Carl", "Dora"])).is_empty());
    assert_eq!(rows_with(any_of(&["Carl", "Bob"])), [4]);
    assert_eq!(rows_with(any_of(&["Anna", "Bob"])), [1, 4]);
    let mut below = text("Follow");
    below.relations.push((Relation::Below, text("Bob")));
    assert_eq!(rows_with(below), [4]);
    let mut of_list = text("Anna");
    of_list.child_of = Some(Box::new(id("nowhere")));
    assert!(rows_with(of_list).is_empty());
    for (index, wanted) in [(0, vec![1, 4]), (1, vec![4]), (-2, vec![4]), (2, vec![])] {
        let counted = Query {
            index: Some(index),
            ..text("Follow")
        };
        assert_eq!(rows_with(counted), wanted, "{index}");
    }
}

#[test]
fn a_screen_of_many_elements_is_searched_in_little_time() {
    let mut nodes = vec![(0, "", "", FULL)];
    for at in 0..20_000 {
        let top = at % 1_000;
        nodes.push((1, "", "row", [0, top, 100, top + 9]));
        nodes.push((2, "x", "", [at / 1_000, top, 100, top + 9]));
    }
    let mut tree = tree(&nodes);
    for node in &mut tree.nodes {
        node.enabled = Some(true);
    }
    let enabled = || Query {
        flags: vec![(Flag::Enabled, true)],
        ..Query::default()
    };
    let mut near = enabled();
    near.relations.push((Relation::Below, text("x")));
    near.nearest = true;
    let mut row = id("row");
    row.contains_descendants = vec![text("x"), enabled()];
    row.contains_child = Some(Box::new(text("x")));

    let start = std::time::Instant::now();
    let found = [enabled(), near, row].map(|query| all(&query, &tree).len());

    assert_eq!(found, [20_000, 19_980, 20_000]);
    assert!(
        start.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn elements_of_a_page_are_found_by_what_the_browser_says() {
    let mut tree = tree(&[
        (0, "", "", FULL),
        (1, "Menu", "", [0, 0, 9, 9]),
        (2, "x", "", [0, 0, 5, 5]),
    ]);
    tree.nodes[1].css = Some(".menu".into());
    let css = |selector: &str| Query {
        css: Some(selector.to_owned()),
        ..Query::default()
    };
    assert_eq!(all(&css(".menu"), &tree), [1]);
    assert!(all(&css(".other"), &tree).is_empty());
}

#[test]
fn what_is_off_the_screen_does_not_count_unless_all_is() {
    let off = [2000, 0, 2100, 100];
    let mixed = tree(&[(0, "", "", FULL), (1, "x", "", off), (1, "x", "", [950, 0, 1050, 100])]);
    assert_eq!(all(&text("x"), &mixed), [2]);
    let parent = tree(&[(0, "", "", FULL), (1, "p", "", off), (2, "c", "", [0, 0, 9, 9])]);
    assert_eq!(all(&text("p"), &parent), [1], "a child on the screen keeps its parent");
    let none = tree(&[(0, "x", "", off)]);
    assert_eq!(all(&text("x"), &none), [0]);
    let huge = tree(&[(0, "", "", FULL), (1, "x", "", [-9000, -9000, 9000, 9000])]);
    assert_eq!(all(&text("x"), &huge), [1], "what covers the screen is visible");
}

#[test]
fn the_first_alternative_that_is_there_is_taken() {
    let tree = tree(&[
        (0, "", "", FULL),
        (1, "B", "", [0, 0, 9, 9]),
        (1, "C", "", [0, 9, 9, 18]),
    ]);
    let query = Query {
        any_of: vec![text("A"), text("C"), text("B")],
        ..Query::default()
    };
    assert_eq!(all(&query, &tree), [2]);
}

#[test]
fn equal_nodes_are_one() {
    let twins = tree(&[
        (0, "", "", FULL),
        (1, "x", "", [0, 0, 9, 9]),
        (1, "x", "", [0, 0, 9, 9]),
        (1, "x", "", [0, 9, 9, 18]),
    ]);
    assert_eq!(all(&text("x"), &twins), [1, 3]);
}

#[test]
fn sizes_flags_and_shapes_are_looked_at() {
    let mut tree = tree(&[
        (0, "", "", FULL),
        (1, "a", "", [0, 0, 100, 101]),
        (1, "b", "", [0, 200, 300, 250]),
    ]);
    tree.nodes[1].checked = Some(true);
    let size = |tolerance| Query {
        width: Some(100),
        height: Some(100),
        tolerance,
        ..Query::default()
    };
    assert!(all(&size(0), &tree).is_empty());
    assert_eq!(all(&size(1), &tree), [1]);
    let square = Query {
        traits: vec![Trait::Square, Trait::Text],
        ..Query::default()
    };
    assert_eq!(all(&square, &tree), [1]);
    let checked = Query {
        flags: vec![(Flag::Checked, true)],
        ..Query::default()
    };
    assert_eq!(all(&checked, &tree), [1]);
    let unchecked = Query {
        flags: vec![(Flag::Checked, false)],
        ..Query::default()
    };
    assert!(
        all(&unchecked, &tree).is_empty(),
        "a flag that the dump does not name is neither"
    );
}

proptest! {
    #[test]
    fn a_plain_pattern_says_what_the_engine_says(pattern in "[a-cA-C._:/ ]{0,4}", value in "[a-cA-Ckſ._:/ \n]{0,4}") {
        let engine = regex::Regex::new(&format!(r"(?is)\A(?:{pattern})\z")).unwrap();
        prop_assert_eq!(Pattern::new(&pattern).unwrap().matches(&value),
            engine.is_match(&value) || engine.is_match(&value.replace('\n', " ")));
    }

    #[test]
    fn no_pattern_makes_a_panic(pattern in ".{0,40}", value in ".{0,40}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _whatever = pattern.matches_text(&value);
        }
    }

    #[test]
    fn a_text_always_matches_itself(value in "[^\n]{1,40}") {
        prop_assert!(Pattern::new(&value).is_ok_and(|pattern| pattern.matches_text(&value)), "{value}");
    }
}
