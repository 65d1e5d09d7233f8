//! The custom resources of Comanda, group [`GROUP`]: types, validation rules and condition names.
//!
//! This crate knows no client and does no I/O, so that the saga, the operator, the Lambdas and the
//! tests can all depend on it. `crdgen` writes the YAML that clusters install.

mod conditions;
mod executor;
#[cfg(feature = "judge")]
pub mod judge;
mod manifests;
mod openapi;
mod order;
mod order_class;
mod order_status;
mod payments;
mod rules;

pub use conditions::{Cause, ClassReason, ConditionType, Reason};
pub use executor::{Executor, StepFunctions, execution_arn};
pub use manifests::{Manifest, manifests};
pub use openapi::{NOT_THE_CALLERS, openapi};
pub use order::{Address, Cancel, Customer, FromLedger, Inline, Item, Order, OrderSpec, Payment, SecretRef};
pub use order_class::{
    Aws, Catalogue, DEVICE_PHASES, Devices, Doubts, Intake, Ledger, Notifications, OrderClass,
    OrderClassSpec, OrderClassStatus, PAYMENT_PHASES, Retries, SecretKeyRef, SecretName, Timeouts,
    Validation,
};
pub use order_status::{
    CompensationStatus, OrderStatus, PaymentStatus, Phase, StepState, StepStatus, WaitingFor,
};
pub use payments::{Capture, Payments, Stripe, Webhook};

/// The API group of every Comanda resource.
pub const GROUP: &str = "comanda.dev";
/// Keeps an `Order` from vanishing before what it did is undone; removed only at deletion.
pub const FINALIZER: &str = "comanda.dev/order";
/// Keeps an `OrderClass` while orders use it.
pub const CLASS_FINALIZER: &str = "comanda.dev/order-class";
/// Annotation: a fresh token retries an order that is `Stalled`.
pub const RETRY_ANNOTATION: &str = "comanda.dev/retry";
/// Annotation: a reason lets the order go without undoing what is left, which is recorded as a debt.
pub const ABANDON_ANNOTATION: &str = "comanda.dev/abandon";
/// Annotation: this object takes the order over from an owner that cannot be seen from here.
pub const TAKE_OVER_ANNOTATION: &str = "comanda.dev/take-over";
