//! Phases that the class delegates: an execution of its state machine carries the order through them, and the operator
//! starts it, follows it, and starts the next one when it ended before its time.

use jiff::{SignedDuration, Timestamp};

use super::patience::Patience;
use super::{Wanted, deadline};
use crate::effect::Effect;
use crate::journal::{Entry, EntryState, IllegalMove};
use crate::next::Look;
use crate::record::Record;

/// How long nothing may come of an execution beyond the order's own deadline, before it is looked at. A step that fails is
/// tried again after 15 minutes at the latest, and whoever is waited for is looked after each ten.
const OVERDUE: SignedDuration = SignedDuration::from_mins(20);
/// Pauses before an execution is started in place of one that ended by itself: they double up to the longest.
const PAUSES: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(10), SignedDuration::from_mins(15));

/// What the operator does for an order that an execution carries, or is to carry.
pub(super) fn delegate(next: &Record, patience: &Patience<'_>, now: Timestamp) -> Wanted {
    let Some(entry) = next.journal.get(&Effect::Execute) else { return Wanted::Do(Effect::Execute) };
    match entry.state {
        // Whoever says that it ended is not believed: they are a reason to look.
        EntryState::Done if patience.held.execution_doubted == Some(&entry.key) => {
            Wanted::Read(Look::Execution)
        }
        EntryState::Done => {
            let due = deadline(next, patience).unwrap_or(entry.intended_at).max(entry.intended_at) + OVERDUE;
            let seen = patience.held.execution_seen_at.map(|seen| seen + OVERDUE);
            let due = seen.map_or(due, |seen| seen.max(due));
            if now < due { Wanted::Wait(Some(due)) } else { Wanted::Read(Look::Execution) }
        }
        EntryState::NotDone => match entry.finished_at.map(|ended| ended + pause(next, entry, ended)) {
            Some(due) if now < due => Wanted::Wait(Some(due)),
            _ => Wanted::Do(Effect::Execute),
        },
        _ => Wanted::Do(Effect::Execute),
    }
}

/// How long to wait after an execution: longer after each in a row that ended by itself, and not where the order came to
/// another phase after it was handed back.
fn pause(next: &Record, entry: &Entry, ended: Timestamp) -> SignedDuration {
    if entry.failures == 0 && next.phase_since > ended {
        return SignedDuration::ZERO;
    }
    (PAUSES.0 * 2_i32.pow(entry.failures.saturating_sub(1).min(10))).min(PAUSES.1)
}

/// The order is not the execution's any more: it is named no longer.
pub(crate) fn let_go(next: &mut Record, now: Timestamp) -> Result<(), IllegalMove> {
    if next.execution().is_some() { next.end_execution(None, now) } else { Ok(()) }
}
