//! What senders, readers and the connection share: who waits for which acknowledgement, and which
//! connection an event came by.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rumqttc::{AsyncClient, EventLoop, Publish, QoS, SubscribeFilter};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ports::DeviceError;

/// Commands that may be unacknowledged at once; AWS IoT Core allows 100.
pub(super) const WINDOW: u16 = 100;

/// Since when the session is up and its subscriptions stand; or why they do not, without a full stop.
pub type Connected = Result<Timestamp, String>;

/// Resolves when the broker has the command; fails when the connection is lost first.
type Waiter = oneshot::Sender<()>;

/// The way to the connection.
pub(super) struct Link {
    client: AsyncClient,
    session: Mutex<Session>,
}

/// One connection's state. Requests are made under its lock, so that none slips from one connection
/// into the next.
#[derive(Default)]
struct Session {
    /// Counts connections.
    generation: u64,
    /// Commands may be sent.
    ready: bool,
    /// Handed over, not on the wire yet: in the order of handing over, which the connection keeps.
    queued: VecDeque<Waiter>,
    /// On the wire, by packet id, and since when.
    in_flight: HashMap<u16, (Waiter, Instant)>,
}

impl Link {
    pub(super) fn new(client: AsyncClient) -> Self {
        Self { client, session: Mutex::default() }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a command over. What is awaited is the broker's acknowledgement.
    pub(super) fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
    ) -> Result<oneshot::Receiver<()>, DeviceError> {
        let mut session = self.session();
        if !session.ready {
            return Err(DeviceError("there is no connection".to_owned()));
        }
        self.client
            .try_publish(topic, QoS::AtLeastOnce, false, payload)
            .map_err(|_| DeviceError("the connection takes no more commands".to_owned()))?;
        let (waiter, acknowledgement) = oneshot::channel();
        session.queued.push_back(waiter);
        Ok(acknowledgement)
    }

    pub(super) fn subscribe(&self, filters: &[String]) -> bool {
        let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).is_ok()
    }

    pub(super) fn ready(&self) {
        self.session().ready = true;
    }

    /// The oldest command that was handed over went out under this packet id. Where the id was still
    /// taken, rumqttc holds the command back and reports it here later, before any other.
    pub(super) fn sent(&self, packet: u16) {
        let mut session = self.session();
        if let Some(waiter) = session.queued.pop_front() {
            session.in_flight.insert(packet, (waiter, Instant::now()));
        }
    }

    pub(super) fn acknowledged(&self, packet: u16) {
        if let Some((waiter, _)) = self.session().in_flight.remove(&packet) {
            // A sender that stopped waiting does not mind.
            let _ = waiter.send(());
        }
    }

    /// How long a command has been on the wire that waits longest.
    pub(super) fn longest_wait(&self) -> Option<Duration> {
        self.session().in_flight.values().map(|(_, since)| since.elapsed()).max()
    }

    pub(super) fn received(self: &Arc<Self>, publish: Publish) -> Incoming {
        let generation = self.session().generation;
        Incoming { publish, generation, link: Arc::clone(self) }
    }

    fn acknowledge(&self, publish: &Publish, generation: u64) {
        let session = self.session();
        if session.generation == generation && self.client.try_ack(publish).is_err() {
            tracing::warn!(topic = publish.topic, "an event's acknowledgement found no room");
        }
    }

    /// The connection is gone. Whoever waits learns it; whatever rumqttc still holds is dropped: unsent
    /// and unacknowledged commands, acknowledgements whose packet ids mean other events by now, and
    /// packets that were read and not looked at.
    pub(super) fn lost(&self, events: &mut EventLoop) {
        let mut session = self.session();
        *session = Session { generation: session.generation + 1, ..Session::default() };
        events.clean();
        events.pending.clear();
        events.state.events.clear();
        events.state.collision = None;
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

/// A message that is not acknowledged yet.
#[derive(Debug)]
pub struct Incoming {
    publish: Publish,
    generation: u64,
    link: Arc<Link>,
}

impl Incoming {
    /// Where it was published.
    pub fn topic(&self) -> &str {
        &self.publish.topic
    }

    /// What was published.
    pub fn payload(&self) -> &[u8] {
        &self.publish.payload
    }

    /// Tells the broker that it need not be delivered again. Dropped without this, or told over a later
    /// connection than it came by, it comes again.
    pub fn acknowledge(self) {
        self.link.acknowledge(&self.publish, self.generation);
    }
}
