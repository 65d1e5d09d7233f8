//! The work of each step, the same for the operator and the Lambdas: what it does, how it is undone,
//! and the services it speaks to.
//!
//! A step takes the order's ledger record, whose journal holds the intent, its key and its sequence
//! number, makes at most one call that has an effect, and returns an [`Outcome`](comanda_saga::Outcome),
//! never an error: what is not proved is `Unknown`, and is looked up later. Read [`mod@carry`]
//! first, which runs the steps, then [`payment`].

pub mod adapters;
pub mod calls;
pub mod carry;
pub mod contract;
pub mod customer;
pub mod delivery;
pub mod devices;
pub mod execution;
pub mod intake;
mod intent;
pub mod notification;
pub mod payment;
pub mod ports;
pub mod preparation;
pub mod projection;
pub mod step;
pub mod validation;
pub mod webhook;

#[cfg(test)]
mod fixtures;
