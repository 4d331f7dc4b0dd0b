//! One sending of one message: to a checked address, within a deadline, without following anybody elsewhere.

use std::{io, time::Duration};

use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::target::TargetPolicy;

/// Longest head of an answer, bytes; its body is not read at all.
const HEAD_LIMIT: usize = 32 * 1024;

/// What a target said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// Its status, if it answered.
    pub(super) status: Option<u16>,
    /// Why the message was not taken.
    pub(super) error: Option<String>,
}

/// Sends; blocks the thread that it is called on.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
}

impl Client {
    pub(super) fn new(policy: TargetPolicy, timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A proxy would resolve the name by itself.
            .proxy(None)
            // A kept connection would be to an address that was checked some time ago.
            .max_idle_connections(0)
            .max_response_header_size(HEAD_LIMIT)
            .user_agent(concat!("farmhand/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver {
            policy,
            names: DefaultResolver::default(),
        };
        Self {
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
        }
    }

    pub(super) fn send(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Said {
        let mut request = self.agent.post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.send(body) {
            Ok(answer) => {
                let status = answer.status();
                let error = match status.as_u16() {
                    200..=299 => None,
                    300..=399 => Some(format!(
                        "answered {status}; redirects are not followed: give the final URL"
                    )),
                    _ => Some(format!("answered {status}")),
                };
                Said {
                    status: Some(status.as_u16()),
                    error,
                }
            }
            Err(error) => Said {
                status: None,
                error: Some(error.to_string()),
            },
        }
    }
}

/// Looks names up and hands on only addresses that may be connected to: what was checked is what is connected to.
#[derive(Debug)]
struct CheckedResolver {
    policy: TargetPolicy,
    names: DefaultResolver,
}

impl Resolver for CheckedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut allowed = self.empty();
        for address in self.names.resolve(uri, config, timeout)?.iter() {
            if self.policy.allows(host, address.ip()) {
                allowed.push(*address);
            }
        }
        if allowed.is_empty() {
            let problem = format!("the host {host} is not on the open internet and not in webhooks.allow");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem).into());
        }
        Ok(allowed)
    }
}
