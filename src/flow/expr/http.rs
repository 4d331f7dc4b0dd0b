//! `http` in scripts: requests to the open internet, and to hosts that the settings name. Nothing else can be reached:
//! the address that a name means is looked at first, and the connection goes to that very address, after redirects, too.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use farmhand_actors::domain::net::is_public;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use ureq::{
    Agent,
    config::Config,
    http::{Request, Uri},
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

/// Longest body that is sent, bytes.
const MAX_SENT: usize = 1024 * 1024;
/// Longest body that is taken, bytes: a small part of what scripts have in memory.
const MAX_RECEIVED: u64 = 2 * 1024 * 1024;
/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 5;
/// How soon a stop is noticed while an answer is awaited.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What scripts may reach.
#[derive(Debug, Clone, Default)]
pub struct HttpAccess {
    /// Hosts (`name` or `name:port`) that may be reached although their address is not one of the open internet.
    pub hosts: Arc<[String]>,
}

/// What a script asks for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    multipart_form: Option<BTreeMap<String, String>>,
}

/// What a script gets.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    Response {
        ok: bool,
        status: u16,
        body: String,
        headers: BTreeMap<String, String>,
    },
    Refusal {
        error: String,
    },
}

/// Carries out a request that is written in JSON, within the script's time; answers JSON.
pub(super) fn call(access: &HttpAccess, wanted: &str, deadline: Instant, cancel: &CancellationToken) -> String {
    let answer = answer(access, wanted, deadline, cancel).unwrap_or_else(|error| Answer::Refusal { error });
    serde_json::to_string(&answer).unwrap_or_default()
}

fn answer(access: &HttpAccess, wanted: &str, deadline: Instant, cancel: &CancellationToken) -> Result<Answer, String> {
    let wanted: Wanted = serde_json::from_str(wanted)
        .map_err(|error| format!("http: headers and the fields of multipartForm must be texts ({error})"))?;
    let left = deadline.saturating_duration_since(Instant::now());
    let (url, method) = (wanted.url.clone(), wanted.method.clone());
    let resolver = PublicOnly {
        access: access.clone(),
        names: DefaultResolver::default(),
    };
    // A thread of its own, since a stop must not wait for a slow server; the thread ends by its own time limit.
    let (send, receive) = channel();
    let request = move || drop(send.send(exchange(wanted, resolver, left)));
    std::thread::Builder::new()
        .name("flow-http".to_owned())
        .spawn(request)
        .map_err(|error| format!("http: no thread for the request: {error}"))?;
    let told = |problem: &str| format!("{} {url}: {problem}", method.to_uppercase());
    loop {
        match receive.recv_timeout(LOOK_INTERVAL) {
            Ok(result) => return result.map_err(|problem| told(&problem)),
            Err(RecvTimeoutError::Disconnected) => return Err(told("the request failed")),
            Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() => return Err(told("stopped")),
            Err(RecvTimeoutError::Timeout) if Instant::now() >= deadline => {
                return Err(told("there was no answer within the script's time"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn exchange(wanted: Wanted, resolver: PublicOnly, left: Duration) -> Result<Answer, String> {
    let config = Config::builder()
        .timeout_global(Some(left))
        .http_status_as_error(false)
        .max_redirects(MAX_REDIRECTS)
        .proxy(None)
        .user_agent("farmhand")
        .build();
    let agent = Agent::with_parts(config, DefaultConnector::default(), resolver);
    let (body, kind) = body(&wanted)?;
    let mut request = Request::builder()
        .method(wanted.method.to_uppercase().as_str())
        .uri(&wanted.url);
    let has_kind = wanted
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("content-type"));
    for (name, value) in &wanted.headers {
        request = request.header(name, value);
    }
    if let Some(kind) = kind.filter(|_| !has_kind) {
        request = request.header("content-type", kind);
    }
    let malformed = |error: ureq::http::Error| error.to_string();
    let response = match body {
        Some(body) => agent.run(request.body(body).map_err(malformed)?),
        None => agent.run(request.body(()).map_err(malformed)?),
    };
    let mut response = response.map_err(|error| describe(&error))?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers
            .entry(name.to_string())
            .and_modify(|known| *known = format!("{known},{value}"))
            .or_insert(value);
    }
    let status = response.status();
    let read = response.body_mut().with_config().limit(MAX_RECEIVED).read_to_vec();
    let body = read.map_err(|error| describe(&error))?;
    Ok(Answer::Response {
        ok: status.is_success(),
        status: status.as_u16(),
        body: String::from_utf8_lossy(&body).into_owned(),
        headers,
    })
}

fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BodyExceedsLimit(_) => format!("the answer is longer than {MAX_RECEIVED} bytes"),
        ureq::Error::Timeout(_) => "there was no answer within the script's time".to_owned(),
        ureq::Error::Other(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The body and its type.
fn body(wanted: &Wanted) -> Result<(Option<String>, Option<String>), String> {
    let (body, kind) = match (&wanted.multipart_form, &wanted.body) {
        (Some(fields), _) => {
            let boundary = format!("farmhand-{}", ulid::Ulid::generate());
            let mut body = String::new();
            for (name, value) in fields {
                let name = name.replace(['"', '\r', '\n'], "_");
                body.push_str(&format!(
                    "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
                ));
            }
            body.push_str(&format!("--{boundary}--\r\n"));
            (Some(body), Some(format!("multipart/form-data; boundary={boundary}")))
        }
        (None, Some(body)) => (Some(body.clone()), Some("application/json; charset=utf-8".to_owned())),
        (None, None) => (None, None),
    };
    match &body {
        Some(body) if body.len() > MAX_SENT => {
            Err(format!("a body of {} bytes; at most {MAX_SENT} are sent", body.len()))
        }
        _ => Ok((body, kind)),
    }
}

/// Resolves names to addresses of the open internet, and to any address for hosts that are listed.
#[derive(Debug)]
struct PublicOnly {
    access: HttpAccess,
    names: DefaultResolver,
}

/// Why a host is not reached.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} is {address}, which is not an address of the open internet; if scripts may reach it, list it under \
     `flows.http_hosts` of the settings"
)]
struct NotPublic {
    host: String,
    address: std::net::IpAddr,
}

impl Resolver for PublicOnly {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.names.resolve(uri, config, timeout)?;
        if is_listed(&self.access.hosts, uri) {
            return Ok(addresses);
        }
        match addresses.iter().find(|address| !is_public(address.ip())) {
            None => Ok(addresses),
            Some(address) => Err(ureq::Error::Other(Box::new(NotPublic {
                host: uri.host().unwrap_or_default().to_owned(),
                address: address.ip(),
            }))),
        }
    }
}

fn is_listed(hosts: &[String], uri: &Uri) -> bool {
    let Some(host) = uri.host() else { return false };
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let with_port = format!("{host}:{}", uri.port_u16().unwrap_or(usual));
    hosts
        .iter()
        .any(|listed| listed.eq_ignore_ascii_case(host) || listed.eq_ignore_ascii_case(&with_port))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
    };

    use serde_json::{Value, json};

    use super::*;

    fn ask(hosts: &[&str], wanted: &Value) -> Value {
        let access = HttpAccess {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        let answer = call(&access, &wanted.to_string(), deadline, &CancellationToken::new());
        serde_json::from_str(&answer).unwrap()
    }

    fn get(hosts: &[&str], url: &str) -> Value {
        ask(hosts, &json!({ "method": "get", "url": url }))
    }

    /// Answers one connection after the other; what was asked can be read back.
    fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let serve = move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                asked.push(read_request(&mut stream));
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asked
        };
        (host, std::thread::spawn(serve))
    }

    /// Head and body.
    fn read_request(stream: &mut impl Read) -> String {
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with("\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
            text.push(char::from(byte[0]));
        }
        let head = text.to_lowercase();
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        text + std::str::from_utf8(&body).unwrap()
    }

    fn response(status: &str, headers: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn a_listed_host_answers_with_status_headers_and_body() {
        let answers = vec![
            response("200 OK", "x-a: 1\r\nx-a: 2\r\n", "{\"n\": 1}"),
            response("404 Not Found", "", "no"),
        ];
        let (host, asked) = server(answers);
        let wanted = json!({
            "method": "post", "url": format!("http://{host}/x?y=1"), "headers": { "X-Key": "k" }, "body": "{}"
        });

        let answer = ask(&[&host], &wanted);
        let missing = get(&["127.0.0.1"], &format!("http://{host}/"));

        assert_eq!((&answer["ok"], &answer["status"]), (&json!(true), &json!(200)));
        assert_eq!(
            (&answer["body"], &answer["headers"]["x-a"]),
            (&json!("{\"n\": 1}"), &json!("1,2"))
        );
        assert_eq!(
            (&missing["ok"], &missing["status"], &missing["body"]),
            (&json!(false), &json!(404), &json!("no"))
        );
        let asked = asked.join().unwrap();
        assert!(
            asked[0].starts_with("POST /x?y=1 HTTP/1.1\r\n") && asked[0].ends_with("\r\n\r\n{}"),
            "{}",
            asked[0]
        );
        assert!(asked[0].to_lowercase().contains("x-key: k\r\n"), "{}", asked[0]);
        assert!(asked[1].starts_with("GET / "), "{}", asked[1]);
    }

    #[test]
    fn forms_are_sent_field_by_field() {
        let (host, asked) = server(vec![response("200 OK", "", "")]);
        let wanted = json!({
            "method": "PUT", "url": format!("http://{host}/"), "multipartForm": { "a": "1", "b\"": "two" }
        });

        assert_eq!(ask(&[&host], &wanted)["status"], 200);

        let asked = asked.join().unwrap().remove(0);
        assert!(asked.contains("multipart/form-data; boundary=farmhand-"), "{asked}");
        assert!(asked.contains("form-data; name=\"a\"\r\n\r\n1\r\n"), "{asked}");
        assert!(asked.contains("form-data; name=\"b_\"\r\n\r\ntwo\r\n"), "{asked}");
    }

    #[test]
    fn addresses_of_this_host_and_its_network_are_refused_however_they_are_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "0.0.0.0",
            "0",
            "localhost",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[fc00::1]",
            "[fe80::1]",
            "[::ffff:a9fe:a9fe]",
        ] {
            for url in [format!("http://{host}/"), format!("https://user:word@{host}:8443/x")] {
                let answer = get(&["127.0.0.2", "other:80"], &url);
                let error = answer["error"].as_str().unwrap_or_default();
                // Spellings that no resolver of this host knows are no way in either.
                let refused = error.contains("not an address of the open internet") || error.contains("lookup");
                assert!(refused, "{url}: {answer}");
            }
        }
        let answer = get(&[], "http://127.0.0.1:1/");
        assert!(
            answer["error"].as_str().unwrap().contains("flows.http_hosts"),
            "{answer}"
        );
    }

    #[test]
    fn a_redirect_is_looked_at_like_any_other_address() {
        let (host, asked) = server(vec![response(
            "302 Found",
            "location: http://127.0.0.2:1/secret\r\n",
            "",
        )]);

        let answer = get(&[&host], &format!("http://{host}/"));

        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            error.contains("127.0.0.2") && error.contains("open internet"),
            "{answer}"
        );
        assert_eq!(asked.join().unwrap().len(), 1);
    }

    #[test]
    fn answers_that_are_too_long_or_never_come_are_given_up() {
        let long = "x".repeat(usize::try_from(MAX_RECEIVED).unwrap() + 1);
        let (host, _asked) = server(vec![response("200 OK", "", &long)]);
        let answer = get(&[&host], &format!("http://{host}/"));
        assert!(answer["error"].as_str().unwrap().contains("longer than"), "{answer}");

        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let wanted = json!({ "method": "GET", "url": url }).to_string();
        let access = HttpAccess {
            hosts: Arc::from(["127.0.0.1".to_owned()]),
        };
        let soon = Instant::now() + Duration::from_millis(200);
        let answer = call(&access, &wanted, soon, &CancellationToken::new());
        assert!(answer.contains("no answer within the script's time"), "{answer}");

        let stopped = CancellationToken::new();
        stopped.cancel();
        let late = Instant::now() + Duration::from_secs(600);
        assert!(call(&access, &wanted, late, &stopped).contains("stopped"));
    }

    #[test]
    fn what_is_no_request_is_told() {
        for (wanted, words) in [
            (json!({ "method": "GET", "url": "file:///etc/passwd" }), ""),
            (json!({ "method": "GET", "url": "no url" }), ""),
            (
                json!({ "method": "G E T", "url": "http://1.1.1.1/" }),
                "invalid HTTP method",
            ),
            (
                json!({ "method": "GET", "url": "http://1.1.1.1/", "headers": { "a": 1 } }),
                "must be texts",
            ),
            (
                json!({ "method": "POST", "url": "http://1.1.1.1/", "body": "x".repeat(MAX_SENT + 1) }),
                "at most",
            ),
        ] {
            let answer = ask(&[], &wanted);
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(!error.is_empty() && error.contains(words), "{answer}");
        }
    }
}
