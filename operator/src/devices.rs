//! What kitchens and couriers say: into the ledger first, acknowledged second, the order woken third.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use comanda_crds::Order;
use comanda_saga::{DeviceEvent, Identity};
use comanda_steps::devices::{EventTopic, parse_event};
use comanda_steps::ports::{Ledger, LedgerError};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::live::Live;
use crate::services::FromBroker;
use crate::telemetry::Metrics;

/// How many messages are kept in the ledger at once.
const LANES: usize = 32;
/// How many wait in each lane: no fewer than a broker sends without an acknowledgement, so that a lane whose ledger
/// is away stands in nobody's way. Source: AWS IoT Core quotas, unacknowledged outbound publishes of a client: 100.
const LANE: usize = 128;
/// How long a message waits for a ledger that does not answer before it is tried again.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);

/// Takes in what brokers bring until the channel closes, and sends the objects to wake to `wake`.
pub async fn take_in(
    mut messages: mpsc::Receiver<FromBroker>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
    wake: mpsc::UnboundedSender<ObjectRef<Order>>,
) {
    let mut lanes = JoinSet::new();
    let queues: Vec<_> = (0..LANES)
        .map(|_| {
            let (queue, mut messages) = mpsc::channel(LANE);
            let (live, metrics, wake) = (Arc::clone(&live), Arc::clone(&metrics), wake.clone());
            lanes.spawn(async move {
                while let Some(message) = messages.recv().await {
                    if let Some(object) = keep(message, &live, &metrics).await {
                        // The receiver goes when the controller stops; the event is in the ledger by then.
                        let _ = wake.send(object);
                    }
                }
            });
            queue
        })
        .collect();
    // What is said on one topic is kept in the order in which it was said: the first courier has the order.
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            // None ends while its queue is open.
            _ = lanes.join_next() => return,
        };
        let Some(message) = message else { return };
        let mut hasher = DefaultHasher::new();
        message.incoming.topic().hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default();
        if queues[lane].send(message).await.is_err() {
            return;
        }
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

/// Keeps one message. The broker gets its acknowledgement only then; until then it will send again.
async fn keep(message: FromBroker, live: &Live, metrics: &Metrics) -> Option<ObjectRef<Order>> {
    let FromBroker { incoming, topic_prefix, installation, ledger } = message;
    let refuse = |why: &dyn std::fmt::Display| {
        warn!(%why, "a device sent something that does not count; it is dropped");
        metrics.device_events.with_label_values(&["refused"]).inc();
    };
    // A message that can never count would come again for ever: it is acknowledged all the same.
    let Some(topic) = EventTopic::parse(&topic_prefix, incoming.topic()) else {
        refuse(&"its topic carries no events");
        incoming.acknowledge();
        return None;
    };
    let event = match parse_event(topic.side, incoming.payload(), Timestamp::now()) {
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
    let identity = Identity { installation, tenant: topic.tenant, order_id: topic.order_id };
    if live.has_heard(&identity, &event.id) {
        metrics.device_events.with_label_values(&["known"]).inc();
        incoming.acknowledge();
        return None;
    }
    loop {
        match record(&identity, &topic.store, &event, &*ledger, live).await {
            Ok(Some(new)) => {
                metrics.device_events.with_label_values(&[if new { "kept" } else { "known" }]).inc();
                break;
            }
            Ok(None) => {
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
                debug!(%error, "the event waits for the ledger");
                tokio::time::sleep(LEDGER_PAUSE).await;
            }
        }
    }
    incoming.acknowledge();
    live.deliver(&identity, event)
}

/// Writes the event to the ledger; none when the order is not of this store, or is not known at all.
/// False when the event was there already.
async fn record(
    identity: &Identity,
    store: &str,
    event: &DeviceEvent,
    ledger: &dyn Ledger,
    live: &Live,
) -> Result<Option<bool>, LedgerError> {
    if live.store_of(identity).as_deref() != Some(store) {
        // An object can follow an order that it turns out not to own: the ledger knows.
        let known = ledger.load(identity).await?.map(|loaded| loaded.record.terms.store);
        if known.as_deref() != Some(store) {
            return Ok(None);
        }
    }
    ledger.put_event(identity, event).await.map(Some)
}
