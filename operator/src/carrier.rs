//! The operator's way to what an order asks for: its ledger and its services, told of in metrics and logs.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use comanda_crds::Order;
use comanda_saga::{Call, Look, Outcome, Record, Write};
use comanda_steps::calls;
use comanda_steps::carry::Ports;
use comanda_steps::ports::LedgerError;
use jiff::Timestamp;
use tracing::info;

use crate::context::Context;
use crate::error::Error;
use crate::faults;
use crate::interrupt::Asked;
use crate::pace::Turn;
use crate::services::Services;

/// Reaches the services of one order's class.
pub struct Carrier<'a> {
    /// The object whose order it is.
    pub order: &'a Order,
    /// The services that the order has pinned.
    pub services: &'a Services,
    /// Metrics, and whether this process stops.
    pub context: &'a Context,
    /// When this began.
    pub begun: Instant,
    /// What people asked of an order that an execution carries, and the ledger now says.
    pub asked: Mutex<Option<Asked>>,
    /// When the order may look at its execution, where it was told to wait.
    pub turn: Mutex<Option<Turn>>,
}

impl Ports for Carrier<'_> {
    type Error = Error;

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn may_go_on(&self) -> Result<(), Error> {
        if self.context.is_stopping() { Err(Error::Stopping) } else { Ok(()) }
    }

    async fn write(&self, saved: &Record, write: &Write) -> Result<(), LedgerError> {
        faults::before_write(self.order, Some(saved), &write.record);
        self.services.ledger.update(&write.record, write.stock).await?;
        self.context.metrics.ledger_writes.inc();
        faults::after_write(self.order, Some(saved), &write.record);
        if let Some(asked) = Asked::by(saved, &write.record, self.now()) {
            *lock(&self.asked) = Some(asked);
        }
        Ok(())
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, Error> {
        let started = Instant::now();
        if call == Call::Read(Look::Execution) {
            self.context.execution_looks.take(&mut lock(&self.turn), started).map_err(Error::NotYet)?;
        }
        let outcome = calls::make(call, record, self.services.for_steps()).await?;
        if let Some(effect) = call.effect() {
            faults::answered(self.order, effect);
        }
        self.count(call, &outcome, started.elapsed());
        Ok(outcome)
    }
}

impl Carrier<'_> {
    /// What people asked of an order that an execution carries, where it was written just now.
    pub fn asked(&self) -> Option<Asked> {
        lock(&self.asked).take()
    }

    /// The turn that the order has to wait for.
    pub fn turn(&self) -> Option<Turn> {
        *lock(&self.turn)
    }

    fn count(&self, call: Call, outcome: &Outcome, took: Duration) {
        let (step, result, metrics) = (call.name(), outcome.name(), &self.context.metrics);
        metrics.step(step, result, took);
        if call.effect().is_some_and(comanda_saga::Effect::undoes) {
            metrics.compensations.with_label_values(&[step, result]).inc();
        }
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        info!(step, result, milliseconds, "step");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
