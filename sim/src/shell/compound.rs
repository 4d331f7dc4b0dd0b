//! Shell text to tree: the grammar of compound commands.

use super::{
    ast::{CommandKind, Statement},
    parse::{Parser, SyntaxError, is_name},
};

impl Parser {
    /// A compound command, if one begins here.
    pub(super) fn compound(&mut self) -> Result<Option<CommandKind>, SyntaxError> {
        let kind = if self.peek() == Some('(') {
            self.advance();
            let body = self.body()?;
            if !self.eat(")") {
                return Err(self.unexpected());
            }
            CommandKind::Subshell(body)
        } else if self.keyword("{") {
            let body = self.body()?;
            self.expect("}")?;
            CommandKind::Group(body)
        } else if self.keyword("if") {
            self.conditional()?
        } else if self.keyword("while") {
            self.repetition(false)?
        } else if self.keyword("until") {
            self.repetition(true)?
        } else if self.keyword("for") {
            self.iteration()?
        } else if self.keyword("case") {
            self.selection()?
        } else {
            return Ok(None);
        };
        Ok(Some(kind))
    }

    /// A list that may not be empty.
    fn body(&mut self) -> Result<Vec<Statement>, SyntaxError> {
        let body = self.list()?;
        if body.is_empty() {
            Err(self.unexpected())
        } else {
            Ok(body)
        }
    }

    fn conditional(&mut self) -> Result<CommandKind, SyntaxError> {
        let mut branches = Vec::new();
        loop {
            let condition = self.body()?;
            self.expect("then")?;
            branches.push((condition, self.body()?));
            if !self.keyword("elif") {
                break;
            }
        }
        let otherwise = if self.keyword("else") { self.body()? } else { Vec::new() };
        self.expect("fi")?;
        Ok(CommandKind::If { branches, otherwise })
    }

    fn repetition(&mut self, until: bool) -> Result<CommandKind, SyntaxError> {
        let condition = self.body()?;
        let body = self.do_block()?;
        Ok(CommandKind::Loop { until, condition, body })
    }

    fn iteration(&mut self) -> Result<CommandKind, SyntaxError> {
        self.skip_blanks();
        let name = self
            .word()?
            .and_then(|word| word.bare().map(str::to_owned))
            .filter(|name| is_name(name));
        let Some(name) = name else {
            return Err(self.unexpected());
        };
        self.skip_lines();
        let list = if self.keyword("in") {
            let mut words = Vec::new();
            self.skip_blanks();
            while let Some(word) = self.word()? {
                words.push(word);
                self.skip_blanks();
            }
            Some(words)
        } else {
            None
        };
        self.skip_blanks();
        self.eat(";");
        self.skip_lines();
        let body = self.do_block()?;
        Ok(CommandKind::For { name, list, body })
    }

    fn do_block(&mut self) -> Result<Vec<Statement>, SyntaxError> {
        self.expect("do")?;
        let body = self.body()?;
        self.expect("done")?;
        Ok(body)
    }

    fn selection(&mut self) -> Result<CommandKind, SyntaxError> {
        self.skip_blanks();
        let Some(subject) = self.word()? else {
            return Err(self.unexpected());
        };
        self.skip_lines();
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_lines();
            if self.keyword("esac") {
                return Ok(CommandKind::Case { subject, arms });
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                let Some(pattern) = self.word()? else {
                    return Err(self.unexpected());
                };
                patterns.push(pattern);
                self.skip_blanks();
                if !self.eat("|") {
                    break;
                }
            }
            if !self.eat(")") {
                return Err(self.unexpected());
            }
            arms.push((patterns, self.list()?));
            self.eat(";;");
        }
    }
}
