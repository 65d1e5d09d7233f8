//! Faults at named boundaries, for tests. Only a build with the feature `faults` has any: without it,
//! every function here is empty, and the name of the variable is not in the program.
//!
//! What a fault is, and where it is planned: `e2e/boundary/src/armed.rs`. The variable comes with the environment of
//! whoever runs the functions; no template names it.

#![cfg_attr(not(feature = "faults"), allow(unused_variables))]

#[cfg(feature = "faults")]
use comanda_boundary::armed::{self, OrderName};
#[cfg(feature = "faults")]
use comanda_boundary::{Point, Site};
use comanda_saga::{Effect, Identity, Record};

/// The answer to a call is here, and not written yet.
pub fn answered(record: &Record, effect: Effect) {
    #[cfg(feature = "faults")]
    armed::at(name(record), Site::Effect(effect), Point::Answered);
}

/// The process is about to replace the record `before` by `after`.
pub fn before_write(before: &Record, after: &Record) {
    #[cfg(feature = "faults")]
    armed::before_write(name(after), Some(before), after);
}

/// It has replaced the record `before` by `after`.
pub fn after_write(before: &Record, after: &Record) {
    #[cfg(feature = "faults")]
    armed::after_write(name(after), Some(before), after);
}

/// The intake is at a point of taking an order in.
pub fn intake(point: &str, order: &Identity) {
    #[cfg(feature = "faults")]
    armed::come_to(OrderName { namespace: &order.tenant, name: &order.order_id }, "intake", point);
}

#[cfg(feature = "faults")]
fn name(record: &Record) -> OrderName<'_> {
    OrderName { namespace: &record.identity.tenant, name: &record.identity.order_id }
}
