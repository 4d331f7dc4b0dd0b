//! The crate `adb_client` in server mode. The published crate has no tests that need a phone, so these are ours: each
//! call that it offers for what our phones can do.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
};

use adb_client::{
    ADBDeviceExt, ADBListItemType, RebootType,
    server::{ADBServer, DeviceState},
    server_device::ADBServerDevice,
};

use crate::support::{
    Rig,
    apk::dummy_apk,
    programs::{self, under_each_adb},
    wait_for,
};

under_each_adb! {
    phones_are_listed_and_found,
    commands_and_files_come_whole,
    pictures_of_both_kinds_have_the_size_of_the_screen,
    packages_ports_and_reboots_do_what_they_say,
}

fn server(rig: &Rig) -> ADBServer {
    // It would start a server on the user's port before each question; this program starts nothing.
    ADBServer::new_from_path(address(rig), Some("true".to_owned()))
}

fn address(rig: &Rig) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, rig.port())
}

fn device(rig: &Rig) -> ADBServerDevice {
    ADBServerDevice::new(rig.serial.clone(), Some(address(rig)))
}

fn shell(device: &mut ADBServerDevice, line: &str) -> String {
    let mut output = Vec::new();
    // It loses the exit code of every command.
    device
        .shell_command(&line, Some(&mut output), None)
        .expect("a command is run");
    String::from_utf8(output).expect("a text")
}

async fn phones_are_listed_and_found(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;

    let listed = server(&rig).devices().expect("a list");
    assert_eq!(listed.len(), 1);
    let phone = listed.first().expect("a phone");
    assert_eq!((&phone.identifier, &phone.state), (&rig.serial, &DeviceState::Device));
    let long = server(&rig).devices_long().expect("a long list");
    let phone = long.first().expect("a phone");
    assert!(phone.transport_id > 0 && !phone.model.is_empty(), "{phone:?}");
    let mut found = server(&rig)
        .get_device_by_transport_id(phone.transport_id)
        .expect("the phone");
    assert_eq!(shell(&mut found, "getprop ro.serialno"), "sim-1\n");
    assert!(server(&rig).get_device_by_name("stranger").is_err());
    assert!(server(&rig).version().is_ok());
    rig.stop().await;
}

async fn commands_and_files_come_whole(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let mut device = device(&rig);

    let mut errors = Vec::new();
    device
        .shell_command(&"echo out; echo err >&2", None, Some(&mut errors))
        .expect("a command is run");
    assert_eq!(errors, b"err\n");
    assert_eq!(shell(&mut device, "echo 'żółw 😀'"), "żółw 😀\n");

    let content: Vec<u8> = (0..=255).cycle().take(300_001).collect();
    device
        .push(&mut content.as_slice(), "/sdcard/Download/file")
        .expect("a push");
    let told = device.stat("/sdcard/Download/file").expect("a stat");
    assert_eq!(told.file_size, 300_001);
    let mut back = Vec::new();
    device.pull(&"/sdcard/Download/file", &mut back).expect("a pull");
    assert!(back == content, "the file did not come back byte for byte");
    let listed = device.list("/sdcard/Download").expect("a list");
    assert!(
        listed
            .iter()
            .any(|item| matches!(item, ADBListItemType::File(item) if item.name == "file" && item.size == 300_001)),
        "{listed:?}"
    );
    assert!(device.pull(&"/sdcard/none", &mut Vec::new()).is_err());
    rig.stop().await;
}

async fn pictures_of_both_kinds_have_the_size_of_the_screen(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let mut device = device(&rig);

    let file = rig.folder().join("frame.png");
    device.framebuffer(&file).expect("the framebuffer");

    let file = std::io::BufReader::new(std::fs::File::open(&file).expect("a file"));
    let info = png::Decoder::new(file).read_info().expect("a PNG").info().clone();
    assert_eq!((info.width, info.height), (1080, 2400));
    let mut picture = Vec::new();
    device
        .shell_command(&"screencap -p", Some(&mut picture), None)
        .expect("a picture");
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    rig.stop().await;
}

async fn packages_ports_and_reboots_do_what_they_say(adb: PathBuf) {
    let rig = Rig::start(adb, 1).await;
    let mut device = device(&rig);
    let apk = rig.folder().join("dummy.apk");
    std::fs::write(&apk, dummy_apk("com.example.dummy")).expect("a file");

    device.install(&apk, None).expect("an installation");
    assert!(shell(&mut device, "pm path com.example.dummy").starts_with("package:"));
    device.uninstall("com.example.dummy", None).expect("a removal");
    assert_eq!(shell(&mut device, "pm path com.example.dummy"), "");
    assert!(device.uninstall("com.example.dummy", None).is_err());

    device
        .forward("tcp:9008".to_owned(), "tcp:0".to_owned())
        .expect("a forwarded port");
    device.forward_remove_all().expect("no forwarded port");
    // `reverse` is left out: it does not read the phone's answer, which is that it is not supported.

    let boot_id = |device: &mut ADBServerDevice| {
        let mut output = Vec::new();
        let asked = device.shell_command(&"cat /proc/sys/kernel/random/boot_id", Some(&mut output), None);
        asked.ok().and_then(|_| String::from_utf8(output).ok())
    };
    let before = boot_id(&mut device);
    device.reboot(RebootType::System).expect("a reboot");
    wait_for("another boot", || {
        rig.adb(&["connect", &rig.serial]);
        boot_id(&mut device).filter(|now| now.trim().len() == 36 && Some(now) != before.as_ref())
    });
    rig.stop().await;
}
