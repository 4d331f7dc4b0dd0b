//! The filters and pages of the list of tasks.

use farmhand_actors::domain::{FailureReason, ScriptName, Serial, Source, Status, Username};

use crate::http::{envelope::ApiError, fields::id, ports::TaskFilter, query::Query};

/// What the list takes.
pub const PARAMETERS: [&str; 9] = [
    "status",
    "serial",
    "username",
    "script_name",
    "source",
    "batch_id",
    "failure_reason",
    "page",
    "page_size",
];

const PAGE_SIZE: u32 = 20;
const PAGE_SIZE_LIMIT: u32 = 100;
/// Longest batch id that is looked for; ours have 26 characters.
const BATCH_ID_LIMIT: usize = 64;

/// One page of a filtered list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRequest {
    /// Which tasks.
    pub filter: TaskFilter,
    /// From 1.
    pub page: u32,
    /// 1 to 100.
    pub page_size: u32,
}

/// Reads the parameters.
pub fn parse(mut query: Query) -> Result<ListRequest, ApiError> {
    let filter = TaskFilter {
        status: query.integer("status", 0..=3).and_then(|number| {
            Status::ALL
                .into_iter()
                .find(|status| status.number() == i64::from(number))
        }),
        serial: query.parsed("serial", id(Serial::parse)),
        username: query.parsed("username", id(Username::parse)),
        script_name: query.parsed("script_name", id(ScriptName::parse)),
        source: query.parsed("source", |word| match word {
            "api" => Ok(Source::Api),
            "ui" => Ok(Source::Ui),
            _ => Err("must be \"api\" or \"ui\""),
        }),
        batch_id: query.parsed("batch_id", parse_batch_id),
        failure_reason: query.parsed("failure_reason", parse_reason),
    };
    let page = query.integer("page", 1..=u32::MAX).unwrap_or(1);
    let page_size = query.integer("page_size", 1..=PAGE_SIZE_LIMIT).unwrap_or(PAGE_SIZE);
    query.finish(ListRequest {
        filter,
        page,
        page_size,
    })
}

/// A reason by its word.
pub fn parse_reason(word: &str) -> Result<FailureReason, String> {
    FailureReason::from_word(word).ok_or_else(|| {
        let words: Vec<_> = FailureReason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("must be one of: {}", words.join(", "))
    })
}

pub fn parse_batch_id(text: &str) -> Result<String, &'static str> {
    if (1..=BATCH_ID_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err("must be the batch_id of a task: letters and digits")
    }
}
