//! One operator that carries one order: the loop that ships, over a ledger and a world in memory, with faults where a
//! test wants them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comanda_crds::OrderStatus;
use comanda_saga::custody::{self, Action};
use comanda_saga::{
    Call, Circumstances, CourierState, DeviceEvent, DeviceSignal, Effect, KitchenState, Look, Outcome,
    Record, Wait, Wishes, Write, status,
};
use comanda_steps::carry::{CarryError, InHand, Ports, Reach, carry};
use comanda_steps::ports::{LedgerError, Loaded};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::world::{Luck, Stage, World, commit};
use super::{Ask, Seen, at, event, seen};

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

/// How a reconcile ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// What is still to be done, after a failure.
    pub asks: Vec<Ask>,
    /// What the object shows.
    pub status: OrderStatus,
    /// When it looks again.
    pub wait: Wait,
}

/// The operator, the order and the world.
#[derive(Clone, Debug)]
pub struct Driver {
    /// What the operator sees.
    pub o: Seen,
    /// What it has in hand; none before it read the ledger.
    pub hand: Option<InHand>,
    /// What is outside.
    pub outside: Outside,
}

/// All that is outside the operator.
#[derive(Clone, Debug)]
pub struct Outside {
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
    /// What an IoT rule kept of what devices said, and nobody told the operator.
    pub kept: Vec<DeviceEvent>,
}

impl std::ops::Deref for Driver {
    type Target = Outside;
    fn deref(&self) -> &Outside {
        &self.outside
    }
}

impl std::ops::DerefMut for Driver {
    fn deref_mut(&mut self) -> &mut Outside {
        &mut self.outside
    }
}

/// A record of which no device has spoken, beside what a test lets devices say.
fn loaded(record: Record) -> Loaded {
    Loaded { record, events: Vec::new() }
}

/// The loop's way to what is outside.
struct Wire<'a>(Mutex<&'a mut Outside>);

impl<'a> Wire<'a> {
    fn outside(&self) -> MutexGuard<'_, &'a mut Outside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ports for Wire<'_> {
    type Error = CarryError;

    fn now(&self) -> Timestamp {
        self.outside().now
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn may_go_on(&self) -> Result<(), CarryError> {
        Ok(())
    }

    async fn write(&self, _: &Record, write: &Write) -> Result<(), LedgerError> {
        self.outside().write(write)
    }

    async fn call(&self, call: Call, record: &Record) -> Result<Outcome, CarryError> {
        Ok(self.outside().call(call, record))
    }
}

impl Outside {
    fn write(&mut self, write: &Write) -> Result<(), LedgerError> {
        self.stock = commit(self.ledger.as_ref(), self.stock, write)?;
        self.ledger = Some(write.record.clone());
        self.done.push(Done::Wrote(Box::new(write.record.clone())));
        Ok(())
    }

    fn call(&mut self, call: Call, record: &Record) -> Outcome {
        self.done.push(Done::Called(call));
        let loss = self.lost.iter().position(|(which, _)| *which == call).map(|i| self.lost.remove(i).1);
        let luck = self.luck.iter().find(|(which, _)| *which == call).map(|(_, luck)| *luck);
        let outcome = match loss {
            Some(Lost::Request) => None,
            _ if call == Call::Read(Look::Events) => Some(Outcome::Heard(self.kept.clone())),
            _ => Some(self.world.call(call, record, luck.unwrap_or_default(), self.now)),
        };
        let unknown = || Outcome::Unknown { effect: call.effect(), message: "no answer".to_owned() };
        outcome.filter(|_| loss.is_none()).unwrap_or_else(unknown)
    }
}

impl Driver {
    /// A fresh order, and stock for three.
    pub fn new() -> Self {
        let outside = Outside {
            world: World::default(),
            ledger: None,
            stock: 3,
            now: at(0),
            done: Vec::new(),
            luck: Vec::new(),
            lost: Vec::new(),
            kept: Vec::new(),
        };
        Self { o: seen(), hand: None, outside }
    }

    /// A fresh order whose calls meet these answers.
    pub fn with_luck(luck: &[(Call, Luck)]) -> Self {
        let mut driver = Self::new();
        driver.luck = luck.to_vec();
        driver
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

    /// What the operator has in hand.
    pub fn in_hand(&mut self) -> &mut InHand {
        self.hand.as_mut().expect("an order in hand")
    }

    /// What an operator would do now, first, and what it shows meanwhile.
    pub fn decide(&self) -> Rest {
        let (observed, asked) = self.o.asks(self.hand.as_ref(), self.now);
        let (asks, wait) = asked.expect("a decision");
        Rest { asks, status: status::project(&observed, self.now), wait }
    }

    /// Does the next thing to the object, or for the record.
    pub fn step(&mut self) {
        for ask in self.decide().asks {
            match ask {
                Ask::Object(action) => {
                    self.act(action);
                }
                Ask::Record(request) => {
                    let mut hand = self.hand.take().expect("an order in hand");
                    let wire = Wire(Mutex::new(&mut self.outside));
                    hand.perform(request, &wire).now_or_never().expect("no waiting").expect("an answer");
                    self.hand = Some(hand);
                }
            }
        }
    }

    /// Reconciles until nothing is left to do or something fails; says how it ended.
    pub fn run(&mut self) -> Rest {
        self.reconcile();
        self.decide()
    }

    fn reconcile(&mut self) {
        let observed = self.o.observed(self.hand.as_ref().map(|hand| hand.saved.clone()));
        for action in custody::take(&observed, self.now).expect("a decision") {
            if !self.act(action) {
                return;
            }
        }
        let Some(mut hand) = self.hand.take_if(|hand| hand.saved.is_owned_by(&self.o.order.owner)) else {
            return;
        };
        let around = self.o.circumstances();
        hand.hear(self.o.events.clone());
        let wire = Wire(Mutex::new(&mut self.outside));
        let carried = carry(&mut hand, &around, Reach::NextWait, &wire).now_or_never().expect("no waiting");
        self.hand = Some(hand);
        match carried {
            Ok(_) => {
                let record = self.hand.as_ref().map(|hand| hand.saved.clone()).expect("a record");
                if record.phase.is_final()
                    && let Some(action) = custody::release(&self.o.order, &record, self.now).0
                {
                    self.act(action);
                }
            }
            Err(CarryError::Unanswered(_)) => {}
            Err(CarryError::Ledger(LedgerError::Conflict)) => self.restart(),
            Err(error) => panic!("{error}"),
        }
    }

    /// Somebody is told that something became of the payment, and looks.
    pub fn look(&mut self) -> Result<(), CarryError> {
        let driver = comanda_saga::Driver::Looker;
        let around =
            Circumstances { driver, wishes: Wishes::default(), policy: None, ..self.o.circumstances() };
        let mut hand = InHand::read(loaded(self.record().clone()), self.now);
        hand.hear(self.o.events.clone());
        let wire = Wire(Mutex::new(&mut self.outside));
        carry(&mut hand, &around, Reach::NextWait, &wire).now_or_never().expect("no waiting").map(drop)
    }

    /// Acts on the object; false ends the reconcile.
    fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Write(write) => {
                if self.outside.write(&write).is_err() {
                    self.restart();
                    return false;
                }
                self.hand = Some(InHand::read(loaded(write.record), self.now));
            }
            object => {
                self.o.order.has_finalizer = object == Action::AddFinalizer;
                // What was deleted is not deleted again.
                self.o.order.ttl = self.o.order.ttl.filter(|_| object != Action::DeleteObject);
                self.done.push(Done::Object(object));
            }
        }
        true
    }

    /// The process ends, and another begins with what the ledger holds.
    pub fn restart(&mut self) {
        self.hand = self.ledger.clone().map(|record| InHand::read(loaded(record), self.now));
    }

    /// Time passes.
    pub fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Something is heard of the kitchen's task.
    pub fn kitchen(&mut self, state: KitchenState) {
        self.hear(DeviceSignal::Kitchen(state), Effect::Prepare);
    }

    /// Something is heard of the courier's task: that it failed, after the pick-up.
    pub fn courier(&mut self, state: CourierState) {
        if state == CourierState::Failed {
            self.hear(DeviceSignal::Courier(CourierState::PickedUp), Effect::Deliver);
        }
        self.hear(DeviceSignal::Courier(state), Effect::Deliver);
    }

    /// A device answers the command that `effect` sent.
    pub fn hear(&mut self, signal: DeviceSignal, effect: Effect) {
        let seq = self.record().journal[&effect].seq.expect("a command's sequence number");
        match signal {
            DeviceSignal::Kitchen(KitchenState::Ready) => self.world.kitchen.stage = Stage::Finished,
            DeviceSignal::Courier(CourierState::Accepted) => self.world.courier.stage = Stage::Accepted,
            DeviceSignal::Courier(CourierState::Delivered) => self.world.courier.stage = Stage::Finished,
            DeviceSignal::Courier(_) => self.world.courier.stage = Stage::Begun,
            _ => {}
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
