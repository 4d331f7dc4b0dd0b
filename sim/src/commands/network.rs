//! `ip`, `ifconfig`, `svc`: the phone's Wi-Fi address and its radio switches.

use super::{
    reply::{failed, printed, silent},
    usage,
};
use crate::device::Completion;

/// The address that a phone shows; the network is as simulated as the phone.
const ADDRESS: &str = "192.168.1.57";
const HARDWARE_ADDRESS: &str = "02:15:b2:00:00:00";

/// `ip addr`, `ip route`.
pub(super) fn ip(arguments: &[String]) -> Completion {
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let asks_for = |names: &[&str]| words.first().is_some_and(|word| names.contains(word));
    if asks_for(&["route", "r", "ro"]) {
        return printed(format!(
            "192.168.1.0/24 dev wlan0 proto kernel scope link src {ADDRESS} \n"
        ));
    }
    if !asks_for(&["addr", "address", "a", "link"]) {
        return usage("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n");
    }
    let device = words
        .iter()
        .find(|word| !matches!(**word, "addr" | "address" | "a" | "link" | "show" | "dev"));
    if let Some(device) = device.filter(|device| !matches!(**device, "wlan0" | "lo")) {
        return failed(1, format!("Device \"{device}\" does not exist.\n"));
    }
    let mut text = String::new();
    if device.is_none_or(|device| *device == "lo") {
        text.push_str(
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    \
             link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       \
             valid_lft forever preferred_lft forever\n",
        );
    }
    if device.is_none_or(|device| *device == "wlan0") {
        text.push_str(&format!(
            "22: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 3000\n    \
             link/ether {HARDWARE_ADDRESS} brd ff:ff:ff:ff:ff:ff\n    \
             inet {ADDRESS}/24 brd 192.168.1.255 scope global wlan0\n       \
             valid_lft forever preferred_lft forever\n"
        ));
    }
    printed(text)
}

/// `ifconfig [DEVICE]`.
pub(super) fn ifconfig(arguments: &[String]) -> Completion {
    match arguments.first().map(String::as_str) {
        None | Some("wlan0") => printed(format!(
            "wlan0     Link encap:Ethernet  HWaddr {HARDWARE_ADDRESS}\n          \
             inet addr:{ADDRESS}  Bcast:192.168.1.255  Mask:255.255.255.0 \n          \
             UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n"
        )),
        Some(device) => failed(1, format!("ifconfig: {device}: No such device\n")),
    }
}

/// `svc wifi|data|power|usb|nfc|bluetooth …`: silent when it understands.
pub(super) fn svc(arguments: &[String]) -> Completion {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["wifi" | "data" | "nfc" | "bluetooth", "enable" | "disable"]
        | ["power", "stayon", "true" | "false" | "usb" | "ac" | "wireless"]
        | ["power", "shutdown" | "reboot", ..]
        | ["usb", ..] => silent(),
        ["wifi" | "data" | "power" | "nfc" | "bluetooth", ..] => failed(
            1,
            format!("usage: svc {} [enable|disable]\n", words.first().unwrap_or(&"")),
        ),
        _ => failed(
            1,
            "Available commands:\n    help     Show information about the subcommands\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::commands::testing::{Bench, stderr, stdout};

    #[tokio::test]
    async fn the_address_is_found_by_the_tools_that_look_for_it() {
        let bench = Bench::new();

        assert!(stdout(&bench.run("ip addr show dev wlan0").await).contains("inet 192.168.1.57/24 "));
        assert!(stdout(&bench.run("ifconfig wlan0").await).contains("inet addr:192.168.1.57 "));
        assert_eq!(
            stderr(&bench.run("ip addr show dev eth7").await),
            "Device \"eth7\" does not exist.\n"
        );
    }
}
