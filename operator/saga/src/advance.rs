//! What an order wants next, decided from its ledger record alone: for whoever carries it.
//!
//! Nothing here knows the object that asks for the order, or what that shows: see [`custody`](crate::custody) and
//! [`status`](crate::status).

#![expect(clippy::unnecessary_wraps, reason = "all rules have one shape")]

use comanda_crds::{Cause, Phase, Reason};
use jiff::{SignedDuration, Timestamp};

use crate::circumstances::{Circumstances, Policy, Wishes};
use crate::contradiction::Contradiction;
use crate::device::CourierState;
use crate::driver::{Driver, Step};
use crate::effect::Effect;
use crate::held::Held;
use crate::journal::EntryState;
use crate::late;
use crate::money::Money;
use crate::next::{Look, Next, StockChange, Wait, Write};
use crate::payment::Hold;
use crate::plan::{self, Patience, Wanted, dispatch, enter, execution, undo};
use crate::record::{Direction, FORMAT, Record, Stall};
use crate::transition::Trigger;

/// What the record wants next.
///
/// # Errors
/// When the rules contradict each other: a defect.
pub fn advance(held: Held<'_>, around: &Circumstances, now: Timestamp) -> Result<Next, Contradiction> {
    let mut next = held.record.clone();
    let away = around.driver.is_operator() && next.is_delegated(now);
    let looks_only = around.driver == Driver::Looker;
    if !away && !looks_only {
        next.apply_events(held.events)?;
    }
    let mut case = Case { held, around, now, next, away };
    let rules: &[Rule] = match &around.driver {
        Driver::Operator if away => &AWAY,
        Driver::Operator => &OPERATOR,
        Driver::Execution { .. } => &STEP,
        Driver::Looker => &LOOKER,
    };
    for rule in rules {
        if let Some(wanted) = rule(&mut case)? {
            return Ok(match wanted {
                Next::Wait(wait) => Next::Wait(case.catch_up_at().map_or(wait, |due| wait.or_at(due))),
                wanted => wanted,
            });
        }
    }
    Ok(Next::Wait(Wait::ForEvent))
}

/// The rules of the operator. Tried in this order; the first that says something decides.
const OPERATOR: [Rule; 9] = [
    over,
    catch_up,
    judge_payment,
    ask_people,
    question_payment,
    question_couriers,
    abandoned,
    stalled,
    carry_on,
];
/// Those of the operator while an execution carries the order.
const AWAY: [Rule; 4] = [ask_people, abandoned, stalled, carry_on];
/// Those of a step, which nobody asks for anything.
const STEP: [Rule; 8] =
    [executed, over, catch_up, judge_payment, question_payment, question_couriers, stalled, carry_on];
/// Those of a looker, who carries nothing.
const LOOKER: [Rule; 4] = [look, leave_open, question_payment, learned];

/// How long after a connection to the devices the ledger is read for what was said around it: long enough for an IoT
/// rule to have kept it, and short of the time before which nobody is called silent.
const CATCH_UP: SignedDuration = SignedDuration::from_secs(2);
/// An order that is looked at anyway reads again what devices said when that was not done for this long.
const REREAD: SignedDuration = SignedDuration::from_secs(60);

type Rule = fn(&mut Case<'_>) -> Result<Option<Next>, Contradiction>;

/// The record as it will stand, and what it is decided from.
struct Case<'a> {
    held: Held<'a>,
    around: &'a Circumstances,
    now: Timestamp,
    next: Record,
    /// An execution carries the order, and whoever asks is the operator, who starts it and writes down what people ask for.
    away: bool,
}

impl Case<'_> {
    /// The write of the record as it will stand.
    fn write(&self, stock: StockChange, then: Option<Effect>) -> Next {
        let write = Write::over(self.held.saved, self.next.clone(), stock, &self.around.writer);
        Next::Write(Box::new(write), then)
    }

    /// When what devices said has to be read, because the connection to them began anew: some of it may be in the
    /// ledger only.
    fn catch_up_at(&self) -> Option<Timestamp> {
        let heard = !self.away && self.held.saved.is_spoken_of();
        let settled = self.around.hearing_since().filter(|_| heard)? + CATCH_UP;
        self.held.events_read_at.is_none_or(|read_at| read_at < settled).then_some(settled)
    }

    /// Nothing to do but to write down what changed, if anything did.
    fn written_or(&self, rest: Next) -> Next {
        if self.next == *self.held.saved { rest } else { self.write(StockChange::None, None) }
    }
}

impl Write {
    /// The write of `next` over what is saved.
    pub fn over(saved: &Record, next: Record, stock: StockChange, writer: &str) -> Self {
        let record = Record { version: saved.version + 1, format: FORMAT, writer: writer.to_owned(), ..next };
        Self { record, create: false, stock }
    }
}

/// An execution acts only while the journal names it, and its last step gives the order back.
fn executed(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let Driver::Execution { name, step } = &case.around.driver else { return Ok(None) };
    if !case.next.is_executed_by(name) || *step == Step::HandBack && case.next.phase.is_final() {
        return Ok(Some(Next::Anothers));
    }
    // Whoever started it may not have heard that.
    case.next.settle_open(Effect::Execute, case.now, EntryState::Done)?;
    if *step != Step::HandBack {
        return Ok(None);
    }
    execution::let_go(&mut case.next, case.now)?;
    Ok(Some(case.write(StockChange::None, None)))
}

/// An order in a final phase writes late surprises down, and that a person has seen to them.
fn over(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let (next, wishes) = (&mut case.next, &case.around.wishes);
    if !next.phase.is_final() {
        return Ok(None);
    }
    // First the token: it acknowledges only what was there to see when it was set.
    if is_fresh(wishes, next) {
        next.handled_retry.clone_from(&wishes.retry);
        if let Some(stall) = &mut next.stall {
            stall.acknowledged = true;
        }
    }
    let delivered = next.courier.state == CourierState::Delivered && !next.dispatch.refusal_seen
        || next.dispatch.unseen().is_some_and(|(_, state)| state == CourierState::Delivered);
    if delivered && next.phase != Phase::Delivered {
        undo::delivered_after_undo(next);
    }
    late::ask(next);
    Ok(Some(case.written_or(Next::Over)))
}

/// Of an order of which devices may speak, what they said is read after each connection to them, and when it was not for
/// long.
fn catch_up(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let old = || case.held.events_read_at.is_none_or(|read_at| read_at + REREAD <= case.now);
    let due =
        case.held.saved.is_spoken_of() && old() || case.catch_up_at().is_some_and(|due| due <= case.now);
    Ok(due.then_some(Next::Read(Look::Events)))
}

/// What became of the payment can end an order on its way, or need a person.
fn judge_payment(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let next = &mut case.next;
    if next.direction == Direction::Undo {
        return Ok(None);
    }
    match next.payment.hold {
        Some(Hold::Refused) => {
            let why = next.payment.decline.as_deref().unwrap_or("no reason given");
            next.raise(Cause::PaymentDeclined, format!("The payment was declined: {why}"));
        }
        Some(Hold::Released) if !next.is_done(Effect::Capture) => next.raise(
            Cause::CaptureFailed,
            "The payment provider let the held amount go before it was captured.",
        ),
        Some(Hold::Taken) => question_amount(next),
        _ => {}
    }
    Ok(None)
}

/// What a provider says that nobody waits for needs a person.
fn question_payment(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    if case.next.abandoned.is_none() || case.next.phase.is_final() {
        late::ask(&mut case.next);
    }
    Ok(None)
}

/// The payment is looked up, and the refund that it was asked for.
fn look(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    Ok(if case.next.payment.id.is_none() {
        Some(Next::Anothers)
    } else if case.held.payment_seen_at.is_none() {
        Some(Next::Read(Look::Payment))
    } else if case.held.refunds_seen_at.is_none() && late::has_refund(&case.next) {
        Some(Next::Read(Look::Refunds))
    } else {
        None
    })
}

/// That a call did not happen, only whoever makes it can know: it may be under way.
fn leave_open(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    for (effect, entry) in &mut case.next.journal {
        let before = case.held.saved.journal.get(effect);
        if entry.state == EntryState::NotDone
            && let Some(before) = before.filter(|before| before.state == EntryState::Intended)
        {
            entry.clone_from(before);
        }
    }
    Ok(None)
}

/// What was learned is written, and what follows is for whoever carries the order.
fn learned(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let rest = if case.next.phase.is_final() { Next::Over } else { Next::Anothers };
    Ok(Some(case.written_or(rest)))
}

/// Somebody else may have captured a part of the amount: what the rest is to come to, no rule here can say.
fn question_amount(next: &mut Record) {
    let taken = next.payment.captured;
    let Some(total) = next.total().filter(|total| total.minor != taken) else { return };
    if next.payment.questioned.replace(taken) == Some(taken) {
        return;
    }
    let taken = Money::new(taken, &next.terms.currency);
    next.stall = Some(Stall::new(
        Reason::PaymentUnexpected,
        format!(
            "{taken} of {total} were captured, and not by this operator. Settle the difference with the customer, then \
             set the annotation comanda.dev/retry to a fresh value to go on; with spec.cancel as well, to undo the order."
        ),
    ));
}

/// What people ask for, retry, abandon, cancel and delete, is taken into the record; so is what an execution needs to know
/// of the object and the class, which it does not see.
fn ask_people(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let Case { next, around: Circumstances { wishes, policy, .. }, .. } = case;
    if next.class.executor.is_some() {
        next.suspended = wishes.suspend;
        next.policy = policy.clone().filter(|policy| *policy != Policy::of(&next.class));
    }
    if is_fresh(wishes, next) {
        next.handled_retry.clone_from(&wishes.retry);
        match &mut next.stall {
            // Acknowledged: nothing here can mend it, and it is not told again.
            Some(stall) if stall.reason == Reason::DeliveredAfterUndo => stall.acknowledged = true,
            Some(stall) => {
                let reason = stall.reason;
                next.stall = None;
                match reason {
                    Reason::CourierUnexpected => dispatch::go_on(next, case.now)?,
                    Reason::RecallRefused => next.dispatch.refusal_seen = true,
                    _ => undo::prepare_retry(next)?,
                }
            }
            None => {}
        }
    }
    if let Some(reason) = &wishes.abandon
        && next.early_abandon.as_ref() != Some(reason)
    {
        if next.is_stalled() || next.direction == Direction::Undo {
            next.stall = None;
            next.abandoned = Some(reason.clone());
            // What it holds is not undone, and it does not go on either.
            next.direction = Direction::Undo;
            return Ok(None);
        }
        next.early_abandon = Some(reason.clone());
    }
    // After pick-up the food is on its way: a cancel is refused, a deletion waits for the delivery. What is known of that
    // may be somewhere else, where an execution carries the order.
    let stops = (wishes.cancel.is_some() || wishes.deleted) && next.direction == Direction::Forward;
    let mut courier = next.courier.state;
    if stops && case.away && next.may_have_happened(Effect::Deliver) {
        if !case.held.is_fresh {
            return Ok(Some(Next::Read(Look::Events)));
        }
        let mut heard = next.clone();
        heard.apply_events(case.held.events)?;
        courier = heard.courier.state;
    }
    if courier >= CourierState::PickedUp {
        return Ok(None);
    }
    if let Some(reason) = &wishes.cancel {
        next.raise(Cause::CancelRequested, format!("The order was cancelled: {reason}"));
    } else if wishes.deleted {
        next.raise(Cause::ObjectDeleted, "The Order object was deleted before the order was finished.");
    }
    Ok(None)
}

/// A courier who does not have the order, and says that they picked it up or delivered it, is for a person to look into.
fn question_couriers(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let next = &mut case.next;
    let free = next.stall.as_ref().is_none_or(|stall| stall.reason == Reason::CourierUnexpected);
    if free
        && next.abandoned.is_none()
        && let Some((device, state)) = next.dispatch.unseen()
    {
        // What a retry leads to changes with the direction, and so does what is said of it.
        let message = dispatch::question(next, device, state);
        next.dispatch.asked = Some((device.to_owned(), state));
        next.stall = Some(Stall::new(Reason::CourierUnexpected, message));
    }
    Ok(None)
}

fn is_fresh(wishes: &Wishes, record: &Record) -> bool {
    wishes.retry.is_some() && record.handled_retry != wishes.retry
}

/// An order that a person let go ends as it is.
fn abandoned(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    if case.next.abandoned.is_none() {
        return Ok(None);
    }
    execution::let_go(&mut case.next, case.now)?;
    enter(&mut case.next, Trigger::Abandoned, case.now)?;
    Ok(Some(case.write(StockChange::None, None)))
}

/// An order that needs a person does nothing by itself.
fn stalled(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    let rest = if case.around.driver.is_operator() { Next::Wait(Wait::ForEvent) } else { Next::Anothers };
    Ok(case.next.is_stalled().then(|| case.written_or(rest)))
}

/// Any other goes on as far as it can, forward or back. Suspended, it does nothing forward.
fn carry_on(case: &mut Case<'_>) -> Result<Option<Next>, Contradiction> {
    // What is known without any effect: all that a suspended order may write down.
    let suspended = case.around.wishes.suspend || case.next.suspended;
    let heard = suspended.then(|| case.next.clone());
    let patience = Patience::of(case.held, case.around);
    let wanted = plan::next(&mut case.next, &patience, case.now)?;
    if let Some(heard) = heard
        && case.next.direction == Direction::Forward
        && wanted.begins()
    {
        // Whom it waits for has a deadline all the same, which an execution calls.
        let deadline = plan::deadline(&case.next, &patience);
        let is_over = deadline.is_some_and(|deadline| deadline <= case.now);
        if !(is_over && wanted == Wanted::Do(Effect::Execute)) {
            case.next = heard;
            let deadline = deadline.filter(|_| !is_over);
            return Ok(Some(case.written_or(Next::Wait(deadline.map_or(Wait::ForEvent, Wait::Until)))));
        }
    }
    Ok(Some(match wanted {
        Wanted::Do(effect) => {
            case.next.intend(effect, case.now)?;
            case.write(StockChange::None, Some(effect))
        }
        Wanted::Read(_) if must_be_known_first(case) => case.write(StockChange::None, None),
        Wanted::Read(look) => Next::Read(look),
        Wanted::Repeat(_) if case.next != *case.held.saved => case.write(StockChange::None, None),
        Wanted::Repeat(effect) => Next::Repeat(effect),
        Wanted::Move(stock, effect) => case.write(stock, effect),
        Wanted::Wait(until) => case.written_or(Next::Wait(until.map_or(Wait::ForEvent, Wait::Until))),
        Wanted::Nothing => case.written_or(Next::Over),
        Wanted::Anothers | Wanted::Enter(_) => case.written_or(Next::Anothers),
    }))
}

/// True when nothing may be called before the ledger has the record, not even a look-up: the direction turned, or a
/// person's retry began, which must count once whatever the look-up brings.
fn must_be_known_first(case: &Case<'_>) -> bool {
    let (saved, next) = (case.held.saved, &case.next);
    saved.direction != next.direction || saved.handled_retry != next.handled_retry
}
