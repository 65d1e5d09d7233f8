//! What Stripe says by itself of a payment. It leads to a look-up, and to whoever waits for what that brought: an execution
//! whose step would go on, and the operator. Its route has no authorizer: the signature is it.

use comanda_steps::adapters::stripe::webhook::{Event, LONGEST_BODY};
use comanda_steps::calls::Services;
use comanda_steps::webhook::{Heard, hear};
use jiff::Timestamp;
use tracing::{info, warn};

use crate::failure::Failure;
use crate::http::{Answer, Request};
use crate::stack::Stack;

/// What is Stripe's, and was seen to, whatever came of it.
const TAKEN: Answer = Answer { status_code: 200 };
/// What is not known to be Stripe's. Why, whoever sent it is not told.
const REFUSED: Answer = Answer { status_code: 400 };
/// Nothing is proved: Stripe sends it again, for up to three days.
/// Source: <https://docs.stripe.com/webhooks#automatic-retries>.
const AGAIN: Answer = Answer { status_code: 500 };

/// Takes in a request.
pub async fn stripe_webhook(request: Request, context: &lambda_runtime::Context, stack: &Stack) -> Answer {
    match take_in(&request, context, stack).await {
        Ok(answer) => answer,
        Err(error) => {
            let outcome = if matches!(error, Failure::Defect(_)) { "Defect" } else { "Transient" };
            warn!(outcome, %error, "stripe-webhook");
            AGAIN
        }
    }
}

async fn take_in(
    request: &Request,
    context: &lambda_runtime::Context,
    stack: &Stack,
) -> Result<Answer, Failure> {
    let (header, body) = (request.header("stripe-signature"), request.body());
    let (Some(header), Some(body)) = (header, body.filter(|body| body.len() <= LONGEST_BODY)) else {
        return Ok(refused("no signed body"));
    };
    let account = stack.account().await?;
    if let Err(why) = account.signing_secrets.verify(header, &body, Timestamp::now()) {
        return Ok(refused(why));
    }
    let event = match Event::read(&body) {
        Ok(event) => event,
        Err(why) => return Ok(refused(why)),
    };
    let ledger = stack.ledger().await?;
    let heard = match &event.payment {
        Some(payment) => {
            let services = Services {
                ledger: &ledger,
                catalogue: None,
                payment_rules: account.payment_rules,
                payments: Some(&*account.payments),
                notifier: None,
                devices: None,
                executions: None,
            };
            let writer = format!("{}/{}", context.request_id, uuid::Uuid::new_v4());
            hear(payment, account.installation, services, &writer).await?
        }
        None => Heard::NotOurs,
    };
    let Event { id, kind, live, .. } = &event;
    match heard {
        Heard::NotOurs => info!(event = id, kind, live, outcome = "NotOurs", "stripe-webhook"),
        Heard::Looked(looked) => {
            // What of it is lost is found by time.
            let woke = looked.wake_execution(&ledger, &stack.executions).await?;
            let (order, outcome) = (looked.order(), looked.outcome());
            if looked.is_news() {
                let execution = looked.loaded.record.execution();
                stack.tell(order, execution.unwrap_or_default()).await?;
            }
            // Alarms match `NeedsPerson`: the order's object may be gone.
            if let Some(reason) = looked.needs_person() {
                warn!(%order, event = id, kind, live, outcome, reason, woke, "stripe-webhook");
            } else {
                info!(%order, event = id, kind, live, outcome, woke, "stripe-webhook");
            }
        }
    }
    Ok(TAKEN)
}

fn refused(why: impl std::fmt::Display) -> Answer {
    warn!(outcome = "Refused", %why, "stripe-webhook");
    REFUSED
}
