//! One class's intake queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use comanda_crds::{Cancel, Intake, Order, OrderClass};
use comanda_saga::Identity;
use comanda_steps::adapters::sqs::BATCH;
use comanda_steps::intake::{Announcement, Sent, is_order_id};
use comanda_steps::ports::{Inbox, Ledger, LedgerError, Received};
use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::Error;
use crate::faults;
use crate::inbox::receiving::{QUIET, receive, settle};
use crate::orders::{NotDone, Orders, object};
use crate::telemetry::Metrics;

/// How often a class without room is looked at again.
const NO_ROOM: Duration = Duration::from_millis(250);
/// How long a message waits for a ledger or an API server that does not answer before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// When an order that is not written yet is looked for again before its message is left: the message is often faster than the
/// transaction behind it.
const WRITTEN_SOON: [Duration; 3] =
    [Duration::from_millis(50), Duration::from_millis(200), Duration::from_millis(750)];
/// How often a message comes before its order can be said never to come: the pauses between make more than two minutes.
const VOID_AFTER: u32 = 6;
/// How long an object that was made counts while the cache does not show it.
const UNSEEN: Duration = Duration::from_mins(1);
/// Receives from one queue.
pub(super) struct Reader {
    pub class: String,
    pub installation: String,
    pub intake: Intake,
    pub inbox: Arc<dyn Inbox>,
    pub ledger: Arc<dyn Ledger>,
    pub api: Arc<dyn Orders>,
    pub classes: Store<OrderClass>,
    pub orders: Store<Order>,
    /// The cache of orders holds all of them.
    pub orders_listed: watch::Receiver<bool>,
    pub metrics: Arc<Metrics>,
    /// Is told whether the queue answers, or why not.
    pub answers: watch::Sender<Result<(), String>>,
    pub stop: CancellationToken,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is an object of this name now.
    Made(String),
    /// The order has been claimed before.
    Known,
    /// It is not written yet.
    Unwritten,
    /// It was never written, and will not be.
    Void,
    /// The API server does not take it, and why.
    Refused(String),
    /// It is no announcement to this class, and why.
    Unreadable(String),
}

impl Reader {
    /// Until the intake is given up, or the process stops.
    pub async fn serve(self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.receive() => {}
        }
    }

    async fn receive(&self) {
        // Objects that were made, and that the cache does not show yet.
        let mut made = HashMap::new();
        let mut failures = 0_u32;
        loop {
            let room = self.room(&mut made);
            self.metrics.intake_open.with_label_values(&[&self.class]).set(i64::from(room > 0));
            if room == 0 {
                tokio::time::sleep(NO_ROOM).await;
                continue;
            }
            let (inbox, url) = (&*self.inbox, &self.intake.queue_url);
            let messages = receive(inbox, room.min(BATCH), url, &self.answers, &mut failures).await;
            let taken = futures::stream::iter(messages).map(|message| self.take(message));
            let taken: Vec<_> = taken.buffer_unordered(BATCH).collect().await;
            made.extend(taken.into_iter().flatten().map(|name| (name, Instant::now())));
        }
    }

    /// For how many more orders the class has room.
    pub fn room(&self, made: &mut HashMap<String, Instant>) -> usize {
        // Before the orders are listed, none seen is not none there.
        if !*self.orders_listed.borrow() {
            return 0;
        }
        let Some(class) = self.classes.get(&ObjectRef::new(&self.class)) else { return 0 };
        if class.spec.suspend || class.metadata.deletion_timestamp.is_some() {
            return 0;
        }
        made.retain(|name, at| {
            let unseen = self.orders.get(&ObjectRef::new(name).within(&self.intake.namespace)).is_none();
            unseen && at.elapsed() < UNSEEN
        });
        let Some(most) = class.spec.max_live_orders.and_then(|most| usize::try_from(most).ok()) else {
            return BATCH;
        };
        let is_live = |order: &&Arc<Order>| {
            let over = order.status.as_ref().is_some_and(|status| status.phase.is_final());
            order.spec.class_name == self.class && !over
        };
        most.saturating_sub(self.orders.state().iter().filter(is_live).count() + made.len())
    }

    /// Takes in one message; gives the name of the object that was made. Until a message is deleted it comes again.
    async fn take(&self, received: Received) -> Option<String> {
        let verdict = self.judge(&received).await;
        let (result, deleted) = match &verdict {
            Verdict::Made(_) => ("made", true),
            Verdict::Known => ("known", true),
            Verdict::Unwritten => ("unwritten", false),
            Verdict::Void => ("void", true),
            Verdict::Refused(why) | Verdict::Unreadable(why) => {
                warn!(
                    class = self.class,
                    why,
                    times = received.times,
                    "an order cannot be made; its message is left"
                );
                (if matches!(verdict, Verdict::Refused(_)) { "refused" } else { "unreadable" }, false)
            }
        };
        self.metrics.intake.with_label_values(&[&self.class, result]).inc();
        settle(&*self.inbox, &received, deleted, &self.intake.queue_url).await;
        if let Verdict::Made(name) = verdict { Some(name) } else { None }
    }

    /// What becomes of a message. It waits for whatever does not answer: to receive it again and again would make it a
    /// dead letter.
    pub async fn judge(&self, received: &Received) -> Verdict {
        let identity = match self.announced(&received.body) {
            Ok(identity) => identity,
            Err(why) => return Verdict::Unreadable(why.to_owned()),
        };
        let (mut failures, mut soon) = (0_u32, WRITTEN_SOON.into_iter());
        loop {
            match self.make(&identity).await {
                Ok(Verdict::Unwritten) if is_void(received) => return Verdict::Void,
                Ok(Verdict::Unwritten) => match soon.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Verdict::Unwritten,
                },
                Ok(verdict) => return verdict,
                Err(error) => {
                    if failures.is_multiple_of(QUIET) {
                        warn!(%error, order = %identity, failures, "the order waits to be made");
                    }
                    failures += 1;
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// The order that a message announces to this class. Whoever may send to the queue can say anything.
    fn announced(&self, body: &str) -> Result<Identity, &'static str> {
        let announcement: Announcement = serde_json::from_str(body).map_err(|_| "it announces no order")?;
        let identity = announcement.announced.identity();
        if identity.installation != self.installation {
            return Err("it is about another installation");
        }
        if identity.tenant != self.intake.namespace {
            return Err("it is about another tenant than the class's intake.namespace");
        }
        if is_order_id(&identity.order_id) {
            Ok(identity)
        } else {
            Err("no order that came over HTTP has such an id")
        }
    }

    async fn make(&self, identity: &Identity) -> Result<Verdict, Error> {
        let corrupt = |error: LedgerError| match error {
            LedgerError::Corrupt(why) => Ok(Verdict::Unreadable(why)),
            error => Err(Error::from(error)),
        };
        let sent = match self.ledger.sent(identity).await {
            Ok(Some(sent)) => sent,
            Ok(None) => return Ok(Verdict::Unwritten),
            Err(error) => return corrupt(error),
        };
        // Once it was claimed, there is or was an object: a message that comes again makes no second one.
        let record = match self.ledger.load(identity).await {
            Ok(loaded) => loaded.map(|loaded| loaded.record),
            Err(error) => return corrupt(error),
        };
        if let Some(record) = record {
            // Whoever made it may have died before it read that.
            return match sent.cancel.as_ref().filter(|_| !record.phase.is_final()) {
                Some(reason) => self.cancel(identity, &sent, reason, Verdict::Known).await,
                None => Ok(Verdict::Known),
            };
        }
        faults::intake("before-object", identity);
        match self.api.create(&self.object(identity, &sent)).await {
            Ok(()) => faults::intake("after-object", identity),
            Err(NotDone::Refused(why)) => return Ok(Verdict::Refused(why)),
            Err(NotDone::Unanswered(error)) => return Err(error),
        }
        // Whoever cancelled before there was an object found none; one that is there may have been made before.
        let made = Verdict::Made(identity.order_id.clone());
        if let Some(Sent { cancel: Some(reason), .. }) = self.ledger.sent(identity).await? {
            return self.cancel(identity, &sent, &reason, made).await;
        }
        faults::intake("before-delete", identity);
        info!(order = %identity, "an order that came over HTTP has its object");
        Ok(made)
    }

    /// Cancels the order's object; then it is as `done` says.
    async fn cancel(
        &self,
        identity: &Identity,
        sent: &Sent,
        reason: &str,
        done: Verdict,
    ) -> Result<Verdict, Error> {
        match self.api.cancel(&object(identity, sent), reason).await {
            Ok(_) => Ok(done),
            Err(NotDone::Refused(why)) => Ok(Verdict::Refused(why)),
            Err(NotDone::Unanswered(error)) => Err(error),
        }
    }

    fn object(&self, identity: &Identity, sent: &Sent) -> Order {
        let mut order = object(identity, sent);
        order.spec.cancel = sent.cancel.clone().map(|reason| Cancel { reason });
        order.spec.ttl_seconds_after_finished = Some(self.intake.ttl_seconds_after_finished);
        order
    }
}

/// True when what a message announces will not come any more. The clock here is not the queue's: how often it came, by the
/// queue's pauses, counts as well.
fn is_void(received: &Received) -> bool {
    received.times >= VOID_AFTER && Announcement::is_void(received.sent_at, Timestamp::now())
}
