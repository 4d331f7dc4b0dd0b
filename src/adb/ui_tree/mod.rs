//! Reads what `uiautomator dump` and the uiautomator2 agent print: well-formed hierarchies, and those that are not
//! (other text around them, other encodings, references to half a character). Streaming and iterative: neither the
//! depth nor the size of a dump can exhaust the stack, and caps bound the memory. A dump that ends in the middle is
//! an error, because "not there" must never be concluded from half a screen.

mod attributes;
mod field;
mod shared;
mod text;

use farmhand_actors::{
    domain::{Bounds, UiNode, UiTree},
    ports::HierarchyProblem,
};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use self::{
    attributes::{Attributes, Order},
    field::Field,
    shared::SharedWords,
    text::{decode, resolve_references},
};

/// Caps of one dump.
#[derive(Debug, Clone, Copy)]
pub(super) struct TreeLimits {
    /// Bytes of text.
    pub(super) bytes: usize,
    /// Nodes of all windows.
    pub(super) nodes: usize,
}

/// Real screens have fewer than 100 levels; a window of 1,500 was seen in a test.
const LEVELS_MAX: usize = 10_000;

/// So many nodes any dump may have (two megabytes of memory); beyond them one for so many of its bytes. A node of a real
/// dump has 300 bytes and more: one made of few bytes each would take thirty times its size.
const NODES_FREE: usize = 10_000;
const BYTES_PER_NODE: usize = 256;

/// How much of an unreadable dump an error shows.
const SHOWN_CHARS: usize = 120;

/// Reads a dump.
pub(super) fn parse(dump: &[u8], limits: TreeLimits) -> Result<UiTree, HierarchyProblem> {
    if dump.len() > limits.bytes {
        return Err(HierarchyProblem::TooLarge {
            limit: limits.bytes,
            unit: "bytes",
        });
    }
    let dump = decode(dump);
    let Some(start) = start_of_hierarchy(&dump) else {
        return Err(problem_of_text(&dump));
    };
    let xml = dump.get(start..).unwrap_or_default();
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut builder = Builder::new(xml.len(), nodes_max(xml.len(), limits));
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) => builder.open(&element)?,
            Ok(Event::Empty(element)) => {
                builder.open(&element)?;
                builder.close();
            }
            Ok(Event::End(_)) => builder.close(),
            Ok(Event::Eof) => return Err(HierarchyProblem::Malformed("it ends in the middle".to_owned())),
            Ok(_) => {}
            Err(error) => {
                let place = reader.error_position();
                return Err(HierarchyProblem::Malformed(format!("{error} (byte {place})")));
            }
        }
        if builder.finished {
            return builder.finish();
        }
    }
}

/// See [`crate::adb::count_elements`].
pub(super) fn count_elements(text: &str) -> Result<usize, HierarchyProblem> {
    let malformed = |problem: String| HierarchyProblem::Malformed(problem);
    let mut reader = Reader::from_str(text);
    let mut elements = 0;
    loop {
        match reader.read_event().map_err(|error| malformed(error.to_string()))? {
            Event::Start(element) | Event::Empty(element) => {
                elements += 1;
                for attribute in element.attributes().with_checks(false) {
                    std::hint::black_box(attribute.map_err(|error| malformed(error.to_string()))?);
                }
            }
            Event::Eof => return Ok(elements),
            _ => {}
        }
    }
}

/// So that the tree takes at most twice the memory of its text, but for the first nodes.
fn nodes_max(bytes: usize, limits: TreeLimits) -> usize {
    limits.nodes.min(NODES_FREE.max(bytes / BYTES_PER_NODE))
}

/// What a text that is no hierarchy means: the words of the dumping program, or of the system that killed it.
pub(super) fn problem_of_text(text: &str) -> HierarchyProblem {
    if text.contains("could not get idle state") {
        HierarchyProblem::NotIdle
    } else if text.contains("null root node") {
        HierarchyProblem::NoRoot
    } else if text.trim() == "Killed" || text.lines().any(|line| line.trim().ends_with("Killed")) {
        HierarchyProblem::Killed
    } else if text.trim().is_empty() {
        HierarchyProblem::Empty
    } else {
        let shown: String = super::error::one_line(text).chars().take(SHOWN_CHARS).collect();
        // The phone's own messages are English; signs without sense help nobody.
        let legible = shown.chars().all(|sign| sign.is_ascii_graphic() || sign == ' ');
        HierarchyProblem::Malformed(match legible {
            true => format!("there is no <hierarchy> in {shown:?}"),
            false => format!("{} bytes that are no text came instead of a <hierarchy>", text.len()),
        })
    }
}

/// Where the XML begins; before it can stand anything that the phone printed.
fn start_of_hierarchy(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = rest.find("<hierarchy")?;
        // `<hierarchy_of_something` is another element.
        match rest.as_bytes().get(at + "<hierarchy".len()) {
            Some(b) if b.is_ascii_alphanumeric() || *b == b'_' => from += at + 1,
            _ => return Some(from + at),
        }
    }
}

/// The tree so far.
struct Builder {
    tree: UiTree,
    /// Places of the open elements; `None` for the hierarchy itself.
    open: Vec<Option<usize>>,
    order: Order,
    classes: SharedWords,
    packages: SharedWords,
    nodes_max: usize,
    finished: bool,
}

impl Builder {
    fn new(bytes: usize, nodes_max: usize) -> Self {
        Self {
            tree: UiTree {
                nodes: Vec::with_capacity(nodes_max.min(bytes / BYTES_PER_NODE)),
                rotation: 0,
            },
            open: Vec::new(),
            order: Order::default(),
            classes: SharedWords::default(),
            packages: SharedWords::default(),
            nodes_max,
            finished: false,
        }
    }

    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), HierarchyProblem> {
        if self.open.is_empty() {
            self.tree.rotation = rotation_of(element);
            self.open.push(None);
            return Ok(());
        }
        if self.open.len() >= LEVELS_MAX {
            return Err(HierarchyProblem::TooLarge {
                limit: LEVELS_MAX,
                unit: "levels",
            });
        }
        if self.tree.nodes.len() >= self.nodes_max {
            return Err(HierarchyProblem::TooLarge {
                limit: self.nodes_max,
                unit: "nodes",
            });
        }
        let place = self.tree.nodes.len();
        let parent = self.open.last().copied().flatten();
        if let Some(parent) = parent.and_then(|parent| self.tree.nodes.get_mut(parent)) {
            parent.children.push(place);
        }
        self.open.push(Some(place));
        self.read_node(element, parent)
    }

    /// In its place at once: a node is too large to be handed about.
    fn read_node(&mut self, element: &BytesStart<'_>, parent: Option<usize>) -> Result<(), HierarchyProblem> {
        let Self {
            tree,
            order,
            classes,
            packages,
            ..
        } = self;
        let node = tree.nodes.push_mut(UiNode {
            parent,
            ..UiNode::default()
        });
        let read = order.read(element.attributes_raw(), |field, value| match field {
            Field::Text => node.text = resolve_references(value),
            Field::Hint => node.hint = resolve_references(value),
            Field::Description => node.description = resolve_references(value),
            Field::Id => node.id = resolve_references(value),
            Field::Class => node.class = classes.shared(value),
            Field::Package => node.package = packages.shared(value),
            Field::Bounds => node.bounds = bounds_of(value),
            Field::Clickable => node.clickable = truth_of(value),
            Field::Enabled => node.enabled = truth_of(value),
            Field::Checked => node.checked = truth_of(value),
            Field::Focused => node.focused = truth_of(value),
            Field::Selected => node.selected = truth_of(value),
            Field::Scrollable => node.scrollable = truth_of(value),
            Field::Password => node.password = truth_of(value),
            Field::Other => {}
        });
        read.map_err(|problem| HierarchyProblem::Malformed(format!("an attribute: {problem}")))?;
        // Some dumpers name the element after the class instead of `node`.
        if node.class.is_empty() && element.name().as_ref() != "node" {
            node.class = classes.shared(element.name().as_ref());
        }
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
        self.finished = self.open.is_empty();
    }

    fn finish(self) -> Result<UiTree, HierarchyProblem> {
        if self.tree.nodes.is_empty() {
            Err(HierarchyProblem::Empty)
        } else {
            Ok(self.tree)
        }
    }
}

fn rotation_of(element: &BytesStart<'_>) -> u8 {
    let mut attributes = Attributes::of(element.attributes_raw()).flatten();
    let rotation = attributes.find(|(name, _)| *name == "rotation");
    rotation
        .and_then(|(_, turns)| turns.trim().parse().ok())
        .filter(|turns| *turns < 4)
        .unwrap_or(0)
}

fn truth_of(value: &str) -> Option<bool> {
    match value.trim_ascii() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// `[left,top][right,bottom]`; blanks are allowed, numbers beyond 32 bits are not. Clipped views have edges the wrong
/// way round: these stay as they are.
fn bounds_of(value: &str) -> Option<Bounds> {
    let mut rest = value.as_bytes();
    let bounds = Bounds {
        left: number_after(&mut rest, b'[')?,
        top: number_after(&mut rest, b',')?,
        right: {
            rest = rest.trim_ascii_start().strip_prefix(b"]")?;
            number_after(&mut rest, b'[')?
        },
        bottom: number_after(&mut rest, b',')?,
    };
    (rest.trim_ascii() == b"]").then_some(bounds)
}

/// The whole number behind this character, with or without a sign; what stands behind it is left.
fn number_after(rest: &mut &[u8], character: u8) -> Option<i32> {
    let text = rest.trim_ascii_start().strip_prefix(&[character])?.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let (mut number, mut length) = (0_i32, 0);
    for digit in digits
        .iter()
        .map_while(|byte| byte.is_ascii_digit().then(|| i32::from(byte - b'0')))
    {
        number = number
            .checked_mul(10)?
            .checked_add(if negative { -digit } else { digit })?;
        length += 1;
    }
    *rest = digits.get(length..)?;
    (length > 0).then_some(number)
}

#[cfg(test)]
mod tests;
