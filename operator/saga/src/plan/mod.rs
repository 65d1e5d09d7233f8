//! What an order needs next to get on: forward by its phase, or back.

pub(crate) mod dispatch;
pub(crate) mod execution;
mod forward;
mod patience;
pub(crate) mod undo;
mod wanted;

use comanda_crds::Phase;
use jiff::Timestamp;

pub(crate) use patience::{Patience, seconds};
pub(crate) use wanted::{Wanted, enter};

use crate::contradiction::Contradiction;
use crate::effect::Effect;
use crate::payment::Hold;
use crate::record::{Direction, Record};
use crate::transition::Trigger;

/// Moves the record as far as it goes without a call, and says what is needed then of whoever asks.
pub(crate) fn next(
    next: &mut Record,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Wanted, Contradiction> {
    let driver = patience.driver;
    loop {
        if next.phase.is_final() {
            return Ok(Wanted::Nothing);
        }
        if next.direction == Direction::Undo && !matches!(next.phase, Phase::Pending | Phase::Compensating) {
            enter(next, Trigger::FaultRaised, now)?;
        }
        if !driver.carries(next, now) {
            let delegates = driver.is_operator();
            return Ok(if delegates { execution::delegate(next, patience, now) } else { Wanted::Anothers });
        }
        if driver.is_operator() {
            execution::let_go(next, now)?;
        }
        let before = next.phase;
        let wanted = match next.phase {
            Phase::Compensating => undo::undo(next, patience, now)?,
            Phase::Validating => forward::validate(next, patience, now)?,
            Phase::Paying => forward::pay(next, patience, now)?,
            Phase::Notifying => forward::notify(next, patience, now)?,
            Phase::Preparing => forward::prepare(next, patience, now),
            Phase::Delivering => forward::deliver(next, patience, now)?,
            Phase::Pending => Some(Wanted::Enter(Trigger::Claimed)),
            Phase::Delivered | Phase::Rejected | Phase::Cancelled | Phase::Failed => None,
        };
        let is_theirs = match &wanted {
            Some(Wanted::Do(effect) | Wanted::Repeat(effect)) => driver.brings_about(*effect),
            Some(Wanted::Read(look)) => driver.looks_at(*look),
            Some(Wanted::Enter(trigger)) => patience.may_enter(next, *trigger)?,
            _ => true,
        };
        match wanted {
            Some(_) if !is_theirs => return Ok(Wanted::Anothers),
            Some(Wanted::Enter(trigger)) => enter(next, trigger, now)?,
            Some(wanted) => return Ok(wanted),
            None => debug_assert!(
                next.phase != before || next.direction == Direction::Undo,
                "a phase that wants nothing must move the order"
            ),
        }
    }
}

/// Until when the order waits for somebody on its way forward; none when nobody was asked yet.
pub(crate) fn deadline(record: &Record, patience: &Patience<'_>) -> Option<Timestamp> {
    match record.phase {
        Phase::Paying if record.payment.hold == Some(Hold::AwaitsCustomer) => {
            let entry = record.journal.get(&Effect::Authorize)?;
            Some(entry.started_at + seconds(patience.timeouts.customer_seconds))
        }
        Phase::Preparing => {
            let entry = record.journal.get(&Effect::Prepare)?;
            Some(patience.deadline(entry, patience.timeouts.kitchen_seconds))
        }
        Phase::Delivering => {
            let entry = record.journal.get(&Effect::Deliver)?;
            Some(patience.deadline(entry, patience.timeouts.courier_seconds))
        }
        _ => None,
    }
}
