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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
pub enum Call {
    /// Reads the catalogue and the contact, and checks the order by them.
    Validate,
    /// Makes the unconfirmed payment intent.
    CreateIntent,
    /// Confirms it: the amount is held.
    ConfirmIntent,
    /// Takes the held amount, all of it.
    CaptureIntent,
    /// Cancels the intent.
    CancelIntent,
    /// Pays the captured amount back, all of it.
    RefundPayment,
    /// Reads the intent.
    LookUpPayment,
    /// Reads the intent's refunds.
    LookUpRefunds,
    /// Tells the customer that the order is confirmed.
    NotifyConfirmed,
    /// Tells the customer how the order ended.
    NotifyEnding,
    /// Tells the kitchen to prepare.
    Prepare,
    /// Tells the couriers to deliver.
    Deliver,
    /// Stops the kitchen.
    RecallKitchen,
    /// Calls the courier back.
    RecallCourier,
}

impl Call {
    /// The effect the call has; none when it only reads.
    pub fn effect(self) -> Option<Effect> {
        Some(match self {
            Self::Validate | Self::LookUpPayment | Self::LookUpRefunds => return None,
            Self::CreateIntent => Effect::CreateIntent,
            Self::ConfirmIntent => Effect::Authorize,
            Self::CaptureIntent => Effect::Capture,
            Self::CancelIntent => Effect::CancelIntent,
            Self::RefundPayment => Effect::Refund,
            Self::NotifyConfirmed => Effect::NotifyConfirmed,
            Self::NotifyEnding => Effect::NotifyEnding,
            Self::Prepare => Effect::Prepare,
            Self::Deliver => Effect::Deliver,
            Self::RecallKitchen => Effect::RecallKitchen,
            Self::RecallCourier => Effect::RecallCourier,
        })
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
