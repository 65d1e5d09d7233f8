//! What is known of an object: the input of [`custody`](crate::custody) and [`status`](crate::status).

use comanda_crds::{OrderClassSpec, Reason};

use crate::circumstances::{Policy, Wishes};
use crate::identity::Identity;
use crate::record::{Owner, Record};
use crate::terms::Terms;

/// What is known of an object and its order.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The object, checked.
    pub order: OrderFacts,
    /// The class as it is now; none when it is gone. Live orders use what is pinned in their record.
    pub class: Option<ClassFacts>,
    /// The record as the ledger has it.
    pub record: Option<Record>,
    /// True when the owner in the record is known to be gone: a live read found no object with its uid.
    pub owner_is_gone: bool,
    /// The error that is being retried, when calls keep failing.
    pub trouble: Option<Trouble>,
    /// The process that decides.
    pub writer: String,
}

/// An error that keeps an order from moving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In one word.
    pub reason: Reason,
    /// What went wrong, without a full stop.
    pub error: String,
}

impl Observed {
    /// True while the order or its class is suspended.
    pub(crate) fn is_suspended(&self) -> bool {
        self.order.suspend || self.class.as_ref().is_some_and(|class| class.spec.suspend)
    }

    /// What people ask for.
    pub fn wishes(&self) -> Wishes {
        Wishes {
            cancel: self.order.cancel.clone(),
            deleted: self.order.deleted,
            suspend: self.is_suspended(),
            retry: self.order.retry.clone(),
            abandon: self.order.abandon.clone(),
        }
    }

    /// What the class says of how long and how often things may be tried.
    pub fn policy(&self) -> Option<Policy> {
        self.class.as_ref().map(|class| Policy::of(&class.spec))
    }
}

/// What matters of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// Who the order is.
    pub identity: Identity,
    /// This object.
    pub owner: Owner,
    /// `spec.className`.
    pub class_name: String,
    /// Digest of its immutable fields.
    pub digest: String,
    /// Its terms.
    pub terms: Terms,
    /// `metadata.generation`.
    pub generation: i64,
    /// The finalizer is on it.
    pub has_finalizer: bool,
    /// It is being deleted.
    pub deleted: bool,
    /// `spec.cancel.reason`.
    pub cancel: Option<String>,
    /// `spec.suspend`.
    pub suspend: bool,
    /// Seconds after finishing until the object goes; none keeps it.
    pub ttl: Option<i32>,
    /// The retry token.
    pub retry: Option<String>,
    /// The reason to abandon.
    pub abandon: Option<String>,
    /// The object asks to take the order over.
    pub take_over: bool,
}

/// What matters of the class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: OrderClassSpec,
    /// Why it takes no new order now; none while it takes them.
    pub closed: Option<Closed>,
}

/// Why a class takes no new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It has as many live orders as it may.
    Full,
    /// It is being deleted.
    Deleting,
}
