//! The one page to read first: observe, take custody, carry, release, report. Each stage is entered once.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comanda_crds::{Order, Phase};
use comanda_saga::{Observed, Trouble, Wait, custody, status};
use comanda_steps::carry::{self, InHand, Reach, Rest};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use tracing::{Instrument, info_span, warn};

use crate::carrier::Carrier;
use crate::context::Context;
use crate::error::{Error, Shown};
use crate::interrupt::{self, Asked, Standing};
use crate::memory::Memory;
use crate::object;
use crate::observe::{circumstances, hearing_since, is_behind, observe, remembered};
use crate::report::report;
use crate::services::Services;

/// How many failures in a row an outsider is not bothered with.
const QUIET_FAILURES: u32 = 2;

/// Carries one order as far as it goes now.
pub async fn reconcile(order: Arc<Order>, context: Arc<Context>) -> Result<Action, std::convert::Infallible> {
    let span = info_span!("order", order = order.name_any(), namespace = order.namespace());
    Ok(with_memory(order, &context).instrument(span).await)
}

async fn with_memory(order: Arc<Order>, context: &Context) -> Action {
    let object = ObjectRef::from_obj(&*order);
    let mut memory = context.live.take(&object);
    memory.trouble = None;
    let action = match stages(&order, &mut memory, context).await {
        Ok(action) => {
            memory.failures = 0;
            action
        }
        Err(error) => failed(&order, &error, &mut memory, context).await,
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

async fn stages(order: &Arc<Order>, memory: &mut Memory, context: &Context) -> Result<Action, Error> {
    let order = newest(order, memory);
    let observed = observe(&order, memory, context).await?;
    let taken = custody::take(&observed, Timestamp::now())?;
    object::act(taken, &order, memory, context).await?;
    let order = newest(&order, memory);
    let wait = if is_owned(&observed, memory) {
        carry(&order, &observed, memory, context).await?
    } else {
        custody::wait(&observed, Timestamp::now())
    };
    if memory.released {
        return Ok(Action::await_change());
    }
    let observed = Observed { record: memory.saved().cloned(), ..observed };
    report(&order, status::project(&observed, Timestamp::now()), memory, context).await?;
    Ok(requeue(wait))
}

fn is_owned(observed: &Observed, memory: &Memory) -> bool {
    memory.saved().is_some_and(|record| record.is_owned_by(&observed.order.owner)) && !memory.released
}

/// Carries the order to its next wait, and lets go of an object whose order is over.
async fn carry(
    order: &Arc<Order>,
    observed: &Observed,
    memory: &mut Memory,
    context: &Context,
) -> Result<Wait, Error> {
    let Some(hand) = &mut memory.hand else { return Ok(Wait::ForEvent) };
    let services = context.services.of(&hand.saved.class)?;
    let around = circumstances(observed, &services, context);
    let carrier = Carrier {
        order,
        services: &services,
        context,
        begun: Instant::now(),
        asked: Mutex::default(),
        turn: Mutex::new(memory.turn),
    };
    let rest = match carry::carry(hand, &around, Reach::NextWait, &carrier).await {
        Err(Error::NotYet(left)) => {
            let due = SignedDuration::try_from(left).map_or(Timestamp::MAX, |left| Timestamp::now() + left);
            Ok(Rest::Wait(Wait::Until(due)))
        }
        rest => rest,
    };
    memory.turn = carrier.turn();
    if let Some(executor) = &services.executor
        && let Some(asked) = carrier.asked()
    {
        interrupt::wake(&asked, &hand.saved, &*services.ledger, &*executor.executions).await;
        memory.asked = Some(asked);
    }
    let wait = follow_up(&mut memory.asked, hand, &services, rest?.wait()).await;
    if !hand.saved.phase.is_final() {
        // A connection that began meanwhile woke nobody who was not resting.
        let meanwhile = hearing_since(&services) != around.hearing_since;
        return Ok(if meanwhile { wait.or_at(Timestamp::now()) } else { wait });
    }
    let (action, wait) = custody::release(&observed.order, &hand.saved, Timestamp::now());
    object::act(action, order, memory, context).await?;
    Ok(wait)
}

/// Sees to it that an execution hears what people asked of its order.
async fn follow_up(asked: &mut Option<Asked>, hand: &mut InHand, services: &Services, wait: Wait) -> Wait {
    let (Some(asking), Some(executor)) = (&mut *asked, &services.executor) else { return wait };
    let now = Timestamp::now();
    match asking.standing(&hand.saved, now) {
        Standing::Heard => *asked = None,
        Standing::Until(due) => return wait.or_at(due),
        Standing::Unheard if interrupt::stop(asking, &hand.saved, &*executor.executions).await => {
            hand.execution_doubted = Some(asking.execution.clone());
            *asked = None;
            return wait.or_at(now);
        }
        Standing::Unheard => {
            asking.again(now);
            return wait.or_at(now + SignedDuration::from_mins(1));
        }
    }
    wait
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
        Wait::ForEvent => Action::await_change(),
        Wait::Until(time) => {
            let left = Duration::try_from(time.duration_since(Timestamp::now())).unwrap_or_default();
            Action::requeue(left + Duration::from_millis(10))
        }
    }
}

/// What a failure leads to: what is remembered, shown and waited for, as [`Error::handling`] has it.
async fn failed(order: &Arc<Order>, error: &Error, memory: &mut Memory, context: &Context) -> Action {
    let handling = error.handling();
    memory.failures += u32::from(handling.counts);
    context.metrics.reconcile_errors.with_label_values(&[handling.kind]).inc();
    if handling.forgets {
        memory.forget();
    }
    if matches!(error, Error::Stopping) {
        return Action::await_change();
    }
    if let Some(reason) = handling.trouble {
        warn!(%error, failures = memory.failures, "the order is tried again");
        memory.trouble = Some(Trouble { reason, error: error.to_string() });
    }
    let tells = match handling.shown {
        Shown::Never => false,
        Shown::AtOnce => true,
        Shown::WhenItLasts => memory.failures > QUIET_FAILURES,
        Shown::WhenItLastsAndTheRecordIsKnown => memory.failures > QUIET_FAILURES && memory.loaded,
    };
    let order = newest(order, memory);
    if tells && !is_behind(&order, memory) {
        let unclaimed = order.status.as_ref().is_none_or(|status| status.phase == Phase::Pending);
        let status = match (&memory.trouble, &order.status) {
            (Some(trouble), Some(before)) if !memory.loaded && !unclaimed => status::unread(before, trouble),
            _ => status::project(&remembered(&order, memory, context), Timestamp::now()),
        };
        if let Err(error) = report(&order, status, memory, context).await
            && !matches!(error, Error::Outdated)
        {
            warn!(%error, "the status could not be written");
        }
    }
    Action::requeue(handling.backoff(memory.failures, rand::random()))
}
