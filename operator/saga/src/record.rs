//! The ledger record of one order: the system of record, which every decision is made from.

use std::collections::BTreeMap;

use comanda_crds::{Cause, OrderClassSpec, Phase, Reason};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::circumstances::Policy;
use crate::device::{CourierState, Device, Dispatch, KitchenState};
use crate::effect::{Answer, Effect};
use crate::identity::Identity;
use crate::journal::{Entry, EntryState};
use crate::money::Money;
use crate::payment::{Payment, RefundState};
use crate::terms::Terms;

/// The format in which records are written. A reader takes every format up to its own and refuses a later one, whose
/// meaning it cannot know. Format 1 had no number; formats 1 and 2 told of the payment in its provider's words; up to
/// format 3, the first courier to speak had the order. Later ones are those of the effects that were added: see
/// `since` in their rows.
pub const FORMAT: u32 = Effect::format_of_all();

/// How long an execution waits for the bank's word on a refund.
pub const LONGEST_EXECUTED_REFUND: SignedDuration = SignedDuration::from_hours(24);

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn first_format() -> u32 {
    1
}

/// Everything that is known of an order. It holds no personal data: that is in the contact item.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// [`FORMAT`] when it was written; 1 where there is none.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Who the order is.
    pub identity: Identity,
    /// Rises by one with each write; a write names the version it replaces, or it does not happen.
    pub version: u64,
    /// Rises with each change of owner: the fence against a writer that was replaced.
    pub epoch: u64,
    /// The process that wrote this version. Tells an own write, seen twice, from another's.
    pub writer: String,
    /// The object that owns the order; none when the intake wrote it and nobody claimed it yet.
    pub owner: Option<Owner>,
    /// [`crate::digest`] of the spec that was claimed.
    pub digest: String,
    /// Doing or undoing. Turns once, to [`Direction::Undo`].
    pub direction: Direction,
    /// Where the order is.
    pub phase: Phase,
    /// Name of the class.
    pub class_name: String,
    /// The class as it was at the claim: an undo goes where the doing went.
    pub class: OrderClassSpec,
    /// What was ordered.
    pub terms: Terms,
    /// What it costs by the catalogue, in minor units; known once validated.
    pub total: Option<i64>,
    /// The customer's contact could not be opened when it was last asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contact_unreadable: bool,
    /// What validation took with a doubt, a sentence a field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// One entry an effect: its intent, then its outcome.
    pub journal: BTreeMap<Effect, Entry>,
    /// The payment, as the provider last answered.
    pub payment: Payment,
    /// Last sequence number given to a device command.
    pub seq: u64,
    /// What the kitchen said.
    pub kitchen: Device<KitchenState>,
    /// The kitchen said that it began, before the stock was returned: what the order takes is used up.
    pub stock_spent: bool,
    /// What the courier said.
    pub courier: Device<CourierState>,
    /// Couriers beside that one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dispatch: Dispatch,
    /// Why it is undone, when it is.
    pub fault: Option<Fault>,
    /// Somebody asked to hold the order: an execution, which sees no object, is to begin nothing forward.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// How long and how often things may be tried, where the class says otherwise now than at the claim: an execution sees
    /// no class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Set while a person is needed.
    pub stall: Option<Stall>,
    /// The reason a person gave to let the rest go.
    pub abandoned: Option<String>,
    /// The last `comanda.dev/retry` token that was acted on.
    pub handled_retry: Option<String>,
    /// The last `comanda.dev/abandon` that came while there was nothing to abandon: it does not count later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_abandon: Option<String>,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// When the phase began.
    pub phase_since: Timestamp,
    /// When it reached a final phase.
    pub finished_at: Option<Timestamp>,
}

/// The object that owns an order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The cluster's name: by default the uid of its `kube-system` namespace.
    pub cluster: String,
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The object's uid.
    pub uid: String,
}

/// Doing or undoing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Towards delivery.
    Forward,
    /// Back to nothing charged and the stock returned.
    Undo,
}

/// Why an order is undone.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The cause, which decides the final phase.
    pub cause: Cause,
    /// What happened, in a sentence without personal data.
    pub message: String,
}

/// Why a person is needed.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stall {
    /// In one word.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// A person has seen to it.
    pub acknowledged: bool,
}

impl Stall {
    /// A stall nobody has seen to yet.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), acknowledged: false }
    }
}

impl Record {
    /// The record of an order as its first owner claims it.
    pub fn claim(
        identity: Identity,
        owner: Owner,
        digest: String,
        class_name: &str,
        class: &OrderClassSpec,
        terms: Terms,
        now: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT,
            identity,
            version: 1,
            epoch: 1,
            writer: String::new(),
            owner: Some(owner),
            digest,
            direction: Direction::Forward,
            phase: Phase::Pending,
            class_name: class_name.to_owned(),
            class: class.pinned(),
            terms,
            total: None,
            contact_unreadable: false,
            doubts: Vec::new(),
            journal: BTreeMap::new(),
            payment: Payment::default(),
            seq: 0,
            kitchen: Device::default(),
            stock_spent: false,
            courier: Device::default(),
            dispatch: Dispatch::default(),
            fault: None,
            suspended: false,
            policy: None,
            stall: None,
            abandoned: None,
            handled_retry: None,
            early_abandon: None,
            created_at: now,
            phase_since: now,
            finished_at: None,
        }
    }

    /// What the order costs, once that is known.
    pub fn total(&self) -> Option<Money> {
        self.total.map(|minor| Money::new(minor, &self.terms.currency))
    }

    /// True when this object has the order.
    pub fn is_owned_by(&self, owner: &Owner) -> bool {
        self.owner.as_ref() == Some(owner)
    }

    /// True when what an effect awaits has come.
    pub fn is_answered(&self, answer: Answer) -> bool {
        match answer {
            Answer::Ready => self.kitchen.state == KitchenState::Ready,
            Answer::PickedUp => self.courier.state >= CourierState::PickedUp,
            Answer::Delivered => self.courier.state == CourierState::Delivered,
            Answer::KitchenRecalled => self.kitchen.recalled.is_some(),
            Answer::CourierRecalled => self.courier.recalled.is_some(),
        }
    }

    /// True when nothing is left to do but to hear what the bank says of a refund.
    pub fn waits_for_bank(&self) -> bool {
        self.phase == Phase::Compensating
            && self.payment.refund == Some(RefundState::Pending)
            && matches!(self.state(Effect::NotifyEnding), Some(EntryState::Done | EntryState::Failed))
    }

    /// True when a device may be about to speak of the order.
    pub fn is_spoken_of(&self) -> bool {
        !self.phase.is_final() && self.journal.contains_key(&Effect::Prepare)
    }

    /// The execution that the journal names: no other acts.
    pub fn execution(&self) -> Option<&str> {
        let entry = self.journal.get(&Effect::Execute)?;
        let named = matches!(entry.state, EntryState::Intended | EntryState::Done);
        named.then_some(entry.key.as_str())
    }

    /// True when the journal names this execution.
    pub fn is_executed_by(&self, execution: &str) -> bool {
        self.execution() == Some(execution)
    }

    /// True when an execution carries the order through its phase, or is to. A bank that takes longer over a refund than
    /// [`LONGEST_EXECUTED_REFUND`] is followed by the operator, where that has the key.
    pub fn is_delegated(&self, now: Timestamp) -> bool {
        let executor = self.class.executor.as_ref();
        let late = self.waits_for_bank() && self.refund_is_older_than(LONGEST_EXECUTED_REFUND, now);
        executor.is_some_and(|executor| executor.step_functions.phases.contains(&self.phase))
            && !(late && self.class.payments.stripe.secret_key.is_some())
    }

    fn refund_is_older_than(&self, age: SignedDuration, now: Timestamp) -> bool {
        self.journal.get(&Effect::Refund).is_some_and(|entry| entry.intended_at + age <= now)
    }

    /// True while a person is needed.
    pub fn is_stalled(&self) -> bool {
        self.stall.as_ref().is_some_and(|stall| !stall.acknowledged)
    }

    /// Turns the order round. Only the first fault counts.
    pub fn raise(&mut self, cause: Cause, message: impl Into<String>) {
        if self.direction == Direction::Forward {
            self.direction = Direction::Undo;
            self.fault = Some(Fault { cause, message: sentence(&message.into()) });
        }
    }
}

/// A text that ends like a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}
