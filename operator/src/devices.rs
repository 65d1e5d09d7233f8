//! What kitchens and couriers say: into the ledger first, acknowledged second, the order woken third.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comanda_crds::Order;
use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, Identity, KitchenState, Phase};
use comanda_steps::adapters::iot::Incoming;
use comanda_steps::devices::{EventTopic, MAX_EVENTS, Side, parse_event};
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

/// Of the events of an order and a side, how many stay free for what decides about the order: a flood of `accepted` keeps
/// no `ready` out.
const RESERVED: usize = 16;
/// Of how many orders and sides events are counted at once. Of more, they are counted from the ledger again.
const COUNTED: usize = 20_000;

/// How many events of each order and side the ledger holds. What it held when the order's first event came is counted,
/// and what this process adds.
#[derive(Default)]
struct Counts(Mutex<HashMap<(Identity, Side), usize>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<(Identity, Side), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the order's events are counted.
    fn knows(&self, identity: &Identity) -> bool {
        self.lock().contains_key(&(identity.clone(), Side::Kitchen))
    }

    /// Counts what the ledger holds of an order. Of two that read at once, the first counts: what the other found in
    /// addition is added by whoever put it there.
    fn begin(&self, identity: &Identity, held: &[DeviceEvent]) {
        let mut counts = self.lock();
        if counts.len() >= COUNTED {
            counts.clear();
        }
        for side in [Side::Kitchen, Side::Courier] {
            let of_side = held.iter().filter(|event| side_of(event.signal) == side).count();
            counts.entry((identity.clone(), side)).or_insert(of_side);
        }
    }

    /// Whether there is room for one more event.
    fn has_room(&self, identity: &Identity, signal: DeviceSignal) -> bool {
        let begins = matches!(
            signal,
            DeviceSignal::Kitchen(KitchenState::Accepted | KitchenState::Preparing)
                | DeviceSignal::Courier(CourierState::Accepted | CourierState::Declined)
        );
        let most = if begins { MAX_EVENTS - RESERVED } else { MAX_EVENTS };
        self.lock().get(&(identity.clone(), side_of(signal))).is_none_or(|count| *count < most)
    }

    fn add(&self, identity: &Identity, signal: DeviceSignal) {
        // Where it is not counted any more, the ledger is, which has the event.
        if let Some(count) = self.lock().get_mut(&(identity.clone(), side_of(signal))) {
            *count += 1;
        }
    }
}

fn side_of(signal: DeviceSignal) -> Side {
    let kitchen = matches!(signal, DeviceSignal::Kitchen(_) | DeviceSignal::KitchenRecalled(_));
    if kitchen { Side::Kitchen } else { Side::Courier }
}

/// What keeping an event came to.
enum Kept {
    /// It is in the ledger now.
    New,
    /// It was there already.
    Known,
    /// It says that an order was delivered that is undone, and of which there is no object any more.
    AfterUndo,
    /// The order is not of this store, or is not known at all.
    Foreign,
    /// The ledger holds as much of its side as is kept.
    Beyond,
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
                    self.counts.add(&identity, event.signal);
                    count("kept");
                }
                Ok(Kept::Known) => count("known"),
                Ok(Kept::AfterUndo) => {
                    self.counts.add(&identity, event.signal);
                    count("after_undo");
                    warn!(
                        order = %identity,
                        courier = event.device,
                        "the courier delivered an order that is undone, and whose object is gone: settle it with the \
                         customer"
                    );
                }
                Ok(Kept::Foreign) => {
                    refuse(&"it speaks of an order that its store does not have");
                    incoming.acknowledge();
                    return None;
                }
                Ok(Kept::Beyond) => {
                    refuse(&"its side has said more of the order than is kept");
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
        let followed = self.audience.live.store_of(identity).is_some_and(|store| topic.is_of_store(&store));
        let mut undone = false;
        if !followed || !self.counts.knows(identity) {
            let loaded = self.ledger.load(identity).await?;
            // An object can follow an order that it turns out not to own: the ledger knows.
            if !followed {
                let Some(Loaded { record, .. }) = &loaded else {
                    return Ok(Kept::Foreign);
                };
                if !topic.is_of(record) {
                    return Ok(Kept::Foreign);
                }
                undone = record.phase.is_final() && record.phase != Phase::Delivered;
            }
            self.counts.begin(identity, &loaded.map(|loaded| loaded.events).unwrap_or_default());
        }
        if !self.counts.has_room(identity, event.signal) {
            return Ok(Kept::Beyond);
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

    fn order(id: &str) -> Identity {
        Identity { installation: "bistro".to_owned(), tenant: "shop".to_owned(), order_id: id.to_owned() }
    }

    const ACCEPTED: DeviceSignal = DeviceSignal::Kitchen(KitchenState::Accepted);
    const READY: DeviceSignal = DeviceSignal::Kitchen(KitchenState::Ready);

    /// Says something so often, and returns how often there was room for it.
    fn say(counts: &Counts, signal: DeviceSignal, times: usize) -> usize {
        let kept = (0..times).filter(|_| {
            let room = counts.has_room(&order("a-1"), signal);
            if room {
                counts.add(&order("a-1"), signal);
            }
            room
        });
        kept.count()
    }

    #[test]
    fn a_flood_is_kept_up_to_a_bound_and_a_ready_finds_room_in_it() {
        let counts = Counts::default();
        counts.begin(&order("a-1"), &[]);
        assert_eq!(say(&counts, ACCEPTED, 10_000), 48);
        assert_eq!(say(&counts, READY, 10_000), 16);
        assert!(counts.has_room(&order("a-1"), DeviceSignal::Courier(CourierState::Accepted)));
        assert!(counts.has_room(&order("a-2"), READY));
    }

    #[test]
    fn what_the_ledger_holds_counts_towards_the_bound_and_is_counted_once() {
        let held = |signal, seq| DeviceEvent {
            id: format!("e-{seq}"),
            signal,
            seq,
            device: "tablet-1".to_owned(),
            reason: None,
            at: Timestamp::UNIX_EPOCH,
        };
        let mut events: Vec<DeviceEvent> = (0..47).map(|seq| held(ACCEPTED, seq)).collect();
        events.extend((0..64).map(|seq| held(DeviceSignal::CourierRecalled(false), seq)));
        let counts = Counts::default();
        assert!(!counts.knows(&order("a-1")));
        counts.begin(&order("a-1"), &events);
        assert!(counts.knows(&order("a-1")) && !counts.knows(&order("a-2")));
        assert_eq!(say(&counts, ACCEPTED, 10), 1);
        // Another lane read the ledger at the same time, and is late.
        counts.begin(&order("a-1"), &[]);
        assert_eq!(say(&counts, ACCEPTED, 10), 0);
        assert_eq!(say(&counts, READY, 10_000), 16);
        assert!(!counts.has_room(&order("a-1"), DeviceSignal::Courier(CourierState::Delivered)));
    }

    #[test]
    fn of_an_order_that_is_not_counted_any_more_nothing_is_counted_until_the_ledger_is_read() {
        let counts = Counts::default();
        for number in 0..=COUNTED {
            counts.begin(&order(&number.to_string()), &[]);
        }
        counts.add(&order("0"), READY);
        assert!(!counts.knows(&order("0")) && counts.knows(&order(&COUNTED.to_string())));
    }
}
