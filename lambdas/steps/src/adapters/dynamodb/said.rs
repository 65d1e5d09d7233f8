//! What of all that an IoT rule kept of an order is worth knowing.

use std::collections::HashMap;

use comanda_saga::{DeviceEvent, DeviceSignal};

use crate::devices::{Place, Room};

/// How many pages of an order are read: DynamoDB ends one at 1 MB, some 3,000 events of a usual size.
pub(super) const MAX_PAGES: usize = 64;

/// The earliest copy of each different thing that was said. What repeats another takes no room, so a flood of one
/// word, under whatever ids, hides no other.
#[derive(Default)]
pub(super) struct Said(HashMap<(String, u64, DeviceSignal), DeviceEvent>);

impl Said {
    pub(super) fn add(&mut self, event: DeviceEvent) {
        let key = (event.device.clone(), event.seq, event.signal);
        match self.0.get_mut(&key) {
            Some(known) if known.at <= event.at => {}
            Some(known) => *known = event,
            None => {
                self.0.insert(key, event);
            }
        }
    }

    /// What there is room for, by the time at which it was said.
    pub(super) fn events(self) -> Vec<DeviceEvent> {
        let mut events: Vec<DeviceEvent> = self.0.into_values().collect();
        events.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        let mut room = Room::default();
        for event in &events {
            room.know(event);
        }
        events.retain(|event| {
            let kept = room.place_for(event) == Place::Free;
            if kept {
                room.take(event);
            }
            kept
        });
        events
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
            said.add(event(KitchenState::Accepted, u64::try_from(number).unwrap_or(0), number));
            said.add(event(KitchenState::Preparing, 3, number));
            if (2_000..3_000).contains(&number) {
                said.add(event(KitchenState::Ready, 3, number));
            }
        }
        let events = said.events();
        assert_eq!(events.len(), 49);
        let first = |state| events.iter().find(|event| event.signal == DeviceSignal::Kitchen(state));
        assert_eq!(first(KitchenState::Ready), Some(&event(KitchenState::Ready, 3, 2_000)));
        assert_eq!(first(KitchenState::Preparing), Some(&event(KitchenState::Preparing, 3, 0)));
    }
}
