//! The fence around what an attempt does on a phone: the phone itself compares, in the same command line, that it
//! still carries the attempt's token and that it has not restarted since the attempt took it.

use farmhand_actors::{
    domain::{Lease, Serial},
    ports::{DriverError, ShellOutput},
};

use crate::adb::{error::one_line, quote::CommandLine};

/// Where the token of the lease stands on the phone.
pub(super) const LEASE_FILE: &str = "/data/local/tmp/.farmhand_lease";

/// What a fenced command says first, and the code it ends with, when the phone is not the attempt's any more. Both are
/// compared, because a command of a person may end with any code. What the phone holds instead follows.
const FENCED_TEXT: &str = "farmhand:fenced";
const FENCED_CODE: u8 = 87;

/// One process on the phone reads both: the token, and the number that Linux makes for each boot.
const FENCE: &str = r#"farmhand_found="$(cat /data/local/tmp/.farmhand_lease /proc/sys/kernel/random/boot_id 2>/dev/null)"; [ "$farmhand_found" = "$farmhand_held" ] || { echo farmhand:fenced >&2; echo "$(getprop ro.serialno)" >&2; echo "$farmhand_found" >&2; exit 87; }"#;

/// The same before the phone's boot is known: only the token.
const FENCE_BY_TOKEN: &str = r#"farmhand_found="$(cat /data/local/tmp/.farmhand_lease 2>/dev/null)"; [ "$farmhand_found" = "$farmhand_held" ] || { echo farmhand:fenced >&2; echo "$(getprop ro.serialno)" >&2; echo "$farmhand_found" >&2; exit 87; }"#;

/// The line, run only while the phone's lease file holds the token, in the boot (`None`: any) in which it was written.
pub(super) fn fenced(line: CommandLine, lease: &Lease, boot: Option<&str>) -> CommandLine {
    let token = &lease.token;
    let (fence, held) = match boot {
        Some(boot) => (FENCE, format!("{token}\n{boot}")),
        None => (FENCE_BY_TOKEN, token.to_string()),
    };
    CommandLine::script(fence)
        .with("farmhand_held", held.trim_end())
        .then(line)
}

/// Why the fence refused the line, if it did. `taken` is what the phone called itself when it was taken: another name
/// is another phone. With the attempt's own token still there, it was the boot.
pub(super) fn refusal(
    output: &ShellOutput,
    lease: &Lease,
    serial: &Serial,
    taken: Option<&str>,
) -> Option<DriverError> {
    if output.code != FENCED_CODE {
        return None;
    }
    let said = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let mut found = said.iter().find_map(|text| {
        let mut lines = text.lines().map(str::trim);
        (lines.next() == Some(FENCED_TEXT)).then_some(lines)
    })?;
    let name = found.next().unwrap_or_default();
    let is_another = |taken: &str| !taken.is_empty() && taken.split(' ').all(|own| own != name);
    let serial = serial.clone();
    Some(if !name.is_empty() && taken.is_some_and(is_another) {
        DriverError::WrongDevice {
            wanted: serial,
            found: one_line(name),
        }
    } else if found.next() == Some(&*lease.token) {
        DriverError::Restarted { serial }
    } else {
        DriverError::Fenced { serial }
    })
}

#[cfg(test)]
mod tests {
    use farmhand_actors::domain::Epoch;

    use super::*;

    fn lease() -> Lease {
        Lease {
            epoch: Epoch(1),
            token: "token-1".into(),
        }
    }

    fn refused(stderr: &str, code: u8) -> Option<DriverError> {
        let output = ShellOutput {
            stderr: stderr.into(),
            code,
            ..ShellOutput::default()
        };
        refusal(&output, &lease(), &Serial::parse("a").unwrap(), Some("a boot-a"))
    }

    #[test]
    fn another_token_another_boot_and_another_phone_are_told_apart() {
        let serial = Serial::parse("a").unwrap();

        assert_eq!(
            refused("farmhand:fenced\na\ntoken-1\nboot-2\n", 87),
            Some(DriverError::Restarted { serial: serial.clone() })
        );
        for other in ["token-12\nboot-1", "token-12", ""] {
            assert_eq!(
                refused(&format!("farmhand:fenced\n\n{other}\n"), 87),
                Some(DriverError::Fenced { serial: serial.clone() })
            );
        }
        assert_eq!(
            refused("farmhand:fenced\nb\n\n", 87),
            Some(DriverError::WrongDevice {
                wanted: serial,
                found: "b".into()
            })
        );
        assert_eq!(refused("something else\n", 87), None);
        assert_eq!(refused("farmhand:fenced\ntoken-1\n", 1), None);
    }
}
