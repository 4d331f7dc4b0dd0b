//! `settings get|put|delete|list` (`SettingsService`).

use super::{
    Programs,
    reply::{Answer, Arguments, failed, printed, silent},
};

/// Names that every phone has in some namespace, for `list`.
const COMMON: [(&str, &str); 12] = [
    ("global", "adb_enabled"),
    ("global", "airplane_mode_on"),
    ("global", "animator_duration_scale"),
    ("global", "device_name"),
    ("global", "stay_on_while_plugged_in"),
    ("global", "transition_animation_scale"),
    ("global", "window_animation_scale"),
    ("secure", "android_id"),
    ("secure", "default_input_method"),
    ("secure", "enabled_input_methods"),
    ("system", "screen_brightness"),
    ("system", "screen_off_timeout"),
];

/// Runs `settings`.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let mut words = Arguments::new("settings", arguments);
    while let Some(option) = words.next_option() {
        if option == "--user" {
            words.required()?;
        }
    }
    let Some(verb) = words.next() else {
        return Ok(failed(
            255,
            "Settings provider (settings) commands:\n  help\n      Print this help text.\n",
        ));
    };
    let mut words = Arguments::new(verb, words.rest());
    while let Some(option) = words.next_option() {
        if option == "--user" {
            words.required()?;
        }
    }
    let Some(namespace) = words.next().map(str::to_ascii_lowercase) else {
        return Ok(invalid("No namespace specified"));
    };
    if !matches!(namespace.as_str(), "system" | "secure" | "global") {
        return Ok(invalid(&format!("Invalid namespace '{namespace}'")));
    }
    match verb {
        "list" => Ok(printed(list(phone, &namespace))),
        "reset" => Ok(silent()),
        "get" | "put" | "delete" => {
            let Some(name) = words.next() else {
                return Ok(invalid("Bad arguments"));
            };
            match (verb, words.next()) {
                ("get", _) => Ok(printed(format!("{}\n", get(phone, &namespace, name)))),
                ("put", Some(value)) => {
                    put(phone, &namespace, name, value);
                    Ok(silent())
                }
                ("delete", _) => {
                    let rows = u8::from(phone.handset.setting(&namespace, name).is_some());
                    phone.handset.put_setting(&namespace, name, None);
                    Ok(printed(format!("Deleted {rows} rows\n")))
                }
                _ => Ok(invalid("Bad arguments")),
            }
        }
        _ => Ok(invalid("Invalid command")),
    }
}

/// Puts a setting; two of them have an effect beyond their value.
pub(super) fn put(phone: &Programs, namespace: &str, name: &str, value: &str) {
    phone.memory().settings.insert((namespace.to_owned(), name.to_owned()));
    phone.handset.put_setting(namespace, name, Some(value));
    if (namespace, name) == ("secure", "default_input_method") {
        phone.handset.set_input_method(value);
    }
}

fn get(phone: &Programs, namespace: &str, name: &str) -> String {
    match (namespace, name) {
        ("secure", "default_input_method") => phone.handset.input_method(),
        ("secure", "enabled_input_methods") => {
            let methods = phone.handset.input_methods().into_iter();
            methods
                .filter(|(_, enabled)| *enabled)
                .map(|(id, _)| id)
                .collect::<Vec<_>>()
                .join(":")
        }
        _ => phone
            .handset
            .setting(namespace, name)
            .unwrap_or_else(|| "null".to_owned()),
    }
}

fn list(phone: &Programs, namespace: &str) -> String {
    let mut names = phone.memory().settings.clone();
    names.extend(
        COMMON
            .iter()
            .map(|(namespace, name)| ((*namespace).to_owned(), (*name).to_owned())),
    );
    let named = names.iter().filter(|(other, _)| other == namespace);
    let valued = named.map(|(namespace, name)| (name, get(phone, namespace, name)));
    valued
        .filter(|(_, value)| value != "null")
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect()
}

fn invalid(words: &str) -> crate::device::Completion {
    failed(255, format!("{words}\n"))
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn settings_are_put_read_listed_and_deleted() {
        let bench = Bench::new();

        assert_eq!(stdout(&bench.run("settings get global mine").await), "null\n");
        let put = bench.run("settings put global mine 5").await;
        assert_eq!((stdout(&put), put.code), (String::new(), 0));
        assert_eq!(stdout(&bench.run("settings get global mine").await), "5\n");
        assert!(stdout(&bench.run("settings list global").await).contains("mine=5\n"));
        assert_eq!(
            stdout(&bench.run("settings delete global mine").await),
            "Deleted 1 rows\n"
        );
        assert_eq!(stdout(&bench.run("settings get global mine").await), "null\n");
    }

    #[tokio::test]
    async fn an_unknown_namespace_is_refused() {
        let completion = Bench::new().run("settings get local x").await;

        assert_eq!(
            (stderr(&completion).as_str(), completion.code),
            ("Invalid namespace 'local'\n", 255)
        );
    }
}
