//! Shell text to tree: the grammar of commands. Words are in `word`.

use thiserror::Error;

use super::{
    MAX_NESTING, MAX_SCRIPT_BYTES,
    ast::{Command, CommandKind, Connector, Pipeline, Redirect, Statement, Target, Word},
};

/// Why a text is no shell text; `Display` is what follows `syntax error: ` on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum SyntaxError {
    #[error("unexpected '{0}'")]
    Unexpected(String),
    /// More text could make it right; an interactive shell waits for it.
    #[error("unexpected EOF")]
    Incomplete,
    #[error("nested too deeply")]
    TooDeep,
    #[error("text too long")]
    TooLong,
}

/// Words that end a list of commands when they stand where a command would.
const CLOSERS: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "}", "esac"];

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>, SyntaxError> {
    if text.len() > MAX_SCRIPT_BYTES {
        return Err(SyntaxError::TooLong);
    }
    let mut parser = Parser::new(text, 0);
    let script = parser.list()?;
    match parser.peek() {
        None => Ok(script),
        Some(_) => Err(parser.unexpected()),
    }
}

pub(super) struct Parser {
    characters: Vec<char>,
    position: usize,
    pub(super) depth: usize,
}

impl Parser {
    pub(super) fn new(text: &str, depth: usize) -> Self {
        Self {
            characters: text.chars().collect(),
            position: 0,
            depth,
        }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.position).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.position + ahead).copied()
    }

    pub(super) fn advance(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.position += 1;
        Some(next)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let found = text
            .chars()
            .enumerate()
            .all(|(ahead, c)| self.peek_at(ahead) == Some(c));
        if found {
            self.position += length;
        }
        found
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn rewind(&mut self, position: usize) {
        self.position = position;
    }

    /// Runs a rule one level deeper.
    pub(super) fn nested<T>(
        &mut self,
        rule: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= MAX_NESTING {
            return Err(SyntaxError::TooDeep);
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    pub(super) fn unexpected(&mut self) -> SyntaxError {
        match self.peek() {
            None => SyntaxError::Incomplete,
            Some('\n') => SyntaxError::Unexpected("newline".to_owned()),
            Some(c) if is_operator(c) => SyntaxError::Unexpected(c.to_string()),
            Some(_) => {
                let mut word = String::new();
                while let Some(c) = self
                    .peek()
                    .filter(|&c| !is_operator(c) && !c.is_whitespace() && word.len() < 64)
                {
                    word.push(c);
                    self.position += 1;
                }
                SyntaxError::Unexpected(word)
            }
        }
    }

    /// Statements up to a closer, a closing parenthesis, `;;` or the end.
    pub(super) fn list(&mut self) -> Result<Vec<Statement>, SyntaxError> {
        let mut statements = Vec::new();
        loop {
            self.skip_lines();
            if self.at_list_end() {
                return Ok(statements);
            }
            let mut statement = self.statement()?;
            self.skip_blanks();
            if self.peek() == Some('&') {
                self.advance();
                statement.background = true;
            } else if self.peek() == Some(';') && self.peek_at(1) != Some(';') {
                self.advance();
            } else if self.peek() != Some('\n') && !self.at_list_end() {
                return Err(self.unexpected());
            }
            statements.push(statement);
        }
    }

    fn at_list_end(&mut self) -> bool {
        match self.peek() {
            None | Some(')') => true,
            Some(';') => self.peek_at(1) == Some(';'),
            Some(_) => CLOSERS.iter().any(|closer| self.at_keyword(closer)),
        }
    }

    fn statement(&mut self) -> Result<Statement, SyntaxError> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let connector = if self.eat("&&") {
                Connector::And
            } else if self.eat("||") {
                Connector::Or
            } else {
                return Ok(Statement {
                    first,
                    rest,
                    background: false,
                });
            };
            self.skip_lines();
            rest.push((connector, self.pipeline()?));
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, SyntaxError> {
        let mut negated = false;
        while self.keyword("!") {
            negated = !negated;
        }
        let mut commands = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.peek() != Some('|') || self.peek_at(1) == Some('|') {
                return Ok(Pipeline { negated, commands });
            }
            self.advance();
            self.skip_lines();
            commands.push(self.command()?);
        }
    }

    fn command(&mut self) -> Result<Command, SyntaxError> {
        self.skip_blanks();
        let Some(kind) = self.nested(Self::compound)? else {
            return self.simple();
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Command { kind, redirects })
    }

    fn simple(&mut self) -> Result<Command, SyntaxError> {
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(name) = self.assignment_name()
            {
                assignments.push((name, self.word()?.unwrap_or_default()));
                continue;
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        if assignments.is_empty() && words.is_empty() && redirects.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Command {
            kind: CommandKind::Simple { assignments, words },
            redirects,
        })
    }

    /// `name=` at the head of a word; the value follows as a word.
    fn assignment_name(&mut self) -> Option<String> {
        let start = self.position;
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|&c| c.is_ascii_alphanumeric() || c == '_') {
            name.push(c);
            self.position += 1;
        }
        if is_name(&name) && self.eat("=") {
            return Some(name);
        }
        self.position = start;
        None
    }

    fn redirect(&mut self) -> Result<Option<Redirect>, SyntaxError> {
        self.skip_blanks();
        let start = self.position;
        let digit = self
            .peek()
            .filter(|_| matches!(self.peek_at(1), Some('<' | '>')))
            .and_then(|c| c.to_digit(10));
        if digit.is_some() {
            self.advance();
        }
        let (default, append) = if self.eat(">>") {
            (1, true)
        } else if self.eat(">|") || self.eat(">") {
            (1, false)
        } else if self.peek() == Some('<') && self.peek_at(1) != Some('<') {
            self.advance();
            (0, false)
        } else if self.peek() == Some('<') {
            return Err(SyntaxError::Unexpected("<<".to_owned()));
        } else {
            self.position = start;
            return Ok(None);
        };
        let descriptor = digit.and_then(|digit| u8::try_from(digit).ok()).unwrap_or(default);
        let duplicate = self.eat("&");
        self.skip_blanks();
        let Some(word) = self.word()? else {
            return Err(self.unexpected());
        };
        let target = match (duplicate, word.bare()) {
            (true, Some("-")) => Target::Close,
            (true, Some(number)) => match number.parse() {
                Ok(number) => Target::Duplicate(number),
                Err(_) => return Err(SyntaxError::Unexpected(number.to_owned())),
            },
            (true, None) => return Err(self.unexpected()),
            (false, _) if default == 0 => Target::Read(word),
            (false, _) if append => Target::Append(word),
            (false, _) => Target::Write(word),
        };
        Ok(Some(Redirect { descriptor, target }))
    }

    pub(super) fn expect(&mut self, keyword: &str) -> Result<(), SyntaxError> {
        self.skip_lines();
        if self.keyword(keyword) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        self.skip_blanks();
        let found = self.at_keyword(keyword);
        if found {
            self.position += keyword.chars().count();
        }
        found
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        let length = keyword.chars().count();
        keyword
            .chars()
            .enumerate()
            .all(|(ahead, c)| self.peek_at(ahead) == Some(c))
            && self.peek_at(length).is_none_or(|c| c.is_whitespace() || is_operator(c))
    }

    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\r') => self.position += 1,
                Some('\\') if self.peek_at(1) == Some('\n') => self.position += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.position += 1;
                    }
                }
                _ => return,
            }
        }
    }

    pub(super) fn skip_lines(&mut self) {
        self.skip_blanks();
        while self.peek() == Some('\n') {
            self.position += 1;
            self.skip_blanks();
        }
    }
}

pub(super) fn is_operator(c: char) -> bool {
    matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '\n')
}

/// Whether a variable may be called that.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Word {
    pub(super) fn push_text(&mut self, text: &str, quoted: bool) {
        use super::ast::Piece;
        match self.0.last_mut() {
            Some(Piece::Text {
                text: last,
                quoted: same,
            }) if *same == quoted => last.push_str(text),
            _ => self.0.push(Piece::Text {
                text: text.to_owned(),
                quoted,
            }),
        }
    }
}
