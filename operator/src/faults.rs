//! Faults at named boundaries, for tests. Only a build with the feature `faults` has any: without it,
//! every function here is empty, and the name of the variable is not in the program.
//!
//! What a fault is, and where it is planned: `e2e/boundary/src/armed.rs`.

#![cfg_attr(not(feature = "faults"), allow(unused_variables))]

#[cfg(feature = "faults")]
use comanda_boundary::{Point, Site};
use comanda_crds::Order;
use comanda_saga::{Effect, Identity, Record};

/// What of an object is written by a patch.
#[derive(Clone, Copy)]
pub enum Patched {
    /// The finalizer is put on.
    FinalizerOn,
    /// The finalizer is taken off.
    FinalizerOff,
    /// The status.
    Status,
}

/// A patch of the object is about to be sent.
pub fn before_patch(order: &Order, what: Patched) {
    #[cfg(feature = "faults")]
    armed::at(order, what.into(), Point::BeforeIntent);
}

/// A patch of the object was taken.
pub fn after_patch(order: &Order, what: Patched) {
    #[cfg(feature = "faults")]
    armed::at(order, what.into(), Point::AfterOutcome);
}

/// The answer to a call is here, and not written yet.
pub fn answered(order: &Order, effect: Effect) {
    #[cfg(feature = "faults")]
    armed::at(order, Site::Effect(effect), Point::Answered);
}

/// The process is about to replace the record `before` by `after`.
pub fn before_write(order: &Order, before: Option<&Record>, after: &Record) {
    #[cfg(feature = "faults")]
    armed::before_write(order, before, after);
}

/// It has replaced the record `before` by `after`.
pub fn after_write(order: &Order, before: Option<&Record>, after: &Record) {
    #[cfg(feature = "faults")]
    armed::after_write(order, before, after);
}

/// An order that came over HTTP is at a point of becoming an object.
pub fn intake(point: &str, order: &Identity) {
    #[cfg(feature = "faults")]
    comanda_boundary::armed::come_to(
        comanda_boundary::armed::OrderName { namespace: &order.tenant, name: &order.order_id },
        "taken-in",
        point,
    );
}

#[cfg(feature = "faults")]
mod armed {
    use comanda_boundary::armed::{self, OrderName};
    use comanda_boundary::{Point, Site};
    use comanda_crds::Order;
    use comanda_saga::Record;
    use kube::ResourceExt;

    fn named<T>(order: &Order, then: impl FnOnce(OrderName<'_>) -> T) -> T {
        let (namespace, name) = (order.namespace().unwrap_or_default(), order.name_any());
        then(OrderName { namespace: &namespace, name: &name })
    }

    pub fn at(order: &Order, site: Site, point: Point) {
        named(order, |order| armed::at(order, site, point));
    }

    pub fn before_write(order: &Order, before: Option<&Record>, after: &Record) {
        named(order, |order| armed::before_write(order, before, after));
    }

    pub fn after_write(order: &Order, before: Option<&Record>, after: &Record) {
        named(order, |order| armed::after_write(order, before, after));
    }

    impl From<super::Patched> for Site {
        fn from(what: super::Patched) -> Self {
            match what {
                super::Patched::FinalizerOn => Self::FinalizerOn,
                super::Patched::FinalizerOff => Self::FinalizerOff,
                super::Patched::Status => Self::Status,
            }
        }
    }
}
