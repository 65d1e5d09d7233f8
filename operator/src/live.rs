//! The orders under way: what is remembered of each, and whom an event is for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use comanda_crds::Order;
use comanda_saga::{DeviceEvent, Effect, Identity, Record};
use kube::runtime::reflector::ObjectRef;

use crate::memory::Memory;

/// The object of an order, and the store that may speak of it.
struct Followed {
    object: ObjectRef<Order>,
    store: String,
    /// Last sequence number given to a command, when the order was last carried.
    given: u64,
}

/// The wake queue's word of an order, which somebody else carries: the ledger is to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The execution that is said to have ended.
    pub ended: Option<String>,
}

/// The memory of every order, and the way from an identity to its object.
#[derive(Default)]
pub struct Live {
    memories: Mutex<HashMap<ObjectRef<Order>, Memory>>,
    followed: Mutex<HashMap<Identity, Followed>>,
    inbox: Mutex<HashMap<Identity, Vec<DeviceEvent>>>,
    words: Mutex<HashMap<Identity, Word>>,
}

/// Of how many orders that no object follows yet a word is kept.
const WORDS: usize = 10_000;

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
        if let Some(record) = memory.saved()
            && let Some(followed) = lock(&self.followed).get_mut(&record.identity)
            && followed.object == object
        {
            followed.given = record.seq;
        }
        lock(&self.memories).insert(object, memory);
    }

    /// From now on, events of `identity` are kept for this object, unless another has them. To be called
    /// before the ledger is read: an event is in the ledger before it is here, so it is in one of the
    /// two. True when they were kept for nobody before.
    pub fn follow(&self, identity: &Identity, object: &ObjectRef<Order>, store: &str) -> bool {
        let mut fresh = false;
        lock(&self.followed).entry(identity.clone()).or_insert_with(|| {
            fresh = true;
            Followed { object: object.clone(), store: store.to_owned(), given: 0 }
        });
        fresh
    }

    /// The ledger says that the order is this object's: its events are kept for it and no other.
    pub fn own(&self, identity: &Identity, object: &ObjectRef<Order>, store: &str) {
        let owner = Followed { object: object.clone(), store: store.to_owned(), given: 0 };
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

    /// Of an order that is followed, its store, and the last sequence number that a command is known to have.
    pub fn expects(&self, identity: &Identity) -> Option<(String, u64)> {
        lock(&self.followed).get(identity).map(|followed| (followed.store.clone(), followed.given))
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
            lock(&self.words).remove(identity);
        }
    }

    /// The objects of all orders that a device may be about to speak of.
    pub fn listening(&self) -> Vec<ObjectRef<Order>> {
        let memories = lock(&self.memories);
        memories
            .iter()
            .filter(|(_, memory)| memory.saved().is_some_and(Record::is_spoken_of))
            .map(|(object, _)| object.clone())
            .collect()
    }

    /// Keeps an event that the ledger holds already; gives the object to wake, if one is followed.
    pub fn deliver(&self, identity: &Identity, event: DeviceEvent) -> Option<ObjectRef<Order>> {
        let object = lock(&self.followed).get(identity)?.object.clone();
        lock(&self.inbox).entry(identity.clone()).or_default().push(event);
        Some(object)
    }

    /// Keeps a word of an order for the object that follows it, and gives the object to wake; none where none does.
    pub fn tell(&self, identity: &Identity, ended: Option<&str>) -> Option<ObjectRef<Order>> {
        let object = lock(&self.followed).get(identity)?.object.clone();
        self.keep_word(identity, ended);
        Some(object)
    }

    /// Keeps a word of an order of ours for the object that is to follow it.
    pub fn keep_word(&self, identity: &Identity, ended: Option<&str>) {
        let mut words = lock(&self.words);
        if words.len() >= WORDS && !words.contains_key(identity) {
            return;
        }
        let word = words.entry(identity.clone()).or_default();
        word.ended = ended.map(str::to_owned).or(word.ended.take());
    }

    /// The word of an order, if it is for this object. It is given once.
    pub fn word(&self, identity: &Identity, object: &ObjectRef<Order>) -> Option<Word> {
        if self.follows(identity, object) { lock(&self.words).remove(identity) } else { None }
    }

    /// The order that is followed, of which this is an execution's name.
    pub fn executed_by(&self, execution: &str) -> Option<Identity> {
        // `<order id>-<attempt>-<hash>`
        let attempt = execution.rsplit('-').nth(1)?.parse().ok()?;
        let followed = lock(&self.followed);
        followed.keys().find(|identity| identity.key(Effect::Execute, attempt) == execution).cloned()
    }

    /// True when the event is in memory, and so in the ledger too: the broker sends again what it heard no
    /// acknowledgement for.
    pub fn has_heard(&self, identity: &Identity, event: &DeviceEvent) -> bool {
        let object = lock(&self.followed).get(identity).map(|followed| followed.object.clone());
        lock(&self.inbox).get(identity).is_some_and(|events| events.iter().any(|known| event.is_again(known)))
            || object.is_some_and(|object| {
                lock(&self.memories).get(&object).is_some_and(|memory| memory.has_heard(event))
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
    use super::*;
    use crate::memory::tests::{event, identity, told};

    #[test]
    fn an_event_wakes_the_object_that_follows_its_order_and_no_other() {
        let live = Live::default();
        let (first, second) =
            (ObjectRef::new("a-1").within("shop"), ObjectRef::new("a-1-again").within("shop"));
        assert_eq!(live.deliver(&identity(), event("e-0")), None, "nobody follows it");
        assert!(live.follow(&identity(), &first, "centro"));
        assert!(!live.follow(&identity(), &second, "centro"), "another has it");
        live.unfollow(&identity(), &second);
        assert_eq!(live.expects(&identity()), Some(("centro".to_owned(), 0)));
        assert_eq!(live.deliver(&identity(), event("e-1")), Some(first.clone()));
        assert!(live.has_heard(&identity(), &event("e-1")) && !live.has_heard(&identity(), &event("e-0")));
        assert_eq!(live.collect(&identity(), &second), [], "they are not the other's");
        assert_eq!(live.collect(&identity(), &first), [event("e-1")]);
        assert_eq!(live.collect(&identity(), &first), []);
        assert!(
            !live.has_heard(&identity(), &event("e-1")),
            "whoever collects events puts them into the memory"
        );
        let mut memory = told();
        memory.hear(vec![event("e-1")]);
        live.put(first.clone(), memory);
        assert!(live.has_heard(&identity(), &event("e-1")));
        assert_eq!(live.expects(&identity()), Some(("centro".to_owned(), 1)));
        live.forget(&second, &told());
        assert_eq!(
            live.deliver(&identity(), event("e-2")),
            Some(first.clone()),
            "the other is gone, and not this"
        );
        live.forget(&first, &told());
        assert_eq!(live.expects(&identity()), None);
    }

    #[test]
    fn a_word_of_an_order_is_for_the_object_that_follows_it_and_given_once() {
        let live = Live::default();
        let (object, other) =
            (ObjectRef::new("a-1").within("shop"), ObjectRef::new("a-1-again").within("shop"));
        assert_eq!(live.tell(&identity(), Some("a-1-1")), None, "nobody follows it");
        live.follow(&identity(), &object, "centro");
        assert_eq!(live.word(&identity(), &object), None);
        assert_eq!(live.tell(&identity(), Some("a-1-1")), Some(object.clone()));
        // An ordinary word does not take back that an execution ended.
        assert_eq!(live.tell(&identity(), None), Some(object.clone()));
        assert_eq!(live.word(&identity(), &other), None);
        assert_eq!(live.word(&identity(), &object), Some(Word { ended: Some("a-1-1".to_owned()) }));
        assert_eq!(live.word(&identity(), &object), None);
        live.tell(&identity(), None);
        live.forget(&object, &told());
        live.follow(&identity(), &object, "centro");
        assert_eq!(live.word(&identity(), &object), None, "the object went");
    }

    #[test]
    fn the_order_of_an_execution_is_found_by_its_name_among_those_that_are_followed() {
        let live = Live::default();
        let name = identity().key(Effect::Execute, 3);
        assert_eq!(live.executed_by(&name), None);
        live.follow(&identity(), &ObjectRef::new("a-1").within("shop"), "centro");
        assert_eq!(live.executed_by(&name), Some(identity()));
        for name in ["", "-", "a-1-3", "a-1-x-0123456789abcdef", &name[1..], "a-1-4-0123456789abcdef"] {
            assert_eq!(live.executed_by(name), None, "{name}");
        }
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
        assert_eq!(live.expects(&identity()), None);
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
        assert_eq!(live.expects(&identity()), Some(("centro".to_owned(), 0)));
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
