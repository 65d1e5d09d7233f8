//! The wake queue: the machine says there that an order moved, waits or ended.

use async_trait::async_trait;
use aws_sdk_sqs::Client;

use super::aws::describe;
use crate::contract::Wake;
use crate::ports::{WakeError, Wakes};

/// A queue of SQS, by its URL.
#[derive(Clone, Debug)]
pub struct SqsWakes {
    client: Client,
    queue_url: String,
}

impl SqsWakes {
    /// By a client.
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }
}

#[async_trait]
impl Wakes for SqsWakes {
    async fn send(&self, wake: &Wake) -> Result<(), WakeError> {
        let body = serde_json::to_string(wake).map_err(|error| WakeError(error.to_string()))?;
        let answer = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        answer.map(|_| ()).map_err(|error| WakeError(describe(&error)))
    }
}
