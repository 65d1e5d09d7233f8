//! The rules of an order, one sentence each.

mod boundaries;
mod devices;
mod digest;
mod money;
mod ownership;
mod people;
#[path = "../support/mod.rs"]
mod support;
mod undo;
mod waiting;
