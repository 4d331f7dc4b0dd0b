//! Simulated phones behind the real adb servers, 29 and 36: what people and tools do with them every day.

#![allow(clippy::expect_used, reason = "what cannot be set up is a failed test")]

mod support;

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
};

use support::{
    Rig,
    apk::dummy_apk,
    center_of,
    programs::{self, under_each_adb},
    text, wait_for,
};

under_each_adb! {
    properties_packages_and_sizes_are_those_of_a_phone,
    a_tap_on_an_icon_that_the_dump_shows_opens_its_app,
    a_screenshot_is_a_png_of_the_screen,
    an_app_is_started_by_component_by_monkey_and_by_link,
    a_package_is_installed_listed_and_removed,
    the_agent_answers_on_its_port_while_its_shell_lives,
    a_reboot_closes_the_connection_and_brings_another_boot,
    the_log_is_dumped_followed_and_cleared,
    ports_are_forwarded_listed_and_given_back,
    adb_reboot_restarts_the_phone,
    the_same_phones_are_behind_the_server_port,
    a_fault_of_the_control_api_is_what_adb_meets,
}

async fn properties_packages_and_sizes_are_those_of_a_phone(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    assert!(
        rig.shell("getprop ro.build.version.sdk")
            .trim()
            .parse::<u32>()
            .expect("an API level")
            >= 30
    );
    assert_eq!(rig.shell("getprop no.such.property"), "\n");
    assert_eq!(rig.shell("wm size"), "Physical size: 1080x2400\n");
    let packages = rig.shell("pm list packages");
    assert!(
        packages.lines().any(|line| line == "package:com.zhiliaoapp.musically"),
        "{packages}"
    );
    assert!(
        packages.lines().any(|line| line == "package:com.instagram.android"),
        "{packages}"
    );
    let boot_id = rig.shell("cat /proc/sys/kernel/random/boot_id");
    assert_eq!(boot_id.trim().len(), 36, "{boot_id}");
    rig.stop().await;
}

async fn a_tap_on_an_icon_that_the_dump_shows_opens_its_app(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    let said = rig.shell("uiautomator dump");
    assert_eq!(said, "UI hierchary dumped to: /sdcard/window_dump.xml\n");
    let hierarchy = rig.shell("cat /sdcard/window_dump.xml");
    let (x, y) = center_of(&hierarchy, "Settings").expect("the icon of the settings");
    rig.shell(&format!("input tap {x} {y}"));

    wait_for("the settings in front", || {
        rig.shell("dumpsys window displays")
            .contains("u0 com.android.settings/")
            .then_some(())
    });
    rig.stop().await;
}

async fn a_screenshot_is_a_png_of_the_screen(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    let picture = rig.phone(&["exec-out", "screencap", "-p"]).stdout;

    let info = png::Decoder::new(std::io::Cursor::new(picture))
        .read_info()
        .expect("a PNG")
        .info()
        .clone();
    assert_eq!((info.width, info.height), (1080, 2400));
    let raw = rig.phone(&["exec-out", "screencap"]).stdout;
    assert_eq!(raw.len(), 16 + 1080 * 2400 * 4);
    rig.stop().await;
}

async fn an_app_is_started_by_component_by_monkey_and_by_link(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    let component = rig.shell("cmd package resolve-activity --brief com.zhiliaoapp.musically | tail -1");
    let started = rig.shell(&format!("am start -W -n '{}'", component.trim()));
    assert!(started.contains("\nStatus: ok\nLaunchState: COLD\n"), "{started}");
    rig.shell("input keyevent HOME");
    let monkey = rig.shell("monkey -p com.instagram.android -c android.intent.category.LAUNCHER 1 2>/dev/null");
    assert!(monkey.starts_with("Events injected: 1\n"), "{monkey}");
    let link = rig.shell("am start -a android.intent.action.VIEW -d https://www.tiktok.com/@someone");
    assert!(
        link.starts_with("Starting: Intent { act=android.intent.action.VIEW dat=https://www.tiktok.com/"),
        "{link}"
    );
    let missing = rig.phone(&["shell", "am start -n com.no.such/.Main"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("Error type 3\n"), "{missing:?}");
    rig.stop().await;
}

async fn a_package_is_installed_listed_and_removed(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let file = rig.folder().join("dummy.apk");
    std::fs::write(&file, dummy_apk("com.example.dummy")).expect("a file");
    let path = file.to_str().expect("a path");

    let installed = rig.phone(&["install", path]);
    assert!(text(&installed.stdout).ends_with("Success\n"), "{installed:?}");
    assert!(rig.shell("pm path com.example.dummy").starts_with("package:/data/app/"));
    assert_eq!(
        text(&rig.phone(&["uninstall", "com.example.dummy"]).stdout),
        "Success\n"
    );
    assert_eq!(
        rig.phone(&["shell", "pm path com.example.dummy"]).status.code(),
        Some(1)
    );

    std::fs::write(&file, "no package at all").expect("a file");
    let refused = rig.phone(&["install", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("INSTALL_PARSE_FAILED_NOT_APK"),
        "{refused:?}"
    );
    rig.stop().await;
}

async fn the_agent_answers_on_its_port_while_its_shell_lives(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let jar = rig.folder().join("u2.jar");
    std::fs::write(&jar, "the agent's code").expect("a file");
    let pushed = rig.phone(&["push", jar.to_str().expect("a path"), "/data/local/tmp/u2.jar"]);
    assert!(pushed.status.success(), "{pushed:?}");
    let port = text(&rig.phone(&["forward", "tcp:0", "tcp:9008"]).stdout);
    let port: u16 = port.trim().parse().expect("a port");
    assert_eq!(ping(port), "");

    let mut agent = rig.spawn(&[
        "shell",
        // With a terminal, whose end is the program's end, as the agent's own client does it.
        "-x",
        "CLASSPATH=/data/local/tmp/u2.jar app_process / com.wetest.uia2.Main -p 9008",
    ]);
    wait_for("the agent", || ping(port).ends_with("\r\n\r\npong").then_some(()));
    assert_eq!(rig.phone(&["shell", "uiautomator dump"]).status.code(), Some(137));

    agent.kill().expect("the agent's shell runs");
    agent.wait().expect("the agent's shell ends");
    wait_for("the end of the agent", || ping(port).is_empty().then_some(()));
    wait_for("a dump", || {
        rig.shell("uiautomator dump").starts_with("UI hierchary").then_some(())
    });
    rig.stop().await;
}

/// What comes back for `GET /ping`; nothing when the connection is refused or closed.
fn ping(port: u16) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
        // A connection that is closed at once is an answer too: an empty one.
        let _ = stream.write_all(b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n");
        let _ = stream.read_to_string(&mut answer);
    }
    answer
}

async fn a_reboot_closes_the_connection_and_brings_another_boot(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let boot_id = || rig.shell("cat /proc/sys/kernel/random/boot_id");
    let before = boot_id();

    rig.phone(&["shell", "reboot"]);

    let after = wait_for("the phone to come back", || {
        rig.adb(&["connect", &rig.serial]);
        Some(boot_id()).filter(|now| now.trim().len() == 36 && *now != before)
    });
    assert_ne!(before, after);
    rig.stop().await;
}

async fn the_log_is_dumped_followed_and_cleared(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    rig.shell("log -t farmhand one");

    let dumped = text(&rig.phone(&["logcat", "-d"]).stdout);
    assert!(dumped.contains("farmhand") && dumped.contains("one"), "{dumped}");
    let last = text(&rig.phone(&["logcat", "-d", "-t", "1"]).stdout);
    assert_eq!(last.matches(": one").count(), 1, "{last}");

    let followed = rig.folder().join("followed");
    let mut follower = rig.spawn_into(&["logcat"], std::fs::File::create(&followed).expect("a file"));
    rig.shell("log -t farmhand two");
    wait_for("the line that is written while it is followed", || {
        std::fs::read_to_string(&followed)
            .is_ok_and(|log| log.contains(": two"))
            .then_some(())
    });
    follower.kill().expect("logcat goes on until it is ended");
    follower.wait().expect("it ends");

    assert!(rig.phone(&["logcat", "-c"]).status.success());
    let cleared = text(&rig.phone(&["logcat", "-d"]).stdout);
    assert!(!cleared.contains(": one"), "{cleared}");
    rig.stop().await;
}

async fn ports_are_forwarded_listed_and_given_back(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    let port = text(&rig.phone(&["forward", "tcp:0", "tcp:9008"]).stdout);
    let port = port.trim();
    let listed = text(&rig.adb(&["forward", "--list"]).stdout);
    assert!(
        listed.contains(&format!("{} tcp:{port} tcp:9008", rig.serial)),
        "{listed}"
    );
    let removed = rig.phone(&["forward", "--remove", &format!("tcp:{port}")]);
    assert!(removed.status.success(), "{removed:?}");
    assert!(!text(&rig.adb(&["forward", "--list"]).stdout).contains("9008"));

    // A production phone's answer, where the host gives the reason.
    let refused = rig.phone(&["reverse", "tcp:7000", "tcp:7001"]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("not supported"), "{refused:?}");
    rig.stop().await;
}

async fn adb_reboot_restarts_the_phone(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let boot_id = || rig.shell("cat /proc/sys/kernel/random/boot_id");
    let before = boot_id();

    assert!(rig.phone(&["reboot"]).status.success());

    wait_for("the phone to come back", || {
        rig.adb(&["connect", &rig.serial]);
        Some(boot_id()).filter(|now| now.trim().len() == 36 && *now != before)
    });
    rig.stop().await;
}

async fn the_same_phones_are_behind_the_server_port(adb: PathBuf) {
    let rig = Rig::start(adb, 2).await;
    let server = rig.simulator().server().port().to_string();
    let adb = |arguments: &[&str]| {
        let output = std::process::Command::new(rig.program())
            .args(["-P", &server])
            .args(arguments)
            .output();
        text(&output.expect("adb runs").stdout)
    };

    assert_eq!(
        adb(&["devices"]),
        "List of devices attached\nsim-1\tdevice\nsim-2\tdevice\n\n"
    );
    assert_eq!(adb(&["-s", "sim-2", "shell", "getprop ro.serialno"]), "sim-2\n");
    rig.stop().await;
}

async fn a_fault_of_the_control_api_is_what_adb_meets(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let dump = || text(&rig.phone(&["shell", "uiautomator dump"]).stderr);
    let state = || text(&rig.phone(&["get-state"]).stdout);

    fault(&rig, "POST", r#"{"kind": "no_idle"}"#);
    assert_eq!(dump(), "ERROR: could not get idle state.\n");
    fault(&rig, "DELETE", r#"{"kind": "no_idle"}"#);
    assert_eq!(dump(), "");

    fault(&rig, "POST", r#"{"kind": "offline"}"#);
    wait_for("the phone to go", || (state() != "device\n").then_some(()));
    fault(&rig, "DELETE", "{}");
    wait_for("the phone to come back", || {
        rig.adb(&["disconnect", &rig.serial]);
        rig.adb(&["connect", &rig.serial]);
        (state() == "device\n").then_some(())
    });
    rig.stop().await;
}

/// Sets or ends a fault of the first phone.
fn fault(rig: &Rig, method: &str, body: &str) {
    let mut stream = TcpStream::connect(rig.simulator().control()).expect("the control API");
    let length = body.len();
    let request = format!(
        "{method} /phone/sim-1/fault HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
