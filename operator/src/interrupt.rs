//! People asked for something, and an execution carries the order: its wait is ended, so that it looks at once.
//!
//! This is a hint, and no effect. What counts is in the ledger by then, where every step reads it. So it has no entry in the
//! journal, and nothing is kept of it: one that is lost costs ten minutes at most, after which a wait ends by itself. An
//! execution that does not take a step back within a minute is stopped, once; the next one starts from where the ledger is.

use comanda_saga::{Direction, Record};
use comanda_steps::ports::{Executions, Ledger};
use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

/// How long an execution may take to move an order that was turned round.
const PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// What people asked of an order that an execution carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The execution.
    pub execution: String,
    /// The version of the record that says so.
    version: u64,
    /// Until when the execution may leave it at that; none where nothing has to move by it.
    due: Option<Timestamp>,
    /// The ledger was read again since then.
    checked: bool,
}

/// How an order stands that people asked something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It moved, or nothing has to.
    Heard,
    /// It may take until then.
    Until(Timestamp),
    /// Nothing came of it.
    Unheard,
}

impl Asked {
    /// What a write tells the execution that carries the order; none where it is no execution's, or nothing that people
    /// ask for. Time-outs that a class changes are seen when a wait ends by itself: there may be thousands.
    pub fn by(saved: &Record, next: &Record, now: Timestamp) -> Option<Self> {
        let execution = next.execution().filter(|name| saved.is_executed_by(name))?;
        let turned = saved.direction == Direction::Forward && next.direction == Direction::Undo;
        let goes_on = saved.suspended && !next.suspended || saved.handled_retry != next.handled_retry;
        (next.is_delegated(now) && (turned || goes_on)).then(|| Self {
            execution: execution.to_owned(),
            version: next.version,
            due: turned.then_some(now + PATIENCE),
            checked: false,
        })
    }

    /// True when the ledger has to be read, to see whether the order moved. It is then taken for read.
    pub fn is_to_be_checked(&mut self, now: Timestamp) -> bool {
        let due = !self.checked && self.due.is_some_and(|due| due <= now);
        self.checked |= due;
        due
    }

    /// How the order stands, as the ledger has it.
    pub fn standing(&self, saved: &Record, now: Timestamp) -> Standing {
        let rests = saved.version == self.version && saved.is_executed_by(&self.execution);
        match self.due {
            Some(_) if rests && self.checked => Standing::Unheard,
            Some(due) if rests => Standing::Until(due.max(now)),
            _ => Standing::Heard,
        }
    }

    /// It is tried again after another minute.
    pub fn again(&mut self, now: Timestamp) {
        (self.due, self.checked) = (Some(now + PATIENCE), false);
    }
}

/// Ends the wait of the execution. Where it does not wait, a step is at work, which finds its next write refused.
pub async fn wake(asked: &Asked, record: &Record, ledger: &dyn Ledger, executions: &dyn Executions) {
    let token = match ledger.waiting(&record.identity, &asked.execution).await {
        Ok(Some(waiting)) => waiting.token,
        Ok(None) => return,
        Err(error) => return warn!(%error, "the execution looks by itself, later"),
    };
    match executions.wake(&token).await {
        Ok(()) => info!(execution = asked.execution, "the execution's wait is ended"),
        Err(error) => warn!(%error, "the execution looks by itself, later"),
    }
}

/// Stops the execution; true when that was taken.
pub async fn stop(asked: &Asked, record: &Record, executions: &dyn Executions) -> bool {
    let Some(executor) = &record.class.executor else { return false };
    let machine = &executor.step_functions.state_machine_arn;
    let why = "The order is to be undone, and the execution did not begin to.";
    match executions.stop(machine, &asked.execution, why).await {
        Ok(()) => {
            warn!(
                execution = asked.execution,
                "the execution did not begin to undo its order, and is stopped"
            );
            true
        }
        Err(error) => {
            warn!(%error, "the execution is stopped later");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use comanda_saga::{Cause, Effect, EntryState, Phase};

    use super::*;
    use crate::memory::tests::{at, executed};

    /// The order as it is after a write of what somebody asked for.
    fn after(record: &Record, ask: impl FnOnce(&mut Record)) -> Record {
        let mut next = Record { version: record.version + 1, ..record.clone() };
        ask(&mut next);
        next
    }

    fn cancelled(record: &Record) -> Record {
        after(record, |next| {
            next.raise(Cause::CancelRequested, "The order was cancelled.");
            next.phase = Phase::Compensating;
        })
    }

    #[test]
    fn an_execution_is_told_of_a_cancel_a_retry_and_that_it_may_go_on_and_of_nothing_else() {
        let record = executed();
        let held = after(&record, |next| next.suspended = true);
        let retried = after(&record, |next| next.handled_retry = Some("1".to_owned()));
        let moved = after(&record, |next| next.phase = Phase::Delivering);
        let named =
            |saved: &Record, next: &Record| Asked::by(saved, next, at(0)).map(|asked| asked.execution);
        let execution = record.execution().map(str::to_owned);
        assert!(execution.is_some());
        assert_eq!(named(&record, &cancelled(&record)), execution);
        assert_eq!(named(&record, &retried), execution);
        assert_eq!(named(&held, &after(&held, |next| next.suspended = false)), execution);
        for next in [&held, &moved, &record] {
            assert_eq!(named(&record, next), None);
        }
    }

    #[test]
    fn nobody_is_told_where_no_execution_carries_the_order() {
        let mut direct = executed();
        direct.class.executor = None;
        assert_eq!(Asked::by(&direct, &cancelled(&direct), at(0)), None);
        let mut unnamed = executed();
        unnamed.settle(Effect::Execute, EntryState::NotDone, None, at(0)).expect("a legal move");
        assert_eq!(Asked::by(&unnamed, &cancelled(&unnamed), at(0)), None);
    }

    #[test]
    fn an_execution_that_does_not_move_a_cancelled_order_in_a_minute_is_stopped_once_the_ledger_says_so() {
        let next = cancelled(&executed());
        let mut asked = Asked::by(&executed(), &next, at(0)).expect("it is told");
        assert_eq!(asked.standing(&next, at(0)), Standing::Until(at(60)));
        assert!(!asked.is_to_be_checked(at(59)));
        // Nobody read the ledger yet.
        assert_eq!(asked.standing(&next, at(61)), Standing::Until(at(61)));
        assert!(asked.is_to_be_checked(at(61)) && !asked.is_to_be_checked(at(61)), "it is read once");
        assert_eq!(asked.standing(&next, at(61)), Standing::Unheard);
        assert_eq!(asked.standing(&after(&next, |_| ()), at(61)), Standing::Heard, "it moved");
        asked.again(at(61));
        assert_eq!(asked.standing(&next, at(61)), Standing::Until(at(121)));
    }

    #[test]
    fn an_execution_is_not_stopped_for_a_retry() {
        let retried = after(&executed(), |next| next.handled_retry = Some("1".to_owned()));
        let mut asked = Asked::by(&executed(), &retried, at(0)).expect("it is told");
        assert!(!asked.is_to_be_checked(at(600)));
        assert_eq!(asked.standing(&retried, at(600)), Standing::Heard);
    }
}
