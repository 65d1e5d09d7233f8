//! Payment: create, confirm, capture; undone by cancel or refund.
//!
//! Only a GET by id proves anything. An answer to a POST is trusted when it carries the payment; a
//! refusal is followed by a GET, because the provider replays stored answers to a repeated key; no
//! answer is `Unknown`, and the operator looks the payment up before it does anything else.

use comanda_saga::{
    Call, Cause, Effect, Fault, Hold, Look, Outcome, PaymentView, Reason, Record, RefundState, RefundView,
};

use crate::customer::Contact;
use crate::intent::{entry, unknown};
use crate::ports::{Invalid, NewPayment, Part, PaymentError, Payments};

/// Makes the unconfirmed payment, which names who gets the goods.
pub async fn create(record: &Record, recipient: &Contact, payments: &dyn Payments) -> Outcome {
    make(record, recipient, payments).await.unwrap_or_else(|outcome| outcome)
}

/// Makes one call about a payment that exists.
pub async fn perform(call: Call, record: &Record, payments: &dyn Payments) -> Outcome {
    let outcome = match call {
        Call::Do(Effect::Authorize) => confirm(record, payments).await,
        Call::Do(Effect::Capture) => capture(record, payments).await,
        Call::Do(Effect::CancelPayment) => undo_authorize(record, payments).await,
        Call::Do(Effect::Refund) => undo_capture(record, payments).await,
        Call::Read(Look::Payment) => look_up(record, payments).await,
        Call::Read(Look::Refunds) => look_up_refunds(record, payments).await,
        _ => Err(unknown(call.effect(), format!("{call:?} is no call about a payment"))),
    };
    outcome.unwrap_or_else(|outcome| outcome)
}

/// Both arms are outcomes: `?` ends a step early with what is known by then.
type Step = Result<Outcome, Outcome>;

async fn make(record: &Record, recipient: &Contact, payments: &dyn Payments) -> Step {
    let effect = Effect::OpenPayment;
    let amount = record
        .total()
        .ok_or_else(|| unknown(effect, format!("{}: the total is not known", record.identity)))?;
    let payment = NewPayment {
        amount: &amount,
        payment_method: &record.terms.payment_method,
        customer: record.terms.payment_customer.as_deref(),
        identity: &record.identity,
        store: &record.terms.store,
        recipient,
        key: &entry(record, effect)?.key,
    };
    match payments.create(&payment).await {
        Ok(view) => Ok(Outcome::PaymentOpened { id: view.id }),
        Err(PaymentError::Declined { code }) => Ok(declined(&code)),
        Err(PaymentError::Invalid(invalid)) => Ok(refused(&invalid)),
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

fn declined(code: &str) -> Outcome {
    Outcome::Refused(Fault {
        cause: Cause::PaymentDeclined,
        message: format!("The payment was declined: {code}."),
    })
}

async fn confirm(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Authorize;
    let id = payment_id(record, effect)?;
    match payments.confirm(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(PaymentError::Declined { code }) => {
            let mut view = get(id, effect, payments).await?;
            if view.hold == Hold::NotBegun {
                return Ok(declined(&code));
            }
            if view.hold == Hold::Refused {
                view.decline.get_or_insert(code);
            }
            Ok(Outcome::Payment(view))
        }
        Err(PaymentError::Invalid(invalid)) => {
            let view = get(id, effect, payments).await?;
            // A decline that the payment remembers is an earlier answer to the same confirmation.
            let untried = view.hold == Hold::NotBegun || view.hold == Hold::Refused && view.decline.is_none();
            Ok(if untried { refused(&invalid) } else { Outcome::Payment(view) })
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

async fn capture(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Capture;
    let id = payment_id(record, effect)?;
    match payments.capture(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(ref error) if let Some(code) = error.refusal_code() => {
            let view = get(id, effect, payments).await?;
            if view.hold == Hold::Held {
                return Ok(Outcome::Refused(Fault {
                    cause: Cause::CaptureFailed,
                    message: format!("The payment provider refused to capture the amount ({code})."),
                }));
            }
            Ok(Outcome::Payment(view))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

/// A request that would be refused again for ever, and what of the order to change where that is known. No bank said
/// no.
fn refused(invalid: &Invalid) -> Outcome {
    let advice = match &invalid.part {
        Part::MethodOfType(method) => {
            format!(
                " The payment method is of the type {method}, and orders are paid by card: ask for a card."
            )
        }
        Part::Amount => " It charges no such amount in this currency.".to_owned(),
        Part::Customer => " spec.payment.customer has to be a customer of the class's account.".to_owned(),
        Part::Method => {
            " spec.payment.paymentMethod has to be a card of the class's account that was not used up; one \
                         that is saved for a customer needs spec.payment.customer."
                .to_owned()
        }
        Part::Other => String::new(),
    };
    Outcome::Refused(Fault {
        cause: Cause::PaymentInvalid,
        message: format!("The payment provider does not take the payment ({invalid}).{advice}"),
    })
}

/// Lets the held amount go.
async fn undo_authorize(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::CancelPayment;
    let id = payment_id(record, effect)?;
    match payments.cancel(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(ref error) if let Some(code) = error.refusal_code() => {
            let view = get(id, effect, payments).await?;
            let settled = matches!(view.hold, Hold::Released | Hold::Taken | Hold::AwaitsProvider);
            if settled {
                return Ok(Outcome::Payment(view));
            }
            Ok(needs_person(
                Reason::PaymentUnexpected,
                format!(
                    "The payment provider refuses to cancel the payment ({code}). Cancel {id} by hand, then set the \
                     annotation comanda.dev/retry to a fresh value."
                ),
            ))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

/// Pays the captured amount back.
async fn undo_capture(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Refund;
    let id = payment_id(record, effect)?;
    match payments.refund(id, &entry(record, effect)?.key).await {
        Ok(view) if view.amount >= record.payment.captured => Ok(Outcome::Refund(Some(view))),
        // It was the rest: a person had given a part back.
        Ok(_) => refunds(record, effect, payments).await.map(Outcome::Refund),
        Err(PaymentError::Disputed { .. }) => {
            let amount = record.payment.captured;
            Ok(Outcome::Refund(Some(RefundView { state: RefundState::Disputed, amount })))
        }
        Err(ref error) if let Some(code) = error.refusal_code() => {
            let refund = refunds(record, effect, payments).await?;
            if refund.is_none() {
                return Ok(needs_person(
                    Reason::RefundFailed,
                    format!(
                        "The payment provider refuses to refund the payment ({code}). Refund {id} by hand, then set the \
                         annotation comanda.dev/retry to a fresh value."
                    ),
                ));
            }
            Ok(Outcome::Refund(refund))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

async fn look_up(record: &Record, payments: &dyn Payments) -> Step {
    let id = payment_id(record, None)?;
    get(id, None, payments).await.map(Outcome::Payment)
}

async fn look_up_refunds(record: &Record, payments: &dyn Payments) -> Step {
    refunds(record, None, payments).await.map(Outcome::Refund)
}

fn payment_id(record: &Record, effect: impl Into<Option<Effect>>) -> Result<&str, Outcome> {
    record
        .payment
        .id
        .as_deref()
        .ok_or_else(|| unknown(effect.into(), format!("{}: the ledger holds no payment id", record.identity)))
}

/// A payment that cannot be read proves nothing, not even that it is gone: the key may be another
/// account's.
async fn get(
    id: &str,
    effect: impl Into<Option<Effect>>,
    payments: &dyn Payments,
) -> Result<PaymentView, Outcome> {
    payments.get(id).await.map_err(|error| unknown(effect, error.to_string()))
}

/// What all refunds of a payment come to, those included that people made by hand: the whole amount is back, or it
/// is under way, or it could not be paid; none when something is left to pay back.
async fn refunds(
    record: &Record,
    effect: impl Into<Option<Effect>>,
    payments: &dyn Payments,
) -> Result<Option<RefundView>, Outcome> {
    let effect = effect.into();
    let id = payment_id(record, effect)?;
    let refunds = payments.refunds(id).await.map_err(|error| unknown(effect, error.to_string()))?;
    let returned = refunds.iter().filter(|refund| refund.state == RefundState::Succeeded);
    let amount = returned.map(|refund| refund.amount).sum();
    if amount > 0 && amount >= record.payment.captured {
        return Ok(Some(RefundView { state: RefundState::Succeeded, amount }));
    }
    let open = refunds.into_iter().filter(|refund| refund.state != RefundState::Succeeded);
    // One under way may still succeed; one that a dispute ended says more than one that failed.
    Ok(open.min_by_key(|refund| match refund.state {
        RefundState::Pending | RefundState::Succeeded => 0,
        RefundState::Disputed => 1,
        RefundState::Failed => 2,
    }))
}

fn needs_person(reason: Reason, message: String) -> Outcome {
    Outcome::NeedsPerson(comanda_saga::record::Stall::new(reason, message))
}

#[cfg(test)]
mod tests;
