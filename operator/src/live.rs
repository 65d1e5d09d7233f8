//! What this process holds in memory of the orders under way. All of it can be lost at any moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use comanda_crds::Order;
use comanda_saga::{DeviceEvent, Effect, Identity, Record, Trouble};
use comanda_steps::carry::InHand;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::reflector::ObjectRef;

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

    fn listens(&self) -> bool {
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

fn knows(events: &[DeviceEvent], event: &DeviceEvent) -> bool {
    events.iter().any(|known| event.is_again(known))
}

/// True when a device may be about to speak of the order.
pub fn listens(record: &Record) -> bool {
    !record.phase.is_final() && record.journal.contains_key(&Effect::Prepare)
}

/// The object of an order, and the store that may speak of it.
struct Followed {
    object: ObjectRef<Order>,
    store: String,
}

/// The memory of every order, and the way from an identity to its object.
#[derive(Default)]
pub struct Live {
    memories: Mutex<HashMap<ObjectRef<Order>, Memory>>,
    followed: Mutex<HashMap<Identity, Followed>>,
    inbox: Mutex<HashMap<Identity, Vec<DeviceEvent>>>,
}

impl Live {
    /// Takes an object's memory out; the controller never reconciles one object twice at a time. Of an object that
    /// was deleted, and made anew under its name, nothing is remembered: it may be another order.
    pub fn take(&self, object: &ObjectRef<Order>) -> Memory {
        // Objects are equal by their names; their uids are beside that.
        let known = lock(&self.memories).remove_entry(object);
        match known {
            Some((known, memory)) if known.extra.uid == object.extra.uid => memory,
            Some((known, memory)) => {
                self.forget(&known, &memory);
                Memory::default()
            }
            None => Memory::default(),
        }
    }

    /// Puts it back.
    pub fn put(&self, object: ObjectRef<Order>, memory: Memory) {
        lock(&self.memories).insert(object, memory);
    }

    /// From now on, events of `identity` are kept for this object, unless another has them. To be called
    /// before the ledger is read: an event is in the ledger before it is here, so it is in one of the
    /// two. True when they were kept for nobody before.
    pub fn follow(&self, identity: &Identity, object: &ObjectRef<Order>, store: &str) -> bool {
        let mut fresh = false;
        lock(&self.followed).entry(identity.clone()).or_insert_with(|| {
            fresh = true;
            Followed { object: object.clone(), store: store.to_owned() }
        });
        fresh
    }

    /// The ledger says that the order is this object's: its events are kept for it and no other.
    pub fn own(&self, identity: &Identity, object: &ObjectRef<Order>, store: &str) {
        let owner = Followed { object: object.clone(), store: store.to_owned() };
        lock(&self.followed).insert(identity.clone(), owner);
    }

    /// True when events of `identity` are kept for this object.
    pub fn follows(&self, identity: &Identity, object: &ObjectRef<Order>) -> bool {
        lock(&self.followed).get(identity).is_some_and(|followed| followed.object == *object)
    }

    /// Events of `identity` are not this object's.
    pub fn unfollow(&self, identity: &Identity, object: &ObjectRef<Order>) {
        let mut followed = lock(&self.followed);
        if followed.get(identity).is_some_and(|followed| followed.object == *object) {
            followed.remove(identity);
        }
    }

    /// The store of an order that is followed.
    pub fn store_of(&self, identity: &Identity) -> Option<String> {
        lock(&self.followed).get(identity).map(|followed| followed.store.clone())
    }

    /// Forgets an object of which the watch says that it is gone.
    pub fn gone(&self, object: &ObjectRef<Order>) {
        let known = lock(&self.memories).remove(object);
        if let Some(memory) = known {
            self.forget(object, &memory);
        }
    }

    /// Forgets an object that is gone, whose memory was taken out, and what was kept for it.
    pub fn forget(&self, object: &ObjectRef<Order>, memory: &Memory) {
        let Some(Record { identity, .. }) = memory.saved() else { return };
        let mut followed = lock(&self.followed);
        if followed.get(identity).is_some_and(|followed| followed.object == *object) {
            followed.remove(identity);
            lock(&self.inbox).remove(identity);
        }
    }

    /// The objects of all orders that a device may be about to speak of.
    pub fn listening(&self) -> Vec<ObjectRef<Order>> {
        let memories = lock(&self.memories);
        memories.iter().filter(|(_, memory)| memory.listens()).map(|(object, _)| object.clone()).collect()
    }

    /// Keeps an event that the ledger holds already; gives the object to wake, if one is followed.
    pub fn deliver(&self, identity: &Identity, event: DeviceEvent) -> Option<ObjectRef<Order>> {
        let object = lock(&self.followed).get(identity)?.object.clone();
        lock(&self.inbox).entry(identity.clone()).or_default().push(event);
        Some(object)
    }

    /// True when the event is in memory, and so in the ledger too: the broker sends again what it heard no
    /// acknowledgement for.
    pub fn has_heard(&self, identity: &Identity, event: &DeviceEvent) -> bool {
        let object = lock(&self.followed).get(identity).map(|followed| followed.object.clone());
        lock(&self.inbox).get(identity).is_some_and(|events| knows(events, event))
            || object.is_some_and(|object| {
                lock(&self.memories).get(&object).is_some_and(|memory| knows(&memory.events, event))
            })
    }

    /// The events that came since the last call, if they are kept for this object.
    pub fn collect(&self, identity: &Identity, object: &ObjectRef<Order>) -> Vec<DeviceEvent> {
        let kept = self.follows(identity, object).then(|| lock(&self.inbox).remove(identity));
        kept.flatten().unwrap_or_default()
    }

    /// How many orders of a class are claimed and not finished. Of two objects for one order, its owner counts; one that
    /// waits for a bank alone, for days, takes nobody's place.
    pub fn count(&self, class: &str) -> usize {
        let owns = |object: &ObjectRef<Order>, record: &Record| {
            record.owner.as_ref().is_some_and(|owner| {
                owner.name == object.name && object.namespace.as_ref() == Some(&owner.namespace)
            })
        };
        lock(&self.memories)
            .iter()
            .filter_map(|(object, memory)| Some((object, memory.saved()?)))
            .filter(|(object, record)| {
                record.class_name == class
                    && !record.phase.is_final()
                    && !record.waits_for_bank()
                    && owns(object, record)
            })
            .count()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every section under these locks leaves the maps whole, so a panic elsewhere does not spoil them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use comanda_crds::{OrderClassSpec, Phase};
    use comanda_saga::{CourierState, DeviceSignal, KitchenState, Owner, Reason, Terms};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::constant(1_768_478_400, 0) + SignedDuration::from_secs(seconds)
    }

    fn identity() -> Identity {
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
    fn told() -> Memory {
        let mut record = record();
        record.intend(Effect::Prepare, at(0));
        Memory {
            hand: Some(InHand::new(record)),
            loaded: true,
            events_read_at: Some(at(0)),
            ..Memory::default()
        }
    }

    fn event(id: &str) -> DeviceEvent {
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
    fn an_event_wakes_the_object_that_follows_its_order_and_no_other() {
        let live = Live::default();
        let (first, second) =
            (ObjectRef::new("a-1").within("shop"), ObjectRef::new("a-1-again").within("shop"));
        assert_eq!(live.deliver(&identity(), event("e-0")), None, "nobody follows it");
        assert!(live.follow(&identity(), &first, "centro"));
        assert!(!live.follow(&identity(), &second, "centro"), "another has it");
        live.unfollow(&identity(), &second);
        assert_eq!(live.store_of(&identity()).as_deref(), Some("centro"));
        assert_eq!(live.deliver(&identity(), event("e-1")), Some(first.clone()));
        assert!(live.has_heard(&identity(), &event("e-1")) && !live.has_heard(&identity(), &event("e-0")));
        assert_eq!(live.collect(&identity(), &second), [], "they are not the other's");
        assert_eq!(live.collect(&identity(), &first), [event("e-1")]);
        assert_eq!(live.collect(&identity(), &first), []);
        assert!(
            !live.has_heard(&identity(), &event("e-1")),
            "whoever collects events puts them into the memory"
        );
        live.put(first.clone(), Memory { events: vec![event("e-1")], ..Memory::default() });
        assert!(live.has_heard(&identity(), &event("e-1")));
        live.forget(&second, &told());
        assert_eq!(
            live.deliver(&identity(), event("e-2")),
            Some(first.clone()),
            "the other is gone, and not this"
        );
        live.forget(&first, &told());
        assert_eq!(live.store_of(&identity()), None);
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

    #[test]
    fn of_an_object_made_anew_under_a_name_nothing_is_remembered() {
        let live = Live::default();
        let object = |uid: &str| {
            let mut object = ObjectRef::new("a-1").within("shop");
            object.extra.uid = Some(uid.to_owned());
            object
        };
        live.follow(&identity(), &object("u-1"), "centro");
        live.put(object("u-1"), told());
        assert!(live.take(&object("u-1")).hand.is_some());
        live.put(object("u-1"), told());
        assert!(live.take(&object("u-2")).hand.is_none(), "it may be another order");
        assert_eq!(live.store_of(&identity()), None);
        live.put(object("u-1"), told());
        live.gone(&object("u-1"));
        assert_eq!(live.count("standard"), 0);
    }

    #[test]
    fn events_go_to_the_object_that_the_ledger_says_owns_the_order() {
        let live = Live::default();
        let (owner, other) =
            (ObjectRef::new("a-1").within("shop"), ObjectRef::new("a-1-again").within("shop"));
        live.follow(&identity(), &other, "norte");
        assert!(!live.follows(&identity(), &owner));
        live.own(&identity(), &owner, "centro");
        assert!(live.follows(&identity(), &owner) && !live.follows(&identity(), &other));
        assert_eq!(live.store_of(&identity()).as_deref(), Some("centro"));
        assert_eq!(live.deliver(&identity(), event("e-1")), Some(owner));
    }

    #[test]
    fn of_two_objects_for_one_order_one_counts_towards_what_the_class_takes() {
        let live = Live::default();
        for name in ["a-1", "a-1-again"] {
            live.put(ObjectRef::new(name).within("shop"), told());
        }
        assert_eq!((live.count("standard"), live.count("other")), (1, 0));
    }
}
