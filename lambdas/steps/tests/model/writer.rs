//! An operator: load, decide, do one thing after the other, rest. Each thing done is one move of the
//! model; deciding belongs to the move before it, because it touches nothing outside.

use std::sync::{Mutex, PoisonError};

use comanda_saga::custody::Action;
use comanda_saga::effect::Kind;
use comanda_saga::{Call, Look, Outcome, Phase, Record, StockChange, Write};
use comanda_steps::carry::{CarryError, Request};
use comanda_steps::ports::LedgerError;
use futures::FutureExt;

use crate::kept::Kept;
use crate::state::{Bounds, Defect, Lately, Rest, State, Stop, Task, Told, Writer};
use crate::support::world::{Luck, commit};
use crate::time::{now, plain};
use crate::view::{Plan, View, in_hand, plan};
use crate::wire::Wire;

/// What becomes of a write or a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and its answer too.
    Answered(Luck),
    /// It takes effect, and nobody hears of it.
    AnswerLost,
    /// It never arrives.
    RequestLost,
    /// The provider fails, and keeps the failure as its answer.
    ErrorStored,
    /// The broker takes the command, and no device hears it.
    Unheard,
}

/// Passes without a write after which an operator runs in circles. It may look twice at what devices said and once at the
/// payment, and repeat a command between.
const IDLE_PASSES: u8 = 6;

impl State {
    /// The fates of the next thing that operator `w` does.
    pub fn fates(&self, bounds: &Bounds, w: usize, fates: &mut Vec<Fate>) {
        let Some(task) = self.next_task(w) else { return };
        match task.call() {
            Some(call) if bounds.bad_luck => {
                fates.extend(Luck::of(call).iter().map(|luck| Fate::Answered(*luck)));
            }
            _ => fates.push(Fate::Answered(Luck::Good)),
        }
        let commands = |call| matches!(call, Call::Do(effect) | Call::Repeat(effect) if effect.row().kind == Kind::Command);
        if self.left.unheard > 0 && task.call().is_some_and(commands) {
            fates.push(Fate::Unheard);
        }
        if self.left.losses > 0 && (task.write().is_some() || task.call().is_some()) {
            fates.push(Fate::AnswerLost);
            if let Some(call) = task.call() {
                fates.push(Fate::RequestLost);
                if bounds.stored_errors && call.effect().is_some() {
                    fates.push(Fate::ErrorStored);
                }
            }
        }
    }

    /// What operator `w` does next.
    pub fn next_task(&self, w: usize) -> Option<&Kept<Task>> {
        self.writers[w].queue.last().filter(|_| self.writers[w].works())
    }

    /// True when operator `w` rests and has a reason to look again.
    pub fn may_wake(&self, w: usize) -> bool {
        let writer = &self.writers[w];
        writer.works() && writer.queue.is_empty() && (writer.rest == Rest::Due || writer.news)
    }

    /// What process `w` remembers is of no use: an operator begins anew, and a step ends, to be called again.
    pub fn restart(&mut self, bounds: &Bounds, w: usize) {
        if self.writers[w].is_function() { self.end_invocation(w) } else { self.start(bounds, w) }
    }

    /// Process `w` forgets everything and begins with what the ledger holds.
    pub fn start(&mut self, bounds: &Bounds, w: usize) {
        self.writers[w].running = true;
        self.writers[w].stop = Stop::No;
        self.remember(w);
        self.writers[w].idle_passes = 0;
        self.pass(bounds, w);
    }

    /// Operator `w` wakes.
    pub fn wake(&mut self, bounds: &Bounds, w: usize) {
        self.writers[w].idle_passes = 0;
        if self.is_behind(w) && !bounds.deaf {
            return self.start(bounds, w);
        }
        self.pass(bounds, w);
    }

    /// Operator `w` does the next thing.
    pub fn step(&mut self, bounds: &Bounds, w: usize, fate: Fate) {
        match fate {
            Fate::Answered(_) => {}
            Fate::Unheard => self.left.unheard -= 1,
            Fate::AnswerLost | Fate::RequestLost | Fate::ErrorStored => self.left.losses -= 1,
        }
        if self.act(bounds, w, fate) && self.writers[w].queue.is_empty() {
            self.pass(bounds, w);
        }
    }

    /// Operator `w` does the next thing and does not think yet; false when that ends its reconcile.
    pub fn act(&mut self, bounds: &Bounds, w: usize, fate: Fate) -> bool {
        let Some(task) = self.writers[w].queue.pop() else { return false };
        match &*task {
            Task::Object(Action::Write(write)) => self.claim(bounds, w, write, fate),
            Task::Record(request) => self.perform(bounds, w, request, fate),
            Task::Refused => self.conflict(bounds, w),
            Task::Object(Action::AddFinalizer) => {
                self.add_finalizer();
                self.object.finalizer || self.sleep(w, Rest::Event)
            }
            Task::Object(Action::RemoveFinalizer | Action::DeleteObject) => {
                self.remove_finalizer();
                true
            }
            Task::Tell(told) => {
                self.tell(told);
                self.sleep(w, self.writers[w].rest)
            }
        }
    }

    pub fn add_finalizer(&mut self) {
        self.object.finalizer = !self.object.gone;
    }

    pub fn remove_finalizer(&mut self) {
        self.object.finalizer = false;
        self.object.gone = self.object.deleted;
    }

    /// The status is written; the watch tells of it.
    pub fn tell(&mut self, told: &Told) {
        self.told = Some(told.clone());
        self.news();
    }

    /// The ledger takes a write, or says why not.
    pub fn write(&mut self, bounds: &Bounds, write: &Write) -> Result<(), LedgerError> {
        self.stock = match commit(self.record(), self.stock, write) {
            Err(LedgerError::Conflict) if bounds.defect == Some(Defect::NoVersionCheck) => self.stock,
            committed => committed?,
        };
        self.commit(write.record.clone());
        if !bounds.phases.is_empty() && !bounds.deaf {
            self.tell_operators();
        }
        Ok(())
    }

    /// Operators at rest are told that the order moved: what they remember is of no use. While an execution carries it,
    /// nothing is theirs to do, so that they do not wake.
    fn tell_operators(&mut self) {
        let carried = self.is_carried();
        for writer in self.writers.iter_mut().take(2) {
            if writer.works() && writer.queue.is_empty() {
                let news = writer.news || !carried;
                *writer = Writer { running: true, rest: Rest::Until, news, ..Writer::default() };
            }
        }
    }

    /// Operator `w` claims the order, or takes it over.
    fn claim(&mut self, bounds: &Bounds, w: usize, write: &Write, fate: Fate) -> bool {
        if self.write(bounds, write).is_err() {
            return self.conflict(bounds, w);
        }
        if fate == Fate::AnswerLost {
            self.restart(bounds, w);
            return false;
        }
        self.take_in_hand(w);
        self.writers[w].idle_passes = 0;
        true
    }

    /// Operator `w` does what its record asks for: this is the loop that ships, one request of it.
    pub fn perform(&mut self, bounds: &Bounds, w: usize, request: &Request, fate: Fate) -> bool {
        let Writer { saved, record, lately, .. } = &self.writers[w];
        let Some(mut hand) = in_hand(saved.as_deref(), record.as_deref(), *lately) else { return false };
        if matches!(request, Request::Call(Call::Read(Look::Execution))) && self.is_behind(w) {
            return self.conflict(bounds, w);
        }
        let wire = Wire { state: Mutex::new((self, false)), bounds, fate };
        let done = hand.perform(request.clone(), &wire).now_or_never().expect("no waiting");
        let (_, waits) = wire.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_call = matches!(request, Request::Call(_));
        let intended = hand.intended();
        self.writers[w].lately.read = hand.read_since.is_some();
        self.writers[w].lately.looked = hand.execution_seen_at.is_some();
        self.writers[w].lately.refunds = hand.refunds_seen_at.is_some() && self.writers[w].looks;
        self.writers[w].lately.sent = hand.sent.map(|sent| sent.seq).filter(|_| bounds.budget.minutes > 0);
        if is_call {
            self.writers[w].lately.asked = waits || self.writers[w].looks;
            self.writers[w].record = Some(Kept::new(plain(hand.record)));
        } else if done.is_ok() && hand.saved == hand.record {
            self.take_in_hand(w);
        } else if done.is_ok() {
            self.writers[w].record = Some(Kept::new(plain(hand.record)));
        }
        match done {
            Ok(()) => {
                if !is_call {
                    self.writers[w].idle_passes = 0;
                    let call = |effect| Kept::new(Task::Record(Request::Call(Call::Do(effect))));
                    self.writers[w].queue = intended.map(call).into_iter().collect();
                }
                true
            }
            Err(CarryError::Ledger(LedgerError::Conflict)) => self.conflict(bounds, w),
            Err(CarryError::Ledger(_)) => {
                self.restart(bounds, w);
                false
            }
            Err(CarryError::Illegal(_)) => {
                self.broken = Some("takes an answer over by an illegal move");
                false
            }
            Err(_) if self.writers[w].is_function() => {
                self.end_invocation(w);
                false
            }
            Err(_) => self.sleep(w, Rest::Due),
        }
    }

    /// Process `w` learns that another wrote.
    fn conflict(&mut self, bounds: &Bounds, w: usize) -> bool {
        if self.writers[w].looks {
            // It reads the order again.
            self.start(bounds, w);
        } else if self.writers[w].is_function() {
            self.end_invocation(w);
        } else if self.writers[1 - w].works() && !bounds.losers_stay {
            self.writers[w] = Writer::default();
        } else {
            self.start(bounds, w);
        }
        false
    }

    /// Takes from an operator what can have no effect any more: all that it remembers, once the next thing it
    /// hears is that its write was refused, or failed. Versions never come back.
    pub fn forget_what_is_refused(&mut self, bounds: &Bounds) {
        for w in 0..self.writers.len() {
            let Writer { running, stop, ref queue, .. } = self.writers[w];
            let queue = match queue.last().map(|task| &**task) {
                _ if stop == Stop::InWrite && self.wire.is_none() => Vec::new(),
                Some(task)
                    if stop != Stop::InWrite
                        && bounds.defect != Some(Defect::NoVersionCheck)
                        && task.write().is_some_and(|write| {
                            commit(self.record(), self.stock, write) == Err(LedgerError::Conflict)
                        }) =>
                {
                    vec![Kept::new(Task::Refused)]
                }
                _ => continue,
            };
            let (invoked, looks) = (self.writers[w].invoked.take(), self.writers[w].looks);
            self.writers[w] = Writer { running, invoked, looks, queue, stop, ..Writer::default() };
        }
    }

    pub fn call(&mut self, call: Call, record: &Record, fate: Fate) -> Outcome {
        let unknown = || Outcome::Unknown { effect: call.effect(), message: "no answer".to_owned() };
        match fate {
            Fate::Answered(luck) => self.world.call(call, record, luck, now()),
            Fate::ErrorStored => self.world.call(call, record, Luck::Stored, now()),
            Fate::AnswerLost => {
                self.world.call(call, record, Luck::Good, now());
                unknown()
            }
            Fate::RequestLost => unknown(),
            Fate::Unheard => match call {
                Call::Do(effect) | Call::Repeat(effect) => Outcome::Done(effect),
                Call::Read(_) => unknown(),
            },
        }
    }

    fn remember(&mut self, w: usize) {
        self.writers[w].queue.clear();
        self.writers[w].lately = Lately { read: true, ..Lately::default() };
        self.take_in_hand(w);
    }

    /// Operator `w` has what the ledger holds, and nothing beyond it.
    pub fn take_in_hand(&mut self, w: usize) {
        self.writers[w].saved.clone_from(&self.ledger);
        self.writers[w].record.clone_from(&self.ledger);
    }

    /// Ends the reconcile of operator `w`.
    pub fn sleep(&mut self, w: usize, rest: Rest) -> bool {
        self.writers[w].queue.clear();
        self.writers[w].rest = rest;
        self.writers[w].idle_passes = 0;
        false
    }

    /// Operator `w` decides.
    pub fn pass(&mut self, bounds: &Bounds, w: usize) {
        if self.object.gone && !self.writers[w].is_function() {
            // There is no object to reconcile any more.
            self.writers[w] = Writer::default();
            return;
        }
        let view = self.view(bounds, w);
        let plan = plan(view);
        let writer = &mut self.writers[w];
        writer.news = false;
        match plan {
            Ok(Plan { answer: Some(answer), .. }) => self.answered(w, answer),
            Ok(Plan { tasks, .. }) if tasks.is_empty() && writer.looks => self.has_looked(w),
            Ok(Plan { tasks, rest, told, .. }) if tasks.is_empty() => {
                self.sleep(w, rest);
                if bounds.tells && is_news(self.told.as_ref(), &told) {
                    self.writers[w].queue.push(Kept::new(Task::Tell(told)));
                }
            }
            Ok(Plan { tasks, rest, .. }) => {
                writer.rest = rest;
                writer.queue = tasks;
                writer.idle_passes += 1;
                if writer.idle_passes > IDLE_PASSES {
                    self.broken = Some("decides again and again without getting on");
                }
                if bounds.defect == Some(Defect::CallBeforeIntent) {
                    self.call_first(w);
                }
            }
            Err(broken) => self.broken = Some(broken),
        }
    }

    /// Leaves the write of an intent out: it goes with the next one.
    fn call_first(&mut self, w: usize) {
        let writer = &mut self.writers[w];
        let [intent] = writer.queue.as_slice() else { return };
        if let Task::Record(Request::Write(write, Some(effect))) = &**intent
            && write.stock == StockChange::None
        {
            let (effect, intent) = (*effect, write.record.clone());
            // The call needs its key, which an honest operator has written down by now.
            let version = writer.saved.as_ref().map_or(0, |saved| saved.version);
            writer.record = Some(Kept::new(Record { version, ..intent }));
            writer.queue = vec![Kept::new(Task::Record(Request::Call(Call::Do(effect))))];
        }
    }

    fn view(&self, bounds: &Bounds, w: usize) -> View {
        View {
            saved: self.writers[w].saved.clone(),
            record: self.writers[w].record.clone(),
            lately: self.writers[w].lately,
            object: self.object,
            heard: self.heard.clone(),
            capture: bounds.capture,
            phases: bounds.phases,
            driver: self.driver(w),
            defect: bounds.defect,
        }
    }
}

/// True when the status has to be written. Of an order that ended, an operator that has not read the ledger
/// knows less than the object says.
fn is_news(before: Option<&Told>, told: &Told) -> bool {
    let forgetful = told.phase == Phase::Pending && before.is_some_and(|before| before.phase.is_final());
    before != Some(told) && !forgetful
}
