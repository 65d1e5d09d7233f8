//! What an `Order` object needs: its order claimed or taken over, its finalizer, its end. The operator's alone: whoever
//! carries an order without an object asks [`advance`](fn@crate::advance) and nothing here.

use comanda_crds::Cause;
use jiff::{SignedDuration, Timestamp};

use crate::next::{StockChange, Wait, Write};
use crate::observed::{ClassFacts, Closed, Observed, OrderFacts};
use crate::plan::enter;
use crate::record::{FORMAT, Record};
use crate::transition::{IllegalTransition, Trigger};

/// How often an order looks whether its class has room again.
const FULL_CLASS_POLL: SignedDuration = SignedDuration::from_secs(5);

/// What is done to an object, or to the ledger in its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Puts the finalizer on the object.
    AddFinalizer,
    /// Takes the finalizer off: the object may go.
    RemoveFinalizer,
    /// Deletes the finished object, its time to live being over.
    DeleteObject,
    /// Claims the order, takes it over, or fences off who meant to.
    Write(Box<Write>),
}

/// What makes the order this object's, where it may be: to be done in this order, and when one fails, those behind it
/// are not done. When the order is the object's afterwards, it is to be carried.
///
/// # Errors
/// When the rules contradict each other: a defect.
pub fn take(o: &Observed, now: Timestamp) -> Result<Vec<Action>, IllegalTransition> {
    let Some(record) = &o.record else { return claim(o, now) };
    if !record.is_owned_by(&o.order.owner) {
        return Ok(foreign(o, record));
    }
    // Somebody replaced the object without it: a deletion would leave nobody to undo what was done.
    let bare = !o.order.has_finalizer && !o.order.deleted && !record.phase.is_final();
    Ok(if bare { vec![Action::AddFinalizer] } else { vec![] })
}

/// When an object whose order is not its own looks again.
pub fn wait(o: &Observed, now: Timestamp) -> Wait {
    let full = o.class.as_ref().is_some_and(|class| class.closed == Some(Closed::Full));
    if o.record.is_none() && full { Wait::Until(now + FULL_CLASS_POLL) } else { Wait::ForEvent }
}

/// What lets go of an object whose order is over, and when to look again.
pub fn release(order: &OrderFacts, record: &Record, now: Timestamp) -> (Option<Action>, Wait) {
    if order.deleted {
        return (order.has_finalizer.then_some(Action::RemoveFinalizer), Wait::ForEvent);
    }
    let (Some(ttl), Some(end), false) = (order.ttl, record.finished_at, record.is_stalled()) else {
        return (None, Wait::ForEvent);
    };
    let due = end + SignedDuration::from_secs(i64::from(ttl));
    if due <= now { (Some(Action::DeleteObject), Wait::ForEvent) } else { (None, Wait::Until(due)) }
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
    enter(&mut record, Trigger::Claimed, now)?;
    Ok(with_finalizer(o, create(record)))
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
    for event in [Trigger::Claimed, Trigger::FaultRaised, Trigger::CancellationCompensated] {
        enter(&mut record, event, now)?;
    }
    Ok(vec![create(record)])
}

fn first_record(o: &Observed, class: &ClassFacts, now: Timestamp) -> Record {
    let mut record = Record::claim(
        o.order.identity.clone(),
        o.order.owner.clone(),
        o.order.digest.clone(),
        &class.name,
        &class.spec,
        o.order.terms.clone(),
        now,
    );
    record.writer.clone_from(&o.writer);
    record
}

fn create(record: Record) -> Action {
    debug_assert_eq!((record.version, record.format), (1, FORMAT), "a first record");
    Action::Write(Box::new(Write { record, create: true, stock: StockChange::None }))
}

/// The finalizer goes on before the order is begun.
fn with_finalizer(o: &Observed, write: Action) -> Vec<Action> {
    let missing = (!o.order.has_finalizer).then_some(Action::AddFinalizer);
    missing.into_iter().chain([write]).collect()
}

/// The ledger knows the order under another owner, or with other contents. Taking it over raises the epoch.
fn foreign(o: &Observed, record: &Record) -> Vec<Action> {
    let adoptable = record.digest == o.order.digest && !record.phase.is_final() && may_adopt(o, record);
    let over = |next| Action::Write(Box::new(Write::over(record, next, StockChange::None, &o.writer)));
    if o.order.deleted {
        // Deleting an object that does not own its order undoes nothing. But somebody was about to take the order
        // over, and may be paused there: the next version of the record is not the one they mean to write.
        let fence = adoptable.then(|| over(record.clone()));
        let actions = fence.into_iter().chain([Action::RemoveFinalizer]);
        return if o.order.has_finalizer { actions.collect() } else { vec![] };
    }
    if !adoptable {
        return vec![];
    }
    let mut next = record.clone();
    next.owner = Some(o.order.owner.clone());
    next.epoch += 1;
    with_finalizer(o, over(next))
}

/// An order may be taken over when nobody has it, when its owner in this cluster is gone, or when a
/// person says so.
pub(crate) fn may_adopt(o: &Observed, record: &Record) -> bool {
    record.owner.as_ref().is_none_or(|owner| owner.cluster == o.order.owner.cluster && o.owner_is_gone)
        || o.order.take_over
}
