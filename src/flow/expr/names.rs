//! Names that variables of flows may not have.

/// What scripts of flows find under these names is farmhand's.
const OWN_TEXTS: [&str; 10] = [
    "SERIAL",
    "USERNAME",
    "APP",
    "APP_PACKAGE",
    "TASK_ID",
    "ATTEMPT",
    "MAESTRO_FILENAME",
    "MAESTRO_DEVICE_UDID",
    "MAESTRO_SHARD_ID",
    "MAESTRO_SHARD_INDEX",
];
const OWN_OBJECTS: [&str; 14] = [
    "params",
    "target",
    "media",
    "effect",
    "output",
    "maestro",
    "http",
    "json",
    "pattern",
    "relativePoint",
    "console",
    "globalThis",
    "undefined",
    "eval",
];

/// Words of JavaScript, and globals that cannot be set (ECMA-262, sections 12.7.2 and 19.1).
const WORDS: [&str; 49] = [
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "arguments",
    "NaN",
    "Infinity",
];

/// Whether scripts can name a variable so.
#[must_use]
pub fn is_variable(name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || "_$".contains(c);
    name.chars().all(is_word) && !name.starts_with(char::is_numeric) && !name.is_empty() && !WORDS.contains(&name)
}

/// Names of what scripts work with: not even a flow itself may cover these. (It may cover our texts, as upstream's scopes do:
/// whose account is shown is the account's own flow's business, which sees none of its variables.)
#[must_use]
pub fn is_own_object(name: &str) -> bool {
    name.starts_with("__") || OWN_OBJECTS.contains(&name)
}

/// Names of variables that are farmhand's own: what a flow finds under them must be what farmhand put there.
#[must_use]
pub fn is_own_name(name: &str) -> bool {
    OWN_TEXTS.contains(&name) || is_own_object(name)
}
