//! What an order wants next, and how it comes to a phase.

use jiff::Timestamp;

use crate::effect::Effect;
use crate::next::{Look, StockChange};
use crate::record::Record;
use crate::transition::{IllegalTransition, Trigger, transition};

/// What the forward or backward path wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Record the intent, then call.
    Do(Effect),
    /// Call without an intent: it only reads.
    Read(Look),
    /// Send a command again.
    Repeat(Effect),
    /// Record, with stock moving in the same transaction; the record may carry a fresh intent.
    Move(StockChange, Option<Effect>),
    /// Nothing until an event comes or the time is reached.
    Wait(Option<Timestamp>),
    /// A phase that something leads to.
    Enter(Trigger),
    /// Nothing of whoever asks: it is another driver's.
    Anothers,
    /// Nothing more, ever.
    Nothing,
}

impl Wanted {
    /// True for what a suspended order does not do: it looks only at what was begun, and begins nothing.
    pub(crate) fn begins(&self) -> bool {
        match self {
            Self::Do(_) | Self::Repeat(_) | Self::Move(..) | Self::Read(Look::Validation) => true,
            Self::Read(Look::Payment | Look::Refunds | Look::Events | Look::Execution)
            | Self::Wait(_)
            | Self::Enter(_)
            | Self::Anothers
            | Self::Nothing => false,
        }
    }
}

/// The phase that a trigger leads to begins now.
pub(crate) fn enter(next: &mut Record, trigger: Trigger, now: Timestamp) -> Result<(), IllegalTransition> {
    next.phase = transition(next.phase, trigger)?;
    next.phase_since = now;
    if next.phase.is_final() {
        next.finished_at = Some(now);
    }
    Ok(())
}
