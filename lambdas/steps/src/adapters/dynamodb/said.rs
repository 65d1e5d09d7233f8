//! What of all that an IoT rule kept of an order is worth knowing.

use std::collections::HashMap;

use comanda_saga::{DeviceEvent, DeviceSignal};

use crate::devices::{MAX_EVENTS, Side};

/// How many pages of an order are read: DynamoDB ends one at 1 MB, some 3,000 events of a usual size.
pub(super) const MAX_PAGES: usize = 64;

/// The earliest copy of each different thing that was said. What repeats another takes no room, so a flood of one
/// word, under whatever ids, hides no other.
#[derive(Default)]
pub(super) struct Said(HashMap<(Side, String, u64, DeviceSignal), DeviceEvent>);

impl Said {
    pub(super) fn add(&mut self, side: Side, event: DeviceEvent) {
        let key = (side, event.device.clone(), event.seq, event.signal);
        match self.0.get_mut(&key) {
            Some(known) if known.at <= event.at => {}
            Some(known) => *known = event,
            None => {
                self.0.insert(key, event);
            }
        }
    }

    /// At most 64 of each side, by the time at which they were said. Where there are more, those of the highest rank
    /// stay: `ready` and `delivered` are never beyond the bound.
    pub(super) fn events(self) -> Vec<DeviceEvent> {
        let mut kept = Vec::new();
        for side in [Side::Kitchen, Side::Courier] {
            let of_side = self.0.iter().filter(|((speaker, ..), _)| *speaker == side);
            let mut events: Vec<DeviceEvent> = of_side.map(|(_, event)| event.clone()).collect();
            events.sort_by_key(|event| (std::cmp::Reverse(rank(event.signal)), event.at));
            events.truncate(MAX_EVENTS);
            kept.append(&mut events);
        }
        kept.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        kept
    }
}

/// What may not be lost comes last.
fn rank(signal: DeviceSignal) -> u8 {
    use comanda_saga::{CourierState, KitchenState};
    match signal {
        DeviceSignal::Kitchen(KitchenState::Accepted) | DeviceSignal::Courier(CourierState::Accepted) => 0,
        DeviceSignal::Kitchen(KitchenState::Preparing) => 1,
        DeviceSignal::Kitchen(KitchenState::Ready) | DeviceSignal::Courier(CourierState::Delivered) => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use comanda_saga::KitchenState;
    use jiff::ToSpan as _;

    use super::*;
    use crate::fixtures::now;

    fn event(state: KitchenState, seq: u64, second: i64) -> DeviceEvent {
        DeviceEvent {
            id: format!("e-{second}"),
            signal: DeviceSignal::Kitchen(state),
            seq,
            device: "tablet-1".to_owned(),
            reason: None,
            at: now() + second.seconds(),
        }
    }

    #[test]
    fn of_ten_thousand_events_the_ready_is_kept_and_the_earliest_copy_counts() {
        let mut said = Said::default();
        for number in (0..10_000).rev() {
            said.add(
                Side::Kitchen,
                event(KitchenState::Accepted, u64::try_from(number).unwrap_or(0), number),
            );
            said.add(Side::Kitchen, event(KitchenState::Preparing, 3, number));
            if (2_000..3_000).contains(&number) {
                said.add(Side::Kitchen, event(KitchenState::Ready, 3, number));
            }
        }
        let events = said.events();
        assert_eq!(events.len(), 64);
        let first = |state| events.iter().find(|event| event.signal == DeviceSignal::Kitchen(state));
        assert_eq!(first(KitchenState::Ready), Some(&event(KitchenState::Ready, 3, 2_000)));
        assert_eq!(first(KitchenState::Preparing), Some(&event(KitchenState::Preparing, 3, 0)));
    }
}
