//! Makes the calls in this process, by the step library that the Lambdas run too.

use std::sync::Arc;

use comanda_saga::{Call, Direction, Effect, Look, Outcome, Record};
use comanda_steps::customer::Contact;
use comanda_steps::ports::LedgerError;
use comanda_steps::{delivery, notification, payment, preparation, validation};

use crate::error::Error;
use crate::executor::Executor;
use crate::services::{Pool, Services};

/// Runs steps in this process.
pub struct Direct {
    services: Arc<Pool>,
}

impl Direct {
    /// An executor over the services of every class.
    pub fn new(services: Arc<Pool>) -> Self {
        Self { services }
    }
}

impl Executor for Direct {
    async fn run(&self, call: Call, record: &Record) -> Result<Outcome, Error> {
        let services = self.services.of(&record.class)?;
        Ok(match call {
            Call::Read(Look::Validation) => {
                validation::run(record, &contact(&services, record).await?, &*services.catalogue).await
            }
            Call::Do(Effect::CreateIntent) => match contact(&services, record).await {
                Ok(contact) => payment::create(record, &contact, &*services.payments).await,
                Err(Error::Customer(message)) if record.direction == Direction::Undo => {
                    Outcome::Unknown { effect: call.effect(), message }
                }
                Err(error) => return Err(error),
            },
            Call::Do(Effect::Authorize)
            | Call::Do(Effect::Capture)
            | Call::Do(Effect::CancelIntent)
            | Call::Do(Effect::Refund)
            | Call::Read(Look::Payment)
            | Call::Read(Look::Refunds) => payment::run(call, record, &*services.payments).await,
            Call::Do(Effect::NotifyConfirmed) | Call::Do(Effect::NotifyEnding) => {
                match contact(&services, record).await {
                    Ok(contact) => notification::run(call, record, &contact, &*services.notifier).await,
                    // An undo does not wait for ever: it is tried as often as a message that SNS does not take.
                    Err(Error::Customer(message)) if call == Call::Do(Effect::NotifyEnding) => {
                        Outcome::Unknown { effect: call.effect(), message }
                    }
                    Err(error) => return Err(error),
                }
            }
            Call::Do(Effect::Prepare) => preparation::prepare(record, &*services.devices).await,
            Call::Do(Effect::RecallKitchen) => preparation::undo_prepare(record, &*services.devices).await,
            Call::Do(Effect::Deliver) => {
                delivery::deliver(record, &contact(&services, record).await?, &*services.devices).await
            }
            Call::Do(Effect::RecallCourier) => delivery::undo_deliver(record, &*services.devices).await,
            Call::Do(effect @ (Effect::Reserve | Effect::Release)) => {
                return Err(Error::Defect(format!("{} is a write, and no call", effect.name())));
            }
        })
    }
}

/// The customer, from the ledger's sealed contact item.
async fn contact(services: &Services, record: &Record) -> Result<Contact, Error> {
    match services.ledger.contact(&record.identity).await {
        Ok(Some(contact)) => Ok(contact),
        Ok(None) => {
            Err(Error::Customer("the customer's contact in the ledger is gone or has expired".to_owned()))
        }
        Err(LedgerError::Corrupt(why)) => Err(Error::Customer(format!(
            "the customer's contact in the ledger cannot be read ({why}): put the key that sealed it back into the \
             class's contactKey Secret"
        ))),
        Err(error) => Err(error.into()),
    }
}
