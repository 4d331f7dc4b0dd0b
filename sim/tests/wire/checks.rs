//! What must hold for the real adb client, whichever front stands between it and a phone.

use std::{fs, path::PathBuf, sync::atomic::Ordering};

use crate::{adb::Adb, fake::FakePhone};

/// Runs all checks against the phone that the client knows under this serial.
pub async fn all(adb: &Adb, serial: &str, phone: &FakePhone) {
    lists(adb, serial).await;
    commands(adb, serial, phone).await;
    input(adb, serial, phone).await;
    files(adb, serial, phone).await;
    refusals(adb, serial, phone).await;
    installation(adb, serial, phone).await;
    // Last, because it restarts the phone.
    adb.run(&["-s", serial, "reboot"]).await;
    assert_eq!(phone.reboots.load(Ordering::Relaxed), 1);
}

async fn lists(adb: &Adb, serial: &str) {
    let long = adb.text(&["devices", "-l"]).await;
    assert!(
        long.contains("product:panther model:Pixel_7 device:panther transport_id:"),
        "{long}"
    );
    assert_eq!(adb.text(&["-s", serial, "get-state"]).await, "device\n");
    let features = adb.text(&["-s", serial, "features"]).await;
    assert!(features.lines().any(|feature| feature == "shell_v2"), "{features}");
    assert_eq!(adb.text(&["-s", serial, "wait-for-device"]).await, "");
}

async fn commands(adb: &Adb, serial: &str, phone: &FakePhone) {
    let output = adb.run(&["-s", serial, "shell", "am fail"]).await;
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!(output.status.code(), Some(7));

    let own = adb.text(&["-s", serial, "shell", "getprop ro.serialno"]).await;
    assert_eq!(own, format!("{}\n", farmhand_sim::device::Device::serial(phone)));

    let unknown = adb.run(&["-s", serial, "shell", "nonesuch", "-x"]).await;
    assert_eq!(
        String::from_utf8_lossy(&unknown.stderr),
        "/system/bin/sh: nonesuch: inaccessible or not found\n"
    );
    assert_eq!(unknown.status.code(), Some(127));

    assert_eq!(
        adb.text(&["-s", serial, "shell", "echo 'zażółć 🎉'; exit 0"]).await,
        "zażółć 🎉\n"
    );
    assert_eq!(adb.run(&["-s", serial, "shell", "exit 9"]).await.status.code(), Some(9));

    // The first version of the protocol: outputs merged, no exit code.
    let old = adb.run(&["-s", serial, "shell", "-x", "am fail"]).await;
    assert_eq!(String::from_utf8_lossy(&old.stdout), "out\nerr\n");
    let terminals: Vec<bool> = phone
        .invocations
        .lock()
        .unwrap()
        .iter()
        .map(|invocation| invocation.terminal)
        .collect();
    assert_eq!(terminals.last(), Some(&true));
    assert_eq!(terminals.first(), Some(&false));

    let picture = adb.run(&["-s", serial, "exec-out", "screencap", "-p"]).await.stdout;
    assert_eq!(picture.len(), 300_000);
    assert!(
        picture
            .iter()
            .zip((0..=255).cycle())
            .all(|(&byte, wanted)| byte == wanted),
        "binary output changed"
    );
}

async fn input(adb: &Adb, serial: &str, phone: &FakePhone) {
    let content = vec![b'x'; 200_000];
    adb.run_with(&["-s", serial, "exec-in", "cat > /sdcard/typed"], &content)
        .await;
    let files = farmhand_sim::device::Device::files(phone);
    wait_until(|| files.read("/sdcard/typed").is_ok_and(|typed| typed == content)).await;

    let echoed = adb
        .run_with(&["-s", serial, "shell", "cat; exit 3"], b"through v2")
        .await;
    assert_eq!(
        (echoed.stdout.as_slice(), echoed.status.code()),
        (&b"through v2"[..], Some(3))
    );

    let script = adb
        .run_with(
            &["-s", serial, "shell"],
            b"X=1\nif [ $X = 1 ]; then\necho yes\nfi\nexit 4\n",
        )
        .await;
    assert_eq!(
        (String::from_utf8_lossy(&script.stdout).trim_end(), script.status.code()),
        ("yes", Some(4))
    );
}

async fn files(adb: &Adb, serial: &str, phone: &FakePhone) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let content: Vec<u8> = (0..3_000_000_u32)
        .map(|index| index.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    fs::write(path("sent.mp4"), &content).unwrap();

    let sent = path("sent.mp4");
    adb.text(&[
        "-s",
        serial,
        "push",
        sent.to_str().unwrap(),
        "/sdcard/DCIM/Camera/a b.mp4",
    ])
    .await;
    let received = path("received.mp4");
    adb.text(&[
        "-s",
        serial,
        "pull",
        "/storage/emulated/0/DCIM/Camera/a b.mp4",
        received.to_str().unwrap(),
    ])
    .await;
    assert!(
        fs::read(&received).unwrap() == content,
        "3 MB did not come back byte for byte"
    );

    let listed = adb.text(&["-s", serial, "ls", "/sdcard/DCIM/Camera"]).await;
    assert!(listed.contains(" 002dc6c0 ") && listed.contains("a b.mp4"), "{listed}");

    fs::create_dir_all(path("tree/inner")).unwrap();
    fs::write(path("tree/inner/one"), "1").unwrap();
    fs::write(path("tree/two"), "2").unwrap();
    adb.text(&[
        "-s",
        serial,
        "push",
        path("tree").to_str().unwrap(),
        "/sdcard/Download/",
    ])
    .await;
    let files = farmhand_sim::device::Device::files(phone);
    assert_eq!(files.read("/sdcard/Download/tree/inner/one").unwrap(), "1");
    adb.text(&[
        "-s",
        serial,
        "pull",
        "/sdcard/Download/tree",
        path("back").to_str().unwrap(),
    ])
    .await;
    assert_eq!(fs::read_to_string(path("back/two")).unwrap(), "2");
}

async fn refusals(adb: &Adb, serial: &str, phone: &FakePhone) {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("f");
    fs::write(&local, "x").unwrap();
    let local = local.to_str().unwrap();

    let refused = adb.run(&["-s", serial, "push", local, "/system/f"]).await;
    assert!(
        said(&refused).contains("couldn't create file: Read-only file system"),
        "{}",
        said(&refused)
    );
    assert!(!refused.status.success());

    let files = farmhand_sim::device::Device::files(phone);
    files.set_full(true);
    let full = adb.run(&["-s", serial, "push", local, "/sdcard/f"]).await;
    files.set_full(false);
    assert!(said(&full).contains("No space left on device"), "{}", said(&full));
    assert!(!files.exists("/sdcard/f"));

    let missing = adb.run(&["-s", serial, "pull", "/sdcard/none", local]).await;
    assert!(
        said(&missing).contains("remote object '/sdcard/none'"),
        "{}",
        said(&missing)
    );

    let root = adb.run(&["-s", serial, "root"]).await;
    assert_eq!(
        String::from_utf8_lossy(&root.stdout),
        "adbd cannot run as root in production builds\n"
    );

    let stranger = adb.run(&["-s", "stranger", "shell", "true"]).await;
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("device 'stranger' not found"));
}

async fn installation(adb: &Adb, serial: &str, phone: &FakePhone) {
    let folder = tempfile::tempdir().unwrap();
    let apk = folder.path().join("app.apk");
    let content: Vec<u8> = (0..=255).cycle().take(150_001).collect();
    fs::write(&apk, &content).unwrap();

    let said = adb.text(&["-s", serial, "install", "-r", apk.to_str().unwrap()]).await;

    assert!(said.contains("Success"), "{said}");
    let invocation = phone.installed().expect("an install was run");
    assert_eq!(invocation.argv, ["cmd", "package", "install", "-r", "-S", "150001"]);
    assert!(invocation.stdin == content, "the package did not arrive byte for byte");
}

/// Both outputs: the versions of adb do not agree on where an error goes.
fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Waits, within bounds, for a condition.
pub async fn wait_until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), wait)
        .await
        .expect("the condition never held");
}
