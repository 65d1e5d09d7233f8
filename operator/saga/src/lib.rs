//! The order saga as pure functions: what happened goes in, what to do next comes out.
//!
//! Nothing here reads a clock, opens a socket or draws a random number: clippy refuses the calls that the
//! standard library and jiff have for it, `.ci/run` the crates. Read [`transition`] first, then [`mod@advance`].

pub mod advance;
pub mod boundary;
pub mod custody;
pub mod effect;
pub mod identity;
pub mod money;
pub mod next;
pub mod observed;
pub mod outcome;
mod plan;
pub mod record;
pub mod status;
pub mod transition;

pub use advance::{Circumstances, Held, Policy, Wishes, advance};
pub use boundary::{Boundary, Crossing, Point, Site};
pub use comanda_crds::{Cause, Phase, Reason};
pub use effect::Effect;
pub use identity::{Identity, digest};
pub use money::Money;
pub use next::{Call, Look, Next, StockChange, Wait, Write};
pub use observed::{ClassFacts, Closed, Observed, OrderFacts, Trouble};
pub use outcome::{DeviceEvent, DeviceSignal, Hold, Outcome, PaymentView, RefundState, RefundView};
pub use record::{
    CourierState, Direction, Entry, EntryState, Fault, KitchenState, Line, Owner, Record, Terms,
};
