//! Who has an order on its way to the customer: offered, assigned, taken back, offered again.

use comanda_crds::Cause;
use jiff::Timestamp;

use super::patience::{Patience, command, has_spoken, repeat};
use super::wanted::Wanted;
use crate::contradiction::Contradiction;
use crate::device::{CourierState, Device, Withdrawn};
use crate::effect::Effect;
use crate::journal::{EntryState, IllegalMove};
use crate::next::Look;
use crate::record::{Direction, Record};
use crate::transition::Trigger;

/// Finds a courier for food that is paid for, until it is delivered or the deadline passes.
pub(super) fn deliver(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Option<Wanted>, Contradiction> {
    match next.courier.state {
        CourierState::Delivered => return Ok(Some(Wanted::Enter(Trigger::CourierDelivered))),
        CourierState::Failed => {
            let why = next.courier.reason.as_deref().unwrap_or("no reason given");
            next.raise(Cause::CourierFailed, format!("The courier could not deliver: {why}"));
            return Ok(None);
        }
        _ => {}
    }
    let allowed = patience.timeouts.courier_seconds;
    let Some(wanted) = command(next, Effect::Deliver, allowed, patience, now) else {
        next.raise(Cause::CourierTimedOut, format!("The courier did not deliver within {allowed} seconds."));
        return Ok(None);
    };
    Ok(Some(match wanted {
        Wanted::Wait(deadline) if next.courier.state == CourierState::Declined => {
            given_back(next, deadline, patience, now)?
        }
        Wanted::Wait(deadline) if next.courier.who.is_some() => assign(next, deadline, patience, now)?,
        wanted => wanted,
    }))
}

/// Takes back what a courier gave back. That it was picked up may be under way still, and then it was not given back: all
/// that was said before is heard first.
fn given_back(
    next: &mut Record,
    deadline: Option<Timestamp>,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Wanted, IllegalMove> {
    Ok(match patience.has_heard_all(next.courier.heard_at, now) {
        Ok(()) => {
            take_back(next)?;
            Wanted::Do(Effect::Deliver)
        }
        Err(Wanted::Wait(due)) => Wanted::Wait(due.into_iter().chain(deadline).min()),
        Err(wanted) => wanted,
    })
}

/// Tells the courier who took the order that it is theirs, and takes it back when they are silent before the pick-up.
fn assign(
    next: &mut Record,
    deadline: Option<Timestamp>,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Wanted, IllegalMove> {
    let effect = Effect::Assign;
    let Some(entry) = next.journal.get(&effect) else { return Ok(Wanted::Do(effect)) };
    if matches!(entry.state, EntryState::Intended | EntryState::NotDone) {
        return Ok(Wanted::Do(effect));
    }
    if next.courier.state >= CourierState::PickedUp {
        return Ok(Wanted::Wait(deadline));
    }
    let who = next.courier.who.as_deref();
    let said = patience.held.events.iter().filter(|event| who == Some(event.device.as_str()));
    let last = said.map(|event| event.at).max().map_or(entry.intended_at, |at| at.max(entry.intended_at));
    let silent = patience.deadline_after(last, patience.timeouts.pickup_seconds);
    if now >= silent && patience.hears() {
        if !patience.has_read_since(silent) {
            return Ok(Wanted::Read(Look::Events));
        }
        take_back(next)?;
        return Ok(Wanted::Do(Effect::Deliver));
    }
    let due = deadline.into_iter().chain(patience.hears().then_some(silent)).min().unwrap_or(silent);
    // Whoever had the order before is told until they speak, too.
    let events = patience.held.events;
    let withdrawn = next.dispatch.withdrawn.as_ref().is_none_or(|withdrawn| {
        events.iter().any(|event| event.device == withdrawn.device && event.seq == withdrawn.seq)
    });
    if withdrawn && has_spoken(next, entry, effect, events) {
        return Ok(Wanted::Wait(Some(due)));
    }
    Ok(repeat(entry, effect, patience, now).unwrap_or_else(|repeated| Wanted::Wait(Some(repeated.min(due)))))
}

/// The order is nobody's again, and is offered under a new number; the number before that tells the one who had it.
fn take_back(next: &mut Record) -> Result<(), IllegalMove> {
    next.seq += 1;
    next.dispatch.withdrawn = next.courier.who.take().map(|device| Withdrawn { device, seq: next.seq });
    next.courier = Device::default();
    renew(next, Effect::Deliver)?;
    renew(next, Effect::Assign)
}

/// A command that was told to somebody is to be told anew.
fn renew(next: &mut Record, effect: Effect) -> Result<(), IllegalMove> {
    match next.state(effect) {
        None | Some(EntryState::NotDone) => Ok(()),
        Some(_) => next.next_attempt(effect),
    }
}

/// What a person is asked about a courier who does not have the order.
pub(crate) fn question(record: &Record, device: &str, state: CourierState) -> String {
    let did = if state == CourierState::Delivered { "delivered" } else { "picked up" };
    let has = match &record.courier.who {
        Some(who) => format!("and {who} has it"),
        None => "and nobody has it".to_owned(),
    };
    let then = match record.direction {
        Direction::Forward if record.courier.state == CourierState::Delivered => "to go on".to_owned(),
        Direction::Forward => format!("to go on with {device} as the courier who has it"),
        Direction::Undo => "to go on with the undo".to_owned(),
    };
    format!(
        "The courier {device} says that they {did} the order, {has}. Ask the store who has the food, then set the \
         annotation comanda.dev/retry to a fresh value {then}, or comanda.dev/abandon to let the order go as it is."
    )
}

/// A person says to go on, of what they were asked: forward, with that courier; back, as if they had said nothing. When
/// whoever has the order delivered it meanwhile, it stays theirs.
pub(crate) fn go_on(next: &mut Record, now: Timestamp) -> Result<(), IllegalMove> {
    let Some((device, state)) = next.dispatch.asked.take() else { return Ok(()) };
    if next.direction == Direction::Undo || next.courier.state == CourierState::Delivered {
        next.dispatch.see(&device, state);
        return Ok(());
    }
    next.dispatch.forget(&device, state);
    let before =
        std::mem::replace(&mut next.courier, Device { state, who: Some(device), ..Device::default() });
    if let Some(who) = before.who.filter(|_| before.state >= CourierState::PickedUp) {
        next.dispatch.claim(&who, before.state, true);
    }
    next.dispatch.since = Some(next.seq + 1);
    next.settle_open(Effect::Deliver, now, EntryState::Done)?;
    // They need the address.
    if state == CourierState::PickedUp { renew(next, Effect::Assign) } else { Ok(()) }
}
