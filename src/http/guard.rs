//! Host and Origin: a page of another site that a browser on this network shows may not use the API, neither by
//! resolving its own name to our address (DNS rebinding) nor by posting across sites.

use std::net::IpAddr;

use actix_web::{
    HttpRequest,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};

use super::{envelope::ApiError, observe::refuse, state::App};

/// Which names are ours.
#[derive(Debug, Clone)]
pub struct HostPolicy {
    names: Vec<String>,
    /// Reached from other machines: they may name us by any address, which no foreign site can take for its name.
    any_address: bool,
}

impl HostPolicy {
    /// Names of a server that listens on `host`, and further ones from the settings.
    #[must_use]
    pub fn new(host: &str, further: &[String]) -> Self {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        names.extend(further.iter().chain([&host.to_owned()]).map(|name| plain_name(name)));
        Self {
            names,
            any_address: !is_loopback(host),
        }
    }

    /// Checks the request's Host and Origin.
    ///
    /// # Errors
    /// 40302 that says which one is foreign.
    pub fn check(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let headers = request.headers();
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or_default();
        let (name, port) = split_port(host);
        let no_port =
            port.is_some_and(|port| !port.bytes().all(|c| c.is_ascii_digit()) || port.parse::<u16>().is_err());
        if no_port
            || !self.is_ours(&name)
            || request
                .uri()
                .host()
                .is_some_and(|host| !self.is_ours(&plain_name(host)))
        {
            return Err(ApiError::Forbidden(
                "this Host is not ours; add it to http.allowed_hosts if it should be".to_owned(),
            ));
        }
        let Some(origin) = headers.get(header::ORIGIN) else {
            return Ok(());
        };
        if origin.to_str().is_ok_and(|origin| self.is_same_site(origin, port)) {
            return Ok(());
        }
        Err(ApiError::Forbidden(
            "requests from other sites (Origin) are not taken".to_owned(),
        ))
    }

    fn is_ours(&self, name: &str) -> bool {
        self.names.iter().any(|ours| ours == name) || (self.any_address && name.parse::<IpAddr>().is_ok())
    }

    fn is_same_site(&self, origin: &str, port: Option<&str>) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let default_port = match scheme {
            "http" => "80",
            "https" => "443",
            _ => return false,
        };
        let (name, origin_port) = split_port(authority);
        self.is_ours(&name) && origin_port.unwrap_or(default_port) == port.unwrap_or(default_port)
    }
}

/// Refuses requests from foreign hosts and origins.
///
/// # Errors
/// None of its own.
pub async fn guard(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let checked = match request.app_data::<web::Data<App>>() {
        Some(app) => app.hosts.check(request.request()),
        None => Ok(()),
    };
    match checked {
        Ok(()) => next.call(request).await,
        Err(error) => Ok(refuse(request, error)),
    }
}

/// Whether a server that listens on `host` is reached from this machine only.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = plain_name(host);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn plain_name(host: &str) -> String {
    host.trim()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .trim_end_matches('.')
        .to_lowercase()
}

fn split_port(authority: &str) -> (String, Option<&str>) {
    // An IPv6 address stands in brackets, with its own colons.
    let tail = authority.rfind(']').unwrap_or(0);
    match authority.rfind(':').filter(|colon| *colon >= tail) {
        Some(colon) => match (authority.get(..colon), authority.get(colon + 1..)) {
            (Some(name), Some(port)) => (plain_name(name), Some(port)),
            _ => (plain_name(authority), None),
        },
        None => (plain_name(authority), None),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn check(policy: &HostPolicy, host: &str, origin: Option<&str>) -> bool {
        let mut request = TestRequest::default().insert_header((header::HOST, host));
        if let Some(origin) = origin {
            request = request.insert_header((header::ORIGIN, origin));
        }
        policy.check(&request.to_http_request()).is_ok()
    }

    #[test]
    fn only_our_own_names_are_taken_on_loopback() {
        let policy = HostPolicy::new("127.0.0.1", &["farm.lan".to_owned()]);

        for host in [
            "localhost",
            "LOCALHOST:50809",
            "127.0.0.1:50809",
            "[::1]:50809",
            "farm.lan",
            "localhost.",
        ] {
            assert!(check(&policy, host, None), "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "",
            "localhost.evil.example:50809",
            "127.0.0.1:50809.evil.example",
            "localhost:50809@evil.example",
            "localhost:99999",
            "localhost:+80",
        ] {
            assert!(!check(&policy, host, None), "{host}");
        }
    }

    #[test]
    fn a_server_for_other_machines_is_named_by_its_addresses_but_not_by_foreign_names() {
        let policy = HostPolicy::new("0.0.0.0", &[]);

        assert!(check(&policy, "192.168.1.7:50809", None));
        assert!(check(&policy, "[fe80::1]:50809", None));
        assert!(!check(&policy, "evil.example:50809", None));
    }

    #[test]
    fn only_pages_of_our_own_site_may_send() {
        let policy = HostPolicy::new("127.0.0.1", &[]);
        let host = "127.0.0.1:50809";

        for origin in ["http://127.0.0.1:50809", "http://localhost:50809"] {
            assert!(check(&policy, host, Some(origin)), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost:8000",
            "http://localhost",
            "file://",
        ] {
            assert!(!check(&policy, host, Some(origin)), "{origin}");
        }
    }
}
