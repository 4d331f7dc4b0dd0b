//! Who may use the API: keys, what they may do, and the plan.

use std::{
    future::{Ready, ready},
    net::{IpAddr, Ipv4Addr},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::Next,
    web,
};
use rand::Rng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{envelope::ApiError, observe::refuse, ports::KeyRecord, state::App};

/// What all keys begin with, so that secret scanners find them.
const KEY_START: &str = "farm_live_";
/// A key's last use is written at most this often, seconds: reading must not cost a write each time.
const TOUCH_EVERY_S: i64 = 60;
/// The path that answers about the plan whatever the plan is.
const LICENSE_PATH: &str = "/api/v1/license/check";

/// Whether a key is needed (`auth.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// No: everybody on this machine may do everything. Only when listening on loopback.
    Off,
    /// Yes.
    Keys,
}

/// What a key may do; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `GET`.
    Read,
    /// Everything but shells.
    Write,
    /// Everything.
    Admin,
}

impl Scope {
    /// The scope named by `word`, if it is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn needed_for(method: &Method) -> Self {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            Self::Read
        } else {
            Self::Write
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The key's prefix; `None` when no key is needed.
    pub key: Option<String>,
    /// What it may do; `None`: nothing.
    pub scope: Option<Scope>,
}

impl Principal {
    fn require(&self, wanted: Scope) -> Result<(), ApiError> {
        if self.scope.is_some_and(|scope| scope >= wanted) {
            return Ok(());
        }
        Err(ApiError::Forbidden(format!(
            "this API key lacks the scope \"{}\"",
            wanted.as_str()
        )))
    }
}

impl FromRequest for Principal {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let principal = request.extensions().get::<Self>().cloned();
        ready(principal.ok_or_else(|| ApiError::Internal("a route stands outside of the key check".to_owned())))
    }
}

/// An extractor that lets only keys with the scope `admin` pass.
pub struct AdminOnly;

impl FromRequest for AdminOnly {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let principal = Principal::from_request(request, payload).into_inner();
        ready(
            principal
                .and_then(|principal| principal.require(Scope::Admin))
                .map(|()| Self),
        )
    }
}

/// A new key and what is to be stored of it: only its hash can be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// To be shown once.
    pub key: String,
    /// By which it is found.
    pub prefix: String,
    /// [`hash_key`] of `key`.
    pub hash: String,
}

/// Makes a key of 256 random bits.
#[must_use]
pub fn new_key() -> NewKey {
    let mut random = [0_u8; 36];
    rand::rng().fill_bytes(&mut random);
    let random = hex(&random);
    let (prefix, secret) = random.split_at(8);
    let key = format!("{KEY_START}{prefix}_{secret}");
    NewKey {
        hash: hash_key(&key),
        prefix: prefix.to_owned(),
        key,
    }
}

/// SHA-256 of a whole key, hex. The key is random, so nothing slower is needed.
#[must_use]
pub fn hash_key(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

/// Lowercase hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets those in who may do this, on a plan that has API access.
///
/// # Errors
/// None of its own.
pub async fn authorise(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match admit(request.request()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.call(request).await
        }
        Err(error) => Ok(refuse(request, error)),
    }
}

async fn admit(request: &HttpRequest) -> Result<Principal, ApiError> {
    let app = request
        .app_data::<web::Data<App>>()
        .ok_or_else(|| ApiError::Internal("no state".to_owned()))?;
    let principal = authenticate(app, request).await?;
    principal.require(Scope::needed_for(request.method()))?;
    let is_api = request.path().starts_with("/api/");
    if is_api && request.path() != LICENSE_PATH {
        app.state.license.check(app.now())?;
    }
    Ok(principal)
}

async fn authenticate(app: &App, request: &HttpRequest) -> Result<Principal, ApiError> {
    if app.settings.auth == AuthMode::Off {
        return Ok(Principal {
            key: None,
            scope: Some(Scope::Admin),
        });
    }
    let address = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let Some(key) = given_key(request) else {
        return Err(ApiError::Unauthorized(
            "an API key is needed: send it as \"Authorization: Bearer …\" or \"X-API-Key: …\"",
        ));
    };
    match find(app, &key).await? {
        Some(record) => Ok(principal_of(&record)),
        // Whoever has a right key is not held up by a neighbour (behind a proxy all have one address) who has not.
        None => {
            app.throttle.check(address)?;
            app.throttle.wrong(address);
            tracing::warn!(%address, "a wrong API key was sent");
            Err(ApiError::Unauthorized("this API key is wrong, revoked or expired"))
        }
    }
}

fn given_key(request: &HttpRequest) -> Option<String> {
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
    });
    bearer.or_else(|| Some(headers.get("x-api-key")?.to_str().ok()?.trim().to_owned()))
}

async fn find(app: &App, key: &str) -> Result<Option<KeyRecord>, ApiError> {
    let Some((prefix, _)) = key.strip_prefix(KEY_START).and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    let now = app.now();
    let record = app.state.reads.find_key(prefix).await?;
    let given = hash_key(key);
    // An unknown prefix is compared too, so that the time of the answer does not tell which prefixes there are.
    let stored = record.as_ref().map_or("", |record| record.hash.as_str());
    let matches = bool::from(given.as_bytes().ct_eq(stored.as_bytes()));
    let record = record.filter(|record| matches && record.expires_at.is_none_or(|end| now < end));
    if let Some(record) = &record
        && record
            .last_used
            .is_none_or(|last| now.as_second() - last.as_second() >= TOUCH_EVERY_S)
        && let Err(error) = app.state.reads.touch_key(prefix, now).await
    {
        tracing::warn!(%error, "the last use of an API key could not be written");
    }
    Ok(record)
}

fn principal_of(record: &KeyRecord) -> Principal {
    Principal {
        key: Some(record.prefix.clone()),
        scope: record.scopes.iter().filter_map(|word| Scope::from_word(word)).max(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_new_key_is_another_and_only_its_hash_is_kept() {
        let one = new_key();
        let other = new_key();

        assert_ne!(one.key, other.key);
        assert!(one.key.starts_with(&format!("farm_live_{}_", one.prefix)));
        assert_eq!(one.hash, hash_key(&one.key));
        assert_eq!(one.hash.len(), 64);
        assert!(one.key.len() >= "farm_live_12345678_".len() + 64);
    }

    #[test]
    fn a_scope_includes_those_before_it() {
        let principal = Principal {
            key: None,
            scope: Some(Scope::Write),
        };

        principal.require(Scope::Read).unwrap();
        principal.require(Scope::Write).unwrap();
        principal.require(Scope::Admin).unwrap_err();
        Principal { key: None, scope: None }.require(Scope::Read).unwrap_err();
    }
}
