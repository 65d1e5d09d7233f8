//! What is known beside the record.

use comanda_crds::{OrderClassSpec, Timeouts};
use jiff::{SignedDuration, Timestamp};

/// What is known beside the record.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// What people ask for.
    pub wishes: Wishes,
    /// What the class says now; none when it is gone, and then what the record has pinned counts.
    pub policy: Option<Policy>,
    /// Since when what the class's devices say is heard; none while it is not.
    pub hearing_since: Option<Timestamp>,
    /// How long a repeated creation of a payment is certain to be the same one to the provider.
    pub key_lifetime: SignedDuration,
    /// The process that decides.
    pub writer: String,
}

/// What people ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Why the order is to be cancelled.
    pub cancel: Option<String>,
    /// The order's object is being deleted.
    pub deleted: bool,
    /// Nothing forward is to be begun.
    pub suspend: bool,
    /// The retry token.
    pub retry: Option<String>,
    /// The reason to abandon.
    pub abandon: Option<String>,
}

/// How long and how often things may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long others may take.
    pub timeouts: Timeouts,
    /// Tries of a message to the customer.
    pub notification_tries: u32,
}

impl Policy {
    /// What a class says.
    pub fn of(class: &OrderClassSpec) -> Self {
        Self {
            timeouts: class.timeouts.clone(),
            notification_tries: u32::try_from(class.retries.notification).unwrap_or(1),
        }
    }
}
