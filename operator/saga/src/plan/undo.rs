//! The way back: device recalled, payment cancelled or refunded, stock released, customer told.

use comanda_crds::Reason;
use jiff::{SignedDuration, Timestamp};

use super::forward::renew_creation;
use super::patience::{PAYMENT_POLL, Patience, command, notify_customer, poll};
use super::wanted::Wanted;
use crate::contradiction::Contradiction;
use crate::device::{CourierState, KitchenState};
use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::late;
use crate::next::{Look, StockChange};
use crate::payment::{Hold, RefundState, Surprise};
use crate::record::{Record, Stall};
use crate::transition::ending;

/// Longest pause between two look-ups of a refund that is under way. Banks take 5 to 10 business days.
const REFUND_POLL: SignedDuration = SignedDuration::from_hours(2);

/// What the way back wants next; none when it moved the record and has to be asked again.
pub(super) fn undo(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    if let Some(wanted) = recall_courier(next, patience, now)? {
        return Ok(Some(wanted));
    }
    if let Some(wanted) = recall_kitchen(next, patience, now)? {
        return Ok(Some(wanted));
    }
    let gone = next.courier.recalled == Some(false) || next.courier.state == CourierState::Delivered;
    if gone && !next.dispatch.refusal_seen && !next.may_have_happened(Effect::Refund) {
        recall_refused(next);
        return Ok(Some(Wanted::Wait(None)));
    }
    if let Some(wanted) = undo_payment(next, patience, now)? {
        return Ok(Some(wanted));
    }
    if next.is_done(Effect::Reserve) && next.state(Effect::Release).is_none() {
        return Ok(Some(release(next, patience, now)?));
    }
    if let Some(wanted) = notify_customer(next, Effect::NotifyEnding, patience.tries, now)? {
        return Ok(Some(wanted));
    }
    let Some(end) = next.fault.as_ref().map(|fault| ending(fault.cause)) else {
        return Ok(Some(Wanted::Nothing));
    };
    if !patience.may_enter(next, end)? {
        return Ok(Some(Wanted::Anothers));
    }
    Ok(Some(await_bank(next, patience, now).unwrap_or(Wanted::Enter(end))))
}

fn recall_courier(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, IllegalMove> {
    let needed = next.may_have_happened(Effect::Deliver)
        && !matches!(
            next.courier.state,
            CourierState::Declined | CourierState::Failed | CourierState::Delivered
        );
    recall(next, needed, Effect::RecallCourier, next.courier.recalled, patience, now)
}

fn recall_kitchen(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, IllegalMove> {
    let needed = next.may_have_happened(Effect::Prepare)
        && !matches!(next.kitchen.state, KitchenState::Ready | KitchenState::Rejected);
    recall(next, needed, Effect::RecallKitchen, next.kitchen.recalled, patience, now)
}

/// Stops a device. It has a deadline, so that a dead tablet never holds money.
fn recall(
    next: &mut Record,
    needed: bool,
    effect: Effect,
    answer: Option<bool>,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, IllegalMove> {
    if !needed || answer.is_some() || next.state(effect) == Some(EntryState::Unconfirmed) {
        return Ok(None);
    }
    let wanted = command(next, effect, patience.timeouts.recall_seconds, patience, now);
    if wanted.is_none() {
        let message =
            format!("The device did not confirm within {} seconds.", patience.timeouts.recall_seconds);
        next.settle(effect, EntryState::Unconfirmed, message, now)?;
    }
    Ok(wanted)
}

/// Whatever may be held or taken is looked up first, then let go or paid back.
fn undo_payment(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, IllegalMove> {
    if !next.may_have_happened(Effect::OpenPayment) {
        return Ok(None);
    }
    if next.payment.id.is_none() {
        // The creation may have happened, so it is repeated under its key to learn the id. Past the
        // key's life nothing is gained: what was never confirmed holds no money.
        let attempt = next.journal[&Effect::OpenPayment].attempt;
        renew_creation(next, patience, now)?;
        if next.journal[&Effect::OpenPayment].attempt == attempt {
            return Ok(Some(Wanted::Do(Effect::OpenPayment)));
        }
        let message = "Its answer was lost; it was never confirmed, so it holds no money.".to_owned();
        next.settle(Effect::OpenPayment, EntryState::Failed, message, now)?;
        return Ok(None);
    }
    let cancel = next.state(Effect::CancelPayment);
    let processing = next.payment.hold == Some(Hold::AwaitsProvider);
    if !next.payment.known_to_undo || cancel == Some(EntryState::Intended) && !processing {
        return Ok(Some(Wanted::Read(Look::Payment)));
    }
    Ok(match next.payment.hold {
        Some(Hold::Released) => {
            if cancel != Some(EntryState::Done) {
                next.settle(Effect::CancelPayment, EntryState::Done, None, now)?;
            }
            None
        }
        Some(Hold::Taken) => refund(next),
        Some(Hold::AwaitsProvider) => Some(poll(patience, Look::Payment, PAYMENT_POLL, None, now)),
        _ => Some(Wanted::Do(Effect::CancelPayment)),
    })
}

fn refund(next: &mut Record) -> Option<Wanted> {
    match next.state(Effect::Refund) {
        None | Some(EntryState::NotDone) => Some(Wanted::Do(Effect::Refund)),
        Some(EntryState::Done) => None,
        // It is the bank's by now: neither the stock nor the customer's message waits for it.
        _ if matches!(next.payment.refund, Some(RefundState::Pending | RefundState::Disputed)) => None,
        _ if next.payment.refund == Some(RefundState::Failed) => {
            next.stall = Some(Stall::new(
                Reason::RefundFailed,
                "The payment provider could not pay the amount back. Refund the customer by another way and set the \
                 annotation comanda.dev/abandon, or set comanda.dev/retry to a fresh value to try again.",
            ));
            Some(Wanted::Wait(None))
        }
        _ => Some(Wanted::Read(Look::Refunds)),
    }
}

/// The last thing of an undo, when only the bank has not said its last word on a refund: it is asked for with growing
/// pauses. Each pause is as long as the refund's intent is old, from ten seconds to two hours: 45 look-ups in the first
/// three days.
fn await_bank(next: &mut Record, patience: &Patience<'_>, now: Timestamp) -> Option<Wanted> {
    if next.payment.refund == Some(RefundState::Disputed) {
        disputed(next);
        return Some(Wanted::Wait(None));
    }
    let entry = next.journal.get(&Effect::Refund).filter(|entry| entry.state == EntryState::Intended)?;
    if next.courier.state == CourierState::Delivered && next.stall.is_none() {
        // It may be days until the bank's word: nobody waits for that to hear of this.
        delivered_after_undo(next);
        return Some(Wanted::Wait(None));
    }
    let asked_at = patience.held.payment_seen_at.unwrap_or(now);
    let pause = asked_at.duration_since(entry.intended_at).clamp(PAYMENT_POLL, REFUND_POLL);
    Some(poll(patience, Look::Refunds, pause, None, now))
}

/// Returns the stock, or records it as spent once the kitchen had begun; the customer's message goes
/// into the same write as its intent.
fn release(next: &mut Record, patience: &Patience<'_>, now: Timestamp) -> Result<Wanted, IllegalMove> {
    if !patience.driver.brings_about(Effect::Release) {
        return Ok(Wanted::Anothers);
    }
    let (stock, message) = if next.stock_spent {
        (StockChange::None, "The kitchen had begun: the stock is recorded as spent.")
    } else {
        (StockChange::Return, "The stock was returned.")
    };
    next.settle(Effect::Release, EntryState::Done, message.to_owned(), now)?;
    let told = next.state(Effect::NotifyEnding).is_some();
    let then = if told { None } else { patience.intend_next(next, Effect::NotifyEnding, now)? };
    Ok(Wanted::Move(stock, then))
}

/// The customer may get the food: whether it is paid for, a person says.
fn recall_refused(next: &mut Record) {
    let who = next.courier.who.as_deref().unwrap_or("The courier");
    let message = if next.courier.state == CourierState::Delivered {
        format!(
            "{who} delivered the order while it was being undone: nothing is refunded yet. Settle it with the customer, \
             then set the annotation comanda.dev/retry to a fresh value to refund all the same, or comanda.dev/abandon \
             to keep the payment."
        )
    } else {
        format!(
            "{who} has the food and does not turn back: nothing is refunded yet. Find out what becomes of it, then set \
             the annotation comanda.dev/retry to a fresh value to refund the customer, or comanda.dev/abandon to keep \
             the payment."
        )
    };
    next.stall = Some(Stall::new(Reason::RecallRefused, message));
}

/// A refund would pay the customer twice: a person answers the dispute.
fn disputed(next: &mut Record) {
    late::asked(next, Surprise::Disputed);
    let id = next.payment.id.as_deref().unwrap_or("the payment");
    next.stall = Some(Stall::new(
        Reason::PaymentDisputed,
        format!(
            "The customer disputed the charge, and the bank has taken the money back: nothing is to be refunded again. \
             Answer the dispute of {id} at the payment provider. When it is lost, set the annotation \
             comanda.dev/abandon to say so; when it is won, comanda.dev/retry to a fresh value to refund the customer."
        ),
    ));
}

/// The customer has food that was not paid for: nothing here can mend that.
pub(crate) fn delivered_after_undo(next: &mut Record) {
    if next.stall.is_none() {
        next.stall = Some(Stall::new(
            Reason::DeliveredAfterUndo,
            "The courier reported the delivery of an order that is undone. Settle it with the customer, then set the \
             annotation comanda.dev/retry to a fresh value to acknowledge.",
        ));
    }
}

/// A person asks to try again: what had failed for good gets a new attempt with a new key.
pub(crate) fn prepare_retry(next: &mut Record) -> Result<(), IllegalMove> {
    if matches!(next.payment.refund, Some(RefundState::Failed | RefundState::Disputed)) {
        next.payment.refund = None;
        next.next_attempt(Effect::Refund)?;
    }
    Ok(())
}
