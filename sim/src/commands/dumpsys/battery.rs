//! `dumpsys battery`, and its way to pretend another state.

use crate::commands::{
    Programs,
    reply::{Answer, failed, printed, printed_failure, silent},
};

/// Names that `set` takes, and the lines of the report that they change.
const SETTABLE: [(&str, &str); 9] = [
    ("present", "present"),
    ("ac", "AC powered"),
    ("usb", "USB powered"),
    ("wireless", "Wireless powered"),
    ("dock", "Dock powered"),
    ("status", "status"),
    ("level", "level"),
    ("counter", "Charge counter"),
    ("temp", "temperature"),
];
/// Microampere-hours of a full battery.
const CAPACITY: u32 = 4_500_000;

/// Prints the report, or changes what it says.
pub(super) fn run(phone: &Programs, words: &[&str]) -> Answer {
    // `-f` forces the change to be announced at once.
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "-f").collect();
    match words.as_slice() {
        [] | ["-a"] => Ok(printed(report(phone))),
        ["reset"] => {
            phone.memory().battery.clear();
            Ok(silent())
        }
        ["unplug"] => {
            for name in ["AC powered", "USB powered", "Wireless powered", "Dock powered"] {
                phone.memory().battery.insert(name.to_owned(), "false".to_owned());
            }
            Ok(silent())
        }
        ["set", name, value] => {
            let Some((name, line)) = SETTABLE.iter().find(|(other, _)| other == name) else {
                return Ok(printed_failure(255, format!("Unknown set option: {name}\n")));
            };
            let Ok(number) = value.parse::<i64>() else {
                return Ok(failed(255, format!("Bad value: {value}\n")));
            };
            let flag = matches!(*name, "present" | "ac" | "usb" | "wireless" | "dock");
            let value = if flag {
                (number != 0).to_string()
            } else {
                number.to_string()
            };
            phone.memory().battery.insert((*line).to_owned(), value);
            Ok(silent())
        }
        ["set", ..] => Ok(failed(255, "No value specified\n")),
        [other, ..] => Ok(printed_failure(255, format!("Unknown command: {other}\n"))),
    }
}

fn report(phone: &Programs) -> String {
    let power = phone.handset.power();
    let pretended = phone.memory().battery.clone();
    let mut text = "Current Battery Service state:\n".to_owned();
    if !pretended.is_empty() {
        text.push_str("  (UPDATES STOPPED -- use 'reset' to restart)\n");
    }
    // 2 charging, 3 discharging, 5 full.
    let status = match (power.charging, power.level) {
        (true, 100) => 5,
        (true, _) => 2,
        (false, _) => 3,
    };
    let mut lines = vec![
        ("AC powered", "false".to_owned()),
        ("USB powered", power.charging.to_string()),
        ("Wireless powered", "false".to_owned()),
    ];
    if phone.sdk() >= 33 {
        lines.push(("Dock powered", "false".to_owned()));
    }
    lines.extend([
        ("Max charging current", "500000".to_owned()),
        ("Max charging voltage", "5000000".to_owned()),
        ("Charge counter", (CAPACITY / 100 * u32::from(power.level)).to_string()),
        ("status", status.to_string()),
        ("health", "2".to_owned()),
        ("present", "true".to_owned()),
        ("level", power.level.to_string()),
        ("scale", "100".to_owned()),
        ("voltage", (3_600 + 7 * u32::from(power.level)).to_string()),
        ("temperature", power.temperature.to_string()),
        ("technology", "Li-ion".to_owned()),
    ]);
    for (name, value) in lines {
        text.push_str(&format!("  {name}: {}\n", pretended.get(name).unwrap_or(&value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stdout};

    #[tokio::test]
    async fn the_battery_is_reported_line_by_line() {
        assert_eq!(
            stdout(&Bench::new().run("dumpsys battery").await),
            "Current Battery Service state:\n  AC powered: false\n  USB powered: true\n  Wireless powered: false\n  \
             Dock powered: false\n  Max charging current: 500000\n  Max charging voltage: 5000000\n  \
             Charge counter: 3915000\n  status: 2\n  health: 2\n  present: true\n  level: 87\n  scale: 100\n  \
             voltage: 4209\n  temperature: 271\n  technology: Li-ion\n"
        );
    }

    #[tokio::test]
    async fn a_pretended_level_lasts_until_the_reset() {
        let bench = Bench::new();

        bench.run("dumpsys battery set level 5").await;
        bench.run("dumpsys battery unplug").await;
        let pretended = stdout(&bench.run("dumpsys battery").await);
        assert!(pretended.contains("  (UPDATES STOPPED -- use 'reset' to restart)\n"));
        assert!(pretended.contains("  level: 5\n") && pretended.contains("  USB powered: false\n"));
        bench.run("dumpsys battery reset").await;
        assert!(stdout(&bench.run("dumpsys battery").await).contains("  level: 87\n"));
    }
}
