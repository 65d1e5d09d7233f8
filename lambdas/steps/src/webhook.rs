//! What a payment provider says by itself of a payment, late or not. Nothing of it is believed: it leads to a look-up, as
//! [`Driver::Looker`], and what that brings is written. So one that comes twice, late or out of turn changes nothing.

use std::time::{Duration, Instant};

use comanda_saga::{Call, Circumstances, Driver, Identity, Outcome, Record, Wishes, Write};
use jiff::Timestamp;
use tracing::info;

use crate::adapters;
use crate::calls::{self, CallError, Services};
use crate::carry::{CarryError, InHand, Ports, Reach, carry};
use crate::ports::{ExecutionError, Executions, Ledger, LedgerError, Loaded, PaymentError};
use crate::step::would_go_on;

/// How often an order is read again, because somebody else wrote meanwhile.
const REREADS: usize = 3;

/// What comes of being told of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it is no order's, another installation's, or not the payment that its order has.
    NotOurs,
    /// It was looked up.
    Looked(Box<Looked>),
}

/// An order whose payment was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// As the ledger has it now.
    pub loaded: Loaded,
    /// When it was read from there.
    pub read_at: Timestamp,
    /// The look-up brought something new.
    pub wrote: bool,
}

/// Why nothing is known: whoever told of it is to do so again.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum LookError {
    /// The ledger did not answer, or somebody else wrote again and again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The payment provider did not answer.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// A call could not be made.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It was not carried to its end.
    #[error(transparent)]
    Carry(#[from] CarryError),
    /// The execution that waits may not have been told.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
}

/// Looks a payment up that the provider tells of, for the order of this installation that it is for.
///
/// `writer` is a name that no other process has.
///
/// # Errors
/// When nothing is proved.
pub async fn hear(
    payment: &str,
    installation: &str,
    services: Services<'_>,
    writer: &str,
) -> Result<Heard, LookError> {
    let payments = services.payments.ok_or(CallError::No("the payment provider"))?;
    // Events of refunds and disputes do not name the order: the payment does.
    let order = payments.order_of(payment).await?;
    let Some(order) = order.filter(|order| order.installation == installation) else {
        return Ok(Heard::NotOurs);
    };
    let around = Circumstances {
        driver: Driver::Looker,
        wishes: Wishes::default(),
        policy: None,
        hearing_since: None,
        key_lifetime: services.payment_rules.key_lifetime(),
        writer: writer.to_owned(),
    };
    for _ in 0..=REREADS {
        let read_at = Timestamp::now();
        let loaded = calls::load(services.ledger, &order).await?;
        let Some(loaded) = loaded.filter(|loaded| loaded.record.payment.id.as_deref() == Some(payment))
        else {
            return Ok(Heard::NotOurs);
        };
        let mut hand = InHand::read(loaded, read_at);
        let version = hand.saved.version;
        match carry(&mut hand, &around, Reach::NextWait, &Looking { services, begun: Instant::now() }).await {
            Err(LookError::Carry(CarryError::Ledger(LedgerError::Conflict))) => {
                info!(%order, "the order is read again");
            }
            carried => {
                carried?;
                let wrote = hand.saved.version != version;
                let loaded = Loaded { record: hand.saved, events: hand.events };
                return Ok(Heard::Looked(Box::new(Looked { loaded, read_at, wrote })));
            }
        }
    }
    Err(LedgerError::Conflict.into())
}

impl Looked {
    /// Whose payment it is.
    pub fn order(&self) -> &Identity {
        &self.loaded.record.identity
    }

    /// Ends the wait of the execution that carries the order, where the step that waits would go on; true when it did.
    ///
    /// # Errors
    /// When it may not have been ended.
    pub async fn wake_execution(
        &self,
        ledger: &dyn Ledger,
        executions: &dyn Executions,
    ) -> Result<bool, LookError> {
        let record = &self.loaded.record;
        let Some(execution) = record.execution().filter(|_| !record.phase.is_final()) else {
            return Ok(false);
        };
        let Some(waiting) = ledger.waiting(&record.identity, execution).await? else { return Ok(false) };
        let rules = adapters::payment_rules(&record.class.payments);
        let goes_on = would_go_on(self.loaded.clone(), execution, waiting.step, rules, self.read_at);
        let goes_on = goes_on.map_err(CarryError::from)?;
        if goes_on {
            executions.wake(&waiting.token).await?;
        }
        Ok(goes_on)
    }

    /// Why a person is needed, while one is.
    pub fn needs_person(&self) -> Option<&'static str> {
        let record = &self.loaded.record;
        record.stall.as_ref().filter(|_| record.is_stalled()).map(|stall| stall.reason.name())
    }

    /// True when the operator has something to look at.
    pub fn is_news(&self) -> bool {
        self.wrote || self.needs_person().is_some()
    }

    /// In one word, for logs: `NeedsPerson` while a person is needed, which alarms match.
    pub fn outcome(&self) -> &'static str {
        match self.wrote {
            _ if self.needs_person().is_some() => "NeedsPerson",
            true => "Learned",
            false => "Known",
        }
    }
}

/// The way out of a look.
struct Looking<'a> {
    services: Services<'a>,
    begun: Instant,
}

impl Ports for Looking<'_> {
    type Error = LookError;

    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn may_go_on(&self) -> Result<(), LookError> {
        Ok(())
    }

    async fn write(&self, _: &Record, write: &Write) -> Result<(), LedgerError> {
        self.services.ledger.update(&write.record, write.stock).await
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, LookError> {
        let begun = Instant::now();
        let outcome = calls::make(call, record, self.services).await?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(order = %record.identity, call = call.name(), result = outcome.name(), milliseconds, "call");
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests;
