//! `dumpsys SERVICE`: the parts of the services' reports that tools read.

mod activity;
mod battery;
mod package;
mod window;

use super::{
    Programs,
    reply::{Answer, failed, printed},
    screen::DISPLAY_ID,
};

/// The services that have a report here.
const SERVICES: [&str; 12] = [
    "SurfaceFlinger",
    "activity",
    "battery",
    "connectivity",
    "cpuinfo",
    "display",
    "input_method",
    "meminfo",
    "package",
    "power",
    "wifi",
    "window",
];

/// Runs `dumpsys`.
pub(super) fn run(phone: &Programs, arguments: &[String]) -> Answer {
    let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // `-t SECONDS` limits the time of a report.
    if words.first() == Some(&"-t") {
        words.drain(..words.len().min(2));
    }
    let Some((service, rest)) = words.split_first() else {
        return Ok(printed(format!(
            "Currently running services:\n  {}\n",
            SERVICES.join("\n  ")
        )));
    };
    let text = match *service {
        "-l" => format!("Currently running services:\n  {}\n", SERVICES.join("\n  ")),
        "activity" => activity::report(phone, rest),
        "battery" => return battery::run(phone, rest),
        "display" => display(phone),
        "input_method" => input_method(phone),
        "package" => package::report(phone, rest),
        "power" => power(phone),
        "SurfaceFlinger" => {
            format!("Display {DISPLAY_ID} (HWC display 0): port=0 pnpId=GGL displayName=\"Internal Display\"\n")
        }
        "window" => window::report(phone, rest),
        "meminfo" => {
            "Applications Memory Usage (in Kilobytes):\nTotal RAM: 7,864,320K (status normal)\n Free RAM: 4,180,112K\n"
                .to_owned()
        }
        "cpuinfo" => "Load: 1.02 / 0.98 / 1.01\n3.1% TOTAL: 2% user + 1.1% kernel\n".to_owned(),
        "connectivity" => "Active default network: 100\n".to_owned(),
        "wifi" => "Wi-Fi is enabled\nmWifiInfo SSID: \"farm\", BSSID: 02:00:00:00:00:00, RSSI: -52\n".to_owned(),
        service => return Ok(failed(0, format!("Can't find service: {service}\n"))),
    };
    Ok(printed(text))
}

fn display(phone: &Programs) -> String {
    let (width, height) = phone.handset.screen_size();
    let density = phone.handset.density();
    let state = if phone.handset.power().awake { "ON" } else { "OFF" };
    format!(
        "DISPLAY MANAGER (dumpsys display)\n  mSafeMode=false\n  mViewports=[DisplayViewport{{type=INTERNAL, \
         valid=true, isActive=true, displayId=0, uniqueId='local:{DISPLAY_ID}', physicalPort=0, orientation=0, \
         logicalFrame=Rect(0, 0 - {width}, {height}), physicalFrame=Rect(0, 0 - {width}, {height}), \
         deviceWidth={width}, deviceHeight={height}}}]\n\nDisplay Devices: size=1\n  \
         DisplayDeviceInfo{{\"Built-in Screen\": uniqueId=\"local:{DISPLAY_ID}\", {width} x {height}, density {density}, \
         state {state}}}\n"
    )
}

fn input_method(phone: &Programs) -> String {
    let current = phone.handset.input_method();
    let shown = phone.handset.keyboard_shown();
    format!(
        "Current Input Method Manager state:\n  mCurMethodId={current}\n  mCurId={current} mHaveConnection=true \
         mBoundToMethod=true mVisibleBound={shown}\n  mShowRequested={shown} mShowExplicitlyRequested=false \
         mShowForced=false mInputShown={shown}\n  mSystemReady=true mInteractive={}\n",
        phone.handset.power().awake
    )
}

fn power(phone: &Programs) -> String {
    let power = phone.handset.power();
    let (wakefulness, state) = if power.awake {
        ("Awake", "ON")
    } else {
        ("Asleep", "OFF")
    };
    format!(
        "POWER MANAGER (dumpsys power)\n\nPower Manager State:\n  mDirty=0x0\n  mWakefulness={wakefulness}\n  \
         mIsPowered={}\n  mBatteryLevel={}\n  mHoldingWakeLockSuspendBlocker=false\n  \
         mHoldingDisplaySuspendBlocker={}\n\nDisplay Power: state={state}\n",
        power.charging, power.level, power.awake
    )
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn power_and_input_method_show_their_state() {
        let bench = Bench::new();

        let power = stdout(&bench.run("dumpsys power").await);
        assert!(power.contains("  mWakefulness=Awake\n") && power.contains("mHoldingDisplaySuspendBlocker=true\n"));
        assert!(power.contains("Display Power: state=ON\n"));
        let method = stdout(&bench.run("dumpsys input_method").await);
        assert!(method.contains("  mCurMethodId=com.google.android.inputmethod.latin/.LatinIME\n"));
        assert!(stdout(&bench.run("dumpsys display").await).contains("orientation=0"));
        assert!(stdout(&bench.run("dumpsys SurfaceFlinger --display-id").await).starts_with("Display 46198"));
    }

    #[tokio::test]
    async fn an_unknown_service_is_said_on_stderr() {
        let completion = Bench::new().run("dumpsys nothing").await;

        assert_eq!(
            (stderr(&completion).as_str(), completion.code),
            ("Can't find service: nothing\n", 0)
        );
    }
}
