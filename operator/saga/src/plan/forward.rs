//! The way forward: check, pay, notify, prepare, deliver.

use comanda_crds::{Capture, Cause};
use jiff::Timestamp;

use super::dispatch;
use super::patience::{PAYMENT_POLL, Patience, RARE_PAYMENT_POLL, command, notify_customer, poll, seconds};
use super::wanted::{Wanted, enter};
use crate::contradiction::Contradiction;
use crate::device::KitchenState;
use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::next::{Look, StockChange};
use crate::payment::Hold;
use crate::record::Record;
use crate::transition::Trigger;

/// How often a creation is repeated under one key to learn what became of it.
const TRIES_OF_A_KEY: u32 = 4;

pub(super) fn validate(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    if next.total.is_none() {
        return Ok(Some(Wanted::Read(Look::Validation)));
    }
    next.settle(Effect::Reserve, EntryState::Done, None, now)?;
    enter(next, Trigger::Reserved, now)?;
    let then = patience.intend_next(next, Effect::OpenPayment, now)?;
    Ok(Some(Wanted::Move(StockChange::Take, then)))
}

pub(super) fn pay(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    if next.payment.id.is_none() {
        renew_creation(next, patience, now)?;
        return Ok(Some(Wanted::Do(Effect::OpenPayment)));
    }
    match next.state(Effect::Authorize) {
        None | Some(EntryState::NotDone) => Ok(Some(Wanted::Do(Effect::Authorize))),
        Some(EntryState::Done) => {
            if next.class.payments.capture == Capture::AtOnce
                && let Some(wanted) = capture(next, patience, now)
            {
                return Ok(Some(wanted));
            }
            Ok(Some(Wanted::Enter(Trigger::PaymentAuthorized)))
        }
        // Confirmed, yet the customer or the provider still has to act: look again from time to time.
        _ => Ok(match next.payment.hold {
            Some(Hold::AwaitsCustomer) => {
                let deadline =
                    next.journal[&Effect::Authorize].started_at + seconds(patience.timeouts.customer_seconds);
                if now >= deadline {
                    // They may have, and nobody looked.
                    if patience.held.payment_seen_at.is_none_or(|seen| seen < deadline) {
                        return Ok(Some(Wanted::Read(Look::Payment)));
                    }
                    next.raise(
                        Cause::PaymentNotConfirmed,
                        "The customer did not confirm the payment in time.",
                    );
                    return Ok(None);
                }
                let tells = next.class.payments.tells();
                let pause = if tells { RARE_PAYMENT_POLL } else { PAYMENT_POLL };
                Some(poll(patience, Look::Payment, pause, Some(deadline), now))
            }
            Some(Hold::AwaitsProvider) => Some(poll(patience, Look::Payment, PAYMENT_POLL, None, now)),
            _ => Some(Wanted::Read(Look::Payment)),
        }),
    }
}

/// A creation whose key may have expired, or under whose key the provider seems to have stored an error,
/// gets a new one: repeated under the old one, it could make a second payment. No payment's id was ever recorded,
/// so none was ever confirmed: whatever the old key made holds no money.
pub(super) fn renew_creation(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<(), IllegalMove> {
    let expired = next
        .journal
        .get(&Effect::OpenPayment)
        .filter(|entry| entry.state == EntryState::Intended)
        .is_some_and(|entry| {
            now >= entry.started_at + patience.key_lifetime
                || entry.failures >= TRIES_OF_A_KEY.saturating_mul(entry.attempt)
        });
    if expired {
        next.next_attempt(Effect::OpenPayment)?;
        if let Some(entry) = next.journal.get_mut(&Effect::OpenPayment) {
            entry.started_at = now;
        }
    }
    Ok(())
}

/// Taking the held amount; none once it is taken.
fn capture(next: &Record, patience: &Patience<'_>, now: Timestamp) -> Option<Wanted> {
    match next.state(Effect::Capture) {
        None | Some(EntryState::NotDone) => Some(Wanted::Do(Effect::Capture)),
        Some(EntryState::Done) => None,
        _ if next.payment.hold == Some(Hold::AwaitsProvider) => {
            Some(poll(patience, Look::Payment, PAYMENT_POLL, None, now))
        }
        _ => Some(Wanted::Read(Look::Payment)),
    }
}

pub(super) fn notify(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    if let Some(wanted) = notify_customer(next, Effect::NotifyConfirmed, patience.tries, now)? {
        return Ok(Some(wanted));
    }
    if next.contact_unreadable {
        next.raise(
            Cause::ContactUnreadable,
            "The customer's contact in the ledger cannot be opened: no courier could be sent.",
        );
        return Ok(None);
    }
    Ok(Some(Wanted::Enter(Trigger::NotificationSettled)))
}

pub(super) fn prepare(next: &mut Record, patience: &Patience<'_>, now: Timestamp) -> Option<Wanted> {
    match next.kitchen.state {
        KitchenState::Ready => return Some(Wanted::Enter(Trigger::KitchenReady)),
        KitchenState::Rejected => {
            let why = next.kitchen.reason.as_deref().unwrap_or("no reason given");
            next.raise(Cause::KitchenRejected, format!("The kitchen rejected the order: {why}"));
            return None;
        }
        _ => {}
    }
    command(next, Effect::Prepare, patience.timeouts.kitchen_seconds, patience, now).or_else(|| {
        next.raise(
            Cause::KitchenTimedOut,
            format!(
                "The kitchen did not have the food ready within {} seconds.",
                patience.timeouts.kitchen_seconds
            ),
        );
        None
    })
}

pub(super) fn deliver(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    if let Some(wanted) = capture(next, patience, now) {
        return Ok(Some(wanted));
    }
    dispatch::deliver(next, patience, now)
}
