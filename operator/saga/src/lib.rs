//! The order saga as pure functions: what happened goes in, what to do next comes out.
//!
//! Nothing here reads a clock, opens a socket or draws a random number: clippy refuses the calls that the
//! standard library and jiff have for it, `.ci/run` the crates. Read [`transition`] first, then [`mod@decide`].

pub mod action;
pub mod boundary;
pub mod decide;
pub mod effect;
mod forward;
pub mod identity;
pub mod money;
pub mod observed;
pub mod outcome;
pub mod record;
pub mod status;
pub mod transition;
mod undo;

pub use action::{Action, Call, Decision, Look, StockChange, Wait, Write};
pub use boundary::{Boundary, Crossing, Point, Site};
pub use comanda_crds::{Cause, Phase, Reason};
pub use decide::decide;
pub use effect::Effect;
pub use identity::{Identity, digest};
pub use money::Money;
pub use observed::{ClassFacts, Closed, Observed, OrderFacts, Trouble};
pub use outcome::{DeviceEvent, DeviceSignal, IntentState, Outcome, PaymentView, RefundState, RefundView};
pub use record::{
    CourierState, Direction, Entry, EntryState, Fault, KitchenState, Line, Owner, Record, Terms,
};
