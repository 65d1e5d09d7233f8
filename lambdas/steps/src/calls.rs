//! Which step makes which call.

use comanda_saga::{Call, Direction, Effect, Look, Outcome, Record};

use crate::customer::Contact;
use crate::ports::{Catalogue, Devices, Ledger, LedgerError, Notifier, Payments};
use crate::{delivery, notification, payment, preparation, validation};

/// The services that steps speak to.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// The system of record: the customer's contact is there.
    pub ledger: &'a dyn Ledger,
    /// Prices and availability.
    pub catalogue: &'a dyn Catalogue,
    /// The payment provider.
    pub payments: &'a dyn Payments,
    /// Messages to customers.
    pub notifier: &'a dyn Notifier,
    /// Commands to kitchens and couriers.
    pub devices: &'a dyn Devices,
}

/// Why a call was not made. It is of the set-up or the customer's data, and not of what was called.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The customer's data cannot be read.
    #[error("{0}")]
    Customer(String),
    /// The ledger does not answer.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The effect is a write of the ledger.
    #[error("{} is a write, and no call", .0.name())]
    NoCall(Effect),
}

/// Makes one call whose intent is in the record; `Unknown` when the answer was lost.
///
/// # Errors
/// When it could not be made.
pub async fn make(call: Call, record: &Record, services: Services<'_>) -> Result<Outcome, CallError> {
    let Services { ledger, catalogue, payments, notifier, devices } = services;
    let contact = async || contact(ledger, record).await;
    Ok(match call {
        Call::Read(Look::Validation) => validation::run(record, &contact().await?, catalogue).await,
        Call::Do(Effect::OpenPayment) => match contact().await {
            Ok(contact) => payment::create(record, &contact, payments).await,
            Err(CallError::Customer(message)) if record.direction == Direction::Undo => {
                Outcome::Unknown { effect: call.effect(), message }
            }
            Err(error) => return Err(error),
        },
        Call::Do(Effect::Authorize | Effect::Capture | Effect::CancelPayment | Effect::Refund)
        | Call::Read(Look::Payment | Look::Refunds) => payment::run(call, record, payments).await,
        Call::Do(Effect::NotifyConfirmed | Effect::NotifyEnding) => match contact().await {
            Ok(contact) => notification::run(call, record, &contact, notifier).await,
            // An undo does not wait for ever: it is tried as often as a message that SNS does not take.
            Err(CallError::Customer(message)) if call == Call::Do(Effect::NotifyEnding) => {
                Outcome::Unknown { effect: call.effect(), message }
            }
            Err(error) => return Err(error),
        },
        Call::Do(Effect::Prepare) => preparation::prepare(record, devices).await,
        Call::Do(Effect::RecallKitchen) => preparation::undo_prepare(record, devices).await,
        Call::Do(Effect::Deliver) => delivery::deliver(record, &contact().await?, devices).await,
        Call::Do(Effect::RecallCourier) => delivery::undo_deliver(record, devices).await,
        Call::Do(effect @ (Effect::Reserve | Effect::Release)) => return Err(CallError::NoCall(effect)),
    })
}

/// The customer, from the ledger's sealed contact item.
async fn contact(ledger: &dyn Ledger, record: &Record) -> Result<Contact, CallError> {
    match ledger.contact(&record.identity).await {
        Ok(Some(contact)) => Ok(contact),
        Ok(None) => {
            Err(CallError::Customer("the customer's contact in the ledger is gone or has expired".to_owned()))
        }
        Err(LedgerError::Corrupt(why)) => Err(CallError::Customer(format!(
            "the customer's contact in the ledger cannot be read ({why}): put the key that sealed it back into the \
             class's contactKey Secret"
        ))),
        Err(error) => Err(CallError::Ledger(error)),
    }
}
