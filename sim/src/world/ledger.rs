//! The ledger: everything that really happened in the simulated apps, in the order in which it took effect.

use serde::Serialize;
use serde_json::Value;

/// One effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LedgerEntry {
    /// 1, 2, 3 … without gaps.
    pub seq: u64,
    /// When it took effect: RFC 3339, UTC, milliseconds.
    pub at: String,
    /// The phone.
    pub serial: String,
    /// `tiktok`, `instagram`, or a package name for other apps.
    pub app: String,
    /// The account that did it; empty when there was none.
    pub account: String,
    /// `publish`, `follow`, `follow_request`, `unfollow`, `switch_account`, `login`, `save_draft`, `upload_failed`,
    /// `upload_lost`, `app_crash`, `app_data_cleared`, `reboot`.
    pub kind: String,
    /// What belongs to the kind; see `apps/README.md`.
    pub detail: Value,
}

/// What a phone reports; the world adds number and time.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// See [`LedgerEntry::app`].
    pub app: String,
    /// See [`LedgerEntry::account`].
    pub account: String,
    /// See [`LedgerEntry::kind`].
    pub kind: &'static str,
    /// See [`LedgerEntry::detail`].
    pub detail: Value,
}

/// The entries so far.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
}

impl Ledger {
    /// Adds an entry with the next number. Two phones may report in the other order than that of their clocks by a
    /// hair's breadth; the times still never go back.
    pub fn record(&mut self, at: String, serial: &str, deed: Deed) {
        let at = self.entries.last().map_or(at.clone(), |last| at.max(last.at.clone()));
        let seq = u64::try_from(self.entries.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.entries.push(LedgerEntry {
            seq,
            at,
            serial: serial.to_owned(),
            app: deed.app,
            account: deed.account,
            kind: deed.kind.to_owned(),
            detail: deed.detail,
        });
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.entries.clone()
    }
}
