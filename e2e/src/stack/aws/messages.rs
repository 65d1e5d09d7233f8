//! What is published to a topic, by a queue that subscribes to it.

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, QueueAttributeName};
use serde_json::{Value, json};

/// The URL of a new queue that gets everything which is published to the topic, and nothing else.
pub(super) async fn subscribe(config: &SdkConfig, name: &str, topic: &str) -> Result<String> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let queue = sqs.create_queue().queue_name(name).send().await?.queue_url.context("a queue has a URL")?;
    let attributes =
        sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::QueueArn);
    let attributes = attributes.send().await?.attributes.unwrap_or_default();
    let queue_arn = attributes.get(&QueueAttributeName::QueueArn).context("a queue has an ARN")?;
    // Source: https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html.
    let statement = json!({
        "Effect": "Allow",
        "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
    let allow = sqs.set_queue_attributes().queue_url(&queue);
    allow.attributes(QueueAttributeName::Policy, policy).send().await?;
    let subscription =
        aws_sdk_sns::Client::new(config).subscribe().topic_arn(topic).protocol("sqs").endpoint(queue_arn);
    subscription.attributes("RawMessageDelivery", "true").send().await?;
    Ok(queue)
}

/// Takes every message out of a queue.
pub(super) async fn drain(config: &SdkConfig, queue: &str) -> Result<Vec<Value>> {
    let sqs = aws_sdk_sqs::Client::new(config);
    let mut bodies = Vec::new();
    loop {
        let answer = sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
        let messages = answer.messages.unwrap_or_default();
        if messages.is_empty() {
            return Ok(bodies);
        }
        let mut entries = Vec::new();
        for (number, message) in messages.into_iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
            entries.push(entry.set_receipt_handle(message.receipt_handle).build()?);
            let body = message.body.unwrap_or_default();
            bodies.push(serde_json::from_str(&body).unwrap_or(Value::String(body)));
        }
        let deleted = sqs.delete_message_batch().queue_url(queue).set_entries(Some(entries)).send().await?;
        ensure!(deleted.failed.is_empty(), "SQS kept {} messages", deleted.failed.len());
    }
}
