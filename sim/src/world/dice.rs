//! Faults at random, the same ones again for the same seed and the same sequence of acts.

use std::sync::Arc;

use super::{
    clock::Millis,
    fault::{CrashMoment, Fault, FaultKind},
    schedule::Event,
    state::Desk,
};
use crate::apps::Front;

/// A small generator of random numbers (splitmix64): the sequence depends on the seed alone, on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 0 .. `below`
    pub fn draw(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }
}

/// What happens at random: every kind, and those that stand here more often happen more often.
const MISHAPS: [FaultKind; 26] = [
    FaultKind::NoIdle,
    FaultKind::NoIdle,
    FaultKind::GarbageHierarchy,
    FaultKind::HugeHierarchy,
    FaultKind::SecureScreen,
    FaultKind::Popup,
    FaultKind::Popup,
    FaultKind::Popup,
    FaultKind::Offline,
    FaultKind::Unauthorized,
    FaultKind::Hang,
    FaultKind::Slow,
    FaultKind::Slow,
    FaultKind::DropConnection,
    FaultKind::DropConnection,
    FaultKind::AppCrash,
    FaultKind::AppCrash,
    FaultKind::AppNotInstalled,
    FaultKind::Challenge,
    FaultKind::LoggedOut,
    FaultKind::UploadFails,
    FaultKind::UploadSlow,
    FaultKind::PublishAckLost,
    FaultKind::PublishAckLost,
    FaultKind::Reboot,
    FaultKind::StorageFull,
];
/// A lasting mishap ends by itself after between one and two times this.
const LASTS_MS: Millis = 1_500;
/// What a slow phone's answers take, at most.
const SLOW_MS: Millis = 200;

impl Desk<'_> {
    /// Before an act (a tap, a start, a link, a dump): with the fault `random`, something may go wrong now.
    pub(crate) fn tempt_fate(&mut self) {
        let Some(rate) = self.state.faults.get(FaultKind::Random).map(|fault| fault.rate_ppm) else {
            return;
        };
        let dice = &mut self.state.dice;
        if dice.draw(1_000_000) >= u64::from(rate) {
            return;
        }
        let kinds = u64::try_from(MISHAPS.len()).unwrap_or(u64::MAX);
        let place = usize::try_from(dice.draw(kinds)).unwrap_or(0);
        let Some(kind) = MISHAPS.get(place).copied() else {
            return;
        };
        // Drawn whether they are used or not: what comes next must not depend on what the phone was doing.
        let (after, lasts, slow) = (dice.draw(2) == 1, dice.draw(LASTS_MS), dice.draw(SLOW_MS));
        self.state.log("W", "random", &format!("{} at random", kind.name()));
        *self.state.mishaps.entry(kind.name()).or_default() += 1;
        self.state.faults.strike(FaultKind::Random);
        match kind {
            FaultKind::NoIdle | FaultKind::GarbageHierarchy | FaultKind::HugeHierarchy => {
                self.state.next_dump = Some(kind);
            }
            FaultKind::DropConnection => self.drop_connections(),
            FaultKind::Reboot => self.begin_reboot(None),
            FaultKind::AppCrash if after => {
                if let Front::Social(network) = self.state.front
                    && self.state.social.contains_key(&network)
                {
                    self.crash(network);
                }
            }
            FaultKind::AppCrash => self.begin_fault(Fault {
                moment: CrashMoment::After,
                ..Fault::new(kind)
            }),
            FaultKind::PublishAckLost => self.begin_fault(Fault::new(kind)),
            _ => self.begin_mishap(kind, slow, LASTS_MS + lasts),
        }
    }

    /// Begins what lasts, for so long. A fault that somebody has set stays as it is.
    fn begin_mishap(&mut self, kind: FaultKind, slow: Millis, lasts: Millis) {
        if self.state.faults.get(kind).is_some_and(|fault| fault.mishap.is_none()) {
            return;
        }
        let number = self.state.mishaps.values().sum();
        self.begin_fault(Fault {
            ms: if kind == FaultKind::UploadSlow { lasts } else { slow },
            mishap: Some(number),
            ..Fault::new(kind)
        });
        // A popup ends when it is dismissed.
        if kind != FaultKind::Popup {
            let event = Event::MishapOver(number);
            Arc::clone(self.world).plan(self.now + lasts, self.me.clone(), event);
        }
    }

    /// The mishap of this number is over, unless something else has ended or replaced it.
    pub(super) fn end_mishap(&mut self, number: u64) {
        let ended = self.state.faults.iter().find(|fault| fault.mishap == Some(number));
        if let Some(kind) = ended.map(|fault| fault.kind) {
            self.end_fault(kind);
        }
    }

    /// The popup is gone; one that came at random does not come again.
    pub(crate) fn dismiss_popup(&mut self) {
        self.state.popup_open = false;
        if self
            .state
            .faults
            .get(FaultKind::Popup)
            .is_some_and(|fault| fault.mishap.is_some())
        {
            self.state.faults.end(FaultKind::Popup);
        }
    }
}
