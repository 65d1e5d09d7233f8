//! Everything outside the saga: a payment provider, a kitchen, a courier and a message service, each
//! with the rules that the real one documents.

use std::collections::BTreeSet;

use comanda_crds::{Capture, Cause, Reason};
use comanda_saga::effect::Kind;
use comanda_saga::record::Stall;
use comanda_saga::{
    Call, Effect, Fault, Hold, Look, Outcome, PaymentView, Record, RefundState, RefundView, StockChange,
    Write,
};
use comanda_steps::ports::LedgerError;
use jiff::{SignedDuration, Timestamp};

use super::TOTAL;
pub use super::device::{Device, Stage};
use super::machine::{At, Execution, first};

/// How long the provider knows an idempotency key.
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The part of an answer that the other side is free to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Luck {
    /// All goes well.
    #[default]
    Good,
    /// The catalogue or the service refuses, the card is declined, the refund fails.
    Bad,
    /// The customer has to act first.
    Action,
    /// The provider works on it.
    Slow,
    /// Nobody but a person can go on.
    Person,
    /// The provider fails, and keeps the failure as its answer to the key.
    Stored,
    /// The customer's contact cannot be opened.
    NoContact,
}

impl Luck {
    /// The answers a call can meet.
    pub fn of(call: Call) -> &'static [Luck] {
        match call {
            Call::Read(Look::Validation) => &[Luck::Good, Luck::Bad],
            Call::Do(Effect::Authorize) => &[Luck::Good, Luck::Bad, Luck::Action, Luck::Slow],
            Call::Do(Effect::Refund) => &[Luck::Good, Luck::Bad, Luck::Slow],
            Call::Do(effect) if effect.row().refusable => &[Luck::Good, Luck::Bad],
            Call::Do(_)
            | Call::Read(Look::Payment | Look::Refunds | Look::Events | Look::Execution)
            | Call::Repeat(_) => &[Luck::Good],
        }
    }
}

/// All receivers of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct World {
    /// The payment provider.
    pub provider: Provider,
    /// The kitchen's tablet.
    pub kitchen: Device,
    /// The courier's telephone.
    pub courier: Device,
    /// Executions that were started.
    pub executions: Vec<Execution>,
    /// Messages of confirmation that left.
    pub confirmations: u8,
    /// Messages about the ending that left.
    pub endings: u8,
    /// The first thing that happened and must never happen.
    pub wrong: Option<&'static str>,
}

/// A payment provider with idempotency keys that expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Provider {
    /// Payment intents; an intent's id is its place.
    pub intents: Vec<Intent>,
    /// Refunds by key; all are of the whole amount.
    pub refunds: Vec<(String, RefundState)>,
    /// Keys of confirmations that it has answered.
    pub answered: BTreeSet<String>,
    /// Keys under which it keeps an error.
    pub errors: BTreeSet<String>,
    /// Captures that took money.
    pub captures: u8,
    /// The customer disputed the charge.
    pub disputed: bool,
    /// A refund that was made came back.
    pub came_back: bool,
    /// Captures and cancellations it had to refuse: the caller had not looked.
    pub refused: u8,
}

/// A payment intent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The key that made it.
    pub key: String,
    /// When.
    pub made_at: Timestamp,
    /// Its state.
    pub state: Hold,
    /// It was confirmed at some time.
    pub confirmed: bool,
}

impl Provider {
    /// True when the provider holds money that it may still take.
    pub fn holds(&self) -> bool {
        self.intents.iter().any(|intent| intent.state == Hold::Held)
    }

    /// Captured less refunded, in minor units.
    pub fn balance(&self) -> i64 {
        TOTAL * (i64::from(self.captures) - self.paid_back())
    }

    /// True when there is money to pay back that no refund pays back already.
    pub fn may_refund(&self) -> bool {
        self.captures > 0 && self.refunds.iter().all(|(_, state)| *state == RefundState::Failed)
    }

    /// The refunds that were made come back.
    pub fn return_refunds(&mut self) {
        for (_, state) in &mut self.refunds {
            if *state == RefundState::Succeeded {
                (*state, self.came_back) = (RefundState::Failed, true);
            }
        }
    }

    /// The customer disputes what was taken, unless it is being paid back.
    pub fn dispute(&mut self) {
        self.disputed |= self.captures > 0 && self.refunds.is_empty();
    }

    fn paid_back(&self) -> i64 {
        self.refunds.iter().map(|(_, state)| i64::from(*state == RefundState::Succeeded)).sum()
    }

    /// True when the provider answers this key with an error, now or from what it keeps.
    fn fails(&mut self, key: &str, luck: Luck) -> bool {
        if luck == Luck::Stored {
            self.errors.insert(key.to_owned());
        }
        self.errors.contains(key)
    }

    /// The intent that this key made, while it is known.
    fn made(&self, key: &str, now: Timestamp) -> Option<usize> {
        self.intents.iter().position(|i| i.key == key && now < i.made_at + KEY_LIFETIME)
    }

    fn create(&mut self, key: &str, now: Timestamp) -> String {
        let place = self.made(key, now).unwrap_or_else(|| {
            self.intents.push(Intent {
                key: key.to_owned(),
                made_at: now,
                state: Hold::NotBegun,
                confirmed: false,
            });
            self.intents.len() - 1
        });
        format!("pi_{place}")
    }

    fn intent(&mut self, record: &Record) -> &mut Intent {
        let id = record.payment.id.as_deref().expect("an intent's id");
        let place: usize = id.trim_start_matches("pi_").parse().expect("an intent's place");
        &mut self.intents[place]
    }

    fn confirm(&mut self, record: &Record, key: &str, luck: Luck) {
        if !self.answered.insert(key.to_owned()) {
            return;
        }
        let intent = self.intent(record);
        if matches!(intent.state, Hold::NotBegun | Hold::Refused) {
            intent.confirmed = true;
            intent.state = match luck {
                Luck::Bad => Hold::Refused,
                Luck::Action => Hold::AwaitsCustomer,
                Luck::Slow => Hold::AwaitsProvider,
                _ => Hold::Held,
            };
        }
    }

    fn capture(&mut self, record: &Record) {
        let intent = self.intent(record);
        if intent.state == Hold::Held {
            intent.state = Hold::Taken;
            self.captures += 1;
        } else {
            self.refused += 1;
        }
    }

    fn cancel(&mut self, record: &Record) {
        let intent = self.intent(record);
        if matches!(intent.state, Hold::Taken | Hold::Released | Hold::AwaitsProvider) {
            self.refused += 1;
        } else {
            intent.state = Hold::Released;
        }
    }

    fn refund(&mut self, key: &str, luck: Luck) {
        if !self.disputed && self.may_refund() && self.refunds.iter().all(|(known, _)| known != key) {
            let state = match luck {
                Luck::Bad => RefundState::Failed,
                Luck::Slow => RefundState::Pending,
                _ => RefundState::Succeeded,
            };
            self.refunds.push((key.to_owned(), state));
        }
    }

    fn view(&mut self, record: &Record) -> Outcome {
        let state = self.intent(record).state;
        Outcome::Payment(PaymentView {
            id: record.payment.id.clone().expect("an intent's id"),
            hold: state,
            capturable: if state == Hold::Held { TOTAL } else { 0 },
            received: if state == Hold::Taken { TOTAL } else { 0 },
            capture_before: None,
            action_url: None,
            decline: (state == Hold::Refused).then(|| "card_declined".to_owned()),
            disputed: self.disputed,
        })
    }

    /// The refund that counts: one that succeeded, else one under way, else the last.
    fn refund_view(&self) -> Outcome {
        let rank = |state: &RefundState| match state {
            RefundState::Succeeded => 3,
            RefundState::Pending => 2,
            RefundState::Disputed => 1,
            RefundState::Failed => 0,
        };
        let best = self.refunds.iter().map(|(_, state)| *state).max_by_key(rank);
        Outcome::Refund(best.map(|state| RefundView { state, amount: TOTAL }))
    }
}

impl World {
    /// Makes a call as `record` describes it, and says what came back.
    pub fn call(&mut self, call: Call, record: &Record, luck: Luck, now: Timestamp) -> Outcome {
        let entry = match call {
            Call::Do(effect) | Call::Repeat(effect) => Some(&record.journal[&effect]),
            Call::Read(_) => None,
        };
        let key = entry.map(|entry| entry.key.clone()).unwrap_or_default();
        let seq = entry.and_then(|entry| entry.seq).unwrap_or_default();
        if let (Luck::NoContact, Some(effect)) = (luck, call.effect()) {
            return Outcome::NoContact { effect, message: "The key is gone.".to_owned() };
        }
        if luck == Luck::Person {
            return Outcome::NeedsPerson(Stall::new(Reason::PaymentUnexpected, "Nobody knows."));
        }
        let to_provider = call.effect().is_some_and(|effect| effect.row().kind == Kind::Payment);
        if to_provider && self.provider.fails(&key, luck) {
            return Outcome::Unknown { effect: call.effect(), message: "HTTP 500".to_owned() };
        }
        let effect = match call {
            Call::Read(Look::Validation) if luck == Luck::Bad => return refused(),
            Call::Read(Look::Validation) => return Outcome::Validated { total: TOTAL, doubts: Vec::new() },
            Call::Read(Look::Payment) => return self.provider.view(record),
            Call::Read(Look::Refunds) => return self.provider.refund_view(),
            Call::Read(Look::Events) => return Outcome::Heard(Vec::new()),
            Call::Read(Look::Execution) => return self.look(record),
            Call::Repeat(effect) if effect.row().kind != Kind::Command => {
                unreachable!("{effect:?} is no command")
            }
            Call::Do(effect) | Call::Repeat(effect) => effect,
        };
        assert!(effect.is_called(), "{effect:?} is a write");
        // Under a key that it knows, the provider answers as before.
        let known = effect == Effect::OpenPayment && self.provider.made(&key, now).is_some();
        if effect.row().refusable && luck == Luck::Bad && !known {
            return refused();
        }
        match effect {
            Effect::OpenPayment => {
                return Outcome::PaymentOpened { id: self.provider.create(&key, now) };
            }
            Effect::Authorize => {
                self.provider.confirm(record, &key, luck);
                return self.provider.view(record);
            }
            Effect::Capture => {
                let early = record.class.payments.capture == Capture::WhenReady
                    && self.kitchen.stage != Stage::Finished;
                self.note(early, "captured before the food was ready");
                self.provider.capture(record);
                return self.provider.view(record);
            }
            Effect::CancelPayment => {
                self.provider.cancel(record);
                return self.provider.view(record);
            }
            Effect::Refund => {
                self.provider.refund(&key, luck);
                if self.provider.disputed && self.provider.refunds.is_empty() {
                    let view = RefundView { state: RefundState::Disputed, amount: TOTAL };
                    return Outcome::Refund(Some(view));
                }
                return self.provider.refund_view();
            }
            Effect::Execute => self.start(key, record),
            Effect::NotifyConfirmed => self.confirmations += 1,
            Effect::NotifyEnding => self.tell_ending(record),
            Effect::Prepare => self.kitchen.command(seq),
            Effect::Deliver => {
                self.note(
                    seq > self.courier.heard && self.provider.captures == 0,
                    "sent a courier with food that is not paid for",
                );
                if let Some(withdrawn) = &record.dispatch.withdrawn {
                    self.courier.withdraw(withdrawn.seq);
                }
                self.courier.command(seq);
            }
            Effect::Assign => {
                let early = matches!(self.courier.stage, Stage::Idle | Stage::Told);
                self.note(
                    early && seq > self.courier.heard,
                    "gave the address to a courier who did not take the order",
                );
                self.courier.assign(seq);
            }
            Effect::RecallKitchen => self.kitchen.recall(seq),
            Effect::RecallCourier => self.courier.recall(seq),
            // Nobody here keeps account of anything else: it answers, and that is all.
            _ => {}
        }
        Outcome::Done(effect)
    }

    fn start(&mut self, name: String, record: &Record) {
        if self.executions.iter().all(|execution| execution.name != name) {
            self.executions.push(Execution { name, at: At::Step(first(record.phase)) });
        }
    }

    fn look(&self, record: &Record) -> Outcome {
        let name = record.execution().expect("an execution that the journal names").to_owned();
        let found = self.executions.iter().find(|execution| execution.name == name);
        let runs = found.is_some_and(|execution| execution.at.runs());
        Outcome::Execution { name, ended: (!runs).then(|| "It was stopped.".to_owned()) }
    }

    fn tell_ending(&mut self, record: &Record) {
        // A refund that is under way is the bank's, and may still fail after this message has left.
        // What a bank took back for a dispute is not held.
        let kept =
            self.provider.balance() != 0 && self.provider.refunds.is_empty() && !self.provider.disputed;
        let known_to_fail = record.payment.refund == Some(RefundState::Failed);
        self.note(
            self.provider.holds() || kept || known_to_fail,
            "told the customer how it ended while money was held and no refund was made",
        );
        self.endings += 1;
    }

    fn note(&mut self, happened: bool, what: &'static str) {
        if happened && self.wrong.is_none() {
            self.wrong = Some(what);
        }
    }
}

fn refused() -> Outcome {
    Outcome::Refused(Fault { cause: Cause::Unavailable, message: "Not possible.".to_owned() })
}

/// What a conditional write does to `stock`, if the ledger, which holds `saved`, takes it.
pub fn commit(saved: Option<&Record>, stock: i64, write: &Write) -> Result<i64, LedgerError> {
    let expected = saved.map_or(1, |saved| saved.version + 1);
    if write.create != saved.is_none() || write.record.version != expected {
        return Err(LedgerError::Conflict);
    }
    match write.stock {
        StockChange::None => Ok(stock),
        StockChange::Take if stock < 1 => Err(LedgerError::OutOfStock { skus: vec!["cola".to_owned()] }),
        StockChange::Take => Ok(stock - 1),
        StockChange::Return => Ok(stock + 1),
    }
}
