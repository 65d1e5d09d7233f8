//! Orders that come over HTTP: what is kept of one until the operator has made an object of it.
//!
//! An order is announced first and written second. Whoever hears of one that is not there yet waits for it a while; an
//! announcement to which no order ever came is dropped. So no order is ever written of which nobody hears.

use comanda_crds::{Customer, FromLedger, Inline, OrderSpec};
use comanda_saga::Identity;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::contract::OrderRef;

/// How long after its announcement an order can still be written: a function's longest time, with room.
pub const UNWRITTEN: SignedDuration = SignedDuration::from_mins(2);

/// An order as its caller sent it, without the customer, who is in the contact item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Who sent it.
    pub caller: Caller,
    /// The `spec` of the `Order`, with `customer: {ledger: {}}`.
    pub spec: OrderSpec,
    /// When.
    pub at: Timestamp,
    /// Why its caller cancels it, where they do.
    pub cancel: Option<String>,
}

/// Who calls: a hash of what the API knows them by, which may be personal data.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
pub struct Caller(String);

/// A message of the intake queue: an order is there, or about to be.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Which. It is not called as in a wake: neither queue takes the other's messages for its own.
    pub announced: OrderRef,
}

impl Caller {
    /// The caller whom an issuer knows by this name.
    pub fn of(issuer: &str, name: &str) -> Self {
        Self(hash(&[issuer, name]))
    }

    /// The id of the order that this caller sends under an idempotency key to a tenant of an installation: the same for the
    /// same key, and nobody else's, of no other installation either. 128 bits, as 32 hexadecimal digits.
    pub fn order_id(&self, installation: &str, tenant: &str, key: &str) -> String {
        hash(&[&self.0, installation, tenant, key])[..32].to_owned()
    }
}

/// True of what an id of an order that came over HTTP looks like.
pub fn is_order_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A hash of parts whose bounds count.
fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    format!("{:x}", hash.finalize())
}

impl Sent {
    /// What is kept of an order that a caller sends, and its customer; none of one whose customer is not sent with it.
    pub fn of(caller: Caller, mut spec: OrderSpec, at: Timestamp) -> Option<(Self, Inline)> {
        let customer = spec.customer.inline.take()?;
        spec.customer = Customer { inline: None, secret_ref: None, ledger: Some(FromLedger {}) };
        Some((Self { caller, spec, at, cancel: None }, customer))
    }

    /// True of the same order, sent again by the same caller, whatever class the intake has by then.
    pub fn is_again(&self, other: &Self) -> bool {
        let class_name = self.spec.class_name.clone();
        self.caller == other.caller && self.spec == OrderSpec { class_name, ..other.spec.clone() }
    }
}

impl Announcement {
    /// Of an order.
    pub fn of(order: &Identity) -> Self {
        Self { announced: OrderRef::from(order) }
    }

    /// True when the order of an announcement made at `at` will not come any more.
    pub fn is_void(at: Timestamp, now: Timestamp) -> bool {
        at.checked_add(UNWRITTEN).is_ok_and(|until| until < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::now;

    #[test]
    fn an_orders_id_is_its_callers_and_its_keys_alone() {
        let (ana, bea) =
            (Caller::of("https://id.example.com", "ana"), Caller::of("https://id.example.com", "bea"));
        let of = |caller: &Caller, key| caller.order_id("bistro", "shop", key);
        assert_eq!(of(&ana, "k-1"), of(&ana, "k-1"));
        assert_ne!(of(&ana, "k-1"), of(&ana, "k-2"));
        assert_ne!(of(&ana, "k-1"), of(&bea, "k-1"));
        assert_ne!(Caller::of("https://id.example.co", "mana"), ana, "the bounds count");
        for (installation, tenant) in [("another", "shop"), ("bistro", "another")] {
            assert_ne!(ana.order_id(installation, tenant, "k-1"), of(&ana, "k-1"));
        }
        let id = of(&ana, "k-1");
        assert!(
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
        );
    }

    #[test]
    fn nothing_of_a_callers_name_is_kept() {
        assert!(!serde_json::to_string(&Caller::of("i", "ana@example.com")).expect("JSON").contains("ana"));
    }

    #[test]
    fn an_announcement_is_void_two_minutes_later() {
        assert!(!Announcement::is_void(now(), now() + UNWRITTEN));
        assert!(Announcement::is_void(now(), now() + UNWRITTEN + SignedDuration::from_millis(1)));
    }
}
