//! A handset that remembers what was done to it, and a bench that runs programs on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::sync::mpsc;

use super::{ProgramTimes, Programs};
use crate::{
    agent::Agent,
    device::{Completion, Frame, Invocation, Link},
    fs::Filesystem,
    handset::{Dump, Handset, InstalledApp, Launched, MediaRow, Power, View},
};

const LATIN: &str = "com.google.android.inputmethod.latin/.LatinIME";
const ADB_KEYBOARD: &str = "com.github.uiautomator/.AdbKeyboard";

pub(crate) fn stdout(completion: &Completion) -> String {
    String::from_utf8(completion.stdout.clone()).expect("UTF-8 on stdout")
}

pub(crate) fn stderr(completion: &Completion) -> String {
    String::from_utf8(completion.stderr.clone()).expect("UTF-8 on stderr")
}

/// Programs over a fake handset.
pub(crate) struct Bench {
    pub(crate) handset: Arc<FakeHandset>,
    pub(crate) files: Arc<Filesystem>,
    pub(crate) agent: Arc<Agent>,
    programs: Programs,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let handset = Arc::new(FakeHandset::default());
        let files = Arc::new(Filesystem::default());
        let agent = Arc::new(Agent::new(handset.clone(), files.clone()));
        let times = ProgramTimes {
            dump: std::time::Duration::from_millis(1),
            gestures: false,
        };
        let programs = Programs::new(handset.clone(), files.clone(), agent.clone(), times);
        Self {
            handset,
            files,
            agent,
            programs,
        }
    }

    /// Runs a command whose words are separated by single spaces; single quotes stay.
    pub(crate) async fn run(&self, command: &str) -> Completion {
        self.run_argv(&command.split(' ').collect::<Vec<_>>()).await
    }

    pub(crate) async fn run_argv(&self, argv: &[&str]) -> Completion {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.programs
            .run(Invocation {
                argv,
                ..Invocation::default()
            })
            .await
            .expect("a program of that name")
    }

    /// Runs a program as a host does that reads on.
    pub(crate) async fn run_live(&self, command: &str, output: mpsc::Sender<Vec<u8>>) -> Completion {
        let argv = command.split(' ').map(str::to_owned).collect();
        let invocation = Invocation {
            argv,
            ..Invocation::default()
        };
        self.programs
            .run_live(invocation, output)
            .await
            .expect("a program of that name")
    }

    pub(crate) async fn run_with_stdin(&self, command: &str, stdin: Vec<u8>) -> Completion {
        let argv = command.split(' ').map(str::to_owned).collect();
        self.programs
            .run(Invocation {
                argv,
                stdin,
                ..Invocation::default()
            })
            .await
            .expect("a program of that name")
    }

    pub(crate) fn file(&self, path: &str) -> String {
        String::from_utf8(self.files.read(path).expect("a file").to_vec()).expect("UTF-8 in the file")
    }
}

/// A handset of plain fields.
pub(crate) struct FakeHandset(Mutex<Fields>);

struct Fields {
    calls: Vec<String>,
    typed: String,
    field_focused: bool,
    dump: Dump,
    focus: Option<(String, String)>,
    apps: Vec<InstalledApp>,
    settings: BTreeMap<(String, String), String>,
    methods: Vec<(String, bool)>,
    method: String,
    clipboard: String,
    log: Vec<String>,
}

impl Default for FakeHandset {
    fn default() -> Self {
        let hello = View {
            text: "Hello".into(),
            id: "com.example.app:id/hello".into(),
            class: "android.widget.TextView".into(),
            package: "com.example.app".into(),
            bounds: [10, 20, 110, 70],
            clickable: true,
            enabled: true,
            ..View::default()
        };
        let field = View {
            text: "old".into(),
            class: "android.widget.EditText".into(),
            package: "com.example.app".into(),
            bounds: [10, 100, 110, 150],
            enabled: true,
            ..View::default()
        };
        let root = View {
            class: "android.widget.FrameLayout".into(),
            package: "com.example.app".into(),
            bounds: [0, 0, 1080, 2400],
            enabled: true,
            children: vec![hello, field],
            ..View::default()
        };
        let app = |package: &str, launcher: Option<&str>| InstalledApp {
            package: package.to_owned(),
            launcher: launcher.map(str::to_owned),
            version: "1.2.3".to_owned(),
            requested_permissions: vec![
                "android.permission.CAMERA".to_owned(),
                "android.permission.RECORD_AUDIO".to_owned(),
            ],
            granted_permissions: Vec::new(),
            input_methods: Vec::new(),
        };
        Self(Mutex::new(Fields {
            calls: Vec::new(),
            typed: String::new(),
            field_focused: false,
            dump: Dump::Views(vec![root]),
            focus: Some((
                "com.android.launcher3".to_owned(),
                "com.android.launcher3/.Launcher".to_owned(),
            )),
            apps: vec![
                app("com.android.settings", Some("com.android.settings/.Settings")),
                app("com.example.app", Some("com.example.app/.Main")),
                app("com.github.uiautomator", None),
            ],
            settings: BTreeMap::new(),
            methods: vec![(LATIN.to_owned(), true), (ADB_KEYBOARD.to_owned(), false)],
            method: LATIN.to_owned(),
            clipboard: String::new(),
            log: vec!["line 1".to_owned(), "line 2".to_owned(), "line 3".to_owned()],
        }))
    }
}

impl FakeHandset {
    fn fields(&self) -> std::sync::MutexGuard<'_, Fields> {
        self.0.lock().expect("no test panics while it holds the fields")
    }

    fn note(&self, call: String) {
        self.fields().calls.push(call);
    }

    /// What was done, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.fields().calls.clone()
    }

    pub(crate) fn typed(&self) -> String {
        self.fields().typed.clone()
    }

    pub(crate) fn focus_field(&self, focused: bool) {
        self.fields().field_focused = focused;
    }

    pub(crate) fn show(&self, dump: Dump) {
        self.fields().dump = dump;
    }

    pub(crate) fn lose_focus(&self) {
        self.fields().focus = None;
    }

    pub(crate) fn pixels(&self) -> Vec<u8> {
        (0..96_u8).map(|byte| byte.wrapping_mul(3)).collect()
    }
}

impl Handset for FakeHandset {
    fn serial(&self) -> String {
        "fake-1".to_owned()
    }

    fn property(&self, name: &str) -> Option<String> {
        self.properties()
            .into_iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value)
    }

    fn properties(&self) -> Vec<(String, String)> {
        [
            ("ro.build.version.sdk", "34"),
            ("ro.product.model", "Pixel 6"),
            ("ro.product.name", "oriole"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn boot_id(&self) -> String {
        "6f1ff0a6-6f5b-4b0e-9e8a-0d2d1c3b4a59".to_owned()
    }

    fn screen_size(&self) -> (u32, u32) {
        (1080, 2400)
    }

    fn density(&self) -> u32 {
        420
    }

    fn power(&self) -> Power {
        Power {
            level: 87,
            temperature: 271,
            charging: true,
            awake: true,
            locked: false,
        }
    }

    fn tap(&self, x: i32, y: i32) {
        self.note(format!("tap {x} {y}"));
    }

    fn swipe(&self, from: (i32, i32), to: (i32, i32), duration_ms: u64) {
        self.note(format!("swipe {from:?} {to:?} {duration_ms}"));
    }

    fn key(&self, code: u32) {
        self.note(format!("key {code}"));
    }

    fn type_text(&self, text: &str) -> bool {
        let mut fields = self.fields();
        if fields.field_focused {
            fields.typed.push_str(text);
        }
        fields.field_focused
    }

    fn clear_text(&self) -> bool {
        let mut fields = self.fields();
        fields.typed.clear();
        fields.field_focused
    }

    fn clipboard(&self) -> String {
        self.fields().clipboard.clone()
    }

    fn set_clipboard(&self, text: &str) {
        self.fields().clipboard = text.to_owned();
    }

    fn dump(&self) -> Dump {
        self.fields().dump.clone()
    }

    fn frame(&self) -> Frame {
        Frame {
            width: 4,
            height: 6,
            rgba: self.pixels(),
        }
    }

    fn focus(&self) -> Option<(String, String)> {
        self.fields().focus.clone()
    }

    fn launch(&self, package: &str, component: Option<&str>, stop_first: bool) -> Launched {
        self.note(format!("launch {package} {component:?} {stop_first}"));
        let mut fields = self.fields();
        let launcher = fields
            .apps
            .iter()
            .find(|app| app.package == package)
            .and_then(|app| app.launcher.clone());
        let Some(activity) = launcher else {
            return Launched::Unresolved;
        };
        fields.focus = Some((package.to_owned(), activity.clone()));
        Launched::Started { activity, cold: true }
    }

    fn open_link(&self, link: &str, package: Option<&str>) -> Launched {
        self.note(format!("open {link} {package:?}"));
        if !link.starts_with("https://") {
            return Launched::Unresolved;
        }
        Launched::Started {
            activity: "com.example.app/.Main".to_owned(),
            cold: false,
        }
    }

    fn stop(&self, package: &str) {
        self.note(format!("stop {package}"));
        let mut fields = self.fields();
        if fields.focus.as_ref().is_some_and(|(focused, _)| focused == package) {
            fields.focus = None;
        }
    }

    fn clear(&self, package: &str) -> bool {
        self.fields().apps.iter().any(|app| app.package == package)
    }

    fn apps(&self) -> Vec<InstalledApp> {
        self.fields().apps.clone()
    }

    fn install(&self, package: &str) {
        self.note(format!("install {package}"));
    }

    fn uninstall(&self, package: &str) -> bool {
        let mut fields = self.fields();
        let before = fields.apps.len();
        fields.apps.retain(|app| app.package != package);
        fields.apps.len() < before
    }

    fn set_permission(&self, package: &str, permission: &str, granted: bool) -> bool {
        let mut fields = self.fields();
        let Some(app) = fields.apps.iter_mut().find(|app| app.package == package) else {
            return false;
        };
        if !app
            .requested_permissions
            .iter()
            .any(|requested| requested == permission)
        {
            return false;
        }
        app.granted_permissions.retain(|other| other != permission);
        if granted {
            app.granted_permissions.push(permission.to_owned());
        }
        true
    }

    fn media(&self) -> Vec<MediaRow> {
        [(31, "a.png"), (32, "v.mp4"), (33, "b.jpg")]
            .map(|(id, name)| MediaRow {
                id,
                path: format!("/sdcard/DCIM/{name}"),
                name: name.to_owned(),
                video: name.ends_with("mp4"),
            })
            .into()
    }

    fn scan_media(&self, path: &str) {
        self.note(format!("scan {path}"));
    }

    fn setting(&self, namespace: &str, name: &str) -> Option<String> {
        self.fields()
            .settings
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    fn put_setting(&self, namespace: &str, name: &str, value: Option<&str>) {
        let key = (namespace.to_owned(), name.to_owned());
        match value {
            Some(value) => drop(self.fields().settings.insert(key, value.to_owned())),
            None => drop(self.fields().settings.remove(&key)),
        }
    }

    fn input_methods(&self) -> Vec<(String, bool)> {
        self.fields().methods.clone()
    }

    fn enable_input_method(&self, id: &str, enabled: bool) -> bool {
        let mut fields = self.fields();
        let Some(method) = fields.methods.iter_mut().find(|(other, _)| other == id) else {
            return false;
        };
        method.1 = enabled;
        true
    }

    fn set_input_method(&self, id: &str) -> bool {
        let mut fields = self.fields();
        let there = fields.methods.iter().any(|(other, enabled)| other == id && *enabled);
        if there {
            fields.method = id.to_owned();
        }
        there
    }

    fn input_method(&self) -> String {
        self.fields().method.clone()
    }

    fn log(&self, lines: usize) -> Vec<String> {
        let all = self.fields().log.clone();
        all[all.len().saturating_sub(lines)..].to_vec()
    }

    fn write_log(&self, level: &str, tag: &str, message: &str) {
        let line = format!("01-02 03:04:05.678  1842  1842 {level} {tag}: {message}");
        self.fields().log.push(line);
    }

    fn reboot(&self) {
        self.note("reboot".to_owned());
    }

    fn link(&self) -> Link {
        Link::default()
    }
}
