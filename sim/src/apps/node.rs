//! What a screen is made of: nodes with a place, words, a look, and what a finger does to them.

use super::{Action, Field};
use crate::handset::View;

/// Pixels; right and bottom are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rect {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Rect {
    /// From its edges.
    pub const fn new(left: i32, top: i32, right: i32, bottom: i32) -> Self {
        Self {
            left,
            top,
            right,
            bottom,
        }
    }

    /// From its corner and size.
    pub const fn at(left: i32, top: i32, width: i32, height: i32) -> Self {
        Self {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    }

    pub fn width(&self) -> i32 {
        self.right - self.left
    }

    pub fn height(&self) -> i32 {
        self.bottom - self.top
    }

    pub fn contains(&self, x: i32, y: i32) -> bool {
        (self.left..self.right).contains(&x) && (self.top..self.bottom).contains(&y)
    }

    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.width() <= 0 || self.height() <= 0
    }

    /// Smaller by this much on every side.
    pub fn inset(&self, by: i32) -> Self {
        Self {
            left: self.left + by,
            top: self.top + by,
            right: self.right - by,
            bottom: self.bottom - by,
        }
    }
}

/// `0xAARRGGBB`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color(pub u32);

/// Where a text stands in its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Align {
    #[default]
    Start,
    Centre,
}

/// What is drawn besides fill and text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Picture {
    /// A simple line drawing.
    Icon(Icon),
    /// A photo or video: a coloured tile with its name.
    Tile { name: String, video: bool },
    /// A round portrait with the name's initial.
    Avatar(String),
    /// A slider's knob at 0..=100.
    Slider(u8),
    /// One letter in the middle.
    Glyph(String),
    /// A switch.
    Switch(bool),
}

/// The line drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icon {
    Back,
    Close,
    Home,
    Search,
    Plus,
    Inbox,
    Person,
    Heart,
    Comment,
    Share,
    Note,
    Volume,
    Check,
    ChevronRight,
    ChevronDown,
    Lock,
}

/// How a node is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Look {
    pub fill: Option<Color>,
    pub radius: i32,
    pub border: Option<Color>,
    /// Height of the text, pixels; 0 is the usual 42.
    pub size: i32,
    pub ink: Option<Color>,
    pub align: Align,
    pub picture: Option<Picture>,
}

/// Which of a screen's scrolling parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScrollId(pub &'static str);

/// How far a part can scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scroll {
    pub id: ScrollId,
    /// The largest offset, pixels.
    pub max: i32,
    /// A part that moves by whole pages: their height.
    pub page: Option<i32>,
}

/// A view of a screen. Place and clipping are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Node {
    pub class: &'static str,
    /// Without the package, e.g. `post_button`; with it when it contains a colon.
    pub id: String,
    pub text: String,
    pub hint: String,
    pub description: String,
    pub rect: Rect,
    pub disabled: bool,
    pub checkable: bool,
    pub checked: bool,
    pub selected: bool,
    pub password: bool,
    pub focused: bool,
    pub action: Option<Action>,
    pub long_action: Option<Action>,
    pub field: Option<Field>,
    pub scroll: Option<Scroll>,
    pub look: Look,
    pub children: Vec<Node>,
}

pub mod class {
    //! The class names that dumps show.
    pub const FRAME: &str = "android.widget.FrameLayout";
    pub const LINEAR: &str = "android.widget.LinearLayout";
    pub const RELATIVE: &str = "android.widget.RelativeLayout";
    pub const TEXT: &str = "android.widget.TextView";
    pub const EDIT: &str = "android.widget.EditText";
    pub const BUTTON: &str = "android.widget.Button";
    pub const IMAGE: &str = "android.widget.ImageView";
    pub const IMAGE_BUTTON: &str = "android.widget.ImageButton";
    pub const VIEW: &str = "android.view.View";
    pub const GROUP: &str = "android.view.ViewGroup";
    pub const LIST: &str = "androidx.recyclerview.widget.RecyclerView";
    pub const PAGER: &str = "androidx.viewpager2.widget.ViewPager2";
    pub const SWITCH: &str = "android.widget.Switch";
    pub const SEEK: &str = "android.widget.SeekBar";
    pub const PROGRESS: &str = "android.widget.ProgressBar";
}

impl Node {
    /// A bare node.
    pub fn new(class: &'static str, rect: Rect) -> Self {
        Self {
            class,
            rect,
            ..Self::default()
        }
    }

    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub fn desc(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    pub fn tap(mut self, action: impl Into<Action>) -> Self {
        self.action = Some(action.into());
        self
    }

    pub fn fill(mut self, color: Color) -> Self {
        self.look.fill = Some(color);
        self
    }

    pub fn radius(mut self, radius: i32) -> Self {
        self.look.radius = radius;
        self
    }

    pub fn border(mut self, color: Color) -> Self {
        self.look.border = Some(color);
        self
    }

    pub fn size(mut self, size: i32) -> Self {
        self.look.size = size;
        self
    }

    pub fn ink(mut self, color: Color) -> Self {
        self.look.ink = Some(color);
        self
    }

    pub fn centred(mut self) -> Self {
        self.look.align = Align::Centre;
        self
    }

    pub fn picture(mut self, picture: Picture) -> Self {
        self.look.picture = Some(picture);
        self
    }

    pub fn selected(mut self, selected: bool) -> Self {
        self.selected = selected;
        self
    }

    pub fn enabled(mut self, enabled: bool) -> Self {
        self.disabled = !enabled;
        self
    }

    pub fn checked(mut self, checked: bool) -> Self {
        self.checkable = true;
        self.checked = checked;
        self
    }

    pub fn with(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    pub fn all(mut self, children: impl IntoIterator<Item = Node>) -> Self {
        self.children.extend(children);
        self
    }

    /// Makes this a scrolling part: `content` lies below `rect.top` in order and is `height` pixels high. What is
    /// outside of the part is left out, what is partly outside is cut, as in real dumps.
    pub fn scrolling(mut self, id: ScrollId, height: i32, offset: i32, content: Vec<Node>) -> Self {
        let max = (height - self.rect.height()).max(0);
        let offset = offset.clamp(0, max);
        self.scroll = Some(Scroll { id, max, page: None });
        let rect = self.rect;
        self.children.extend(
            content
                .into_iter()
                .filter_map(|node| node.shifted(-offset).clipped(&rect)),
        );
        self
    }

    fn shifted(mut self, dy: i32) -> Self {
        self.rect.top += dy;
        self.rect.bottom += dy;
        self.children = self.children.into_iter().map(|child| child.shifted(dy)).collect();
        self
    }

    fn clipped(mut self, to: &Rect) -> Option<Self> {
        self.rect = self.rect.intersection(to);
        if self.rect.is_empty() {
            return None;
        }
        self.children = self
            .children
            .into_iter()
            .filter_map(|child| child.clipped(to))
            .collect();
        Some(self)
    }

    /// The innermost, topmost node at a point that satisfies a condition; later children lie above earlier ones.
    pub fn hit(&self, x: i32, y: i32, wanted: &dyn Fn(&Node) -> bool) -> Option<&Node> {
        if !self.rect.contains(x, y) {
            return None;
        }
        let inner = self.children.iter().rev().find_map(|child| child.hit(x, y, wanted));
        inner.or_else(|| wanted(self).then_some(self))
    }

    /// As a dump shows it.
    pub fn into_view(self, package: &str) -> View {
        let clickable = self.action.is_some() || self.field.is_some();
        let id = match self.id.as_str() {
            "" => String::new(),
            full if full.contains(':') => self.id,
            short => format!("{package}:id/{short}"),
        };
        View {
            clickable,
            focusable: clickable || self.scroll.is_some(),
            enabled: !self.disabled,
            long_clickable: self.long_action.is_some() || self.field.is_some(),
            scrollable: self.scroll.is_some_and(|scroll| scroll.max > 0),
            text: if self.password {
                "•".repeat(self.text.chars().count())
            } else {
                self.text
            },
            hint: self.hint,
            description: self.description,
            id,
            class: self.class.to_owned(),
            package: package.to_owned(),
            bounds: [self.rect.left, self.rect.top, self.rect.right, self.rect.bottom],
            checkable: self.checkable,
            checked: self.checked,
            focused: self.focused,
            password: self.password,
            selected: self.selected,
            children: self
                .children
                .into_iter()
                .map(|child| child.into_view(package))
                .collect(),
        }
    }
}
