//! The signature of Standard Webhooks (<https://www.standardwebhooks.com>): HMAC-SHA-256 over id, time and body.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;

/// What stands before the base64 of a secret.
const PREFIX: &str = "whsec_";

/// The header `webhook-signature`; `None` when the secret is none. `timestamp`: seconds since 1970.
pub(super) fn signature(secret: &str, message_id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = hmac::sign(&key, format!("{message_id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", BASE64_STANDARD.encode(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_gets_the_published_signature() {
        let signature = signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(
            signature.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }

    #[test]
    fn without_a_secret_there_is_no_signature() {
        for secret in ["", "whsec_***", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(signature(secret, "a", 1, "{}"), None, "{secret}");
        }
    }
}
