//! Payment: create, confirm, capture; undone by cancel or refund.
//!
//! Only a GET by id proves anything. An answer to a POST is trusted when it carries the intent; a
//! refusal is followed by a GET, because the provider replays stored answers to a repeated key; no
//! answer is `Unknown`, and the operator looks the payment up before it does anything else.

use comanda_saga::{
    Call, Cause, Effect, Fault, IntentState, Outcome, PaymentView, Reason, Record, RefundState, RefundView,
};

use crate::intent::{entry, unknown};
use crate::ports::{NewIntent, PaymentError, Payments};

/// Makes one call to the payment provider.
pub async fn run(call: Call, record: &Record, payments: &dyn Payments) -> Outcome {
    let outcome = match call {
        Call::CreateIntent => create(record, payments).await,
        Call::ConfirmIntent => confirm(record, payments).await,
        Call::CaptureIntent => capture(record, payments).await,
        Call::CancelIntent => undo_authorize(record, payments).await,
        Call::RefundPayment => undo_capture(record, payments).await,
        Call::LookUpPayment => look_up(record, payments).await,
        Call::LookUpRefunds => look_up_refunds(record, payments).await,
        _ => Err(unknown(call.effect(), format!("{call:?} is no call to the payment provider"))),
    };
    outcome.unwrap_or_else(|outcome| outcome)
}

/// Both arms are outcomes: `?` ends a step early with what is known by then.
type Step = Result<Outcome, Outcome>;

async fn create(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::CreateIntent;
    let amount = record
        .total()
        .ok_or_else(|| unknown(effect, format!("{}: the total is not known", record.identity)))?;
    let intent = NewIntent {
        amount: &amount,
        payment_method: &record.terms.payment_method,
        identity: &record.identity,
        key: &entry(record, effect)?.key,
    };
    match payments.create(&intent).await {
        Ok(view) => Ok(Outcome::IntentCreated { id: view.id }),
        Err(PaymentError::Refused { code, message }) => Ok(Outcome::Refused(Fault {
            cause: Cause::PaymentDeclined,
            message: format!("The payment provider does not accept the payment ({code}): {message}"),
        })),
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

async fn confirm(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Authorize;
    let id = intent_id(record, effect)?;
    match payments.confirm(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(PaymentError::Refused { code, .. }) => {
            let mut view = get(id, effect, payments).await?;
            if view.state == IntentState::RequiresConfirmation {
                return Ok(refused(Cause::PaymentDeclined, &code));
            }
            if view.state == IntentState::RequiresPaymentMethod {
                view.decline.get_or_insert(code);
            }
            Ok(Outcome::Payment(view))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

async fn capture(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Capture;
    let id = intent_id(record, effect)?;
    match payments.capture(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(PaymentError::Refused { code, .. }) => {
            let view = get(id, effect, payments).await?;
            if view.state == IntentState::RequiresCapture {
                return Ok(refused(Cause::CaptureFailed, &code));
            }
            Ok(Outcome::Payment(view))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

/// A refusal that a GET confirms: asking again would bring the same answer for ever.
fn refused(cause: Cause, code: &str) -> Outcome {
    let what = if cause == Cause::CaptureFailed { "capture the amount" } else { "take the payment" };
    Outcome::Refused(Fault { cause, message: format!("The payment provider refused to {what}: {code}.") })
}

/// Lets the held amount go.
async fn undo_authorize(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::CancelIntent;
    let id = intent_id(record, effect)?;
    match payments.cancel(id, &entry(record, effect)?.key).await {
        Ok(view) => Ok(Outcome::Payment(view)),
        Err(PaymentError::Refused { code, .. }) => {
            let view = get(id, effect, payments).await?;
            let settled = matches!(
                view.state,
                IntentState::Canceled | IntentState::Succeeded | IntentState::Processing
            );
            if settled {
                return Ok(Outcome::Payment(view));
            }
            Ok(needs_person(
                Reason::PaymentUnexpected,
                format!(
                    "The payment provider refuses to cancel the payment ({code}). Cancel {id} by hand, then set \
                     the annotation comanda.dev/retry to a fresh value."
                ),
            ))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

/// Pays the captured amount back.
async fn undo_capture(record: &Record, payments: &dyn Payments) -> Step {
    let effect = Effect::Refund;
    let id = intent_id(record, effect)?;
    match payments.refund(id, &entry(record, effect)?.key).await {
        Ok(view) if view.amount >= record.payment.captured => Ok(Outcome::Refund(Some(view))),
        // It was the rest: a person had given a part back.
        Ok(_) => refunds(record, effect, payments).await.map(Outcome::Refund),
        Err(PaymentError::Refused { code, .. }) => {
            let refund = refunds(record, effect, payments).await?;
            if refund.is_none() {
                return Ok(needs_person(
                    Reason::RefundFailed,
                    format!(
                        "The payment provider refuses to refund the payment ({code}). Refund {id} by hand, then set \
                         the annotation comanda.dev/retry to a fresh value."
                    ),
                ));
            }
            Ok(Outcome::Refund(refund))
        }
        Err(error) => Err(unknown(effect, error.to_string())),
    }
}

async fn look_up(record: &Record, payments: &dyn Payments) -> Step {
    let id = intent_id(record, None)?;
    get(id, None, payments).await.map(Outcome::Payment)
}

async fn look_up_refunds(record: &Record, payments: &dyn Payments) -> Step {
    refunds(record, None, payments).await.map(Outcome::Refund)
}

fn intent_id(record: &Record, effect: impl Into<Option<Effect>>) -> Result<&str, Outcome> {
    record.payment.intent_id.as_deref().ok_or_else(|| {
        unknown(effect.into(), format!("{}: the ledger holds no payment intent id", record.identity))
    })
}

/// An intent that cannot be read proves nothing, not even that it is gone: the key may be another
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
    let id = intent_id(record, effect)?;
    let refunds = payments.refunds(id).await.map_err(|error| unknown(effect, error.to_string()))?;
    let returned = refunds.iter().filter(|refund| refund.state == RefundState::Succeeded);
    let amount = returned.map(|refund| refund.amount).sum();
    if amount > 0 && amount >= record.payment.captured {
        return Ok(Some(RefundView { state: RefundState::Succeeded, amount }));
    }
    let open = refunds.into_iter().filter(|refund| refund.state != RefundState::Succeeded);
    Ok(open.min_by_key(|refund| refund.state == RefundState::Failed))
}

fn needs_person(reason: Reason, message: String) -> Outcome {
    Outcome::NeedsPerson(comanda_saga::record::Stall::new(reason, message))
}

#[cfg(test)]
mod tests;
