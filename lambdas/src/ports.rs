//! The way out of a step: one order, one invocation.

use std::time::{Duration, Instant};

use comanda_saga::{Call, Outcome, Record, Write};
use comanda_steps::calls::{self, Services};
use comanda_steps::carry::Ports;
use comanda_steps::ports::LedgerError;
use jiff::Timestamp;
use tracing::info;

use crate::failure::Failure;
use crate::faults;

/// What the longest call may take, and the write after it: nothing is begun later before the end of an invocation, for
/// nothing outlives it.
const LAST_START: Duration = Duration::from_secs(20);

/// Reaches the services of a function for one invocation.
pub struct Invocation<'a> {
    /// The services.
    pub services: Services<'a>,
    /// When it began.
    pub begun: Instant,
    /// When Lambda ends it.
    pub ends: Instant,
}

impl Ports for Invocation<'_> {
    type Error = Failure;

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn may_go_on(&self) -> Result<(), Failure> {
        if Instant::now() + LAST_START < self.ends {
            return Ok(());
        }
        Err(Failure::Transient("what is left of this invocation is too short for another call".to_owned()))
    }

    async fn write(&self, saved: &Record, write: &Write) -> Result<(), LedgerError> {
        faults::before_write(saved, &write.record);
        self.services.ledger.update(&write.record, write.stock).await?;
        faults::after_write(saved, &write.record);
        Ok(())
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let outcome = calls::make(call, record, self.services).await?;
        if let Some(effect) = call.effect() {
            faults::answered(record, effect);
        }
        let result = outcome.name();
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(order = %record.identity, call = call.name(), result, milliseconds, "call");
        Ok(outcome)
    }
}
