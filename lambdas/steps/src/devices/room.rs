//! How much is kept of what devices say of an order.

use std::collections::{BTreeMap, BTreeSet};

use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, KitchenState};

/// How many events of an order and a side are kept. A device that behaves says a handful.
pub const MAX_EVENTS: usize = 64;

/// What is kept of an order, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    kitchen: usize,
    couriers: usize,
    /// Who took each offer first.
    takers: BTreeMap<u64, String>,
    /// All who took one: whoever reads the ledger may find another of two first.
    accepted: BTreeSet<String>,
}

/// Whether there is room for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There is.
    Free,
    /// It changes nothing: somebody else took the offer before, or the order was never theirs.
    Needless,
    /// Its side has said as much as is kept.
    Full,
}

impl Room {
    /// What is left beside these events.
    pub fn beside(events: &[DeviceEvent]) -> Self {
        let mut room = Self::default();
        for event in events {
            room.take(event);
        }
        room
    }

    /// Whether there is room for an event that is not among those kept.
    pub fn place_for(&self, event: &DeviceEvent) -> Place {
        if self.is_needless(event) {
            return Place::Needless;
        }
        let kept = if event.is_of_kitchen() { self.kitchen } else { self.couriers };
        if kept < most(event.signal) { Place::Free } else { Place::Full }
    }

    /// Counts an event that is kept.
    pub fn take(&mut self, event: &DeviceEvent) {
        *(if event.is_of_kitchen() { &mut self.kitchen } else { &mut self.couriers }) += 1;
        if event.signal == DeviceSignal::Courier(CourierState::Accepted) {
            self.takers.entry(event.seq).or_insert_with(|| event.device.clone());
        }
        self.know(event);
    }

    /// Notes who took an offer, whether or not that is kept here.
    pub(crate) fn know(&mut self, event: &DeviceEvent) {
        if event.signal == DeviceSignal::Courier(CourierState::Accepted) {
            self.accepted.insert(event.device.clone());
        }
    }

    /// Of an offer, the first `accepted` counts, and the `declined` of whoever had the order.
    fn is_needless(&self, event: &DeviceEvent) -> bool {
        match event.signal {
            // Whoever once took the order may answer another command with the word.
            DeviceSignal::Courier(CourierState::Accepted) => {
                self.takers.contains_key(&event.seq)
                    && !self.takers.values().any(|taker| *taker == event.device)
            }
            DeviceSignal::Courier(CourierState::Declined) => !self.accepted.contains(&event.device),
            _ => false,
        }
    }
}

/// Up to how many events of its side one like this is kept. What decides about the order finds room behind a flood of
/// what does not, and what ends it behind everything else.
fn most(signal: DeviceSignal) -> usize {
    match signal {
        DeviceSignal::Kitchen(KitchenState::Ready) | DeviceSignal::Courier(CourierState::Delivered) => {
            MAX_EVENTS
        }
        DeviceSignal::Kitchen(KitchenState::Accepted | KitchenState::Preparing)
        | DeviceSignal::Courier(CourierState::Accepted | CourierState::Declined) => MAX_EVENTS - 16,
        _ => MAX_EVENTS - 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    fn said(device: &str, signal: DeviceSignal, seq: u64) -> DeviceEvent {
        let (id, device) = (format!("{device}-{seq}"), device.to_owned());
        DeviceEvent { id, signal, seq, device, reason: None, at: now() }
    }

    /// Says something under numbers that rise, and returns how often there was room for it.
    fn say(room: &mut Room, device: &str, signal: DeviceSignal, times: u64) -> usize {
        let kept = (1..=times).filter(|seq| {
            let event = said(device, signal, *seq);
            let free = room.place_for(&event) == Place::Free;
            if free {
                room.take(&event);
            }
            free
        });
        kept.count()
    }

    const ACCEPTED: DeviceSignal = DeviceSignal::Courier(CourierState::Accepted);
    const DECLINED: DeviceSignal = DeviceSignal::Courier(CourierState::Declined);

    #[test]
    fn a_flood_is_kept_up_to_a_bound_and_what_decides_finds_room_in_it() {
        let mut room = Room::default();
        assert_eq!(say(&mut room, "tablet", DeviceSignal::Kitchen(KitchenState::Accepted), 10_000), 48);
        assert_eq!(say(&mut room, "tablet", DeviceSignal::Kitchen(KitchenState::Preparing), 10_000), 0);
        assert_eq!(say(&mut room, "tablet", DeviceSignal::KitchenRecalled(false), 10_000), 12);
        assert_eq!(say(&mut room, "tablet", DeviceSignal::Kitchen(KitchenState::Ready), 10_000), 4);
        assert_eq!(say(&mut room, "bike", ACCEPTED, 10_000), 48, "the other side has room of its own");
        assert_eq!(say(&mut room, "bike", DeviceSignal::Courier(CourierState::Delivered), 10_000), 16);
    }

    #[test]
    fn ten_couriers_over_twenty_offers_leave_room() {
        let mut room = Room::default();
        for offer in 1..=20 {
            for word in [ACCEPTED, DECLINED] {
                let event = said(&format!("bike-{offer}"), word, offer);
                assert_eq!(room.place_for(&event), Place::Free, "{word:?} of the taker of offer {offer}");
                room.take(&event);
            }
            for late in 0..10 {
                let late = format!("late-{late}");
                assert_eq!(room.place_for(&said(&late, ACCEPTED, offer)), Place::Needless);
                assert_eq!(room.place_for(&said(&late, DECLINED, offer)), Place::Needless);
            }
        }
        assert_eq!(room.couriers, 40);
    }

    #[test]
    fn of_two_who_took_an_offer_at_once_either_may_give_it_back() {
        let room = Room::beside(&[said("bike-2", ACCEPTED, 2), said("bike-1", ACCEPTED, 2)]);
        assert_eq!(room.place_for(&said("bike-1", DECLINED, 3)), Place::Free);
        assert_eq!(room.place_for(&said("bike-3", DECLINED, 3)), Place::Needless);
    }

    #[test]
    fn whoever_took_the_order_may_answer_each_command_with_the_same_word() {
        let mut room = Room::default();
        room.take(&said("bike-1", ACCEPTED, 2));
        room.take(&said("bike-2", ACCEPTED, 3));
        assert_eq!(room.place_for(&said("bike-1", ACCEPTED, 3)), Place::Free);
        assert_eq!(room.place_for(&said("bike-1", DECLINED, 3)), Place::Free);
        assert_eq!(room, Room::beside(&[said("bike-1", ACCEPTED, 2), said("bike-2", ACCEPTED, 3)]));
    }
}
