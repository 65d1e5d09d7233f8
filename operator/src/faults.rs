//! Faults at named boundaries, for tests. Only a build with the feature `faults` has any: without it,
//! every function here is empty, and the name of the variable is not in the program.
//!
//! `COMANDA_FAULTS` names a directory with the subdirectories `planned` and `fired`. A file
//! `planned/<namespace>+<order>+<site>+<point>` that says `kill`, `stop`, `pause` or `panic` befalls the process
//! that comes to that point first: it moves the file to `fired`, which only one process can, and then sends itself
//! SIGKILL, SIGTERM or SIGSTOP, or panics.

#![cfg_attr(not(feature = "faults"), allow(unused_variables))]

#[cfg(feature = "faults")]
use comanda_boundary::{Point, Site};
use comanda_crds::Order;
use comanda_saga::{Effect, Record};

#[cfg(all(feature = "faults", not(debug_assertions)))]
compile_error!("the feature `faults` is for tests: a release must not be able to stop itself");

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
    for crossing in comanda_boundary::crossings(before, after) {
        if let (Some(point), _) = crossing.points() {
            armed::at(order, crossing.site(), point);
        }
    }
}

/// It has replaced the record `before` by `after`.
pub fn after_write(order: &Order, before: Option<&Record>, after: &Record) {
    #[cfg(feature = "faults")]
    for crossing in comanda_boundary::crossings(before, after) {
        if let (_, Some(point)) = crossing.points() {
            armed::at(order, crossing.site(), point);
        }
    }
}

#[cfg(feature = "faults")]
mod armed {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    use comanda_boundary::{Point, Site};
    use comanda_crds::Order;
    use kube::ResourceExt;
    use nix::sys::signal::{Signal, raise};
    use tracing::{error, warn};

    static DIRECTORY: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("COMANDA_FAULTS").map(PathBuf::from));

    pub fn at(order: &Order, site: Site, point: Point) {
        let Some(directory) = &*DIRECTORY else { return };
        let namespace = order.namespace().unwrap_or_default();
        let name = format!("{namespace}+{}+{}+{}", order.name_any(), site.name(), point.name());
        let fired = directory.join("fired").join(&name);
        if std::fs::rename(directory.join("planned").join(&name), &fired).is_err() {
            return;
        }
        let fault = std::fs::read_to_string(&fired).unwrap_or_default();
        warn!(name, fault, "a planned fault");
        let signal = match fault.trim() {
            "kill" => Signal::SIGKILL,
            "stop" => Signal::SIGTERM,
            "pause" => Signal::SIGSTOP,
            "panic" => panic!("a planned fault"),
            other => return error!(fault = other, "no fault is called that"),
        };
        if let Err(error) = raise(signal) {
            error!(%error, "the fault could not be raised");
        }
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
