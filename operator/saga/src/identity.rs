//! Who an order is, and the keys that follow from it.

use std::fmt;
use std::str::FromStr;

use comanda_crds::{Customer, OrderSpec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::effect::{Effect, Kind};
use crate::terms::Terms;

/// An order's identity: `installation/tenant/orderId`. Never the object's uid, so that an object that
/// Git, a backup or a new cluster creates again is the same order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The class's installation.
    pub installation: String,
    /// The namespace of the order.
    pub tenant: String,
    /// `spec.orderId`, or the object's name.
    pub order_id: String,
}

impl Identity {
    /// The identity of the order `name` in `namespace`.
    pub fn of(installation: &str, namespace: &str, name: &str, spec: &OrderSpec) -> Self {
        Self {
            installation: installation.to_owned(),
            tenant: namespace.to_owned(),
            order_id: spec.order_id.clone().unwrap_or_else(|| name.to_owned()),
        }
    }

    /// The key under which a service knows one attempt at an effect. Attempts come from the ledger,
    /// never from a clock or a random value, so a repeated call carries the same key.
    pub fn key(&self, effect: Effect, attempt: u32) -> String {
        let key = format!("{self}/{}/{attempt}", effect.row().key_part);
        if effect.row().kind == Kind::Execution { self.execution_name(&key, attempt) } else { key }
    }

    /// The name of an execution: at most 80 characters, of which a slash is none.
    /// Source: <https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>.
    fn execution_name(&self, key: &str, attempt: u32) -> String {
        let hash = format!("{:x}", Sha256::digest(key));
        format!("{}-{attempt}-{}", self.order_id, &hash[..16])
    }
}

/// Longest installation, tenant and order id.
const PARTS: [usize; 3] = [32, 63, 40];

/// Why a text is no order's identity.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("no order can be called like that")]
pub struct NoIdentity;

impl FromStr for Identity {
    type Err = NoIdentity;

    /// An identity that an order can have, as [`fmt::Display`] writes it: what else there is would be a key that the ledger
    /// refuses.
    fn from_str(text: &str) -> Result<Self, NoIdentity> {
        let parts: Vec<&str> = text.split('/').collect();
        let [installation, tenant, order_id] = parts[..] else { return Err(NoIdentity) };
        let is_part = |(part, longest): (&&str, usize)| {
            let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=longest).contains(&part.len()) && part.bytes().all(letter)
        };
        if !parts.iter().zip(PARTS).all(is_part) {
            return Err(NoIdentity);
        }
        let [installation, tenant, order_id] = [installation, tenant, order_id].map(str::to_owned);
        Ok(Self { installation, tenant, order_id })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.installation, self.tenant, self.order_id)
    }
}

/// What makes two manifests the same order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canonical<'a> {
    class_name: &'a str,
    customer: &'a Customer,
    terms: Terms,
}

/// SHA-256 (hex) of what makes two manifests the same order: the class, the customer and the terms,
/// with equal SKUs merged and sorted, so that order and grouping of lines do not matter. It is written
/// field by field as declared: a JSON map's order would depend on how `serde_json` was built.
pub fn digest(spec: &OrderSpec) -> String {
    let canonical =
        Canonical { class_name: &spec.class_name, customer: &spec.customer, terms: Terms::of(spec) };
    let bytes = serde_json::to_vec(&canonical).expect("structs of strings and numbers serialise");
    format!("{:x}", Sha256::digest(bytes))
}
