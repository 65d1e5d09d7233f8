//! What a payment provider says late, and what a person is asked then. Nothing of it moves an order that is over: money
//! that comes back then, or is held without an order, is settled with the customer and the provider.

use comanda_crds::{Phase, Reason};

use crate::effect::Effect;
use crate::journal::EntryState;
use crate::money::Money;
use crate::payment::Surprise;
use crate::record::{Direction, Record, Stall};

/// Stalls the order for what nobody was asked about yet, one thing at a time. An undo asks by itself, and what a person has
/// not seen to yet comes first.
pub(crate) fn ask(next: &mut Record) {
    let undoing = next.direction == Direction::Undo && !next.phase.is_final();
    if undoing || next.is_stalled() {
        return;
    }
    let Some(surprise) = next.payment.surprises.pop_first() else { return };
    let (reason, message) = match surprise {
        Surprise::Held => (Reason::PaymentUnexpected, held(next)),
        Surprise::RefundFailed => (Reason::RefundFailed, refund_failed(next)),
        Surprise::Disputed => (Reason::PaymentDisputed, disputed(next)),
    };
    next.stall = Some(Stall::new(reason, message));
}

/// An undo has asked of it.
pub(crate) fn asked(next: &mut Record, surprise: Surprise) {
    next.payment.surprises.remove(&surprise);
}

/// True when the provider may have something new to say of a refund: it was asked for one.
pub(crate) fn has_refund(record: &Record) -> bool {
    matches!(record.state(Effect::Refund), Some(EntryState::Intended | EntryState::Done))
}

const ACKNOWLEDGE: &str = "then set the annotation comanda.dev/retry to a fresh value to acknowledge.";

fn id(record: &Record) -> &str {
    record.payment.id.as_deref().unwrap_or("the payment")
}

fn held(record: &Record) -> String {
    let payment = &record.payment;
    let amount = Money::new(payment.captured.max(payment.authorized), &record.terms.currency);
    let (what, how) = if payment.captured > 0 { ("taken", "Refund") } else { ("held", "Cancel") };
    let id = id(record);
    format!(
        "The payment provider says that {amount} are {what} for this order, which is over without them. {how} {id} at the \
         payment provider, {ACKNOWLEDGE}"
    )
}

fn refund_failed(record: &Record) -> String {
    let (amount, id) = (Money::new(record.payment.captured, &record.terms.currency), id(record));
    format!(
        "The refund of {amount} came back after it was made: the customer does not have the money. Refund the customer of \
         {id} by another way, {ACKNOWLEDGE}"
    )
}

fn disputed(record: &Record) -> String {
    let id = id(record);
    let answer = format!("Answer the dispute of {id} at the payment provider");
    if !record.phase.is_final() {
        return format!(
            "The customer disputed the charge, and the bank has taken the money back, while the order is on its way. \
             {answer}, then set the annotation comanda.dev/retry to a fresh value to go on; with spec.cancel as well, to \
             undo the order."
        );
    }
    let what = match record.phase {
        Phase::Delivered => "The order was delivered: what shows that is evidence.",
        _ if record.payment.refunded > 0 => "The amount was refunded before: what shows that is evidence.",
        _ => "The bank has taken the money back: nothing is to be refunded again.",
    };
    format!("The customer disputed the charge. {what} {answer}, {ACKNOWLEDGE}")
}
