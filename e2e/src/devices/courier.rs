//! A courier's telephone: `deliver` leads to `accepted`, `assigned` to `picked-up`, positions and `delivered`.
//!
//! Several couriers are offered the same order. Comanda says who has it; the others stand down when they hear `taken`.
//! Before the pick-up a cancel is obeyed, after it refused. One that is for another courier is not heard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::inbox::{Inbox, Verdict};
use super::message::{Command, Order, Topic};
use super::options::DeviceOptions;
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
    /// The device that has the order.
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
        if trip.picked_up {
            return;
        }
        // What is offered is nobody's, whoever had it before.
        *trip = Trip::default();
        let (stop, ride) = (trip.stop.clone(), self.ride(order, behaviour, seq));
        tokio::spawn(stop.run_until_cancelled_owned(async move { ride.answer().await }));
    }

    /// The order is this courier's.
    fn assigned(&self, order: Order, behaviour: Behaviour, seq: u64) {
        let mut trips = locked(&self.trips);
        let trip = trips.entry(order.clone()).or_default();
        trip.taken_by = Some(self.outbox.device.clone());
        trip.stop = CancellationToken::new();
        if behaviour != Behaviour::SilentAfterAccept {
            tokio::spawn(trip.stop.clone().run_until_cancelled_owned(self.ride(order, behaviour, seq).go()));
        }
    }

    fn ride(&self, order: Order, behaviour: Behaviour, seq: u64) -> Ride {
        Ride {
            outbox: self.outbox.clone(),
            trips: Arc::clone(&self.trips),
            accept: behaviour.pace(self.accept),
            pickup: behaviour.pace(self.pickup),
            deliver: behaviour.pace(self.deliver),
            order,
            behaviour,
            seq,
        }
    }

    fn cancel(&self, order: &Order, behaviour: Behaviour, Command { seq, device, .. }: Command) {
        if device.is_some_and(|device| device != self.outbox.device) {
            return;
        }
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

    /// Another courier has the order, or this one.
    fn taken(&self, order: &Order, device: String) {
        let mut trips = locked(&self.trips);
        let trip = trips.entry(order.clone()).or_default();
        trip.taken_by = Some(device);
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
    fn topics(&self) -> Vec<String> {
        let own = format!("couriers/+/assigned/{}", self.outbox.device);
        let of_all = ["couriers/+/deliver", "couriers/+/cancel", "couriers/+/taken"];
        of_all.map(str::to_owned).into_iter().chain([own]).collect()
    }

    fn receive(&self, topic: Topic, payload: &[u8]) {
        let Topic { order, .. } = topic;
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
            (_, "assigned", _) => self.assigned(order, behaviour, command.seq),
            (_, "taken", _) => self.taken(&order, command.device.unwrap_or_default()),
            (_, "deliver", _) => self.deliver(order, behaviour, command.seq),
            (_, "cancel", _) => self.cancel(&order, behaviour, command),
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
    /// Answers the offer.
    async fn answer(&self) {
        tokio::time::sleep(self.accept).await;
        if self.behaviour == Behaviour::Decline {
            return self.send(Report::new("declined", self.seq).because("too far"));
        }
        self.say("accepted");
        self.outbox.flood(&self.order, self.behaviour, self.seq);
    }

    async fn go(self) {
        tokio::time::sleep(self.pickup).await;
        if self.behaviour == Behaviour::FailBeforePickup {
            return self.send(Report::new("failed", self.seq).because("the bicycle has a flat tyre"));
        }
        if !self.pick_up() {
            return;
        }
        tokio::time::sleep(self.deliver / 2).await;
        let position = json!({ "latitude": -23.5505, "longitude": -46.6333 });
        self.outbox.position(&self.order, &position);
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
