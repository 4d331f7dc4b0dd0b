//! What is fuzzed: each takes any bytes, and may neither panic nor hang. The fuzz targets call these, and so do the
//! tests of `tests/mutation.rs`, which run on a stable compiler.

use std::path::PathBuf;

use farmhand::{
    adb::{read_png, read_raw, untrusted},
    flow::{
        parse::{load, sources::Sources},
        select::{Query, find_all, text::Pattern, tree::Screen},
        vision::Template,
    },
};

/// The same bytes whatever file is asked for: includes, scripts and pictures are fuzzed with the flow.
struct Everywhere<'b>(&'b [u8]);

impl Sources for Everywhere<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        // Real folders end somewhere.
        if path.contains('/') {
            return Err(format!("there is no file `{path}`"));
        }
        Ok(self.0.to_vec())
    }

    fn locate(&self, path: &str) -> Result<PathBuf, String> {
        Ok(PathBuf::from(path))
    }
}

/// A flow file.
pub fn flow(bytes: &[u8]) {
    if let Err(problems) = load(&Everywhere(bytes), "flow.yaml") {
        assert!(!problems.is_empty(), "a refusal says why");
    }
}

/// A view tree that a phone dumped.
pub fn hierarchy(bytes: &[u8]) {
    if let Ok(tree) = untrusted::hierarchy(bytes) {
        let count = tree.nodes.len();
        for (at, node) in tree.nodes.iter().enumerate() {
            assert!(node.parent.is_none_or(|parent| parent < at), "parents come first");
            assert!(node.children.iter().all(|child| *child > at && *child < count));
        }
    }
}

/// A pattern (the first line) on the elements of a view tree (the rest).
pub fn selector(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (pattern, rest) = bytes.split_at(end);
    let Ok(pattern) = Pattern::new(&String::from_utf8_lossy(pattern)) else {
        return;
    };
    let _any = pattern.matches_text(&String::from_utf8_lossy(rest));
    let Ok(tree) = untrusted::hierarchy(rest) else { return };
    let by_text = Query {
        text: Some(pattern.clone()),
        ..Query::default()
    };
    let by_id = Query {
        id: Some(pattern),
        contains_descendants: vec![
            by_text.clone(),
            Query {
                any_of: vec![by_text.clone()],
                ..Query::default()
            },
        ],
        index: Some(-1),
        ..Query::default()
    };
    let screen = Screen::new(&tree, 1_080, 2_400);
    for query in [by_text, by_id] {
        let found = find_all(&query, &screen);
        assert!(found.iter().all(|at| screen.node(*at).is_some()));
    }
}

/// A picture beside a flow.
pub fn template(bytes: &[u8]) {
    if let Ok(template) = Template::decode(bytes) {
        let (width, height) = template.size();
        assert!(width >= 8 && height >= 8);
    }
}

/// What an adb server answers.
pub fn server_answer(bytes: &[u8]) {
    if untrusted::server_answer(bytes).is_some() {
        assert!(bytes.starts_with(b"OKAY"));
    }
}

/// What a phone's shell sends.
pub fn shell_packets(bytes: &[u8]) {
    const LIMIT: usize = 64 * 1_024;
    if let Some(output) = untrusted::shell_packets(bytes, LIMIT) {
        assert!(output.stdout.len() + output.stderr.len() <= LIMIT.min(bytes.len()));
    }
}

/// Most pixels that a picture of a screen may have here.
const PIXELS: usize = 64 * 1_024;

/// A raw picture of a phone's screen.
pub fn raw_screen(bytes: &[u8]) {
    if let Ok(picture) = read_raw(bytes.to_vec(), PIXELS) {
        is_whole(picture.width, picture.height, picture.rgba.len());
    }
}

/// A packed picture of a phone's screen.
pub fn png_screen(bytes: &[u8]) {
    if let Ok(picture) = read_png(bytes, PIXELS) {
        is_whole(picture.width, picture.height, picture.rgba.len());
    }
}

fn is_whole(width: u32, height: u32, bytes: usize) {
    let pixels = usize::try_from(u64::from(width) * u64::from(height)).expect("few enough");
    assert!(
        pixels <= PIXELS && bytes == pixels * 4,
        "{width} x {height} pixels in {bytes} bytes"
    );
}

/// What a phone's agent answers, HTTP and JSON, to the call 7.
pub fn agent_answer(bytes: &[u8]) {
    const LIMIT: usize = 64 * 1_024;
    if let Some(result) = untrusted::agent_answer(bytes, 7, LIMIT) {
        assert!(!result.is_null(), "nothing is no result");
    }
}
