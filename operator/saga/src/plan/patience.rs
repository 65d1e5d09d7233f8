//! How long is waited for others, and how often they are asked.

use comanda_crds::Timeouts;
use jiff::{SignedDuration, Timestamp};

use super::wanted::Wanted;
use crate::circumstances::{Circumstances, Policy};
use crate::effect::Effect;
use crate::journal::EntryState;
use crate::next::Look;
use crate::record::Record;

/// How often a payment that waits for the customer or the provider is looked up.
pub(super) const PAYMENT_POLL: SignedDuration = SignedDuration::from_secs(10);
/// How long after (re)connecting to the devices what they said meanwhile may take to come in. Nobody is
/// called silent before that.
const BACKLOG: SignedDuration = SignedDuration::from_secs(5);

/// How long and how often things may be tried.
pub(super) struct Patience {
    pub(super) timeouts: Timeouts,
    /// Tries of a notification.
    pub(super) tries: u32,
    /// See [`Circumstances::hearing_since`].
    pub(super) hearing_since: Option<Timestamp>,
    /// When the provider last answered this process.
    pub(super) payment_seen_at: Option<Timestamp>,
}

impl Patience {
    /// The class's as it is now, or as the record has pinned it.
    pub(super) fn of(record: &Record, around: &Circumstances, payment_seen_at: Option<Timestamp>) -> Self {
        let Policy { timeouts, notification_tries } =
            around.policy.clone().unwrap_or_else(|| Policy::of(&record.class));
        Self { timeouts, tries: notification_tries, hearing_since: around.hearing_since, payment_seen_at }
    }
}

/// A look-up, or a wait while the last answer is younger than `pause`; never beyond `deadline`.
pub(super) fn poll(
    patience: &Patience,
    look_up: Look,
    pause: SignedDuration,
    deadline: Option<Timestamp>,
    now: Timestamp,
) -> Wanted {
    match patience.payment_seen_at.map(|seen| seen + pause) {
        Some(due) if now < due => Wanted::Wait(Some(deadline.map_or(due, |deadline| due.min(deadline)))),
        _ => Wanted::Read(look_up),
    }
}

/// Telling the customer: a bounded number of failures, and never a reason to stop. None once it is settled.
pub(super) fn tell(next: &mut Record, effect: Effect, tries: u32, now: Timestamp) -> Option<Wanted> {
    let entry = next.journal.get(&effect);
    match entry.map(|entry| entry.state) {
        None | Some(EntryState::NotDone) => Some(Wanted::Do(effect)),
        Some(EntryState::Intended) if entry.is_some_and(|entry| entry.failures < tries) => {
            Some(Wanted::Do(effect))
        }
        Some(EntryState::Intended) => {
            let message =
                "Given up: the notification service took it in none of the tries allowed.".to_owned();
            next.settle(effect, EntryState::Failed, message, now);
            None
        }
        _ => None,
    }
}

/// A command to a device: sent until the broker has it, then awaited. None past its deadline, which
/// counts from the first try, whether or not the broker could be reached.
pub(super) fn command(
    next: &Record,
    effect: Effect,
    (allowed, hearing_since): (i32, Option<Timestamp>),
    now: Timestamp,
) -> Option<Wanted> {
    let Some(entry) = next.journal.get(&effect) else {
        return Some(Wanted::Do(effect));
    };
    let due = entry.started_at + seconds(allowed);
    // Whoever did not listen cannot tell silence from absence; yet a broker that stays away holds no money.
    let deadline = hearing_since.map_or(due + seconds(allowed), |since| due.max(since + BACKLOG));
    if now >= deadline {
        return None;
    }
    Some(match entry.state {
        EntryState::Intended | EntryState::NotDone => Wanted::Do(effect),
        _ => Wanted::Wait(Some(deadline)),
    })
}

pub(crate) fn seconds(seconds: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}
