//! What kitchens and couriers say: into the ledger first, acknowledged second, the order woken third.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comanda_crds::Order;
use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, Identity, Phase};
use comanda_steps::adapters::iot::Incoming;
use comanda_steps::devices::{EventTopic, Place, Room, parse_event};
use comanda_steps::ports::{Ledger, LedgerError, Loaded};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use crate::live::Live;
use crate::services::Connection;
use crate::telemetry::Metrics;

/// How many messages of a connection are kept in its ledger at once.
const LANES: usize = 32;
/// How many wait in each lane.
const LANE: usize = 128;
/// Of how many such waits in a row one is told.
const QUIET: u64 = 60;
/// How much of a topic that does not count is logged, in characters.
const LOGGED: usize = 256;
/// How long a message waits for a ledger that does not answer before it is tried again.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);

/// Who hears of what devices say.
#[derive(Clone)]
pub struct Audience {
    /// What is remembered of orders.
    pub live: Arc<Live>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Wakes an order.
    pub wake: mpsc::UnboundedSender<ObjectRef<Order>>,
}

/// Takes in what brokers bring, until a part of it ends that never should. Connections do not wait for one
/// another: the ledger of one may be away.
pub async fn take_in(mut connections: mpsc::UnboundedReceiver<Connection>, audience: Audience) {
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv() => {
                let Some(connection) = connection else { return };
                serving.spawn(serve(connection, audience.clone()));
            }
            Some(served) = serving.join_next() => {
                if served.is_err() {
                    return;
                }
            }
        }
    }
}

/// Takes in what one broker brings, until its connection is given up. What is said on one topic is kept in the order
/// in which it was said: the first courier has the order.
///
/// # Panics
/// When keeping a message does.
async fn serve(connection: Connection, audience: Audience) {
    let Connection { mut messages, topic_prefix, installation, ledger } = connection;
    let counts = Counts::default();
    let keeper = Arc::new(Keeper { topic_prefix, installation, ledger, audience, counts });
    let mut lanes = JoinSet::new();
    let queues: Vec<_> = (0..LANES)
        .map(|_| {
            let (queue, mut messages) = mpsc::channel(LANE);
            let keeper = Arc::clone(&keeper);
            lanes.spawn(async move {
                while let Some(message) = messages.recv().await {
                    if let Some(object) = keeper.keep(message).await {
                        // The receiver goes when the controller stops; the event is in the ledger by then.
                        let _ = keeper.audience.wake.send(object);
                    }
                }
            });
            queue
        })
        .collect();
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            // A lane ends while its queue is open only by a panic.
            Some(ended) = lanes.join_next() => {
                ended.expect("keeping a message does not panic");
                continue;
            }
        };
        // The lanes end with this: what is not acknowledged comes again with the next connection.
        let Some(message) = message else { return };
        let mut hasher = DefaultHasher::new();
        message.topic().hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        // Of a lane that is gone, `join_next` says why.
        let _ = queues[lane].send(message).await;
    }
}

/// Wakes every order that listens each time that a broker is connected to: what was said around that time may
/// be in the ledger only. Each finds out by itself when to read it.
pub async fn catch_up(
    mut connections: mpsc::UnboundedReceiver<()>,
    live: Arc<Live>,
    wake: mpsc::UnboundedSender<ObjectRef<Order>>,
) {
    while connections.recv().await.is_some() {
        for object in live.listening() {
            // The receiver goes when the controller stops.
            let _ = wake.send(object);
        }
    }
}

/// Keeps what one broker brings.
struct Keeper {
    topic_prefix: String,
    installation: String,
    ledger: Arc<dyn Ledger>,
    audience: Audience,
    counts: Counts,
}

/// Of how many orders events are counted at once. Of more, they are counted from the ledger again.
const COUNTED: usize = 10_000;

/// What the ledger holds of each order. What it held when the order's first event came is counted, and what this process
/// adds.
#[derive(Default)]
struct Counts(Mutex<HashMap<Identity, Counted>>);

/// What the ledger holds of an order.
struct Counted {
    /// Last sequence number given to a command, when the ledger was read.
    given: u64,
    room: Room,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Identity, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for an event of an order; none where the ledger has to be read to know.
    fn place_for(&self, identity: &Identity, event: &DeviceEvent, given: u64) -> Option<Place> {
        let counts = self.lock();
        let counted = counts.get(identity).filter(|counted| event.seq <= counted.given.max(given))?;
        Some(counted.room.place_for(event))
    }

    /// Counts what the ledger holds of an order. Of two that read at once, the first counts: what the other found in
    /// addition is added by whoever put it there.
    fn begin(&self, identity: &Identity, Loaded { record, events }: &Loaded) {
        let mut counts = self.lock();
        if counts.len() >= COUNTED {
            counts.clear();
        }
        let counted = counts
            .entry(identity.clone())
            .or_insert_with(|| Counted { given: record.seq, room: Room::beside(events) });
        counted.given = counted.given.max(record.seq);
    }

    fn add(&self, identity: &Identity, event: &DeviceEvent) {
        // Where it is not counted any more, the ledger is, which has the event.
        if let Some(counted) = self.lock().get_mut(identity) {
            counted.room.take(event);
        }
    }
}

/// What keeping an event came to.
enum Kept {
    /// It is in the ledger now.
    New,
    /// It was there already.
    Known,
    /// It says that an order was delivered that is undone, and of which there is no object any more.
    AfterUndo,
    /// It would change nothing.
    Needless,
    /// It is not kept, and why.
    Refused(&'static str),
}

impl Keeper {
    /// Keeps one message. The broker gets its acknowledgement only then; until then it will send again.
    async fn keep(&self, incoming: Incoming) -> Option<ObjectRef<Order>> {
        let Audience { live, metrics, .. } = &self.audience;
        let refuse = |why: &dyn std::fmt::Display| {
            let topic: String = incoming.topic().chars().take(LOGGED).collect();
            warn!(%topic, %why, "a device sent something that does not count; it is dropped");
            metrics.device_events.with_label_values(&["refused"]).inc();
        };
        // A message that can never count would come again for ever: it is acknowledged all the same.
        let topic = EventTopic::parse(&self.topic_prefix, incoming.topic())
            .filter(|topic| topic.is_of_installation(&self.installation));
        let Some(topic) = topic else {
            refuse(&"its topic carries no events of this installation");
            incoming.acknowledge();
            return None;
        };
        let event = match parse_event(&topic, incoming.payload(), Timestamp::now()) {
            Ok(Some(event)) => event,
            Ok(None) => {
                incoming.acknowledge();
                return None;
            }
            Err(error) => {
                refuse(&error);
                incoming.acknowledge();
                return None;
            }
        };
        let identity = Identity {
            installation: self.installation.clone(),
            tenant: topic.tenant.clone(),
            order_id: topic.order_id.clone(),
        };
        if live.has_heard(&identity, &event) {
            metrics.device_events.with_label_values(&["known"]).inc();
            incoming.acknowledge();
            return None;
        }
        let count = |result| metrics.device_events.with_label_values(&[result]).inc();
        let mut failures = 0_u64;
        loop {
            match self.record(&identity, &topic, &event).await {
                Ok(Kept::New) => {
                    self.counts.add(&identity, &event);
                    count("kept");
                }
                Ok(Kept::Known) => count("known"),
                Ok(Kept::Needless) => {
                    count("needless");
                    incoming.acknowledge();
                    return None;
                }
                Ok(Kept::AfterUndo) => {
                    self.counts.add(&identity, &event);
                    count("after_undo");
                    warn!(
                        order = %identity,
                        courier = event.device,
                        "the courier delivered an order that is undone, and whose object is gone: settle it with the \
                         customer"
                    );
                }
                Ok(Kept::Refused(why)) => {
                    refuse(&why);
                    incoming.acknowledge();
                    return None;
                }
                // It comes again with the next connection; others behind it do not wait for a person.
                Err(error @ LedgerError::Corrupt(_)) => {
                    warn!(%error, order = identity.order_id, "the event is not kept");
                    return None;
                }
                Err(error) => {
                    if failures.is_multiple_of(QUIET) {
                        warn!(%error, order = identity.order_id, failures, "the event waits for the ledger");
                    }
                    failures += 1;
                    tokio::time::sleep(LEDGER_PAUSE).await;
                    continue;
                }
            }
            break;
        }
        incoming.acknowledge();
        live.deliver(&identity, event)
    }

    /// Writes the event to the ledger.
    async fn record(
        &self,
        identity: &Identity,
        topic: &EventTopic,
        event: &DeviceEvent,
    ) -> Result<Kept, LedgerError> {
        let expected = self.audience.live.expects(identity).filter(|(store, _)| topic.is_of_store(store));
        let followed = expected.is_some();
        let mut undone = false;
        let mut place = expected.and_then(|(_, given)| self.counts.place_for(identity, event, given));
        if place.is_none() {
            // An object can follow an order that it turns out not to own: the ledger knows.
            let loaded = self.ledger.load(identity).await?;
            let Some(loaded) = loaded.filter(|loaded| topic.is_of(&loaded.record)) else {
                return Ok(Kept::Refused("it speaks of an order that its store does not have"));
            };
            let phase = loaded.record.phase;
            undone = !followed && phase.is_final() && phase != Phase::Delivered;
            self.counts.begin(identity, &loaded);
            place = self.counts.place_for(identity, event, loaded.record.seq);
        }
        match place {
            Some(Place::Free) => {}
            Some(Place::Needless) => return Ok(Kept::Needless),
            Some(Place::Full) => {
                return Ok(Kept::Refused("its side has said more of the order than is kept"));
            }
            None => return Ok(Kept::Refused("it answers a command that was not given")),
        }
        Ok(match self.ledger.put_event(identity, event).await? {
            true if undone && event.signal == DeviceSignal::Courier(CourierState::Delivered) => {
                Kept::AfterUndo
            }
            true => Kept::New,
            false => Kept::Known,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::tests::{event, identity, told};
    use comanda_saga::KitchenState;

    fn order(id: usize) -> Identity {
        Identity { order_id: id.to_string(), ..identity() }
    }

    fn accepted(seq: u64) -> DeviceEvent {
        DeviceEvent { seq, signal: DeviceSignal::Kitchen(KitchenState::Accepted), ..event("e-1") }
    }

    fn holds(given: u64, events: Vec<DeviceEvent>) -> Loaded {
        let memory = told();
        let mut record = memory.saved().expect("a record").clone();
        record.seq = given;
        Loaded { record, events }
    }

    #[test]
    fn what_the_ledger_holds_counts_towards_the_bound_and_is_counted_once() {
        let counts = Counts::default();
        assert_eq!(counts.place_for(&identity(), &accepted(1), 99), None, "it was not counted");
        counts.begin(&identity(), &holds(99, (0..47).map(accepted).collect()));
        assert_eq!(counts.place_for(&identity(), &accepted(48), 0), Some(Place::Free));
        counts.add(&identity(), &accepted(48));
        assert_eq!(counts.place_for(&identity(), &accepted(49), 0), Some(Place::Full));
        // Another lane read the ledger at the same time, and is late.
        counts.begin(&identity(), &holds(99, vec![]));
        assert_eq!(counts.place_for(&identity(), &accepted(49), 0), Some(Place::Full));
    }

    #[test]
    fn of_a_command_that_is_not_known_to_be_given_the_ledger_is_asked() {
        let counts = Counts::default();
        counts.begin(&identity(), &holds(2, vec![]));
        assert_eq!(counts.place_for(&identity(), &accepted(2), 0), Some(Place::Free));
        assert_eq!(counts.place_for(&identity(), &accepted(3), 0), None);
        assert_eq!(
            counts.place_for(&identity(), &accepted(3), 3),
            Some(Place::Free),
            "who carries it gave it"
        );
        counts.begin(&identity(), &holds(3, vec![]));
        assert_eq!(counts.place_for(&identity(), &accepted(3), 0), Some(Place::Free));
    }

    #[test]
    fn of_an_order_that_is_not_counted_any_more_nothing_is_counted_until_the_ledger_is_read() {
        let counts = Counts::default();
        for number in 0..=COUNTED {
            counts.begin(&order(number), &holds(1, vec![]));
        }
        counts.add(&order(0), &accepted(1));
        assert_eq!(counts.place_for(&order(0), &accepted(1), 1), None);
        assert_eq!(counts.place_for(&order(COUNTED), &accepted(1), 1), Some(Place::Free));
    }
}
