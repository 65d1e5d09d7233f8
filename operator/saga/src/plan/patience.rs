//! How long is waited for others, and how often they are asked.

use comanda_crds::Timeouts;
use jiff::{SignedDuration, Timestamp};

use super::wanted::Wanted;
use crate::circumstances::{Circumstances, Policy};
use crate::device::DeviceEvent;
use crate::driver::Driver;
use crate::effect::Effect;
use crate::held::Held;
use crate::journal::{Entry, EntryState, IllegalMove};
use crate::next::Look;
use crate::record::Record;
use crate::transition::{IllegalTransition, Trigger, transition};

/// How often a payment that waits for the customer or the provider is looked up.
pub(super) const PAYMENT_POLL: SignedDuration = SignedDuration::from_secs(10);
/// The same of one that waits for the customer, where the provider says by itself what becomes of it: what it says can be
/// lost.
pub(super) const RARE_PAYMENT_POLL: SignedDuration = SignedDuration::from_mins(2);
/// How long after (re)connecting to the devices what they said meanwhile may take to come in. Nobody is
/// called silent before that.
const BACKLOG: SignedDuration = SignedDuration::from_secs(5);

/// When a command is sent again, in seconds after its intent; then each minute, and with pauses that grow to
/// [`LONGEST_PAUSE`].
const REPEATED: [i64; 3] = [10, 30, 60];
/// Longest pause between two repetitions of a command, in seconds.
const LONGEST_PAUSE: i64 = 600;

/// How long and how often things may be tried.
pub(crate) struct Patience<'a> {
    /// Who asks.
    pub(super) driver: &'a Driver,
    pub(super) timeouts: Timeouts,
    /// Tries of a notification.
    pub(super) tries: u32,
    /// See [`Circumstances::hearing_since`].
    hearing_since: Option<Timestamp>,
    /// See [`Circumstances::key_lifetime`].
    pub(super) key_lifetime: SignedDuration,
    /// When the provider last answered this process, what was read of devices, and what was sent to them.
    pub(super) held: Held<'a>,
}

impl<'a> Patience<'a> {
    /// The class's as it is now, or as the record has pinned it.
    pub(crate) fn of(held: Held<'a>, around: &'a Circumstances) -> Self {
        let Policy { timeouts, notification_tries } = around.policy_of(held.record);
        Self {
            driver: &around.driver,
            timeouts,
            tries: notification_tries,
            hearing_since: around.hearing_since(),
            key_lifetime: around.key_lifetime,
            held,
        }
    }

    /// True when whoever asks may lead the order where a trigger leads.
    pub(super) fn may_enter(&self, next: &Record, trigger: Trigger) -> Result<bool, IllegalTransition> {
        Ok(self.driver.enters(transition(next.phase, trigger)?))
    }

    /// Takes the intent of an effect that comes right behind a write, where it is of whoever asks, or that of what carries
    /// the order on in its place.
    pub(super) fn intend_next(
        &self,
        next: &mut Record,
        effect: Effect,
        now: Timestamp,
    ) -> Result<Option<Effect>, IllegalMove> {
        let effect = match self.driver {
            Driver::Operator if next.is_delegated(now) => Effect::Execute,
            driver if driver.brings_about(effect) => effect,
            _ => return Ok(None),
        };
        next.intend(effect, now)?;
        Ok(Some(effect))
    }

    /// When whoever got a command is called silent. It counts from the first intent, whether or not the broker could be
    /// reached. Whoever did not listen cannot tell silence from absence; yet a broker that stays away holds no money.
    pub(super) fn deadline(&self, entry: &Entry, allowed: i32) -> Timestamp {
        self.deadline_after(entry.started_at, allowed)
    }

    /// The same of whoever may be silent since then.
    pub(super) fn deadline_after(&self, since: Timestamp, allowed: i32) -> Timestamp {
        let due = since + seconds(allowed);
        self.hearing_since.map_or(due + seconds(allowed), |since| due.max(since + BACKLOG))
    }

    /// What devices said was read at this time or later: nobody is called silent before.
    pub(super) fn has_read_since(&self, time: Timestamp) -> bool {
        self.held.events_read_at.is_some_and(|read_at| read_at >= time)
    }

    /// Whether all is known that was said before this time: what a new connection brings, and what an IoT rule kept.
    pub(super) fn has_heard_all(&self, before: Option<Timestamp>, now: Timestamp) -> Result<(), Wanted> {
        let Some(since) = self.hearing_since else { return Err(Wanted::Wait(None)) };
        // Another clock than ours may have told that time.
        let due = before.map_or(since + BACKLOG, |before| before.max(since + BACKLOG));
        if now < due {
            return Err(Wanted::Wait(Some(due)));
        }
        if self.has_read_since(due) { Ok(()) } else { Err(Wanted::Read(Look::Events)) }
    }

    /// What devices say is heard now.
    pub(super) fn hears(&self) -> bool {
        self.hearing_since.is_some()
    }

    /// When a command that the broker has is to be sent again.
    fn repeated_at(&self, entry: &Entry, now: Timestamp) -> Timestamp {
        let sent = self.held.sent.filter(|sent| entry.seq == Some(sent.seq));
        // Whoever did not send it does not know of its repetitions: the last that is due counts.
        let after = sent.map_or(now, |sent| sent.at).duration_since(entry.intended_at).as_secs();
        let due = match sent {
            Some(_) => repetitions().find(|due| *due > after),
            None => repetitions().take_while(|due| *due <= after).last(),
        };
        entry.intended_at + SignedDuration::from_secs(due.unwrap_or(REPEATED[0]))
    }
}

/// When a command is sent again, in seconds after its intent.
fn repetitions() -> impl Iterator<Item = i64> {
    let last = REPEATED[REPEATED.len() - 1];
    let later = std::iter::successors(Some(last), |due| Some(due + (due / 6).clamp(60, LONGEST_PAUSE)));
    REPEATED.into_iter().chain(later.skip(1))
}

/// A look-up, or a wait while the last answer is younger than `pause`; never beyond `deadline`.
pub(super) fn poll(
    patience: &Patience<'_>,
    look_up: Look,
    pause: SignedDuration,
    deadline: Option<Timestamp>,
    now: Timestamp,
) -> Wanted {
    match patience.held.payment_seen_at.map(|seen| seen + pause) {
        Some(due) if now < due => Wanted::Wait(Some(deadline.map_or(due, |deadline| due.min(deadline)))),
        _ => Wanted::Read(look_up),
    }
}

/// Telling the customer: a bounded number of failures, and never a reason to stop. None once it is settled.
pub(super) fn notify_customer(
    next: &mut Record,
    effect: Effect,
    tries: u32,
    now: Timestamp,
) -> Result<Option<Wanted>, IllegalMove> {
    let entry = next.journal.get(&effect);
    Ok(match entry.map(|entry| entry.state) {
        None | Some(EntryState::NotDone) => Some(Wanted::Do(effect)),
        Some(EntryState::Intended) if entry.is_some_and(|entry| entry.failures < tries) => {
            Some(Wanted::Do(effect))
        }
        Some(EntryState::Intended) => {
            let message = if next.contact_unreadable {
                "Given up: the customer's contact in the ledger could not be opened in any of the tries allowed."
            } else {
                "Given up: the notification service took it in none of the tries allowed."
            };
            let message = message.to_owned();
            next.settle(effect, EntryState::Failed, message, now)?;
            None
        }
        _ => None,
    })
}

/// A command to a device: sent until the broker has it, repeated until a device speaks of it, then awaited. None past its
/// deadline, once all that devices said until then is known.
pub(super) fn command(
    next: &Record,
    effect: Effect,
    allowed: i32,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Option<Wanted> {
    let Some(entry) = next.journal.get(&effect) else {
        return Some(Wanted::Do(effect));
    };
    let deadline = patience.deadline(entry, allowed);
    if now >= deadline {
        return (!patience.has_read_since(deadline)).then_some(Wanted::Read(Look::Events));
    }
    Some(match entry.state {
        EntryState::Intended | EntryState::NotDone => Wanted::Do(effect),
        _ if is_answered(next, entry, effect, patience.held.events) => Wanted::Wait(Some(deadline)),
        _ => repeat(entry, effect, patience, now).unwrap_or_else(|due| Wanted::Wait(Some(due.min(deadline)))),
    })
}

/// A command that is sent again, after a read that still says so; or when.
pub(super) fn repeat(
    entry: &Entry,
    effect: Effect,
    patience: &Patience<'_>,
    now: Timestamp,
) -> Result<Wanted, Timestamp> {
    if !patience.hears() {
        // There is nobody to send it to; a new connection is a reason to look again.
        return Err(Timestamp::MAX);
    }
    let due = patience.repeated_at(entry, now);
    if now < due {
        return Err(due);
    }
    let read = patience.held.is_fresh && patience.has_read_since(due);
    Ok(if read { Wanted::Repeat(effect) } else { Wanted::Read(Look::Events) })
}

/// True when a command is not sent again: a device spoke of it, or, of an offer, somebody took it.
fn is_answered(next: &Record, entry: &Entry, effect: Effect, events: &[DeviceEvent]) -> bool {
    match effect {
        Effect::Deliver => next.courier.who.is_some(),
        _ => has_spoken(next, entry, effect, events),
    }
}

/// True when whom a command is for spoke of it, whatever they said: whoever has the order, once somebody has it.
pub(super) fn has_spoken(next: &Record, entry: &Entry, effect: Effect, events: &[DeviceEvent]) -> bool {
    let to_kitchen = matches!(effect, Effect::Prepare | Effect::RecallKitchen);
    let who = if to_kitchen { &next.kitchen.who } else { &next.courier.who };
    events.iter().any(|event| {
        entry.seq == Some(event.seq)
            && event.is_of_kitchen() == to_kitchen
            && who.as_ref().is_none_or(|who| *who == event.device)
    })
}

pub(crate) fn seconds(seconds: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}
