//! Who may rest: a cap on devices that rest at the same time, the alarm when more fail together, and people's own word.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix::{AsyncContext, Context, Handler, Message};

use super::{
    DeviceSnapshot, QuarantineAsked, SupervisorActor, SupervisorError,
    asks::{Reply, answer, tell_not_ready},
};
use crate::{
    device::{AnswerQuarantine, HoldDevice, held_because},
    domain::{DeviceState, EventTopic, Held, NewEvent, QuarantineInfo, Serial},
    mail::tell,
    ports::StoreError,
    settings::QuarantineSettings,
};

/// How long a device may take to show that it was sent to rest.
const BOARD_DELAY: Duration = Duration::from_secs(5);

/// What the supervisor remembers of rests.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// When devices were sent to rest: their boards show it a moment later.
    sent: BTreeMap<Serial, Duration>,
    /// When devices asked for a rest and did not get it.
    refused: BTreeMap<Serial, Duration>,
}

impl Rests {
    /// Whether one more device may rest. `resting`: those that show it; people's own are not counted.
    fn grants(
        &mut self,
        serial: &Serial,
        resting: &[Serial],
        total: usize,
        rules: &QuarantineSettings,
        now: Duration,
    ) -> bool {
        self.sent.retain(|_, at| *at + BOARD_DELAY > now);
        let shown = resting.iter().filter(|resting| *resting != serial);
        let sent = self
            .sent
            .keys()
            .filter(|sent| *sent != serial && !resting.contains(sent));
        let count = u32::try_from(shown.count() + sent.count()).unwrap_or(u32::MAX);
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let granted = count == 0 || f64::from(count) + 1.0 <= f64::from(total) * rules.max_share;
        if granted {
            self.sent.insert(serial.clone(), now);
            self.refused.remove(serial);
        } else {
            self.refused.insert(serial.clone(), now);
        }
        granted
    }

    /// The alarm, as long as a device was refused its rest within the window of failures.
    fn alarm(&mut self, rules: &QuarantineSettings, now: Duration) -> Option<String> {
        let window = Duration::from_secs(rules.window_s);
        self.refused.retain(|_, at| *at + window > now);
        let names: Vec<&str> = self.refused.keys().map(Serial::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "too many devices fail together to be put into quarantine (quarantine.max_share is {}): {}; the fault is \
                 probably the host's, its adb server's, its USB hub's or its network's",
                rules.max_share,
                names.join(", ")
            )
        })
    }
}

impl SupervisorActor {
    /// Why the farm as a whole needs a person, if it does.
    pub(super) fn alarm(&mut self) -> Option<String> {
        let now = self.parts.clock.now().mono;
        self.rests.alarm(&self.parts.settings.quarantine, now)
    }

    fn grants_quarantine(&mut self, serial: &Serial) -> bool {
        let resting = self.devices.iter().filter(|(_, device)| {
            let status = device.board.borrow();
            let rests = |info: &QuarantineInfo| !info.by_person;
            status
                .as_ref()
                .is_some_and(|status| status.quarantine.as_ref().is_some_and(rests))
        });
        let resting: Vec<Serial> = resting.map(|(serial, _)| serial.clone()).collect();
        let rules = &self.parts.settings.quarantine;
        let now = self.parts.clock.now().mono;
        self.rests.grants(serial, &resting, self.devices.len(), rules, now)
    }

    fn sound_alarm(&mut self, serial: &Serial) {
        let Some(alarm) = self.alarm() else { return };
        tracing::error!(device.serial = %serial, "{alarm}");
        self.parts.store.tell(vec![NewEvent {
            topic: EventTopic::Supervisor,
            kind: "supervisor.alarm".to_owned(),
            subject: serial.to_string(),
            data: serde_json::json!({ "alarm": alarm }),
        }]);
    }

    /// Whether a person's order fits the device's state.
    fn check_hold(&self, serial: &Serial, hold: bool) -> Result<(), SupervisorError> {
        let device = self.known_device(serial)?;
        let quarantine = self.device_snapshot(device).quarantine;
        let held = device.record.held.is_some();
        if hold && held {
            let problem = format!("device {serial} is in quarantine already: release it first");
            return Err(SupervisorError::WrongState(problem));
        }
        if !hold && !held && quarantine.is_none() {
            let problem = format!("device {serial} is not in quarantine");
            return Err(SupervisorError::WrongState(problem));
        }
        Ok(())
    }

    fn apply_hold(&mut self, serial: &Serial, held: Option<Held>) -> Result<DeviceSnapshot, SupervisorError> {
        if let Some(device) = self.devices.get_mut(serial) {
            device.record.held.clone_from(&held);
            if let Some(living) = &device.living {
                tell(&living.addr, HoldDevice(held.clone()));
                if let Some(held) = &held {
                    tell_not_ready(&self.parts.router, living, serial, held_because(&held.reason));
                }
            }
        }
        self.rests.sent.remove(serial);
        let mut snapshot = self.device_snapshot(self.known_device(serial)?);
        // The actor shows it a moment later; the answer already says what was committed.
        snapshot.quarantine = held.map(|held| QuarantineInfo {
            by_person: true,
            reason: held.reason,
            until: None,
        });
        match (&snapshot.quarantine, snapshot.state) {
            (_, DeviceState::Busy | DeviceState::Disabled) | (None, _) => {}
            (Some(info), _) => {
                snapshot.state = DeviceState::Quarantined;
                snapshot.cause = format!("was put into quarantine by a person: {}", info.reason);
                snapshot.next_action = format!("release it to go on: farmhand device release {serial}");
            }
        }
        if snapshot.quarantine.is_none() && snapshot.state == DeviceState::Quarantined {
            snapshot.state = DeviceState::Offline;
            "was released".clone_into(&mut snapshot.cause);
            "goes online when it answers".clone_into(&mut snapshot.next_action);
        }
        Ok(snapshot)
    }
}

/// A person's order: into quarantine for this reason, or (`None`) out of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct OrderHold(pub Serial, pub Option<String>, pub Reply<DeviceSnapshot>);

#[derive(Message)]
#[rtype(result = "()")]
struct HoldStored(Serial, Option<Held>, Result<(), StoreError>, Reply<DeviceSnapshot>);

impl Handler<OrderHold> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, OrderHold(serial, reason, reply): OrderHold, ctx: &mut Self::Context) {
        if let Err(error) = self.check_hold(&serial, reason.is_some()) {
            return answer(reply, Err(error));
        }
        let since = self.parts.clock.now().wall;
        let held = reason.map(|reason| Held { reason, since });
        store_hold(self, serial, held, reply, ctx);
    }
}

fn store_hold(
    supervisor: &SupervisorActor,
    serial: Serial,
    held: Option<Held>,
    reply: Reply<DeviceSnapshot>,
    ctx: &Context<SupervisorActor>,
) {
    let (store, addr) = (Arc::clone(&supervisor.parts.store), ctx.address());
    actix_rt::spawn(async move {
        let stored = store.hold_device(&serial, held.clone()).await;
        tell(&addr, HoldStored(serial, held, stored, reply));
    });
}

impl Handler<HoldStored> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, HoldStored(serial, held, stored, reply): HoldStored, _: &mut Self::Context) {
        let result = match stored {
            Ok(()) => self.apply_hold(&serial, held),
            Err(error) => Err(SupervisorError::Store(error)),
        };
        answer(reply, result);
    }
}

impl Handler<QuarantineAsked> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, asked: QuarantineAsked, _: &mut Self::Context) {
        let granted = self.grants_quarantine(&asked.serial);
        if !granted {
            self.sound_alarm(&asked.serial);
        }
        let device = self.devices.get(&asked.serial);
        if let Some(device) = device.and_then(|device| device.living.as_ref()) {
            tell(&device.addr, AnswerQuarantine { granted });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: QuarantineSettings = QuarantineSettings {
        failures: 5,
        window_s: 600,
        back_off_s: 60,
        max_back_off_s: 1800,
        max_share: 0.3,
    };

    fn serial(number: usize) -> Serial {
        Serial::parse(&format!("p{number}")).unwrap()
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn no_more_than_the_share_rests_and_the_next_one_is_an_alarm() {
        let mut rests = Rests::default();
        let ask = |rests: &mut Rests, number, resting: &[Serial]| {
            rests.grants(&serial(number), resting, 10, &RULES, s(number as u64))
        };
        assert!(ask(&mut rests, 1, &[]));
        assert!(ask(&mut rests, 2, &[serial(1)]));
        assert!(ask(&mut rests, 3, &[serial(1)]), "the second does not show it yet");
        assert_eq!(rests.alarm(&RULES, s(3)), None);

        assert!(!ask(&mut rests, 4, &[serial(1), serial(2)]));

        assert!(rests.alarm(&RULES, s(5)).unwrap().contains("p4"));
        assert_eq!(rests.alarm(&RULES, s(604)), None, "the alarm ends with its window");
    }

    #[test]
    fn one_device_may_always_rest_and_asking_again_counts_once() {
        let mut rests = Rests::default();
        assert!(rests.grants(&serial(1), &[], 1, &RULES, s(0)));
        assert!(rests.grants(&serial(1), &[serial(1)], 1, &RULES, s(100)));
        assert!(!rests.grants(&serial(2), &[serial(1)], 2, &RULES, s(100)));
        assert!(rests.grants(&serial(2), &[], 2, &RULES, s(200)));
        assert_eq!(rests.alarm(&RULES, s(200)), None, "it rests after all");
    }
}
