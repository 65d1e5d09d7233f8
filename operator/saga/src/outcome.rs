//! What the world answered, and what it does to the record.

use comanda_crds::{Cause, Reason};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::{CourierState, Direction, Effect, EntryState, Fault, KitchenState, Record, Stall};

/// What a call brought back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The order holds, and this is its total by the catalogue, in minor units.
    Validated {
        /// Sum of the lines.
        total: i64,
    },
    /// The order does not hold.
    Refused(Fault),
    /// The unconfirmed payment intent exists.
    IntentCreated {
        /// The provider's id.
        id: String,
    },
    /// The payment as the provider has it now.
    Payment(PaymentView),
    /// The refund as the provider has it now; none when there is none.
    Refund(Option<RefundView>),
    /// The notification was taken over by SNS, or the command acknowledged by the broker.
    Sent(Effect),
    /// Nothing more can be done without a person.
    NeedsPerson(Stall),
    /// No answer, or one that proves nothing.
    Unknown {
        /// The effect whose outcome is not known.
        effect: Option<Effect>,
        /// The error, without secrets or personal data.
        message: String,
    },
}

/// A payment intent, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentView {
    /// The provider's id.
    pub id: String,
    /// Its state.
    pub state: IntentState,
    /// Amount held and not yet taken, in minor units.
    pub capturable: i64,
    /// Amount taken, in minor units.
    pub received: i64,
    /// When the provider lets the held amount go, in Unix seconds.
    pub capture_before: Option<i64>,
    /// Where the customer confirms.
    pub action_url: Option<String>,
    /// Why the last confirmation failed: a decline's code, such as `card_declined (insufficient_funds)`.
    pub decline: Option<String>,
}

/// States of a payment intent. Source: <https://docs.stripe.com/payments/paymentintents/lifecycle>.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntentState {
    /// Made, not confirmed.
    RequiresConfirmation,
    /// Declined, or never given a method.
    RequiresPaymentMethod,
    /// The customer must act.
    RequiresAction,
    /// The provider works on it.
    Processing,
    /// The amount is held.
    RequiresCapture,
    /// The amount is taken.
    Succeeded,
    /// Cancelled or expired: nothing is held.
    Canceled,
}

/// A refund, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefundView {
    /// Its state.
    pub state: RefundState,
    /// Amount, in minor units.
    pub amount: i64,
}

/// States of a refund. Source: <https://docs.stripe.com/refunds>.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Under way.
    Pending,
    /// Paid back.
    Succeeded,
    /// The provider could not pay it back, or it was cancelled.
    Failed,
}

/// What a kitchen or a courier said.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceEvent {
    /// The device's own id of the event.
    pub id: String,
    /// What it said.
    pub signal: DeviceSignal,
    /// Sequence number of the command it answers.
    pub seq: u64,
    /// The device's client id.
    pub device: String,
    /// Why, where it gives a reason.
    pub reason: Option<String>,
    /// When it reached the ledger.
    pub at: Timestamp,
}

/// The vocabulary of devices.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceSignal {
    /// Kitchen: it advanced to this state.
    Kitchen(KitchenState),
    /// Kitchen: it stopped, or refused to.
    KitchenRecalled(bool),
    /// Courier: it advanced to this state.
    Courier(CourierState),
    /// Courier: it turned back, or refused to.
    CourierRecalled(bool),
}
