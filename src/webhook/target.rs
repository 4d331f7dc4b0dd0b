//! Where messages may go: to hosts of the open internet, and to those that the operator has named.

use std::net::{IpAddr, Ipv6Addr};

use farmhand_actors::domain::net::is_public;
use ureq::http::Uri;

/// Longest URL, bytes.
const URL_LIMIT: usize = 2048;

/// What the operator has named beside the open internet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    /// A host by its name, wherever it is.
    Host(String),
    /// An address with so many leading bits.
    Network(IpAddr, u8),
}

/// Where messages may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    allowed: Vec<Allowed>,
}

impl TargetPolicy {
    /// Reads `webhooks.allow`: names of hosts, addresses, networks like `10.0.0.0/8`.
    ///
    /// # Errors
    /// Names the entry that is none of these.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        let allowed = entries.iter().map(|entry| {
            parse_entry(entry.trim())
                .ok_or_else(|| format!("{entry:?} is no host, no address and no network like 10.0.0.0/8"))
        });
        Ok(Self {
            allowed: allowed.collect::<Result<_, _>>()?,
        })
    }

    /// Whether an address that `host` stands for may be connected to.
    #[must_use]
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address)
            || self.allowed.iter().any(|allowed| match allowed {
                Allowed::Host(name) => name.eq_ignore_ascii_case(host),
                Allowed::Network(network, bits) => contains(*network, *bits, address),
            })
    }

    /// Looks at a URL and at every address that its host stands for at this moment.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub async fn check(&self, url: &str) -> Result<(), String> {
        let (host, port) = parse_url(url)?;
        let addresses = tokio::net::lookup_host((host.as_str(), port)).await;
        let mut addresses = addresses
            .map_err(|error| format!("the host {host} cannot be found: {error}"))?
            .peekable();
        if addresses.peek().is_none() {
            return Err(format!("the host {host} has no address"));
        }
        match addresses.find(|address| !self.allows(&host, address.ip())) {
            None => Ok(()),
            Some(address) => Err(format!(
                "the host {host} is at {}, which is not on the open internet; name it in webhooks.allow of the settings \
                 if it is meant",
                address.ip()
            )),
        }
    }
}

/// Host (without brackets) and port of a URL that messages can be sent to.
fn parse_url(url: &str) -> Result<(String, u16), String> {
    if url.len() > URL_LIMIT {
        return Err(format!("is too long: at most {URL_LIMIT} bytes"));
    }
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("is no URL like https://host/path: {error}"))?;
    let usual_port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return Err("must begin with https:// or http://".to_owned()),
    };
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err("must not hold a name or a password; messages are signed with the secret".to_owned());
    }
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("names no host".to_owned());
    }
    // `Uri::port` is silent about a port that is no number, and the usual one would be taken for it.
    let written = uri.host().unwrap_or_default();
    if written.starts_with('[') && host.parse::<Ipv6Addr>().is_err() {
        return Err("holds something else than an IPv6 address between [ and ]".to_owned());
    }
    let after_host = authority.strip_prefix(written).unwrap_or_default();
    match after_host.strip_prefix(':') {
        None if after_host.is_empty() => Ok((host.to_owned(), usual_port)),
        None => Err("must have nothing but : and a port after its host".to_owned()),
        Some(port) => parse_port(port).map(|port| (host.to_owned(), port)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    // The sign that numbers may have elsewhere is none of a port.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| "its port must be from 1 to 65535".to_owned())
}

fn parse_entry(entry: &str) -> Option<Allowed> {
    if let Some((network, bits)) = entry.split_once('/') {
        let (network, bits) = (network.parse::<IpAddr>().ok()?, bits.parse().ok()?);
        return (bits <= width(network)).then_some(Allowed::Network(network, bits));
    }
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Some(Allowed::Network(address, width(address)));
    }
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    // Digits alone are an address that somebody has mistyped.
    let is_name = !entry.is_empty() && entry.chars().all(named) && entry.chars().any(|c| c.is_ascii_alphabetic());
    is_name.then(|| Allowed::Host(entry.to_owned()))
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        let ignored = width - u32::from(bits).min(width);
        ignored >= 128 || one >> ignored == other >> ignored
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => same(network.to_bits().into(), address.to_bits().into(), 32),
        (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(entries: &[&str]) -> TargetPolicy {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        TargetPolicy::parse(&entries).unwrap()
    }

    #[test]
    fn besides_the_open_internet_only_what_is_named_may_be_reached() {
        let policy = policy(&["127.0.0.1", "10.0.0.0/8", "fd00::/16", "hooks.lan"]);
        for (host, address, allowed) in [
            ("any.example", "93.184.216.34", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.2", false),
            ("mapped", "::ffff:127.0.0.1", true),
            ("mapped", "::ffff:127.0.0.2", false),
            ("ten", "10.200.3.4", true),
            ("ten", "11.0.0.1", true),
            ("lan", "192.168.1.1", false),
            ("HOOKS.lan", "192.168.1.1", true),
            ("six", "fd00::7", true),
            ("six", "fd01::7", false),
            ("metadata", "169.254.169.254", false),
        ] {
            assert_eq!(
                policy.allows(host, address.parse().unwrap()),
                allowed,
                "{host} {address}"
            );
        }
        assert!(super::tests::policy(&["0.0.0.0/0", "::/0"]).allows("x", "10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn an_entry_that_means_nothing_is_named() {
        for entry in ["10.0.0.0/33", "1.2.3", "", "a b", "http://x", "10.0.0.0/x", "::/129"] {
            let problem = TargetPolicy::parse(&[entry.to_owned()]).unwrap_err();
            assert!(problem.contains(&format!("{entry:?}")), "{problem}");
        }
    }

    #[tokio::test]
    async fn urls_that_cannot_be_sent_to_are_refused_with_the_reason() {
        for (url, reason) in [
            ("", "no URL"),
            ("/hook", "https://"),
            ("ftp://example.com/", "https://"),
            ("file:///etc/passwd", "https://"),
            ("http://user:word@example.com/", "name or a password"),
            ("http://127.0.0.1/", "open internet"),
            ("http://127.0.0.1:0/", "port"),
            ("http://[::1]8080/d", "port"),
            ("https://[2001:4860:4860::8888]8443/e", "port"),
            ("http://[8.8.8.8]:80/", "IPv6"),
            ("http://[8.8.8.8]x:abc/", "IPv6"),
            ("http://8.8.8.8:99999/", "its port must be from 1 to 65535"),
            ("http://8.8.8.8:65536/", "its port must be from 1 to 65535"),
            ("http://8.8.8.8:abc/", "its port must be from 1 to 65535"),
            ("http://8.8.8.8:/x", "its port must be from 1 to 65535"),
            ("https://8.8.8.8:-1/", "its port must be from 1 to 65535"),
            ("https://8.8.8.8:+80/", "its port must be from 1 to 65535"),
            ("https://[2606:4700::1]:99999/", "its port must be from 1 to 65535"),
            ("https://[::1]:8443/", "open internet"),
            ("http://169.254.169.254/latest/meta-data", "open internet"),
            ("http://0x7f.1/", "open internet"),
            ("http://2130706433/", "open internet"),
            ("http://localhost:5037/", "open internet"),
            ("http://[::ffff:10.0.0.1]/", "open internet"),
        ] {
            let problem = TargetPolicy::default().check(url).await.unwrap_err();
            assert!(problem.contains(reason), "{url}: {problem}");
        }
        assert_eq!(
            TargetPolicy::default().check("https://93.184.216.34/hook?x=1").await,
            Ok(())
        );
        assert_eq!(policy(&["127.0.0.1"]).check("http://127.0.0.1:9/").await, Ok(()));
        assert_eq!(TargetPolicy::default().check("https://[2606:4700::1]/").await, Ok(()));
    }
}
