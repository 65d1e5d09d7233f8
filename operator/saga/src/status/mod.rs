//! What the object says about its order: a projection of the ledger record, without personal data.

mod conditions;
mod news;
mod progress;
mod sentences;

use comanda_crds::{ConditionType, OrderStatus, PaymentStatus, Reason};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

pub use news::{carry_times, is_news};

use self::conditions::{condition, kstatus, milestones};
use self::progress::{compensation, step, waiting_for};
use self::sentences::{headline, held};
use crate::custody::may_adopt;
use crate::effect::{Effect, Listed};
use crate::observed::{ClassFacts, Closed, Observed, Trouble};
use crate::record::Record;

/// What the object is to say: what the ledger holds. What is only meant to be done, or not written yet, may come
/// otherwise.
pub fn project(o: &Observed, now: Timestamp) -> OrderStatus {
    let mut status = match &o.record {
        None => unclaimed(o),
        Some(record) => match refusal(o, record) {
            Some((reason, message)) => refused(
                reason.name(),
                &message,
                reason == Reason::OrderIdConflict || reason == Reason::OwnedElsewhere,
            ),
            None => of_record(o, record),
        },
    };
    status.observed_generation = o.order.generation;
    for condition in &mut status.conditions {
        condition.observed_generation = Some(o.order.generation);
        condition.last_transition_time = Time(now);
    }
    status
}

/// The status as it was, and the trouble: nothing else is known of an order whose record cannot be read. One
/// that ended, or needs a person, says that and no less.
pub fn unread(before: &OrderStatus, trouble: &Trouble) -> OrderStatus {
    let mut status = before.clone();
    let stalled = ConditionType::Stalled.name();
    if status.phase.is_final() || status.conditions.iter().any(|condition| condition.type_ == stalled) {
        return status;
    }
    status.reason = Some(trouble.reason.name().to_owned());
    let told = [ConditionType::Ready.name(), ConditionType::Reconciling.name()];
    for condition in status.conditions.iter_mut().filter(|condition| told.contains(&condition.type_.as_str()))
    {
        trouble.reason.name().clone_into(&mut condition.reason);
        condition.message = format!("It is tried again: {}.", trouble.error);
    }
    status
}

/// Why this object may not touch the order, when it may not.
fn refusal(o: &Observed, record: &Record) -> Option<(Reason, String)> {
    if record.is_owned_by(&o.order.owner) {
        return None;
    }
    if record.digest != o.order.digest {
        return Some((
            Reason::OrderIdConflict,
            format!(
                "The ledger already holds an order {} with other contents. Nothing was done. Give this order another \
                 spec.orderId or name.",
                record.identity
            ),
        ));
    }
    if record.phase.is_final() || may_adopt(o, record) {
        return None;
    }
    let owner = record.owner.as_ref().map_or_else(String::new, |owner| {
        format!("{}/{} in cluster {}", owner.namespace, owner.name, owner.cluster)
    });
    Some((
        Reason::OwnedElsewhere,
        format!(
            "The order {} belongs to {owner}. Nothing was done. If that object is gone for good, set the annotation \
             comanda.dev/take-over on this one.",
            record.identity
        ),
    ))
}

fn unclaimed(o: &Observed) -> OrderStatus {
    let (reason, message) = match (&o.class, &o.trouble) {
        (_, Some(trouble)) => (trouble.reason, format!("The order is not accepted yet: {}.", trouble.error)),
        (None, None) => (
            Reason::ClassNotReady,
            format!(
                "The OrderClass {} does not exist: create it, or delete this Order and name another.",
                o.order.class_name
            ),
        ),
        (Some(_), None) if o.is_suspended() => (Reason::Suspended, held(o)),
        (Some(ClassFacts { name, closed: Some(Closed::Full), .. }), None) => (
            Reason::Waiting,
            format!("The OrderClass {name} has as many live orders as its maxLiveOrders allows."),
        ),
        (Some(ClassFacts { name, closed: Some(Closed::Deleting), .. }), None) => (
            Reason::Waiting,
            format!(
                "The OrderClass {name} is being deleted and takes no new order: delete this one and name another."
            ),
        ),
        _ => (Reason::InProgress, "The order is about to be claimed in the ledger.".to_owned()),
    };
    refused(reason.name(), &message, false)
}

/// The status of an object that has no order of its own: in phase `Pending`, the default.
fn refused(reason: &str, message: &str, stalled: bool) -> OrderStatus {
    let moving = if stalled { ConditionType::Stalled } else { ConditionType::Reconciling };
    OrderStatus {
        reason: Some(reason.to_owned()),
        conditions: vec![
            condition(ConditionType::Accepted, false, reason, message),
            condition(ConditionType::Ready, false, reason, message),
            condition(moving, true, reason, message),
        ],
        ..OrderStatus::default()
    }
}

fn of_record(o: &Observed, record: &Record) -> OrderStatus {
    let timeouts = o.class.as_ref().map_or(&record.class.timeouts, |class| &class.spec.timeouts);
    let waiting_for = waiting_for(record, timeouts);
    let (reason, message) = headline(o, record, waiting_for.as_ref());
    let mut conditions = milestones(record);
    conditions.extend(kstatus(record, &reason, &message));
    OrderStatus {
        phase: record.phase,
        observed_generation: 0,
        identity: Some(record.identity.to_string()),
        ledger_version: i64::try_from(record.version).ok(),
        total: record.total().map(|total| total.to_string()),
        reason: Some(reason),
        conditions,
        waiting_for,
        steps: Effect::listed(Listed::Step).filter_map(|effect| step(record, effect)).collect(),
        compensations: Effect::listed(Listed::Compensation)
            .filter_map(|effect| compensation(record, effect))
            .collect(),
        payment: record.payment.id.as_ref().map(|id| PaymentStatus {
            intent_id: Some(id.clone()),
            authorized: record.payment.authorized,
            captured: record.payment.captured,
            refunded: record.payment.refunded,
        }),
        courier: record.courier.who.clone(),
        last_handled_retry: record.handled_retry.clone(),
    }
}
