//! The saga, explored exhaustively within bounds: every interleaving of up to two operators, the ledger,
//! the payment provider, kitchen, courier, people and time, with crashes and lost answers, in which each
//! operator does what [`comanda_steps::carry`] does. What may never happen is in [`properties`]; that a crash,
//! a pause and a duplicate meet every boundary of every effect is in [`boundaries`].
//!
//! Time is relative: `now` stands still, and a tick makes everything older by more than any deadline.

mod boundaries;
mod environment;
mod executions;
mod exploration;
mod faults;
mod kept;
mod liveness;
mod looker;
mod properties;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod time;
mod view;
mod wire;
mod writer;
