//! What Stripe sends by itself: whether a request is Stripe's, and which payment its event is about. Nothing else of an
//! event is read: what became of the payment, a look-up says.

mod signature;

use serde::Deserialize;
use serde_json::Value;

pub use signature::{Forged, NoSecret, SigningSecrets};

/// Longest body. Events are of a few kilobytes; a larger one is nobody's that Stripe signs.
pub const LONGEST_BODY: usize = 1 << 20;
/// Longest id or type that is read. Source: <https://docs.stripe.com/upgrades> (ids have up to 255 characters).
const LONGEST_NAME: usize = 255;

/// An event, as far as it is read. It holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, `evt_…`: the same each time it is sent.
    pub id: String,
    /// What it says happened, such as `payment_intent.succeeded`.
    pub kind: String,
    /// It is of the account's live mode.
    pub live: bool,
    /// The payment it is about, `pi_…`: that of an intent, a charge, a refund or a dispute. None of any other event.
    pub payment: Option<String>,
}

/// A body that is no event.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the body is no event of Stripe's")]
pub struct NoEvent;

/// Source: <https://docs.stripe.com/api/events/object>.
#[derive(Deserialize)]
struct Sent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    livemode: bool,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    object: Changed,
}

/// Whatever changed. An intent names itself; a charge, a refund and a dispute name theirs.
#[derive(Deserialize)]
struct Changed {
    object: Option<String>,
    id: Option<String>,
    /// An id, or the intent itself.
    payment_intent: Option<Value>,
}

impl Event {
    /// Reads a body whose signature holds.
    ///
    /// # Errors
    /// When it is no event.
    pub fn read(body: &[u8]) -> Result<Self, NoEvent> {
        let Sent { id, kind, livemode, data } = serde_json::from_slice(body).map_err(|_| NoEvent)?;
        if !is_name(&id) || !is_name(&kind) {
            return Err(NoEvent);
        }
        let payment = data.and_then(|data| data.object.payment()).filter(|id| is_payment(id));
        Ok(Self { id, kind, live: livemode, payment })
    }
}

impl Changed {
    fn payment(self) -> Option<String> {
        if self.object.as_deref() == Some("payment_intent") {
            return self.id;
        }
        match self.payment_intent? {
            Value::String(id) => Some(id),
            Value::Object(intent) => intent.get("id")?.as_str().map(str::to_owned),
            _ => None,
        }
    }
}

/// Letters, digits, underscores and dots: what goes into logs.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
}

/// The id becomes a part of the path by which the payment is read.
fn is_payment(id: &str) -> bool {
    id.starts_with("pi_") && is_name(id) && !id.contains('.')
}

#[cfg(test)]
mod tests;
