//! `getprop`, `setprop`, and the process list.

use super::{
    Programs, process_id,
    reply::{failed, printed, silent},
};
use crate::device::Completion;

/// The longest value of a property that may change, bytes (`PROP_VALUE_MAX` less its NUL).
const VALUE_LIMIT: usize = 91;

/// All properties as `[key]: [value]`, or one value; a missing one is an empty line, or the default.
pub(super) fn getprop(phone: &Programs, arguments: &[String]) -> Completion {
    let mut arguments = arguments.iter().map(String::as_str);
    let Some(name) = arguments.next() else {
        let mut all: std::collections::BTreeMap<String, String> = phone.handset.properties().into_iter().collect();
        all.extend(phone.memory().properties.clone());
        return printed(
            all.iter()
                .map(|(key, value)| format!("[{key}]: [{value}]\n"))
                .collect::<String>(),
        );
    };
    let set = phone.memory().properties.get(name).cloned();
    let value = set
        .or_else(|| phone.handset.property(name))
        .filter(|value| !value.is_empty());
    printed(format!(
        "{}\n",
        value.as_deref().or(arguments.next()).unwrap_or_default()
    ))
}

/// Sets a property; the shell user may set only some.
pub(super) fn setprop(phone: &Programs, arguments: &[String]) -> Completion {
    let [name, value] = arguments else {
        let words = if arguments.len() < 2 {
            "Need 2 arguments"
        } else {
            "Max 2 arguments"
        };
        return failed(1, format!("setprop: {words} (see \"setprop --help\")\n"));
    };
    if name.starts_with("ro.") || value.len() > VALUE_LIMIT {
        let reason = if name.starts_with("ro.") {
            ""
        } else {
            ": value too long"
        };
        return failed(
            1,
            format!("Failed to set property '{name}' to '{value}'{reason}.\nSee dmesg for error reason.\n"),
        );
    }
    phone.memory().properties.insert(name.clone(), value.clone());
    silent()
}

/// The process ids of packages that run.
pub(super) fn pidof(phone: &Programs, arguments: &[String]) -> Completion {
    let running = phone.running();
    let found: Vec<String> = arguments
        .iter()
        .filter(|package| running.contains(*package))
        .map(|package| process_id(package).to_string())
        .collect();
    if found.is_empty() {
        failed(1, "")
    } else {
        printed(format!("{}\n", found.join(" ")))
    }
}

/// `ps -A`: the packages that run, between two of the system's processes.
pub(super) fn ps(phone: &Programs) -> Completion {
    let mut text = "USER            PID   PPID     VSZ    RSS WCHAN            ADDR S NAME\n".to_owned();
    let mut line = |user: &str, pid: u32, parent: u32, name: &str| {
        text.push_str(&format!(
            "{user:<12} {pid:>6} {parent:>6} 14826412 181040 0                   0 S {name}\n"
        ));
    };
    line("root", 1, 0, "init");
    line("root", 712, 1, "zygote64");
    line("shell", 1_204, 1, "adbd");
    for package in phone.running() {
        let user = format!("u0_a{}", super::user_id(&package).saturating_sub(10_000));
        line(&user, process_id(&package), 712, &package);
    }
    printed(text)
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn properties_are_read_singly_with_a_default_or_all_at_once() {
        let bench = Bench::new();
        let cases = [
            ("getprop ro.product.model", "Pixel 6\n"),
            ("getprop no.such", "\n"),
            ("getprop no.such fallback", "fallback\n"),
            ("getprop ro.product.model fallback", "Pixel 6\n"),
        ];
        for (command, expected) in cases {
            assert_eq!(stdout(&bench.run(command).await), expected, "{command}");
        }
        assert!(stdout(&bench.run("getprop").await).contains("[ro.product.model]: [Pixel 6]\n"));
    }

    #[tokio::test]
    async fn a_property_can_be_set_unless_it_is_read_only() {
        let bench = Bench::new();

        bench.run("setprop debug.mine on").await;
        assert_eq!(stdout(&bench.run("getprop debug.mine").await), "on\n");
        let refused = bench.run("setprop ro.product.model x").await;
        assert!(stderr(&refused).starts_with("Failed to set property 'ro.product.model' to 'x'."));
        assert_eq!(refused.code, 1);
    }

    #[tokio::test]
    async fn a_started_app_has_a_process_until_it_is_stopped() {
        let bench = Bench::new();
        assert_eq!(bench.run("pidof com.example.app").await.code, 1);

        bench.run("am start -n com.example.app/.Main").await;
        let pid = stdout(&bench.run("pidof com.example.app").await).trim().to_owned();
        assert!(stdout(&bench.run("ps -A").await).lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.len() == 9 && words[1] == pid && words[8] == "com.example.app"
        }));
        bench.run("am force-stop com.example.app").await;
        assert_eq!(bench.run("pidof com.example.app").await.code, 1);
    }

    #[tokio::test]
    async fn a_reboot_ends_processes_and_forgets_what_was_set() {
        let bench = Bench::new();
        bench.run("setprop debug.mine on").await;
        bench.run("am start -n com.example.app/.Main").await;

        bench.run("reboot").await;
        bench.handset.lose_focus();

        assert_eq!(stdout(&bench.run("getprop debug.mine").await), "\n");
        assert_eq!(bench.run("pidof com.example.app").await.code, 1);
    }
}
