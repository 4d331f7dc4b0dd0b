"""What the PyPI clients adbutils and uiautomator2 do with a phone; prints one line per check, exits 1 at a failure.

Usage: clients.py SERIAL   (with ANDROID_ADB_SERVER_PORT set)
"""

import io
import pathlib
import re
import sys
import tempfile
import time

import adbutils
import uiautomator2


def check_adbutils(device):
    yield "state", device.get_state() == "device"
    yield "properties", device.prop.model != "" and device.getprop("ro.build.version.sdk").isdigit()
    yield "exit codes", device.shell2("(exit 7)").returncode == 7
    yield "window size", tuple(device.window_size()) == (1080, 2400)
    yield "packages", "com.zhiliaoapp.musically" in device.list_packages()
    yield "package info", device.app_info("com.instagram.android").version_name != ""
    yield "missing package", device.app_info("com.no.such") is None
    yield "battery", 0 < device.battery().level <= 100
    yield "screen is on", device.is_screen_on()
    yield "address", device.wlan_ip().count(".") == 3
    yield "rotation", device.rotation() == 0
    device.sync.push(io.BytesIO(b"hello"), "/sdcard/hello.txt")
    yield "files", device.sync.read_bytes("/sdcard/hello.txt") == b"hello"
    yield "picture", device.screenshot().size == (1080, 2400)
    yield "framebuffer", device.framebuffer().size == (1080, 2400)
    yield "hierarchy", "<hierarchy" in device.dump_hierarchy()
    device.brightness_value = 100
    yield "brightness", device.brightness_value == 100
    device.switch_screen(False)
    yield "screen is off", not device.is_screen_on()
    device.switch_screen(True)
    yield "screen is on again", device.is_screen_on()
    device.keyevent("MENU")  # opens the keyguard
    yield "log", logs_a_line(device)
    device.app_start("com.android.settings")
    yield "app in front", device.app_current().package == "com.android.settings"
    device.keyevent("HOME")
    yield "home", device.app_current().package != "com.android.settings"


def logs_a_line(device):
    """Reads the log on while a line is written into it."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "log.txt"
        reader = device.logcat(file, clear=True, command="logcat -v time", re_filter="I/TAG")
        device.shell(["log", "-p", "i", "-t", "TAG", "hello"])
        deadline = time.monotonic() + 10
        while not (found := re.search("I/TAG.*hello", file.read_text(encoding="utf-8"))):
            if time.monotonic() > deadline:
                break
        reader.stop(timeout=10)
        return found is not None


def check_uiautomator2(serial):
    device = uiautomator2.connect(serial)
    yield "info", device.info["displayWidth"] == 1080 and device.info["screenOn"] is True
    device.app_start("com.android.settings")
    yield "app in front", device.app_current()["package"] == "com.android.settings"
    yield "hierarchy", 'package="com.android.settings"' in device.dump_hierarchy()
    yield "picture", device.screenshot().size == (1080, 2400)
    device.press("home")
    icon = device(text="Settings")
    yield "selector", icon.exists and icon.info["text"] == "Settings"
    yield "missing", not device(text="no such text").exists
    icon.click()
    yield "click", device.app_current()["package"] == "com.android.settings"
    device.set_clipboard("żółw 😀")
    yield "clipboard", device.clipboard == "żółw 😀"
    field = device(className="android.widget.EditText")
    if not field.exists:
        device(description="Search settings").click_exists(timeout=1)
        device(textContains="Search").click_exists(timeout=1)
    field = device(className="android.widget.EditText")
    yield "field", field.wait(timeout=5)
    field.click()
    device.send_keys("żółw 😀 100%s")
    yield "send keys", device(className="android.widget.EditText").get_text() == "żółw 😀 100%s"
    device.clear_text()
    yield "clear text", "żółw" not in device(className="android.widget.EditText").get_text()
    device.swipe(540, 1800, 540, 600, 0.1)
    yield "swipe", True
    device.app_stop("com.android.settings")
    yield "app stopped", device.app_current()["package"] != "com.android.settings"
    device.stop_uiautomator()
    yield "agent stopped", "<hierarchy" in adbutils.adb.device(serial).dump_hierarchy()


def main(serial):
    failed = 0
    for client, checks in (
        ("adbutils", check_adbutils(adbutils.adb.device(serial))),
        ("uiautomator2", check_uiautomator2(serial)),
    ):
        for name, ok in checks:
            print(f"{'ok' if ok else 'FAILED'}: {client}: {name}", flush=True)
            failed += not ok
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
