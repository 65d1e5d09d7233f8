//! What devices said is recorded, by rank and not by arrival; but whoever took an order first has it.

use crate::device::{CourierState, Device, DeviceEvent, DeviceSignal, KitchenState};
use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::record::Record;

impl Record {
    /// Takes over all that devices said, as it came in. A repeated, late or overtaken event changes nothing, and one that
    /// answers no command of this order is ignored.
    ///
    /// # Errors
    /// When a command cannot stand as an event says: a defect.
    pub fn apply_events(&mut self, events: &[DeviceEvent]) -> Result<(), IllegalMove> {
        let mut events: Vec<&DeviceEvent> = events.iter().collect();
        events.sort_by_key(|event| turn(event.signal));
        events.into_iter().try_for_each(|event| self.apply_event(event))
    }

    fn apply_event(&mut self, event: &DeviceEvent) -> Result<(), IllegalMove> {
        if event.seq == 0 || event.seq > self.seq {
            return Ok(());
        }
        // What was returned already is not spent, however late the word comes.
        let returned = self.is_done(Effect::Release);
        match event.signal {
            DeviceSignal::Kitchen(state) => {
                if self.command_seq(Effect::Prepare).is_none_or(|seq| event.seq < seq) {
                    return Ok(());
                }
                let began = matches!(state, KitchenState::Preparing | KitchenState::Ready);
                self.stock_spent |= began && !returned;
                self.apply_kitchen(state, event)?;
            }
            DeviceSignal::KitchenRecalled(agreed) => {
                // Whoever has the order says that it stopped; any tablet, that it did not.
                let another = self.kitchen.who.as_ref().is_some_and(|who| *who != event.device);
                if self.command_seq(Effect::RecallKitchen) == Some(event.seq) && !(agreed && another) {
                    // A kitchen that will not stop has begun, though its `preparing` may come later.
                    self.stock_spent |= !agreed && !returned;
                    self.kitchen.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallKitchen, event.at, EntryState::Done)?;
                }
            }
            DeviceSignal::Courier(state) => self.apply_courier(state, event)?,
            DeviceSignal::CourierRecalled(agreed) => {
                let has = self.courier.who.as_ref().is_none_or(|who| *who == event.device);
                let answers = self.command_seq(Effect::RecallCourier) == Some(event.seq);
                let withdrawn = self.dispatch.withdrawn.as_ref();
                let lost = withdrawn.is_some_and(|by| by.device == event.device && by.seq == event.seq);
                if !agreed && (lost || answers && self.courier.who.is_none()) {
                    // They do not have the order, and they have the food.
                    self.dispatch.claim(&event.device, CourierState::PickedUp, false);
                } else if has && answers {
                    self.courier.recalled.get_or_insert(agreed);
                    self.settle_open(Effect::RecallCourier, event.at, EntryState::Done)?;
                }
            }
        }
        Ok(())
    }

    /// Of several tablets in a kitchen, whoever took the order has it: another's refusal counts only before that.
    fn apply_kitchen(&mut self, state: KitchenState, event: &DeviceEvent) -> Result<(), IllegalMove> {
        let another = self.kitchen.who.as_ref().is_some_and(|who| *who != event.device);
        if another && state == KitchenState::Rejected {
            return Ok(());
        }
        if another && self.kitchen.state == KitchenState::Rejected {
            self.kitchen = Device { recalled: self.kitchen.recalled, ..Device::default() };
        }
        if promote(&mut self.kitchen, state, event) {
            self.settle_open(Effect::Prepare, event.at, EntryState::Done)?;
        }
        Ok(())
    }

    /// Whoever takes an offer first has the order. Of anybody else, it counts only that they say they have the food.
    fn apply_courier(&mut self, state: CourierState, event: &DeviceEvent) -> Result<(), IllegalMove> {
        let offer = self.command_seq(Effect::Deliver);
        let current = offer.is_some_and(|seq| event.seq >= seq.max(self.dispatch.since.unwrap_or_default()));
        let has_food = matches!(state, CourierState::PickedUp | CourierState::Delivered);
        let takes = current && (has_food || state == CourierState::Accepted);
        match &self.courier.who {
            Some(who) if *who == event.device => {
                let early = self.courier.state < CourierState::PickedUp;
                let gives_back = early && state == CourierState::Failed;
                let state = if gives_back { CourierState::Declined } else { state };
                if current || has_food {
                    promote(&mut self.courier, state, event);
                    self.settle_open(Effect::Deliver, event.at, EntryState::Done)?;
                }
                // Whoever speaks of an earlier command may not have the address.
                if self.command_seq(Effect::Assign).is_some_and(|seq| event.seq >= seq) {
                    self.settle_open(Effect::Assign, event.at, EntryState::Done)?;
                }
            }
            None if takes => {
                promote(&mut self.courier, state, event);
                self.settle_open(Effect::Deliver, event.at, EntryState::Done)?;
            }
            _ => {
                let of_this_order = self.command_seq(Effect::Prepare).is_some_and(|seq| event.seq > seq)
                    && self.journal.contains_key(&Effect::Deliver);
                if has_food && of_this_order {
                    self.dispatch.claim(&event.device, state, false);
                }
            }
        }
        Ok(())
    }

    fn command_seq(&self, effect: Effect) -> Option<u64> {
        self.journal.get(&effect).and_then(|entry| entry.seq)
    }
}

/// In which turn an event counts: who took an order before all else, then by rank; that it was picked up comes before that
/// it was given back, as it can be given back only before.
fn turn(signal: DeviceSignal) -> u8 {
    match signal {
        DeviceSignal::Kitchen(state) => state as u8,
        DeviceSignal::Courier(CourierState::Unknown | CourierState::Accepted) => 0,
        DeviceSignal::Courier(CourierState::PickedUp) => 1,
        DeviceSignal::Courier(CourierState::Declined) => 2,
        DeviceSignal::Courier(CourierState::Failed) => 3,
        DeviceSignal::Courier(CourierState::Delivered) => 4,
        DeviceSignal::KitchenRecalled(_) | DeviceSignal::CourierRecalled(_) => 5,
    }
}

/// Moves a device on when the event ranks higher than what is known.
fn promote<S: Copy + Ord>(device: &mut Device<S>, state: S, event: &DeviceEvent) -> bool {
    if state <= device.state {
        return false;
    }
    device.state = state;
    device.who.get_or_insert_with(|| event.device.clone());
    device.heard_at = Some(event.at);
    device.reason.clone_from(&event.reason);
    true
}
