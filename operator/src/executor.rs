//! Step Functions, as a class with an executor has it: its machine, and what its wake queue brings.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use aws_config::SdkConfig;
use comanda_crds::OrderClassSpec;
use comanda_steps::adapters::sqs::SqsInbox;
use comanda_steps::adapters::stepfunctions::StepFunctions;
use comanda_steps::ports::{Executions, Ledger};
use tokio::sync::{mpsc, watch};

use crate::error::Error;
use crate::inbox::Subscription;

/// The executor of one class.
pub struct Executor {
    /// Its executions.
    pub executions: Arc<dyn Executions>,
    /// The wake queue, which is received from while this lives.
    pub queue: Arc<Queue>,
}

/// The end of a wake queue that keeps it received from.
pub struct Queue {
    /// Whether it answers, or why not.
    pub answers: watch::Receiver<Result<(), String>>,
}

/// The wake queues of all classes: one receiver each.
pub struct Queues {
    standing: Mutex<HashMap<String, Standing>>,
    subscriptions: mpsc::UnboundedSender<Subscription>,
}

/// A queue, and what it was made of.
struct Standing {
    aws: Option<comanda_crds::Aws>,
    installation: String,
    ledger: comanda_crds::Ledger,
    queue: Weak<Queue>,
}

impl Queues {
    /// None yet; each that comes goes to `subscriptions`.
    pub fn new(subscriptions: mpsc::UnboundedSender<Subscription>) -> Self {
        Self { standing: Mutex::default(), subscriptions }
    }

    /// The executor of a class, where it has one.
    pub fn executor(
        &self,
        class: &OrderClassSpec,
        aws: &SdkConfig,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Option<Executor>, Error> {
        let Some(executor) = &class.executor else { return Ok(None) };
        let queue = self.queue(class, &executor.step_functions.queue_url, aws, ledger)?;
        let executions = Arc::new(StepFunctions::new(aws_sdk_sfn::Client::new(aws)));
        Ok(Some(Executor { executions, queue }))
    }

    /// A queue by its URL. Classes share it: who receives a message twice, or for another ledger, looks for nothing.
    pub fn queue(
        &self,
        class: &OrderClassSpec,
        url: &str,
        aws: &SdkConfig,
        ledger: &Arc<dyn Ledger>,
    ) -> Result<Arc<Queue>, Error> {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, queue)) =
            standing.get(url).and_then(|known| Some((known, known.queue.upgrade()?)))
        {
            if (&known.aws, &known.installation, &known.ledger)
                != (&class.aws, &class.installation, &class.ledger)
            {
                return Err(Error::Class(format!(
                    "another class has the queue {url} with another region, installation or ledger: use another queue"
                )));
            }
            return Ok(queue);
        }
        let (told, answers) = watch::channel(Ok(()));
        // The receiver goes when the controllers stop.
        let _ = self.subscriptions.send(Subscription {
            inbox: Arc::new(SqsInbox::new(aws, url)),
            queue_url: url.to_owned(),
            installation: class.installation.clone(),
            ledger: Arc::clone(ledger),
            answers: told,
        });
        let queue = Arc::new(Queue { answers });
        let (aws, ledger) = (class.aws.clone(), class.ledger.clone());
        let installation = class.installation.clone();
        let known = Standing { aws, installation, ledger, queue: Arc::downgrade(&queue) };
        standing.insert(url.to_owned(), known);
        Ok(queue)
    }
}
