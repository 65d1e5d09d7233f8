//! Builders of small orders, and a world that answers the saga's calls.
#![allow(dead_code)] // Each test binary uses its part.

mod device;
pub mod driver;
pub mod machine;
pub mod world;

use comanda_crds::{
    Capture, Catalogue, Devices, Executor, Ledger, Notifications, OrderClassSpec, OrderSpec, Payments,
    Retries, SecretKeyRef, SecretName, StepFunctions, Stripe, Timeouts, Validation,
};
use comanda_saga::custody::{self, Action};
use comanda_saga::observed::{ClassFacts, OrderFacts};
use comanda_saga::{
    Circumstances, Contradiction, DeviceEvent, DeviceSignal, Driver, Identity, Observed, Owner, Phase,
    Record, Terms, Trouble, Wait, digest,
};
use comanda_steps::carry::{InHand, Request};
use jiff::{SignedDuration, Timestamp};

/// What the order of [`spec`] costs, in minor units.
pub const TOTAL: i64 = 2500;
/// The payment token of [`spec`], which must never be shown.
pub const TOKEN: &str = "pm_card_visa";
/// The kitchen's device.
pub const KITCHEN: &str = "kitchen-1";
/// The courier's device.
pub const COURIER: &str = "courier-1";

/// Seconds after the tests' beginning of time, 2026-01-15T12:00:00Z.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::constant(1_768_478_400, 0) + SignedDuration::from_secs(seconds)
}

/// Two pizzas and a cola.
pub fn spec() -> OrderSpec {
    serde_json::from_value(serde_json::json!({
        "className": "lisbon",
        "customer": {"secretRef": {"name": "ana"}},
        "store": "baixa",
        "items": [{"sku": "pizza", "quantity": 2, "unitPrice": 1000}, {"sku": "cola", "quantity": 1}],
        "currency": "EUR",
        "total": TOTAL,
        "payment": {"paymentMethod": TOKEN},
    }))
    .expect("an order")
}

/// A class with the default time-outs that takes the money when the food is ready.
pub fn class() -> OrderClassSpec {
    OrderClassSpec {
        validation: Validation::default(),
        executor: None,
        installation: "test".to_owned(),
        aws: None,
        ledger: Ledger { table: "ledger".to_owned(), contact_key: secret("contact-key") },
        catalogue: Catalogue { table: "catalogue".to_owned() },
        notifications: Notifications { topic_arn: "arn:aws:sns:eu-west-1:000000000000:orders".to_owned() },
        payments: Payments {
            stripe: Stripe {
                secret_key: Some(secret("stripe")),
                url: "https://api.stripe.com".to_owned(),
                return_url: None,
                webhook: None,
            },
            capture: Capture::WhenReady,
        },
        devices: Devices {
            endpoint: "broker:8883".to_owned(),
            topic_prefix: "comanda".to_owned(),
            certificate: Some(SecretName { secret_name: "mqtt".to_owned() }),
        },
        timeouts: Timeouts { pickup_seconds: 60, ..Timeouts::default() },
        retries: Retries { notification: 2 },
        suspend: false,
        max_live_orders: None,
        intake: None,
    }
}

/// All phases that a class can delegate.
pub const ALL: [Phase; 6] = [
    Phase::Validating,
    Phase::Paying,
    Phase::Notifying,
    Phase::Preparing,
    Phase::Delivering,
    Phase::Compensating,
];

/// A state machine that carries orders through these phases.
pub fn executor(phases: &[Phase]) -> Executor {
    let account = "eu-west-1:000000000000";
    Executor {
        step_functions: StepFunctions {
            state_machine_arn: format!("arn:aws:states:{account}:stateMachine:order"),
            queue_url: "https://sqs.eu-west-1.amazonaws.com/000000000000/wake".to_owned(),
            phases: phases.to_vec(),
        },
    }
}

fn secret(name: &str) -> SecretKeyRef {
    SecretKeyRef { secret_name: name.to_owned(), key: "key".to_owned() }
}

/// The object of [`spec`], just created.
pub fn facts() -> OrderFacts {
    let spec = spec();
    OrderFacts {
        identity: Identity::of("test", "lisbon", "order-1", &spec),
        owner: owner("uid-1"),
        class_name: spec.class_name.clone(),
        digest: digest(&spec),
        terms: Terms::of(&spec),
        generation: 1,
        has_finalizer: false,
        deleted: false,
        cancel: None,
        suspend: false,
        ttl: None,
        retry: None,
        abandon: None,
        take_over: false,
    }
}

/// The owner with this uid, in the tests' own cluster.
pub fn owner(uid: &str) -> Owner {
    Owner {
        cluster: "home".to_owned(),
        namespace: "lisbon".to_owned(),
        name: "order-1".to_owned(),
        uid: uid.to_owned(),
    }
}

/// What an operator would do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To the object.
    Object(Action),
    /// For the record.
    Record(Request),
}

/// What an operator sees of an order, beside what it has in hand.
#[derive(Clone, Debug)]
pub struct Seen {
    pub order: OrderFacts,
    pub class: Option<ClassFacts>,
    /// What devices said since the order was read.
    pub events: Vec<DeviceEvent>,
    pub owner_is_gone: bool,
    pub hearing_since: Option<Timestamp>,
    pub trouble: Option<Trouble>,
    pub writer: String,
}

impl Seen {
    /// What custody and status are told, when the ledger holds `record`.
    pub fn observed(&self, record: Option<Record>) -> Observed {
        Observed {
            order: self.order.clone(),
            class: self.class.clone(),
            record,
            owner_is_gone: self.owner_is_gone,
            trouble: self.trouble.clone(),
            writer: self.writer.clone(),
        }
    }

    /// What an operator would do now, first, and when it looks again if that is nothing.
    pub fn asks(
        &self,
        hand: Option<&InHand>,
        now: Timestamp,
    ) -> (Observed, Result<(Vec<Ask>, Wait), Contradiction>) {
        let observed = self.observed(hand.map(|hand| hand.saved.clone()));
        let asked = self.ask(&observed, hand, now);
        (observed, asked)
    }

    fn ask(
        &self,
        observed: &Observed,
        hand: Option<&InHand>,
        now: Timestamp,
    ) -> Result<(Vec<Ask>, Wait), Contradiction> {
        let asks: Vec<Ask> = custody::take(observed, now)?.into_iter().map(Ask::Object).collect();
        let own = |hand: &&InHand| hand.saved.is_owned_by(&self.order.owner);
        let Some(mut hand) = hand.filter(own).filter(|_| asks.is_empty()).cloned() else {
            return Ok((asks, custody::wait(observed, now)));
        };
        hand.hear(self.events.clone());
        Ok(match hand.next(&self.circumstances(), now)? {
            Ok(request) => (vec![Ask::Record(request)], Wait::ForEvent),
            Err(_) if hand.saved.phase.is_final() => {
                let (action, due) = custody::release(&self.order, &hand.saved, now);
                (action.map(Ask::Object).into_iter().collect(), due)
            }
            Err(rest) => (asks, rest.wait()),
        })
    }

    /// What the loop is told.
    pub fn circumstances(&self) -> Circumstances {
        let observed = self.observed(None);
        Circumstances {
            driver: Driver::Operator,
            wishes: observed.wishes(),
            policy: observed.policy(),
            hearing_since: self.hearing_since,
            key_lifetime: SignedDuration::from_hours(23),
            writer: self.writer.clone(),
        }
    }
}

/// What an operator sees of [`facts`].
pub fn seen() -> Seen {
    Seen {
        order: facts(),
        class: Some(ClassFacts { name: "lisbon".to_owned(), spec: class(), closed: None }),
        events: Vec::new(),
        owner_is_gone: false,
        hearing_since: Some(Timestamp::UNIX_EPOCH),
        trouble: None,
        writer: "writer-1".to_owned(),
    }
}

/// What a device said.
pub fn event(signal: DeviceSignal, seq: u64) -> DeviceEvent {
    let device = match signal {
        DeviceSignal::Kitchen(_) | DeviceSignal::KitchenRecalled(_) => KITCHEN,
        DeviceSignal::Courier(_) | DeviceSignal::CourierRecalled(_) => COURIER,
    };
    DeviceEvent {
        id: format!("{signal:?}/{seq}"),
        signal,
        seq,
        device: device.to_owned(),
        reason: None,
        at: at(0),
    }
}
