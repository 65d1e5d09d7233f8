//! What a decision asks for.

use comanda_crds::OrderStatus;
use jiff::Timestamp;

use crate::effect::Effect;
use crate::record::Record;

/// What the decision asks for.
#[derive(Clone, Debug)]
pub struct Decision {
    /// To be done in this order; when one fails, those behind it are not done.
    pub actions: Vec<Action>,
    /// What the object should say now.
    pub status: OrderStatus,
    /// What comes when no action is left.
    pub wait: Wait,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Puts the finalizer on the object.
    AddFinalizer,
    /// Takes the finalizer off: the object may go.
    RemoveFinalizer,
    /// Deletes the finished object, its time to live being over.
    DeleteObject,
    /// Writes the record, on condition that nobody else did.
    Write(Box<Write>),
    /// Makes a call whose intent the write before it recorded, or one that only reads.
    Call(Call),
}

/// A conditional write of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// The whole record, with its new version.
    pub record: Record,
    /// True when no record may exist yet.
    pub create: bool,
    /// Stock that moves in the same transaction. When there is not enough, nothing of the write happened,
    /// and the refusal belongs to the record as it was before.
    pub stock: StockChange,
}

/// Stock that moves together with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StockChange {
    /// None.
    None,
    /// The order's lines are taken, if there is enough of each.
    Take,
    /// The order's lines are returned.
    Return,
}

/// A call outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Brings an effect about; its intent is in the ledger.
    Do(Effect),
    /// Only reads, and needs no intent.
    Read(Look),
}

/// What is looked at, and changed by nobody's looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumIter)]
pub enum Look {
    /// The catalogue and the customer's data: whether the order holds.
    Validation,
    /// The payment.
    Payment,
    /// The payment's refunds.
    Refunds,
}

impl Call {
    /// The effect the call has; none when it only reads.
    pub fn effect(self) -> Option<Effect> {
        match self {
            Self::Do(effect) => Some(effect),
            Self::Read(_) => None,
        }
    }

    /// The name, as metrics and logs write it: the effect's, or what is read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Do(effect) => effect.name(),
            Self::Read(look) => look.into(),
        }
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As soon as the actions are done.
    Not,
    /// When an event comes, or at this time.
    Until(Timestamp),
    /// When an event comes.
    ForEvent,
}

impl Wait {
    /// At this time at the latest.
    #[must_use]
    pub fn or_at(self, time: Timestamp) -> Self {
        match self {
            Self::Not => Self::Not,
            Self::Until(other) => Self::Until(other.min(time)),
            Self::ForEvent => Self::Until(time),
        }
    }
}
