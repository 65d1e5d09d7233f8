//! Messages to customers, published to an SNS topic that whoever sends SMS or e-mail subscribes to.

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::aws::describe;
use crate::ports::{Message, Notifier, NotifyError};

/// SNS. Subscribers drop repetitions by the attribute `notificationId`, and filter by `kind` and `tenant`.
#[derive(Clone, Debug)]
pub struct SnsNotifier {
    client: Client,
}

impl SnsNotifier {
    /// A notifier by a client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Notifier for SnsNotifier {
    async fn publish(&self, topic_arn: &str, message: &Message) -> Result<(), NotifyError> {
        let body = serde_json::to_string(message).map_err(|error| NotifyError(error.to_string()))?;
        self.client
            .publish()
            .topic_arn(topic_arn)
            .message(body)
            .message_attributes("notificationId", attribute(&message.notification_id))
            .message_attributes("kind", attribute(message.kind))
            .message_attributes("tenant", attribute(&message.tenant))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| NotifyError(describe(&error)))
    }
}

fn attribute(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(value)
        .build()
        .expect("the data type is set")
}
