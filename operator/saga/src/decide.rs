//! What to do next, decided from the ledger record alone.

use comanda_crds::{Cause, OrderClassSpec, OrderStatus, Phase, Reason, Timeouts};
use jiff::{SignedDuration, Timestamp};

use crate::identity::Identity;
use crate::outcome::{DeviceEvent, IntentState};
use crate::record::{CourierState, Direction, Effect, EntryState, KitchenState, Owner, Record, Terms};
use crate::status;
use crate::transition::{Event, IllegalTransition, transition};
use crate::undo;

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
/// How often an order looks whether its class has room again.
const FULL_CLASS_POLL: SignedDuration = SignedDuration::from_secs(5);

/// All input of a decision.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The object, checked.
    pub order: OrderFacts,
    /// The class as it is now; none when it is gone. Live orders use what is pinned in their record.
    pub class: Option<ClassFacts>,
    /// The record as the ledger has it.
    pub saved: Option<Record>,
    /// The record with the outcomes that are not written yet.
    pub record: Option<Record>,
    /// What devices said about the order, in any order.
    pub events: Vec<DeviceEvent>,
    /// True when the owner in the record is known to be gone: a live read found no object with its uid.
    pub owner_is_gone: bool,
    /// When the payment provider last answered this process; none when it has to be asked again.
    pub payment_seen_at: Option<Timestamp>,
    /// Since when this process hears what the class's devices say; none while it does not.
    pub hearing_since: Option<Timestamp>,
    /// The error that is being retried, when calls keep failing.
    pub trouble: Option<Trouble>,
    /// The process that decides.
    pub writer: String,
}

/// An error that keeps an order from moving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In one word.
    pub reason: Reason,
    /// What went wrong, without a full stop.
    pub error: String,
}

/// What matters of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// Who the order is.
    pub identity: Identity,
    /// This object.
    pub owner: Owner,
    /// Digest of its immutable fields.
    pub digest: String,
    /// Its terms.
    pub terms: Terms,
    /// `metadata.generation`.
    pub generation: i64,
    /// The finalizer is on it.
    pub has_finalizer: bool,
    /// It is being deleted.
    pub deleted: bool,
    /// `spec.cancel.reason`.
    pub cancel: Option<String>,
    /// `spec.suspend`.
    pub suspend: bool,
    /// Seconds after finishing until the object goes; none keeps it.
    pub ttl: Option<i32>,
    /// The retry token.
    pub retry: Option<String>,
    /// The reason to abandon.
    pub abandon: Option<String>,
    /// The object asks to take the order over.
    pub take_over: bool,
}

/// What matters of the class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Its spec.
    pub spec: OrderClassSpec,
    /// True while it takes no new order: it has as many live ones as it may, or is being deleted.
    pub full: bool,
}

/// What the decision asks for.
#[derive(Clone, Debug)]
pub struct Decision {
    /// To be done in this order; when one fails, those behind it are not done.
    pub actions: Vec<Action>,
    /// What the object should say now.
    pub status: OrderStatus,
    /// What comes when no action is left.
    pub wait: Wait,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Puts the finalizer on the object.
    AddFinalizer,
    /// Takes the finalizer off: the object may go.
    RemoveFinalizer,
    /// Deletes the finished object, its time to live being over.
    DeleteObject,
    /// Writes the record, on condition that nobody else did.
    Write(Box<Write>),
    /// Makes a call whose intent the write before it recorded, or one that only reads.
    Call(Call),
}

/// A conditional write of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// The whole record, with its new version.
    pub record: Record,
    /// True when no record may exist yet.
    pub create: bool,
    /// Stock that moves in the same transaction. When there is not enough, nothing of the write happened,
    /// and the refusal belongs to the record as it was before.
    pub stock: StockChange,
}

/// Stock that moves together with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StockChange {
    /// None.
    None,
    /// The order's lines are taken, if there is enough of each.
    Take,
    /// The order's lines are returned.
    Return,
}

/// A call outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, strum::IntoStaticStr)]
pub enum Call {
    /// Reads the catalogue and the contact, and checks the order by them.
    Validate,
    /// Makes the unconfirmed payment intent.
    CreateIntent,
    /// Confirms it: the amount is held.
    ConfirmIntent,
    /// Takes the held amount, all of it.
    CaptureIntent,
    /// Cancels the intent.
    CancelIntent,
    /// Pays the captured amount back, all of it.
    RefundPayment,
    /// Reads the intent.
    LookUpPayment,
    /// Reads the intent's refunds.
    LookUpRefunds,
    /// Tells the customer that the order is confirmed.
    NotifyConfirmed,
    /// Tells the customer how the order ended.
    NotifyEnding,
    /// Tells the kitchen to prepare.
    Prepare,
    /// Tells the couriers to deliver.
    Deliver,
    /// Stops the kitchen.
    RecallKitchen,
    /// Calls the courier back.
    RecallCourier,
}

impl Call {
    /// The effect the call has; none when it only reads.
    pub fn effect(self) -> Option<Effect> {
        Some(match self {
            Self::Validate | Self::LookUpPayment | Self::LookUpRefunds => return None,
            Self::CreateIntent => Effect::CreateIntent,
            Self::ConfirmIntent => Effect::Authorize,
            Self::CaptureIntent => Effect::Capture,
            Self::CancelIntent => Effect::CancelIntent,
            Self::RefundPayment => Effect::Refund,
            Self::NotifyConfirmed => Effect::NotifyConfirmed,
            Self::NotifyEnding => Effect::NotifyEnding,
            Self::Prepare => Effect::Prepare,
            Self::Deliver => Effect::Deliver,
            Self::RecallKitchen => Effect::RecallKitchen,
            Self::RecallCourier => Effect::RecallCourier,
        })
    }
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As soon as the actions are done.
    Not,
    /// When an event comes, or at this time.
    Until(Timestamp),
    /// When an event comes.
    ForEvent,
}

/// What the forward or backward path wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Record the intent, then call.
    Do(Call),
    /// Call without an intent: it only reads.
    Read(Call),
    /// Record, with stock moving in the same transaction; the record may carry a fresh intent.
    Move(StockChange, Option<Call>),
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
    /// The provider answered this process less than [`PAYMENT_POLL`] ago.
    pub(crate) payment_is_fresh: bool,
}

/// What to do next with an order.
pub fn decide(observed: &Observed, now: Timestamp) -> Result<Decision, IllegalTransition> {
    let (actions, wait, record) = plan(observed, now)?;
    let status = status::project(observed, record.as_ref().or(observed.record.as_ref()), now);
    Ok(Decision { actions, status, wait })
}

type Plan = (Vec<Action>, Wait, Option<Record>);

fn plan(o: &Observed, now: Timestamp) -> Result<Plan, IllegalTransition> {
    let Some(record) = &o.record else {
        let wait = if o.class.as_ref().is_some_and(|class| class.full) {
            Wait::Until(now + FULL_CLASS_POLL)
        } else {
            Wait::ForEvent
        };
        return Ok((claim(o, now)?, wait, None));
    };
    if !is_ours(o, record) {
        return Ok((foreign(o, record), Wait::ForEvent, None));
    }
    let mut next = record.clone();
    for event in &o.events {
        next.apply_event(event);
    }
    if next.phase.is_final() {
        return Ok(finished(o, next, now));
    }
    heed_people(o, &mut next);
    if next.abandoned.is_some() {
        enter(&mut next, Event::Abandoned, now)?;
        return Ok((vec![write(o, next.clone(), StockChange::None)], Wait::Not, Some(next)));
    }

    // What is known without any effect: all that a stalled or held order may record.
    let heard = next.clone();
    if next.is_stalled() {
        return Ok(recorded(o, heard, Wait::ForEvent));
    }
    let step = advance(o, &mut next, now)?;
    let held = o.order.suspend || o.class.as_ref().is_some_and(|class| class.spec.suspend);
    let (stock, call) = match step {
        Next::Do(_) | Next::Read(_) | Next::Move(..) if held && next.direction == Direction::Forward => {
            return Ok(recorded(o, heard, Wait::ForEvent));
        }
        Next::Do(call) => {
            if let Some(effect) = call.effect() {
                next.intend(effect, now);
            }
            (StockChange::None, Some(call))
        }
        Next::Read(call) => (StockChange::None, Some(call)),
        Next::Move(stock, call) => (stock, call),
        Next::Wait(until) => {
            return Ok(recorded(o, next, until.map_or(Wait::ForEvent, Wait::Until)));
        }
        Next::Finished => (StockChange::None, None),
    };
    let mut actions = Vec::new();
    if Some(&next) != o.saved.as_ref()
        && (call.is_none_or(|call| call.effect().is_some()) || must_be_known_first(o, &next))
    {
        actions.push(write(o, next.clone(), stock));
    }
    actions.extend(call.map(Action::Call));
    Ok((actions, Wait::Not, Some(next)))
}

/// Nothing to do but to write down what changed.
fn recorded(o: &Observed, next: Record, wait: Wait) -> Plan {
    let changed = Some(&next) != o.saved.as_ref();
    (changed.then(|| write(o, next.clone(), StockChange::None)).into_iter().collect(), wait, Some(next))
}

/// True when nothing may be called before the ledger has the record, not even a look-up: the direction
/// turned, or a person's retry began, which must count once whatever the look-up brings.
fn must_be_known_first(o: &Observed, next: &Record) -> bool {
    o.saved
        .as_ref()
        .is_some_and(|saved| saved.direction != next.direction || saved.handled_retry != next.handled_retry)
}

/// The write of `next` over what is saved.
fn write(o: &Observed, mut next: Record, stock: StockChange) -> Action {
    next.version = o.saved.as_ref().map_or(1, |saved| saved.version + 1);
    next.writer.clone_from(&o.writer);
    Action::Write(Box::new(Write { record: next, create: o.saved.is_none(), stock }))
}

/// An order the ledger has never seen.
fn claim(o: &Observed, now: Timestamp) -> Result<Vec<Action>, IllegalTransition> {
    if o.order.deleted {
        return Ok(if o.order.has_finalizer { vec![Action::RemoveFinalizer] } else { vec![] });
    }
    let Some(class) = o.class.as_ref().filter(|class| !class.full && !class.spec.suspend && !o.order.suspend)
    else {
        return Ok(vec![]);
    };
    let mut record = Record::claim(
        o.order.identity.clone(),
        o.order.owner.clone(),
        o.order.digest.clone(),
        &class.name,
        &class.spec,
        o.order.terms.clone(),
        now,
    );
    record.phase = transition(record.phase, Event::Claimed)?;
    let mut actions = Vec::new();
    if !o.order.has_finalizer {
        actions.push(Action::AddFinalizer);
    }
    actions.push(write(o, record, StockChange::None));
    Ok(actions)
}

fn is_ours(o: &Observed, record: &Record) -> bool {
    record.owner.as_ref() == Some(&o.order.owner)
}

/// The ledger knows the order under another owner, or with other contents. Taking it over raises the epoch.
fn foreign(o: &Observed, record: &Record) -> Vec<Action> {
    if o.order.deleted {
        // Deleting an object that does not own its order undoes nothing.
        return if o.order.has_finalizer { vec![Action::RemoveFinalizer] } else { vec![] };
    }
    if record.digest != o.order.digest || record.phase.is_final() || !may_adopt(o, record) {
        return vec![];
    }
    let mut next = record.clone();
    next.owner = Some(o.order.owner.clone());
    next.epoch += 1;
    let mut actions = Vec::new();
    if !o.order.has_finalizer {
        actions.push(Action::AddFinalizer);
    }
    actions.push(write(o, next, StockChange::None));
    actions
}

/// An order may be taken over when nobody has it, when its owner in this cluster is gone, or when a
/// person says so.
pub(crate) fn may_adopt(o: &Observed, record: &Record) -> bool {
    record.owner.as_ref().is_none_or(|owner| owner.cluster == o.order.owner.cluster && o.owner_is_gone)
        || o.order.take_over
}

/// An order in a final phase: the object is released, and late surprises are written down.
fn finished(o: &Observed, mut next: Record, now: Timestamp) -> Plan {
    // First the token: it acknowledges only what was there to see when it was set.
    if o.order.retry.is_some() && next.handled_retry != o.order.retry {
        next.handled_retry.clone_from(&o.order.retry);
        if let Some(stall) = &mut next.stall {
            stall.acknowledged = true;
        }
    }
    if next.courier.state == CourierState::Delivered && next.phase != Phase::Delivered {
        undo::delivered_after_undo(&mut next);
    }
    let mut actions = Vec::new();
    if Some(&next) != o.saved.as_ref() {
        actions.push(write(o, next.clone(), StockChange::None));
        return (actions, Wait::Not, Some(next));
    }
    let mut wait = Wait::ForEvent;
    if o.order.deleted {
        actions.extend(o.order.has_finalizer.then_some(Action::RemoveFinalizer));
    } else if let (Some(ttl), Some(end), false) = (o.order.ttl, next.finished_at, next.is_stalled()) {
        let due = end + SignedDuration::from_secs(i64::from(ttl));
        if due <= now {
            actions.push(Action::DeleteObject);
        } else {
            wait = Wait::Until(due);
        }
    }
    (actions, wait, Some(next))
}

/// What people asked for on the object: retry, abandon, cancel, delete.
fn heed_people(o: &Observed, next: &mut Record) {
    if o.order.retry.is_some() && next.handled_retry != o.order.retry {
        next.handled_retry.clone_from(&o.order.retry);
        if next.stall.take().is_some() {
            undo::prepare_retry(next);
        }
    }
    if let Some(reason) = &o.order.abandon
        && (next.is_stalled() || next.direction == Direction::Undo)
    {
        next.stall = None;
        next.abandoned = Some(reason.clone());
        return;
    }
    // After pick-up the food is on its way: a cancel is refused, a deletion waits for the delivery.
    if next.courier.state >= CourierState::PickedUp {
        return;
    }
    if let Some(reason) = &o.order.cancel {
        next.raise(Cause::CancelRequested, format!("The order was cancelled: {}", status::sentence(reason)));
    } else if o.order.deleted {
        next.raise(Cause::ObjectDeleted, "The Order object was deleted before the order was finished.");
    }
}

/// Moves the record as far as it goes without a call, and says what is needed then.
fn advance(o: &Observed, next: &mut Record, now: Timestamp) -> Result<Next, IllegalTransition> {
    let timeouts =
        o.class.as_ref().map_or_else(|| next.class.timeouts.clone(), |class| class.spec.timeouts.clone());
    let tries =
        o.class.as_ref().map_or(next.class.retries.notification, |class| class.spec.retries.notification);
    let patience = Patience {
        timeouts,
        tries: u32::try_from(tries).unwrap_or(1),
        hearing_since: o.hearing_since,
        payment_is_fresh: o.payment_seen_at.is_some_and(|seen| now < seen + PAYMENT_POLL),
    };
    loop {
        if next.direction == Direction::Undo && !matches!(next.phase, Phase::Pending | Phase::Compensating) {
            enter(next, Event::FaultRaised, now)?;
        }
        let before = next.phase;
        let wanted = match next.phase {
            Phase::Compensating => undo::advance(next, &patience, now)?,
            Phase::Validating => validate(next, now)?,
            Phase::Paying => pay(next, &patience, now)?,
            Phase::Notifying => notify(next, &patience, now)?,
            Phase::Preparing => prepare(next, &patience, now)?,
            Phase::Delivering => deliver(next, &patience, now)?,
            Phase::Pending => {
                enter(next, Event::Claimed, now)?;
                None
            }
            Phase::Delivered | Phase::Rejected | Phase::Cancelled | Phase::Failed => Some(Next::Finished),
        };
        match wanted {
            Some(wanted) => return Ok(wanted),
            None => debug_assert!(
                next.phase != before || next.direction == Direction::Undo,
                "a pass that wants nothing must move the order"
            ),
        }
    }
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

fn validate(next: &mut Record, now: Timestamp) -> Result<Option<Next>, IllegalTransition> {
    if next.total.is_none() {
        return Ok(Some(Next::Read(Call::Validate)));
    }
    next.settle(Effect::Reserve, EntryState::Done, None, now);
    enter(next, Event::Reserved, now)?;
    next.intend(Effect::CreateIntent, now);
    Ok(Some(Next::Move(StockChange::Take, Some(Call::CreateIntent))))
}

fn pay(next: &mut Record, patience: &Patience, now: Timestamp) -> Result<Option<Next>, IllegalTransition> {
    if next.payment.intent_id.is_none() {
        renew_creation(next, now);
        return Ok(Some(Next::Do(Call::CreateIntent)));
    }
    match next.state(Effect::Authorize) {
        None | Some(EntryState::NotDone) => Ok(Some(Next::Do(Call::ConfirmIntent))),
        Some(EntryState::Done) => {
            if next.class.payments.capture == comanda_crds::Capture::AtOnce
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
                Some(poll(patience, Call::LookUpPayment, deadline.min(now + PAYMENT_POLL)))
            }
            Some(IntentState::Processing) => Some(poll(patience, Call::LookUpPayment, now + PAYMENT_POLL)),
            _ => Some(Next::Read(Call::LookUpPayment)),
        }),
    }
}

/// A look-up, or a wait while the last answer is fresh.
pub(crate) fn poll(patience: &Patience, look_up: Call, until: Timestamp) -> Next {
    if patience.payment_is_fresh { Next::Wait(Some(until)) } else { Next::Read(look_up) }
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
                || entry.tries >= TRIES_OF_A_KEY.saturating_mul(entry.attempt)
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
        None | Some(EntryState::NotDone) => Some(Next::Do(Call::CaptureIntent)),
        Some(EntryState::Done) => None,
        _ if next.payment.state == Some(IntentState::Processing) => {
            Some(poll(patience, Call::LookUpPayment, now + PAYMENT_POLL))
        }
        _ => Some(Next::Read(Call::LookUpPayment)),
    }
}

fn notify(next: &mut Record, patience: &Patience, now: Timestamp) -> Result<Option<Next>, IllegalTransition> {
    if let Some(wanted) = tell(next, Effect::NotifyConfirmed, Call::NotifyConfirmed, patience.tries, now) {
        return Ok(Some(wanted));
    }
    enter(next, Event::NotificationSettled, now)?;
    Ok(None)
}

/// Telling the customer: bounded tries, and never a reason to stop. None once it is settled.
pub(crate) fn tell(
    next: &mut Record,
    effect: Effect,
    call: Call,
    tries: u32,
    now: Timestamp,
) -> Option<Next> {
    let entry = next.journal.get(&effect);
    match entry.map(|entry| entry.state) {
        None | Some(EntryState::NotDone) => Some(Next::Do(call)),
        Some(EntryState::Intended) if entry.is_some_and(|entry| entry.tries < tries) => Some(Next::Do(call)),
        Some(EntryState::Intended) => {
            let message =
                "Given up: the notification service took it in none of the tries allowed.".to_owned();
            next.settle(effect, EntryState::Failed, message, now);
            None
        }
        _ => None,
    }
}

fn prepare(
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
            let why = next.kitchen.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
            next.raise(Cause::KitchenRejected, format!("The kitchen rejected the order: {why}."));
            return Ok(None);
        }
        _ => {}
    }
    Ok(command(
        next,
        Effect::Prepare,
        Call::Prepare,
        (patience.timeouts.kitchen_seconds, patience.hearing_since),
        now,
    )
    .or_else(|| {
        next.raise(
            Cause::KitchenSilent,
            format!(
                "The kitchen did not have the food ready within {} seconds.",
                patience.timeouts.kitchen_seconds
            ),
        );
        None
    }))
}

fn deliver(
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
            let why = next.courier.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
            next.raise(Cause::CourierFailed, format!("The courier could not deliver: {why}."));
            return Ok(None);
        }
        _ => {}
    }
    Ok(command(
        next,
        Effect::Deliver,
        Call::Deliver,
        (patience.timeouts.courier_seconds, patience.hearing_since),
        now,
    )
    .or_else(|| {
        next.raise(
            Cause::CourierSilent,
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
    call: Call,
    (allowed, hearing_since): (i32, Option<Timestamp>),
    now: Timestamp,
) -> Option<Next> {
    let Some(entry) = next.journal.get(&effect) else {
        return Some(Next::Do(call));
    };
    let due = entry.started_at + seconds(allowed);
    // Whoever did not listen cannot tell silence from absence; yet a broker that stays away holds no money.
    let deadline = hearing_since.map_or(due + seconds(allowed), |since| due.max(since + BACKLOG));
    if now >= deadline {
        return None;
    }
    Some(match entry.state {
        EntryState::Intended | EntryState::NotDone => Next::Do(call),
        _ => Next::Wait(Some(deadline)),
    })
}

pub(crate) fn seconds(seconds: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}
