//! `$((…))`: integers with C's operators. Overflow wraps, as on a phone.

use super::variables::Variables;

/// Parentheses and signs within one another.
const MAX_DEPTH: usize = 32;

/// The value, or what follows `sh: ` on a phone.
pub(super) fn evaluate(expression: &str, variables: &Variables) -> Result<i64, String> {
    let mut evaluator = Evaluator {
        rest: expression,
        variables,
        depth: 0,
    };
    let value = evaluator.binary(0)?;
    if evaluator.rest.trim_start().is_empty() {
        Ok(value)
    } else {
        Err(format!("{expression}: unexpected token"))
    }
}

struct Evaluator<'a> {
    rest: &'a str,
    variables: &'a Variables,
    depth: usize,
}

/// By binding strength, weakest first; within a level longer operators first.
const OPERATORS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Evaluator<'_> {
    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = OPERATORS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let rest = self.rest.trim_start();
        let found = operators.iter().find(|operator| rest.starts_with(**operator))?;
        // `a && b` is not `a & &b`, nor is `a << b` a comparison.
        let tail = rest.get(found.len()..)?;
        if found.len() == 1 && "|&<>".contains(found) && tail.starts_with(found) {
            return None;
        }
        self.rest = tail;
        Some(found)
    }

    fn unary(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("expression nested too deeply".to_owned());
        }
        self.rest = self.rest.trim_start();
        let value = if let Some(rest) = self.rest.strip_prefix('-') {
            self.rest = rest;
            self.unary()?.wrapping_neg()
        } else if let Some(rest) = self.rest.strip_prefix('+') {
            self.rest = rest;
            self.unary()?
        } else if let Some(rest) = self.rest.strip_prefix('!') {
            self.rest = rest;
            i64::from(self.unary()? == 0)
        } else if let Some(rest) = self.rest.strip_prefix('~') {
            self.rest = rest;
            !self.unary()?
        } else if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            let value = self.binary(0)?;
            let rest = self.rest.trim_start().strip_prefix(')');
            self.rest = rest.ok_or_else(|| "missing )".to_owned())?;
            value
        } else {
            self.operand()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn operand(&mut self) -> Result<i64, String> {
        let length = self
            .rest
            .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest;
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            return number(token).ok_or_else(|| format!("{token}: bad number"));
        }
        if token.is_empty() {
            return Err(if rest.is_empty() {
                "unexpected end of expression"
            } else {
                "unexpected token"
            }
            .to_owned());
        }
        Ok(self
            .variables
            .get(token)
            .and_then(|text| number(text.trim()))
            .unwrap_or(0))
    }
}

fn number(token: &str) -> Option<i64> {
    match token.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => token.parse().ok(),
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Result<i64, String> {
    let shift = u32::try_from(right & 63).unwrap_or(0);
    Ok(match operator {
        "||" => i64::from(left != 0 || right != 0),
        "&&" => i64::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "<<" => left.wrapping_shl(shift),
        ">>" => left.wrapping_shr(shift),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        _ if right == 0 => return Err("divide by zero".to_owned()),
        "/" => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    })
}
