//! A parsed shell text.

/// Pipelines joined by `&&` and `||`, perhaps in the background.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub first: Pipeline,
    pub rest: Vec<(Connector, Pipeline)>,
    /// Ended by `&`.
    pub background: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connector {
    And,
    Or,
}

/// Commands joined by `|`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pipeline {
    /// Begins with `!`.
    pub negated: bool,
    pub commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub kind: CommandKind,
    /// In the order of the text.
    pub redirects: Vec<Redirect>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CommandKind {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
    },
    Group(Vec<Statement>),
    Subshell(Vec<Statement>),
    If {
        branches: Vec<(Vec<Statement>, Vec<Statement>)>,
        otherwise: Vec<Statement>,
    },
    Loop {
        until: bool,
        condition: Vec<Statement>,
        body: Vec<Statement>,
    },
    /// Without a list it runs over the positional parameters.
    For {
        name: String,
        list: Option<Vec<Word>>,
        body: Vec<Statement>,
    },
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, Vec<Statement>)>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// 0, 1 or 2.
    pub descriptor: u8,
    pub target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Read(Word),
    Write(Word),
    Append(Word),
    /// `2>&1`
    Duplicate(u8),
    /// `2>&-`
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word(pub Vec<Piece>);

/// A part of a word. What is `quoted` is neither split into fields nor matched against file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    Parameter {
        name: String,
        modifier: Option<Modifier>,
        quoted: bool,
    },
    Command {
        script: Vec<Statement>,
        quoted: bool,
    },
    Arithmetic {
        expression: Word,
        quoted: bool,
    },
}

/// What follows the name in `${name…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Modifier {
    /// `${#name}`
    Length,
    /// `${name:-word}`, `${name-word}`
    Default { empty_too: bool, word: Word },
    /// `${name:=word}`
    Assign { empty_too: bool, word: Word },
    /// `${name:+word}`
    Alternative { empty_too: bool, word: Word },
    /// `${name#pattern}`, `${name##pattern}`
    TrimStart { longest: bool, pattern: Word },
    /// `${name%pattern}`, `${name%%pattern}`
    TrimEnd { longest: bool, pattern: Word },
}

impl Word {
    /// The text, when the word is one unquoted piece of it: what a reserved word, a name or a number is.
    pub fn bare(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text { text, quoted: false }] => Some(text),
            _ => None,
        }
    }
}
