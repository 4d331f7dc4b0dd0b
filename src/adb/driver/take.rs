//! Taking a phone: is it the wanted one, is it awake, and whose is it now. And what it says of itself.

use std::sync::atomic::Ordering;

use farmhand_actors::{
    domain::{DeviceInfo, Serial},
    ports::{DriverError, ShellOutput},
};

use super::call::{AdbDriver, problem_of};
use crate::adb::{client::Transport, error::one_line, phone::Taken, quote::CommandLine, settings::millis};

/// The exit codes of [`TAKE`].
const NOT_WRITTEN: u8 = 85;
const WRONG_PHONE: u8 = 86;

/// Prints both places where a phone tells its serial. Only the wanted phone (`$wanted`; empty: any) is touched.
/// Waking does nothing when the screen is on; a keyguard with a secret stays.
const TAKE: &str = r#"own=$(getprop ro.serialno); boot=$(getprop ro.boot.serialno); echo "$own"; echo "$boot"
echo "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
if [ -n "$wanted" ] && [ "$own" != "$wanted" ] && [ "$boot" != "$wanted" ] && [ "$or$own$boot" != unnamed ]; then exit 86; fi
if [ -n "$token" ]; then printf '%s\n' "$token" > /data/local/tmp/.farmhand_lease || exit 85; fi
input keyevent 224 >/dev/null; wm dismiss-keyguard >/dev/null 2>&1; exit 0"#;

/// Each `getprop` prints exactly one line; the rest has a marker between its parts.
const INFO: &str = r#"getprop ro.serialno; getprop ro.boot.serialno; getprop ro.product.model
getprop ro.build.version.release; getprop ro.build.version.sdk; echo "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
echo "farmhand:booted:$(getprop sys.boot_completed)"; wm size 2>/dev/null; echo farmhand:battery; dumpsys battery 2>/dev/null; exit 0"#;

impl AdbDriver {
    pub(super) async fn take_phone(&self) -> Result<(), DriverError> {
        let transport = self.transport()?;
        let wanted = self.wanted_identity(&transport);
        // The adb server's own name for a phone on USB is that phone's serial, so that it need not say it again.
        let or = if transport.adb_serial == self.phone.serial.as_str() {
            "unnamed"
        } else {
            ""
        };
        let token = self.lease.as_ref().map_or("", |lease| &*lease.token);
        let line = CommandLine::script(TAKE)
            .with("token", token)
            .with("or", or)
            .with("wanted", &wanted);
        let output = self
            .query("take", millis(self.phones.settings.deadlines.query_ms), &line)
            .await?;
        let identity = identity_of(&output);
        match output.code {
            0 => {
                self.remember_taking(&output, &identity);
                self.remember_identity(identity);
                self.want_agent();
                Ok(())
            }
            WRONG_PHONE => Err(self.wrong_device(identity)),
            NOT_WRITTEN => Err(self.refused("take", format!("{}: {}", super::fence::LEASE_FILE, problem_of(&output)))),
            _ => Err(self.refused("take", problem_of(&output))),
        }
    }

    pub(super) async fn read_info(&self) -> Result<DeviceInfo, DriverError> {
        const OP: &str = "info";
        let transport = self.transport()?;
        let deadline = millis(self.phones.settings.deadlines.query_ms);
        let line = CommandLine::script(INFO);
        let setups = transport.server.setups.line(self.phone.silent.load(Ordering::Relaxed));
        let _place = self.place(OP, deadline / 2, setups).await?;
        let asked = self.query(OP, deadline, &line).await;
        let silent = matches!(asked, Err(DriverError::TimedOut { .. }));
        self.phone.silent.store(silent, Ordering::Relaxed);
        let output = asked?;
        let identity = identity_of(&output);
        let (wanted, named) = (self.wanted_identity(&transport), !identity.is_empty());
        let is_wanted = wanted.is_empty() || identity.split(' ').any(|serial| serial == wanted);
        if (named || transport.adb_serial != self.phone.serial.as_str()) && !is_wanted {
            return Err(self.wrong_device(identity));
        }
        self.remember_identity(identity);
        let said = String::from_utf8_lossy(&output.stdout);
        if is_starting(&said) {
            return Err(self.refused(
                OP,
                "Android is still starting (its property sys.boot_completed is not 1)",
            ));
        }
        Ok(parse_info(&said))
    }

    /// What the phone has to call itself. A phone that is only known by its address (or an emulator, whose own serial
    /// is another) has to stay the one that it was at first; before that, anything will do.
    fn wanted_identity(&self, transport: &Transport) -> String {
        let serial = self.phone.serial.as_str();
        let only_an_address =
            transport.adb_serial == serial && (serial.contains(':') || serial.starts_with("emulator-"));
        if only_an_address {
            self.phone.first_identity().unwrap_or_default()
        } else {
            serial.to_owned()
        }
    }

    /// What is done under this lease is only done on this phone, in the boot in which it was taken.
    fn remember_taking(&self, output: &ShellOutput, identity: &str) {
        const LINE: usize = 2;
        let text = String::from_utf8_lossy(&output.stdout);
        let taken = Taken {
            boot: text.lines().nth(LINE).unwrap_or_default().trim().to_owned(),
            identity: identity.to_owned(),
        };
        if let Some(lease) = &self.lease {
            self.phone.note_taken(lease, taken);
        }
    }

    fn remember_identity(&self, identity: String) {
        let first = identity.split(' ').next().unwrap_or_default();
        if !first.is_empty() {
            self.phone.remember(first);
        }
    }

    fn wrong_device(&self, found: String) -> DriverError {
        let found = if found.is_empty() {
            "a phone that does not tell its serial".to_owned()
        } else {
            found
        };
        DriverError::WrongDevice {
            wanted: self.phone.serial.clone(),
            found,
        }
    }
}

/// What the phone calls itself: the first two lines, without repetition.
fn identity_of(output: &ShellOutput) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<&str> = text
        .lines()
        .take(2)
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    names.dedup();
    one_line(&names.join(" "))
}

/// Whether the phone behind this transport calls itself `serial`. Used before a TCP phone is shown as present.
pub(in crate::adb) async fn is_phone(
    transport: &Transport,
    serial: &Serial,
) -> Result<Result<(), String>, crate::adb::error::AdbError> {
    const OUTPUT_BYTES_MAX: usize = 4_096;
    let line = "getprop ro.serialno; getprop ro.boot.serialno";
    let identity = identity_of(&transport.shell(line, OUTPUT_BYTES_MAX).await?);
    let is_it = identity.split(' ').any(|name| name == serial.as_str());
    Ok(if is_it { Ok(()) } else { Err(identity) })
}

/// adb shows a phone as usable long before its apps can be started.
fn is_starting(info: &str) -> bool {
    value_of(info, "farmhand:booted").is_some_and(|booted| booted != "1")
}

/// Reads what [`INFO`] prints; what is missing stays unknown.
fn parse_info(text: &str) -> DeviceInfo {
    let (head, battery) = text.split_once("farmhand:battery").unwrap_or((text, ""));
    let line = |place: usize| {
        head.lines()
            .nth(place)
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
    };
    let size = panel_size(head);
    let battery = |key: &str| value_of(battery, key);
    DeviceInfo {
        own_serial: line(0).or_else(|| line(1)),
        model: line(2),
        android_version: line(3),
        sdk: line(4).and_then(|sdk| sdk.parse().ok()),
        boot_id: line(5),
        screen_width: size.map(|(width, _)| width),
        screen_height: size.map(|(_, height)| height),
        battery_level: battery_percent(battery("level"), battery("scale")),
        battery_temperature_decicelsius: battery("temperature").and_then(|tenths| tenths.parse().ok()),
        charging: charging(&battery),
    }
}

/// `Physical size: 1080x2400`, or the override that a person has set. Pixels of the panel, upright.
pub(super) fn panel_size(text: &str) -> Option<(u32, u32)> {
    let size = |key: &str| value_of(text, key).and_then(parse_size);
    size("Override size").or_else(|| size("Physical size"))
}

/// `1080x2400`
pub(super) fn parse_size(text: &str) -> Option<(u32, u32)> {
    let (width, height) = text.split_once('x')?;
    Some((width.trim().parse().ok()?, height.trim().parse().ok()?))
}

/// The value of the first line `key: value`.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(':').map(str::trim))
}

fn battery_percent(level: Option<&str>, scale: Option<&str>) -> Option<u8> {
    let level: u32 = level?.parse().ok()?;
    let scale: u32 = scale
        .and_then(|scale| scale.parse().ok())
        .filter(|scale| *scale > 0)
        .unwrap_or(100);
    u8::try_from(level.checked_mul(100)? / scale)
        .ok()
        .filter(|percent| *percent <= 100)
}

fn charging<'a>(battery: &impl Fn(&str) -> Option<&'a str>) -> Option<bool> {
    let sources = ["AC powered", "USB powered", "Wireless powered", "Dock powered"];
    let told: Vec<&str> = sources.into_iter().filter_map(battery).collect();
    if told.is_empty() {
        None
    } else {
        Some(told.contains(&"true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "R58M123\n\nPixel 7\n14\n34\n2b7c\nPhysical size: 1080x2400\nOverride size: 720x1600\n\
        farmhand:battery\nCurrent Battery Service state:\n  AC powered: false\n  USB powered: true\n  \
        Max charging current: 500000\n  status: 2\n  level: 87\n  scale: 100\n  temperature: 271\n";

    #[test]
    fn what_a_phone_says_of_itself_is_read() {
        let info = parse_info(PRINTED);

        assert_eq!(info.own_serial.as_deref(), Some("R58M123"));
        assert_eq!(info.model.as_deref(), Some("Pixel 7"));
        assert_eq!((info.android_version.as_deref(), info.sdk), (Some("14"), Some(34)));
        assert_eq!(info.boot_id.as_deref(), Some("2b7c"));
        assert_eq!((info.screen_width, info.screen_height), (Some(720), Some(1600)));
        assert_eq!(
            (info.battery_level, info.battery_temperature_decicelsius),
            (Some(87), Some(271))
        );
        assert_eq!(info.charging, Some(true));
    }

    #[test]
    fn a_phone_that_adb_shows_before_android_is_up_is_still_starting() {
        let said = |booted: &str| PRINTED.replace("Physical", &format!("farmhand:booted:{booted}\nPhysical"));

        assert!(is_starting(&said("")) && is_starting(&said("0")));
        assert!(!is_starting(&said("1")) && !is_starting(PRINTED));
        assert_eq!(parse_info(&said("1")), parse_info(PRINTED));
    }

    #[test]
    fn what_a_phone_does_not_say_stays_unknown() {
        assert_eq!(parse_info(""), DeviceInfo::default());
        let sparse = parse_info("\n\n\n\nx\n\nwm: not found\nfarmhand:battery\n  level: 999\n");
        assert_eq!(sparse, DeviceInfo::default());
    }

    #[test]
    fn a_phone_is_known_by_either_of_its_serials() {
        let told = |stdout: &str| {
            identity_of(&ShellOutput {
                stdout: stdout.into(),
                ..ShellOutput::default()
            })
        };

        assert_eq!(told("a\na\nPixel"), "a");
        assert_eq!(told("a\r\nb\r\n"), "a b");
        assert_eq!(told("\n\nPixel"), "");
    }
}
