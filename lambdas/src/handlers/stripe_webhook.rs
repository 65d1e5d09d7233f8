//! What Stripe says by itself of a payment. It leads to a look-up, and to whoever waits for what that brought: an execution
//! whose step would go on, and the operator. Its route has no authorizer: the signature is it.

use comanda_steps::adapters::stripe::webhook::{Event, LONGEST_BODY};
use comanda_steps::calls::Services;
use comanda_steps::webhook::{Heard, hear};
use jiff::Timestamp;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};

use crate::failure::Failure;
use crate::log;
use crate::stack::Stack;

/// Takes in a request. What is Stripe's, and was seen to, gets a 200, whatever came of it; what is not known to be Stripe's a
/// 400, and not why. Where nothing is proved Stripe hears so, and sends it again, for up to three days.
/// Source: <https://docs.stripe.com/webhooks#automatic-retries>.
pub async fn stripe_webhook(request: Request, stack: &Stack) -> Response<Body> {
    let status = match take_in(&request, stack).await {
        Ok(status) => status,
        Err(error) => {
            log::untold(&error);
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

async fn take_in(request: &Request, stack: &Stack) -> Result<StatusCode, Failure> {
    let body: &[u8] = request.body().as_ref();
    // A second one is somebody else's.
    let mut signatures = request.headers().get_all("stripe-signature").iter();
    let signature = signatures.next().filter(|_| signatures.next().is_none());
    let Some(signature) = signature.and_then(|signature| signature.to_str().ok()) else {
        return Ok(refused("no signature"));
    };
    if body.len() > LONGEST_BODY {
        return Ok(refused("the body is too long"));
    }
    let account = stack.account().await?;
    if let Err(why) = account.signing_secrets.verify(signature, body, Timestamp::now()) {
        return Ok(refused(why));
    }
    let event = match Event::read(body) {
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
            // No other invocation has it.
            let writer = format!("stripe-webhook/{}", uuid::Uuid::new_v4());
            hear(payment, account.installation, services, &writer).await?
        }
        None => Heard::NotOurs,
    };
    let Heard::Looked(looked) = heard else {
        log::event(&event, None, "NotOurs", None, false);
        return Ok(StatusCode::OK);
    };
    // What of it is lost is found by time.
    let woke = looked.wake_execution(&ledger, &stack.executions).await?;
    if looked.is_news() {
        let execution = looked.loaded.record.execution();
        stack.tell(looked.order(), execution.unwrap_or_default()).await?;
    }
    log::event(&event, Some(looked.order()), looked.outcome(), looked.needs_person(), woke);
    Ok(StatusCode::OK)
}

fn refused(why: impl std::fmt::Display) -> StatusCode {
    log::refused(why);
    StatusCode::BAD_REQUEST
}
