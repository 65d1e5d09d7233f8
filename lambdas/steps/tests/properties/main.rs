//! What holds of every order, whatever it lives through.

mod digest;
mod invariants;
mod life;
mod lookers;
#[path = "../support/mod.rs"]
mod support;
