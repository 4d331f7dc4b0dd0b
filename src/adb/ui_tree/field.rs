//! What the attributes of a node tell.

/// An attribute by its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Text,
    Hint,
    Description,
    Id,
    Class,
    Package,
    Bounds,
    Clickable,
    Enabled,
    Checked,
    Focused,
    Selected,
    Scrollable,
    Password,
    /// Nothing that is used.
    Other,
}

impl Field {
    /// By the name in a dump.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "hint" | "hintText" => Self::Hint,
            "content-desc" => Self::Description,
            "resource-id" => Self::Id,
            "class" => Self::Class,
            "package" => Self::Package,
            "bounds" => Self::Bounds,
            "clickable" => Self::Clickable,
            "enabled" => Self::Enabled,
            "checked" => Self::Checked,
            "focused" => Self::Focused,
            "selected" => Self::Selected,
            "scrollable" => Self::Scrollable,
            "password" => Self::Password,
            _ => Self::Other,
        }
    }
}
