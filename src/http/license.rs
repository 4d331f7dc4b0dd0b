//! The plan: what it allows, and `GET /api/v1/license/check`.
//!
//! A token is a JWT signed with Ed25519 (RFC 7519, RFC 8037): `{"plan", "device_limit"?, "exp"?, "nbf"?}`.

use actix_web::web;
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use farmhand_actors::domain::Timestamp;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    envelope::{Answer, ApiError, success},
    query::NoQuery,
    state::App,
};

/// What stands before the 32 bytes of an Ed25519 key in a PEM file (RFC 8410).
const SPKI_ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// No API.
    Starter,
    /// 20 devices.
    Pro,
    /// 100 devices.
    Team,
    /// 1000 devices.
    Business,
}

impl Plan {
    /// All plans.
    pub const ALL: [Self; 4] = [Self::Starter, Self::Pro, Self::Team, Self::Business];

    /// Its name, as the API shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "Starter",
            Self::Pro => "Pro",
            Self::Team => "Team",
            Self::Business => "Business",
        }
    }

    /// The plan named by `word`, in any case, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|plan| plan.as_str().eq_ignore_ascii_case(word))
    }

    /// How many devices may run tasks at the same time, unless a token says otherwise.
    #[must_use]
    pub fn device_limit(self) -> u32 {
        match self {
            Self::Starter => 5,
            Self::Pro => 20,
            Self::Team => 100,
            Self::Business => 1000,
        }
    }
}

/// Why there is no license; each names the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// No such plan.
    #[error("{whence} names the plan {plan:?}; there are Starter, Pro, Team and Business")]
    UnknownPlan {
        /// `license.plan` or `license.token`.
        whence: &'static str,
        /// As named.
        plan: String,
    },
    /// A token needs a key to be checked with.
    #[error("license.token is set but license.public_key is not; set both or neither")]
    NoPublicKey,
    /// The key cannot be read.
    #[error("license.public_key is not an Ed25519 public key (PEM, or its 32 bytes in base64)")]
    BadPublicKey,
    /// The token cannot be read.
    #[error("license.token is not a license token: {0}")]
    Malformed(&'static str),
    /// Somebody else signed it, or it was changed.
    #[error("license.token was not signed with license.public_key, or was changed since")]
    BadSignature,
    /// It is over.
    #[error("license.token expired at {0}; ask for a new one")]
    Expired(Timestamp),
    /// It has not begun.
    #[error("license.token is not valid before {0}; check the clock of this machine")]
    NotYetValid(Timestamp),
}

/// What the plan allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// The plan.
    pub plan: Plan,
    /// How many devices may run tasks at the same time.
    pub device_limit: u32,
    /// When the token ends.
    pub expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Claims {
    plan: String,
    device_limit: Option<u32>,
    exp: Option<i64>,
    nbf: Option<i64>,
}

impl License {
    /// The license of the settings `license.plan`, `license.token` and `license.public_key`. A token, if there is
    /// one, wins over the plan.
    ///
    /// # Errors
    /// Names the setting and the mend.
    pub fn from_settings(
        plan: &str,
        token: Option<&str>,
        public_key: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, LicenseError> {
        let Some(token) = token.filter(|token| !token.trim().is_empty()) else {
            return Ok(Self::of(parse_plan(plan, "license.plan")?));
        };
        let key = public_key
            .filter(|key| !key.trim().is_empty())
            .ok_or(LicenseError::NoPublicKey)?;
        let claims = verify(token.trim(), &parse_public_key(key)?)?;
        let plan = parse_plan(&claims.plan, "license.token")?;
        let expires_at = claims.exp.map(second).transpose()?;
        if let Some(end) = expires_at.filter(|end| *end <= now) {
            return Err(LicenseError::Expired(end));
        }
        if let Some(begin) = claims.nbf.map(second).transpose()?.filter(|begin| *begin > now) {
            return Err(LicenseError::NotYetValid(begin));
        }
        Ok(Self {
            plan,
            device_limit: claims.device_limit.unwrap_or(plan.device_limit()),
            expires_at,
        })
    }

    /// A plan without a token.
    #[must_use]
    pub fn of(plan: Plan) -> Self {
        Self {
            plan,
            device_limit: plan.device_limit(),
            expires_at: None,
        }
    }

    /// Whether the API may be used now.
    ///
    /// # Errors
    /// 40301, with the answer of the license check.
    pub fn check(&self, now: Timestamp) -> Result<(), ApiError> {
        if self.has_api(now) {
            return Ok(());
        }
        Err(ApiError::PlanWithoutApi {
            message: self.message(now),
            data: self.view(now),
        })
    }

    fn has_api(&self, now: Timestamp) -> bool {
        self.plan != Plan::Starter && !self.has_ended(now)
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn message(&self, now: Timestamp) -> String {
        if self.has_ended(now) {
            "the license token has expired; ask for a new one".to_owned()
        } else if self.plan == Plan::Starter {
            "the Starter plan has no API access; Pro, Team and Business have".to_owned()
        } else {
            "API access enabled".to_owned()
        }
    }

    /// Plan, devices and whether the API may be used, in a line.
    #[must_use]
    pub fn summary(&self, now: Timestamp) -> String {
        let (plan, devices, message) = (self.plan.as_str(), self.device_limit, self.message(now));
        format!("{plan}, {devices} devices at the same time: {message}")
    }

    fn view(&self, now: Timestamp) -> Value {
        json!({
            "plan_name": self.plan.as_str(),
            "api_enabled": self.has_api(now),
            "device_limit": self.device_limit,
            "message": self.message(now),
        })
    }
}

/// `GET /api/v1/license/check`
pub async fn check(_: NoQuery, app: web::Data<App>) -> Answer {
    app.state.license.check(app.now())?;
    Ok(success(&app.state.license.view(app.now())))
}

fn parse_plan(word: &str, whence: &'static str) -> Result<Plan, LicenseError> {
    Plan::from_word(word.trim()).ok_or_else(|| LicenseError::UnknownPlan {
        whence,
        plan: word.to_owned(),
    })
}

fn second(seconds: i64) -> Result<Timestamp, LicenseError> {
    Timestamp::from_second(seconds).map_err(|_| LicenseError::Malformed("a time in it is out of range"))
}

fn verify(token: &str, key: &[u8]) -> Result<Claims, LicenseError> {
    let (signed, signature) = token
        .rsplit_once('.')
        .ok_or(LicenseError::Malformed("it has no signature"))?;
    let (header, payload) = signed
        .split_once('.')
        .ok_or(LicenseError::Malformed("it has no three parts"))?;
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| LicenseError::Malformed("it is not base64url"))
    };
    let header: Value =
        serde_json::from_slice(&decode(header)?).map_err(|_| LicenseError::Malformed("its header is not JSON"))?;
    // The only algorithm there is: a token must not choose how it is checked.
    if header.get("alg").and_then(Value::as_str) != Some("EdDSA") {
        return Err(LicenseError::Malformed("its algorithm is not EdDSA"));
    }
    UnparsedPublicKey::new(&ED25519, key)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| LicenseError::BadSignature)?;
    serde_json::from_slice(&decode(payload)?).map_err(|_| LicenseError::Malformed("its claims cannot be read"))
}

fn parse_public_key(text: &str) -> Result<Vec<u8>, LicenseError> {
    let body: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .flat_map(|line| line.trim().chars())
        .collect();
    // Both alphabets, with or without padding: people paste what their tool printed.
    let body = body.replace('-', "+").replace('_', "/");
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, config)
        .decode(body)
        .map_err(|_| LicenseError::BadPublicKey)?;
    match bytes.strip_prefix(&SPKI_ED25519) {
        Some(key) if key.len() == 32 => Ok(key.to_vec()),
        None if bytes.len() == 32 => Ok(bytes),
        _ => Err(LicenseError::BadPublicKey),
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    fn key_pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn token(header: &Value, claims: &Value) -> String {
        let signed = [header, claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
            .join(".");
        let signature = URL_SAFE_NO_PAD.encode(key_pair().sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn license(token: &str) -> Result<License, LicenseError> {
        let key = STANDARD.encode(key_pair().public_key());
        License::from_settings(
            "Starter",
            Some(token),
            Some(&key),
            "2026-01-01T00:00:00Z".parse().unwrap(),
        )
    }

    #[test]
    fn a_signed_token_says_the_plan_and_its_limits() {
        let header = json!({"alg": "EdDSA", "typ": "JWT"});
        let exp = 1_800_000_000;

        let team = license(&token(
            &header,
            &json!({"plan": "Team", "device_limit": 250, "exp": exp}),
        ))
        .unwrap();
        let pro = license(&token(&header, &json!({"plan": "pro"}))).unwrap();

        assert_eq!(team.plan, Plan::Team);
        assert_eq!(team.device_limit, 250);
        assert_eq!(team.expires_at, Some(Timestamp::from_second(exp).unwrap()));
        assert_eq!(pro, License::of(Plan::Pro));
    }

    #[test]
    fn a_token_that_is_not_ours_or_not_of_now_is_refused() {
        let header = json!({"alg": "EdDSA"});
        let good = token(&header, &json!({"plan": "Pro"}));
        let (signed, _) = good.rsplit_once('.').unwrap();
        let forged = format!(
            "{}.{}",
            [&header, &json!({"plan": "Business"})]
                .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
                .join("."),
            good.rsplit_once('.').unwrap().1
        );

        assert_eq!(license(&forged), Err(LicenseError::BadSignature));
        assert_eq!(license(&format!("{signed}.")), Err(LicenseError::BadSignature));
        assert!(matches!(license("abc"), Err(LicenseError::Malformed(_))));
        let unsigned = token(&json!({"alg": "none"}), &json!({"plan": "Pro"}));
        assert!(matches!(license(&unsigned), Err(LicenseError::Malformed(_))));
        let expired = license(&token(&header, &json!({"plan": "Pro", "exp": 1_500_000_000})));
        assert!(matches!(expired, Err(LicenseError::Expired(_))));
        let future = license(&token(&header, &json!({"plan": "Pro", "nbf": 1_800_000_000})));
        assert!(matches!(future, Err(LicenseError::NotYetValid(_))));
        let unknown = license(&token(&header, &json!({"plan": "Gold"})));
        assert!(matches!(
            unknown,
            Err(LicenseError::UnknownPlan {
                whence: "license.token",
                ..
            })
        ));
    }

    #[test]
    fn the_key_is_read_from_pem_and_from_base64() {
        let key = key_pair().public_key().as_ref().to_vec();
        let spki = STANDARD.encode([SPKI_ED25519.as_slice(), &key].concat());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n");

        for text in [pem, STANDARD.encode(&key), URL_SAFE_NO_PAD.encode(&key)] {
            assert_eq!(parse_public_key(&text).unwrap(), key, "{text}");
        }
        assert_eq!(parse_public_key("AAAA"), Err(LicenseError::BadPublicKey));
    }

    #[test]
    fn an_expired_token_ends_api_access_while_running() {
        let end: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let license = License {
            expires_at: Some(end),
            ..License::of(Plan::Pro)
        };

        license.check("2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
        license.check(end).unwrap_err();
    }
}
