//! `OrderStatus`: facts about the order, written by the operator alone. No personal data; bounded size.
//!
//! The operator sends it as a JSON merge patch, where `null` removes a field. So what may be absent is
//! serialized as `null`, but for the rows of lists, which a merge patch replaces as a whole.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, IntoStaticStr};

/// Where an order is.
#[derive(
    JsonSchema,
    Serialize,
    Deserialize,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumIter,
    IntoStaticStr,
)]
pub enum Phase {
    /// Seen, not yet claimed in the ledger.
    #[default]
    Pending,
    /// Address, contact, prices and stock are checked, and the stock is reserved.
    Validating,
    /// The amount is authorized with the payment provider.
    Paying,
    /// The customer is told that the order is confirmed.
    Notifying,
    /// The kitchen works.
    Preparing,
    /// Captured, and with a courier.
    Delivering,
    /// Final: paid and with the customer.
    Delivered,
    /// What was done is being undone.
    Compensating,
    /// Final: the order was at fault; everything is undone.
    Rejected,
    /// Final: somebody asked; everything is undone.
    Cancelled,
    /// Final: a step was at fault; everything is undone.
    Failed,
}

impl Phase {
    /// True when nothing more will happen to the order.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Rejected | Self::Cancelled | Self::Failed)
    }

    /// The phase's name as the API writes it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What the operator knows of the order.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatus {
    /// Where the order is. `Pending`: not claimed in the ledger yet. `Validating`, `Paying`, `Notifying`,
    /// `Preparing`, `Delivering`: on its way. `Compensating`: what was done is being undone. Final are
    /// `Delivered`; `Rejected`, the order was at fault; `Cancelled`, somebody asked; and `Failed`, a step
    /// was at fault. After the last three everything is undone. More phases may come.
    #[serde(default)]
    pub phase: Phase,
    /// The generation of the spec this status speaks of; -1 before the operator saw the order.
    #[serde(default)]
    pub observed_generation: i64,
    /// The order's identity in the ledger: installation/namespace/orderId.
    pub identity: Option<String>,
    /// The version of the ledger's record that this status was taken from. Rises with every write of the record, and
    /// is brought up to date together with other news only.
    pub ledger_version: Option<i64>,
    /// What the customer pays, as people write it: `42.00 BRL`.
    pub total: Option<String>,
    /// Why it is there, in one word: a reason, or the cause of an undo.
    pub reason: Option<String>,
    /// Standard conditions; `Ready`, `Reconciling` and `Stalled` follow kstatus.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Whom the order waits for, while it waits.
    pub waiting_for: Option<WaitingFor>,
    /// What was done, a row a step.
    // Atomic: there is one writer, and an entry a row in metadata.managedFields would double the object.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub steps: Vec<StepStatus>,
    /// What was undone, a row an undo, in the order of undoing.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub compensations: Vec<CompensationStatus>,
    /// The payment, as the provider confirmed it.
    pub payment: Option<PaymentStatus>,
    /// The device of the courier who has the order; never a person's name.
    pub courier: Option<String>,
    /// The last `comanda.dev/retry` token that was acted on.
    pub last_handled_retry: Option<String>,
}

/// Whom an order waits for.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct WaitingFor {
    /// Kitchen, courier, customer, payment provider, or a person.
    pub who: String,
    /// What they are to do.
    pub what: String,
    /// Since when.
    pub since: Option<Time>,
    /// When the wait ends by itself, and the order is undone or goes on.
    pub deadline: Option<Time>,
    /// Where the customer does it, while a payment waits for its confirmation.
    pub link: Option<String>,
}

/// How a step stands.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Begun, its outcome not known yet.
    Running,
    /// Done.
    Succeeded,
    /// Not done, and it will not be tried again.
    Failed,
    /// A deadline passed before the other side confirmed.
    Unconfirmed,
}

/// One step forward.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// The step.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// How often it was begun.
    #[schemars(with = "i32")]
    pub attempts: u32,
    /// When it was first begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// The Step Functions execution that does it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_arn: Option<String>,
    /// Why it stands so, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it stands so, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One step back.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CompensationStatus {
    /// What is undone.
    pub name: String,
    /// How it stands.
    pub state: StepState,
    /// How often it was begun.
    #[schemars(with = "i32")]
    pub attempts: u32,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What was undone, or why not, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Amounts in minor units of the order's currency.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PaymentStatus {
    /// The provider's id of the payment.
    pub intent_id: Option<String>,
    /// Authorized amount.
    pub authorized: i64,
    /// Captured amount.
    pub captured: i64,
    /// Refunded amount.
    pub refunded: i64,
}
