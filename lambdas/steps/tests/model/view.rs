//! What an operator sees, and what it decides on it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use comanda_crds::Capture;
use comanda_saga::driver::Answer;
use comanda_saga::{
    Call, Circumstances, CourierState, DeviceEvent, DeviceSignal, Driver, Effect, EntryState, KitchenState,
    Look, Phase, Record, Sent, StockChange, Wait, Wishes, status,
};
use comanda_steps::carry::{self, InHand, Request};

use crate::kept::Kept;
use crate::state::{Defect, Lately, Object, Rest, Said, Task, Told};
use crate::support::{Ask, Seen, at, event, executor, seen};
use crate::time::{now, plain};

thread_local! {
    static PLANS: RefCell<HashMap<View, Result<Plan, &'static str>>> = RefCell::default();
}

/// What an operator with this view does; or what is wrong with that. Many histories show an operator the
/// same, so each view is decided on once.
pub fn plan(view: View) -> Result<Plan, &'static str> {
    PLANS.with_borrow_mut(|plans| plans.entry(view).or_insert_with_key(View::plan).clone())
}

/// Everything an operator sees when it decides.
#[derive(PartialEq, Eq, Hash)]
pub struct View {
    pub saved: Option<Kept<Record>>,
    pub record: Option<Kept<Record>>,
    pub lately: Lately,
    pub object: Object,
    /// With the number of the command that is answered.
    pub heard: BTreeSet<(Said, u64)>,
    pub capture: Capture,
    pub phases: &'static [Phase],
    pub driver: Driver,
    pub defect: Option<Defect>,
}

/// What it decides, the next thing last.
#[derive(Clone)]
pub struct Plan {
    pub tasks: Vec<Kept<Task>>,
    pub rest: Rest,
    /// What the status is to say.
    pub told: Told,
    /// What a step answers that has nothing more to do.
    pub answer: Option<Answer>,
}

impl View {
    fn plan(&self) -> Result<Plan, &'static str> {
        let mut hand = in_hand(self.saved.as_deref(), self.record.as_deref(), self.lately);
        if let (Some(defect), Some(hand)) = (self.defect, &mut hand) {
            spoil(defect, &mut hand.record);
        }
        let illegal = "decided on what the rules contradict";
        let mut seen = self.see();
        let mut answer = None;
        let (observed, asks, wait) = if let Driver::Execution { name, step } = &self.driver {
            // It sees neither object nor class.
            let around = Circumstances {
                driver: self.driver.clone(),
                wishes: Wishes::default(),
                policy: None,
                ..seen.circumstances()
            };
            let mut hand = hand.ok_or("a step of an order that nobody claimed")?;
            hand.hear(std::mem::take(&mut seen.events));
            let saved = hand.saved.clone();
            let asked = hand.next(&around, now()).map_err(|_| illegal)?;
            let waits = matches!(asked, Err(carry::Rest::Wait(_)));
            answer = asked.is_err().then(|| step.answer(name, &saved, waits, now()));
            let asks = asked.ok().map(Ask::Record).into_iter().collect();
            (seen.observed(Some(saved)), asks, Wait::ForEvent)
        } else if self.driver == Driver::Looker {
            let around = Circumstances {
                driver: Driver::Looker,
                wishes: Wishes::default(),
                policy: None,
                ..seen.circumstances()
            };
            let mut hand = hand.ok_or("a look at an order that nobody claimed")?;
            hand.hear(std::mem::take(&mut seen.events));
            let asked = hand.next(&around, now()).map_err(|_| illegal)?;
            if matches!(&asked, Ok(request) if !is_look(request)) {
                return Err("does more than to look and to write what it saw");
            }
            let asks = asked.ok().map(Ask::Record).into_iter().collect();
            (seen.observed(Some(hand.saved)), asks, Wait::ForEvent)
        } else {
            let (observed, asked) = seen.asks(hand.as_ref(), now());
            let (asks, wait) = asked.map_err(|_| illegal)?;
            (observed, asks, wait)
        };
        let asks: Vec<Ask> = asks;
        let tasks: Vec<Task> = asks.into_iter().map(Task::from).collect();
        let returns = tasks.iter().filter_map(Task::write).any(|write| write.stock == StockChange::Return);
        let began = [Said::Preparing, Said::Ready, Said::KitchenWentOn];
        if returns && self.heard.iter().any(|(said, _)| began.contains(said)) {
            return Err("returns stock of which the kitchen said that it is used up");
        }
        let status = status::project(&observed, now());
        let told = Told { phase: status.phase, reason: status.reason };
        if tasks.is_empty() && matches!(wait, Wait::Until(due) if due <= now()) {
            return Err("waits for a time that is past");
        }
        let rest = if matches!(wait, Wait::Until(_)) { Rest::Until } else { Rest::Event };
        let tasks = tasks.into_iter().rev().map(|task| Kept::new(task).map(|record| plain(record.clone())));
        Ok(Plan { tasks: tasks.collect(), rest, told, answer })
    }

    fn see(&self) -> Seen {
        let mut o = seen();
        o.order.has_finalizer = self.object.finalizer;
        o.order.deleted = self.object.deleted;
        o.order.cancel = self.object.cancel.then(|| "ordered twice".to_owned());
        o.order.suspend = self.object.suspend;
        o.order.retry = self.object.retry.then(|| "once more".to_owned());
        if let Some(class) = &mut o.class {
            class.spec.payments.capture = self.capture;
            class.spec.executor = (!self.phases.is_empty()).then(|| executor(self.phases));
        }
        // Long ago: silence counts from the command alone.
        let said = |(said, seq): &(Said, u64)| DeviceEvent { at: at(-7200), ..event(signal(*said), *seq) };
        o.events = self.heard.iter().map(said).collect();
        o
    }
}

/// True for what a looker may do: it begins nothing.
fn is_look(request: &Request) -> bool {
    match request {
        Request::Write(write, then) => then.is_none() && write.stock == StockChange::None,
        Request::Call(call) => matches!(call, Call::Read(Look::Payment | Look::Refunds)),
    }
}

/// What an operator has in hand.
pub fn in_hand(saved: Option<&Record>, record: Option<&Record>, lately: Lately) -> Option<InHand> {
    let mut hand = InHand::new(saved?.clone());
    if let Some(record) = record.filter(|record| **record != hand.saved) {
        hand.record = record.clone();
    }
    hand.payment_seen_at = lately.asked.then(now);
    hand.events_read_at = lately.read.then(now);
    hand.read_since = lately.read.then_some(Duration::ZERO);
    hand.execution_seen_at = lately.looked.then(now);
    hand.refunds_seen_at = lately.refunds.then(now);
    hand.sent = lately.sent.map(|seq| Sent { seq, at: now() });
    Some(hand)
}

fn signal(said: Said) -> DeviceSignal {
    match said {
        Said::Preparing => DeviceSignal::Kitchen(KitchenState::Preparing),
        Said::Ready => DeviceSignal::Kitchen(KitchenState::Ready),
        Said::Rejected => DeviceSignal::Kitchen(KitchenState::Rejected),
        Said::KitchenStopped => DeviceSignal::KitchenRecalled(true),
        Said::KitchenWentOn => DeviceSignal::KitchenRecalled(false),
        Said::Accepted => DeviceSignal::Courier(CourierState::Accepted),
        Said::PickedUp => DeviceSignal::Courier(CourierState::PickedUp),
        Said::Delivered => DeviceSignal::Courier(CourierState::Delivered),
        Said::CourierFailed => DeviceSignal::Courier(CourierState::Failed),
        Said::CourierStopped => DeviceSignal::CourierRecalled(true),
        Said::CourierWentOn => DeviceSignal::CourierRecalled(false),
    }
}

/// What an operator with a defect takes the record for.
fn spoil(defect: Defect, record: &mut Record) {
    match defect {
        Defect::CaptureNotLookedUp if record.state(Effect::Capture) == Some(EntryState::Intended) => {
            record.settle(Effect::Capture, EntryState::NotDone, None, now()).expect("a legal move");
        }
        Defect::UndoDoesNotLook => record.payment.known_to_undo = true,
        _ => {}
    }
}
