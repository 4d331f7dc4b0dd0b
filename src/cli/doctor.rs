//! `farmhand doctor`: looks at everything the controller needs, and says how to mend what is wrong.

use std::{net::TcpListener, process::Command, time::Duration};

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, Local, output, serve::in_system};
use crate::{adb, settings::Settings, startup};

/// How long an adb server may take to say its version.
const SERVER_DEADLINE: Duration = Duration::from_secs(3);

/// `farmhand doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    local: Local,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is found before the first start.
const NOT_YET: &str = "is not there yet: it is made at the first start (if it should be there, correct data_dir)";

/// What a look found.
struct Finding {
    what: String,
    /// `ok`, `warning` or `wrong`.
    state: &'static str,
    /// What was seen, and what to do.
    text: String,
}

impl Finding {
    fn of(what: impl Into<String>, result: Result<String, String>, bad: &'static str) -> Self {
        let (state, text) = match result {
            Ok(text) => ("ok", text),
            Err(text) => (bad, text),
        };
        Self {
            what: what.into(),
            state,
            text,
        }
    }
}

/// Looks, and fails when something is wrong.
pub fn run(doctor: &Doctor) -> Result<(), CliError> {
    let settings = match doctor.local.settings("", Vec::new()) {
        Ok(settings) => settings,
        Err(error) => {
            if doctor.json {
                let text = error.to_string();
                let faults = text
                    .lines()
                    .map(|line| Finding::of("settings", Err(line.to_owned()), "wrong"));
                output::json(&as_json(&faults.collect::<Vec<_>>()))?;
            }
            return Err(error);
        }
    };
    let findings = in_system(async { Ok(look(&settings).await) })?;
    if doctor.json {
        output::json(&as_json(&findings))?;
    } else {
        output::print(&report(&findings))?;
    }
    let wrong = findings.iter().filter(|finding| finding.state == "wrong").count();
    if wrong == 0 {
        return Ok(());
    }
    Err(CliError::Failed(format!("{wrong} thing(s) to mend")))
}

fn as_json(findings: &[Finding]) -> Value {
    let rows = findings.iter().map(|finding| {
        let Finding { what, state, text } = finding;
        json!({ "check": what, "state": state, "finding": text })
    });
    Value::Array(rows.collect())
}

/// One line for each finding, never cut: its end says how to mend it.
fn report(findings: &[Finding]) -> String {
    let widest = findings.iter().map(|finding| finding.what.chars().count()).max();
    let width = widest.unwrap_or_default();
    let line = |finding: &Finding| format!("{:<7}  {:<width$}  {}\n", finding.state, finding.what, finding.text);
    findings.iter().map(line).collect()
}

async fn look(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of("settings", Ok("read, all keys known".to_owned()), "wrong"),
        Finding::of("data_dir", data_folder(settings), "wrong"),
        Finding::of("database", database(settings).await, "wrong"),
        Finding::of("http", port(settings), "warning"),
        Finding::of(
            "license",
            startup::license_message(settings).map_err(|error| error.to_string()),
            "wrong",
        ),
        Finding::of("flows.dir", flows(settings), "warning"),
        Finding::of("limits", limits(settings), "warning"),
        Finding::of("media.roots", media(settings), "warning"),
        Finding::of("adb program", adb_program(), "warning"),
    ];
    for (place, server) in settings.adb.servers.iter().enumerate() {
        let found = adb_server(server, settings).await;
        let answers = found.state == "ok";
        findings.push(found);
        if answers {
            findings.extend(phones(server, settings, place == 0).await);
        }
    }
    findings
}

async fn adb_server(server: &str, settings: &Settings) -> Finding {
    let what = format!("adb server {server}");
    let version = adb::server_version(server, SERVER_DEADLINE).await;
    let (problem, bad) = match version {
        Ok(version) => return Finding::of(what, Ok(format!("answers, version {version}")), "wrong"),
        // It listens: starting it would do nothing.
        Err(problem) if problem.contains("no answer") => {
            let mend = "it hangs; restart it: `adb kill-server`, then `adb start-server`";
            (format!("{problem}; {mend}"), "wrong")
        }
        Err(problem) if settings.adb.start_server && adb::is_local(server) && adb_program().is_ok() => (
            format!("{problem}; `farmhand serve` starts it (adb.start_server)"),
            "warning",
        ),
        Err(problem) => {
            let mend = "start it with `adb start-server`, or correct adb.servers";
            (format!("{problem}; {mend}"), "wrong")
        }
    };
    Finding::of(what, Err(problem), bad)
}

/// The phones that a server shows; through the first one those of `devices` are connected.
async fn phones(server: &str, settings: &Settings, is_first: bool) -> Vec<Finding> {
    let listed = match adb::list_phones(server, SERVER_DEADLINE).await {
        Ok(listed) => listed,
        Err(problem) => return vec![Finding::of("devices", Err(problem), "wrong")],
    };
    if listed.is_empty() && settings.devices.is_empty() {
        let mend = "none; plug a phone in and allow USB debugging on it, or name phones on Wi-Fi in `devices`";
        return vec![Finding::of("devices", Err(mend.to_owned()), "warning")];
    }
    let absent = settings
        .devices
        .iter()
        .filter(|phone| is_first && listed.iter().all(|listed| listed.name != phone.address))
        .map(|phone| {
            let (serial, address) = (&phone.serial, &phone.address);
            let mend = format!(
                "{address} is not connected; the controller connects it when it runs: if it does not, see that the phone \
                 listens (`adb tcpip 5555` over USB) and that `adb connect {address}` works"
            );
            Finding::of(format!("device {serial}"), Err(mend), "warning")
        });
    let absent: Vec<Finding> = absent.collect();
    let told = listed.into_iter().map(|phone| {
        let result = if phone.usable {
            Ok(phone.finding)
        } else {
            Err(phone.finding)
        };
        Finding::of(format!("device {}", phone.name), result, "warning")
    });
    told.chain(absent).collect()
}

fn data_folder(settings: &Settings) -> Result<String, String> {
    let folder = &settings.data_dir;
    if !folder.exists() {
        return Ok(format!("{} {NOT_YET}", folder.display()));
    }
    tempfile::tempfile_in(folder)
        .map(|_| format!("{} can be written", folder.display()))
        .map_err(|error| {
            format!(
                "{}: {error}; choose another data_dir or mend its rights",
                folder.display()
            )
        })
}

async fn database(settings: &Settings) -> Result<String, String> {
    // Looking must not make what it looks for.
    if !settings.data_dir.exists() {
        return Ok(NOT_YET.to_owned());
    }
    let store = startup::open_store(settings).await.map_err(|error| error.to_string())?;
    let stats = store.stats().await.map_err(|error| error.to_string());
    store.close().await;
    stats.map(|stats| format!("opens, {} tasks", stats.total))
}

fn flows(settings: &Settings) -> Result<String, String> {
    let folder = &settings.flows.dir;
    if folder.is_empty() {
        return Ok("none: only the bundled scripts".to_owned());
    }
    std::fs::read_dir(folder)
        .map(|_| format!("{folder} can be read; `farmhand flow check {folder}` checks what is in it"))
        .map_err(|error| format!("{folder}: {error}; make the folder, or leave flows.dir empty"))
}

fn limits(settings: &Settings) -> Result<String, String> {
    let strangers = startup::limits_of_no_script(settings);
    if strangers.is_empty() {
        return Ok("each table is named by a script".to_owned());
    }
    Err(strangers.join("; "))
}

fn media(settings: &Settings) -> Result<String, String> {
    let roots = &settings.media.roots;
    if roots.is_empty() {
        return Ok("none: media come from the library alone".to_owned());
    }
    let problem = |root: &String| std::fs::read_dir(root).err().map(|error| format!("{root}: {error}"));
    let problems: Vec<String> = roots.iter().filter_map(problem).collect();
    if problems.is_empty() {
        return Ok(format!("{} can be read", roots.join(", ")));
    }
    Err(format!("{}; make or mount it, then start again", problems.join("; ")))
}

fn port(settings: &Settings) -> Result<String, String> {
    let (host, port) = (settings.http.host.as_str(), settings.http.port);
    TcpListener::bind((host, port))
        .map(|_| format!("{host}:{port} is free"))
        .map_err(|error| format!("{host}:{port}: {error}; is the controller running already? else change http.port"))
}

fn adb_program() -> Result<String, String> {
    let output = Command::new("adb").arg("version").output();
    let text = output.map_err(|_| "not found; install it with `apt-get install adb`".to_owned())?;
    let text = String::from_utf8_lossy(&text.stdout)
        .lines()
        .take(2)
        .collect::<Vec<_>>()
        .join(", ");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_to_its_end_however_long_it_is() {
        let mend = "no answer; ".to_owned() + &"mend it so ".repeat(30);
        let findings = [
            Finding::of("http", Ok("free".to_owned()), "wrong"),
            Finding::of("adb server 127.0.0.1:5037", Err(mend.clone()), "wrong"),
        ];

        let report = report(&findings);

        assert!(
            report.ends_with(&format!("wrong    adb server 127.0.0.1:5037  {mend}\n")),
            "{report}"
        );
        assert!(
            report.starts_with("ok       http                       free\n"),
            "{report}"
        );
    }

    #[test]
    fn limits_of_no_script_are_a_warning_that_names_the_one_that_was_meant() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("farm.toml");
        let dir = folder.path().join("flows");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("my_flow.yaml"), "").unwrap();
        let load = |limits: &str| {
            std::fs::write(&file, format!("[flows]\ndir = {dir:?}\n{limits}")).unwrap();
            Settings::load(Some(&file), &[]).unwrap()
        };

        let wrong = load("[limits.folow]\nper_day = 3\n[limits.my_flow]\nper_day = 3\n[limits.zzz]\nper_day = 3\n");
        let right = load("[limits.my_flow]\nper_day = 3\n");

        assert_eq!(
            limits(&wrong).unwrap_err(),
            "limits.folow: there is no script \"folow\"; did you mean \"follow\"?; limits.zzz: there is no script \"zzz\"; \
             there are: follow, my_flow, post, unfollow"
        );
        assert!(limits(&right).is_ok());
    }
}
