use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;

mod hostile;

const LIMITS: TreeLimits = TreeLimits {
    bytes: 8 * 1024 * 1024,
    nodes: 50_000,
};

const SCREEN: &str = concat!(
    "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy rotation=\"1\">",
    "<node index=\"0\" text=\"\" resource-id=\"\" class=\"android.widget.FrameLayout\" package=\"com.x\" ",
    "content-desc=\"\" checkable=\"false\" checked=\"false\" clickable=\"false\" enabled=\"true\" focusable=\"false\" ",
    "focused=\"false\" scrollable=\"false\" long-clickable=\"false\" password=\"false\" selected=\"false\" ",
    "bounds=\"[0,0][1080,2400]\"><node index=\"0\" text=\"Fish &amp; &lt;chips&gt;\" resource-id=\"com.x:id/a\" ",
    "class=\"android.widget.Button\" package=\"com.x\" content-desc=\"b&#10;c\" clickable=\"true\" hint=\"h\" ",
    "bounds=\"[-5,10][20,40]\" /></node><node text=\"second window\" /></hierarchy>"
);

fn read(dump: &str) -> Result<UiTree, HierarchyProblem> {
    parse(dump.as_bytes(), LIMITS)
}

fn text_of(attribute: &str) -> String {
    let tree = read(&format!("<hierarchy><node text=\"{attribute}\"/></hierarchy>")).unwrap();
    tree.nodes[0].text.clone()
}

#[test]
fn a_screen_is_read_with_all_its_attributes() {
    let tree = read(SCREEN).unwrap();

    assert_eq!((tree.rotation, tree.nodes.len()), (1, 3));
    let root = &tree.nodes[0];
    assert_eq!((root.parent, root.children.as_slice()), (None, [1].as_slice()));
    assert_eq!(
        (root.clickable, root.enabled, &*root.class),
        (Some(false), Some(true), "android.widget.FrameLayout")
    );
    let button = &tree.nodes[1];
    assert_eq!(button.parent, Some(0));
    assert_eq!(button.text, "Fish & <chips>");
    assert_eq!(
        (button.description.as_str(), button.hint.as_str(), button.id.as_str()),
        ("b\nc", "h", "com.x:id/a")
    );
    assert_eq!(
        button.bounds,
        Some(Bounds {
            left: -5,
            top: 10,
            right: 20,
            bottom: 40
        })
    );
    assert_eq!((button.clickable, button.password), (Some(true), None));
    assert_eq!(
        (tree.nodes[2].parent, tree.nodes[2].text.as_str()),
        (None, "second window")
    );
}

#[test]
fn other_text_around_the_hierarchy_does_not_matter() {
    let expected = read(SCREEN).unwrap();

    for around in [
        format!("WARNING: linker: <x>\n{SCREEN}"),
        format!("{SCREEN}UI hierchary dumped to: /dev/tty\n"),
        format!("\u{feff}{SCREEN}\n\n"),
        SCREEN.replace("><", ">\r\n<"),
    ] {
        assert_eq!(read(&around).as_ref(), Ok(&expected), "{around}");
    }
}

#[test]
fn utf_16_is_read_in_both_orders() {
    let expected = read(SCREEN).unwrap();
    let units: Vec<u16> = SCREEN.encode_utf16().collect();

    for (mark, bytes) in [
        (
            vec![0xff, 0xfe],
            units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(),
        ),
        (
            vec![0xfe, 0xff],
            units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        ),
        (vec![], units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
    ] {
        assert_eq!(parse(&[mark, bytes].concat(), LIMITS).as_ref(), Ok(&expected));
    }
}

#[test]
fn references_are_resolved_and_broken_ones_stay() {
    assert_eq!(text_of("&#55357;&#56832; &#xD83D;&#xDE00; &#128512;"), "😀 😀 😀");
    assert_eq!(text_of("&#55357; &#56832;x"), "\u{fffd} \u{fffd}x");
    assert_eq!(text_of("&#0;&#1;&#x1b;"), "\u{fffd}\u{1}\u{1b}");
    assert_eq!(
        text_of("&bomb; & &; &#; &#x; &#+9; a&amp"),
        "&bomb; & &; &#; &#x; &#+9; a&amp"
    );
    assert_eq!(text_of("&amp;lt; &apos;&quot;"), "&lt; '\"");
    assert_eq!(text_of("a\r\nb\tc\u{1}d"), "a b c\u{1}d");
    assert_eq!(text_of("&#999999999999;&#x110000;"), "&#999999999999;\u{fffd}");
}

#[test]
fn the_words_of_the_dumping_program_are_typed() {
    let problem = |text: &str| read(text).unwrap_err();

    assert_eq!(problem("ERROR: could not get idle state.\n"), HierarchyProblem::NotIdle);
    assert_eq!(
        problem("ERROR: null root node returned by UiTestAutomationBridge.\n"),
        HierarchyProblem::NoRoot
    );
    assert_eq!(problem("Killed \n"), HierarchyProblem::Killed);
    assert_eq!(problem(" \r\n"), HierarchyProblem::Empty);
    assert_eq!(problem("<hierarchy rotation=\"0\" />"), HierarchyProblem::Empty);
    assert!(matches!(problem("<html>no</html>"), HierarchyProblem::Malformed(_)));
    assert!(matches!(
        problem("<hierarchy_x><node/></hierarchy_x>"),
        HierarchyProblem::Malformed(_)
    ));
}

#[test]
fn half_a_dump_is_never_a_screen() {
    let end = SCREEN.len() - "</hierarchy>".len();

    for cut in (0..=end).filter(|cut| SCREEN.is_char_boundary(*cut)) {
        assert!(read(&SCREEN[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn bounds_may_be_inverted_or_padded_but_not_overflow() {
    let edges = |left, top, right, bottom| {
        Some(Bounds {
            left,
            top,
            right,
            bottom,
        })
    };

    assert_eq!(bounds_of("[96,2798][399,2784]"), edges(96, 2798, 399, 2784));
    assert_eq!(bounds_of(" [ -1 , 2 ] [3, 4 ] "), edges(-1, 2, 3, 4));
    assert_eq!(
        bounds_of("[-2147483648,0][2147483647,1]"),
        edges(i32::MIN, 0, i32::MAX, 1)
    );
    for broken in [
        "",
        "[]",
        "[1,2][3,4",
        "[1,2]",
        "[1,2][3,2147483648]",
        "[a,b][c,d]",
        "[1,2][3,4][5,6]",
    ] {
        assert_eq!(bounds_of(broken), None, "{broken}");
    }
}

#[test]
fn duplicate_attributes_and_a_doctype_do_no_harm() {
    let bomb = "<!DOCTYPE h [<!ENTITY a \"xxxxxxxxxx\"><!ENTITY b \"&a;&a;&a;&a;\">]>";

    let tree = read(&format!(
        "{bomb}<hierarchy>{bomb}<node text=\"&b;\" text=\"last\"/></hierarchy>"
    ))
    .unwrap();

    assert_eq!(tree.nodes[0].text, "last");
}

#[test]
fn elements_named_after_their_class_are_nodes() {
    let tree = read("<hierarchy><android.widget.Button text=\"a\"/></hierarchy>").unwrap();

    assert_eq!(&*tree.nodes[0].class, "android.widget.Button");
}

#[test]
fn size_and_depth_have_caps() {
    let nested = |levels: usize| {
        format!(
            "<hierarchy>{}{}</hierarchy>",
            "<node>".repeat(levels),
            "</node>".repeat(levels)
        )
    };
    let small = TreeLimits { bytes: 1_000, nodes: 3 };

    assert_eq!(read(&nested(5_000)).unwrap().nodes.len(), 5_000);
    assert_eq!(
        read(&nested(20_000)),
        Err(HierarchyProblem::TooLarge {
            limit: LEVELS_MAX,
            unit: "levels"
        })
    );
    assert_eq!(
        parse(nested(4).as_bytes(), small),
        Err(HierarchyProblem::TooLarge {
            limit: 3,
            unit: "nodes"
        })
    );
    assert_eq!(
        parse(&[b'x'; 1_001], small),
        Err(HierarchyProblem::TooLarge {
            limit: 1_000,
            unit: "bytes"
        })
    );
}

/// The children of each node follow it and name it as their parent.
fn assert_consistent(tree: &UiTree) {
    for (place, node) in tree.nodes.iter().enumerate() {
        for child in &node.children {
            assert!(*child > place);
            assert_eq!(tree.nodes[*child].parent, Some(place));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_give_a_result(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let wrapped = [b"<hierarchy>".as_slice(), &bytes, b"</hierarchy>"].concat();
        let _ = parse(&bytes, LIMITS);
        if let Ok(tree) = parse(&wrapped, LIMITS) {
            assert_consistent(&tree);
        }
    }

    #[test]
    fn any_damage_to_a_screen_gives_a_result(
        edits in prop::collection::vec((0..SCREEN.len(), prop::sample::select(b"<>/\"'&;=[] \0\xff\xd8!-?x".to_vec())), 1..6)
    ) {
        let mut bytes = SCREEN.as_bytes().to_vec();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        if let Ok(tree) = parse(&bytes, LIMITS) {
            assert_consistent(&tree);
        }
    }

    #[test]
    fn any_text_comes_back_from_its_references(text in "\\PC*") {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        prop_assert_eq!(text_of(&escaped), text);
    }
}

/// Stress files that stand beside the project on some machines; they are read there and not copied.
#[test]
fn the_stress_files_are_read_as_their_manifest_says() {
    let folder = Path::new("/work/shared/hierarchies");
    let Ok(manifest) = fs::read(folder.join("manifest.json")) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let entries: Vec<serde_json::Value> = serde_json::from_slice(&manifest).unwrap();
    assert!(entries.len() > 10);
    for entry in entries {
        let file = entry["file"].as_str().unwrap();
        let parsed = parse(&fs::read(folder.join(file)).unwrap(), LIMITS);
        match file {
            "empty.txt" | "empty_hierarchy.xml" => assert_eq!(parsed, Err(HierarchyProblem::Empty), "{file}"),
            "null_root.txt" => assert_eq!(parsed, Err(HierarchyProblem::NoRoot)),
            "idle_error.txt" => assert_eq!(parsed, Err(HierarchyProblem::NotIdle)),
            "killed.txt" => assert_eq!(parsed, Err(HierarchyProblem::Killed)),
            file if file.starts_with("truncated") => {
                assert!(
                    matches!(parsed, Err(HierarchyProblem::Malformed(_))),
                    "{file}: {parsed:?}"
                );
            }
            file => {
                let tree = parsed.unwrap_or_else(|problem| panic!("{file}: {problem}"));
                assert!(tree.nodes.len() > 10, "{file}: {} nodes", tree.nodes.len());
                assert_consistent(&tree);
            }
        }
    }
}

#[test]
fn a_tree_takes_at_most_twice_the_memory_of_its_text_but_for_the_first_nodes() {
    /// The first child of a node takes room for four.
    const CHILDREN: usize = 4 * size_of::<usize>();
    for mebibytes in [1, 8] {
        let bytes = mebibytes * 1024 * 1024;
        let limits = TreeLimits {
            bytes,
            nodes: usize::MAX,
        };
        let dump = format!("<hierarchy>{}</hierarchy>", "<node/>".repeat(bytes / 7 - 4));

        let ended = parse(dump.as_bytes(), limits);

        let nodes = nodes_max(dump.len(), limits);
        assert_eq!(
            ended,
            Err(HierarchyProblem::TooLarge {
                limit: nodes,
                unit: "nodes"
            })
        );
        // The list of nodes doubles when it is full.
        let beyond = nodes.saturating_sub(NODES_FREE);
        assert!(
            beyond * (2 * size_of::<UiNode>() + CHILDREN) <= 2 * bytes,
            "{nodes} nodes"
        );
    }
    assert!(size_of::<UiNode>() <= 232, "{}", size_of::<UiNode>());
    assert_eq!(nodes_max(0, LIMITS), NODES_FREE);
}
