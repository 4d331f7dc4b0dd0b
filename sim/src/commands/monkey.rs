//! `monkey -p PKG -c android.intent.category.LAUNCHER 1`: what many tools start an app with.

use super::{Programs, reply::printed_failure};
use crate::{device::Completion, handset::Launched};

/// `System.exit(-4)`, also said while the keyguard is shown.
const NO_ACTIVITIES: u8 = 252;

/// Starts the launcher activity of the package; other uses end without events.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Completion {
    let mut stderr = format!("args: [{}]\n", arguments.join(", "));
    for argument in arguments {
        stderr.push_str(&format!(" arg: \"{argument}\"\n"));
    }
    let value_of = |option: &str| {
        let position = arguments.iter().position(|argument| argument == option)?;
        arguments.get(position + 1)
    };
    if let Some(category) = value_of("-c") {
        stderr.push_str(&format!("data=\"{category}\"\n"));
    }
    let Some(count) = arguments.last().and_then(|count| count.parse::<u32>().ok()) else {
        return printed_failure(
            255,
            "usage: monkey [-p ALLOWED_PACKAGE [-p ALLOWED_PACKAGE] ...]\n  COUNT\n",
        );
    };
    let locked = phone.handset.power().locked;
    let launched = value_of("-p")
        .filter(|_| !locked)
        .map(|package| phone.handset.launch(package, None, false))
        .unwrap_or(Launched::Unresolved);
    if launched == Launched::Unresolved {
        let stdout = b"** No activities found to run, monkey aborted.\n".to_vec();
        return Completion {
            stdout,
            stderr: stderr.into_bytes(),
            code: NO_ACTIVITIES,
        };
    }
    phone.memory().running.extend(value_of("-p").cloned());
    let stdout = format!(
        "Events injected: {count}\n## Network stats: elapsed time=15ms (0ms mobile, 0ms wifi, 15ms not connected)\n"
    );
    Completion {
        stdout: stdout.into_bytes(),
        stderr: stderr.into_bytes(),
        code: 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn monkey_starts_an_installed_app_and_aborts_for_others() {
        let bench = Bench::new();

        let started = bench
            .run("monkey -p com.example.app -c android.intent.category.LAUNCHER 1")
            .await;
        assert!(stdout(&started).starts_with("Events injected: 1\n## Network stats: "));
        assert!(stderr(&started).starts_with("args: [-p, com.example.app, -c, "));
        assert!(stderr(&started).contains(" arg: \"-p\"\n"));
        assert_eq!(started.code, 0);

        let unknown = bench
            .run("monkey -p com.nothing -c android.intent.category.LAUNCHER 1")
            .await;
        assert_eq!(stdout(&unknown), "** No activities found to run, monkey aborted.\n");
        assert_eq!(unknown.code, 252);
    }
}
