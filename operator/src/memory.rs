//! What is remembered of one order between reconciles. All of it can be lost at any moment.

use std::sync::Arc;

use comanda_crds::Order;
use comanda_saga::{DeviceEvent, Effect, Record, Trouble};
use comanda_steps::carry::InHand;
use jiff::{SignedDuration, Timestamp};

/// How long after a connection to the broker the ledger is read for what was said around it: long enough for
/// an IoT rule to have kept it, and short of the time before which nobody is called silent.
const CATCH_UP: SignedDuration = SignedDuration::from_secs(2);
/// An order that is looked at anyway reads the events again when it has not done so for this long.
const REREAD: SignedDuration = SignedDuration::from_secs(60);

/// What is remembered of one object between reconciles.
#[derive(Clone, Default)]
pub struct Memory {
    /// The order; none when its record has to be read.
    pub hand: Option<InHand>,
    /// The ledger was read, so that a missing record is known to be missing.
    pub loaded: bool,
    /// What devices said.
    pub events: Vec<DeviceEvent>,
    /// When the events in the ledger were last read.
    pub events_read_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure.
    pub trouble: Option<Trouble>,
    /// The finalizer was taken off: the object is gone, or somebody else's to hold.
    pub released: bool,
    /// The object as this process last wrote it, which the cache may not show yet.
    pub written: Option<Arc<Order>>,
}

impl Memory {
    /// The record as the ledger has it; none when it has to be read.
    pub fn saved(&self) -> Option<&Record> {
        self.hand.as_ref().map(|hand| &hand.saved)
    }

    /// True when a device may be about to speak of the order.
    pub fn listens(&self) -> bool {
        self.saved().is_some_and(listens)
    }

    /// When the events in the ledger have to be read again, because the connection to the broker began anew:
    /// it may have dropped what was said around that time.
    pub fn catch_up_at(&self, hearing_since: Option<Timestamp>) -> Option<Timestamp> {
        let settled = hearing_since.filter(|_| self.listens())? + CATCH_UP;
        self.events_read_at.is_none_or(|read_at| read_at < settled).then_some(settled)
    }

    /// True when the events in the ledger have to be read now: after a new connection, or because they were
    /// not for long, and the order is looked at anyway.
    pub fn events_due(&self, hearing_since: Option<Timestamp>, now: Timestamp) -> bool {
        let old = self.events_read_at.is_none_or(|read_at| read_at + REREAD <= now);
        (self.listens() && old) || self.catch_up_at(hearing_since).is_some_and(|time| time <= now)
    }

    /// Adds what is not known yet.
    pub fn hear(&mut self, events: Vec<DeviceEvent>) {
        for event in events {
            if !knows(&self.events, &event) {
                self.events.push(event);
            }
        }
    }

    /// Forgets everything that the ledger knows better.
    pub fn forget(&mut self) {
        *self = Self {
            failures: self.failures,
            trouble: self.trouble.take(),
            written: self.written.take(),
            ..Self::default()
        };
    }
}

/// True when an event was heard before.
pub fn knows(events: &[DeviceEvent], event: &DeviceEvent) -> bool {
    events.iter().any(|known| event.is_again(known))
}

/// True when a device may be about to speak of the order.
pub fn listens(record: &Record) -> bool {
    !record.phase.is_final() && record.journal.contains_key(&Effect::Prepare)
}

#[cfg(test)]
pub mod tests {
    use comanda_crds::{OrderClassSpec, Phase};
    use comanda_saga::{CourierState, DeviceSignal, Identity, KitchenState, Owner, Reason, Terms};

    use super::*;

    pub fn at(seconds: i64) -> Timestamp {
        Timestamp::constant(1_768_478_400, 0) + SignedDuration::from_secs(seconds)
    }

    pub fn identity() -> Identity {
        Identity { installation: "bistro".to_owned(), tenant: "shop".to_owned(), order_id: "a-1".to_owned() }
    }

    fn class() -> OrderClassSpec {
        serde_json::from_value(serde_json::json!({
            "installation": "bistro",
            "ledger": {"table": "ledger", "contactKey": {"secretName": "keys", "key": "contact"}},
            "catalogue": {"table": "catalogue"},
            "notifications": {"topicArn": "arn:aws:sns:eu-west-1:000000000000:orders"},
            "payments": {"stripe": {"secretKey": {"secretName": "stripe", "key": "secret"}}},
            "devices": {
                "endpoint": "localhost:8883",
                "topicPrefix": "comanda",
                "certificate": {"secretName": "mqtt"}
            }
        }))
        .expect("a class")
    }

    fn record() -> Record {
        let owner = Owner {
            cluster: "c".to_owned(),
            namespace: "shop".to_owned(),
            name: "a-1".to_owned(),
            uid: "u-1".to_owned(),
        };
        let terms = Terms {
            store: "centro".to_owned(),
            currency: "EUR".to_owned(),
            lines: Vec::new(),
            agreed_total: None,
            payment_method: "pm_card_visa".to_owned(),
            payment_customer: None,
        };
        Record::claim(identity(), owner, "digest".to_owned(), "standard", &class(), terms, at(0))
    }

    /// An order that the kitchen was told of, and whose events were read at the beginning.
    pub fn told() -> Memory {
        let mut record = record();
        record.intend(Effect::Prepare, at(0));
        Memory {
            hand: Some(InHand::new(record)),
            loaded: true,
            events_read_at: Some(at(0)),
            ..Memory::default()
        }
    }

    pub fn event(id: &str) -> DeviceEvent {
        DeviceEvent {
            id: id.to_owned(),
            signal: DeviceSignal::Kitchen(KitchenState::Ready),
            seq: 1,
            device: "tablet-1".to_owned(),
            reason: None,
            at: at(0),
        }
    }

    #[test]
    fn what_was_said_around_a_new_connection_is_read_from_the_ledger_once_and_not_too_early() {
        let mut memory = told();
        assert_eq!(memory.catch_up_at(Some(at(-10))), None, "it was read after that connection");
        assert_eq!(memory.catch_up_at(Some(at(30))), Some(at(32)));
        assert!(!memory.events_due(Some(at(30)), at(31)));
        assert!(memory.events_due(Some(at(30)), at(32)));
        memory.events_read_at = Some(at(31));
        assert_eq!(memory.catch_up_at(Some(at(30))), Some(at(32)), "a rule may have been slower");
        memory.events_read_at = Some(at(32));
        assert_eq!(memory.catch_up_at(Some(at(30))), None);
        assert!(!memory.events_due(Some(at(30)), at(33)));
    }

    #[test]
    fn an_order_that_is_looked_at_anyway_reads_its_events_again_after_a_minute() {
        let memory = told();
        assert!(!memory.events_due(None, at(59)));
        assert!(memory.events_due(None, at(60)));
    }

    #[test]
    fn an_order_of_which_no_device_may_speak_reads_no_events() {
        let mut untold = told();
        untold.hand = Some(InHand::new(record()));
        let mut over = told();
        if let Some(hand) = &mut over.hand {
            hand.saved.phase = Phase::Delivered;
        }
        for memory in [untold, over, Memory::default()] {
            assert_eq!(memory.catch_up_at(Some(at(30))), None);
            assert!(!memory.events_due(Some(at(30)), at(3600)));
        }
    }

    #[test]
    fn what_the_ledger_knows_better_is_forgotten_and_the_back_off_goes_on() {
        let mut memory = told();
        memory.hear(vec![event("e-1"), event("e-1")]);
        assert_eq!(memory.events.len(), 1, "an event that is known is no news");
        memory.failures = 3;
        memory.trouble = Some(Trouble { reason: Reason::Retrying, error: "no answer".to_owned() });
        memory.forget();
        assert_eq!((memory.hand, memory.loaded), (None, false));
        assert_eq!((memory.events, memory.events_read_at), (Vec::new(), None));
        assert_eq!((memory.failures, memory.trouble.is_some()), (3, true));
    }

    #[test]
    fn ids_of_events_are_each_devices_own() {
        let mut memory = Memory::default();
        let numbered =
            |signal, device: &str| DeviceEvent { signal, device: device.to_owned(), ..event("e-1") };
        let courier = DeviceSignal::Courier(CourierState::Accepted);
        let heard = [
            event("e-1"),
            numbered(DeviceSignal::Kitchen(KitchenState::Ready), "tablet-2"),
            numbered(courier, "phone-1"),
            numbered(courier, "tablet-1"),
        ];
        memory.hear(heard.to_vec());
        memory.hear(heard.to_vec());
        assert_eq!(memory.events, heard);
    }
}
