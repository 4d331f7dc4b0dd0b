//! What belongs to Android itself: model and properties, installed apps, settings, input methods, power, log.

use std::collections::{BTreeMap, VecDeque};

use super::{PhoneState, clock::Millis};
use crate::{
    apps::{ADB_KEYBOARD, ADB_KEYBOARD_IME, GALLERY, KEYBOARD, KEYBOARD_IME, LAUNCHER, SETTINGS, social::Skin},
    handset::InstalledApp,
    world::Network,
};

/// How many log lines a phone keeps.
const LOG_LINES: usize = 500;

/// A model of phone.
#[derive(Debug)]
pub(crate) struct Model {
    pub brand: &'static str,
    pub manufacturer: &'static str,
    pub model: &'static str,
    pub device: &'static str,
    pub name: &'static str,
    pub release: &'static str,
    pub sdk: &'static str,
    pub build: &'static str,
    pub patch: &'static str,
}

static PIXEL_7: Model = Model {
    brand: "google",
    manufacturer: "Google",
    model: "Pixel 7",
    device: "panther",
    name: "panther",
    release: "14",
    sdk: "34",
    build: "UQ1A.240205.002",
    patch: "2024-02-05",
};

static OTHERS: [Model; 4] = [
    Model {
        brand: "samsung",
        manufacturer: "samsung",
        model: "SM-A536B",
        device: "a53x",
        name: "a53xnaxx",
        release: "13",
        sdk: "33",
        build: "TP1A.220624.014",
        patch: "2023-09-01",
    },
    Model {
        brand: "Redmi",
        manufacturer: "Xiaomi",
        model: "M2101K6G",
        device: "sweet",
        name: "sweet_eea",
        release: "12",
        sdk: "31",
        build: "SKQ1.210908.001",
        patch: "2022-11-01",
    },
    Model {
        brand: "google",
        manufacturer: "Google",
        model: "Pixel 9",
        device: "tokay",
        name: "tokay",
        release: "15",
        sdk: "35",
        build: "AP3A.241005.015",
        patch: "2024-10-05",
    },
    Model {
        brand: "OnePlus",
        manufacturer: "OnePlus",
        model: "KB2003",
        device: "OnePlus8T",
        name: "OnePlus8T_EEA",
        release: "11",
        sdk: "30",
        build: "RP1A.201005.001",
        patch: "2021-12-01",
    },
];

/// The system of one phone.
#[derive(Debug)]
pub(crate) struct System {
    pub model: &'static Model,
    pub boot_id: String,
    pub awake: bool,
    pub locked: bool,
    pub battery_level: u8,
    pub apps: BTreeMap<String, InstalledApp>,
    settings: BTreeMap<(String, String), String>,
    pub input_methods: Vec<(String, bool)>,
    pub current_ime: String,
    pub clipboard: String,
    log: VecDeque<String>,
}

impl System {
    /// Awake and unlocked; the model follows from the serial.
    pub fn new(serial: &str) -> Self {
        let sum = serial.bytes().fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        let model = OTHERS.get(sum % (OTHERS.len() + 1)).unwrap_or(&PIXEL_7);
        let settings = [
            ("global", "airplane_mode_on", "0"),
            ("global", "wifi_on", "1"),
            ("global", "device_name", model.model),
            ("global", "stay_on_while_plugged_in", "0"),
            ("global", "window_animation_scale", "1.0"),
            ("global", "transition_animation_scale", "1.0"),
            ("global", "animator_duration_scale", "1.0"),
            ("secure", "long_press_timeout", "400"),
            ("secure", "default_input_method", KEYBOARD_IME),
            ("secure", "ui_night_mode", "1"),
            ("system", "screen_off_timeout", "60000"),
            ("system", "screen_brightness", "128"),
            ("system", "screen_brightness_mode", "0"),
            ("system", "accelerometer_rotation", "0"),
            ("system", "user_rotation", "0"),
        ];
        Self {
            model,
            boot_id: new_boot_id(),
            awake: true,
            locked: false,
            battery_level: u8::try_from(70 + sum % 30).unwrap_or(80),
            apps: factory_apps(),
            settings: settings
                .into_iter()
                .map(|(namespace, name, value)| ((namespace.to_owned(), name.to_owned()), value.to_owned()))
                .collect(),
            input_methods: vec![(KEYBOARD_IME.to_owned(), true), (ADB_KEYBOARD_IME.to_owned(), false)],
            current_ime: KEYBOARD_IME.to_owned(),
            clipboard: String::new(),
            log: VecDeque::new(),
        }
    }

    /// `settings get`
    pub fn setting(&self, namespace: &str, name: &str) -> Option<String> {
        self.settings.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// `settings put`
    pub fn put_setting(&mut self, namespace: &str, name: &str, value: Option<&str>) {
        let key = (namespace.to_owned(), name.to_owned());
        match value {
            Some(value) => self.settings.insert(key, value.to_owned()),
            None => self.settings.remove(&key),
        };
    }

    /// System properties, sorted.
    pub fn properties(&self, serial: &str, booted: bool) -> BTreeMap<String, String> {
        let model = self.model;
        let fingerprint = format!(
            "{}/{}/{}:{}/{}/{}:user/release-keys",
            model.brand, model.name, model.device, model.release, model.build, "10001"
        );
        let locked = if booted { "1" } else { "" };
        let pairs = [
            ("dev.bootcomplete", locked),
            ("gsm.operator.alpha", "Farm Mobile"),
            ("gsm.sim.state", "LOADED"),
            ("net.bt.name", "Android"),
            ("persist.sys.locale", "en-US"),
            ("persist.sys.timezone", "UTC"),
            ("ro.boot.serialno", serial),
            ("ro.build.characteristics", "nosdcard"),
            ("ro.build.display.id", model.build),
            ("ro.build.fingerprint", &fingerprint),
            ("ro.build.type", "user"),
            ("ro.build.version.release", model.release),
            ("ro.build.version.sdk", model.sdk),
            ("ro.build.version.security_patch", model.patch),
            ("ro.debuggable", "0"),
            ("ro.product.brand", model.brand),
            ("ro.product.cpu.abi", "arm64-v8a"),
            ("ro.product.cpu.abilist", "arm64-v8a,armeabi-v7a,armeabi"),
            ("ro.product.device", model.device),
            ("ro.product.locale", "en-US"),
            ("ro.product.manufacturer", model.manufacturer),
            ("ro.product.model", model.model),
            ("ro.product.name", model.name),
            ("ro.secure", "1"),
            ("ro.serialno", serial),
            ("ro.sf.lcd_density", "420"),
            ("sys.boot_completed", locked),
            ("sys.usb.state", "mtp,adb"),
        ];
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The last lines of the log, oldest first.
    pub fn log_lines(&self, lines: usize) -> Vec<String> {
        self.log
            .iter()
            .skip(self.log.len().saturating_sub(lines))
            .cloned()
            .collect()
    }

    /// Adds a line as `logcat -v threadtime` prints it; `at` is calendar time.
    pub fn log_line(&mut self, level: &str, tag: &str, message: &str) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        let at = jiff::Timestamp::now().strftime("%m-%d %H:%M:%S%.3f").to_string();
        self.log.push_back(format!("{at}  1842  1842 {level} {tag}: {message}"));
    }
}

impl PhoneState {
    /// Adds a line to the phone's log.
    pub(crate) fn log(&mut self, level: &str, tag: &str, message: &str) {
        self.system.log_line(level, tag, message);
    }
}

/// A random version-4 UUID, lower case.
pub(crate) fn new_boot_id() -> String {
    let bits: u128 = rand::random();
    let bits = (bits & !(0xf_u128 << 76) & !(0x3_u128 << 62)) | (0x4_u128 << 76) | (0x2_u128 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// A reboot takes at least this long, so that hosts see the phone go.
pub(crate) const BOOT_MS_MIN: Millis = 50;

fn factory_apps() -> BTreeMap<String, InstalledApp> {
    let mut apps = vec![
        app(LAUNCHER, Some(".NexusLauncherActivity"), "14"),
        app(SETTINGS, Some(".Settings"), "14"),
        app(GALLERY, Some(".app.GalleryActivity"), "1.1.40030"),
        app("com.android.systemui", None, "14"),
        app("com.android.permissioncontroller", None, "34"),
        InstalledApp {
            input_methods: vec![KEYBOARD_IME.to_owned()],
            ..app(KEYBOARD, None, "14.0.04")
        },
        InstalledApp {
            input_methods: vec![ADB_KEYBOARD_IME.to_owned()],
            ..app(ADB_KEYBOARD, None, "2.4.0")
        },
    ];
    apps.extend(Network::ALL.into_iter().map(|network| installed(network.package())));
    apps.into_iter().map(|app| (app.package.clone(), app)).collect()
}

/// An app as it stands after an installation by adb.
pub(crate) fn installed(package: &str) -> InstalledApp {
    let Some(network) = Network::parse(package) else {
        return app(package, Some(".MainActivity"), "1.0");
    };
    let version = match network {
        Network::TikTok => "36.5.4",
        Network::Instagram => "352.0.0.38.103",
    };
    let permissions: Vec<String> = [
        "android.permission.CAMERA",
        "android.permission.INTERNET",
        "android.permission.POST_NOTIFICATIONS",
        "android.permission.READ_CONTACTS",
        "android.permission.READ_MEDIA_IMAGES",
        "android.permission.READ_MEDIA_VIDEO",
        "android.permission.RECORD_AUDIO",
    ]
    .map(str::to_owned)
    .to_vec();
    let granted = permissions
        .iter()
        .filter(|name| !name.ends_with("READ_CONTACTS"))
        .cloned()
        .collect();
    InstalledApp {
        requested_permissions: permissions,
        granted_permissions: granted,
        launcher: Some(format!("{package}/{}", Skin::of(network).activity)),
        ..app(package, None, version)
    }
}

fn app(package: &str, activity: Option<&str>, version: &str) -> InstalledApp {
    InstalledApp {
        package: package.to_owned(),
        launcher: activity.map(|activity| format!("{package}/{activity}")),
        version: version.to_owned(),
        requested_permissions: Vec::new(),
        granted_permissions: Vec::new(),
        input_methods: Vec::new(),
    }
}
