//! `ime`: input methods (`InputMethodManagerService`).

use super::{
    Programs,
    reply::{Answer, Arguments, failed, printed, printed_failure, unknown_command},
};

/// Runs `ime` (and `cmd input_method`).
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let Some((verb, rest)) = arguments.split_first() else {
        return Ok(printed_failure(255, "ime <command>:\n  list [-a] [-s]\n"));
    };
    let mut words = Arguments::new(verb, rest);
    let (mut all, mut short) = (false, false);
    while let Some(option) = words.next_option() {
        match option {
            "-a" => all = true,
            "-s" => short = true,
            "--user" => drop(words.required()?),
            _ => return Ok(failed(255, format!("Error: Unknown option: {option}\n"))),
        }
    }
    match verb.as_str() {
        "list" => Ok(printed(list(phone, all, short))),
        "enable" | "disable" => enable(phone, words.required()?, verb == "enable"),
        "set" => {
            let id = words.required()?;
            if phone.handset.set_input_method(id) {
                return Ok(printed(format!("Input method {id} selected for user #0\n")));
            }
            Ok(failed(
                255,
                format!("Unknown input method {id} cannot be selected for user #0\n"),
            ))
        }
        "reset" => {
            let stock = phone
                .handset
                .input_methods()
                .into_iter()
                .map(|(id, _)| id)
                .find(|id| id.contains("google"));
            let Some(id) = stock.filter(|id| phone.handset.set_input_method(id)) else {
                return Ok(printed(String::new()));
            };
            Ok(printed(format!(
                "Reset current and enabled IMEs for user #0\n  Selected: {id}\n"
            )))
        }
        _ => Ok(unknown_command(verb)),
    }
}

fn enable(phone: &Programs, id: &str, enabled: bool) -> Answer {
    let methods = phone.handset.input_methods();
    let before = methods
        .iter()
        .find(|(other, _)| other == id)
        .map(|(_, enabled)| *enabled);
    let verb = if enabled { "enabled" } else { "disabled" };
    Ok(match before {
        None if enabled => failed(
            255,
            format!("Unknown input method {id} cannot be enabled for user #0\n"),
        ),
        None => failed(
            255,
            format!("Unknown input method {id} cannot be disabled for user #0\n"),
        ),
        Some(state) => {
            phone.handset.enable_input_method(id, enabled);
            let adverb = if state == enabled { "already" } else { "now" };
            printed(format!("Input method {id}: {adverb} {verb} for user #0\n"))
        }
    })
}

fn list(phone: &Programs, all: bool, short: bool) -> String {
    let mut text = String::new();
    for (id, enabled) in phone.handset.input_methods() {
        if !all && !enabled {
            continue;
        }
        if short {
            text.push_str(&format!("{id}\n"));
        } else {
            text.push_str(&format!(
                "{id}:\n  mId={id} mSettingsActivityName=null mIsVrOnly=false mSupportsSwitchingToNextInputMethod=false\n"
            ));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    const KEYBOARD: &str = "com.github.uiautomator/.AdbKeyboard";

    #[tokio::test]
    async fn an_input_method_is_enabled_and_then_selected() {
        let bench = Bench::new();

        assert_eq!(
            stdout(&bench.run("ime list -s").await),
            "com.google.android.inputmethod.latin/.LatinIME\n"
        );
        assert!(stdout(&bench.run("ime list -s -a").await).contains(&format!("{KEYBOARD}\n")));
        let enabled = format!("Input method {KEYBOARD}: now enabled for user #0\n");
        assert_eq!(stdout(&bench.run(&format!("ime enable {KEYBOARD}")).await), enabled);
        let again = format!("Input method {KEYBOARD}: already enabled for user #0\n");
        assert_eq!(stdout(&bench.run(&format!("ime enable {KEYBOARD}")).await), again);
        let selected = format!("Input method {KEYBOARD} selected for user #0\n");
        assert_eq!(stdout(&bench.run(&format!("ime set {KEYBOARD}")).await), selected);
        assert_eq!(
            stdout(&bench.run("settings get secure default_input_method").await),
            format!("{KEYBOARD}\n")
        );
    }

    #[tokio::test]
    async fn an_unknown_input_method_is_refused_in_androids_words() {
        let completion = Bench::new().run("ime set com.x/.Y").await;

        assert_eq!(
            stderr(&completion),
            "Unknown input method com.x/.Y cannot be selected for user #0\n"
        );
    }
}
