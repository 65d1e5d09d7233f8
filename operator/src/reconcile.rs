//! The one page to read first: observe, then (decide, act) until nothing is ready, then report.

use std::sync::Arc;
use std::time::Duration;

use comanda_crds::{Order, Phase};
use comanda_saga::{Trouble, Wait, decide, status};
use comanda_steps::ports::LedgerError;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::{Instrument, info_span, warn};

use crate::act::act;
use crate::context::Context;
use crate::error::Error;
use crate::live::Memory;
use crate::observe::{is_behind, observe, recall};
use crate::report::report;

/// More passes than any order needs in a row; reaching it is a defect, and backs off.
const MAX_PASSES: usize = 48;
/// How many failures in a row an outsider is not bothered with.
const QUIET_FAILURES: u32 = 2;

/// Carries one order as far as it goes now.
pub async fn reconcile(order: Arc<Order>, context: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let span = info_span!("order", order = order.name_any(), namespace = order.namespace());
    Ok(run(order, &context).instrument(span).await)
}

async fn run(order: Arc<Order>, context: &Context) -> Action {
    let object = ObjectRef::from_obj(&*order);
    let mut memory = context.live.take(&object);
    memory.trouble = None;
    let result = carry(&order, &mut memory, context).await;
    let action = match result {
        Ok(action) => {
            memory.failures = 0;
            action
        }
        Err(error) => settle_failure(&order, &error, &mut memory, context).await,
    };
    let gone =
        memory.released || (order.metadata.deletion_timestamp.is_some() && order.finalizers().is_empty());
    if gone {
        context.live.forget(&object, &memory);
    } else {
        context.live.put(object, memory);
    }
    action
}

async fn carry(order: &Arc<Order>, memory: &mut Memory, context: &Context) -> Result<Action, Error> {
    for _ in 0..MAX_PASSES {
        let order = newest(order, memory);
        let observed = observe(&order, memory, context).await?;
        let decision = decide(&observed, Timestamp::now())?;
        if decision.actions.is_empty() {
            report(&order, decision.status, memory, context).await?;
            let due = memory.catch_up_at(observed.hearing_since);
            return Ok(requeue(due.map_or(decision.wait, |due| decision.wait.or_at(due))));
        }
        act(decision.actions, &order, memory, context).await?;
        if memory.released {
            return Ok(Action::await_change());
        }
    }
    Err(Error::Defect(format!("the order asked for more than {MAX_PASSES} things in a row")))
}

/// The Order to use: the newer of the cache's and the one this process wrote last.
fn newest(cached: &Arc<Order>, memory: &Memory) -> Arc<Order> {
    // Resource versions are decimal numbers that rise, by the API conventions since Kubernetes 1.35.
    let version = |order: &Order| order.resource_version().and_then(|version| version.parse::<u64>().ok());
    match &memory.written {
        Some(written) if written.uid() == cached.uid() && version(written) > version(cached) => {
            Arc::clone(written)
        }
        _ => Arc::clone(cached),
    }
}

fn requeue(wait: Wait) -> Action {
    match wait {
        Wait::Not => Action::requeue(Duration::ZERO),
        Wait::ForEvent => Action::await_change(),
        Wait::Until(time) => {
            let left = Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default();
            Action::requeue(left + Duration::from_millis(10))
        }
    }
}

/// The one place where an error becomes what is remembered, shown and waited for.
async fn settle_failure(order: &Arc<Order>, error: &Error, memory: &mut Memory, context: &Context) -> Action {
    // That somebody was faster is no failure.
    memory.failures += u32::from(!matches!(error, Error::Outdated));
    context.metrics.reconcile_errors.with_label_values(&[error.kind()]).inc();
    if error.forgets() {
        memory.forget();
    }
    if matches!(error, Error::Stopping) {
        return Action::await_change();
    }
    if !matches!(error, Error::Conflict | Error::Outdated) {
        warn!(%error, failures = memory.failures, "the order is tried again");
        memory.trouble = Some(Trouble { reason: error.reason(), error: error.to_string() });
    }
    let tellable = match error {
        // A ledger that is away, or refuses to be read, is the class's to tell; that it refuses a write, only the order
        // can say.
        Error::Ledger(LedgerError::Refused(_)) => memory.loaded,
        Error::Ledger(LedgerError::Unreachable(_))
        | Error::Conflict
        | Error::Outdated
        | Error::Kubernetes(_) => false,
        _ => true,
    };
    let patient = matches!(error, Error::Call(_) | Error::Ledger(LedgerError::Refused(_)))
        && memory.failures <= QUIET_FAILURES;
    let order = newest(order, memory);
    let unclaimed = order.status.as_ref().is_none_or(|status| status.phase == Phase::Pending);
    if tellable && !patient && !is_behind(&order, memory) {
        let status = match (&memory.trouble, &order.status) {
            (Some(trouble), Some(before)) if !memory.loaded && !unclaimed => status::unread(before, trouble),
            _ => status::of_saved(&recall(&order, memory, context), Timestamp::now()),
        };
        if let Err(error) = report(&order, status, memory, context).await
            && !matches!(error, Error::Outdated)
        {
            warn!(%error, "the status could not be written");
        }
    }
    Action::requeue(error.backoff(memory.failures, rand::random()))
}
