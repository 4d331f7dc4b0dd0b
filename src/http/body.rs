//! Bodies: read within their size and time, and JSON taken strictly.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::{
    envelope::ApiError,
    fields::{Fields, echo},
    state::App,
};

/// A body must have arrived within this time: a client that sends a byte now and then may not hold a place forever.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// A JSON body that must be there.
pub struct JsonBody(pub Value);

/// A JSON body that may be left out.
pub struct OptionalJsonBody(pub Option<Value>);

/// Of a call that takes no fields: no body, or an empty object.
pub struct NoFields;

impl FromRequest for JsonBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = OptionalJsonBody::from_request(request, payload);
        Box::pin(async move {
            match read.await? {
                OptionalJsonBody(Some(value)) => Ok(Self(value)),
                OptionalJsonBody(None) => Err(ApiError::invalid("body", "is missing: send a JSON object")),
            }
        })
    }
}

impl FromRequest for OptionalJsonBody {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let is_json = || check_type(&request, &["application/json"], "application/json");
            if has_length(&request) {
                is_json()?;
            }
            let bytes = read_body(&request, payload).await?;
            if bytes.is_empty() {
                return Ok(Self(None));
            }
            is_json()?;
            parse_json(&bytes).map(|value| Self(Some(value)))
        })
    }
}

impl FromRequest for NoFields {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = OptionalJsonBody::from_request(request, payload);
        Box::pin(async move {
            match read.await? {
                OptionalJsonBody(Some(body)) => Fields::of_body(&body, &[])?.finish(Self),
                OptionalJsonBody(None) => Ok(Self),
            }
        })
    }
}

/// Whether the request announces a body of some length. One that comes in chunks may turn out to be empty.
fn has_length(request: &HttpRequest) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0")
}

/// Refuses bodies that are not of one of these media types, or compressed.
///
/// # Errors
/// 41501.
pub fn check_type(request: &HttpRequest, types: &[&str], wanted: &'static str) -> Result<(), ApiError> {
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::UnsupportedType {
            wanted: "sent without Content-Encoding",
        });
    }
    let given = request.content_type();
    if types.iter().any(|known| known.eq_ignore_ascii_case(given)) {
        Ok(())
    } else {
        Err(ApiError::UnsupportedType { wanted })
    }
}

/// The whole body, at most `http.max_body` bytes, within [`BODY_DEADLINE`].
///
/// # Errors
/// 41301, or 40001 when it breaks off.
pub async fn read_body(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    let limit = request
        .app_data::<web::Data<App>>()
        .map_or(0, |app| app.settings.max_body);
    read_body_within(request, payload, limit, "http.max_body").await
}

/// The whole body, at most `limit` bytes, within [`BODY_DEADLINE`]. `setting` says where the limit comes from.
///
/// # Errors
/// 41301, or 40001 when it breaks off.
pub async fn read_body_within(
    request: &HttpRequest,
    mut payload: Payload,
    limit: usize,
    setting: &'static str,
) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::TooLarge {
        limit: limit as u64,
        setting,
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    let read = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| ApiError::invalid("body", format!("broke off: {error}")))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    tokio::time::timeout(BODY_DEADLINE, read)
        .await
        .unwrap_or_else(|_| Err(ApiError::invalid("body", "did not arrive within 30 seconds")))
}

/// JSON without repeated names: which of them a reader takes is anybody's guess, so neither is taken.
///
/// # Errors
/// 40001 with the place.
pub fn parse_json(bytes: &[u8]) -> Result<Value, ApiError> {
    let Strict(value) = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::invalid("body", format!("is not valid JSON: {error}")))?;
    match nul_in(&value) {
        None => Ok(value),
        Some(field) => Err(ApiError::invalid(
            if field.is_empty() { "body" } else { &field },
            "must not contain the character NUL (\\u0000)",
        )),
    }
}

/// Where the first text with a NUL stands: no shell, no file name and no text field of a phone can hold one.
fn nul_in(value: &Value) -> Option<String> {
    let below = |name: &str, value: &Value| {
        let rest = nul_in(value)?;
        let dot = if rest.is_empty() || rest.starts_with('[') {
            ""
        } else {
            "."
        };
        Some(format!("{name}{dot}{rest}"))
    };
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .zip(0..)
            .find_map(|(item, at)| below(&format!("[{at}]"), item)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| below(&echo(name), value)),
        _ => None,
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(entry)) = entries.next_element()? {
            array.push(entry);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!(
                    "the name {:?} stands twice in one object",
                    echo(&name)
                )));
            }
            let Strict(value) = entries.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn message(bytes: &[u8]) -> String {
        parse_json(bytes).unwrap_err().to_string()
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let text = r#"{"a": [1, -2, 3.5, "ü😀", true, null, {}], "b": {"c": 18446744073709551615}}"#;

        let value = parse_json(text.as_bytes()).unwrap();

        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(parse_json(b"5").unwrap(), json!(5));
    }

    #[test]
    fn a_name_that_stands_twice_is_a_fault() {
        assert!(message(br#"{"serials": ["a"], "serials": ["b"]}"#).contains("\"serials\" stands twice"));
        assert!(message(br#"{"script_config": {"x": 1, "x": 1}}"#).contains("\"x\" stands twice"));
    }

    #[test]
    fn absurd_json_is_a_fault_and_not_a_panic() {
        let deep = "[".repeat(100_000);
        let cases: [&[u8]; 9] = [
            deep.as_bytes(),
            br#"{"a": 1e400}"#,
            br#"{"a": "\ud800"}"#,
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b"{",
            b"{}{}",
            b"{\"a\": NaN}",
            b" ",
        ];

        for case in cases {
            assert!(
                message(case).starts_with("invalid parameters: body: is not valid JSON"),
                "{case:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let strict = parse_json(&bytes);
            if let Ok(value) = strict {
                prop_assert_eq!(value, serde_json::from_slice::<Value>(&bytes).unwrap());
            }
        }
    }
}
