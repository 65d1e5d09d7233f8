use std::collections::BTreeSet;

use comanda_boundary::Site;
use comanda_crds::Capture;
use comanda_saga::custody::Action;
use comanda_saga::{Call, Phase, Record, Step, Write};
use comanda_steps::carry::Request;

use crate::boundaries::Met;
use crate::faults::{Fault, Message};
use crate::kept::Kept;
use crate::support::Ask;
use crate::support::world::{Device, World};

/// What may go wrong, and how often: the size of the exploration.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Counts that are used up.
    pub budget: Budget,
    /// The customer may cancel.
    pub cancel: bool,
    /// The object may be deleted.
    pub delete: bool,
    /// The order may be suspended, once, and released.
    pub suspend: bool,
    /// A person may retry, once.
    pub retry: bool,
    /// Somebody may replace the object without its finalizer, once.
    pub strip: bool,
    /// A person may refund by hand what is being undone, once.
    pub refund_by_hand: bool,
    /// Days may pass, not only hours: keys expire.
    pub days: bool,
    /// The catalogue may refuse, the card be declined, the provider be slow, a hold expire.
    pub bad_luck: bool,
    /// A loss may also be an error that the provider stores under the key.
    pub stored_errors: bool,
    /// Devices may reject, fail, and refuse to stop.
    pub moody: bool,
    /// Stocks to begin with.
    pub stocks: &'static [i64],
    /// When the class captures.
    pub capture: Capture,
    /// The phases that the class delegates.
    pub phases: &'static [Phase],
    /// Operators do not hear what an execution does.
    pub deaf: bool,
    /// An operator that lost a race goes on beside the winner.
    pub losers_stay: bool,
    /// What may happen at the boundaries of effects, as often as the budget allows.
    pub fault: Option<Fault>,
    /// At these sites.
    pub at: fn(Site) -> bool,
    /// Where it happened is noted here.
    pub met: Option<&'static Met>,
    /// Operators write the status of the object, which is left out elsewhere as no decision reads it.
    pub tells: bool,
    /// A defect that the properties must find.
    pub defect: Option<Defect>,
}

impl Bounds {
    /// One operator and a world that works.
    pub fn calm() -> Self {
        Self {
            budget: Budget::default(),
            cancel: false,
            delete: false,
            suspend: false,
            retry: false,
            strip: false,
            refund_by_hand: false,
            days: false,
            bad_luck: false,
            stored_errors: false,
            moody: false,
            stocks: &[1],
            capture: Capture::WhenReady,
            phases: &[],
            deaf: false,
            losers_stay: false,
            fault: None,
            at: |_| true,
            met: None,
            tells: false,
            defect: None,
        }
    }
}

/// What is left of the faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Crashes of an operator.
    pub crashes: u8,
    /// Requests or answers lost.
    pub losses: u8,
    /// Device events that arrive late.
    pub late: u8,
    /// Long pauses of an operator in the middle of its work.
    pub naps: u8,
    /// Second operators that start while the first still runs.
    pub failovers: u8,
    /// Faults at boundaries.
    pub faults: u8,
    /// Commands that the broker takes and no device hears.
    pub unheard: u8,
    /// Orders that a courier gives back who had taken them.
    pub give_backs: u8,
    /// Executions that are stopped by hand.
    pub stops: u8,
    /// Stopped executions that somebody has go on.
    pub redrives: u8,
    /// How often somebody is told that something became of the payment, and looks.
    pub looks: u8,
    /// Refunds that come back after they were made, and disputes.
    pub surprises: u8,
    /// Minutes, in which commands are repeated, and a courier who is silent loses an order.
    pub minutes: u8,
}

/// A defect put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// The ledger takes any write.
    NoVersionCheck,
    /// A capture whose outcome is not known is taken for one that did not happen.
    CaptureNotLookedUp,
    /// Undoing trusts what was known of the payment before.
    UndoDoesNotLook,
    /// The call goes before the write of its intent.
    CallBeforeIntent,
}

/// What a device said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Said {
    Preparing,
    Ready,
    Rejected,
    KitchenStopped,
    KitchenWentOn,
    Accepted,
    PickedUp,
    Delivered,
    CourierFailed,
    CourierStopped,
    CourierWentOn,
}

/// The `Order` object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object {
    pub cancel: bool,
    pub deleted: bool,
    pub finalizer: bool,
    pub gone: bool,
    pub suspend: bool,
    pub suspended_once: bool,
    pub retry: bool,
    pub stripped_once: bool,
}

/// What the status of the object says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Told {
    pub phase: Phase,
    pub reason: Option<String>,
}

/// One thing that an operator does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// What the object needs.
    Object(Action),
    /// What the record asks for.
    Record(Request),
    /// The status is written.
    Tell(Told),
    /// A write that the ledger will refuse: nothing else of what it holds matters any more.
    Refused,
}

/// Whether an operator's process is stopped. Its memory stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stop {
    /// It works.
    #[default]
    No,
    /// Between two things.
    Between,
    /// It sent a call, and hears nothing of it.
    InCall,
    /// It sent a write, and hears nothing of it.
    InWrite,
}

/// How an operator rests when its queue is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Until something happens.
    #[default]
    Event,
    /// Until something happens or time passes.
    Until,
    /// It is time.
    Due,
}

/// What an operator did lately, and does not do again until time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Lately {
    /// The provider answered it that somebody has to be waited for.
    pub asked: bool,
    /// It read what devices said.
    pub read: bool,
    /// It sent the command of this number.
    pub sent: Option<u64>,
    /// It saw the execution running.
    pub looked: bool,
    /// It looked at the refunds.
    pub refunds: bool,
}

/// One process: an operator, or the Lambda of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Writer {
    pub running: bool,
    /// For which step it runs; none for an operator.
    pub invoked: Option<Invocation>,
    /// It was told of the payment, and looks at nothing else.
    pub looks: bool,
    /// The record as this process last saved or read it.
    pub saved: Option<Kept<Record>>,
    /// The same with outcomes that are not saved.
    pub record: Option<Kept<Record>>,
    pub lately: Lately,
    /// What it has decided and not done yet, next one last.
    pub queue: Vec<Kept<Task>>,
    pub rest: Rest,
    /// Something happened since it last decided.
    pub news: bool,
    /// Passes since it last wrote or slept.
    pub idle_passes: u8,
    pub stop: Stop,
}

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub ledger: Option<Kept<Record>>,
    pub stock: i64,
    /// What the stock was before the order.
    pub stocked: i64,
    pub world: World,
    pub object: Object,
    /// Events that left their device.
    pub underway: BTreeSet<(Said, u64)>,
    /// Events that the ledger has, with the number of the command that they answer.
    pub heard: BTreeSet<(Said, u64)>,
    /// Two operators, then two Lambdas where phases are delegated, then a looker where there is one.
    pub writers: Vec<Writer>,
    /// Something became of the payment late, since whoever was told of it looked.
    pub untold: bool,
    /// What the status says.
    pub told: Option<Told>,
    /// What left a process and did not arrive yet.
    pub wire: Option<Kept<Message>>,
    pub left: Budget,
    /// What went wrong inside an operator.
    pub broken: Option<&'static str>,
}

/// The version of the record in the ledger. Only whether a version is the newest matters, so writes are
/// not counted: states that differ in nothing else are one.
const NEWEST: u64 = 10;
/// The version of a record that another write replaced.
const OLD: u64 = 1;

impl From<Ask> for Task {
    fn from(ask: Ask) -> Self {
        match ask {
            Ask::Object(action) => Self::Object(action),
            Ask::Record(request) => Self::Record(request),
        }
    }
}

impl Task {
    /// The write of a record that it is.
    pub fn write(&self) -> Option<&Write> {
        match self {
            Self::Object(Action::Write(write)) | Self::Record(Request::Write(write, _)) => Some(write),
            _ => None,
        }
    }

    /// The call that it is.
    pub fn call(&self) -> Option<Call> {
        match self {
            Self::Record(Request::Call(call)) => Some(*call),
            _ => None,
        }
    }
}

impl Kept<Task> {
    /// Changes the record that it writes.
    pub fn map(&self, change: impl Fn(&Record) -> Record) -> Self {
        let changed = |write: &Write| Box::new(Write { record: change(&write.record), ..write.clone() });
        Self::new(match &**self {
            Task::Object(Action::Write(write)) => Task::Object(Action::Write(changed(write))),
            Task::Record(Request::Write(write, then)) => Task::Record(Request::Write(changed(write), *then)),
            _ => return self.clone(),
        })
    }
}

impl Writer {
    /// Changes every record this process has in hand.
    pub fn map(&mut self, change: impl Fn(&Record) -> Record) {
        let same = self.saved == self.record;
        self.saved = self.saved.as_ref().map(|record| Kept::new(change(record)));
        self.record = match &self.record {
            Some(record) if !same => Some(Kept::new(change(record))),
            _ => self.saved.clone(),
        };
        for task in &mut self.queue {
            *task = task.map(&change);
        }
    }

    /// True for a function, which ends when it is done, or fails.
    pub fn is_function(&self) -> bool {
        self.invoked.is_some() || self.looks
    }

    /// True for a process that does things: others may wait for ever.
    pub fn works(&self) -> bool {
        self.running && self.stop == Stop::No
    }
}

impl State {
    pub fn record(&self) -> Option<&Record> {
        self.ledger.as_deref()
    }

    /// The ledger takes a record: what anybody else has in hand is old now.
    pub fn commit(&mut self, mut record: Record) {
        record.version = NEWEST;
        self.ledger = Some(Kept::new(record));
        // A write that is underway names a version that was replaced: it comes to nothing.
        self.wire.take_if(|message| message.task.write().is_some());
        for writer in &mut self.writers {
            if writer.running && writer.saved.as_ref().is_none_or(|record| record.version != OLD) {
                writer.map(|record| Record { version: OLD, ..record.clone() });
            }
        }
    }

    /// Something happened that operators are told of.
    pub fn news(&mut self) {
        for writer in &mut self.writers {
            writer.news = writer.running;
        }
        self.wake_executions();
    }

    pub fn device(&mut self, who: Who) -> &mut Device {
        match who {
            Who::Kitchen => &mut self.world.kitchen,
            Who::Courier => &mut self.world.courier,
        }
    }
}

/// A Lambda at work for a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Invocation {
    /// The execution's name.
    pub execution: String,
    pub step: Step,
    /// The machine waits for its answer: it did not give it up.
    pub counts: bool,
}

/// A device that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Kitchen,
    Courier,
}
