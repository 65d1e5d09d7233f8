//! The ledger record of one order: the system of record, which every decision is made from.

use std::collections::BTreeMap;

use comanda_crds::{Cause, OrderClassSpec, OrderSpec, Phase, Reason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::{Answer, Effect, Kind};
use crate::identity::Identity;
use crate::money::Money;
use crate::outcome::{Hold, RefundState};

/// The format in which records are written. A reader takes every format up to its own and refuses a later one, whose
/// meaning it cannot know. Format 1 had no number; formats 1 and 2 told of the payment in Stripe's words.
pub const FORMAT: u32 = 3;

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
    /// Why it is undone, when it is.
    pub fault: Option<Fault>,
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

/// What was ordered, normalised.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The store.
    pub store: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Lines by SKU, equal ones merged.
    pub lines: Vec<Line>,
    /// The total the customer agreed to, in minor units.
    pub agreed_total: Option<i64>,
    /// The provider's token.
    pub payment_method: String,
    /// The provider's customer for whom the method is saved. Absent, it leaves no trace in a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_customer: Option<String>,
}

impl Terms {
    /// The terms of a spec: equal SKUs merged, sorted by SKU.
    pub fn of(spec: &OrderSpec) -> Self {
        let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
        for item in &spec.items {
            let line = lines.entry(&item.sku).or_insert_with(|| Line {
                sku: item.sku.clone(),
                quantity: 0,
                agreed_price: item.unit_price,
            });
            line.quantity += i64::from(item.quantity);
            // Two prices for one article cannot both be the catalogue's: -1 never is.
            if line.agreed_price != item.unit_price {
                line.agreed_price = line.agreed_price.xor(item.unit_price).or(Some(-1));
            }
        }
        Self {
            store: spec.store.clone(),
            currency: spec.currency.clone(),
            lines: lines.into_values().collect(),
            agreed_total: spec.total,
            payment_method: spec.payment.payment_method.clone(),
            payment_customer: spec.payment.customer.clone(),
        }
    }
}

/// One article of an order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// The price of one that the customer agreed to, in minor units.
    pub agreed_price: Option<i64>,
}

/// One effect: intent, then outcome.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// How it stands.
    pub state: EntryState,
    /// Part of the key; rises only when the earlier attempt is proved to hold nothing.
    pub attempt: u32,
    /// The key the other side knows it by.
    pub key: String,
    /// How often the intent was taken.
    pub tries: u32,
    /// How often the call failed, or its answer was lost, in a process that lived to see it. What bounds how
    /// often something is tried: a process that dies again and again has not asked anybody yet.
    #[serde(default)]
    pub failures: u32,
    /// Device commands: the sequence number they carry.
    pub seq: Option<u64>,
    /// When the intent was first taken.
    pub started_at: Timestamp,
    /// When the intent was last taken.
    pub intended_at: Timestamp,
    /// When the outcome was known.
    pub finished_at: Option<Timestamp>,
    /// The outcome in a sentence, or the last error.
    pub message: Option<String>,
}

/// How an effect stands.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryState {
    /// The intent is written; whether the call took effect is not known.
    Intended,
    /// The other side was asked, and it did not happen: it may be intended again.
    NotDone,
    /// It happened.
    Done,
    /// It will not happen, and the order goes on without it.
    Failed,
    /// A deadline passed before the other side confirmed it.
    Unconfirmed,
}

/// The payment, as the provider last answered.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payment {
    /// The provider's id.
    #[serde(alias = "intent_id")]
    pub id: Option<String>,
    /// How it stands.
    #[serde(alias = "state")]
    pub hold: Option<Hold>,
    /// Amount held, in minor units.
    pub authorized: i64,
    /// Amount taken, in minor units.
    pub captured: i64,
    /// Amount paid back, in minor units.
    pub refunded: i64,
    /// Where the customer confirms the payment, while that is awaited.
    pub action_url: Option<String>,
    /// Why the customer's bank refused, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decline: Option<String>,
    /// The taken amount, where it is not the order's, that a person was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questioned: Option<i64>,
    /// When the provider lets the held amount go, in Unix seconds, where it says so.
    pub capture_before: Option<i64>,
    /// The refund's state.
    pub refund: Option<RefundState>,
    /// The provider was asked since undoing began.
    pub known_to_undo: bool,
}

/// What a device said last.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device<S> {
    /// The furthest state it reported.
    pub state: S,
    /// Who: the kitchen's or the courier's client id.
    pub who: Option<String>,
    /// When it was last heard.
    pub heard_at: Option<Timestamp>,
    /// The reason it gave for a refusal.
    pub reason: Option<String>,
    /// It answered a recall: true for cancelled, false for refused.
    pub recalled: Option<bool>,
}

impl<S: Default> Default for Device<S> {
    fn default() -> Self {
        Self { state: S::default(), who: None, heard_at: None, reason: None, recalled: None }
    }
}

/// How far the kitchen is. Ordered by rank, so late and repeated events change nothing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KitchenState {
    /// Not heard.
    #[default]
    Unknown,
    /// It took the order.
    Accepted,
    /// It began: the ingredients are spent.
    Preparing,
    /// It said no.
    Rejected,
    /// The food is ready.
    Ready,
}

/// How far the courier is. Ordered by rank, so late and repeated events change nothing.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CourierState {
    /// Not heard.
    #[default]
    Unknown,
    /// A courier took the order.
    Accepted,
    /// The food left the store: the point of no return for a cancel.
    PickedUp,
    /// It could not be delivered.
    Failed,
    /// The customer has it.
    Delivered,
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
            class: class.clone(),
            terms,
            total: None,
            doubts: Vec::new(),
            journal: BTreeMap::new(),
            payment: Payment::default(),
            seq: 0,
            kitchen: Device::default(),
            stock_spent: false,
            courier: Device::default(),
            fault: None,
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

    /// How an effect stands; none when it was never intended.
    pub fn state(&self, effect: Effect) -> Option<EntryState> {
        self.journal.get(&effect).map(|entry| entry.state)
    }

    /// True when the effect happened.
    pub fn is_done(&self, effect: Effect) -> bool {
        self.state(effect) == Some(EntryState::Done)
    }

    /// True when the effect happened or may have happened.
    pub fn may_have_happened(&self, effect: Effect) -> bool {
        matches!(self.state(effect), Some(EntryState::Done | EntryState::Intended))
    }

    /// True when what an effect awaits has come.
    pub fn is_answered(&self, answer: Answer) -> bool {
        match answer {
            Answer::Ready => self.kitchen.state == KitchenState::Ready,
            Answer::Delivered => self.courier.state == CourierState::Delivered,
            Answer::KitchenRecalled => self.kitchen.recalled.is_some(),
            Answer::CourierRecalled => self.courier.recalled.is_some(),
        }
    }

    /// Takes the intent for an effect: the next write records it, before the call is made.
    pub fn intend(&mut self, effect: Effect, now: Timestamp) {
        let entry = self.journal.entry(effect).or_insert_with(|| Entry {
            state: EntryState::Intended,
            attempt: 1,
            key: self.identity.key(effect, 1),
            tries: 0,
            failures: 0,
            seq: (effect.row().kind == Kind::Command).then(|| {
                self.seq += 1;
                self.seq
            }),
            started_at: now,
            intended_at: now,
            finished_at: None,
            message: None,
        });
        entry.state = EntryState::Intended;
        entry.tries += 1;
        entry.intended_at = now;
        entry.finished_at = None;
    }

    /// Starts a new attempt, with a key of its own, at an effect whose earlier attempt is proved to
    /// have done nothing.
    pub fn next_attempt(&mut self, effect: Effect) {
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.attempt += 1;
            entry.key = self.identity.key(effect, entry.attempt);
            entry.state = EntryState::NotDone;
        }
    }

    /// Writes an outcome down. An effect that needs no call, such as a reservation, gets its entry here.
    pub fn settle(
        &mut self,
        effect: Effect,
        state: EntryState,
        message: impl Into<Option<String>>,
        now: Timestamp,
    ) {
        if !self.journal.contains_key(&effect) {
            self.intend(effect, now);
        }
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.state = state;
            entry.finished_at = Some(now);
            entry.message = message.into();
        }
    }

    /// True when nothing is left to do but to hear what the bank says of a refund.
    pub fn waits_for_bank(&self) -> bool {
        self.phase == Phase::Compensating
            && self.payment.refund == Some(RefundState::Pending)
            && matches!(self.state(Effect::NotifyEnding), Some(EntryState::Done | EntryState::Failed))
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
