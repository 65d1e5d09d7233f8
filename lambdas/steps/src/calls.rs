//! Which step makes which call.

use comanda_saga::{Call, DeviceEvent, Direction, Effect, Identity, Look, Outcome, Record};

use crate::customer::Contact;
use crate::ports::{
    Catalogue, Devices, Executions, Ledger, LedgerError, Loaded, Notifier, PaymentRules, Payments,
};
use crate::{delivery, execution, notification, payment, preparation, validation};

/// The services that steps speak to. Whoever does a part of them has what that part needs.
#[derive(Clone, Copy)]
pub struct Services<'a> {
    /// The system of record: the customer's contact is there.
    pub ledger: &'a dyn Ledger,
    /// Prices and availability.
    pub catalogue: Option<&'a dyn Catalogue>,
    /// What is known of the payment provider.
    pub payment_rules: &'a dyn PaymentRules,
    /// The payment provider.
    pub payments: Option<&'a dyn Payments>,
    /// Messages to customers.
    pub notifier: Option<&'a dyn Notifier>,
    /// Commands to kitchens and couriers.
    pub devices: Option<&'a dyn Devices>,
    /// Step Functions.
    pub executions: Option<&'a dyn Executions>,
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
    /// The effect is a write of the ledger, or is not repeated.
    #[error("{} is no such call", .0.name())]
    NoCall(Effect),
    /// Whoever carries the order has no way to a service.
    #[error("there is no way to {0} from here")]
    No(&'static str),
}

/// Makes one call whose intent is in the record; `Unknown` when the answer was lost.
///
/// # Errors
/// When it could not be made.
pub async fn make(call: Call, record: &Record, services: Services<'_>) -> Result<Outcome, CallError> {
    let Services { ledger, catalogue, payment_rules, payments, notifier, devices, executions } = services;
    let catalogue = || catalogue.ok_or(CallError::No("the catalogue"));
    let payments = || payments.ok_or(CallError::No("the payment provider"));
    let notifier = || notifier.ok_or(CallError::No("the notification service"));
    let devices = || devices.ok_or(CallError::No("devices"));
    let executions = || executions.ok_or(CallError::No("Step Functions"));
    let contact = async || contact(ledger, record).await;
    Ok(match call {
        Call::Read(Look::Validation) => {
            validation::look(record, &contact().await?, catalogue()?, payment_rules).await
        }
        Call::Do(Effect::OpenPayment) => match contact().await {
            Ok(contact) => payment::create(record, &contact, payments()?).await,
            Err(CallError::Customer(message)) if record.direction == Direction::Undo => {
                Outcome::Unknown { effect: call.effect(), message }
            }
            Err(error) => return Err(error),
        },
        Call::Do(Effect::Authorize | Effect::Capture | Effect::CancelPayment | Effect::Refund)
        | Call::Read(Look::Payment | Look::Refunds) => payment::perform(call, record, payments()?).await,
        Call::Do(effect @ (Effect::NotifyConfirmed | Effect::NotifyEnding)) => match contact().await {
            Ok(contact) => notification::notify(call, record, &contact, notifier()?).await,
            // It is tried as often as a message that SNS does not take.
            Err(CallError::Customer(message)) => Outcome::NoContact { effect, message },
            Err(error) => return Err(error),
        },
        Call::Read(Look::Events) => Outcome::Heard(reread(ledger, record).await?),
        Call::Do(Effect::Execute) => execution::start(record, executions()?).await,
        Call::Read(Look::Execution) => {
            reread(ledger, record).await?;
            execution::look(record, executions()?).await
        }
        Call::Do(Effect::Prepare) | Call::Repeat(Effect::Prepare) => {
            preparation::prepare(record, devices()?).await
        }
        Call::Do(Effect::RecallKitchen) | Call::Repeat(Effect::RecallKitchen) => {
            preparation::undo_prepare(record, devices()?).await
        }
        Call::Do(Effect::Deliver) | Call::Repeat(Effect::Deliver) => {
            delivery::deliver(record, &contact().await?, devices()?).await
        }
        Call::Do(Effect::Assign) | Call::Repeat(Effect::Assign) => {
            delivery::assign(record, &contact().await?, devices()?).await
        }
        Call::Do(Effect::RecallCourier) | Call::Repeat(Effect::RecallCourier) => {
            delivery::undo_deliver(record, devices()?).await
        }
        Call::Do(effect @ (Effect::Reserve | Effect::Release)) | Call::Repeat(effect) => {
            return Err(CallError::NoCall(effect));
        }
    })
}

/// All that devices said of an order, once the ledger is known to have it as it is held here.
async fn reread(ledger: &dyn Ledger, record: &Record) -> Result<Vec<DeviceEvent>, CallError> {
    let loaded = load(ledger, &record.identity).await.map_err(CallError::Ledger)?;
    let same = loaded.filter(|loaded| loaded.record.version == record.version);
    same.map(|loaded| loaded.events).ok_or(CallError::Ledger(LedgerError::Conflict))
}

/// The order as the ledger has it, with all that devices said of it, whoever kept that there; none when it was never
/// claimed.
///
/// # Errors
/// When the ledger does not answer, or what it holds cannot be read.
pub async fn load(ledger: &dyn Ledger, identity: &Identity) -> Result<Option<Loaded>, LedgerError> {
    let mut loaded = ledger.load(identity).await?;
    if let Some(Loaded { record, events }) = loaded.as_mut().filter(|loaded| loaded.record.is_spoken_of()) {
        events.extend(ledger.events_kept_by_rule(record).await?);
    }
    Ok(loaded)
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
