//! Reading query strings strictly: unknown names, repeated ones and wrong values are faults, all found at once.

use std::{
    future::{Ready, ready},
    ops::RangeInclusive,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use farmhand_actors::domain::FieldError;

use super::{
    envelope::ApiError,
    fields::{echo, unknown},
};

/// A query string that is being read.
pub struct Query {
    pairs: Vec<(String, String)>,
    faults: Vec<FieldError>,
}

impl Query {
    /// The query of a request that takes the parameters `known`.
    #[must_use]
    pub fn of(request: &HttpRequest, known: &[&str]) -> Self {
        Self::parse(request.query_string(), known)
    }

    /// A query string that may hold the parameters `known`.
    #[must_use]
    pub fn parse(text: &str, known: &[&str]) -> Self {
        let Ok(web::Query(pairs)) = web::Query::<Vec<(String, String)>>::from_query(text) else {
            return Self {
                pairs: Vec::new(),
                faults: vec![fault("query", "is not a query string")],
            };
        };
        let mut faults = Vec::new();
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                faults.push(fault(&echo(name), unknown(name, known, "parameter")));
            } else if pairs.iter().take(place).any(|(earlier, _)| earlier == name) {
                faults.push(fault(name, "is given more than once"));
            }
        }
        Self { pairs, faults }
    }

    /// The text of a parameter.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that `parse` makes something of.
    pub fn parsed<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        match parse(self.text(name)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.faults.push(fault(name, problem.to_string()));
                None
            }
        }
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        self.parsed(name, |text| {
            // `parse` would take a leading '+'.
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse()
                .ok()
                .filter(|number| digits && range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// `read`, if nothing was wrong.
    ///
    /// # Errors
    /// Every fault.
    pub fn finish<T>(self, read: T) -> Result<T, ApiError> {
        if self.faults.is_empty() {
            Ok(read)
        } else {
            Err(ApiError::Invalid(self.faults))
        }
    }
}

/// For requests that take no parameters.
pub struct NoQuery;

impl FromRequest for NoQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Query::of(request, &[]).finish(Self))
    }
}

fn fault(field: &str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.into(),
    }
}
