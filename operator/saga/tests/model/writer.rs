//! An operator: load, decide, do one thing after the other, rest. Each thing done is one move of the
//! model; deciding belongs to the move before it, because it touches nothing outside.

use comanda_saga::{Action, Call, IntentState, Outcome, Phase, Record, RefundState, StockChange, Write};

use crate::kept::Kept;
use crate::state::{Bounds, Defect, Rest, Said, State, Stop, Task, Told, Writer, now, plain};
use crate::support::world::{Luck, Refusal, commit, out_of_stock};
use crate::view::{Plan, View, plan};

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
}

/// Passes without a write after which an operator runs in circles.
const IDLE_PASSES: u8 = 3;

impl State {
    /// The fates of the next thing that operator `w` does.
    pub fn fates(&self, bounds: &Bounds, w: usize, fates: &mut Vec<Fate>) {
        let Some(task) = self.next_task(w) else { return };
        match &**task {
            Task::Act(Action::Call(call)) if bounds.bad_luck => {
                fates.extend(Luck::of(*call).iter().map(|luck| Fate::Answered(*luck)));
            }
            _ => fates.push(Fate::Answered(Luck::Good)),
        }
        if self.left.losses > 0 && matches!(**task, Task::Act(Action::Write(_) | Action::Call(_))) {
            fates.push(Fate::AnswerLost);
            if let Task::Act(Action::Call(call)) = **task {
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

    /// Operator `w` forgets everything and begins with what the ledger holds.
    pub fn start(&mut self, bounds: &Bounds, w: usize) {
        self.writers[w].running = true;
        self.writers[w].stop = Stop::No;
        self.remember(w, self.ledger.clone());
        self.writers[w].fresh = false;
        self.writers[w].idle_passes = 0;
        self.pass(bounds, w);
    }

    /// Operator `w` wakes.
    pub fn wake(&mut self, bounds: &Bounds, w: usize) {
        self.writers[w].idle_passes = 0;
        self.pass(bounds, w);
    }

    /// Operator `w` does the next thing.
    pub fn step(&mut self, bounds: &Bounds, w: usize, fate: Fate) {
        if !matches!(fate, Fate::Answered(_)) {
            self.left.losses -= 1;
        }
        if self.act(bounds, w, fate) && self.writers[w].queue.is_empty() {
            self.pass(bounds, w);
        }
    }

    /// Operator `w` does the next thing and does not think yet; false when that ends its reconcile.
    pub fn act(&mut self, bounds: &Bounds, w: usize, fate: Fate) -> bool {
        let Some(task) = self.writers[w].queue.pop() else { return false };
        match &*task {
            Task::Act(Action::Write(write)) => self.write(bounds, w, write, fate),
            Task::Refused => self.conflict(bounds, w),
            Task::Act(Action::Call(call)) => self.call(w, *call, fate),
            Task::Act(Action::AddFinalizer) => {
                self.add_finalizer();
                self.object.finalizer || self.sleep(w, Rest::Event)
            }
            Task::Act(Action::RemoveFinalizer | Action::DeleteObject) => {
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

    fn write(&mut self, bounds: &Bounds, w: usize, write: &Write, fate: Fate) -> bool {
        let committed = match commit(self.record(), self.stock, write) {
            Err(Refusal::Conflict) if bounds.defect == Some(Defect::NoVersionCheck) => Ok(self.stock),
            committed => committed,
        };
        match committed {
            Ok(stock) => {
                self.stock = stock;
                self.commit(write.record.clone());
                if fate == Fate::AnswerLost {
                    self.start(bounds, w);
                    return false;
                }
                self.remember_record(w, self.ledger.clone());
                self.writers[w].idle_passes = 0;
                true
            }
            Err(Refusal::OutOfStock) => {
                self.writers[w].queue.clear();
                self.apply(w, out_of_stock());
                true
            }
            Err(Refusal::Conflict) => self.conflict(bounds, w),
        }
    }

    /// Operator `w` learns that another wrote.
    fn conflict(&mut self, bounds: &Bounds, w: usize) -> bool {
        if self.writers[1 - w].works() && !bounds.losers_stay {
            self.writers[w] = Writer::default();
        } else {
            self.start(bounds, w);
        }
        false
    }

    /// Takes from an operator what can have no effect any more: all that it remembers, once the next thing it
    /// hears is that its write was refused, or failed. Versions never come back.
    pub fn forget_what_is_refused(&mut self, bounds: &Bounds) {
        for w in 0..2 {
            let Writer { running, stop, ref queue, .. } = self.writers[w];
            let queue = match queue.last().map(|task| &**task) {
                _ if stop == Stop::InWrite && self.wire.is_none() => Vec::new(),
                Some(Task::Act(Action::Write(write)))
                    if stop != Stop::InWrite
                        && bounds.defect != Some(Defect::NoVersionCheck)
                        && commit(self.record(), self.stock, write) == Err(Refusal::Conflict) =>
                {
                    vec![Kept::new(Task::Refused)]
                }
                _ => continue,
            };
            self.writers[w] = Writer { running, queue, stop, ..Writer::default() };
        }
    }

    fn call(&mut self, w: usize, call: Call, fate: Fate) -> bool {
        let record = self.writers[w].record.clone().expect("a record");
        let unknown = || Outcome::Unknown { effect: call.effect(), message: "no answer".to_owned() };
        let outcome = match fate {
            Fate::Answered(luck) => self.world.call(call, &record, luck, now()),
            Fate::ErrorStored => self.world.call(call, &record, Luck::Stored, now()),
            Fate::AnswerLost => {
                self.world.call(call, &record, Luck::Good, now());
                unknown()
            }
            Fate::RequestLost => unknown(),
        };
        let known = !matches!(outcome, Outcome::Unknown { .. });
        self.writers[w].fresh = must_wait(&outcome);
        self.apply(w, outcome);
        known || self.sleep(w, Rest::Due)
    }

    pub fn apply(&mut self, w: usize, outcome: Outcome) {
        let mut record = Record::clone(self.writers[w].record.as_ref().expect("a record"));
        record.apply(outcome, now());
        self.writers[w].record = Some(Kept::new(plain(record)));
    }

    fn remember(&mut self, w: usize, record: Option<Kept<Record>>) {
        self.writers[w].queue.clear();
        self.remember_record(w, record);
    }

    pub fn remember_record(&mut self, w: usize, record: Option<Kept<Record>>) {
        self.writers[w].saved.clone_from(&record);
        self.writers[w].record = record;
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
        if self.object.gone {
            // There is no object to reconcile any more.
            self.writers[w] = Writer::default();
            return;
        }
        let view = self.view(bounds, w);
        let plan = plan(view);
        let writer = &mut self.writers[w];
        writer.news = false;
        match plan {
            Ok(Plan { tasks, rest, told }) if tasks.is_empty() => {
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
        let [call, intent] = writer.queue.as_slice() else { return };
        if let (Task::Act(Action::Call(_)), Task::Act(Action::Write(write))) = (&**call, &**intent)
            && write.stock == StockChange::None
        {
            // The call needs its key, which an honest operator has written down by now.
            let version = writer.saved.as_ref().map_or(0, |saved| saved.version);
            writer.record = Some(Kept::new(Record { version, ..write.record.clone() }));
            writer.queue.truncate(1);
        }
    }

    fn view(&self, bounds: &Bounds, w: usize) -> View {
        let Writer { saved, record, fresh, .. } = self.writers[w].clone();
        View {
            saved,
            record,
            fresh,
            object: self.object,
            heard: self.heard.iter().map(|said| (*said, self.seq(*said))).collect(),
            capture: bounds.capture,
            defect: bounds.defect,
        }
    }

    /// The command that a device answered.
    fn seq(&self, said: Said) -> u64 {
        let (kitchen, courier) = (&self.world.kitchen, &self.world.courier);
        let seq = match said {
            Said::Preparing | Said::Ready | Said::Rejected => kitchen.task,
            Said::KitchenStopped | Said::KitchenWentOn => kitchen.recall,
            Said::PickedUp | Said::Delivered | Said::CourierFailed => courier.task,
            Said::CourierStopped | Said::CourierWentOn => courier.recall,
        };
        seq.unwrap_or_default()
    }
}

/// True when the status has to be written. Of an order that ended, an operator that has not read the ledger
/// knows less than the object says.
fn is_news(before: Option<&Told>, told: &Told) -> bool {
    let forgetful = told.phase == Phase::Pending && before.is_some_and(|before| before.phase.is_final());
    before != Some(told) && !forgetful
}

/// True for an answer after which the provider is not asked again at once.
pub fn must_wait(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Payment(view) => {
            matches!(view.state, IntentState::Processing | IntentState::RequiresAction)
        }
        Outcome::Refund(Some(view)) => view.state == RefundState::Pending,
        _ => false,
    }
}
