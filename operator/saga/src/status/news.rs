//! Whether a status has to be written.

use comanda_crds::{OrderStatus, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::effect::Effect;

/// Keeps the time of every condition whose status did not change.
pub fn carry_times(new: &mut OrderStatus, old: &OrderStatus) {
    for condition in &mut new.conditions {
        if let Some(before) = old.conditions.iter().find(|before| before.type_ == condition.type_)
            && before.status == condition.status
        {
            condition.last_transition_time = before.last_transition_time.clone();
        }
    }
}

/// True when somebody outside must see the new status: something other than times, messages and
/// counters changed.
pub fn is_news(new: &OrderStatus, old: &OrderStatus) -> bool {
    essence(new) != essence(old)
}

fn essence(status: &OrderStatus) -> OrderStatus {
    // With these, what is to be done stands in the message alone, and it does not change from try to try.
    let telling = [Reason::ClassNotReady, Reason::CustomerNotFound, Reason::Suspended, Reason::Waiting];
    let mut status = status.clone();
    // Who has the order changes nothing for whoever waits for it, and goes with what does.
    (status.courier, status.ledger_version) = (None, None);
    status.steps.retain(|step| step.name != Effect::Assign.name());
    for condition in &mut status.conditions {
        if !telling.iter().any(|reason| reason.name() == condition.reason) {
            condition.message.clear();
        }
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    status.conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    if let Some(waiting) = &mut status.waiting_for {
        (waiting.since, waiting.deadline) = (None, None);
    }
    for step in &mut status.steps {
        (step.attempts, step.started_at, step.finished_at, step.message) = (0, None, None, None);
        step.execution_arn = None;
    }
    for undo in &mut status.compensations {
        (undo.attempts, undo.finished_at, undo.message) = (0, None, None);
    }
    status
}
