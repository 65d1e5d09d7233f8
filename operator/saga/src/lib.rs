//! The order saga as pure functions: what happened goes in, what to do next comes out.
//!
//! Nothing here reads a clock, opens a socket or draws a random number: clippy refuses the calls that the
//! standard library and jiff have for it, `.ci/run` the crates. Read [`transition`] first, then [`mod@advance`].

pub mod advance;
pub mod apply;
pub mod circumstances;
pub mod contradiction;
pub mod custody;
pub mod device;
pub mod driver;
pub mod effect;
mod effects;
pub mod held;
pub mod identity;
pub mod journal;
mod late;
pub mod money;
pub mod next;
pub mod observed;
pub mod payment;
mod plan;
pub mod record;
pub mod status;
pub mod terms;
pub mod transition;

pub use advance::advance;
pub use apply::Outcome;
pub use circumstances::{Circumstances, Policy, Wishes};
pub use comanda_crds::{Cause, Phase, Reason};
pub use contradiction::Contradiction;
pub use device::{CourierState, DeviceEvent, DeviceSignal, KitchenState};
pub use driver::{Driver, Step};
pub use effect::Effect;
pub use held::{Held, Sent};
pub use identity::{Identity, NoIdentity, digest};
pub use journal::{Entry, EntryState};
pub use money::Money;
pub use next::{Call, Look, Next, StockChange, Wait, Write};
pub use observed::{ClassFacts, Closed, Observed, OrderFacts, Trouble};
pub use payment::{Hold, PaymentView, RefundState, RefundView, Surprise};
pub use record::{Direction, Fault, Owner, Record};
pub use terms::{Line, Terms};
