//! Time is relative: `now` stands still, and a tick makes everything older.

use comanda_saga::effect::Kind;
use comanda_saga::{Effect, EntryState, Record};
use jiff::{SignedDuration, Timestamp};

use crate::support::at;

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
        (entry.finished_at, entry.message) = (None, None);
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
