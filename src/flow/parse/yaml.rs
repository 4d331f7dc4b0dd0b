//! YAML text to trees of nodes that know their places.
//!
//! Built from the parser's events, since a deserialiser would lose the raw text of scalars and their columns. The
//! limits keep a hostile file from costing more than a flow is worth.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::flow::problem::{Place, Problems};

/// Longest flow file that is read, bytes. The longest real one known to us has 40 kB.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting; nested `runFlow` commands of real flows stay below 30.
const MAX_DEPTH: usize = 64;
/// Most nodes of a file with its aliases expanded: the guard against alias bombs.
const MAX_NODES: usize = 50_000;

/// A node of a document.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub value: NodeValue,
    /// Nodes in it, with itself, aliases expanded.
    size: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeValue {
    /// Nothing: an absent value, `~` or `null`.
    Null,
    /// A scalar's text as written, without its quotes.
    Scalar {
        /// The text.
        text: String,
        /// Whether it was quoted (or a block): then it is a string whatever it looks like.
        quoted: bool,
    },
    /// A sequence.
    List(Vec<Arc<Node>>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub value: Arc<Node>,
}

impl Node {
    /// The kind of node, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Scalar { .. } => "a scalar",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a map",
        }
    }
}

/// Reads all documents of a file. Faults are noted; `None` when there is nothing to go on with.
pub fn read_documents(file: &Arc<str>, bytes: &[u8], problems: &mut Problems) -> Option<Vec<Arc<Node>>> {
    let start = Place {
        file: file.clone(),
        line: 1,
        column: 1,
    };
    if bytes.len() > MAX_BYTES {
        problems.add(
            &start,
            "File Too Large",
            format!(
                "the file has {} bytes, a flow may have {MAX_BYTES}: split it with `runFlow`",
                bytes.len()
            ),
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let place = end_of(bytes.get(..error.valid_up_to()).unwrap_or_default(), &start);
            problems.add(&place, "Parsing Failed", "the file is not UTF-8 text: save it as UTF-8");
            return None;
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Builder::new(file.clone(), problems).build(text)
}

/// What helps against a fault, by the words of the YAML parser.
fn mend(info: &str) -> &'static str {
    if info.contains("mapping values") || info.contains("flow mapping") || info.contains("flow sequence") {
        "; put a text that holds `: `, `{`, `[` or `,` in quotes"
    } else if info.contains("cannot start any token") || info.contains("unexpected character") {
        "; put a text that begins with `@`, `%` or a backtick in quotes"
    } else if info.contains("expected key") || info.contains("block mapping") || info.contains("block collection") {
        "; a line `---` stands between the config section and the commands, each command begins with `- `, and what belongs \
         together is indented alike"
    } else {
        ""
    }
}

/// Where a text ends.
fn end_of(text: &[u8], start: &Place) -> Place {
    let text = String::from_utf8_lossy(text);
    let last = text.rsplit('\n').next().unwrap_or_default();
    Place {
        file: start.file.clone(),
        line: text.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    }
}

/// The first tab before a line's first word, up to the line where the parser gave up.
fn indenting_tab(text: &str, last_line: usize) -> Option<(usize, usize)> {
    text.lines().take(last_line).enumerate().find_map(|(number, line)| {
        let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let column = line.get(..blank)?.find('\t')?;
        (!line.trim().is_empty()).then_some((number + 1, column + 1))
    })
}

/// A collection that is not closed yet.
enum Open {
    List {
        place: Place,
        anchor: usize,
        items: Vec<Arc<Node>>,
    },
    Map {
        place: Place,
        anchor: usize,
        entries: Vec<Entry>,
        /// Keys so far.
        seen: HashSet<String>,
        key: Option<Key>,
    },
}

/// A key whose value is still to come.
struct Key {
    text: String,
    place: Place,
    /// It stood there before: that is told, and its value not looked at.
    repeated: bool,
}

struct Builder<'a> {
    file: Arc<str>,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    documents: Vec<Arc<Node>>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn new(file: Arc<str>, problems: &'a mut Problems) -> Self {
        Self {
            file,
            problems,
            open: Vec::new(),
            anchors: HashMap::new(),
            documents: Vec::new(),
            nodes: 0,
        }
    }

    fn build(mut self, text: &str) -> Option<Vec<Arc<Node>>> {
        for event in Parser::new_from_str(text) {
            match event {
                Ok((event, span)) => self.take(event, span)?,
                Err(error) => {
                    let mut place = self.place(*error.marker());
                    let mut message = format!("{}{}", error.info(), mend(error.info()));
                    if let Some((line, column)) = indenting_tab(text, place.line) {
                        (place.line, place.column) = (line, column);
                        message = "YAML is indented with spaces, here is a tab".to_owned();
                    } else if text
                        .lines()
                        .nth(place.line.saturating_sub(1))
                        .is_some_and(|line| line.contains('\t'))
                    {
                        message += "; there is a tab in this line: write spaces instead";
                    }
                    self.problems.add(&place, "Parsing Failed", message);
                    return None;
                }
            }
        }
        Some(self.documents)
    }

    fn place(&self, marker: Marker) -> Place {
        Place {
            file: self.file.clone(),
            line: marker.line().max(1),
            column: marker.col() + 1,
        }
    }

    /// `None` ends the reading: a limit was broken.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let place = self.place(span.start);
        match event {
            Event::Scalar(text, ..) if text.contains('\0') => {
                let message = "a text may not hold the character NUL (`\\0`), which no phone takes";
                self.problems.add(&place, "Parsing Failed", message);
                None
            }
            Event::Scalar(text, style, anchor, _) => {
                let value = scalar(text.into_owned(), style);
                self.close(Node { place, value, size: 1 }, anchor)
            }
            Event::Alias(anchor) => {
                if let Some(node) = self.anchors.get(&anchor).cloned() {
                    return self.attach(node);
                }
                let message = "the alias names no anchor that is closed before it in the same document";
                self.problems.add(&place, "Parsing Failed", message);
                None
            }
            Event::SequenceStart(anchor, _) => self.push(Open::List {
                place,
                anchor,
                items: Vec::new(),
            }),
            Event::MappingStart(anchor, _) => self.push(Open::Map {
                place,
                anchor,
                entries: Vec::new(),
                seen: HashSet::new(),
                key: None,
            }),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Some(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Some(()),
        }
    }

    fn push(&mut self, open: Open) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            let (Open::List { place, .. } | Open::Map { place, .. }) = &open;
            let message = format!("the file is nested deeper than {MAX_DEPTH} levels");
            self.problems.add(place, "Parsing Failed", message);
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn end(&mut self) -> Option<()> {
        match self.open.pop()? {
            Open::List { place, anchor, items } => {
                let size = items.iter().fold(1, |sum: usize, item| sum.saturating_add(item.size));
                let value = NodeValue::List(items);
                self.close(Node { place, value, size }, anchor)
            }
            Open::Map {
                place, anchor, entries, ..
            } => {
                let size = entries
                    .iter()
                    .fold(1, |sum: usize, entry| sum.saturating_add(entry.value.size));
                let value = NodeValue::Map(entries);
                self.close(Node { place, value, size }, anchor)
            }
        }
    }

    fn close(&mut self, node: Node, anchor: usize) -> Option<()> {
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.nodes = self.nodes.saturating_add(1);
        self.attach(node)
    }

    fn attach(&mut self, node: Arc<Node>) -> Option<()> {
        if node.size > MAX_NODES || self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} nodes when its aliases are expanded");
            self.problems.add(&node.place, "Parsing Failed", message);
            return None;
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, seen, key, .. }) => match key.take() {
                None => {
                    let NodeValue::Scalar { text, .. } = &node.value else {
                        self.problems
                            .add(&node.place, "Parsing Failed", "a key must be a plain word");
                        return None;
                    };
                    if text == "<<" {
                        let message = "the merge key `<<` means nothing here; write the entries out, or put them into a \
                                       file for `runFlow`";
                        self.problems.add(&node.place, "Parsing Failed", message);
                        return None;
                    }
                    let repeated = !seen.insert(text.clone());
                    if repeated {
                        let message = format!("the key `{text}` stands here for the second time; keep one of them");
                        self.problems
                            .add(&node.place, format!("Duplicate Key: {text}"), message);
                    }
                    *key = Some(Key {
                        text: text.clone(),
                        place: node.place.clone(),
                        repeated,
                    });
                }
                Some(Key { repeated: true, .. }) => {}
                Some(Key { text, place, .. }) => entries.push(Entry {
                    key: text,
                    place,
                    value: node,
                }),
            },
        }
        Some(())
    }
}

fn scalar(text: String, style: ScalarStyle) -> NodeValue {
    let quoted = style != ScalarStyle::Plain;
    if !quoted && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
        return NodeValue::Null;
    }
    NodeValue::Scalar { text, quoted }
}
