//! What a phone is made of before it is switched on.

/// How to make a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneSpec {
    /// Its own serial, unique in the world.
    pub serial: String,
    /// Logged-in accounts: app (`tiktok`, `instagram` or a package) and name. The first of an app is its current one.
    pub accounts: Vec<(String, String)>,
    /// How long a reboot takes, milliseconds.
    pub boot_ms: u64,
    /// How long an upload takes, milliseconds.
    pub upload_ms: u64,
    /// Whether the apps show their first-run dialogs.
    pub first_run: bool,
}

impl PhoneSpec {
    /// A phone without accounts.
    pub fn new(serial: impl Into<String>) -> Self {
        Self {
            serial: serial.into(),
            ..Self::default()
        }
    }

    /// The same with one account more.
    #[must_use]
    pub fn with_account(mut self, app: impl Into<String>, account: impl Into<String>) -> Self {
        self.accounts.push((app.into(), account.into()));
        self
    }
}

impl Default for PhoneSpec {
    fn default() -> Self {
        Self {
            serial: "sim-1".to_owned(),
            accounts: Vec::new(),
            boot_ms: 3_000,
            upload_ms: 1_200,
            first_run: true,
        }
    }
}
