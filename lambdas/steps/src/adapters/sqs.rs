//! The wake queue: the machine says there that an order moved, waits or ended.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount;

use super::aws::describe;
use crate::contract::Wake;
use crate::ports::{Inbox, InboxError, Received, WakeError, Wakes};

/// How long one receive waits for messages, in seconds: the longest that SQS waits, and the cheapest.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>.
const LONG_POLL: i32 = 20;
/// How many messages one receive brings at most.
const BATCH: i32 = 10;
/// Longest time of such a receive.
const RECEIVE: Duration = Duration::from_secs(25);

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

/// What a queue of SQS brings, by its URL.
#[derive(Clone, Debug)]
pub struct SqsInbox {
    client: Client,
    /// One that waits as long as a receive takes.
    receiver: Client,
    queue_url: String,
}

impl SqsInbox {
    /// By AWS's configuration.
    pub fn new(aws: &SdkConfig, queue_url: impl Into<String>) -> Self {
        let patient = aws.timeout_config().map(TimeoutConfig::to_builder).unwrap_or_default();
        let receiver = aws_sdk_sqs::config::Builder::from(aws)
            .timeout_config(patient.operation_timeout(RECEIVE).build())
            .build();
        Self { client: Client::new(aws), receiver: Client::from_conf(receiver), queue_url: queue_url.into() }
    }
}

#[async_trait]
impl Inbox for SqsInbox {
    async fn receive(&self) -> Result<Vec<Received>, InboxError> {
        let request = self.receiver.receive_message().queue_url(&self.queue_url);
        let request = request.max_number_of_messages(BATCH).wait_time_seconds(LONG_POLL);
        let answer = request.message_system_attribute_names(ApproximateReceiveCount).send().await;
        let messages = answer.map_err(|error| InboxError(describe(&error)))?.messages.unwrap_or_default();
        let received = messages.into_iter().map(|message| {
            let times = message.attributes.as_ref().and_then(|known| known.get(&ApproximateReceiveCount));
            Received {
                times: times.and_then(|times| times.parse().ok()).unwrap_or(1),
                body: message.body.unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
            }
        });
        Ok(received.collect())
    }

    async fn delete(&self, received: &Received) -> Result<(), InboxError> {
        let request = self.client.delete_message().queue_url(&self.queue_url);
        let answer = request.receipt_handle(&received.receipt).send().await;
        answer.map(|_| ()).map_err(|error| InboxError(describe(&error)))
    }

    async fn leave(&self, received: &Received, seconds: u32) -> Result<(), InboxError> {
        let request = self.client.change_message_visibility().queue_url(&self.queue_url);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let answer = request.receipt_handle(&received.receipt).visibility_timeout(seconds).send().await;
        answer.map(|_| ()).map_err(|error| InboxError(describe(&error)))
    }
}
