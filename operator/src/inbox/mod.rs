//! What wake queues bring: that an order which an execution carries moved, waits or ended. The order is looked up first,
//! the message deleted second. It is believed no further than that there is something to look at.
//!
//! All clusters of an installation share its queue: what is another's to see is left, and comes again after a pause. What
//! cannot be read is left too, so that it gets where people look for it: the queue's dead letters.

mod message;
pub mod receiving;
#[cfg(test)]
pub mod tests;

use std::sync::Arc;
use std::time::Duration;

use comanda_crds::Order;
use comanda_saga::Identity;
use comanda_steps::adapters::sqs::BATCH;
use comanda_steps::ports::{Inbox, Ledger, LedgerError, Received};
use futures::StreamExt;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use self::message::Said;
use self::receiving::{QUIET, receive, settle};
use crate::error::Error;
use crate::live::Live;
use crate::orders::{NotDone, Orders, object};
use crate::telemetry::Metrics;

/// How long a message waits for a ledger that does not answer before it is tried again.
const LEDGER_PAUSE: Duration = Duration::from_secs(1);
/// How often a cancellation is left of an order that nobody has claimed: half a minute.
const UNCLAIMED: u32 = 3;

/// A queue to receive from, for as long as somebody holds its other end.
pub struct Subscription {
    /// The queue.
    pub inbox: Arc<dyn Inbox>,
    /// Its URL, for people.
    pub queue_url: String,
    /// Whose orders it tells of.
    pub installation: String,
    /// Which holds them.
    pub ledger: Arc<dyn Ledger>,
    /// Is told whether the queue answers, or why not.
    pub answers: watch::Sender<Result<(), String>>,
}

/// Who hears of what queues bring.
#[derive(Clone)]
pub struct Audience {
    /// This cluster's name in the ledger.
    pub cluster: String,
    /// What is remembered of orders.
    pub live: Arc<Live>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Wakes an order.
    pub wake: mpsc::UnboundedSender<ObjectRef<Order>>,
    /// Cancels objects.
    pub orders: Arc<dyn Orders>,
    /// Set when this process stops: nothing is deleted then that nobody would look at.
    pub stop: CancellationToken,
}

/// Receives from all queues, until a part of it ends that never should.
pub async fn take_in(mut subscriptions: mpsc::UnboundedReceiver<Subscription>, audience: Audience) {
    let mut serving = JoinSet::new();
    loop {
        tokio::select! {
            subscription = subscriptions.recv() => {
                let Some(subscription) = subscription else { return };
                let reader = Reader { subscription, audience: audience.clone() };
                serving.spawn(async move { reader.serve().await });
            }
            Some(served) = serving.join_next() => {
                if served.is_err() {
                    return;
                }
            }
        }
    }
}

/// Reads one queue.
struct Reader {
    subscription: Subscription,
    audience: Audience,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This object looks again.
    Wakes(ObjectRef<Order>),
    /// The order's object is cancelled; the watch brings that.
    Cancelled,
    /// Nobody has to look: the order is over or unknown, or its object reads the ledger when it comes.
    Needless,
    /// Another cluster's operator has to see it.
    Anothers,
    /// Nobody can tell what it says, and why.
    Unreadable(String),
}

impl Reader {
    /// Until the queue is given up, or the process stops.
    async fn serve(&self) {
        let Subscription { inbox, queue_url, answers, .. } = &self.subscription;
        let mut failures = 0_u32;
        loop {
            let received = tokio::select! {
                received = receive(&**inbox, BATCH, queue_url, answers, &mut failures) => received,
                () = answers.closed() => return,
                () = self.audience.stop.cancelled() => return,
            };
            // A batch is at most ten.
            let taken = futures::stream::iter(received).for_each_concurrent(None, |message| {
                let reader = &self;
                async move { reader.take(message).await }
            });
            tokio::select! {
                () = taken => {}
                () = self.audience.stop.cancelled() => return,
            }
        }
    }

    /// Takes in one message. Until it is deleted it comes again.
    async fn take(&self, received: Received) {
        let Subscription { inbox, queue_url, .. } = &self.subscription;
        let verdict = self.judge(&received).await;
        let (result, deleted) = match &verdict {
            Verdict::Wakes(_) => ("woke", true),
            Verdict::Cancelled => ("cancelled", true),
            Verdict::Needless => ("needless", true),
            Verdict::Anothers => ("anothers", false),
            Verdict::Unreadable(why) => {
                if received.times <= 1 {
                    warn!(queue_url, why, "a message cannot be read; it is left for the dead letters");
                }
                ("unreadable", false)
            }
        };
        self.audience.metrics.wakes.with_label_values(&[result]).inc();
        if let Verdict::Wakes(object) = verdict {
            // The receiver goes when the controller stops; then the message stays.
            if self.audience.wake.send(object).is_err() || self.audience.stop.is_cancelled() {
                return;
            }
        }
        settle(&**inbox, &received, deleted, queue_url).await;
    }

    /// What becomes of a message. One about an order that no object follows waits for a ledger that does not answer: to
    /// receive it again and again would make it a dead letter.
    async fn judge(&self, received: &Received) -> Verdict {
        let said = match message::read(&received.body, &self.subscription.installation) {
            Ok(said) => said,
            Err(why) => return Verdict::Unreadable(why.to_owned()),
        };
        let mut failures = 0_u32;
        loop {
            match self.look_up(&said, received.times).await {
                Ok(verdict) => return verdict,
                Err(error @ Error::Ledger(LedgerError::Corrupt(_))) => {
                    return Verdict::Unreadable(error.to_string());
                }
                Err(error) => {
                    if failures.is_multiple_of(QUIET) {
                        warn!(%error, failures, "the message waits for the ledger or the API server");
                    }
                    failures += 1;
                    tokio::time::sleep(LEDGER_PAUSE).await;
                }
            }
        }
    }

    async fn look_up(&self, Said { order, ended, cancel }: &Said, times: u32) -> Result<Verdict, Error> {
        let ended = ended.as_deref();
        let named = || self.audience.live.executed_by(ended?);
        let Some(identity) = order.clone().or_else(named) else {
            // Nothing but the name of an execution: whoever follows its order knows it.
            return Ok(Verdict::Anothers);
        };
        if *cancel {
            return self.cancel(&identity, times).await;
        }
        Ok(self.audience.hear(&*self.subscription.ledger, &identity, ended).await?)
    }

    /// The order's object is cancelled, if the ledger says so too. Where there is none yet, whoever makes it reads that.
    async fn cancel(&self, identity: &Identity, times: u32) -> Result<Verdict, Error> {
        let Audience { cluster, orders, .. } = &self.audience;
        let ledger = &self.subscription.ledger;
        let Some(sent) = ledger.sent(identity).await? else { return Ok(Verdict::Needless) };
        let Some(reason) = &sent.cancel else { return Ok(Verdict::Needless) };
        let record = ledger.load(identity).await?.map(|loaded| loaded.record);
        let owner = record.as_ref().map(|record| record.owner.as_ref());
        // An object of ours may be there too, which does not have the order.
        if let Some(Some(owner)) = owner
            && owner.cluster != *cluster
        {
            return Ok(Verdict::Anothers);
        }
        Ok(match orders.cancel(&object(identity, &sent), reason).await {
            Ok(true) => Verdict::Cancelled,
            // Another cluster may have made the object a moment ago, and not claimed the order yet.
            Ok(false) if owner.is_none() && times <= UNCLAIMED => Verdict::Anothers,
            Ok(false) => Verdict::Needless,
            Err(NotDone::Refused(why)) => Verdict::Unreadable(why),
            Err(NotDone::Unanswered(error)) => return Err(error),
        })
    }
}

impl Audience {
    /// Who looks at an order of which somebody says that there is something to see, or that an execution of it ended.
    ///
    /// # Errors
    /// When the ledger does not answer.
    pub async fn hear(
        &self,
        ledger: &dyn Ledger,
        order: &Identity,
        ended: Option<&str>,
    ) -> Result<Verdict, LedgerError> {
        match self.live.tell(order, ended) {
            Some(object) => Ok(Verdict::Wakes(object)),
            None => self.of_nobody(ledger, order, ended).await,
        }
    }

    /// The order is followed by no object here: the ledger says whose it is.
    async fn of_nobody(
        &self,
        ledger: &dyn Ledger,
        order: &Identity,
        ended: Option<&str>,
    ) -> Result<Verdict, LedgerError> {
        let Some(record) = ledger.load(order).await?.map(|loaded| loaded.record) else {
            return Ok(Verdict::Needless);
        };
        let is_over = record.phase.is_final();
        Ok(match &record.owner {
            // Of an order that is over, nobody has anything to see unless a person is needed.
            _ if is_over && !record.is_stalled() => Verdict::Needless,
            Some(owner) if owner.cluster != self.cluster => Verdict::Anothers,
            _ if is_over => {
                let stall = record.stall.as_ref().map_or("", |stall| &stall.message);
                warn!(%order, outcome = "NeedsPerson", stall, "an order whose object is gone needs a person");
                Verdict::Needless
            }
            Some(_) if ended.is_some_and(|ended| record.is_executed_by(ended)) => {
                // The operator began a moment ago. What an object finds in the ledger does not say this.
                self.live.keep_word(order, ended);
                // The object may have come meanwhile.
                self.live.tell(order, ended).map_or(Verdict::Needless, Verdict::Wakes)
            }
            _ => Verdict::Needless,
        })
    }
}
