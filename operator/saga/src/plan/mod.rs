//! What an order needs next to get on: forward by its phase, or back.

mod forward;
mod patience;
pub(crate) mod undo;
mod wanted;

use comanda_crds::Phase;
use jiff::Timestamp;

pub(crate) use patience::seconds;
pub(crate) use wanted::{Wanted, enter};

use self::patience::Patience;
use crate::circumstances::Circumstances;
use crate::record::{Direction, Record};
use crate::transition::{Event, IllegalTransition};

/// Moves the record as far as it goes without a call, and says what is needed then.
pub(crate) fn next(
    next: &mut Record,
    around: &Circumstances,
    payment_seen_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Wanted, IllegalTransition> {
    let patience = Patience::of(next, around, payment_seen_at);
    loop {
        if next.direction == Direction::Undo && !matches!(next.phase, Phase::Pending | Phase::Compensating) {
            enter(next, Event::FaultRaised, now)?;
        }
        let before = next.phase;
        let wanted = match next.phase {
            Phase::Compensating => undo::undo(next, &patience, now)?,
            Phase::Validating => forward::validate(next, now)?,
            Phase::Paying => forward::pay(next, &patience, now)?,
            Phase::Notifying => forward::notify(next, &patience, now)?,
            Phase::Preparing => forward::prepare(next, &patience, now)?,
            Phase::Delivering => forward::deliver(next, &patience, now)?,
            Phase::Pending => {
                enter(next, Event::Claimed, now)?;
                None
            }
            Phase::Delivered | Phase::Rejected | Phase::Cancelled | Phase::Failed => Some(Wanted::Nothing),
        };
        match wanted {
            Some(wanted) => return Ok(wanted),
            None => debug_assert!(
                next.phase != before || next.direction == Direction::Undo,
                "a phase that wants nothing must move the order"
            ),
        }
    }
}
