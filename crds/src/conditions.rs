//! Condition types and reasons: the one table that status, tests and the documentation agree on.

use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr};

use crate::order_status::Phase;

/// The conditions of an `Order`; of an `OrderClass`, `Accepted` and `Ready`. `Reconciling` and `Stalled` are
/// abnormal when true, as kstatus has it; the others are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum ConditionType {
    /// The order is claimed in the ledger for this object. Of a class: orders can be claimed with it.
    Accepted,
    /// Checked, and the stock reserved.
    Validated,
    /// Authorized, then captured.
    Paid,
    /// The customer was told of the confirmation.
    Notified,
    /// The kitchen is done.
    Prepared,
    /// The customer has the food.
    Delivered,
    /// What had been done is undone.
    Compensated,
    /// In a final phase; the reason names it. What scripts wait for.
    Finished,
    /// kstatus: nothing to wait for; the reason names the phase. Of a class: what it names answers.
    Ready,
    /// kstatus: moving or waiting.
    Reconciling,
    /// kstatus: a person is needed.
    Stalled,
}

impl ConditionType {
    /// The name as the API writes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Reasons that conditions, Events and metrics give beside the names of phases.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr)]
pub enum Reason {
    /// The ledger holds the claim.
    Claimed,
    /// The same id stands in the ledger with other contents.
    OrderIdConflict,
    /// The order belongs to another object or cluster.
    OwnedElsewhere,
    /// The class does not exist or cannot be used.
    ClassNotReady,
    /// The Secret named by `customer.secretRef` is missing or unreadable.
    CustomerNotFound,
    /// `spec.suspend` or the class holds the order.
    Suspended,
    /// A call failed and is tried again.
    Retrying,
    /// In progress.
    InProgress,
    /// Waits for somebody; `waitingFor` says whom.
    Waiting,
    /// In an Event: the payment is held, and the kitchen was told.
    Confirmed,
    /// The amount is held on the customer's card.
    Authorized,
    /// The amount is taken.
    Captured,
    /// The step succeeded.
    Succeeded,
    /// The order holds as far as is certain; the message names what is in doubt.
    SucceededWithDoubts,
    /// Nothing had to be undone or everything is undone.
    Undone,
    /// A cancel came after the courier picked the order up.
    CancelRefused,
    /// The rest of the undo was given up by a person.
    Abandoned,
    /// A refund the provider will not make.
    RefundFailed,
    /// The customer disputed the charge, and the bank has taken the amount back: a refund would pay it twice.
    PaymentDisputed,
    /// A courier reported a delivery that had been undone.
    DeliveredAfterUndo,
    /// A courier who does not have the order says that they picked it up or delivered it.
    CourierUnexpected,
    /// The courier has the food and does not turn back.
    RecallRefused,
    /// The provider holds a state nobody here asked for.
    PaymentUnexpected,
}

impl Reason {
    /// The reason as the API writes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Reasons of the conditions of an `OrderClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, IntoStaticStr)]
pub enum ClassReason {
    /// Orders can be claimed with it.
    Accepted,
    /// It is being deleted: it takes no new order.
    Deleting,
    /// A Secret that it names, or something in it, cannot be used.
    NotConfigured,
    /// The ledger gives no usable answer.
    LedgerUnreachable,
    /// The broker is not connected.
    BrokerUnreachable,
    /// The state machine or its wake queue gives no usable answer.
    ExecutorUnreachable,
    /// The intake queue, or the one by which orders are cancelled, gives no usable answer.
    IntakeUnreachable,
    /// Ledger, executor, intake and broker answer.
    Reachable,
}

impl ClassReason {
    /// The reason as the API writes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Why an order is undone. It decides the final phase and what the customer is told.
#[derive(
    Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, IntoStaticStr,
)]
pub enum Cause {
    /// Address, phone or e-mail does not hold by the country's rules.
    InvalidCustomer,
    /// A price or the total is not the catalogue's.
    PriceMismatch,
    /// The store does not sell one of the articles now.
    Unavailable,
    /// The stock does not cover the order.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// The payment provider does not take the payment as the order asks for it. No bank said no.
    PaymentInvalid,
    /// The customer did not confirm the payment in time.
    PaymentNotConfirmed,
    /// `spec.cancel` was set.
    CancelRequested,
    /// The object was deleted.
    ObjectDeleted,
    /// The kitchen said no.
    KitchenRejected,
    /// The kitchen did not have the food ready by its deadline, whatever it said before.
    KitchenTimedOut,
    /// The courier could not deliver.
    CourierFailed,
    /// The courier did not deliver by its deadline, whatever it said before.
    CourierTimedOut,
    /// The customer's contact in the ledger cannot be opened, and no courier could be sent.
    ContactUnreadable,
    /// The authorized amount could not be captured.
    CaptureFailed,
}

impl Cause {
    /// The cause as a condition's reason.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The final phase of an order that is undone for it.
    pub const fn ends_as(self) -> Phase {
        match self {
            Self::InvalidCustomer
            | Self::PriceMismatch
            | Self::Unavailable
            | Self::OutOfStock
            | Self::PaymentDeclined
            | Self::PaymentInvalid
            | Self::PaymentNotConfirmed => Phase::Rejected,
            Self::CancelRequested | Self::ObjectDeleted => Phase::Cancelled,
            Self::KitchenRejected
            | Self::KitchenTimedOut
            | Self::CourierFailed
            | Self::CourierTimedOut
            | Self::ContactUnreadable
            | Self::CaptureFailed => Phase::Failed,
        }
    }
}
