//! Shell text to tree: words, with their quoting and expansions.

use super::{
    ast::{Modifier, Piece, Word},
    parse::{Parser, SyntaxError, is_operator},
};

impl Parser {
    /// The word that begins here, if one does.
    pub(super) fn word(&mut self) -> Result<Option<Word>, SyntaxError> {
        let start = self.position();
        let mut word = Word::default();
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' => break,
                c if is_operator(c) => break,
                '\'' => self.single_quoted(&mut word)?,
                '"' => {
                    self.advance();
                    self.double_quoted(&mut word, Some('"'))?;
                }
                '\\' => self.backslash(&mut word),
                '$' | '`' => self.dollar(&mut word, false)?,
                c => {
                    self.advance();
                    word.push_text(c.encode_utf8(&mut [0; 4]), false);
                }
            }
        }
        Ok((self.position() > start).then_some(word))
    }

    fn backslash(&mut self, word: &mut Word) {
        self.advance();
        match self.advance() {
            Some('\n') => {}
            Some(c) => word.push_text(c.encode_utf8(&mut [0; 4]), true),
            // As mksh has it: a backslash at the very end stands for itself.
            None => word.push_text("\\", true),
        }
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), SyntaxError> {
        self.advance();
        let mut text = String::new();
        loop {
            match self.advance() {
                None => return Err(SyntaxError::Incomplete),
                Some('\'') => break,
                Some(c) => text.push(c),
            }
        }
        word.push_text(&text, true);
        Ok(())
    }

    /// Up to `end`, or to the end of the text when there is none (the inside of `$((…))`).
    pub(super) fn double_quoted(&mut self, word: &mut Word, end: Option<char>) -> Result<(), SyntaxError> {
        word.push_text("", true);
        loop {
            match self.peek() {
                None if end.is_some() => return Err(SyntaxError::Incomplete),
                None => return Ok(()),
                c if c == end => {
                    self.advance();
                    return Ok(());
                }
                Some('\\') => {
                    self.advance();
                    match self.advance() {
                        Some('\n') => {}
                        Some(c @ ('$' | '`' | '"' | '\\')) => word.push_text(c.encode_utf8(&mut [0; 4]), true),
                        Some(c) => {
                            word.push_text("\\", true);
                            word.push_text(c.encode_utf8(&mut [0; 4]), true);
                        }
                        None => word.push_text("\\", true),
                    }
                }
                Some('$' | '`') => self.dollar(word, true)?,
                Some(c) => {
                    self.advance();
                    word.push_text(c.encode_utf8(&mut [0; 4]), true);
                }
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Result<(), SyntaxError> {
        let piece = if self.eat("`") {
            self.backticks(quoted)?
        } else if self.peek_at(1) == Some('(') && self.peek_at(2) == Some('(') {
            match self.arithmetic(quoted)? {
                Some(piece) => piece,
                None => self.substitution(quoted)?,
            }
        } else if self.peek_at(1) == Some('(') {
            self.substitution(quoted)?
        } else if self.eat("${") {
            self.nested(|parser| parser.braced(quoted))?
        } else {
            self.advance();
            match self.parameter_name() {
                Some(name) => Piece::Parameter {
                    name,
                    modifier: None,
                    quoted,
                },
                None => {
                    word.push_text("$", quoted);
                    return Ok(());
                }
            }
        };
        word.0.push(piece);
        Ok(())
    }

    fn substitution(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        self.eat("$(");
        let script = self.nested(Self::list)?;
        if !self.eat(")") {
            return Err(self.unexpected());
        }
        Ok(Piece::Command { script, quoted })
    }

    fn backticks(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        let mut inner = String::new();
        loop {
            match self.advance() {
                None => return Err(SyntaxError::Incomplete),
                Some('`') => break,
                Some('\\') => match self.advance() {
                    None => return Err(SyntaxError::Incomplete),
                    Some(c @ ('`' | '\\' | '$')) => inner.push(c),
                    Some(c) => inner.extend(['\\', c]),
                },
                Some(c) => inner.push(c),
            }
        }
        let script = self.nested(|parser| {
            let mut inside = Parser::new(&inner, parser.depth);
            let script = inside.list()?;
            if inside.peek().is_some() {
                Err(inside.unexpected())
            } else {
                Ok(script)
            }
        })?;
        Ok(Piece::Command { script, quoted })
    }

    /// `$((…))`; `None` when it turns out to be a subshell within a substitution, `$( (…) )`.
    fn arithmetic(&mut self, quoted: bool) -> Result<Option<Piece>, SyntaxError> {
        let start = self.position();
        self.eat("$((");
        let (mut inner, mut open) = (String::new(), 0_usize);
        loop {
            match self.advance() {
                None => {
                    self.rewind(start);
                    return Ok(None);
                }
                Some('(') => {
                    open += 1;
                    inner.push('(');
                }
                Some(')') if open > 0 => {
                    open -= 1;
                    inner.push(')');
                }
                Some(')') if self.peek() == Some(')') => {
                    self.advance();
                    break;
                }
                Some(')') => {
                    self.rewind(start);
                    return Ok(None);
                }
                Some(c) => inner.push(c),
            }
        }
        let expression = self.nested(|parser| {
            let mut word = Word::default();
            Parser::new(&inner, parser.depth).double_quoted(&mut word, None)?;
            Ok(word)
        })?;
        Ok(Some(Piece::Arithmetic { expression, quoted }))
    }

    /// The inside of `${…}`, up to and with the closing brace.
    fn braced(&mut self, quoted: bool) -> Result<Piece, SyntaxError> {
        if self.peek() == Some('#') && self.peek_at(1) != Some('}') {
            self.advance();
            let Some(name) = self.parameter_name() else {
                return Err(self.unexpected());
            };
            if !self.eat("}") {
                return Err(self.unexpected());
            }
            return Ok(Piece::Parameter {
                name,
                modifier: Some(Modifier::Length),
                quoted,
            });
        }
        let Some(name) = self.parameter_name() else {
            return Err(self.unexpected());
        };
        if self.eat("}") {
            return Ok(Piece::Parameter {
                name,
                modifier: None,
                quoted,
            });
        }
        let empty_too = self.eat(":");
        let modifier = match self.advance() {
            Some('-') => Modifier::Default {
                empty_too,
                word: self.brace_word()?,
            },
            Some('=') => Modifier::Assign {
                empty_too,
                word: self.brace_word()?,
            },
            Some('+') => Modifier::Alternative {
                empty_too,
                word: self.brace_word()?,
            },
            Some('#') if !empty_too => Modifier::TrimStart {
                longest: self.eat("#"),
                pattern: self.brace_word()?,
            },
            Some('%') if !empty_too => Modifier::TrimEnd {
                longest: self.eat("%"),
                pattern: self.brace_word()?,
            },
            None => return Err(SyntaxError::Incomplete),
            Some(c) => return Err(SyntaxError::Unexpected(c.to_string())),
        };
        Ok(Piece::Parameter {
            name,
            modifier: Some(modifier),
            quoted,
        })
    }

    fn brace_word(&mut self) -> Result<Word, SyntaxError> {
        let mut word = Word::default();
        loop {
            match self.peek() {
                None => return Err(SyntaxError::Incomplete),
                Some('}') => {
                    self.advance();
                    return Ok(word);
                }
                Some('\'') => self.single_quoted(&mut word)?,
                Some('"') => {
                    self.advance();
                    self.double_quoted(&mut word, Some('"'))?;
                }
                Some('\\') => self.backslash(&mut word),
                Some('$' | '`') => self.dollar(&mut word, false)?,
                Some(c) => {
                    self.advance();
                    word.push_text(c.encode_utf8(&mut [0; 4]), false);
                }
            }
        }
    }

    fn parameter_name(&mut self) -> Option<String> {
        let first = self.peek()?;
        if matches!(first, '?' | '$' | '!' | '#' | '@' | '*' | '-') || first.is_ascii_digit() {
            self.advance();
            return Some(first.to_string());
        }
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|&c| c == '_' || c.is_ascii_alphanumeric()) {
            name.push(c);
            self.advance();
        }
        (!name.is_empty()).then_some(name)
    }
}
