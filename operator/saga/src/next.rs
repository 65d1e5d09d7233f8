//! What a record wants next.

use jiff::Timestamp;

use crate::effect::Effect;
use crate::record::Record;

/// What a record wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write the record. When it is the intent of an effect that is a call, the call comes next, and nothing between.
    Write(Box<Write>, Option<Effect>),
    /// Look at something outside; that needs no intent.
    Read(Look),
    /// Send a command again: the broker has it, and no device has spoken of it yet.
    Repeat(Effect),
    /// Nothing until an event comes, or this time.
    Wait(Wait),
    /// Nothing: what comes next is another driver's.
    Anothers,
    /// Nothing: the order is over, and the ledger has all of it.
    Over,
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
    /// Sends a command again under its intent; nothing is written for it.
    Repeat(Effect),
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
    /// The execution that the journal names, once the ledger is known to have the record as it is held here.
    Execution,
    /// All that devices said of the order, whoever kept it; and that the ledger has the record as it is held here.
    Events,
}

impl Call {
    /// The effect the call has; none when it only reads, or repeats what was done.
    pub fn effect(self) -> Option<Effect> {
        match self {
            Self::Do(effect) => Some(effect),
            Self::Read(_) | Self::Repeat(_) => None,
        }
    }

    /// The name, as metrics and logs write it: the effect's, what is read, or `Repeat`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Do(effect) => effect.name(),
            Self::Read(look) => look.into(),
            Self::Repeat(_) => "Repeat",
        }
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
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
            Self::Until(other) => Self::Until(other.min(time)),
            Self::ForEvent => Self::Until(time),
        }
    }
}
