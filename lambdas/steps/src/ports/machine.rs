//! What operator and functions need of the state machine, and of each other.

use async_trait::async_trait;
use comanda_saga::driver::Step;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::contract::Wake;

/// A wait of an execution, for whoever is to end it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The execution's name.
    pub execution: String,
    /// The step that is called when the wait ends.
    pub step: Step,
    /// The task token. Whoever has it can end the wait.
    pub token: String,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { execution, step, .. } = self;
        f.debug_struct("Waiting").field("execution", execution).field("step", step).finish_non_exhaustive()
    }
}

/// Step Functions.
#[async_trait]
pub trait Executions: Send + Sync {
    /// Starts an execution; done when one of this name was started, now or before.
    async fn start(&self, machine_arn: &str, name: &str, input: String) -> Result<(), ExecutionError>;
    /// Why an execution ended, in a sentence; none while it runs.
    async fn ended(&self, machine_arn: &str, name: &str) -> Result<Option<String>, ExecutionError>;
    /// Stops an execution, for a reason in a sentence.
    async fn stop(&self, machine_arn: &str, name: &str, why: &str) -> Result<(), ExecutionError>;
    /// Ends a wait; done when it is over, by this or before.
    async fn wake(&self, token: &str) -> Result<(), ExecutionError>;
    /// Whether a machine takes executions that can be started by name.
    async fn check(&self, machine_arn: &str) -> Result<(), ExecutionError>;
}

/// Step Functions gave no answer that proves anything.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("Step Functions did not do as asked: {0}")]
pub struct ExecutionError(pub String);

/// The way from the machine to the operator.
#[async_trait]
pub trait Wakes: Send + Sync {
    /// Has the operator look at an order.
    async fn send(&self, wake: &Wake) -> Result<(), WakeError>;
}

/// The queue did not take a message, or its answer was lost.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the wake queue did not take the message: {0}")]
pub struct WakeError(pub String);

/// The operator's end of that way. What is received and not deleted comes again.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Waits a while for messages: so many at most, or none.
    async fn receive(&self, most: usize) -> Result<Vec<Received>, InboxError>;
    /// A message is done with.
    async fn delete(&self, received: &Received) -> Result<(), InboxError>;
    /// A message is left for another who receives: it comes again after so many seconds.
    async fn leave(&self, received: &Received, seconds: u32) -> Result<(), InboxError>;
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What it says. Whoever may send to the queue can say anything.
    pub body: String,
    /// By which it is deleted, or left.
    pub receipt: String,
    /// How often it was received, this time included.
    pub times: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
}

/// The queue did not do as asked, or its answer was lost.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
#[error("the wake queue did not do as asked: {0}")]
pub struct InboxError(pub String);
