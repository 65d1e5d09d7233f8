//! The way forward: check, pay, tell, prepare, deliver.

use comanda_crds::{Capture, Cause, Timeouts};
use jiff::{SignedDuration, Timestamp};

use crate::action::{Look, StockChange};
use crate::effect::Effect;
use crate::outcome::IntentState;
use crate::record::{CourierState, EntryState, KitchenState, Record};
use crate::transition::{Event, IllegalTransition, transition};

/// How long an idempotency key of the provider is certain to live, less an hour. Past it, a repeated
/// creation could make a second intent, so a new attempt is counted instead.
/// Source: <https://docs.stripe.com/api/idempotent_requests> (keys live at least 24 hours).
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(23);
/// How often a creation is repeated under one key to learn what became of it.
const TRIES_OF_A_KEY: u32 = 4;
/// How often a payment that waits for the customer or the provider is looked up.
pub(crate) const PAYMENT_POLL: SignedDuration = SignedDuration::from_secs(10);
/// How long after (re)connecting to the devices what they said meanwhile may take to come in. Nobody is
/// called silent before that.
const BACKLOG: SignedDuration = SignedDuration::from_secs(5);

/// What the forward or backward path wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Record the intent, then call.
    Do(Effect),
    /// Call without an intent: it only reads.
    Read(Look),
    /// Record, with stock moving in the same transaction; the record may carry a fresh intent.
    Move(StockChange, Option<Effect>),
    /// Nothing until an event comes or the time is reached.
    Wait(Option<Timestamp>),
    /// Nothing more, ever.
    Finished,
}

/// How long and how often things may be tried.
pub(crate) struct Patience {
    pub(crate) timeouts: Timeouts,
    /// Tries of a notification.
    pub(crate) tries: u32,
    /// See [`Observed::hearing_since`].
    pub(crate) hearing_since: Option<Timestamp>,
    /// When the provider last answered this process.
    pub(crate) payment_seen_at: Option<Timestamp>,
}

/// Takes an event: the phase it leads to begins now.
pub(crate) fn enter(next: &mut Record, event: Event, now: Timestamp) -> Result<(), IllegalTransition> {
    next.phase = transition(next.phase, event)?;
    next.phase_since = now;
    if next.phase.is_final() {
        next.finished_at = Some(now);
    }
    Ok(())
}

pub(crate) fn validate(next: &mut Record, now: Timestamp) -> Result<Option<Next>, IllegalTransition> {
    if next.total.is_none() {
        return Ok(Some(Next::Read(Look::Validation)));
    }
    next.settle(Effect::Reserve, EntryState::Done, None, now);
    enter(next, Event::Reserved, now)?;
    next.intend(Effect::CreateIntent, now);
    Ok(Some(Next::Move(StockChange::Take, Some(Effect::CreateIntent))))
}

pub(crate) fn pay(
    next: &mut Record,
    patience: &Patience,
    now: Timestamp,
) -> Result<Option<Next>, IllegalTransition> {
    if next.payment.intent_id.is_none() {
        renew_creation(next, now);
        return Ok(Some(Next::Do(Effect::CreateIntent)));
    }
    match next.state(Effect::Authorize) {
        None | Some(EntryState::NotDone) => Ok(Some(Next::Do(Effect::Authorize))),
        Some(EntryState::Done) => {
            if next.class.payments.capture == Capture::AtOnce
                && let Some(wanted) = capture(next, patience, now)
            {
                return Ok(Some(wanted));
            }
            enter(next, Event::PaymentAuthorized, now)?;
            Ok(None)
        }
        // Confirmed, yet the customer or the provider still has to act: look again from time to time.
        _ => Ok(match next.payment.state {
            Some(IntentState::RequiresAction) => {
                let deadline =
                    next.journal[&Effect::Authorize].started_at + seconds(patience.timeouts.customer_seconds);
                if now >= deadline {
                    next.raise(
                        Cause::PaymentNotConfirmed,
                        "The customer did not confirm the payment in time.",
                    );
                    return Ok(None);
                }
                Some(poll(patience, Look::Payment, PAYMENT_POLL, Some(deadline), now))
            }
            Some(IntentState::Processing) => Some(poll(patience, Look::Payment, PAYMENT_POLL, None, now)),
            _ => Some(Next::Read(Look::Payment)),
        }),
    }
}

/// A look-up, or a wait while the last answer is younger than `pause`; never beyond `deadline`.
pub(crate) fn poll(
    patience: &Patience,
    look_up: Look,
    pause: SignedDuration,
    deadline: Option<Timestamp>,
    now: Timestamp,
) -> Next {
    match patience.payment_seen_at.map(|seen| seen + pause) {
        Some(due) if now < due => Next::Wait(Some(deadline.map_or(due, |deadline| due.min(deadline)))),
        _ => Next::Read(look_up),
    }
}

/// A creation whose key may have expired, or under whose key the provider seems to have stored an error,
/// gets a new one. No intent id was ever recorded, so none was ever confirmed: whatever the old key made
/// holds no money.
pub(crate) fn renew_creation(next: &mut Record, now: Timestamp) {
    let expired = next
        .journal
        .get(&Effect::CreateIntent)
        .filter(|entry| entry.state == EntryState::Intended)
        .is_some_and(|entry| {
            now >= entry.started_at + KEY_LIFETIME
                || entry.failures >= TRIES_OF_A_KEY.saturating_mul(entry.attempt)
        });
    if expired {
        next.next_attempt(Effect::CreateIntent);
        if let Some(entry) = next.journal.get_mut(&Effect::CreateIntent) {
            entry.started_at = now;
        }
    }
}

/// Taking the held amount; none once it is taken.
fn capture(next: &Record, patience: &Patience, now: Timestamp) -> Option<Next> {
    match next.state(Effect::Capture) {
        None | Some(EntryState::NotDone) => Some(Next::Do(Effect::Capture)),
        Some(EntryState::Done) => None,
        _ if next.payment.state == Some(IntentState::Processing) => {
            Some(poll(patience, Look::Payment, PAYMENT_POLL, None, now))
        }
        _ => Some(Next::Read(Look::Payment)),
    }
}

pub(crate) fn notify(
    next: &mut Record,
    patience: &Patience,
    now: Timestamp,
) -> Result<Option<Next>, IllegalTransition> {
    if let Some(wanted) = tell(next, Effect::NotifyConfirmed, patience.tries, now) {
        return Ok(Some(wanted));
    }
    enter(next, Event::NotificationSettled, now)?;
    Ok(None)
}

/// Telling the customer: a bounded number of failures, and never a reason to stop. None once it is settled.
pub(crate) fn tell(next: &mut Record, effect: Effect, tries: u32, now: Timestamp) -> Option<Next> {
    let entry = next.journal.get(&effect);
    match entry.map(|entry| entry.state) {
        None | Some(EntryState::NotDone) => Some(Next::Do(effect)),
        Some(EntryState::Intended) if entry.is_some_and(|entry| entry.failures < tries) => {
            Some(Next::Do(effect))
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

pub(crate) fn prepare(
    next: &mut Record,
    patience: &Patience,
    now: Timestamp,
) -> Result<Option<Next>, IllegalTransition> {
    match next.kitchen.state {
        KitchenState::Ready => {
            enter(next, Event::KitchenReady, now)?;
            return Ok(None);
        }
        KitchenState::Rejected => {
            let why = next.kitchen.reason.as_deref().unwrap_or("no reason given");
            next.raise(Cause::KitchenRejected, format!("The kitchen rejected the order: {why}"));
            return Ok(None);
        }
        _ => {}
    }
    Ok(command(next, Effect::Prepare, (patience.timeouts.kitchen_seconds, patience.hearing_since), now)
        .or_else(|| {
            next.raise(
                Cause::KitchenTimedOut,
                format!(
                    "The kitchen did not have the food ready within {} seconds.",
                    patience.timeouts.kitchen_seconds
                ),
            );
            None
        }))
}

pub(crate) fn deliver(
    next: &mut Record,
    patience: &Patience,
    now: Timestamp,
) -> Result<Option<Next>, IllegalTransition> {
    if let Some(wanted) = capture(next, patience, now) {
        return Ok(Some(wanted));
    }
    match next.courier.state {
        CourierState::Delivered => {
            enter(next, Event::CourierDelivered, now)?;
            return Ok(None);
        }
        CourierState::Failed => {
            let why = next.courier.reason.as_deref().unwrap_or("no reason given");
            next.raise(Cause::CourierFailed, format!("The courier could not deliver: {why}"));
            return Ok(None);
        }
        _ => {}
    }
    Ok(command(next, Effect::Deliver, (patience.timeouts.courier_seconds, patience.hearing_since), now)
        .or_else(|| {
            next.raise(
                Cause::CourierTimedOut,
                format!("The courier did not deliver within {} seconds.", patience.timeouts.courier_seconds),
            );
            None
        }))
}

/// A command to a device: sent until the broker has it, then awaited. None past its deadline, which
/// counts from the first try, whether or not the broker could be reached.
pub(crate) fn command(
    next: &Record,
    effect: Effect,
    (allowed, hearing_since): (i32, Option<Timestamp>),
    now: Timestamp,
) -> Option<Next> {
    let Some(entry) = next.journal.get(&effect) else {
        return Some(Next::Do(effect));
    };
    let due = entry.started_at + seconds(allowed);
    // Whoever did not listen cannot tell silence from absence; yet a broker that stays away holds no money.
    let deadline = hearing_since.map_or(due + seconds(allowed), |since| due.max(since + BACKLOG));
    if now >= deadline {
        return None;
    }
    Some(match entry.state {
        EntryState::Intended | EntryState::NotDone => Next::Do(effect),
        _ => Next::Wait(Some(deadline)),
    })
}

pub(crate) fn seconds(seconds: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}
