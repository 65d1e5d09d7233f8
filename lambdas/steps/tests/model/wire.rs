//! The loop's way to what is outside, of the process that does the next thing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comanda_saga::{Call, Hold, Outcome, Record, RefundState, Write};
use comanda_steps::carry::{CarryError, Ports};
use comanda_steps::ports::LedgerError;
use jiff::Timestamp;

use crate::state::{Bounds, State};
use crate::time::now;
use crate::writer::Fate;

/// What becomes of what one process asks for.
pub struct Wire<'a> {
    /// Everything, and whether somebody has to be waited for after the last answer.
    pub state: Mutex<(&'a mut State, bool)>,
    pub bounds: &'a Bounds,
    pub fate: Fate,
}

impl<'a> Wire<'a> {
    fn state(&self) -> MutexGuard<'_, (&'a mut State, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ports for Wire<'_> {
    type Error = CarryError;

    fn now(&self) -> Timestamp {
        now()
    }

    /// Never too late: a process that is paused before its call makes it, which is the worst case.
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn may_go_on(&self) -> Result<(), CarryError> {
        Ok(())
    }

    async fn write(&self, _: &Record, write: &Write) -> Result<(), LedgerError> {
        self.state().0.write(self.bounds, write)?;
        if self.fate == Fate::AnswerLost {
            return Err(LedgerError::Unreachable("no answer".to_owned()));
        }
        Ok(())
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, CarryError> {
        let mut state = self.state();
        let outcome = state.0.call(call, record, self.fate);
        state.1 = must_wait(&outcome);
        Ok(outcome)
    }
}

/// True for an answer after which the provider is not asked again at once.
pub fn must_wait(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Payment(view) => {
            matches!(view.hold, Hold::AwaitsProvider | Hold::AwaitsCustomer)
        }
        Outcome::Refund(Some(view)) => view.state == RefundState::Pending,
        _ => false,
    }
}
