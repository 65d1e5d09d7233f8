//! Publishing events.

use jiff::Timestamp;
use rumqttc::{AsyncClient, QoS};
use serde_json::{Value, json};
use uuid::Uuid;

use super::journal::Journal;
use super::message::{Event, Order};
use super::rules::Behaviour;

/// The way out of a device.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    pub client: AsyncClient,
    pub prefix: String,
    /// The client id.
    pub device: String,
    pub journal: Journal,
}

/// What a device has to say about an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub event: &'a str,
    pub seq: u64,
    pub reason: Option<&'a str>,
}

impl<'a> Report<'a> {
    pub(super) fn new(event: &'a str, seq: u64) -> Self {
        Self { event, seq, reason: None }
    }

    pub(super) fn because(self, reason: &'a str) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

impl Outbox {
    /// Queues an event, twice for a device that repeats itself. The session sends it until the broker has it.
    ///
    /// It never waits, so a caller may hold the lock that makes its state and what it says about it one.
    pub(super) fn send(&self, order: &Order, behaviour: Behaviour, report: Report<'_>) {
        let event = Event {
            id: Uuid::new_v4().to_string(),
            name: report.event.to_owned(),
            seq: report.seq,
            device: (behaviour == Behaviour::Impostor).then(|| "another".to_owned()),
            at: Timestamp::now(),
            reason: report.reason.map(str::to_owned),
        };
        let payload = serde_json::to_vec(&event).expect("an event is JSON");
        let times = if behaviour == Behaviour::Duplicate { 2 } else { 1 };
        for _ in 0..times {
            let sent = self.client.try_publish(
                order.events(&self.prefix, &self.device),
                QoS::AtLeastOnce,
                false,
                payload.clone(),
            );
            let error = sent.err().map(|error| error.to_string());
            let (tenant, store, id) = (&order.tenant, &order.store, &order.id);
            let details =
                json!({ "tenant": tenant, "store": store, "orderId": id, "event": event, "error": error });
            self.journal.write("event", details);
        }
    }

    /// What a device that runs wild says beside what it should.
    pub(super) fn flood(&self, order: &Order, behaviour: Behaviour, seq: u64) {
        if let Behaviour::Flood(times) = behaviour {
            for _ in 0..times {
                self.send(order, behaviour, Report::new("accepted", seq));
            }
        }
    }

    /// Says where a courier is, with `QoS` 0: the next word on it makes up for one that is lost.
    pub(super) fn position(&self, order: &Order, position: &Value) {
        let topic = order.positions(&self.prefix, &self.device);
        let sent = self.client.try_publish(topic, QoS::AtMostOnce, false, position.to_string());
        let error = sent.err().map(|error| error.to_string());
        self.journal.write("position", json!({ "orderId": order.id, "position": position, "error": error }));
    }
}
