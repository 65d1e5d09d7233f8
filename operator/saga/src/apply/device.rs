//! What devices said is recorded, by rank and not by arrival.

use crate::device::{Device, DeviceEvent, DeviceSignal, KitchenState};
use crate::effect::Effect;
use crate::journal::EntryState;
use crate::record::Record;

impl Record {
    /// Takes over what a device said. Events are ordered by rank, not by arrival: a repeated, late or
    /// overtaken one changes nothing. One that answers no command of this order is ignored.
    pub fn apply_event(&mut self, event: &DeviceEvent) {
        if event.seq == 0 || event.seq > self.seq {
            return;
        }
        // What was returned already is not spent, however late the word comes.
        let returned = self.is_done(Effect::Release);
        match event.signal {
            DeviceSignal::Kitchen(state) => {
                if self.command_seq(Effect::Prepare).is_none_or(|seq| event.seq < seq) {
                    return;
                }
                let began = matches!(state, KitchenState::Preparing | KitchenState::Ready);
                self.stock_spent |= began && !returned;
                if advance(&mut self.kitchen, state, event) {
                    self.settle_open(Effect::Prepare, event.at, EntryState::Done);
                }
            }
            DeviceSignal::KitchenRecalled(agreed) => {
                if self.command_seq(Effect::RecallKitchen) == Some(event.seq) {
                    // A kitchen that will not stop has begun, though its `preparing` may come later.
                    self.stock_spent |= !agreed && !returned;
                    self.kitchen.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallKitchen, event.at, EntryState::Done);
                }
            }
            DeviceSignal::Courier(state) => {
                if self.courier_is(&event.device)
                    && self.command_seq(Effect::Deliver).is_some_and(|seq| event.seq >= seq)
                    && advance(&mut self.courier, state, event)
                {
                    self.settle_open(Effect::Deliver, event.at, EntryState::Done);
                }
            }
            DeviceSignal::CourierRecalled(agreed) => {
                if self.courier_is(&event.device)
                    && self.command_seq(Effect::RecallCourier) == Some(event.seq)
                {
                    self.courier.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallCourier, event.at, EntryState::Done);
                }
            }
        }
    }

    /// The first courier to speak has the order; nobody else's word counts.
    fn courier_is(&self, device: &str) -> bool {
        self.courier.who.as_ref().is_none_or(|who| who == device)
    }

    fn command_seq(&self, effect: Effect) -> Option<u64> {
        self.journal.get(&effect).and_then(|entry| entry.seq)
    }
}

/// Advances a device when the event ranks higher than what is known.
fn advance<S: Copy + Ord>(device: &mut Device<S>, state: S, event: &DeviceEvent) -> bool {
    if state <= device.state {
        return false;
    }
    device.state = state;
    device.who.get_or_insert_with(|| event.device.clone());
    device.heard_at = Some(event.at);
    device.reason.clone_from(&event.reason);
    true
}
