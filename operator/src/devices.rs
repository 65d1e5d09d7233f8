//! What kitchens and couriers say: into the ledger first, acknowledged second, the order woken third.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Of those, how many stay free for what decides about an order: a flood of `accepted` keeps no `ready` out.
const RESERVED: usize = 16;
/// Of how many orders and sides events are counted at once. More are counted from zero again.
const COUNTED: usize = 20_000;

/// How many events of each order and side this process has put into the ledger.
#[derive(Default)]
struct Counts(Mutex<HashMap<(Identity, Side), usize>>);

impl Counts {
    /// Whether there is room for one more event.
    fn has_room(&self, identity: &Identity, side: Side, signal: DeviceSignal) -> bool {
        let begins = matches!(
            signal,
            DeviceSignal::Kitchen(KitchenState::Accepted | KitchenState::Preparing)
                | DeviceSignal::Courier(CourierState::Accepted)
        );
        let most = if begins { MAX_EVENTS - RESERVED } else { MAX_EVENTS };
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&(identity.clone(), side)).is_none_or(|count| *count < most)
    }

    fn add(&self, identity: &Identity, side: Side) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTED {
            counts.clear();
        }
        *counts.entry((identity.clone(), side)).or_default() += 1;
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
    /// The order is not of this store, or is not known at all.
    Foreign,
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
        if !self.counts.has_room(&identity, topic.side, event.signal) {
            refuse(&"its side has said more of the order than is kept");
            incoming.acknowledge();
            return None;
        }
        let count = |result| metrics.device_events.with_label_values(&[result]).inc();
        let mut failures = 0_u64;
        loop {
            match self.record(&identity, &topic, &event).await {
                Ok(Kept::New) => {
                    self.counts.add(&identity, topic.side);
                    count("kept");
                }
                Ok(Kept::Known) => count("known"),
                Ok(Kept::AfterUndo) => {
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
        let mut undone = false;
        if !self.audience.live.store_of(identity).is_some_and(|store| topic.is_of_store(&store)) {
            // An object can follow an order that it turns out not to own: the ledger knows.
            let Some(Loaded { record, .. }) = self.ledger.load(identity).await? else {
                return Ok(Kept::Foreign);
            };
            if !topic.is_of(&record) {
                return Ok(Kept::Foreign);
            }
            undone = record.phase.is_final() && record.phase != Phase::Delivered;
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

    #[test]
    fn a_flood_is_kept_up_to_a_bound_and_a_ready_finds_room_in_it() {
        let counts = Counts::default();
        let order = |id: &str| Identity {
            installation: "bistro".to_owned(),
            tenant: "shop".to_owned(),
            order_id: id.to_owned(),
        };
        let mut kept = 0;
        let mut say = |signal| {
            let room = counts.has_room(&order("a-1"), Side::Kitchen, signal);
            if room {
                counts.add(&order("a-1"), Side::Kitchen);
                kept += 1;
            }
            room
        };
        for _ in 0..10_000 {
            say(DeviceSignal::Kitchen(KitchenState::Accepted));
        }
        assert!(say(DeviceSignal::Kitchen(KitchenState::Ready)));
        for _ in 0..10_000 {
            say(DeviceSignal::Kitchen(KitchenState::Ready));
        }
        assert_eq!(kept, MAX_EVENTS);
        assert!(counts.has_room(&order("a-1"), Side::Courier, DeviceSignal::Courier(CourierState::Accepted)));
        assert!(counts.has_room(&order("a-2"), Side::Kitchen, DeviceSignal::Kitchen(KitchenState::Ready)));
    }
}
