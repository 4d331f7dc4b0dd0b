//! What every way to a phone has to do: the conformance suite of `DeviceDriver`, for adb alone and with the agent, behind
//! a real adb server and behind the simulator's own.

use std::{
    fs,
    time::{Duration, Instant},
};

use farmhand_actors::{
    domain::{UiNode, UiTree},
    ports::{DeviceDriver, DriverError, LaunchApp, Point},
};

use crate::{
    apk::dummy_apk,
    harness::{PATIENCE, Room, serial},
    rig::{
        agent, behind_adb, behind_adb_with, behind_simulator, behind_simulator_with, lease, package,
        until_agent_answers, words,
    },
};

const SETTINGS: &str = "com.android.settings";
const TIKTOK: &str = "com.zhiliaoapp.musically";
const DELETE_KEY: u32 = 67;

/// All of it, on the phone `sim-1`. Each part begins on the screen that the one before has left.
async fn drives_a_phone(room: &Room) {
    let driver = room.handle.factory().open(&serial("sim-1"), Some(&lease("token-1")));
    driver.take().await.unwrap();
    let info = driver.info().await.unwrap();
    assert!(
        info.model.is_some() && info.boot_id.is_some() && info.battery_level.is_some(),
        "{info:?}"
    );
    runs_commands(&*driver).await;
    shows_its_screen(&*driver, (info.screen_width.unwrap(), info.screen_height.unwrap())).await;
    wakes_for_a_view_tree(&*driver).await;
    driver.take().await.unwrap();
    types_text(&*driver).await;
    obeys_fingers_and_keys(&*driver).await;
    starts_apps(&*driver).await;
    copies_files(&*driver).await;
    installs_an_app(&*driver).await;
    tells_its_log(&*driver).await;
    is_fenced(room, &*driver).await;
}

async fn runs_commands(driver: &dyn DeviceDriver) {
    let output = driver
        .shell(words(&["sh", "-c", "echo out; echo err >&2; exit 9"]))
        .await
        .unwrap();
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice(), output.code),
        (&b"out\n"[..], &b"err\n"[..], 9)
    );
    let hostile = [
        "it's",
        "$(reboot)",
        "`id`",
        "; rm -rf /",
        "a\nb",
        "-n",
        "😀 \u{202e}",
        "\\",
        "\"",
        "*",
        "",
    ];
    let output = driver
        .shell(words(&[&["printf", "%s|"], hostile.as_slice()].concat()))
        .await
        .unwrap();
    let expected: String = hostile.iter().map(|word| format!("{word}|")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

async fn shows_its_screen(driver: &dyn DeviceDriver, panel: (u32, u32)) {
    let tree = driver.hierarchy().await.unwrap();
    assert!(tree.nodes.len() > 3, "{tree:?}");
    assert!(driver.hierarchy_text().await.unwrap().contains("<hierarchy"));
    assert_eq!(driver.screen_size().await.unwrap(), panel);
    let picture = driver.screenshot().await.unwrap();
    assert_eq!((picture.width, picture.height), panel);
}

fn find(tree: &UiTree, holds: impl Fn(&UiNode) -> bool) -> Option<&UiNode> {
    tree.nodes.iter().find(|node| holds(node))
}

/// Waits until a node is there.
async fn node(driver: &dyn DeviceDriver, what: &str, holds: impl Fn(&UiNode) -> bool) -> UiNode {
    let since = Instant::now();
    loop {
        let tree = driver.hierarchy().await.unwrap();
        if let Some(node) = find(&tree, &holds) {
            return node.clone();
        }
        assert!(
            since.elapsed() < PATIENCE,
            "no {what} in {:?}",
            driver.hierarchy_text().await
        );
    }
}

async fn tap_on(driver: &dyn DeviceDriver, node: &UiNode) {
    let (x, y) = node.bounds.unwrap().centre();
    driver.tap(Point { x, y }).await.unwrap();
}

/// A fresh, empty text field that has the focus.
pub async fn focused_field(driver: &dyn DeviceDriver) {
    driver
        .launch_app(LaunchApp {
            package: package(SETTINGS),
            stop_first: true,
            extras: vec![],
        })
        .await
        .unwrap();
    let search = node(driver, "search", |node| node.id.ends_with("search_action_bar")).await;
    tap_on(driver, &search).await;
    node(driver, "field", is_field).await;
}

/// What the field holds, when it holds anything of the driver's.
pub async fn typed(driver: &dyn DeviceDriver, text: &str) -> String {
    let filled = |node: &UiNode| is_field(node) && node.text.ends_with(text.chars().next_back().unwrap());
    node(driver, "typed field", filled).await.text
}

fn is_field(node: &UiNode) -> bool {
    &*node.class == "android.widget.EditText"
}

async fn types_text(driver: &dyn DeviceDriver) {
    focused_field(driver).await;
    for text in ["it's 100%s; $(reboot) & \"x\"", "zażółć gęślą 😀 你好"] {
        driver.type_text(text).await.unwrap();
        assert_eq!(typed(driver, text).await, text);
        driver.keys(&vec![DELETE_KEY; text.chars().count()]).await.unwrap();
        node(driver, "empty field", |node| {
            is_field(node) && !node.text.ends_with(text)
        })
        .await;
    }
    driver.type_text("").await.unwrap();
    for text in ["a\0b".to_owned(), "x".repeat(11_001)] {
        let error = driver.type_text(&text).await.unwrap_err();
        assert!(matches!(error, DriverError::Untypable { .. }), "{error}");
    }
    driver.type_text("!").await.unwrap();
    assert_eq!(typed(driver, "!").await, "!");
    let own = driver
        .shell(words(&["settings", "get", "secure", "default_input_method"]))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&own.stdout).contains("AdbKeyboard"));
}

async fn obeys_fingers_and_keys(driver: &dyn DeviceDriver) {
    const HOME_KEY: u32 = 3;
    driver
        .launch_app(LaunchApp {
            package: package(SETTINGS),
            stop_first: true,
            extras: vec![],
        })
        .await
        .unwrap();
    node(driver, "search", |node| node.id.ends_with("search_action_bar")).await;
    let before = driver.hierarchy().await.unwrap();
    let (top, bottom) = (Point { x: 540, y: 700 }, Point { x: 540, y: 1_900 });
    driver.swipe(bottom, top, Duration::from_millis(100)).await.unwrap();
    assert_ne!(driver.hierarchy().await.unwrap(), before, "nothing was scrolled");

    driver.key(HOME_KEY).await.unwrap();
    assert_ne!(driver.foreground_app().await.unwrap(), Some(package(SETTINGS)));
    driver.kill_app(&package(SETTINGS)).await.unwrap();
    let (app, permission) = (package(TIKTOK), "android.permission.READ_MEDIA_IMAGES");
    driver.set_permission(&app, permission, true).await.unwrap();
    driver.set_permission(&app, permission, false).await.unwrap();
    let refused = driver
        .set_permission(&app, "no.such.PERMISSION", true)
        .await
        .unwrap_err();
    assert!(matches!(refused, DriverError::Refused { .. }), "{refused}");
}

/// A phone whose screen went off is woken for a view tree.
async fn wakes_for_a_view_tree(driver: &dyn DeviceDriver) {
    const SLEEP_KEY: u32 = 223;
    driver.key(SLEEP_KEY).await.unwrap();
    assert!(!driver.hierarchy().await.unwrap().nodes.is_empty());
}

async fn installs_an_app(driver: &dyn DeviceDriver) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's an app.apk");
    let app = package("com.example.dummy");
    assert!(!driver.has_app(&app).await.unwrap());
    fs::write(&file, dummy_apk(app.as_str())).unwrap();

    driver.install(&file).await.unwrap();
    assert!(driver.has_app(&app).await.unwrap());

    fs::write(&file, "no app at all").unwrap();
    let refused = driver.install(&file).await.unwrap_err();
    assert!(
        matches!(&refused, DriverError::Refused { problem, .. } if problem.contains("INSTALL_PARSE_FAILED_NOT_APK")),
        "{refused}"
    );
    let missing = driver.install(&folder.path().join("none.apk")).await.unwrap_err();
    assert!(matches!(missing, DriverError::HostFile { .. }), "{missing}");
    let left = driver.shell(words(&["ls", "-a", "/data/local/tmp"])).await.unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(".apk"), "{left:?}");
}

/// The log has what was written to it, the newest last.
async fn tells_its_log(driver: &dyn DeviceDriver) {
    for line in ["first", "second"] {
        driver.shell(words(&["log", "-t", "farmhand", line])).await.unwrap();
    }
    let log = driver.log(1).await.unwrap();
    assert!(log.contains("second") && !log.contains("first"), "{log}");
    assert!(driver.log(100).await.unwrap().contains("first"));
}

/// After another attempt has taken the phone, no call that acts does anything; those that look still answer.
async fn is_fenced(room: &Room, driver: &dyn DeviceDriver) {
    // As another controller would do it, which this room knows nothing of.
    let other = room.handle.factory().open(&serial("sim-1"), None);
    let written = other
        .shell(words(&["sh", "-c", "printf another > /data/local/tmp/.farmhand_lease"]))
        .await
        .unwrap();
    assert_eq!(written.code, 0);
    focused_field(&*other).await;
    let before = other.hierarchy().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.jpg");
    fs::write(&file, "x").unwrap();
    let app = package(TIKTOK);
    let at = Point { x: 540, y: 1_000 };
    let launch = LaunchApp {
        package: app.clone(),
        stop_first: false,
        extras: vec![],
    };
    let ends = [
        driver.tap(at).await,
        driver
            .swipe(at, Point { x: 540, y: 200 }, Duration::from_millis(50))
            .await,
        driver.key(3).await,
        driver.keys(&[3, 4]).await,
        driver.type_text("a").await,
        driver.type_text("ż").await,
        driver.launch_app(launch).await,
        driver.open_link("https://www.tiktok.com/@somebody", Some(&app)).await,
        driver.stop_app(&package(SETTINGS)).await,
        driver.kill_app(&package(SETTINGS)).await,
        driver.clear_app(&package(SETTINGS)).await,
        driver
            .set_permission(&app, "android.permission.READ_MEDIA_IMAGES", true)
            .await,
        driver.push(&file, "/sdcard/fenced").await,
        driver.add_media(&file, "fenced.jpg").await.map(drop),
        driver.install(&file).await,
        driver.shell(words(&["touch", "/sdcard/fenced"])).await.map(drop),
    ];
    for (place, end) in ends.iter().enumerate() {
        assert!(matches!(end, Err(DriverError::Fenced { .. })), "act {place}: {end:?}");
    }
    assert_eq!(other.hierarchy().await.unwrap(), before);
    assert!(driver.has_app(&app).await.unwrap());
    let found = other
        .shell(words(&["find", "/sdcard", "-name", "fenced*"]))
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}

async fn starts_apps(driver: &dyn DeviceDriver) {
    let app = package(TIKTOK);
    driver
        .launch_app(LaunchApp {
            package: app.clone(),
            stop_first: true,
            extras: vec![],
        })
        .await
        .unwrap();
    assert_eq!(driver.foreground_app().await.unwrap(), Some(app.clone()));
    assert!(driver.has_app(&app).await.unwrap());
    driver.stop_app(&app).await.unwrap();
    assert_ne!(driver.foreground_app().await.unwrap(), Some(app.clone()));
    driver
        .open_link("https://www.tiktok.com/@somebody", Some(&app))
        .await
        .unwrap();
    assert_eq!(driver.foreground_app().await.unwrap(), Some(app.clone()));
    driver.clear_app(&app).await.unwrap();

    let none = package("com.none");
    let missing = |error: DriverError| assert!(matches!(error, DriverError::AppMissing { .. }), "{error}");
    missing(
        driver
            .launch_app(LaunchApp {
                package: none.clone(),
                stop_first: false,
                extras: vec![],
            })
            .await
            .unwrap_err(),
    );
    missing(
        driver
            .open_link("https://www.tiktok.com/@x", Some(&none))
            .await
            .unwrap_err(),
    );
    assert!(!driver.has_app(&none).await.unwrap());
    let nobody = driver.open_link("nobody://here", None).await.unwrap_err();
    assert!(matches!(nobody, DriverError::Refused { .. }), "{nobody}");
}

async fn copies_files(driver: &dyn DeviceDriver) {
    let folder = tempfile::tempdir().unwrap();
    let (local, back) = (folder.path().join("a b.bin"), folder.path().join("back"));
    let bytes: Vec<u8> = (0..3_000_000u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    fs::write(&local, &bytes).unwrap();

    driver.push(&local, "/sdcard/Download/it's new.bin").await.unwrap();
    driver.pull("/sdcard/Download/it's new.bin", &back).await.unwrap();
    assert!(fs::read(&back).unwrap() == bytes);
    let refused = driver.push(&local, "/system/x").await.unwrap_err();
    assert!(matches!(refused, DriverError::Refused { .. }), "{refused}");
    assert!(driver.pull("/sdcard/none", &back).await.is_err());
    let media = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/media/video1.mp4");
    let path = driver.add_media(media.as_ref(), "my video.mp4").await.unwrap();
    assert_eq!(path, "/sdcard/Movies/farmhand/my_video.mp4");
    let left = driver
        .shell(words(&["ls", "-a", "/sdcard/Movies/farmhand"]))
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(".part"));
}

#[tokio::test]
async fn adb_alone_drives_a_phone_behind_a_real_adb_server() {
    let Some((_server, simulator, room)) = behind_adb(1).await else {
        return;
    };

    drives_a_phone(&room).await;

    simulator.stop().await;
}

#[tokio::test]
async fn adb_alone_drives_a_phone_behind_the_simulators_own_server() {
    let (simulator, room) = behind_simulator().await;

    drives_a_phone(&room).await;

    simulator.stop().await;
}

#[tokio::test]
async fn the_agent_drives_a_phone_behind_a_real_adb_server() {
    let (_jar, agent) = agent();
    let Some((_server, simulator, room)) = behind_adb_with(1, agent).await else {
        return;
    };
    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;

    drives_a_phone(&room).await;

    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;
    simulator.stop().await;
}

#[tokio::test]
async fn the_agent_drives_a_phone_behind_the_simulators_own_server() {
    let (_jar, agent) = agent();
    let (simulator, room) = behind_simulator_with(agent).await;
    until_agent_answers(&*room.handle.factory().open(&serial("sim-1"), None)).await;

    drives_a_phone(&room).await;

    simulator.stop().await;
}
