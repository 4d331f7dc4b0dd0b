//! `test` and `[`.

use super::{Ending, Process};

/// Parentheses and `!` within one another.
const MAX_DEPTH: usize = 32;

pub(super) async fn test(p: &mut Process<'_>) -> Ending {
    let arguments = match (p.name, p.arguments) {
        ("[", [inside @ .., last]) if last == "]" => inside,
        ("[", _) => return p.complain("missing ]").await.map(|_| 2),
        (_, arguments) => arguments,
    };
    if arguments.is_empty() {
        return Ok(1);
    }
    let mut condition = Condition {
        process: p,
        rest: arguments,
        depth: 0,
    };
    let outcome = condition.either();
    let left_over = condition.rest.first().cloned();
    match (outcome, left_over) {
        (Ok(truth), None) => Ok(u8::from(!truth)),
        (Ok(_), Some(word)) => p
            .complain(format!("{word}: unexpected operator/operand"))
            .await
            .map(|_| 2),
        (Err(message), _) => p.complain(message).await.map(|_| 2),
    }
}

struct Condition<'a, 'p> {
    process: &'a Process<'p>,
    rest: &'a [String],
    depth: usize,
}

impl Condition<'_, '_> {
    fn either(&mut self) -> Result<bool, String> {
        let mut truth = self.both()?;
        while self.eat("-o") {
            truth |= self.both()?;
        }
        Ok(truth)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut truth = self.single()?;
        while self.eat("-a") {
            truth &= self.single()?;
        }
        Ok(truth)
    }

    fn single(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("too many arguments".to_owned());
        }
        let truth = self.primary();
        self.depth -= 1;
        truth
    }

    fn primary(&mut self) -> Result<bool, String> {
        if let [left, operator, right, rest @ ..] = self.rest
            && let Some(truth) = self.compare(left, operator, right)
        {
            self.rest = rest;
            return truth;
        }
        if self.rest.len() > 1 && self.eat("!") {
            return Ok(!self.single()?);
        }
        if self.rest.len() > 2 && self.eat("(") {
            let truth = self.either()?;
            return if self.eat(")") {
                Ok(truth)
            } else {
                Err("missing )".to_owned())
            };
        }
        if let [operator, operand, rest @ ..] = self.rest
            && let Some(truth) = self.examine(operator, operand)
        {
            self.rest = rest;
            return Ok(truth);
        }
        let Some((word, rest)) = self.rest.split_first() else {
            return Err("argument expected".to_owned());
        };
        self.rest = rest;
        Ok(!word.is_empty())
    }

    fn eat(&mut self, word: &str) -> bool {
        match self.rest.split_first() {
            Some((first, rest)) if first == word => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn compare(&self, left: &str, operator: &str, right: &str) -> Option<Result<bool, String>> {
        let numbers = |compare: fn(&i64, &i64) -> bool| {
            let parse = |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text}: bad number"));
            Some(parse(left).and_then(|left| Ok(compare(&left, &parse(right)?))))
        };
        match operator {
            "=" | "==" => Some(Ok(left == right)),
            "!=" => Some(Ok(left != right)),
            "<" => Some(Ok(left < right)),
            ">" => Some(Ok(left > right)),
            "-eq" => numbers(i64::eq),
            "-ne" => numbers(i64::ne),
            "-lt" => numbers(i64::lt),
            "-le" => numbers(i64::le),
            "-gt" => numbers(i64::gt),
            "-ge" => numbers(i64::ge),
            "-nt" => Some(Ok(self.mtime(left) > self.mtime(right))),
            "-ot" => Some(Ok(self.mtime(left) < self.mtime(right))),
            _ => None,
        }
    }

    fn mtime(&self, path: &str) -> Option<u32> {
        self.process
            .shell
            .files()
            .stat(&self.process.absolute(path))
            .ok()
            .map(|metadata| metadata.mtime)
    }

    fn examine(&self, operator: &str, operand: &str) -> Option<bool> {
        match operator {
            "-n" => return Some(!operand.is_empty()),
            "-z" => return Some(operand.is_empty()),
            "-t" => return Some(self.process.shell.terminal),
            _ => {}
        }
        let metadata = self.process.shell.files().stat(&self.process.absolute(operand)).ok();
        let holds = |condition: fn(&crate::fs::Metadata) -> bool| Some(metadata.as_ref().is_some_and(condition));
        match operator {
            "-e" | "-a" | "-r" | "-w" => holds(|_| true),
            "-f" => holds(|metadata| !metadata.is_dir()),
            "-d" => holds(|metadata| metadata.is_dir()),
            "-s" => holds(|metadata| metadata.size > 0),
            "-x" => holds(|metadata| metadata.mode & 0o111 != 0),
            "-L" | "-h" | "-p" | "-S" | "-b" | "-c" => Some(false),
            _ => None,
        }
    }
}
