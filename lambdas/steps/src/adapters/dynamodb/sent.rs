//! Orders as they were sent over HTTP: `SENT` beside where the record will be.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::Put;
use comanda_crds::OrderSpec;
use comanda_saga::Identity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{DynamoLedger, item, write};
use crate::customer::Contact;
use crate::intake::{Caller, Sent};
use crate::ports::{LedgerError, SentOrders};

const SENT: &str = "SENT";

#[derive(Serialize, Deserialize)]
struct SentItem {
    caller: Caller,
    /// As JSON: as the API has it, and not as a record has it.
    spec: String,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel: Option<String>,
}

fn written(identity: &Identity, sent: &Sent) -> Result<item::Item, LedgerError> {
    let Sent { caller, spec, at, cancel } = sent.clone();
    let spec = serde_json::to_string::<OrderSpec>(&spec)
        .map_err(|error| item::corrupt(identity, &error.to_string()))?;
    item::encode(identity, SENT, SentItem { caller, spec, at, cancel })
}

fn read(identity: &Identity, item: item::Item) -> Result<Sent, LedgerError> {
    let corrupt = |error: String| item::corrupt(identity, &format!("the order as it was sent: {error}"));
    let item: SentItem = serde_dynamo::from_item(item).map_err(|error| corrupt(error.to_string()))?;
    let SentItem { caller, spec, at, cancel } = item;
    let spec = serde_json::from_str(&spec).map_err(|error| corrupt(error.to_string()))?;
    Ok(Sent { caller, spec, at, cancel })
}

#[async_trait]
impl SentOrders for DynamoLedger {
    async fn put_sent(
        &self,
        identity: &Identity,
        sent: &Sent,
        contact: &Contact,
    ) -> Result<bool, LedgerError> {
        let sealed = self.contact_key()?.seal(identity, contact)?;
        let order = Put::builder()
            .table_name(&self.table)
            .set_item(Some(written(identity, sent)?))
            .condition_expression("attribute_not_exists(pk)");
        let customer =
            Put::builder().table_name(&self.table).set_item(Some(item::contact(identity, sealed, sent.at)));
        let writes = vec![write::transact(order), write::transact(customer)];
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        let Err(error) = answer else { return Ok(true) };
        let reasons = match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                cancelled.cancellation_reasons()
            }
            _ => return Err(self.failure(&error)),
        };
        let there = reasons.first().is_some_and(|reason| reason.code() == Some("ConditionalCheckFailed"));
        if there { Ok(false) } else { Err(write::cancelled(reasons)) }
    }

    async fn sent(&self, identity: &Identity) -> Result<Option<Sent>, LedgerError> {
        let found = self.get(identity, SENT).await?;
        found.map(|found| read(identity, found)).transpose()
    }

    async fn put_cancel(&self, identity: &Identity, reason: &str) -> Result<(), LedgerError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(item::key(identity, SENT)))
            .update_expression("SET #cancel = if_not_exists(#cancel, :reason)")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#cancel", "cancel")
            .expression_attribute_values(":reason", item::text(reason))
            .send()
            .await;
        answer.map(|_| ()).map_err(|error| match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => LedgerError::Conflict,
            _ => self.failure(&error),
        })
    }
}

#[cfg(test)]
mod tests {
    use comanda_crds::{Customer, FromLedger, Payment};

    use super::*;
    use crate::fixtures::{identity, now};

    #[test]
    fn an_order_comes_back_as_it_was_sent() {
        let spec = OrderSpec {
            order_id: None,
            class_name: "demo".to_owned(),
            customer: Customer { inline: None, secret_ref: None, ledger: Some(FromLedger {}) },
            store: "centro".to_owned(),
            items: vec![comanda_crds::Item { sku: "paella".to_owned(), quantity: 2, unit_price: Some(950) }],
            currency: "EUR".to_owned(),
            total: Some(1900),
            payment: Payment { payment_method: "pm_card_visa".to_owned(), customer: None },
            cancel: None,
            suspend: false,
            ttl_seconds_after_finished: None,
        };
        let sent =
            Sent { caller: Caller::of("i", "ana"), spec, at: now(), cancel: Some("Too late.".to_owned()) };
        let item = written(&identity(), &sent).expect("an item");
        assert_eq!(item["sk"], item::text("SENT"));
        assert!(!item.contains_key("expires"), "orders do not expire");
        assert_eq!(read(&identity(), item), Ok(sent));
    }
}
