//! The resources that an `OrderClass` names: made here, or those of what was deployed.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::deployment::Deployment;
use super::messages;

const LEDGER_TABLE: &str = "comanda-ledger";
const CATALOGUE_TABLE: &str = "comanda-catalogue";
const NOTIFICATIONS: &str = "comanda-notifications";

/// Names and ARNs an `OrderClass` names.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The ledger: `pk` and `sk` are strings; items with `expires` (epoch seconds) leave by TTL.
    pub ledger_table: String,
    /// The catalogue: `pk` is `<installation>/<store>#<sku>`.
    pub catalogue_table: String,
    /// The topic customers are told through.
    pub notifications_topic_arn: String,
    /// A queue that gets every message of the topic, as evidence.
    pub notifications_queue_url: String,
}

/// Creates everything; a new ministack is empty.
pub(super) async fn create(config: &SdkConfig) -> Result<Resources> {
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    create_table(&dynamodb, LEDGER_TABLE, &[("pk", KeyType::Hash), ("sk", KeyType::Range)]).await?;
    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build()?;
    dynamodb.update_time_to_live().table_name(LEDGER_TABLE).time_to_live_specification(expiry).send().await?;
    create_table(&dynamodb, CATALOGUE_TABLE, &[("pk", KeyType::Hash)]).await?;

    let topic = create_topic(config).await?;
    Ok(Resources {
        ledger_table: LEDGER_TABLE.to_owned(),
        catalogue_table: CATALOGUE_TABLE.to_owned(),
        notifications_queue_url: messages::subscribe(config, NOTIFICATIONS, &topic).await?,
        notifications_topic_arn: topic,
    })
}

/// Those of what was deployed, and a queue for the evidence.
pub(super) async fn of(deployment: &Deployment, config: &SdkConfig) -> Result<Resources> {
    let topic = &deployment.notifications_topic_arn;
    Ok(Resources {
        ledger_table: deployment.ledger_table.clone(),
        catalogue_table: deployment.catalogue_table.clone(),
        notifications_queue_url: messages::subscribe(config, NOTIFICATIONS, topic).await?,
        notifications_topic_arn: topic.clone(),
    })
}

pub(super) async fn create_table(
    dynamodb: &aws_sdk_dynamodb::Client,
    name: &str,
    key: &[(&str, KeyType)],
) -> Result<()> {
    let mut request = dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in key {
        let definition = AttributeDefinition::builder().attribute_name(*attribute);
        request = request
            .attribute_definitions(definition.attribute_type(ScalarAttributeType::S).build()?)
            .key_schema(
                KeySchemaElement::builder().attribute_name(*attribute).key_type(kind.clone()).build()?,
            );
    }
    request.send().await.with_context(|| format!("creating the table {name}"))?;
    Ok(())
}

/// Its ARN.
async fn create_topic(config: &SdkConfig) -> Result<String> {
    let topic = aws_sdk_sns::Client::new(config).create_topic().name(NOTIFICATIONS).send().await?;
    topic.topic_arn.context("a topic has an ARN")
}
