//! Queues: the wake queue, by which the operator hears that an order moved, waits or ended, and the intake queue, by
//! which it hears that one is there.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName::{ApproximateReceiveCount, SentTimestamp};
use jiff::Timestamp;
use serde::Serialize;

use super::aws::describe;
use crate::contract::Wake;
use crate::intake::Announcement;
use crate::ports::{AnnouncementError, Announcements, Inbox, InboxError, Received, WakeError, Wakes};

/// How long one receive waits for messages, in seconds: the longest that SQS waits, and the cheapest.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>.
const LONG_POLL: i32 = 20;
/// How many messages one receive brings at most.
pub const BATCH: usize = 10;
/// Longest time of such a receive.
const RECEIVE: Duration = Duration::from_secs(25);

/// A queue of SQS, by its URL.
#[derive(Clone, Debug)]
pub struct SqsOutbox {
    client: Client,
    queue_url: String,
}

impl SqsOutbox {
    /// By a client.
    pub fn new(client: Client, queue_url: impl Into<String>) -> Self {
        Self { client, queue_url: queue_url.into() }
    }

    async fn put(&self, message: &impl Serialize) -> Result<(), String> {
        let body = serde_json::to_string(message).map_err(|error| error.to_string())?;
        let answer = self.client.send_message().queue_url(&self.queue_url).message_body(body).send().await;
        answer.map(|_| ()).map_err(|error| describe(&error))
    }
}

#[async_trait]
impl Wakes for SqsOutbox {
    async fn send(&self, wake: &Wake) -> Result<(), WakeError> {
        self.put(wake).await.map_err(WakeError)
    }
}

#[async_trait]
impl Announcements for SqsOutbox {
    async fn announce(&self, announcement: &Announcement) -> Result<(), AnnouncementError> {
        self.put(announcement).await.map_err(AnnouncementError)
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
    async fn receive(&self, most: usize) -> Result<Vec<Received>, InboxError> {
        let most = i32::try_from(most.clamp(1, BATCH)).unwrap_or(1);
        let request = self.receiver.receive_message().queue_url(&self.queue_url);
        let request = request.max_number_of_messages(most).wait_time_seconds(LONG_POLL);
        let request = request.message_system_attribute_names(ApproximateReceiveCount);
        let answer = request.message_system_attribute_names(SentTimestamp).send().await;
        let messages = answer.map_err(|error| InboxError(describe(&error)))?.messages.unwrap_or_default();
        let received = messages.into_iter().map(|message| {
            let attribute = |name| message.attributes.as_ref().and_then(|known| known.get(&name));
            let at = attribute(SentTimestamp).and_then(|at| at.parse().ok());
            Received {
                times: attribute(ApproximateReceiveCount).and_then(|times| times.parse().ok()).unwrap_or(1),
                sent_at: at
                    .and_then(|at| Timestamp::from_millisecond(at).ok())
                    .unwrap_or_else(Timestamp::now),
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
