//! Faults at the boundaries of effects: a process dies there, stops there while a second one takes over, or
//! what is on its way there happens twice.

use comanda_boundary::{Boundary, Crossing, Point, Site, crossings};
use comanda_saga::Record;
use comanda_saga::custody::Action;
use comanda_steps::ports::LedgerError;
use strum::{EnumIter, IntoEnumIterator};

use crate::environment::Move;
use crate::kept::Kept;
use crate::state::{Bounds, Object, Rest, State, Stop, Task};
use crate::support::world::{Luck, commit};
use crate::time::now;
use crate::writer::Fate;

/// What happens at a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter)]
pub enum Fault {
    /// The process ends, and another begins in its place. What is on the wire may arrive at any later time.
    Crash,
    /// The process stops, a second one takes over, and the first may go on at any later time, with the memory
    /// it had.
    Pause,
    /// What is sent there, or led there, arrives twice.
    Duplicate,
}

/// How far the next thing is that an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter)]
pub enum Spot {
    /// It is decided.
    Before,
    /// It left the process.
    Sent,
    /// It took effect, and the process did not hear of it.
    Effected,
    /// The process has its answer.
    After,
}

/// What left a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub task: Kept<Task>,
    /// The record that a call is made from.
    record: Option<Kept<Record>>,
    /// The object as it was: a patch of finalizers names its version.
    object: Object,
    /// The process that waits for the answer.
    asker: Option<usize>,
}

impl Kept<Message> {
    /// Changes the record that is written.
    pub fn map(&self, change: impl Fn(&Record) -> Record) -> Self {
        Self::new(Message { task: self.task.map(change), ..(**self).clone() })
    }
}

impl State {
    /// The boundaries at which the next thing that operator `w` does stands, once it is at `spot`.
    pub fn boundaries(&self, w: usize, spot: Spot) -> Vec<Boundary> {
        let Some(task) = self.next_task(w) else { return Vec::new() };
        let at = |site, point| Boundary { site, point };
        let of_write = |site| {
            let point = match spot {
                Spot::Before => Point::BeforeIntent,
                Spot::Sent => Point::Sent,
                Spot::Effected => Point::Effected,
                Spot::After => Point::AfterOutcome,
            };
            vec![at(site, point)]
        };
        let of_crossing = |crossing: Crossing| {
            let (before, after) = crossing.points();
            let point = match (spot, crossing) {
                (Spot::Before, _) => before,
                (Spot::After, _) => after,
                (Spot::Sent, Crossing::Effect(_)) => Some(Point::Sent),
                (Spot::Effected, Crossing::Effect(_)) => Some(Point::Effected),
                _ => None,
            };
            point.map(|point| at(crossing.site(), point))
        };
        if let Some(write) = task.write() {
            let crossed = crossings(self.writers[w].saved.as_deref(), &write.record);
            return crossed.into_iter().filter_map(of_crossing).collect();
        }
        if let Some(call) = task.call() {
            let point = match spot {
                // Named by the write of the intent, which ends there.
                Spot::Before => None,
                Spot::Sent => Some(Point::Sent),
                Spot::Effected => Some(Point::Effected),
                Spot::After => Some(Point::Answered),
            };
            let site = call.effect().map(Site::Effect);
            return site.zip(point).map(|(site, point)| at(site, point)).into_iter().collect();
        }
        match &**task {
            Task::Object(Action::AddFinalizer) => of_write(Site::FinalizerOn),
            Task::Object(Action::RemoveFinalizer) => of_write(Site::FinalizerOff),
            Task::Tell(_) => of_write(Site::Status),
            _ => Vec::new(),
        }
    }

    /// The faults that can come now, and what becomes of earlier ones.
    pub fn fault_moves(&self, bounds: &Bounds, moves: &mut Vec<Move>) {
        if let Some(fault) = bounds.fault.filter(|_| self.left.faults > 0) {
            for w in 0..self.writers.len() {
                let named =
                    |spot: &Spot| self.boundaries(w, *spot).into_iter().any(|at| (bounds.at)(at.site));
                let spots = Spot::iter().filter(named);
                moves.extend(spots.map(|spot| Move::Fault(w, fault, spot)));
            }
        }
        for w in 0..self.writers.len() {
            if self.writers[w].running && self.writers[w].stop != Stop::No {
                moves.push(Move::Resume(w));
            }
        }
        if let Some(message) = &self.wire {
            moves.push(Move::Land(false));
            if message.asker.is_some_and(|w| self.awaits(w)) {
                moves.push(Move::Land(true));
            }
        }
    }

    fn awaits(&self, w: usize) -> bool {
        matches!(self.writers[w].stop, Stop::InCall | Stop::InWrite)
    }

    /// A fault on the way of the next thing that operator `w` does.
    pub fn fail(&mut self, bounds: &Bounds, w: usize, fault: Fault, spot: Spot) {
        if let Some(met) = bounds.met {
            met.note(fault, self.boundaries(w, spot), self);
        }
        self.left.faults -= 1;
        match fault {
            Fault::Crash => self.crash_at(bounds, w, spot),
            Fault::Pause => self.pause_at(bounds, w, spot),
            Fault::Duplicate => self.double_at(bounds, w, spot),
        }
    }

    fn crash_at(&mut self, bounds: &Bounds, w: usize, spot: Spot) {
        match spot {
            Spot::Before => {}
            Spot::Sent => self.wire = self.send(w),
            Spot::Effected => {
                let message = self.send(w);
                self.take_effect(message.as_ref());
            }
            Spot::After => {
                self.act(bounds, w, Fate::Answered(Luck::Good));
            }
        }
        self.restart(bounds, w);
    }

    fn pause_at(&mut self, bounds: &Bounds, w: usize, spot: Spot) {
        let is_call = self.next_task(w).is_some_and(|task| task.call().is_some());
        let waits = if is_call { Stop::InCall } else { Stop::InWrite };
        let stop = match spot {
            Spot::Before => Stop::Between,
            Spot::Sent => {
                let message = self.send(w);
                self.wire = message.map(|sent| Kept::new(Message { asker: Some(w), ..(*sent).clone() }));
                waits
            }
            Spot::Effected => {
                let message = self.send(w);
                self.take_effect(message.as_ref());
                waits
            }
            Spot::After => {
                self.act(bounds, w, Fate::Answered(Luck::Good));
                Stop::Between
            }
        };
        self.writers[w].stop = stop;
        match &mut self.writers[w].invoked {
            // The machine gives it up, and calls the step again.
            Some(invocation) => invocation.counts = false,
            None => self.start(bounds, 1 - w),
        }
    }

    fn double_at(&mut self, bounds: &Bounds, w: usize, spot: Spot) {
        let is_call = self.next_task(w).is_some_and(|task| task.call().is_some());
        // On the wire, where a write that was taken makes its copy stale.
        self.wire = self.message(w);
        match spot {
            // The answer is lost, and what was asked is asked again.
            Spot::Effected if is_call => {
                self.wire = None;
                let message = self.send(w);
                self.take_effect(message.as_ref());
                self.unanswered(w);
            }
            // The process hears that its write was refused, as the first of the two was taken.
            Spot::Before | Spot::Effected => {
                let message = self.send(w);
                self.take_effect(message.as_ref());
                self.land(bounds, false);
                self.restart(bounds, w);
            }
            // One is answered, the other arrives at any later time.
            Spot::Sent => self.step(bounds, w, Fate::Answered(Luck::Good)),
            // One is answered, then the other arrives.
            Spot::After => {
                self.step(bounds, w, Fate::Answered(Luck::Good));
                self.land(bounds, false);
            }
        }
    }

    /// The next thing that operator `w` does, as it goes over the wire.
    fn message(&self, w: usize) -> Option<Kept<Message>> {
        let task = self.next_task(w)?.clone();
        let record = self.writers[w].record.clone().filter(|_| task.call().is_some());
        Some(Kept::new(Message { task, record, object: self.object, asker: None }))
    }

    fn send(&mut self, w: usize) -> Option<Kept<Message>> {
        let message = self.message(w);
        self.writers[w].queue.pop();
        message
    }

    /// A message takes effect, and nobody hears of it.
    fn take_effect(&mut self, message: Option<&Kept<Message>>) {
        let Some(message) = message else { return };
        if let Some(write) = message.task.write()
            && let Ok(stock) = commit(self.record(), self.stock, write)
        {
            self.stock = stock;
            self.commit(write.record.clone());
        }
        if let (Some(call), Some(record)) = (message.task.call(), &message.record) {
            self.world.call(call, record, Luck::Good, now());
        }
        match &*message.task {
            Task::Object(Action::AddFinalizer) if message.object == self.object => self.add_finalizer(),
            Task::Object(Action::RemoveFinalizer) if message.object == self.object => self.remove_finalizer(),
            Task::Tell(told) => self.tell(told),
            _ => {}
        }
    }

    /// What is on the wire arrives.
    pub fn land(&mut self, bounds: &Bounds, heard: bool) {
        let Some(message) = self.wire.take() else { return };
        let Some(w) = message.asker.filter(|_| heard) else { return self.take_effect(Some(&message)) };
        let refused = |write| commit(self.record(), self.stock, write) == Err(LedgerError::Conflict);
        if message.task.write().is_some_and(refused) {
            return;
        }
        match &*message.task {
            Task::Record(request) => {
                self.perform(bounds, w, request, Fate::Answered(Luck::Good));
            }
            Task::Object(Action::Write(_)) => {
                self.take_effect(Some(&message));
                self.take_in_hand(w);
            }
            Task::Object(Action::AddFinalizer) => {
                self.take_effect(Some(&message));
                if !self.object.finalizer {
                    self.sleep(w, Rest::Event);
                }
            }
            _ => self.take_effect(Some(&message)),
        }
        self.writers[w].stop = Stop::Between;
    }

    /// The stopped process of operator `w` goes on. One that waits for an answer hears that there is none:
    /// after a call it tries again with what it remembers, after a write it reads the ledger.
    pub fn resume(&mut self, bounds: &Bounds, w: usize) {
        match std::mem::take(&mut self.writers[w].stop) {
            Stop::InCall => self.unanswered(w),
            Stop::InWrite => self.restart(bounds, w),
            Stop::No | Stop::Between => {
                if self.writers[w].queue.is_empty() {
                    self.pass(bounds, w);
                }
            }
        }
    }

    /// Takes a message from the wire that can have no effect any more.
    pub fn drop_stale_message(&mut self) {
        let (object, told) = (self.object, self.told.clone());
        self.wire.take_if(|message| match &*message.task {
            Task::Object(Action::AddFinalizer | Action::RemoveFinalizer) => message.object != object,
            Task::Tell(late) => object.gone || told.as_ref() == Some(late) && message.asker.is_none(),
            _ => false,
        });
    }
}
