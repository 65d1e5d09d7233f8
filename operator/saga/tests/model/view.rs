//! What an operator sees, and what it decides on it.

use std::cell::RefCell;
use std::collections::HashMap;

use comanda_crds::Capture;
use comanda_saga::{
    Action, CourierState, DeviceSignal, Effect, EntryState, KitchenState, Observed, Record, StockChange,
    Wait, Write, decide,
};

use crate::kept::Kept;
use crate::state::{Defect, Object, Rest, Said, Task, Told, now, plain};
use crate::support::{event, observed};

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
    pub fresh: bool,
    pub object: Object,
    /// With the number of the command that is answered.
    pub heard: Vec<(Said, u64)>,
    pub capture: Capture,
    pub defect: Option<Defect>,
}

/// What it decides, the next thing last.
#[derive(Clone)]
pub struct Plan {
    pub tasks: Vec<Kept<Task>>,
    pub rest: Rest,
    /// What the status is to say.
    pub told: Told,
}

impl View {
    fn plan(&self) -> Result<Plan, &'static str> {
        let decision = decide(&self.observe(), now()).map_err(|_| "decided on an illegal transition")?;
        if decision.actions.is_empty() && decision.wait == Wait::Not {
            return Err("has nothing to do and does not rest");
        }
        let returns =
            |action: &Action| matches!(action, Action::Write(write) if write.stock == StockChange::Return);
        let began = [Said::Preparing, Said::Ready, Said::KitchenWentOn];
        if decision.actions.iter().any(returns) && self.heard.iter().any(|(said, _)| began.contains(said)) {
            return Err("returns stock of which the kitchen said that it is used up");
        }
        let told = Told { phase: decision.status.phase, reason: decision.status.reason };
        let tasks = decision.actions.into_iter().rev().map(|action| {
            Kept::new(Task::Act(match action {
                Action::Write(write) => {
                    Action::Write(Box::new(Write { record: plain(write.record), ..*write }))
                }
                other => other,
            }))
        });
        let rest = match decision.wait {
            Wait::Until(_) => Rest::Until,
            _ => Rest::Event,
        };
        Ok(Plan { tasks: tasks.collect(), rest, told })
    }

    fn observe(&self) -> Observed {
        let mut o = observed(None);
        o.saved = self.saved.as_deref().cloned();
        o.record = self.record.as_deref().cloned();
        if let (Some(defect), Some(record)) = (self.defect, &mut o.record) {
            spoil(defect, record);
        }
        o.order.has_finalizer = self.object.finalizer;
        o.order.deleted = self.object.deleted;
        o.order.cancel = self.object.cancel.then(|| "ordered twice".to_owned());
        o.order.suspend = self.object.suspend;
        o.order.retry = self.object.retry.then(|| "once more".to_owned());
        if let Some(class) = &mut o.class {
            class.spec.payments.capture = self.capture;
        }
        o.payment_seen_at = self.fresh.then(now);
        o.events = self.heard.iter().map(|(said, seq)| event(signal(*said), *seq)).collect();
        o
    }
}

fn signal(said: Said) -> DeviceSignal {
    match said {
        Said::Preparing => DeviceSignal::Kitchen(KitchenState::Preparing),
        Said::Ready => DeviceSignal::Kitchen(KitchenState::Ready),
        Said::Rejected => DeviceSignal::Kitchen(KitchenState::Rejected),
        Said::KitchenStopped => DeviceSignal::KitchenRecalled(true),
        Said::KitchenWentOn => DeviceSignal::KitchenRecalled(false),
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
            record.settle(Effect::Capture, EntryState::NotDone, None, now());
        }
        Defect::UndoDoesNotLook => record.payment.known_to_undo = true,
        _ => {}
    }
}
