//! What to do next, decided from the ledger record alone.

use comanda_crds::{Cause, Phase, Reason};
use jiff::{SignedDuration, Timestamp};

use crate::action::{Action, Call, Decision, StockChange, Wait, Write};
use crate::forward::{self, Next, Patience, enter};
use crate::observed::{ClassFacts, Closed, Observed};
use crate::record::{CourierState, Direction, FORMAT, Record};
use crate::transition::{Event, IllegalTransition};
use crate::{status, undo};

/// How often an order looks whether its class has room again.
const FULL_CLASS_POLL: SignedDuration = SignedDuration::from_secs(5);

/// What to do next with an order.
pub fn decide(observed: &Observed, now: Timestamp) -> Result<Decision, IllegalTransition> {
    let (actions, wait, record) = plan(observed, now)?;
    let status = status::project(observed, record.as_ref().or(observed.record.as_ref()), now);
    Ok(Decision { actions, status, wait })
}

type Plan = (Vec<Action>, Wait, Option<Record>);

fn plan(o: &Observed, now: Timestamp) -> Result<Plan, IllegalTransition> {
    let Some(record) = &o.record else {
        let wait = if o.class.as_ref().is_some_and(|class| class.closed == Some(Closed::Full)) {
            Wait::Until(now + FULL_CLASS_POLL)
        } else {
            Wait::ForEvent
        };
        return Ok((claim(o, now)?, wait, None));
    };
    if !record.is_owned_by(&o.order.owner) {
        return Ok((foreign(o, record), Wait::ForEvent, None));
    }
    let mut next = record.clone();
    for event in &o.events {
        next.apply_event(event);
    }
    if next.phase.is_final() {
        return Ok(finished(o, next, now));
    }
    if !o.order.has_finalizer && !o.order.deleted {
        // Somebody replaced the object without it: a deletion would leave nobody to undo what was done.
        return Ok((vec![Action::AddFinalizer], Wait::Not, None));
    }
    heed_people(o, &mut next);
    if next.abandoned.is_some() {
        enter(&mut next, Event::Abandoned, now)?;
        return Ok((vec![write(o, next.clone(), StockChange::None)], Wait::Not, Some(next)));
    }

    // What is known without any effect: all that a stalled or held order may record.
    let heard = next.clone();
    if next.is_stalled() {
        return Ok(recorded(o, heard, Wait::ForEvent));
    }
    let step = advance(o, &mut next, now)?;
    let held = o.is_suspended();
    let (stock, call) = match step {
        Next::Do(_) | Next::Read(_) | Next::Move(..) if held && next.direction == Direction::Forward => {
            return Ok(recorded(o, heard, Wait::ForEvent));
        }
        Next::Do(effect) => {
            next.intend(effect, now);
            (StockChange::None, Some(Call::Do(effect)))
        }
        Next::Read(look) => (StockChange::None, Some(Call::Read(look))),
        Next::Move(stock, effect) => (stock, effect.map(Call::Do)),
        Next::Wait(until) => {
            return Ok(recorded(o, next, until.map_or(Wait::ForEvent, Wait::Until)));
        }
        Next::Finished => (StockChange::None, None),
    };
    let mut actions = Vec::new();
    if Some(&next) != o.saved.as_ref()
        && (call.is_none_or(|call| call.effect().is_some()) || must_be_known_first(o, &next))
    {
        actions.push(write(o, next.clone(), stock));
    }
    actions.extend(call.map(Action::Call));
    Ok((actions, Wait::Not, Some(next)))
}

/// Nothing to do but to write down what changed.
fn recorded(o: &Observed, next: Record, wait: Wait) -> Plan {
    let changed = Some(&next) != o.saved.as_ref();
    (changed.then(|| write(o, next.clone(), StockChange::None)).into_iter().collect(), wait, Some(next))
}

/// True when nothing may be called before the ledger has the record, not even a look-up: the direction
/// turned, or a person's retry began, which must count once whatever the look-up brings.
fn must_be_known_first(o: &Observed, next: &Record) -> bool {
    o.saved
        .as_ref()
        .is_some_and(|saved| saved.direction != next.direction || saved.handled_retry != next.handled_retry)
}

/// The write of `next` over what is saved.
fn write(o: &Observed, mut next: Record, stock: StockChange) -> Action {
    next.version = o.saved.as_ref().map_or(1, |saved| saved.version + 1);
    next.format = FORMAT;
    next.writer.clone_from(&o.writer);
    Action::Write(Box::new(Write { record: next, create: o.saved.is_none(), stock }))
}

/// An order the ledger has never seen.
fn claim(o: &Observed, now: Timestamp) -> Result<Vec<Action>, IllegalTransition> {
    if o.order.deleted {
        return close(o, now);
    }
    let Some(class) = o.class.as_ref().filter(|class| class.closed.is_none() && !o.is_suspended()) else {
        return Ok(vec![]);
    };
    let mut record = first_record(o, class, now);
    enter(&mut record, Event::Claimed, now)?;
    let mut actions = Vec::new();
    if !o.order.has_finalizer {
        actions.push(Action::AddFinalizer);
    }
    actions.push(write(o, record, StockChange::None));
    Ok(actions)
}

/// A deleted order that the ledger has never seen. With the finalizer on it, somebody was about to claim it,
/// and a process that was paused there may still do so when the object is gone: the ledger hears first that
/// the order is over.
fn close(o: &Observed, now: Timestamp) -> Result<Vec<Action>, IllegalTransition> {
    if !o.order.has_finalizer {
        return Ok(vec![]);
    }
    // Without a class there is no ledger to tell; the class's own finalizer keeps it while an order needs it.
    let Some(class) = &o.class else { return Ok(vec![Action::RemoveFinalizer]) };
    let mut record = first_record(o, class, now);
    record.raise(Cause::ObjectDeleted, "The Order object was deleted before the order was begun.");
    for event in [Event::Claimed, Event::FaultRaised, Event::CancellationCompensated] {
        enter(&mut record, event, now)?;
    }
    Ok(vec![write(o, record, StockChange::None)])
}

fn first_record(o: &Observed, class: &ClassFacts, now: Timestamp) -> Record {
    Record::claim(
        o.order.identity.clone(),
        o.order.owner.clone(),
        o.order.digest.clone(),
        &class.name,
        &class.spec,
        o.order.terms.clone(),
        now,
    )
}

/// The ledger knows the order under another owner, or with other contents. Taking it over raises the epoch.
fn foreign(o: &Observed, record: &Record) -> Vec<Action> {
    let adoptable = record.digest == o.order.digest && !record.phase.is_final() && may_adopt(o, record);
    if o.order.deleted {
        // Deleting an object that does not own its order undoes nothing. But somebody was about to take the order
        // over, and may be paused there: the next version of the record is not the one they mean to write.
        let fence = adoptable.then(|| write(o, record.clone(), StockChange::None));
        let actions = fence.into_iter().chain([Action::RemoveFinalizer]);
        return if o.order.has_finalizer { actions.collect() } else { vec![] };
    }
    if !adoptable {
        return vec![];
    }
    let mut next = record.clone();
    next.owner = Some(o.order.owner.clone());
    next.epoch += 1;
    let mut actions = Vec::new();
    if !o.order.has_finalizer {
        actions.push(Action::AddFinalizer);
    }
    actions.push(write(o, next, StockChange::None));
    actions
}

/// An order may be taken over when nobody has it, when its owner in this cluster is gone, or when a
/// person says so.
pub(crate) fn may_adopt(o: &Observed, record: &Record) -> bool {
    record.owner.as_ref().is_none_or(|owner| owner.cluster == o.order.owner.cluster && o.owner_is_gone)
        || o.order.take_over
}

/// An order in a final phase: the object is released, and late surprises are written down.
fn finished(o: &Observed, mut next: Record, now: Timestamp) -> Plan {
    // First the token: it acknowledges only what was there to see when it was set.
    if o.order.retry.is_some() && next.handled_retry != o.order.retry {
        next.handled_retry.clone_from(&o.order.retry);
        if let Some(stall) = &mut next.stall {
            stall.acknowledged = true;
        }
    }
    if next.courier.state == CourierState::Delivered && next.phase != Phase::Delivered {
        undo::delivered_after_undo(&mut next);
    }
    let mut actions = Vec::new();
    if Some(&next) != o.saved.as_ref() {
        actions.push(write(o, next.clone(), StockChange::None));
        return (actions, Wait::Not, Some(next));
    }
    let mut wait = Wait::ForEvent;
    if o.order.deleted {
        actions.extend(o.order.has_finalizer.then_some(Action::RemoveFinalizer));
    } else if let (Some(ttl), Some(end), false) = (o.order.ttl, next.finished_at, next.is_stalled()) {
        let due = end + SignedDuration::from_secs(i64::from(ttl));
        if due <= now {
            actions.push(Action::DeleteObject);
        } else {
            wait = Wait::Until(due);
        }
    }
    (actions, wait, Some(next))
}

/// What people asked for on the object: retry, abandon, cancel, delete.
fn heed_people(o: &Observed, next: &mut Record) {
    if o.order.retry.is_some() && next.handled_retry != o.order.retry {
        next.handled_retry.clone_from(&o.order.retry);
        match &mut next.stall {
            // Acknowledged: nothing here can mend it, and it is not told again.
            Some(stall) if stall.reason == Reason::DeliveredAfterUndo => stall.acknowledged = true,
            Some(_) => {
                next.stall = None;
                undo::prepare_retry(next);
            }
            None => {}
        }
    }
    if let Some(reason) = &o.order.abandon
        && next.early_abandon.as_ref() != Some(reason)
    {
        if next.is_stalled() || next.direction == Direction::Undo {
            next.stall = None;
            next.abandoned = Some(reason.clone());
            // What it holds is not undone, and it does not go on either.
            next.direction = Direction::Undo;
            return;
        }
        next.early_abandon = Some(reason.clone());
    }
    // After pick-up the food is on its way: a cancel is refused, a deletion waits for the delivery.
    if next.courier.state >= CourierState::PickedUp {
        return;
    }
    if let Some(reason) = &o.order.cancel {
        next.raise(Cause::CancelRequested, format!("The order was cancelled: {reason}"));
    } else if o.order.deleted {
        next.raise(Cause::ObjectDeleted, "The Order object was deleted before the order was finished.");
    }
}

/// Moves the record as far as it goes without a call, and says what is needed then.
fn advance(o: &Observed, next: &mut Record, now: Timestamp) -> Result<Next, IllegalTransition> {
    let timeouts =
        o.class.as_ref().map_or_else(|| next.class.timeouts.clone(), |class| class.spec.timeouts.clone());
    let tries =
        o.class.as_ref().map_or(next.class.retries.notification, |class| class.spec.retries.notification);
    let patience = Patience {
        timeouts,
        tries: u32::try_from(tries).unwrap_or(1),
        hearing_since: o.hearing_since,
        payment_seen_at: o.payment_seen_at,
    };
    loop {
        if next.direction == Direction::Undo && !matches!(next.phase, Phase::Pending | Phase::Compensating) {
            enter(next, Event::FaultRaised, now)?;
        }
        let before = next.phase;
        let wanted = match next.phase {
            Phase::Compensating => undo::advance(next, &patience, now)?,
            Phase::Validating => forward::validate(next, now)?,
            Phase::Paying => forward::pay(next, &patience, now)?,
            Phase::Notifying => forward::notify(next, &patience, now)?,
            Phase::Preparing => forward::prepare(next, &patience, now)?,
            Phase::Delivering => forward::deliver(next, &patience, now)?,
            Phase::Pending => {
                enter(next, Event::Claimed, now)?;
                None
            }
            Phase::Delivered | Phase::Rejected | Phase::Cancelled | Phase::Failed => Some(Next::Finished),
        };
        match wanted {
            Some(wanted) => return Ok(wanted),
            None => debug_assert!(
                next.phase != before || next.direction == Direction::Undo,
                "a pass that wants nothing must move the order"
            ),
        }
    }
}
