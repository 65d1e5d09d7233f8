//! What is known beside the record.

use comanda_crds::{OrderClassSpec, Timeouts};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::driver::Driver;
use crate::record::Record;

/// What is known beside the record.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Who asks.
    pub driver: Driver,
    /// What people ask for.
    pub wishes: Wishes,
    /// What the class says now; none when it is gone, and then what the record has pinned counts.
    pub policy: Option<Policy>,
    /// Since when what the class's devices say is heard; none while it is not. A step need not say.
    pub hearing_since: Option<Timestamp>,
    /// How long a repeated creation of a payment is certain to be the same one to the provider.
    pub key_lifetime: SignedDuration,
    /// The process that decides.
    pub writer: String,
}

impl Circumstances {
    /// Since when what devices say is heard. A step reads all of it before it decides, so that it never begins to listen.
    pub(crate) fn hearing_since(&self) -> Option<Timestamp> {
        if self.driver.is_operator() { self.hearing_since } else { Some(Timestamp::UNIX_EPOCH) }
    }

    /// How long and how often things may be tried of an order: as the class says now, as it was last written down, or as it
    /// was pinned.
    pub(crate) fn policy_of(&self, record: &Record) -> Policy {
        let known = self.policy.clone().or_else(|| record.policy.clone());
        known.unwrap_or_else(|| Policy::of(&record.class))
    }
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
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
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
