//! What is known of an order's payment.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

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
    /// The customer disputed the charge at their bank.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// What the provider said late, and no person was asked about yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub surprises: BTreeSet<Surprise>,
}

/// What a provider may say of a payment when nothing waits for it any more.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surprise {
    /// Money is held or taken for an order that was over without it.
    Held,
    /// A refund that was made came back: the customer does not have the money.
    RefundFailed,
    /// The customer disputed the charge: the bank has taken the money back.
    Disputed,
}

/// A payment, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentView {
    /// The provider's id.
    pub id: String,
    /// How it stands.
    pub hold: Hold,
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
    /// The customer disputed the charge, won or lost.
    pub disputed: bool,
}

/// How an order's payment stands: whether the customer's money is held for it, and by whom it is waited for. Each provider
/// has words of its own, which its adapter puts into these. Before format 3, a record had those.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// The payment exists, and nobody was asked for money.
    #[serde(alias = "RequiresConfirmation")]
    NotBegun,
    /// The customer must act.
    #[serde(alias = "RequiresAction")]
    AwaitsCustomer,
    /// The provider works on it.
    #[serde(alias = "Processing")]
    AwaitsProvider,
    /// The amount is held.
    #[serde(alias = "RequiresCapture")]
    Held,
    /// The amount is taken.
    #[serde(alias = "Succeeded")]
    Taken,
    /// Let go or expired: nothing is held.
    #[serde(alias = "Canceled")]
    Released,
    /// The customer's bank said no, or there is nothing to ask it with.
    #[serde(alias = "RequiresPaymentMethod")]
    Refused,
}

/// A refund, as the provider has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefundView {
    /// Its state.
    pub state: RefundState,
    /// Amount, in minor units.
    pub amount: i64,
}

/// States of a refund.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefundState {
    /// Under way.
    Pending,
    /// Paid back.
    Succeeded,
    /// The provider could not pay it back, or it was cancelled.
    Failed,
    /// It is not to be paid back: the customer disputed the charge, and the bank has taken the amount already.
    Disputed,
}
