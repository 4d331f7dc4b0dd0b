//! A shell's variables and positional parameters.

use std::collections::BTreeMap;

/// All values together, bytes; what would be more is not set. Subshells copy them.
const MAX_BYTES: usize = 4 << 20;

/// What a shell knows by name. A subshell works on a clone.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    values: BTreeMap<String, Value>,
    /// Of all names and values.
    bytes: usize,
    /// `$1`, `$2` …
    pub positional: Vec<String>,
}

#[derive(Debug, Clone)]
struct Value {
    text: String,
    exported: bool,
}

impl Variables {
    /// The environment that adbd gives its shells.
    pub fn of_adb_shell() -> Self {
        let environment = [
            ("ANDROID_DATA", "/data"),
            ("ANDROID_ROOT", "/system"),
            ("EXTERNAL_STORAGE", "/sdcard"),
            ("HOME", "/"),
            ("HOSTNAME", "localhost"),
            ("LOGNAME", "shell"),
            (
                "PATH",
                "/product/bin:/apex/com.android.runtime/bin:/system/bin:/system/xbin:/vendor/bin",
            ),
            ("SHELL", "/bin/sh"),
            ("TERM", "dumb"),
            ("TMPDIR", "/data/local/tmp"),
            ("USER", "shell"),
        ];
        let mut variables = Self {
            values: BTreeMap::new(),
            bytes: 0,
            positional: Vec::new(),
        };
        for (name, value) in environment {
            variables.set(name, value);
            variables.export(name);
        }
        variables
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.as_str())
    }

    pub fn set(&mut self, name: &str, text: &str) {
        let old = self.values.get(name).map_or(0, |value| name.len() + value.text.len());
        let bytes = self.bytes.saturating_sub(old) + name.len() + text.len();
        if bytes > MAX_BYTES {
            return;
        }
        self.bytes = bytes;
        match self.values.get_mut(name) {
            Some(value) => text.clone_into(&mut value.text),
            None => {
                let value = Value {
                    text: text.to_owned(),
                    exported: false,
                };
                self.values.insert(name.to_owned(), value);
            }
        }
    }

    pub fn unset(&mut self, name: &str) {
        if let Some(value) = self.values.remove(name) {
            self.bytes = self.bytes.saturating_sub(name.len() + value.text.len());
        }
    }

    pub fn export(&mut self, name: &str) {
        if self.get(name).is_none() {
            self.set(name, "");
        }
        if let Some(value) = self.values.get_mut(name) {
            value.exported = true;
        }
    }

    /// What a program's environment would hold, by name.
    pub fn exported(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter(|(_, value)| value.exported)
            .map(|(name, value)| (name.as_str(), value.text.as_str()))
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.text.as_str()))
    }
}
