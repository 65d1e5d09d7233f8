//! The rules of an order, one sentence each.

mod boundaries;
mod devices;
mod money;
mod ownership;
mod people;
#[path = "../support/mod.rs"]
mod support;
mod undo;
