//! Faults at random, the same ones again for the same seed and the same sequence of acts.

use super::{
    fault::{CrashMoment, Fault, FaultKind},
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

/// What happens at random; kinds that stand here more often happen more often.
const MISHAPS: [FaultKind; 12] = [
    FaultKind::NoIdle,
    FaultKind::NoIdle,
    FaultKind::GarbageHierarchy,
    FaultKind::Popup,
    FaultKind::Popup,
    FaultKind::Popup,
    FaultKind::DropConnection,
    FaultKind::DropConnection,
    FaultKind::AppCrash,
    FaultKind::AppCrash,
    FaultKind::PublishAckLost,
    FaultKind::Reboot,
];

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
        let place = usize::try_from(dice.draw(12)).unwrap_or(0);
        let Some(kind) = MISHAPS.get(place).copied() else {
            return;
        };
        let after = dice.draw(2) == 1;
        self.state.log("W", "random", &format!("{} at random", kind.name()));
        match kind {
            FaultKind::NoIdle | FaultKind::GarbageHierarchy => self.state.next_dump = Some(kind),
            FaultKind::DropConnection => self.state.drops += 1,
            FaultKind::Reboot => self.begin_reboot(None),
            FaultKind::Popup => {
                self.state.faults.set(Fault {
                    fleeting: true,
                    ..Fault::new(kind)
                });
                self.state.popup_open = true;
            }
            FaultKind::AppCrash if after => {
                if let Front::Social(network) = self.state.front
                    && self.state.social.contains_key(&network)
                {
                    self.crash(network);
                }
            }
            FaultKind::AppCrash => self.state.faults.set(Fault {
                moment: CrashMoment::After,
                ..Fault::new(kind)
            }),
            other => self.state.faults.set(Fault::new(other)),
        }
    }

    /// The popup is gone; one that came at random does not come again.
    pub(crate) fn dismiss_popup(&mut self) {
        self.state.popup_open = false;
        if self
            .state
            .faults
            .get(FaultKind::Popup)
            .is_some_and(|fault| fault.fleeting)
        {
            self.state.faults.end(FaultKind::Popup);
        }
    }
}
