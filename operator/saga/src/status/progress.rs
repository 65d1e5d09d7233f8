//! The rows of a status: whom the order waits for, its steps, what was undone.

use comanda_crds::{CompensationStatus, Phase, StepState, StepStatus, Timeouts, WaitingFor};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::effect::Effect;
use crate::journal::{Entry, EntryState};
use crate::payment::{Hold, RefundState};
use crate::plan::seconds;
use crate::record::{Direction, Record};
use crate::transition::{Trigger, ending};

/// Whom the order waits for.
pub(super) fn waiting_for(record: &Record, timeouts: &Timeouts) -> Option<WaitingFor> {
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
        // Who has it is no news of its own: each would be a write of the object.
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

pub(super) fn step(record: &Record, effect: Effect) -> Option<StepStatus> {
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
        execution_arn: entry.execution.and_then(|attempt| execution_arn(record, attempt)),
        reason: (state == StepState::Failed)
            .then(|| record.fault.as_ref().map(|fault| fault.cause.name().to_owned()))
            .flatten(),
        message: entry.message.clone(),
    })
}

/// The ARN of an execution of the order.
fn execution_arn(record: &Record, attempt: u32) -> Option<String> {
    let executor = record.class.executor.as_ref()?;
    let name = record.identity.key(Effect::Execute, attempt);
    comanda_crds::execution_arn(&executor.step_functions.state_machine_arn, &name)
}

pub(super) fn compensation(record: &Record, effect: Effect) -> Option<CompensationStatus> {
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
pub(super) fn explain(record: &Record, effect: Effect) -> Option<String> {
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
        Some(Trigger::RejectionCompensated) => "was rejected",
        Some(Trigger::CancellationCompensated) => "was cancelled",
        _ => "failed",
    };
    format!("The customer was told that the order {kind}.")
}
