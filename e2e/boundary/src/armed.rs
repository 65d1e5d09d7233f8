//! Faults that are planned for a process: it finds them in a directory, and does them to itself. In builds for tests only.
//!
//! `COMANDA_FAULTS` names a directory with the subdirectories `planned` and `fired`. A file
//! `planned/<namespace>+<order>+<site>+<point>` that says `kill`, `stop`, `pause` or `panic` befalls the process
//! that comes to that point first, an operator or a function: it moves the file to `fired`, which only one process can,
//! and then sends itself SIGKILL, SIGTERM or SIGSTOP, or panics.

use std::path::PathBuf;
use std::sync::LazyLock;

use comanda_saga::Record;
use nix::sys::signal::{Signal, raise};
use tracing::{error, warn};

use crate::{Crossing, Point, Site, crossings};

#[cfg(not(debug_assertions))]
compile_error!("faults are for tests: a release must not be able to stop itself");

static DIRECTORY: LazyLock<Option<PathBuf>> =
    LazyLock::new(|| std::env::var_os("COMANDA_FAULTS").map(PathBuf::from));

/// The order that is worked on.
#[derive(Clone, Copy, Debug)]
pub struct OrderName<'a> {
    /// Its namespace, or tenant.
    pub namespace: &'a str,
    /// Its name, or id.
    pub name: &'a str,
}

/// The process comes to a point.
///
/// # Panics
/// When that is planned.
pub fn at(order: OrderName<'_>, site: Site, point: Point) {
    come_to(order, site.name(), point.name());
}

/// The process comes to a point that is on the way of no effect.
///
/// # Panics
/// When that is planned.
pub fn come_to(order: OrderName<'_>, site: &str, point: &str) {
    let Some(directory) = &*DIRECTORY else { return };
    let name = format!("{}+{}+{site}+{point}", order.namespace, order.name);
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

/// The process is about to replace the record `before` by `after`.
pub fn before_write(order: OrderName<'_>, before: Option<&Record>, after: &Record) {
    come_by(order, before, after, |crossing| crossing.points().0);
}

/// It has replaced the record `before` by `after`.
pub fn after_write(order: OrderName<'_>, before: Option<&Record>, after: &Record) {
    come_by(order, before, after, |crossing| crossing.points().1);
}

fn come_by(
    order: OrderName<'_>,
    before: Option<&Record>,
    after: &Record,
    point: impl Fn(Crossing) -> Option<Point>,
) {
    for crossing in crossings(before, after) {
        if let Some(point) = point(crossing) {
            at(order, crossing.site(), point);
        }
    }
}
