//! What a function logs: JSON, a line each. Alarms count lines by their fields, with the metric filters of
//! `lambdas/template.yaml`, so what a line says is a contract: `log/lines.jsonl` has one of each kind, and a test holds it
//! to what is written. No line has personal data.
//!
//! Lambda leaves lines that are JSON already as they are, whatever its `LogFormat`.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html>.
//! It reads their `level` and `timestamp`, to leave out what is below the level of its log.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>.

use std::fmt::Display;

use comanda_crds::Cause;
use comanda_saga::Identity;
use comanda_steps::adapters::stripe::webhook::Event;
use comanda_steps::contract::StepOutput;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::Failure;

/// Which call of a function a line is about.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The order.
    pub order: &'a Identity,
    /// The execution that calls.
    pub execution: &'a str,
    /// The state that calls.
    pub step: &'a str,
    /// How often this state was tried before.
    pub attempt: u32,
}

/// What writes the lines.
pub fn subscriber(
    filter: EnvFilter,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

/// A step ended. `cause` says why the order is undone, where that is the answer.
pub fn step(called: Called<'_>, done: Result<(&StepOutput, Option<Cause>), &Failure>, milliseconds: u64) {
    let Called { order, execution, step, attempt } = called;
    match done {
        Ok((StepOutput { result, phase, reason, seconds, .. }, cause)) => {
            let (reason, cause) = (reason.as_deref(), cause.map(Cause::name));
            info!(%order, execution, step, attempt, outcome = ?result, ?phase, reason, cause, seconds, milliseconds, "step");
        }
        Err(error) => {
            let outcome = error.name();
            warn!(%order, execution, step, attempt, outcome, %error, milliseconds, "step");
        }
    }
}

/// A wait began, or it was found that there is nothing to wait for.
pub fn wait(called: Called<'_>, done: Result<&str, &Failure>) {
    let Called { order, execution, step, attempt } = called;
    match done {
        Ok(outcome) => info!(%order, execution, step, attempt, outcome, "wait"),
        Err(error) => {
            let outcome = error.name();
            warn!(%order, execution, step, attempt, outcome, %error, "wait");
        }
    }
}

/// What the payment provider told of was seen to. `reason` says why a person is needed, while one is: of an order that is
/// over, and whose object may be gone, nothing else does.
pub fn event(event: &Event, order: Option<&Identity>, outcome: &str, reason: Option<&str>, woke: bool) {
    let Event { id, kind, live, .. } = event;
    let order = order.map(ToString::to_string);
    if let Some(reason) = reason {
        warn!(order, event = id, kind, live, outcome, reason, woke, "stripe-webhook");
    } else {
        info!(order, event = id, kind, live, outcome, woke, "stripe-webhook");
    }
}

/// A request to the webhook is not known to be the payment provider's.
pub fn refused(why: impl Display) {
    warn!(outcome = "Refused", %why, "stripe-webhook");
}

/// What the payment provider told of is to be told again.
pub fn untold(error: &Failure) {
    warn!(outcome = error.name(), %error, "stripe-webhook");
}

#[cfg(test)]
mod tests;
