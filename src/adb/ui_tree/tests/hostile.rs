//! Dumps that are meant to harm the reader: each gives a typed error or what can be read of it.

use super::{super::*, LIMITS};

fn read(dump: impl AsRef<[u8]>) -> Result<UiTree, HierarchyProblem> {
    parse(dump.as_ref(), LIMITS)
}

fn too_large(limit: usize, unit: &'static str) -> Result<UiTree, HierarchyProblem> {
    Err(HierarchyProblem::TooLarge { limit, unit })
}

#[test]
fn f17_an_empty_dump_is_empty() {
    for dump in ["", " \r\n\t", "<hierarchy rotation=\"0\"/>", "<hierarchy></hierarchy>"] {
        assert_eq!(read(dump), Err(HierarchyProblem::Empty), "{dump:?}");
    }
}

#[test]
fn f17_a_dump_cut_at_each_byte_is_never_a_screen() {
    let whole = "<?xml version='1.0' encoding='UTF-8'?><hierarchy rotation=\"0\"><node text=\"ż &amp; 😀\" \
                 bounds=\"[0,0][9,9]\"><node class='a' /></node></hierarchy>";
    assert_eq!(read(whole).unwrap().nodes.len(), 2);
    for end in 0..whole.len() {
        let problem = read(&whole.as_bytes()[..end]);
        assert!(
            matches!(problem, Err(HierarchyProblem::Empty | HierarchyProblem::Malformed(_))),
            "cut at {end}: {problem:?}"
        );
    }
}

#[test]
fn f17_a_dump_of_50_megabytes_is_refused_by_its_size() {
    let mut dump = b"<hierarchy><node text=\"".to_vec();
    dump.resize(50 * 1024 * 1024, b'x');
    assert_eq!(read(&dump), too_large(LIMITS.bytes, "bytes"));
}

#[test]
fn f17_a_dump_of_100000_nodes_is_refused_by_their_number() {
    let dump = format!("<hierarchy>{}</hierarchy>", "<node text=\"a\"/>".repeat(100_000));
    assert!(dump.len() < LIMITS.bytes);
    assert_eq!(read(&dump), too_large(NODES_FREE, "nodes"));
    let allowed = format!("<hierarchy>{}</hierarchy>", "<node/>".repeat(NODES_FREE));
    assert_eq!(read(&allowed).unwrap().nodes.len(), NODES_FREE);
    // Nodes as long as real ones.
    let real = TreeLimits {
        bytes: 32 * 1024 * 1024,
        ..LIMITS
    };
    let node = format!("<node text=\"{}\"/>", "a".repeat(BYTES_PER_NODE));
    let of = |nodes| format!("<hierarchy>{}</hierarchy>", node.repeat(nodes));
    assert_eq!(
        parse(of(LIMITS.nodes).as_bytes(), real).unwrap().nodes.len(),
        LIMITS.nodes
    );
    assert_eq!(
        parse(of(LIMITS.nodes + 1).as_bytes(), real),
        too_large(LIMITS.nodes, "nodes")
    );
}

#[test]
fn f17_a_dump_of_depth_10000_is_read_or_refused_without_recursion() {
    let nested = |levels: usize| {
        let (open, close) = ("<node>".repeat(levels), "</node>".repeat(levels));
        format!("<hierarchy>{open}{close}</hierarchy>")
    };
    assert_eq!(read(nested(LEVELS_MAX - 1)).unwrap().nodes.len(), LEVELS_MAX - 1);
    assert_eq!(read(nested(LEVELS_MAX)), too_large(LEVELS_MAX, "levels"));
    assert_eq!(
        read("<hierarchy>".to_owned() + &"<node>".repeat(1_000_000)),
        too_large(LEVELS_MAX, "levels")
    );
}

#[test]
fn f17_invalid_utf_8_and_nul_are_replaced_or_kept_and_the_rest_is_read() {
    let dump = b"<hierarchy><node text=\"a\xff\xfe\xc0\x80b\" class=\"c\"/></hierarchy>";
    let tree = read(dump).unwrap();
    assert!(tree.nodes[0].text.starts_with('a') && tree.nodes[0].text.ends_with('b'));
    assert!(tree.nodes[0].text.contains('\u{fffd}'));
    assert_eq!(&*tree.nodes[0].class, "c");

    let tree = read(b"<hierarchy><node text=\"a\0b\" class=\"c\"/></hierarchy>").unwrap();
    assert_eq!(tree.nodes[0].text.chars().filter(char::is_ascii_alphabetic).count(), 2);
    assert_eq!(&*tree.nodes[0].class, "c");
    assert!(read(b"\0\0\0\0").is_err());
}

#[test]
fn f17_entities_are_never_expanded_and_a_dtd_is_never_obeyed() {
    let entities: String = (1..10)
        .map(|level| format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10)))
        .collect();
    let dtd = format!("<!DOCTYPE h [<!ENTITY e0 \"xxxxxxxxxx\">{entities}<!ENTITY f SYSTEM \"file:///etc/passwd\">]>");
    for dump in [
        format!("{dtd}<hierarchy><node text=\"&e9;&f;\"/></hierarchy>"),
        format!("<hierarchy>{dtd}<node text=\"&e9;&f;\"/></hierarchy>"),
    ] {
        assert_eq!(read(&dump).unwrap().nodes[0].text, "&e9;&f;");
    }
    let unclosed = "<hierarchy><!DOCTYPE h [<!ENTITY a \"";
    assert!(matches!(read(unclosed), Err(HierarchyProblem::Malformed(_))));
}

#[test]
fn f17_of_duplicate_attributes_the_last_counts() {
    let many = "text=\"first\" ".repeat(10_000);
    let tree = read(format!("<hierarchy><node {many} text=\"last\"/></hierarchy>")).unwrap();
    assert_eq!(tree.nodes[0].text, "last");
}

#[test]
fn f17_a_null_root_node_is_typed() {
    for dump in [
        "ERROR: null root node returned by UiTestAutomationBridge.",
        "WARNING: linker: x\nERROR: null root node returned by UiTestAutomationBridge.\n",
    ] {
        assert_eq!(read(dump), Err(HierarchyProblem::NoRoot));
    }
}

#[test]
fn f17_weird_bounds_are_kept_or_unknown_and_never_overflow() {
    let bounds = |text: &str| {
        let tree = read(format!("<hierarchy><node bounds=\"{text}\"/></hierarchy>")).unwrap();
        tree.nodes[0].bounds
    };
    for (text, width) in [
        ("[-50,-60][-10,-20]", 40),
        ("[96,2798][399,2784]", 303),
        ("[10,10][5,5]", 0),
        ("[-2147483648,0][2147483647,1]", i32::MAX),
    ] {
        let bounds = bounds(text).expect(text);
        assert_eq!(bounds.width(), width, "{text}");
        let _ = (bounds.centre(), bounds.height());
    }
    for text in [
        "[0,0][99999999999,1]",
        "[0,0]",
        "[a,b][c,d]",
        "",
        "[[[[",
        "[1.5,0][2,2]",
        "[0,0][1,1][2,2]",
    ] {
        assert_eq!(bounds(text), None, "{text}");
    }
}
