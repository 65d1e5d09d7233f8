//! The loop that carries an order: ask what its record wants, write the intent, make the call, take over the answer,
//! until nothing is ready. The operator, the Lambdas and the tests of the saga run this one, each over its own ports.

use std::time::Duration;

use comanda_saga::{
    Call, Cause, Circumstances, Contradiction, DeviceEvent, Effect, Fault, Held, Look, Next, Outcome, Record,
    Sent, StockChange, Wait, Write, advance,
};
use jiff::Timestamp;

use crate::ports::{LedgerError, Loaded};

/// A call follows its intent within this time, or the intent is taken again: whoever was paused in
/// between may have been replaced. Monotonic, so that a clock set back does not matter.
const INTENT_LIFETIME: Duration = Duration::from_secs(30);
/// More writes and calls than any order needs in a row; reaching it is a defect.
const MAX_STEPS: usize = 96;

/// What the loop reaches the outside through.
#[expect(
    async_fn_in_trait,
    reason = "each driver has its own ports, and knows whether they may cross threads"
)]
pub trait Ports {
    /// Why the outside did not do as asked, for whoever drives the loop.
    type Error: From<CarryError>;

    /// The time.
    fn now(&self) -> Timestamp;
    /// A clock that is never set, since any moment.
    fn elapsed(&self) -> Duration;
    /// Whether something new may be begun.
    fn may_go_on(&self) -> Result<(), Self::Error>;
    /// Writes to the ledger over `saved`, or says why not.
    async fn write(&self, saved: &Record, write: &Write) -> Result<(), LedgerError>;
    /// Makes one call, whose intent is in `record`.
    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, Self::Error>;
}

/// Why the loop stopped before the order had to wait.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum CarryError {
    /// The ledger did not take a write.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A call failed, or its answer was lost: what became of it is looked up.
    #[error("{0}")]
    Unanswered(String),
    /// Somebody was paused between the intent, or the read, and the call.
    #[error("too late after its intent; it is taken again")]
    TooLate,
    /// The rules contradict each other.
    #[error(transparent)]
    Illegal(#[from] Contradiction),
    /// The order would go on for ever.
    #[error("the order asked for more than {MAX_STEPS} things in a row")]
    Endless,
}

/// How far an order is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Until it has to wait, or is over.
    NextWait,
    /// One effect: its intent, its call, and the write of what came of it, a failure included: a process that ends then
    /// leaves nothing behind. What devices said may be read before it, and a command sent again instead.
    OneStep,
}

/// How an order rests when it is carried no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It asks for more at once: one step was all that was wanted.
    More,
    /// It waits.
    Wait(Wait),
    /// What comes next is another driver's.
    Anothers,
    /// It is over, and the ledger has all of it.
    Over,
}

impl Rest {
    /// When to look again.
    pub fn wait(self) -> Wait {
        match self {
            Self::Wait(wait) => wait,
            Self::More | Self::Anothers | Self::Over => Wait::ForEvent,
        }
    }
}

/// An order in the hands of one process. All of it but `saved` can be lost at any moment, and that be read again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InHand {
    /// The record as the ledger has it.
    pub saved: Record,
    /// The record with the outcomes that are not written yet.
    pub record: Record,
    /// When the payment provider last answered; none when it has to be asked again.
    pub payment_seen_at: Option<Timestamp>,
    /// The same of the payment's refunds.
    pub refunds_seen_at: Option<Timestamp>,
    /// What devices said of the order, by the time at which it came in.
    pub events: Vec<DeviceEvent>,
    /// When all that devices said was last read.
    pub events_read_at: Option<Timestamp>,
    /// When the execution that carries the order was last seen running.
    pub execution_seen_at: Option<Timestamp>,
    /// The execution of which somebody says that it ended before its order, until it is looked at.
    pub execution_doubted: Option<String>,
    /// The command that was sent last.
    pub sent: Option<Sent>,
    /// By [`Ports::elapsed`], when the last read of events began; none where that was before this carry.
    pub read_since: Option<Duration>,
    intended: Option<Intended>,
}

/// An effect whose intent this process just wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Intended {
    effect: Effect,
    /// By [`Ports::elapsed`], when the write of the intent began.
    since: Duration,
}

/// What an order asks of the outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// A write; the call of this effect is to follow.
    Write(Box<Write>, Option<Effect>),
    /// A call.
    Call(Call),
}

impl InHand {
    /// A record as it was read from the ledger, or written to it.
    pub fn new(record: Record) -> Self {
        Self {
            saved: record.clone(),
            record,
            payment_seen_at: None,
            refunds_seen_at: None,
            events: Vec::new(),
            events_read_at: None,
            execution_seen_at: None,
            execution_doubted: None,
            sent: None,
            read_since: None,
            intended: None,
        }
    }

    /// An order as the ledger had it, with all that devices had said of it, at this time.
    pub fn read(Loaded { record, events }: Loaded, at: Timestamp) -> Self {
        let mut hand = Self { events_read_at: Some(at), ..Self::new(record) };
        hand.hear(events);
        hand
    }

    /// Adds what is not known yet. Whoever accepted an order first has it, so the order of arrival counts.
    pub fn hear(&mut self, events: Vec<DeviceEvent>) {
        for event in events {
            match self.events.iter_mut().find(|known| event.is_again(known)) {
                // The earliest copy counts, whoever kept it.
                Some(known) if event.at < known.at => *known = event,
                Some(_) => {}
                None => self.events.push(event),
            }
        }
        self.events.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
    }

    /// True when an event is known.
    pub fn has_heard(&self, event: &DeviceEvent) -> bool {
        self.events.iter().any(|known| event.is_again(known))
    }

    /// What the order asks for now, or how it rests.
    ///
    /// # Errors
    /// When the rules contradict each other: a defect.
    pub fn next(
        &self,
        around: &Circumstances,
        now: Timestamp,
    ) -> Result<Result<Request, Rest>, Contradiction> {
        if let Some(Intended { effect, .. }) = self.intended {
            return Ok(Ok(Request::Call(Call::Do(effect))));
        }
        // A clock that was set back does not make a look count that is to be in the future.
        let past = |time: Option<Timestamp>| time.filter(|time| *time <= now);
        let held = Held {
            saved: &self.saved,
            record: &self.record,
            payment_seen_at: past(self.payment_seen_at),
            refunds_seen_at: past(self.refunds_seen_at),
            execution_seen_at: past(self.execution_seen_at),
            execution_doubted: self.execution_doubted.as_deref(),
            events: &self.events,
            events_read_at: past(self.events_read_at),
            is_fresh: self.read_since.is_some(),
            sent: self.sent,
        };
        Ok(match advance(held, around, now)? {
            Next::Write(write, then) => Ok(Request::Write(write, then)),
            Next::Read(look) => Ok(Request::Call(Call::Read(look))),
            Next::Repeat(effect) => Ok(Request::Call(Call::Repeat(effect))),
            Next::Wait(wait) => Err(Rest::Wait(wait)),
            Next::Anothers => Err(Rest::Anothers),
            Next::Over => Err(Rest::Over),
        })
    }

    /// The effect whose intent this process just wrote, and which it is to call next.
    pub fn intended(&self) -> Option<Effect> {
        self.intended.map(|intended| intended.effect)
    }

    /// Forgets what holds only for a moment: an intent whose call was not made is taken again, and a command is
    /// repeated after a new read.
    fn begin(&mut self) {
        (self.intended, self.read_since) = (None, None);
    }

    /// Writes what came of a call, and begins nothing.
    async fn save<P: Ports>(&mut self, writer: &str, ports: &P) -> Result<(), P::Error> {
        if self.record == self.saved {
            return Ok(());
        }
        let write = Write::over(&self.saved, self.record.clone(), StockChange::None, writer);
        self.perform(Request::Write(Box::new(write), None), ports).await
    }

    /// Does what was asked for, and takes over what came of it.
    ///
    /// # Errors
    /// When the ledger did not take the write, the call could not be made or proves nothing, or may not be made any more.
    pub async fn perform<P: Ports>(&mut self, request: Request, ports: &P) -> Result<(), P::Error> {
        match request {
            Request::Write(write, then) => {
                let since = ports.elapsed();
                let written = ports.write(&self.saved, &write).await;
                self.written(*write, then, since, written, ports.now())?;
            }
            Request::Call(call) => {
                let (begun, began_at) = (ports.elapsed(), ports.now());
                let intended = self.intended.take().map(|intended| intended.since);
                let since = if matches!(call, Call::Repeat(_)) { self.read_since.take() } else { intended };
                if since.is_some_and(|since| begun.saturating_sub(since) > INTENT_LIFETIME) {
                    return Err(CarryError::TooLate.into());
                }
                let outcome = ports.call(call, &self.record).await?;
                if let Outcome::Heard(events) = outcome {
                    // For whoever holds the record; nothing of it changes by that.
                    (self.events_read_at, self.read_since) = (Some(began_at), Some(begun));
                    self.hear(events);
                } else {
                    self.answered(call, outcome, ports.now())?;
                }
            }
        }
        Ok(())
    }

    fn written(
        &mut self,
        write: Write,
        then: Option<Effect>,
        since: Duration,
        written: Result<(), LedgerError>,
        now: Timestamp,
    ) -> Result<(), CarryError> {
        match written {
            Ok(()) => {
                self.saved.clone_from(&write.record);
                self.record = write.record;
                self.intended = then.map(|effect| Intended { effect, since });
                Ok(())
            }
            // Nothing of it happened: the order takes another way.
            Err(LedgerError::OutOfStock { skus }) if write.stock == StockChange::Take => {
                let message = format!("The store does not have enough of: {}.", skus.join(", "));
                let refused = Outcome::Refused(Fault { cause: Cause::OutOfStock, message });
                Ok(self.record.apply(refused, now).map_err(Contradiction::from)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn answered(&mut self, call: Call, outcome: Outcome, now: Timestamp) -> Result<(), CarryError> {
        let unanswered = match &outcome {
            Outcome::Unknown { message, .. } | Outcome::NoContact { message, .. } => {
                Err(CarryError::Unanswered(message.clone()))
            }
            _ => Ok(()),
        };
        match &outcome {
            Outcome::Payment(_) => self.payment_seen_at = Some(now),
            Outcome::Refund(_) => (self.payment_seen_at, self.refunds_seen_at) = (Some(now), Some(now)),
            Outcome::Execution { .. } => (self.execution_seen_at, self.execution_doubted) = (Some(now), None),
            Outcome::Done(effect) => {
                let seq = self.record.journal.get(effect).and_then(|entry| entry.seq);
                self.sent = seq.map(|seq| Sent { seq, at: now }).or(self.sent);
            }
            _ => {}
        }
        // Of a repetition nothing is written.
        if !matches!(call, Call::Repeat(_)) {
            // All of it is taken over, or nothing.
            let mut record = self.record.clone();
            record.apply(outcome, now).map_err(Contradiction::from)?;
            self.record = record;
        }
        unanswered
    }
}

/// Carries an order on, and says how it rests then.
///
/// # Errors
/// The first failure ends it: see [`InHand::perform`].
pub async fn carry<P: Ports>(
    hand: &mut InHand,
    around: &Circumstances,
    reach: Reach,
    ports: &P,
) -> Result<Rest, P::Error> {
    hand.begin();
    for _ in 0..MAX_STEPS {
        let request = match hand.next(around, ports.now()).map_err(CarryError::from)? {
            Ok(request) => request,
            Err(rest) => return Ok(rest),
        };
        ports.may_go_on()?;
        let is_step = match &request {
            Request::Write(..) | Request::Call(Call::Read(Look::Events) | Call::Repeat(_)) => false,
            Request::Call(_) => reach == Reach::OneStep,
        };
        let done = hand.perform(request, ports).await;
        if is_step {
            let saved = hand.save(&around.writer, ports).await;
            return done.and(saved).map(|()| Rest::More);
        }
        done?;
    }
    Err(CarryError::Endless.into())
}

#[cfg(test)]
mod tests;
