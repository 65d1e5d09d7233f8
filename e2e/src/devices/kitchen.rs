//! A kitchen tablet: `prepare` leads to `accepted`, `preparing` and `ready`; `cancel` stops that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::inbox::{Inbox, Verdict};
use super::message::{Command, Order, Topic};
use super::options::DeviceOptions;
use super::outbox::{Outbox, Report};
use super::rules::{Behaviour, Rule};
use super::session::Device;

/// A kitchen of one or more stores.
pub(super) struct Kitchen {
    outbox: Outbox,
    rules: Vec<Rule>,
    accept: Duration,
    prepare: Duration,
    inbox: Mutex<Inbox>,
    work: Work,
}

type Work = Arc<Mutex<HashMap<Order, Job>>>;

/// An order in the kitchen.
struct Job {
    stop: CancellationToken,
    ready: bool,
}

impl Kitchen {
    pub(super) fn new(outbox: Outbox, options: &DeviceOptions, prepare: Duration) -> Self {
        let (rules, accept) = (options.rules.clone(), Duration::from_millis(options.accept_ms));
        Self { outbox, rules, accept, prepare, inbox: Mutex::default(), work: Work::default() }
    }

    fn prepare(&self, order: Order, behaviour: Behaviour, seq: u64) {
        let stop = CancellationToken::new();
        locked(&self.work).insert(order.clone(), Job { stop: stop.clone(), ready: false });
        let cook = Cook {
            outbox: self.outbox.clone(),
            work: Arc::clone(&self.work),
            accept: behaviour.pace(self.accept),
            prepare: behaviour.pace(self.prepare),
            order,
            behaviour,
            seq,
        };
        tokio::spawn(stop.run_until_cancelled_owned(cook.work()));
    }

    fn cancel(&self, order: &Order, behaviour: Behaviour, seq: u64) {
        let jobs = locked(&self.work);
        let report = match jobs.get(order) {
            Some(job) if job.ready => Report::new("cancel-refused", seq).because("the order is ready"),
            Some(job) => {
                job.stop.cancel();
                Report::new("cancelled", seq)
            }
            None => Report::new("cancelled", seq).because("the order never came"),
        };
        self.outbox.send(order, behaviour, report);
    }
}

impl Device for Kitchen {
    fn topics(&self) -> Vec<String> {
        ["kitchen/+/prepare", "kitchen/+/cancel"].map(str::to_owned).to_vec()
    }

    fn receive(&self, topic: Topic, payload: &[u8]) {
        let Topic { order, .. } = topic;
        let Ok(command) = serde_json::from_slice::<Command>(payload) else {
            let details = json!({ "orderId": order.id, "payload": String::from_utf8_lossy(payload) });
            return self.outbox.journal.write("malformed", details);
        };
        let verdict = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).judge(&order, &command);
        self.outbox.received(&order, payload, verdict);
        let behaviour = Behaviour::of(&order.id, &self.rules);
        match (verdict, command.name.as_str(), behaviour) {
            (Verdict::Duplicate | Verdict::Stale, ..)
            | (_, _, Behaviour::Silent)
            | (_, "cancel", Behaviour::DeadAtCancel) => {}
            (_, "prepare", _) => self.prepare(order, behaviour, command.seq),
            (_, "cancel", _) => self.cancel(&order, behaviour, command.seq),
            (_, other, _) => self.outbox.journal.write("unknown-command", json!({ "command": other })),
        }
    }
}

/// One order being worked on.
struct Cook {
    outbox: Outbox,
    work: Work,
    order: Order,
    behaviour: Behaviour,
    seq: u64,
    accept: Duration,
    prepare: Duration,
}

impl Cook {
    async fn work(self) {
        tokio::time::sleep(self.accept).await;
        match self.behaviour {
            Behaviour::Reject => {
                locked(&self.work).remove(&self.order);
                self.send(Report::new("rejected", self.seq).because("the kitchen is closed"));
            }
            Behaviour::OutOfOrder => {
                tokio::time::sleep(self.prepare).await;
                self.finish();
                self.say("accepted");
                self.say("preparing");
            }
            _ => {
                self.say("accepted");
                self.outbox.flood(&self.order, self.behaviour, self.seq);
                self.say("preparing");
                tokio::time::sleep(self.prepare).await;
                self.finish();
            }
        }
    }

    /// Ready, unless a cancel came first; nothing can come between the look and the word.
    fn finish(&self) {
        let mut jobs = locked(&self.work);
        if let Some(job) = jobs.get_mut(&self.order).filter(|job| !job.stop.is_cancelled()) {
            job.ready = true;
            self.say("ready");
        }
    }

    fn say(&self, event: &str) {
        self.send(Report::new(event, self.seq));
    }

    fn send(&self, report: Report<'_>) {
        self.outbox.send(&self.order, self.behaviour, report);
    }
}

impl Outbox {
    /// Logs a command and what was made of it.
    pub(super) fn received(&self, order: &Order, payload: &[u8], verdict: Verdict) {
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let (tenant, store, id) = (&order.tenant, &order.store, &order.id);
        let details = json!({ "tenant": tenant, "store": store, "orderId": id, "verdict": verdict, "command": payload });
        self.journal.write("command", details);
    }
}

fn locked(work: &Work) -> MutexGuard<'_, HashMap<Order, Job>> {
    work.lock().unwrap_or_else(PoisonError::into_inner)
}
