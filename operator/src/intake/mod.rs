//! Orders that came over HTTP: each class with an `intake` receives from its queue while it has room, and makes an `Order`
//! of each. The object is made first, the message deleted second; a second message finds the object, or the record, there.
//!
//! An order rests in the queue while its class is full, suspended or going. It is not received then, so that resting does
//! not make it a dead letter.

mod reader;
#[cfg(test)]
pub mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use comanda_crds::{Intake, Order, OrderClass};
use comanda_steps::adapters::sqs::SqsInbox;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::reader::Reader;
use crate::context::Context;
use crate::error::Error;
use crate::executor::Queue;
use crate::orders::Orders;
use crate::services::Pool;
use crate::telemetry::Metrics;

/// The intakes of all classes.
pub struct Intakes {
    standing: Mutex<HashMap<String, Standing>>,
    classes: Store<OrderClass>,
    orders: Store<Order>,
    orders_listed: watch::Receiver<bool>,
    api: Arc<dyn Orders>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

/// An intake that is received from.
struct Standing {
    intake: Intake,
    /// Whether its queue answers, or why not.
    answers: watch::Receiver<Result<(), String>>,
    /// The queue by which its orders are cancelled, received from while this stands.
    wakes: Option<Arc<Queue>>,
    /// It ends with this.
    _end: DropGuard,
}

impl Intakes {
    /// None yet. Orders are counted in the cache, and objects made by `api`.
    pub fn new(
        context: &Context,
        orders: Store<Order>,
        orders_listed: watch::Receiver<bool>,
        api: Arc<dyn Orders>,
    ) -> Self {
        let (classes, metrics, stop) =
            (context.classes.clone(), Arc::clone(&context.metrics), context.stop.clone());
        Self { standing: Mutex::default(), classes, orders, orders_listed, api, metrics, stop }
    }

    /// Receives what a class takes in, from now on, as it now says; and says whether its queues answer.
    pub fn serve(&self, class: &OrderClass, pool: &Pool) -> Result<(), String> {
        let name = class.name_any();
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(intake) = &class.spec.intake else {
            standing.remove(&name);
            return Ok(());
        };
        if standing.get(&name).is_none_or(|known| known.intake != *intake) {
            // Whatever stood before ends first: two readers would take in twice as many as there is room for.
            standing.remove(&name);
            let executor = class.spec.executor.as_ref().map(|executor| &executor.step_functions.queue_url);
            if executor == Some(&intake.queue_url) {
                return Err(format!(
                    "{} is the wake queue: name the stack's IntakeQueueUrl",
                    intake.queue_url
                ));
            }
            if let Some((other, _)) =
                standing.iter().find(|(_, known)| known.intake.queue_url == intake.queue_url)
            {
                return Err(format!(
                    "the class {other} takes in from {}: give each class its own queue",
                    intake.queue_url
                ));
            }
            let begun = self.begin(class, intake, pool).map_err(|error| error.to_string())?;
            standing.insert(name.clone(), begun);
        }
        let Some(known) = standing.get(&name) else { return Ok(()) };
        known.answers.borrow().clone().map_err(|error| format!("{}: {error}", intake.queue_url))?;
        let wakes = known.wakes.as_ref().map_or(Ok(()), |wakes| wakes.answers.borrow().clone());
        wakes.map_err(|error| format!("{}: {error}", intake.wake_queue_url.as_deref().unwrap_or_default()))
    }

    /// Takes in no more for a class that is gone.
    pub fn forget(&self, class: &str) {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).remove(class);
    }

    fn begin(&self, class: &OrderClass, intake: &Intake, pool: &Pool) -> Result<Standing, Error> {
        let ledger = Arc::clone(&pool.of(&class.spec)?.ledger);
        let wakes = intake
            .wake_queue_url
            .as_deref()
            .map(|url| pool.wake_queue(&class.spec, url, &ledger))
            .transpose()?;
        let (told, answers) = watch::channel(Ok(()));
        let end = self.stop.child_token();
        let reader = Reader {
            class: class.name_any(),
            installation: class.spec.installation.clone(),
            intake: intake.clone(),
            inbox: Arc::new(SqsInbox::new(&pool.aws(&class.spec), intake.queue_url.clone())),
            ledger,
            api: Arc::clone(&self.api),
            classes: self.classes.clone(),
            orders: self.orders.clone(),
            orders_listed: self.orders_listed.clone(),
            metrics: Arc::clone(&self.metrics),
            answers: told,
            stop: end.clone(),
        };
        tokio::spawn(reader.serve());
        Ok(Standing { intake: intake.clone(), answers, wakes, _end: end.drop_guard() })
    }
}
