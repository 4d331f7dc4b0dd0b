//! Values on their way into and out of the database.

use std::time::Duration;

use farmhand_actors::domain::{
    FailureReason, InvalidId, Purpose, ScriptName, Serial, Source, TaskState, Timestamp, Username,
};
use serde::{Serialize, Serializer, de::DeserializeOwned};
use sqlx::{ColumnIndex, Decode, Row, Sqlite, Type, sqlite::SqliteRow};

use super::fault::Fault;

/// Rows for `json_each`: one statement for any number of them, and one round trip to SQLite's thread.
pub(super) fn json<T: Serialize + ?Sized>(rows: &T) -> Result<String, Fault> {
    serde_json::to_string(rows).map_err(|error| Fault::Row(format!("cannot be written as JSON: {error}")))
}

/// Pairs for `json_each`, whose `key` and `value` they become without being looked for in each row. A key may be there
/// more than once.
pub(super) fn json_pairs<K: Serialize, V: Serialize>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<String, Fault> {
    json(&Pairs(pairs.into_iter().collect()))
}

/// Pairs that are written as an object, also with a key more than once.
#[derive(Debug)]
pub(super) struct Pairs<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Serialize, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Reads JSON text that this program wrote.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Row(format!("the database holds JSON that is none: {error}")))
}

/// Milliseconds since 1970, as times are stored.
pub(super) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// Milliseconds since a fixed instant of this process, by a clock that nobody sets.
pub(super) fn steady() -> i64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    i64::try_from(START.elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// The time that was stored.
pub(super) fn timestamp(millis: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(millis).map_err(|error| Fault::Row(format!("the database holds a bad time: {error}")))
}

/// The duration that was stored.
pub(super) fn duration(millis: i64) -> Result<Duration, Fault> {
    unsigned(millis).map(Duration::from_millis)
}

/// A duration as it is stored; those beyond the range of the column are centuries long.
pub(super) fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A number that cannot be negative.
pub(super) fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, Fault> {
    T::try_from(number).map_err(|_| Fault::Row(format!("the database holds a number out of range: {number}")))
}

/// A column of a row.
pub(super) fn get<'r, T>(row: &'r SqliteRow, column: impl ColumnIndex<SqliteRow>) -> Result<T, Fault>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(column).map_err(Fault::Sql)
}

/// A time of a row.
pub(super) fn get_time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, Fault> {
    timestamp(get(row, column)?)
}

/// A time of a row that may be absent.
pub(super) fn get_time_opt(row: &SqliteRow, column: &'static str) -> Result<Option<Timestamp>, Fault> {
    get::<Option<i64>>(row, column)?.map(timestamp).transpose()
}

/// A number of a row that cannot be negative.
pub(super) fn get_unsigned<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Result<T, Fault> {
    unsigned(get(row, column)?)
}

/// JSON of a row.
pub(super) fn get_json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, Fault> {
    parse_json(get(row, column)?)
}

fn named<T>(parsed: Result<T, InvalidId>) -> Result<T, Fault> {
    parsed.map_err(|error| Fault::Row(format!("the database holds a name that is none: {error}")))
}

/// A device's name of a row.
pub(super) fn get_serial(row: &SqliteRow, column: &'static str) -> Result<Serial, Fault> {
    named(Serial::parse(get(row, column)?))
}

/// A device's name of a row that may be absent.
pub(super) fn get_serial_opt(row: &SqliteRow, column: &'static str) -> Result<Option<Serial>, Fault> {
    get::<Option<&str>>(row, column)?
        .map(|text| named(Serial::parse(text)))
        .transpose()
}

/// An account's name of a row.
pub(super) fn get_username(row: &SqliteRow, column: &'static str) -> Result<Username, Fault> {
    named(Username::parse(get(row, column)?))
}

/// An account's name of a row that may be absent.
pub(super) fn get_username_opt(row: &SqliteRow, column: &'static str) -> Result<Option<Username>, Fault> {
    get::<Option<&str>>(row, column)?
        .map(|text| named(Username::parse(text)))
        .transpose()
}

/// A script's name of a row.
pub(super) fn get_script(row: &SqliteRow, column: &'static str) -> Result<ScriptName, Fault> {
    named(ScriptName::parse(get(row, column)?))
}

fn word<T>(word: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| {
        Fault::Row(format!(
            "the database holds a word that this version does not know: {word}"
        ))
    })
}

/// A task's state of a row.
pub(super) fn get_state(row: &SqliteRow, column: &'static str) -> Result<TaskState, Fault> {
    let text: &str = get(row, column)?;
    word(text, TaskState::from_word(text))
}

/// A purpose of a row.
pub(super) fn get_purpose(row: &SqliteRow, column: &'static str) -> Result<Purpose, Fault> {
    purpose_of(get(row, column)?)
}

/// A purpose by its word.
pub(super) fn purpose_of(text: &str) -> Result<Purpose, Fault> {
    word(
        text,
        [Purpose::Execute, Purpose::Verify]
            .into_iter()
            .find(|purpose| purpose.as_str() == text),
    )
}

/// A source of a row.
pub(super) fn get_source(row: &SqliteRow, column: &'static str) -> Result<Source, Fault> {
    let text: &str = get(row, column)?;
    word(
        text,
        [Source::Api, Source::Ui]
            .into_iter()
            .find(|source| source.as_str() == text),
    )
}

/// A failure reason of a row that may be absent.
pub(super) fn get_reason_opt(row: &SqliteRow, column: &'static str) -> Result<Option<FailureReason>, Fault> {
    get::<Option<&str>>(row, column)?
        .map(|text| word(text, FailureReason::from_word(text)))
        .transpose()
}
