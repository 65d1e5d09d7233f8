//! What is remembered of one order between reconciles. All of it can be lost at any moment.

use std::sync::Arc;

use comanda_crds::Order;
use comanda_saga::{DeviceEvent, Record, Trouble};
use comanda_steps::carry::InHand;
use comanda_steps::ports::Loaded;
use jiff::Timestamp;

use crate::interrupt::Asked;
use crate::pace::Turn;

/// What is remembered of one object between reconciles.
#[derive(Clone, Default)]
pub struct Memory {
    /// The order; none when its record has to be read.
    pub hand: Option<InHand>,
    /// The ledger was read, so that a missing record is known to be missing.
    pub loaded: bool,
    /// Failures in a row.
    pub failures: u32,
    /// The last failure.
    pub trouble: Option<Trouble>,
    /// The finalizer was taken off: the object is gone, or somebody else's to hold.
    pub released: bool,
    /// The execution of which somebody says that it ended, until the order is in hand.
    pub doubted: Option<String>,
    /// What people asked of the execution that carries the order, until it moves.
    pub asked: Option<Asked>,
    /// When the order may look at its execution, where it has to wait for that.
    pub turn: Option<Turn>,
    /// The object as this process last wrote it, which the cache may not show yet.
    pub written: Option<Arc<Order>>,
}

impl Memory {
    /// The record as the ledger has it; none when it has to be read.
    pub fn saved(&self) -> Option<&Record> {
        self.hand.as_ref().map(|hand| &hand.saved)
    }

    /// Takes an order in hand that was just claimed, or written for its object. Of a new one nobody has spoken yet.
    pub fn take_in_hand(&mut self, record: Record, now: Timestamp) {
        match &mut self.hand {
            Some(hand) => {
                (hand.saved, hand.record) = (record.clone(), record);
            }
            None => self.hand = Some(InHand::read(Loaded { record, events: Vec::new() }, now)),
        }
    }

    /// Takes an order in hand as the ledger has it. What was seen of its execution, and is said of it, still counts.
    pub fn read(&mut self, loaded: Option<Loaded>, at: Timestamp) {
        let seen_at = self.hand.as_ref().and_then(|hand| hand.execution_seen_at);
        self.forget();
        self.loaded = true;
        self.hand = loaded.map(|loaded| InHand::read(loaded, at));
        if let Some(hand) = &mut self.hand {
            (hand.execution_seen_at, hand.execution_doubted) = (seen_at, self.doubted.take());
        }
    }

    /// The ledger is to be read again, as somebody else wrote; and somebody may say that an execution ended.
    pub fn look_again(&mut self, doubted: Option<String>) {
        self.loaded = false;
        if doubted.is_some() {
            self.doubted = doubted;
        }
    }

    /// Adds what devices said, unless it is known.
    pub fn hear(&mut self, events: Vec<DeviceEvent>) {
        if let Some(hand) = &mut self.hand {
            hand.hear(events);
        }
    }

    /// True when a device said this before.
    pub fn has_heard(&self, event: &DeviceEvent) -> bool {
        self.hand.as_ref().is_some_and(|hand| hand.has_heard(event))
    }

    /// Forgets everything that the ledger knows better.
    pub fn forget(&mut self) {
        let held = self.hand.as_mut().and_then(|hand| hand.execution_doubted.take());
        *self = Self {
            failures: self.failures,
            trouble: self.trouble.take(),
            written: self.written.take(),
            // The later word first: it is of the execution that the order has now.
            doubted: self.doubted.take().or(held),
            asked: self.asked.take(),
            ..Self::default()
        };
    }
}

#[cfg(test)]
pub mod tests {
    use comanda_crds::OrderClassSpec;
    use comanda_saga::{DeviceSignal, Effect, Identity, KitchenState, Owner, Reason, Terms};

    use jiff::SignedDuration;

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
        record.intend(Effect::Prepare, at(0)).expect("a legal move");
        let hand = InHand::read(Loaded { record, events: Vec::new() }, at(0));
        Memory { hand: Some(hand), loaded: true, ..Memory::default() }
    }

    /// An order that an execution carries while the kitchen prepares it.
    pub fn executed() -> Record {
        use comanda_saga::{EntryState, Phase};
        let mut record = told().saved().expect("a record").clone();
        let executor = serde_json::json!({"stepFunctions": {
            "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:order",
            "queueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/wake",
        }});
        record.class.executor = serde_json::from_value(executor).expect("an executor");
        record.phase = Phase::Preparing;
        record.intend(Effect::Execute, at(0)).expect("a legal move");
        record.settle(Effect::Execute, EntryState::Done, None, at(0)).expect("a legal move");
        record
    }

    pub fn event(id: &str) -> DeviceEvent {
        DeviceEvent {
            id: id.to_owned(),
            signal: DeviceSignal::Kitchen(KitchenState::Ready),
            // What counts is what is said of which command.
            seq: id.trim_start_matches("e-").parse().expect("a number"),
            device: "tablet-1".to_owned(),
            reason: None,
            at: at(0),
        }
    }

    #[test]
    fn what_the_ledger_knows_better_is_forgotten_and_the_back_off_goes_on() {
        let mut memory = told();
        memory.hear(vec![event("e-1"), event("e-1")]);
        let events = |memory: &Memory| memory.hand.as_ref().map(|hand| hand.events.len());
        assert_eq!(events(&memory), Some(1), "an event that is known is no news");
        memory.failures = 3;
        memory.trouble = Some(Trouble { reason: Reason::Retrying, error: "no answer".to_owned() });
        memory.forget();
        assert_eq!((memory.hand, memory.loaded), (None, false));
        assert_eq!((memory.failures, memory.trouble.is_some()), (3, true));
    }

    #[test]
    fn what_is_said_of_an_execution_counts_until_it_is_looked_at_however_often_the_ledger_is_read() {
        let loaded = || {
            let record = told().saved().expect("a record").clone();
            Some(Loaded { record, events: Vec::new() })
        };
        let doubted = |memory: &Memory| memory.hand.as_ref().and_then(|hand| hand.execution_doubted.clone());
        let mut memory = told();
        memory.look_again(Some("a-1-1".to_owned()));
        assert!(!memory.loaded);
        memory.look_again(None);
        memory.read(loaded(), at(1));
        assert_eq!((memory.loaded, doubted(&memory).as_deref()), (true, Some("a-1-1")));
        // A conflict.
        memory.forget();
        memory.read(loaded(), at(2));
        assert_eq!(doubted(&memory).as_deref(), Some("a-1-1"));
        let hand = memory.hand.as_mut().expect("an order in hand");
        (hand.execution_seen_at, hand.execution_doubted) = (Some(at(3)), None);
        memory.read(loaded(), at(4));
        assert_eq!((doubted(&memory), memory.doubted.clone()), (None, None));
        assert_eq!(memory.hand.and_then(|hand| hand.execution_seen_at), Some(at(3)));
    }
}
