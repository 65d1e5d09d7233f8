//! One order that holds, for the tests of every step: two pizzas from `centro`, 19.00 EUR.

use std::sync::Mutex;

use async_trait::async_trait;
use comanda_crds::{Address, Inline, OrderClassSpec};
use comanda_saga::{Effect, Identity, Line, Money, Owner, PaymentView, Record, RefundView, Terms};
use jiff::{SignedDuration, Timestamp};

use crate::customer::Contact;
use crate::ports::{
    Article, DeviceError, Devices, Invalid, NewPayment, PaymentError, PaymentRules, Payments, Unchargeable,
};

pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

pub(crate) fn identity() -> Identity {
    Identity { installation: "bistro".to_owned(), tenant: "shop".to_owned(), order_id: "a-1".to_owned() }
}

fn class() -> OrderClassSpec {
    serde_json::from_value(serde_json::json!({
        "installation": "bistro",
        "ledger": {"table": "ledger", "contactKey": {"secretName": "keys", "key": "contact"}},
        "catalogue": {"table": "catalogue"},
        "notifications": {"topicArn": "arn:aws:sns:eu-west-1:000000000000:orders"},
        "payments": {"stripe": {"secretKey": {"secretName": "stripe", "key": "secret"}}},
        "devices": {
            "endpoint": "localhost:8883",
            "topicPrefix": "comanda",
            "certificate": {"secretName": "mqtt"}
        }
    }))
    .expect("a class")
}

/// The record as it is claimed, with its total.
pub(crate) fn record() -> Record {
    let owner = Owner {
        cluster: "c".to_owned(),
        namespace: "shop".to_owned(),
        name: "a-1".to_owned(),
        uid: "u-1".to_owned(),
    };
    let terms = Terms {
        store: "centro".to_owned(),
        currency: "EUR".to_owned(),
        lines: vec![Line { sku: "margherita".to_owned(), quantity: 2, agreed_price: None }],
        agreed_total: Some(1900),
        payment_method: "pm_card_visa".to_owned(),
        payment_customer: None,
    };
    let mut record =
        Record::claim(identity(), owner, "digest".to_owned(), "standard", &class(), terms, now());
    record.total = Some(1900);
    record
}

/// The record once it intends an effect.
pub(crate) fn intending(effect: Effect) -> Record {
    let mut record = record();
    record.intend(effect, now()).expect("a legal move");
    record
}

pub(crate) fn article(sku: &str, price: i64) -> Article {
    Article {
        sku: sku.to_owned(),
        price,
        currency: "EUR".to_owned(),
        available: true,
        stock: 5,
        name: "Pizza".to_owned(),
    }
}

pub(crate) fn customer() -> Inline {
    Inline {
        name: "Ana Torres".to_owned(),
        phone: "+34600000000".to_owned(),
        email: "ana@example.com".to_owned(),
        locale: "es-MX".to_owned(),
        address: Address {
            country: "ES".to_owned(),
            postal_code: Some("28013".to_owned()),
            administrative_area: Some("Madrid".to_owned()),
            locality: Some("Madrid".to_owned()),
            dependent_locality: None,
            lines: vec!["Calle Mayor 1".to_owned()],
        },
    }
}

pub(crate) fn contact() -> Contact {
    Contact::of(&customer())
}

/// A broker that takes everything, or nothing.
#[derive(Default)]
pub(crate) struct Broker {
    silent: bool,
    sent: Mutex<Vec<(String, serde_json::Value)>>,
}

impl Broker {
    pub(crate) fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    pub(crate) fn sent(&self) -> Vec<(String, serde_json::Value)> {
        self.sent.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Devices for Broker {
    async fn send(&self, topic: &str, payload: Vec<u8>) -> Result<(), DeviceError> {
        if self.silent {
            return Err(DeviceError("not connected".to_owned()));
        }
        let command = serde_json::from_slice(&payload).expect("JSON");
        self.sent.lock().expect("no panic").push((topic.to_owned(), command));
        Ok(())
    }
}

/// A provider that answers as told and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Provider {
    pub(crate) answer: Option<PaymentError>,
    pub(crate) intent: Option<PaymentView>,
    pub(crate) refunds: Vec<RefundView>,
    /// Whose order each payment is for.
    pub(crate) order: Option<Identity>,
    /// The most that it charges, in minor units of any currency; none when anything.
    pub(crate) charges_up_to: Option<i64>,
    pub(crate) asked: Mutex<Vec<String>>,
}

impl Provider {
    pub(crate) fn declining(code: &str, intent: PaymentView) -> Self {
        let answer = Some(PaymentError::Declined { code: code.to_owned() });
        Self { answer, intent: Some(intent), ..Self::default() }
    }

    pub(crate) fn refusing(code: &str, intent: PaymentView) -> Self {
        let answer = PaymentError::Invalid(Invalid { code: code.to_owned(), ..Invalid::default() });
        Self { answer: Some(answer), intent: Some(intent), ..Self::default() }
    }

    fn post(&self, what: String) -> Result<PaymentView, PaymentError> {
        self.asked.lock().expect("no panic").push(what);
        self.answer.clone().map_or_else(|| Ok(self.intent.clone().expect("an intent")), Err)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl PaymentRules for Provider {
    fn check_amount(&self, amount: &Money) -> Result<(), Unchargeable> {
        match self.charges_up_to {
            Some(most) if amount.minor > most => Err(Unchargeable(format!("{amount} is too much for it"))),
            _ => Ok(()),
        }
    }
    fn key_lifetime(&self) -> SignedDuration {
        SignedDuration::from_hours(1)
    }
}

#[async_trait]
impl Payments for Provider {
    async fn create(&self, payment: &NewPayment<'_>) -> Result<PaymentView, PaymentError> {
        let NewPayment { amount, payment_method, store, recipient, key, .. } = payment;
        self.post(format!("create {amount} {payment_method} {store} {} {key}", recipient.name))
    }
    async fn confirm(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.post(format!("confirm {id} {key}"))
    }
    async fn capture(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.post(format!("capture {id} {key}"))
    }
    async fn cancel(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.post(format!("cancel {id} {key}"))
    }
    async fn get(&self, id: &str) -> Result<PaymentView, PaymentError> {
        self.asked.lock().expect("no panic").push(format!("get {id}"));
        self.intent.clone().ok_or_else(|| PaymentError::Unanswered("timeout".to_owned()))
    }
    async fn refund(&self, id: &str, key: &str) -> Result<RefundView, PaymentError> {
        self.post(format!("refund {id} {key}")).map(|_| self.refunds[0].clone())
    }
    async fn refunds(&self, id: &str) -> Result<Vec<RefundView>, PaymentError> {
        self.asked.lock().expect("no panic").push(format!("refunds {id}"));
        Ok(self.refunds.clone())
    }
    async fn order_of(&self, id: &str) -> Result<Option<Identity>, PaymentError> {
        self.asked.lock().expect("no panic").push(format!("order of {id}"));
        self.answer.clone().map_or_else(|| Ok(self.order.clone()), Err)
    }
}
