//! What the calls share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::Answer;
use super::calls::Calls;
use super::events::{self, Events};
use super::faults::Faults;
use super::idempotency::Keys;
use super::payments::Payments;
use super::request::Request;

/// The proxy's state.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) payments: Payments,
    pub(super) keys: Mutex<Keys>,
    pub(super) faults: Mutex<Faults>,
    pub(super) events: Events,
    pub(super) calls: Calls,
}

impl Proxy {
    /// Stripe says by itself what a call made happen.
    pub(super) fn tell_of(self: &Arc<Self>, request: &Request, answer: &Answer) {
        if let Some((kind, object)) = events::kind_of(request, answer.status, &answer.body) {
            self.say(kind, object);
        }
    }

    /// Stripe says by itself that something happened to an intent, or to what belongs to one.
    pub(super) fn say(self: &Arc<Self>, kind: &'static str, object: Value) {
        let intent =
            if object["object"] == "payment_intent" { &object["id"] } else { &object["payment_intent"] };
        let order = self.payments.order_of(intent.as_str().unwrap_or_default());
        let proxy = Arc::clone(self);
        tokio::spawn(async move { proxy.events.say(kind, object, order).await });
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
