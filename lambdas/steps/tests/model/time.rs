//! Time is relative: `now` stands still, and a tick makes everything older.

use comanda_saga::effect::Kind;
use comanda_saga::{Effect, EntryState, Record};
use jiff::{SignedDuration, Timestamp};

use crate::environment::Move;
use crate::kept::Kept;
use crate::state::{Bounds, Lately, Rest, State};
use crate::support::at;
use crate::support::machine::At;

/// The present.
pub fn now() -> Timestamp {
    at(0)
}

/// How far time jumps: past the next repetition of a command, past every deadline, or past every deadline and the life of
/// a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    Minute,
    Hour,
    Day,
}

impl Tick {
    /// A time, seen after the tick. Hours are not counted: what is old stays as old.
    pub fn age(self, time: Timestamp) -> Timestamp {
        let passed = match self {
            Self::Minute => SignedDuration::from_secs(70),
            Self::Hour => SignedDuration::from_secs(5000),
            Self::Day => SignedDuration::from_hours(25),
        };
        time.min(now() - passed)
    }
}

/// True for an effect whose beginning starts a deadline.
fn is_timed(effect: Effect) -> bool {
    match effect.row().kind {
        Kind::Command => true,
        Kind::Payment => matches!(effect, Effect::OpenPayment | Effect::Authorize),
        Kind::Message | Kind::Execution | Kind::Write => false,
    }
}

/// True for an effect whose failures are bounded.
fn is_counted(effect: Effect) -> bool {
    match effect.row().kind {
        Kind::Message => true,
        // What became of the others is looked up.
        Kind::Payment => effect.row().refusable,
        Kind::Command | Kind::Execution | Kind::Write => false,
    }
}

/// The record without what no decision reads, so that histories that come to the same are one state.
pub fn plain(mut record: Record) -> Record {
    record.writer.clear();
    (record.created_at, record.phase_since) = (now(), now());
    record.finished_at = record.finished_at.map(|_| now());
    (record.kitchen.heard_at, record.courier.heard_at) = (None, None);
    for (effect, entry) in &mut record.journal {
        // Whose execution it was is for people.
        (entry.finished_at, entry.message, entry.execution) = (None, None, None);
        // A command is repeated by the time of its intent.
        if entry.seq.is_none() {
            entry.intended_at = now();
        }
        // An execution is always overdue: an operator that has not just looked at it does.
        if effect.row().kind == Kind::Execution {
            entry.intended_at = Tick::Hour.age(now());
        }
        if !is_timed(*effect) {
            entry.started_at = now();
        }
        entry.tries = 1;
        if !is_counted(*effect) || entry.state != EntryState::Intended {
            entry.failures = 0;
        }
    }
    record
}

/// The record after a tick: only the deadlines' beginnings matter, and the life of a key takes days.
pub fn aged(record: &Record, tick: Tick) -> Record {
    let mut record = record.clone();
    for (effect, entry) in &mut record.journal {
        if tick == Tick::Minute {
            if entry.seq.is_some() {
                entry.intended_at = tick.age(entry.intended_at);
            }
        } else if is_timed(*effect) && (tick == Tick::Day || *effect != Effect::OpenPayment) {
            entry.started_at = tick.age(entry.started_at);
        }
    }
    record
}

impl Bounds {
    /// Time passes when an operator waits for it, or somebody naps.
    pub fn time_moves(&self, state: &State, moves: &mut Vec<Move>) {
        let at_work = || state.writers.iter().filter(|writer| writer.works());
        let busy = at_work().any(|writer| !writer.queue.is_empty()) || state.is_called();
        let awaited = at_work().any(|writer| writer.queue.is_empty() && writer.rest == Rest::Until)
            || state.world.executions.iter().any(|execution| matches!(execution.at, At::Wait(_, false)));
        if busy && state.left.naps == 0 || !busy && !awaited {
            return;
        }
        moves.push(Move::Time(Tick::Hour, busy));
        if state.left.minutes > 0 {
            moves.push(Move::Time(Tick::Minute, busy));
        }
        if self.days {
            moves.push(Move::Time(Tick::Day, busy));
        }
    }
}

impl State {
    /// Everything is older by a tick, and whoever waited for it looks again.
    pub fn pass_time(&mut self, tick: Tick) {
        self.ledger = self.ledger.as_ref().map(|record| Kept::new(aged(record, tick)));
        for intent in &mut self.world.provider.intents {
            if tick == Tick::Day {
                intent.made_at = tick.age(intent.made_at);
            }
        }
        self.wire = self.wire.as_ref().map(|message| message.map(|record| aged(record, tick)));
        self.wake_executions();
        // An operator would see the execution running, and rest again.
        let carried = self.is_carried();
        for writer in &mut self.writers {
            writer.map(|record| aged(record, tick));
            writer.lately = Lately::default();
            if writer.queue.is_empty() && writer.rest == Rest::Until && !(carried && writer.invoked.is_none())
            {
                writer.rest = Rest::Due;
            }
        }
    }
}
