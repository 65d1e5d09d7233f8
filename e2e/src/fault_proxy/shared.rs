//! What every connection of a proxy has in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::sync::watch;

use super::classify::{Call, Service};
use super::plan::{Passed, Plan, Planned, WireFault};

/// What every connection has in common.
pub(super) struct Shared {
    pub(super) plan: Mutex<Plan>,
    pub(super) passed: Mutex<Vec<Passed>>,
    pub(super) operators: Mutex<Vec<Pid>>,
    pub(super) down: watch::Sender<BTreeSet<Service>>,
    pub(super) watches: watch::Sender<Watches>,
    /// What the broker says does not arrive.
    pub(super) deaf: AtomicBool,
    /// How many requests are on their way whose sender was killed.
    pub(super) late: AtomicUsize,
}

/// A request on its way whose sender was killed.
pub(super) struct Late<'a>(&'a AtomicUsize);

impl<'a> Late<'a> {
    pub(super) fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Late<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What befalls the watches of the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watches {
    /// Nothing.
    #[default]
    Alive,
    /// They bring nothing more, and do not end either.
    Dead,
    /// They end, and each attempt to go on brings one event, an error 410: what they missed is forgotten.
    Expired,
    /// As `Expired`, but the attempt itself is refused, with status 410.
    Gone,
}

impl Shared {
    /// The fault that befalls a call.
    pub(super) fn take(&self, call: &Call) -> Option<Planned> {
        lock(&self.plan).take(call)
    }

    /// Whether the call had an effect, of one whose fault comes after that.
    pub(super) fn settle(&self, taken: Planned, effected: bool) {
        lock(&self.plan).settle(taken, effected);
    }

    pub(super) fn record(&self, call: &Call, fault: Option<WireFault>, status: Option<u16>) {
        lock(&self.passed).push(Passed::new(call, fault, status));
    }

    pub(super) fn is_down(&self, service: Service) -> bool {
        self.down.borrow().contains(&service)
    }

    pub(super) fn let_up(&self, service: Service) {
        self.down.send_modify(|down| {
            down.remove(&service);
        });
    }

    /// Resolves when a service is taken down.
    pub(super) async fn taken_down(&self, service: Service) {
        let mut down = self.down.subscribe();
        // The sender lives as long as `self`.
        let _ = down.wait_for(|down| down.contains(&service)).await;
    }

    /// Ends the operators, and waits until they are no more: nothing they have sent is read after this.
    pub(super) async fn kill_operators(&self) {
        let operators = lock(&self.operators).clone();
        for pid in &operators {
            let _ = signal::kill(*pid, Signal::SIGKILL);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
