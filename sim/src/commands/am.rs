//! `am`: starts activities, stops apps, sends broadcasts (`ActivityManagerShellCommand`).

use super::{
    Programs, broadcast,
    intent::Intent,
    reply::{Answer, Arguments, failed, number_format, printed, printed_failure, silent, unknown_command},
};
use crate::{device::Completion, handset::Launched};

/// The first version (SDK) of Android whose `am` takes numbers of double precision.
const DOUBLES_SINCE: u32 = 34;

/// Runs `am` (and `cmd activity`).
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(printed_failure(
            255,
            "Activity manager (activity) commands:\n  help\n      Print this help text.\n",
        ));
    };
    let mut arguments = Arguments::new(name, rest);
    match name.as_str() {
        "start" | "start-activity" => start(phone, &mut arguments),
        "force-stop" | "stop-app" => stop(phone, &mut arguments, true),
        "kill" => stop(phone, &mut arguments, false),
        "kill-all" => Ok(silent()),
        "broadcast" => broadcast::run(phone, &mut arguments),
        "startservice" | "start-service" | "start-foreground-service" | "stopservice" | "stop-service" => {
            let intent = Intent::parse(&mut arguments, |option, arguments| user_option(option, arguments))?;
            Ok(printed_failure(
                255,
                format!("Starting service: {intent}\nError: Not found; no service started.\n"),
            ))
        }
        "instrument" => Ok(instrument(rest)),
        "get-current-user" => Ok(printed("0\n")),
        "get-config" => Ok(printed(format!(
            "config: en-rUS-ldltr-sw411dp-w411dp-h914dp-v{}\n",
            phone.sdk()
        ))),
        "wait-for-broadcast-idle" => Ok(printed("All broadcast queues are idle!\n")),
        "stack" | "task" | "set-debug-app" | "clear-debug-app" | "idle-maintenance" | "switch-user" => Ok(silent()),
        _ => Ok(unknown_command(name)),
    }
}

/// `--ed NAME NUMBER`, which the apps do not ask for.
fn double(arguments: &mut Arguments<'_>) -> Result<bool, Completion> {
    arguments.required()?;
    let number = arguments.required()?;
    match number.parse::<f64>() {
        Ok(_) => Ok(true),
        Err(_) => Err(number_format(arguments.command(), number)),
    }
}

/// Options of `am start` that are none of an intent.
#[derive(Debug, Default)]
struct StartOptions {
    wait: bool,
    stop_first: bool,
}

impl StartOptions {
    fn take(&mut self, option: &str, arguments: &mut Arguments<'_>) -> Result<bool, Completion> {
        match option {
            "-W" => self.wait = true,
            "-S" => self.stop_first = true,
            "-D" | "-N" | "--streaming" | "--task-overlay" | "--lock-task" | "--dismiss-keyguard" => {}
            "-R" | "-P" | "--start-profiler" | "--sampling" | "--display" | "--windowingMode" | "--activityType"
            | "--task" => drop(arguments.required()?),
            _ => return user_option(option, arguments),
        }
        Ok(true)
    }
}

/// `--user ID`, which every sub-command takes.
pub(super) fn user_option(option: &str, arguments: &mut Arguments<'_>) -> Result<bool, Completion> {
    if option != "--user" {
        return Ok(false);
    }
    arguments.required()?;
    Ok(true)
}

fn start(phone: &Programs, arguments: &mut Arguments<'_>) -> Answer {
    let mut options = StartOptions::default();
    let intent = Intent::parse(arguments, |option, arguments| match option {
        // Older phones do not know it.
        "--ed" if phone.sdk() >= DOUBLES_SINCE => double(arguments),
        _ => options.take(option, arguments),
    })?;
    let mut stdout = String::new();
    let target = intent
        .component
        .as_ref()
        .map(|component| &component.package)
        .or(intent.package.as_ref());
    if let (true, Some(package)) = (options.stop_first, target) {
        stdout.push_str(&format!("Stopping: {package}\n"));
        if intent.component.is_none() {
            phone.handset.stop(package);
        }
    }
    stdout.push_str(&format!("Starting: {intent}\n"));
    let launched = launch(phone, &intent, options.stop_first);
    if let Launched::Started { activity, .. } | Launched::AlreadyInFront { activity } = &launched {
        let package = activity.split('/').next().unwrap_or_default();
        phone.memory().running.insert(package.to_owned());
    }
    // Warnings and errors go to standard output with `-W`, to standard error without.
    let notice = notice(&intent, &launched);
    let code = u8::from(launched == Launched::Unresolved);
    if !options.wait {
        return Ok(Completion {
            stdout: stdout.into_bytes(),
            stderr: notice.into_bytes(),
            code,
        });
    }
    stdout.push_str(&notice);
    stdout.push_str(&wait_report(&launched));
    Ok(Completion {
        stdout: stdout.into_bytes(),
        code,
        ..Completion::default()
    })
}

/// Finds out what the intent means on this phone, and does it.
fn launch(phone: &Programs, intent: &Intent, stop_first: bool) -> Launched {
    let handset = &phone.handset;
    if let Some(component) = &intent.component {
        if let (Some(link), Some("android.intent.action.VIEW")) = (&intent.data, intent.action.as_deref()) {
            return handset.open_link(link, Some(&component.package));
        }
        return handset.launch(&component.package, Some(&component.short()), stop_first);
    }
    let package = intent.package.as_deref();
    match intent.action.as_deref() {
        Some("android.intent.action.MAIN") => {
            if intent
                .categories
                .iter()
                .any(|category| category == "android.intent.category.HOME")
            {
                return go_home(phone);
            }
            package.map_or(Launched::Unresolved, |package| {
                handset.launch(package, None, stop_first)
            })
        }
        Some(action) if action.starts_with("android.settings.") => {
            handset.launch(package.unwrap_or("com.android.settings"), None, stop_first)
        }
        _ => match (&intent.data, package) {
            (Some(link), package) => handset.open_link(link, package),
            (None, Some(package)) if intent.action.is_none() => handset.launch(package, None, stop_first),
            _ => Launched::Unresolved,
        },
    }
}

fn go_home(phone: &Programs) -> Launched {
    phone.handset.key(3);
    let activity = phone
        .handset
        .focus()
        .map(|(_, component)| component)
        .unwrap_or_default();
    Launched::Started { activity, cold: false }
}

fn notice(intent: &Intent, launched: &Launched) -> String {
    match (launched, &intent.component) {
        (Launched::Started { cold: true, .. }, _) => String::new(),
        (Launched::Started { cold: false, .. }, _) => {
            "Warning: Activity not started, its current task has been brought to the front\n".to_owned()
        }
        (Launched::AlreadyInFront { .. }, _) => "Warning: Activity not started, intent has been delivered to \
             currently running top-most instance.\n"
            .to_owned(),
        (Launched::Unresolved, Some(component)) => {
            format!(
                "Error type 3\nError: Activity class {{{}}} does not exist.\n",
                component.full()
            )
        }
        (Launched::Unresolved, None) => format!("Error: Activity not started, unable to resolve {intent}\n"),
    }
}

/// What `-W` adds once the activity is up.
fn wait_report(launched: &Launched) -> String {
    let (state, activity, total_ms) = match launched {
        Launched::Started { activity, cold: true } => ("COLD", activity, 486),
        Launched::Started { activity, cold: false } => ("HOT", activity, 72),
        Launched::AlreadyInFront { activity } => ("UNKNOWN (0)", activity, 0),
        Launched::Unresolved => return String::new(),
    };
    format!(
        "Status: ok\nLaunchState: {state}\nActivity: {activity}\nTotalTime: {total_ms}\nWaitTime: {}\nComplete\n",
        total_ms + 4
    )
}

/// `am force-stop` and `am kill` say nothing, for unknown packages too.
fn stop(phone: &Programs, arguments: &mut Arguments<'_>, also_in_front: bool) -> Answer {
    while let Some(option) = arguments.next_option() {
        user_option(option, arguments)?;
    }
    let package = arguments.required()?;
    let in_front = phone.handset.focus().is_some_and(|(focused, _)| focused == package);
    if also_in_front || !in_front {
        phone.memory().running.remove(package);
        phone.handset.stop(package);
    }
    Ok(silent())
}

fn instrument(arguments: &[String]) -> Completion {
    let component = arguments.last().map(String::as_str).unwrap_or_default();
    failed(
        1,
        format!(
            "android.util.AndroidException: INSTRUMENTATION_FAILED: {component}\n\
             \tat com.android.commands.am.Instrument.run(Instrument.java:574)\n\
             \tat com.android.commands.am.Am.runInstrument(Am.java:203)\n"
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn a_cold_start_with_wait_reports_its_times() {
        let bench = Bench::new();

        let completion = bench.run("am start -W -n com.example.app/.Main").await;

        assert_eq!(
            stdout(&completion),
            "Starting: Intent { cmp=com.example.app/.Main }\nStatus: ok\nLaunchState: COLD\n\
             Activity: com.example.app/.Main\nTotalTime: 486\nWaitTime: 490\nComplete\n"
        );
        assert_eq!(completion.code, 0);
        assert_eq!(
            bench.handset.calls(),
            ["launch com.example.app Some(\"com.example.app/.Main\") false"]
        );
    }

    #[tokio::test]
    async fn a_missing_activity_is_an_error_on_stderr_without_wait_and_on_stdout_with_it() {
        let bench = Bench::new();
        let error = "Error type 3\nError: Activity class {com.nothing/com.nothing.Main} does not exist.\n";

        let plain = bench.run("am start -n com.nothing/.Main").await;
        assert_eq!(stdout(&plain), "Starting: Intent { cmp=com.nothing/.Main }\n");
        assert_eq!((stderr(&plain), plain.code), (error.to_owned(), 1));

        let waiting = bench.run("am start -W -n com.nothing/.Main").await;
        assert_eq!(
            stdout(&waiting),
            format!("Starting: Intent {{ cmp=com.nothing/.Main }}\n{error}")
        );
        assert_eq!((stderr(&waiting), waiting.code), (String::new(), 1));
    }

    #[tokio::test]
    async fn a_link_nobody_handles_is_unresolved() {
        let completion = Bench::new()
            .run("am start -a android.intent.action.VIEW -d nobody://x/y")
            .await;

        assert_eq!(
            stderr(&completion),
            "Error: Activity not started, unable to resolve \
             Intent { act=android.intent.action.VIEW dat=nobody://x/... }\n"
        );
        assert_eq!(completion.code, 1);
    }

    #[tokio::test]
    async fn stop_first_says_so_and_force_stop_is_silent() {
        let bench = Bench::new();

        let started = bench.run("am start -S -n com.example.app/.Main").await;
        assert!(stdout(&started).starts_with("Stopping: com.example.app\nStarting: "));
        let stopped = bench.run("am force-stop com.no.such").await;
        assert_eq!(
            (stdout(&stopped), stderr(&stopped), stopped.code),
            (String::new(), String::new(), 0)
        );
        assert_eq!(bench.handset.calls().last().expect("a call"), "stop com.no.such");
    }
}
