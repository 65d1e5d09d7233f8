//! What the calls share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::calls::Calls;
use super::faults::Faults;
use super::idempotency::Keys;
use super::payments::Payments;

/// The proxy's state.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) payments: Payments,
    pub(super) keys: Mutex<Keys>,
    pub(super) faults: Mutex<Faults>,
    pub(super) calls: Calls,
}

impl Proxy {
    pub(super) fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
