//! `cmd SERVICE …`: the shell commands of Android's services.

use super::{
    Programs, am, ime, package,
    reply::{Answer, failed, printed, silent},
    screen, settings,
};

/// What `cmd` says for services that are not there, and without one.
const NO_SERVICE: u8 = 20;

/// The services that `cmd -l` lists.
const SERVICES: [&str; 14] = [
    "activity",
    "appops",
    "connectivity",
    "deviceidle",
    "input_method",
    "media_session",
    "notification",
    "overlay",
    "package",
    "settings",
    "statusbar",
    "uimode",
    "wifi",
    "window",
];

/// Runs `cmd`.
pub(super) fn run(phone: &Programs, arguments: &[String], stdin: &[u8]) -> Answer {
    // `-w` waits for the service, which is there.
    let arguments = match arguments.split_first() {
        Some((first, rest)) if first == "-w" => rest,
        _ => arguments,
    };
    let Some((service, rest)) = arguments.split_first() else {
        return Ok(failed(
            NO_SERVICE,
            "cmd: No service specified; use -l to list all running services. Use -w to start and wait for a service.\n",
        ));
    };
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match service.as_str() {
        "-l" => Ok(printed(format!(
            "Currently running services:\n  {}\n",
            SERVICES.join("\n  ")
        ))),
        "package" => package::run(phone, rest, stdin),
        "activity" => am::run(phone, rest),
        "settings" => settings::run(phone, rest),
        "input_method" => ime::run(phone, rest),
        "window" => screen::wm(phone, rest),
        "uimode" => Ok(ui_mode(phone, &words)),
        "connectivity" => Ok(airplane_mode(phone, &words)),
        "statusbar" => Ok(silent()),
        "wifi" if words == ["status"] => Ok(printed(
            "Wifi is enabled\nWifi scanning is only available when wifi is enabled\n",
        )),
        service if SERVICES.contains(&service) => Ok(silent()),
        service => Ok(failed(NO_SERVICE, format!("cmd: Can't find service: {service}\n"))),
    }
}

fn ui_mode(phone: &Programs, words: &[&str]) -> crate::device::Completion {
    let mode = match words {
        ["night", mode @ ("yes" | "no" | "auto")] => {
            let value = if *mode == "yes" { "2" } else { "1" };
            settings::put(phone, "secure", "ui_night_mode", value);
            *mode
        }
        ["night"] if phone.handset.setting("secure", "ui_night_mode").as_deref() == Some("2") => "yes",
        ["night"] => "no",
        _ => return printed("UiMode service (uimode) commands:\n"),
    };
    printed(format!("Night mode: {mode}\n"))
}

fn airplane_mode(phone: &Programs, words: &[&str]) -> crate::device::Completion {
    match words {
        ["airplane-mode", state @ ("enable" | "disable")] => {
            settings::put(
                phone,
                "global",
                "airplane_mode_on",
                if *state == "enable" { "1" } else { "0" },
            );
            silent()
        }
        ["airplane-mode"] if phone.handset.setting("global", "airplane_mode_on").as_deref() == Some("1") => {
            printed("enabled\n")
        }
        ["airplane-mode"] => printed("disabled\n"),
        _ => silent(),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn a_service_that_is_not_there_is_exit_20() {
        let completion = Bench::new().run("cmd nonsense do").await;

        assert_eq!(
            (stderr(&completion).as_str(), completion.code),
            ("cmd: Can't find service: nonsense\n", 20)
        );
    }

    #[tokio::test]
    async fn the_airplane_mode_is_remembered() {
        let bench = Bench::new();

        assert_eq!(stdout(&bench.run("cmd connectivity airplane-mode").await), "disabled\n");
        bench.run("cmd connectivity airplane-mode enable").await;
        assert_eq!(stdout(&bench.run("cmd connectivity airplane-mode").await), "enabled\n");
    }
}
