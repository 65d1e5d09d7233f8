//! The rules of an order, one sentence each.

mod answers;
mod boundaries;
mod claims;
mod devices;
mod digest;
mod dispatch;
mod edges;
mod edges_of_devices;
mod edges_of_executions;
mod executions;
mod lookers;
mod machine;
mod money;
mod ownership;
mod people;
mod records;
mod refunds;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod tries;
mod undo;
mod waiting;
