//! Selectors of the file to queries on a screen: expressions evaluated, patterns compiled, once per step.

use futures_util::future::LocalBoxFuture;
use serde_json::Value;

use super::{Run, fault::Fault, told};
use crate::flow::{
    expr::pattern_of,
    model::Selector,
    parse::parse_whole,
    select::{Flag, Query, Relation, text::Pattern},
};

/// Compiled patterns that an attempt keeps; a flow with more distinct ones than this compiles them again.
const MAX_PATTERNS: usize = 1_000;
/// The name that what was looked for has in a step's record.
const SELECTOR: &str = "selector";
/// Longest part of a selector that a record tells, characters.
const MAX_TOLD: usize = 500;

impl Run {
    /// Evaluates the selector of a step; its record tells it.
    pub(in crate::flow) async fn query(&mut self, selector: &Selector) -> Result<Query, Fault> {
        let query = self.compile(selector).await?;
        let told: String = self.shown(&selector.to_string()).await.chars().take(MAX_TOLD).collect();
        self.note(SELECTOR, Value::from(told));
        Ok(query)
    }

    /// Evaluates a selector.
    pub(in crate::flow) fn compile<'a>(
        &'a mut self,
        selector: &'a Selector,
    ) -> LocalBoxFuture<'a, Result<Query, Fault>> {
        Box::pin(self.compile_parts(selector))
    }

    async fn compile_parts(&mut self, selector: &Selector) -> Result<Query, Fault> {
        let css = match selector.css.as_deref() {
            Some(css) => Some(self.filled(css).await?),
            None => None,
        };
        let mut query = Query {
            text: self.pattern(selector.text.as_deref()).await?,
            id: self.pattern(selector.id.as_deref()).await?,
            width: selector.width,
            height: selector.height,
            tolerance: selector.tolerance,
            traits: selector.traits.clone(),
            nearest: selector.nearest,
            image: selector.image.clone(),
            css,
            ..Query::default()
        };
        query.index = match &selector.index {
            None => None,
            Some(text) => Some(whole_number(&self.js.interpolate(text).await?, "index")?),
        };
        let relations = [
            (Relation::Below, &selector.below),
            (Relation::Above, &selector.above),
            (Relation::LeftOf, &selector.left_of),
            (Relation::RightOf, &selector.right_of),
        ];
        for (relation, other) in relations {
            if let Some(other) = other {
                query.relations.push((relation, self.compile(other).await?));
            }
        }
        let flags = [
            (Flag::Enabled, selector.enabled),
            (Flag::Checked, selector.checked),
            (Flag::Focused, selector.focused),
            (Flag::Selected, selector.selected),
        ];
        query.flags = flags
            .into_iter()
            .filter_map(|(flag, wanted)| Some((flag, wanted?)))
            .collect();
        if let Some(child) = &selector.contains_child {
            query.contains_child = Some(Box::new(self.compile(child).await?));
        }
        if let Some(parent) = &selector.child_of {
            query.child_of = Some(Box::new(self.compile(parent).await?));
        }
        query.contains_descendants = self.queries(&selector.contains_descendants).await?;
        query.any_of = self.queries(&selector.any_of).await?;
        Ok(query)
    }

    /// A text for the phone, its expressions evaluated. What nobody has set is a fault: `undefined`, which is its value,
    /// is never what was to be typed or looked for.
    pub(in crate::flow) async fn filled(&self, text: &str) -> Result<String, Fault> {
        self.js.fill(text).await?.map_err(|code| {
            let name = pattern_of(code);
            Fault::Invalid(format!(
                "`{name}` is not set: give it a value before (a variable in `env`), or write `${{{name} || 'a default'}}`"
            ))
        })
    }

    /// Evaluates several selectors.
    pub(in crate::flow) async fn queries(&mut self, selectors: &[Selector]) -> Result<Vec<Query>, Fault> {
        let mut queries = Vec::new();
        for selector in selectors {
            queries.push(self.compile(selector).await?);
        }
        Ok(queries)
    }

    /// A text for people: its expressions evaluated, as far as they only read.
    pub(in crate::flow) async fn shown(&self, text: &str) -> String {
        told::shown(&self.js, text).await
    }

    /// What was looked for in vain.
    pub(in crate::flow) async fn not_found(&self, selector: &Selector, query: &Query) -> Fault {
        Fault::NotFound(self.shown(&selector.to_string()).await + &self.instead(query))
    }

    async fn pattern(&mut self, text: Option<&str>) -> Result<Option<Pattern>, Fault> {
        let Some(text) = text else { return Ok(None) };
        let text = self.filled(text).await?;
        if let Some(pattern) = self.patterns.get(&text) {
            return Ok(Some(pattern.clone()));
        }
        let pattern = Pattern::new(&text).map_err(Fault::Invalid)?;
        if self.patterns.len() >= MAX_PATTERNS {
            self.patterns.clear();
        }
        self.patterns.insert(text, pattern.clone());
        Ok(Some(pattern))
    }
}

/// That an element is not there must not be concluded from a pattern that was given up in the middle of a text.
pub(super) fn known_to_match(query: &Query) -> Result<(), Fault> {
    match query.given_up() {
        None => Ok(()),
        Some(pattern) => Err(Fault::Invalid(format!(
            "the pattern `{pattern}` takes too long on a text of the screen, so nobody knows whether it fits: write it \
             without a repetition inside of a repetition"
        ))),
    }
}

/// A whole number, also one that is written `1.0`.
pub(in crate::flow) fn whole_number(text: &str, what: &str) -> Result<i64, Fault> {
    parse_whole(text).ok_or_else(|| Fault::Invalid(format!("`{what}` must be a whole number, not `{text}`")))
}
