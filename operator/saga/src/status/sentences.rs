//! What a status says in words.

use comanda_crds::{Phase, Reason, WaitingFor};

use super::progress::explain;
use crate::device::CourierState;
use crate::effect::Effect;
use crate::journal::EntryState;
use crate::observed::Observed;
use crate::payment::RefundState;
use crate::record::{Record, sentence};

/// Why the order is where it is: one word, and a sentence a support person understands.
pub(super) fn headline(o: &Observed, record: &Record, waiting: Option<&WaitingFor>) -> (String, String) {
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
    if let Some(why) = ended_execution(record).filter(|_| record.fault.is_some() || !o.is_suspended()) {
        return (Reason::Retrying.name().to_owned(), format!("It is tried again: {}", sentence(why)));
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

/// Why the last execution ended before its order, while the next one is to start.
fn ended_execution(record: &Record) -> Option<&str> {
    let executor = record.class.executor.as_ref()?;
    let entry = record.journal.get(&Effect::Execute)?;
    let awaits = entry.state == EntryState::NotDone;
    (awaits && executor.step_functions.phases.contains(&record.phase)).then_some(entry.message.as_deref()?)
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

/// What keeps a suspended order.
pub(super) fn held(o: &Observed) -> String {
    match &o.class {
        Some(class) if !o.order.suspend => {
            format!("Held until spec.suspend of the OrderClass {} is false.", class.name)
        }
        _ => "Held until spec.suspend of this Order is false.".to_owned(),
    }
}
