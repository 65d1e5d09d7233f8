//! One operator that carries one order, as the reconcile does, with faults where a test wants them.

use comanda_saga::{
    Action, Call, CourierState, Decision, DeviceSignal, Effect, KitchenState, Observed, Outcome, Record,
    decide,
};
use jiff::{SignedDuration, Timestamp};

use super::world::{Luck, Refusal, World, commit, out_of_stock};
use super::{at, event, observed};

/// What gets lost of a call or a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It never arrived.
    Request,
    /// It took effect, and nobody heard of it.
    Answer,
}

/// What the operator did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The ledger took this record.
    Wrote(Box<Record>),
    /// A call was made.
    Called(Call),
    /// The finalizer was put on or taken off, or the object deleted.
    Object(Action),
}

/// The operator, the order and the world.
#[derive(Clone, Debug)]
pub struct Driver {
    /// What the operator sees, its memory included.
    pub o: Observed,
    /// Receivers of calls.
    pub world: World,
    /// What the ledger holds.
    pub ledger: Option<Record>,
    /// How many orders the stock covers.
    pub stock: i64,
    /// The time.
    pub now: Timestamp,
    /// What was done.
    pub done: Vec<Done>,
    /// Answers that are not good, by call.
    pub luck: Vec<(Call, Luck)>,
    /// Losses to come; each happens once.
    pub lost: Vec<(Call, Lost)>,
}

/// A pass never needs more actions than this; one that does would never end.
const PATIENCE: usize = 60;

impl Driver {
    /// A fresh order, and stock for three.
    pub fn new() -> Self {
        Self {
            o: observed(None),
            world: World::default(),
            ledger: None,
            stock: 3,
            now: at(0),
            done: Vec::new(),
            luck: Vec::new(),
            lost: Vec::new(),
        }
    }

    /// A fresh order whose calls meet these answers.
    pub fn with_luck(luck: &[(Call, Luck)]) -> Self {
        Self { luck: luck.to_vec(), ..Self::new() }
    }

    /// An order the kitchen was told of.
    pub fn preparing() -> Self {
        let mut driver = Self::new();
        driver.run();
        driver
    }

    /// A paid order a courier was told of.
    pub fn delivering() -> Self {
        let mut driver = Self::preparing();
        driver.kitchen(KitchenState::Ready);
        driver.run();
        driver
    }

    /// What the ledger holds.
    pub fn record(&self) -> &Record {
        self.ledger.as_ref().expect("a record in the ledger")
    }

    /// Decides, without acting.
    pub fn decide(&self) -> Decision {
        decide(&self.o, self.now).expect("a decision")
    }

    /// Reconciles until nothing is left to do or a call fails; gives the last decision.
    pub fn run(&mut self) -> Decision {
        for _ in 0..PATIENCE {
            if !self.step() {
                return self.decide();
            }
        }
        panic!("the reconcile never ends: {:#?}", self.decide().actions);
    }

    /// Decides once and acts; false when nothing was left to do or a call failed.
    pub fn step(&mut self) -> bool {
        let actions = self.decide().actions;
        !actions.is_empty() && actions.into_iter().all(|action| self.act(action))
    }

    /// Acts; false ends the reconcile.
    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Write(write) => match commit(self.ledger.as_ref(), self.stock, &write) {
                Ok(stock) => {
                    self.stock = stock;
                    self.ledger = Some(write.record.clone());
                    self.remember(Some(write.record.clone()));
                    self.done.push(Done::Wrote(Box::new(write.record)));
                    true
                }
                Err(Refusal::OutOfStock) => {
                    // The call behind the write must not be made: decide anew.
                    self.apply(out_of_stock());
                    self.run();
                    false
                }
                Err(Refusal::Conflict) => {
                    self.restart();
                    false
                }
            },
            Action::Call(call) => self.call(call),
            object => {
                match object {
                    Action::AddFinalizer => self.o.order.has_finalizer = true,
                    _ => self.o.order.has_finalizer = false,
                }
                // What was deleted is not deleted again.
                self.o.order.ttl = self.o.order.ttl.filter(|_| object != Action::DeleteObject);
                self.done.push(Done::Object(object));
                true
            }
        }
    }

    fn call(&mut self, call: Call) -> bool {
        self.done.push(Done::Called(call));
        let loss = self.lost.iter().position(|(which, _)| *which == call).map(|i| self.lost.remove(i).1);
        let luck = self.luck.iter().find(|(which, _)| *which == call).map(|(_, luck)| *luck);
        let record = self.o.record.clone().expect("a record");
        let outcome = match loss {
            Some(Lost::Request) => None,
            _ => Some(self.world.call(call, &record, luck.unwrap_or_default(), self.now)),
        };
        if let Some(outcome) = outcome.filter(|_| loss.is_none()) {
            if matches!(outcome, Outcome::Payment(_) | Outcome::Refund(_)) {
                self.o.payment_seen_at = Some(self.now);
            }
            let known = !matches!(outcome, Outcome::Unknown { .. });
            self.apply(outcome);
            known
        } else {
            self.apply(Outcome::Unknown { effect: call.effect(), message: "no answer".to_owned() });
            false
        }
    }

    fn apply(&mut self, outcome: Outcome) {
        self.o.record.as_mut().expect("a record").apply(outcome, self.now);
    }

    fn remember(&mut self, record: Option<Record>) {
        self.o.saved.clone_from(&record);
        self.o.record = record;
    }

    /// The process ends, and another begins with what the ledger holds.
    pub fn restart(&mut self) {
        self.o.payment_seen_at = None;
        self.remember(self.ledger.clone());
    }

    /// Time passes.
    pub fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Something is heard of the kitchen's task.
    pub fn kitchen(&mut self, state: KitchenState) {
        self.hear(DeviceSignal::Kitchen(state), Effect::Prepare);
    }

    /// Something is heard of the courier's task.
    pub fn courier(&mut self, state: CourierState) {
        self.hear(DeviceSignal::Courier(state), Effect::Deliver);
    }

    /// A device answers the command that `effect` sent.
    pub fn hear(&mut self, signal: DeviceSignal, effect: Effect) {
        let seq = self.record().journal[&effect].seq.expect("a command's sequence number");
        if signal == DeviceSignal::Kitchen(KitchenState::Ready) {
            self.world.kitchen.stage = super::world::Stage::Finished;
        }
        self.o.events.push(event(signal, seq));
    }

    /// Calls made, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.done
            .iter()
            .filter_map(|done| match done {
                Done::Called(call) => Some(*call),
                _ => None,
            })
            .collect()
    }

    /// How often a call was made.
    pub fn count(&self, call: Call) -> usize {
        self.calls().into_iter().filter(|made| *made == call).count()
    }
}
