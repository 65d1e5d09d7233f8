//! A courier's telephone: `deliver` leads to `accepted`, `picked-up`, `location` and `delivered`.
//!
//! Several couriers hear of the same order. The first `accepted` the broker passes on decides who has it; the others
//! stand down. Before the pick-up a cancel is obeyed, after it refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::DeviceOptions;
use super::inbox::{Inbox, Verdict};
use super::message::{Command, Event, Order, Topic};
use super::outbox::{Outbox, Report};
use super::rules::{Behaviour, Rule};
use super::session::Device;

/// A courier of one or more stores.
pub(super) struct Courier {
    outbox: Outbox,
    rules: Vec<Rule>,
    accept: Duration,
    pickup: Duration,
    deliver: Duration,
    inbox: Mutex<Inbox>,
    trips: Trips,
}

type Trips = Arc<Mutex<HashMap<Order, Trip>>>;

/// What a courier knows of an order.
#[derive(Debug, Default)]
struct Trip {
    stop: CancellationToken,
    picked_up: bool,
    /// The device whose `accepted` came first.
    taken_by: Option<String>,
}

impl Courier {
    pub(super) fn new(outbox: Outbox, options: &DeviceOptions, pickup: Duration, deliver: Duration) -> Self {
        let (rules, accept) = (options.rules.clone(), Duration::from_millis(options.accept_ms));
        let (inbox, trips) = (Mutex::default(), Trips::default());
        Self { outbox, rules, accept, pickup, deliver, inbox, trips }
    }

    fn deliver(&self, order: Order, behaviour: Behaviour, seq: u64) {
        let mut trips = locked(&self.trips);
        let trip = trips.entry(order.clone()).or_default();
        if trip.belongs_to_another(&self.outbox.device) {
            return self.stood_down(&order, trip);
        }
        trip.stop = CancellationToken::new();
        let ride = Ride {
            outbox: self.outbox.clone(),
            trips: Arc::clone(&self.trips),
            accept: behaviour.pace(self.accept),
            pickup: behaviour.pace(self.pickup),
            deliver: behaviour.pace(self.deliver),
            order,
            behaviour,
            seq,
        };
        tokio::spawn(trip.stop.clone().run_until_cancelled_owned(ride.go()));
    }

    fn cancel(&self, order: &Order, behaviour: Behaviour, seq: u64) {
        let mut trips = locked(&self.trips);
        let trip = trips.entry(order.clone()).or_default();
        if trip.belongs_to_another(&self.outbox.device) {
            // The answer is the other courier's to give.
            return;
        }
        let report = if trip.picked_up {
            Report::new("cancel-refused", seq).because("the order is picked up")
        } else {
            trip.stop.cancel();
            Report::new("cancelled", seq)
        };
        self.outbox.send(order, behaviour, report);
    }

    /// Hears what couriers of the store say, this one included.
    fn overhear(&self, order: &Order, payload: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Event>(payload) else { return };
        if event.name != "accepted" {
            return;
        }
        let mut trips = locked(&self.trips);
        let trip = trips.entry(order.clone()).or_default();
        trip.taken_by.get_or_insert(event.device);
        if trip.belongs_to_another(&self.outbox.device) && !trip.picked_up && !trip.stop.is_cancelled() {
            trip.stop.cancel();
            self.stood_down(order, trip);
        }
    }

    fn stood_down(&self, order: &Order, trip: &Trip) {
        self.outbox.journal.write("stood-down", json!({ "orderId": order.id, "for": trip.taken_by }));
    }
}

impl Trip {
    fn belongs_to_another(&self, device: &str) -> bool {
        self.taken_by.as_deref().is_some_and(|taken_by| taken_by != device)
    }
}

impl Device for Courier {
    fn topics() -> &'static [&'static str] {
        &["couriers/+/deliver", "couriers/+/cancel", "couriers/+/events"]
    }

    fn receive(&self, topic: Topic, payload: &[u8]) {
        let Topic { order, verb } = topic;
        if verb == "events" {
            return self.overhear(&order, payload);
        }
        let Ok(command) = serde_json::from_slice::<Command>(payload) else {
            let details = json!({ "orderId": order.id, "payload": String::from_utf8_lossy(payload) });
            return self.outbox.journal.write("malformed", details);
        };
        let verdict = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).judge(&order, &command);
        self.outbox.received(&order, payload, verdict);
        let behaviour = Behaviour::of(&order.id, &self.rules);
        match (verdict, command.name.as_str(), behaviour) {
            (Verdict::Duplicate | Verdict::Stale, ..)
            | (_, _, Behaviour::Silent)
            | (_, "cancel", Behaviour::DeadAtCancel) => {}
            (_, "deliver", _) => self.deliver(order, behaviour, command.seq),
            (_, "cancel", _) => self.cancel(&order, behaviour, command.seq),
            (_, other, _) => self.outbox.journal.write("unknown-command", json!({ "command": other })),
        }
    }
}

/// One order on its way.
struct Ride {
    outbox: Outbox,
    trips: Trips,
    order: Order,
    behaviour: Behaviour,
    seq: u64,
    accept: Duration,
    pickup: Duration,
    deliver: Duration,
}

impl Ride {
    async fn go(self) {
        tokio::time::sleep(self.accept).await;
        self.say("accepted");
        tokio::time::sleep(self.pickup).await;
        if self.behaviour == Behaviour::FailBeforePickup {
            return self.send(Report::new("failed", self.seq).because("the bicycle has a flat tyre"));
        }
        if !self.pick_up() {
            return;
        }
        tokio::time::sleep(self.deliver / 2).await;
        let position = json!({ "latitude": -23.5505, "longitude": -46.6333 });
        self.send(Report { position: Some(position), ..Report::new("location", self.seq) });
        tokio::time::sleep(self.deliver / 2).await;
        if self.behaviour == Behaviour::FailAfterPickup {
            return self.send(Report::new("failed", self.seq).because("nobody opened the door"));
        }
        self.say("delivered");
    }

    /// Picked up, unless a cancel came first; nothing can come between the look and the word.
    fn pick_up(&self) -> bool {
        let mut trips = locked(&self.trips);
        let Some(trip) = trips.get_mut(&self.order).filter(|trip| !trip.stop.is_cancelled()) else {
            return false;
        };
        trip.picked_up = true;
        self.say("picked-up");
        true
    }

    fn say(&self, event: &str) {
        self.send(Report::new(event, self.seq));
    }

    fn send(&self, report: Report<'_>) {
        self.outbox.send(&self.order, self.behaviour, report);
    }
}

fn locked(trips: &Trips) -> MutexGuard<'_, HashMap<Order, Trip>> {
    trips.lock().unwrap_or_else(PoisonError::into_inner)
}
