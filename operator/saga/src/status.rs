//! What the object says about its order: a projection of the ledger record, without personal data.

use comanda_crds::{
    CompensationStatus, ConditionType, OrderStatus, PaymentStatus, Phase, Reason, StepState, StepStatus,
    Timeouts, WaitingFor,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::custody::may_adopt;
use crate::effect::{Effect, Listed};
use crate::observed::{ClassFacts, Closed, Observed, Trouble};
use crate::outcome::{Hold, RefundState};
use crate::plan::seconds;
use crate::record::{CourierState, Direction, Entry, EntryState, KitchenState, Record, sentence};
use crate::transition::{Event, ending};

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
    (status.courier, status.ledger_version) = (None, None);
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
    }
    for undo in &mut status.compensations {
        (undo.attempts, undo.finished_at, undo.message) = (0, None, None);
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

/// What keeps a suspended order.
fn held(o: &Observed) -> String {
    match &o.class {
        Some(class) if !o.order.suspend => {
            format!("Held until spec.suspend of the OrderClass {} is false.", class.name)
        }
        _ => "Held until spec.suspend of this Order is false.".to_owned(),
    }
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

/// Why the order is where it is: one word, and a sentence a support person understands.
fn headline(o: &Observed, record: &Record, waiting: Option<&WaitingFor>) -> (String, String) {
    if let Some(stall) = record.stall.as_ref().filter(|stall| !stall.acknowledged) {
        return (stall.reason.name().to_owned(), stall.message.clone());
    }
    if record.phase.is_final() {
        let cause = record.fault.as_ref().map_or(record.phase.name(), |fault| fault.cause.name());
        let reason = if record.abandoned.is_some() { Reason::Abandoned.name() } else { cause };
        return (reason.to_owned(), story(record));
    }
    if let Some(trouble) = &o.trouble {
        return (trouble.reason.name().to_owned(), format!("It is tried again: {}.", trouble.error));
    }
    if let Some(fault) = &record.fault {
        let mut message = format!("{} What was done is being undone.", fault.message);
        if let Some(waiting) = waiting {
            message = format!("{message} Waiting for the {} to {}.", waiting.who, waiting.what);
        }
        return (fault.cause.name().to_owned(), message);
    }
    if o.is_suspended() {
        return (Reason::Suspended.name().to_owned(), held(o));
    }
    if record.courier.state >= CourierState::PickedUp && (o.order.cancel.is_some() || o.order.deleted) {
        return (
            Reason::CancelRefused.name().to_owned(),
            "The courier had already picked the order up: it can no longer be cancelled and is being delivered."
                .to_owned(),
        );
    }
    match waiting {
        Some(waiting) => (
            Reason::Waiting.name().to_owned(),
            format!("Waiting for the {} to {}.", waiting.who, waiting.what),
        ),
        None => (Reason::InProgress.name().to_owned(), "The order is on its way.".to_owned()),
    }
}

/// The whole story of a finished order.
fn story(record: &Record) -> String {
    let mut sentences = Vec::new();
    if let Some(fault) = &record.fault {
        sentences.push(fault.message.clone());
    } else if record.phase == Phase::Delivered {
        let captured = crate::Money::new(record.payment.captured, &record.terms.currency);
        sentences.push(format!("Delivered; {captured} was captured."));
    }
    if let Some(reason) = &record.abandoned {
        sentences.push(format!("What was left to undo was abandoned: {}", sentence(reason)));
    }
    if record.phase != Phase::Delivered {
        sentences.push(money(record));
        sentences.extend(explain(record, Effect::Release));
        sentences.extend(record.journal.get(&Effect::NotifyEnding).map(|entry| match entry.state {
            EntryState::Done => "The customer was told.".to_owned(),
            _ => "The customer could not be told.".to_owned(),
        }));
    }
    sentences.join(" ")
}

fn money(record: &Record) -> String {
    let amount = |minor| crate::Money::new(minor, &record.terms.currency);
    let payment = &record.payment;
    let id = || payment.id.as_deref().unwrap_or("the payment");
    match payment.captured - payment.refunded {
        _ if record.abandoned.is_some() && payment.id.is_some() && !payment.known_to_undo => {
            format!("What became of the payment {} was not asked: look it up at the provider.", id())
        }
        0 if payment.captured > 0 => format!("{} was refunded.", amount(payment.refunded)),
        0 if payment.authorized > 0 => format!(
            "{} is still held on the customer's card: cancel {} at the provider.",
            amount(payment.authorized),
            id()
        ),
        0 => "Nothing was charged.".to_owned(),
        left if payment.refund == Some(RefundState::Pending) => {
            format!("A refund of {} was under way: look {} up at the provider.", amount(left), id())
        }
        left if payment.refund == Some(RefundState::Disputed) => {
            format!("{} was charged, and the bank took it back for a dispute.", amount(left))
        }
        left => format!("{} was charged and not refunded.", amount(left)),
    }
}

fn milestones(record: &Record) -> Vec<Condition> {
    let mut conditions =
        vec![condition(ConditionType::Accepted, true, Reason::Claimed.name(), "The ledger holds the order.")];
    let mut milestone = |kind, reached: bool, reason: &str, message: &str| {
        if reached {
            conditions.push(condition(kind, true, reason, message));
        } else if let Some(fault) = &record.fault {
            conditions.push(condition(kind, false, fault.cause.name(), &fault.message));
        }
    };
    let succeeded = Reason::Succeeded.name();
    let validated = "Address, contact, prices and stock hold; the stock was reserved.";
    let (reason, message) = if record.doubts.is_empty() {
        (Reason::Succeeded, validated.to_owned())
    } else {
        (Reason::SucceededWithDoubts, format!("{validated} In doubt: {}", record.doubts.join(" ")))
    };
    milestone(ConditionType::Validated, record.is_done(Effect::Reserve), reason.name(), &message);
    let paid = record.payment.captured - record.payment.refunded > 0
        || record.payment.authorized > 0 && record.payment.refunded == 0;
    let (reason, message) = if record.payment.captured > 0 {
        (Reason::Captured, "The amount was captured.")
    } else {
        (Reason::Authorized, "The amount is held on the customer's card.")
    };
    milestone(ConditionType::Paid, paid, reason.name(), message);
    milestone(
        ConditionType::Notified,
        record.is_done(Effect::NotifyConfirmed),
        succeeded,
        "The customer was told that the order is confirmed.",
    );
    milestone(
        ConditionType::Prepared,
        record.kitchen.state == KitchenState::Ready,
        succeeded,
        "The food was ready.",
    );
    milestone(
        ConditionType::Delivered,
        record.phase == Phase::Delivered,
        succeeded,
        "The courier delivered the order.",
    );
    if record.direction == Direction::Undo {
        let done = record.phase.is_final() && record.abandoned.is_none();
        let stall = record.stall.as_ref().filter(|stall| !stall.acknowledged);
        let (reason, message) = match (&record.abandoned, done) {
            (None, _) if let Some(stall) = stall => (stall.reason, stall.message.as_str()),
            (Some(why), _) => (Reason::Abandoned, why.as_str()),
            (None, true) => (Reason::Undone, "Everything that was done is undone."),
            (None, false) => (Reason::InProgress, "What was done is being undone."),
        };
        conditions.push(condition(ConditionType::Compensated, done, reason.name(), message));
    }
    conditions
}

/// `Finished` for scripts; `Ready`, `Reconciling` and `Stalled` for kstatus. A final phase is ready,
/// whatever it is, so that a declined card does not degrade a GitOps application for ever.
/// Source: <https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md>.
fn kstatus(record: &Record, reason: &str, message: &str) -> Vec<Condition> {
    let phase = record.phase;
    let stalled = record.is_stalled();
    let ready = phase.is_final() && !stalled;
    let shown = if ready { phase.name() } else { reason };
    let mut conditions = vec![
        condition(
            ConditionType::Finished,
            phase.is_final(),
            if phase.is_final() { phase.name() } else { reason },
            message,
        ),
        condition(ConditionType::Ready, ready, shown, message),
    ];
    if stalled {
        conditions.push(condition(ConditionType::Stalled, true, reason, message));
    } else if !ready {
        conditions.push(condition(ConditionType::Reconciling, true, reason, message));
    }
    conditions
}

fn condition(kind: ConditionType, status: bool, reason: &str, message: &str) -> Condition {
    Condition {
        type_: kind.name().to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: Time(Timestamp::UNIX_EPOCH),
        observed_generation: None,
    }
}

/// Whom the order waits for.
fn waiting_for(record: &Record, timeouts: &Timeouts) -> Option<WaitingFor> {
    let wait = |who: &str, what: &str, entry: Option<&Entry>, patience: Option<SignedDuration>| WaitingFor {
        who: who.to_owned(),
        what: what.to_owned(),
        since: entry.map(|entry| Time(entry.started_at)),
        deadline: entry.zip(patience).map(|(entry, patience)| Time(entry.started_at + patience)),
        link: None,
    };
    let entry = |effect| record.journal.get(&effect);
    if record.is_stalled() {
        return Some(wait("person", "do what the condition Stalled says", None, None));
    }
    match record.phase {
        Phase::Paying => match record.payment.hold? {
            Hold::AwaitsCustomer => Some(WaitingFor {
                link: record.payment.action_url.clone(),
                ..wait(
                    "customer",
                    "confirm the payment (3-D Secure)",
                    entry(Effect::Authorize),
                    Some(seconds(timeouts.customer_seconds)),
                )
            }),
            Hold::AwaitsProvider => Some(wait("payment provider", "answer", entry(Effect::Authorize), None)),
            _ => None,
        },
        Phase::Preparing => Some(wait(
            "kitchen",
            "prepare the order",
            entry(Effect::Prepare),
            Some(seconds(timeouts.kitchen_seconds)),
        )),
        Phase::Delivering if record.state(Effect::Capture) == Some(EntryState::Intended) => {
            Some(wait("payment provider", "answer", entry(Effect::Capture), None))
        }
        Phase::Delivering => Some(wait(
            "courier",
            "deliver the order",
            entry(Effect::Deliver),
            Some(seconds(timeouts.courier_seconds)),
        )),
        Phase::Compensating => {
            let open = |recall, answer: Option<bool>| answer.is_none() && record.is_done(recall);
            if open(Effect::RecallCourier, record.courier.recalled) {
                let patience = Some(seconds(timeouts.recall_seconds));
                Some(wait("courier", "confirm the recall", entry(Effect::RecallCourier), patience))
            } else if open(Effect::RecallKitchen, record.kitchen.recalled) {
                let patience = Some(seconds(timeouts.recall_seconds));
                Some(wait("kitchen", "confirm the recall", entry(Effect::RecallKitchen), patience))
            } else if record.payment.refund == Some(RefundState::Pending) {
                Some(wait("bank", "pay the refund out", entry(Effect::Refund), None))
            } else if record.payment.known_to_undo && record.payment.hold == Some(Hold::AwaitsProvider) {
                Some(wait("payment provider", "answer", entry(Effect::CancelPayment), None))
            } else {
                None
            }
        }
        _ => None,
    }
}

fn state(record: &Record, effect: Effect, entry: &Entry) -> StepState {
    let awaited = effect.row().awaits.is_some_and(|answer| !record.is_answered(answer));
    match entry.state {
        EntryState::Failed => StepState::Failed,
        EntryState::Unconfirmed => StepState::Unconfirmed,
        EntryState::Done if !awaited => StepState::Succeeded,
        _ if record.phase.is_final() || record.direction == Direction::Undo && !effect.undoes() => {
            StepState::Failed
        }
        _ => StepState::Running,
    }
}

fn step(record: &Record, effect: Effect) -> Option<StepStatus> {
    let entry = record.journal.get(&effect)?;
    let state = state(record, effect, entry);
    let heard = match effect {
        Effect::Prepare => record.kitchen.heard_at,
        Effect::Deliver => record.courier.heard_at,
        _ => None,
    };
    let ended = state != StepState::Running;
    Some(StepStatus {
        name: effect.name().to_owned(),
        state,
        attempts: entry.tries,
        started_at: Some(Time(entry.started_at)),
        finished_at: heard.or(entry.finished_at).filter(|_| ended).map(Time),
        execution_arn: None,
        reason: (state == StepState::Failed)
            .then(|| record.fault.as_ref().map(|fault| fault.cause.name().to_owned()))
            .flatten(),
        message: entry.message.clone(),
    })
}

fn compensation(record: &Record, effect: Effect) -> Option<CompensationStatus> {
    let entry = record.journal.get(&effect)?;
    Some(CompensationStatus {
        name: effect.name().to_owned(),
        state: state(record, effect, entry),
        attempts: entry.tries,
        finished_at: entry.finished_at.map(Time),
        message: explain(record, effect),
    })
}

/// What an undo came to, in a sentence.
fn explain(record: &Record, effect: Effect) -> Option<String> {
    let entry = record.journal.get(&effect)?;
    if let Some(message) = &entry.message {
        return Some(message.clone());
    }
    let recalled = |answer| match answer {
        Some(true) => "The device confirmed that it stopped.",
        Some(false) => "The device had gone too far to stop.",
        None => "The device was told to stop.",
    };
    if entry.state != EntryState::Done {
        return None;
    }
    Some(match effect {
        Effect::RecallCourier => recalled(record.courier.recalled).to_owned(),
        Effect::RecallKitchen => recalled(record.kitchen.recalled).to_owned(),
        Effect::CancelPayment => "The payment was cancelled; nothing is held or charged.".to_owned(),
        Effect::Refund => {
            let amount = crate::Money::new(record.payment.refunded, &record.terms.currency);
            format!("{amount} was refunded.")
        }
        Effect::NotifyEnding => told(record),
        _ => return None,
    })
}

fn told(record: &Record) -> String {
    let kind = match record.fault.as_ref().map(|fault| ending(fault.cause)) {
        Some(Event::RejectionCompensated) => "was rejected",
        Some(Event::CancellationCompensated) => "was cancelled",
        _ => "failed",
    };
    format!("The customer was told that the order {kind}.")
}
