//! The ledger and the catalogue on DynamoDB. How items look stands in `item`, what writes demand in
//! `write`.

mod catalogue;
mod contact;
mod item;
mod said;
mod sent;
mod write;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use comanda_saga::{DeviceEvent, Identity, Record, StockChange};
use jiff::Timestamp;

use self::item::{Item, number, text};
use self::write::Refusal;
use crate::adapters::aws::{describe, lasts};
use crate::customer::Contact;
use crate::ports::{Ledger, LedgerError, Loaded, Waiting};

pub use catalogue::DynamoCatalogue;
pub use contact::{BadContactKey, ContactKey};
pub use item::Said;

/// The ledger on one table with string keys `pk` and `sk`, and TTL on `expires`.
#[derive(Debug)]
pub struct DynamoLedger {
    client: Client,
    table: String,
    contact_key: Option<ContactKey>,
}

impl DynamoLedger {
    /// A ledger on a table. Without a contact key, customers can be neither kept nor read.
    pub fn new(client: Client, table: impl Into<String>, contact_key: impl Into<Option<ContactKey>>) -> Self {
        Self { client, table: table.into(), contact_key: contact_key.into() }
    }

    /// Keeps what an IoT rule heard, as the rule itself does.
    ///
    /// # Errors
    /// When the table does not take it.
    pub async fn keep(&self, said: &Said) -> Result<(), LedgerError> {
        let item = serde_dynamo::to_item(said).map_err(|error| LedgerError::Corrupt(error.to_string()))?;
        let answer = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        answer.map(|_| ()).map_err(|error| self.failure(&error))
    }

    fn contact_key(&self) -> Result<&ContactKey, LedgerError> {
        let missing = || LedgerError::Refused("no contact key is set up here".to_owned());
        self.contact_key.as_ref().ok_or_else(missing)
    }

    fn failure<E: ProvideErrorMetadata>(&self, error: &SdkError<E>) -> LedgerError {
        let why = format!("table {}: {}", self.table, describe(error));
        if lasts(error) { LedgerError::Refused(why) } else { LedgerError::Unreachable(why) }
    }

    async fn get(&self, identity: &Identity, sk: &str) -> Result<Option<Item>, LedgerError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(item::key(identity, sk)))
            .consistent_read(true)
            .send()
            .await;
        answer.map(|answer| answer.item).map_err(|error| self.failure(&error))
    }

    async fn transact(&self, writes: Vec<TransactWriteItem>, record: &Record) -> Result<(), LedgerError> {
        let answer = self.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => {
                let refusal = write::transaction_refusal(&error, &record.terms.lines);
                self.resolve(refusal.unwrap_or_else(|| Refusal::Other(self.failure(&error))), record).await
            }
        }
    }

    /// A conflict may be our own write, seen twice because its answer was lost: then the ledger holds
    /// just what we wrote, version and writer included, and the write is done.
    async fn resolve(&self, refusal: Refusal, record: &Record) -> Result<(), LedgerError> {
        match refusal {
            Refusal::Other(error) => Err(error),
            Refusal::Conflict => {
                let stored = self.get(&record.identity, item::ORDER).await?;
                let stored = stored.map(|stored| item::read_order(&record.identity, stored)).transpose()?;
                if stored.as_ref() == Some(record) { Ok(()) } else { Err(LedgerError::Conflict) }
            }
        }
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn load(&self, identity: &Identity) -> Result<Option<Loaded>, LedgerError> {
        let mut record = None;
        let mut events = Vec::new();
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :order")
            .expression_attribute_values(":order", text(item::partition(identity)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        while let Some(found) = pages.next().await {
            let found = found.map_err(|error| self.failure(&error))?;
            match found.get("sk") {
                Some(AttributeValue::S(sk)) if sk == item::ORDER => {
                    record = Some(item::read_order(identity, found)?);
                }
                Some(AttributeValue::S(sk)) if item::is_event(sk) => {
                    events.extend(item::read_event(identity, found));
                }
                _ => {}
            }
        }
        events.sort_by(|one: &DeviceEvent, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Ok(record.map(|record| Loaded { record, events }))
    }

    async fn events_kept_by_rule(&self, record: &Record) -> Result<Vec<DeviceEvent>, LedgerError> {
        let mut said = said::Said::default();
        let mut start = None;
        // Newest last within a device and side: from the end, what was said last comes first.
        for _ in 0..said::MAX_PAGES {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :order")
                .expression_attribute_values(":order", text(item::said_partition(record)))
                .scan_index_forward(false)
                .set_exclusive_start_key(start.take())
                .consistent_read(true)
                .send()
                .await
                .map_err(|error| self.failure(&error))?;
            for found in page.items.unwrap_or_default() {
                if let Some(event) = item::read_said(record, found) {
                    said.add(event);
                }
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(said.events());
            }
        }
        tracing::warn!(order = %record.identity, "devices said more of the order than is read; the newest counts");
        Ok(said.events())
    }

    async fn create(&self, record: &Record, contact: Option<&Contact>) -> Result<(), LedgerError> {
        let mut writes = vec![write::claim(&self.table, item::order(record, Timestamp::now())?)];
        if let Some(contact) = contact {
            let sealed = self.contact_key()?.seal(&record.identity, contact)?;
            let put = Put::builder().table_name(&self.table).set_item(Some(item::contact(
                &record.identity,
                sealed,
                record.created_at,
            )));
            writes.push(write::transact(put));
        }
        self.transact(writes, record).await
    }

    async fn update(&self, next: &Record, stock: StockChange) -> Result<(), LedgerError> {
        let order = item::order(next, Timestamp::now())?;
        if stock != StockChange::None {
            let lines = next.terms.lines.iter().map(|line| write::stock(next, line, stock));
            let writes = std::iter::once(write::replace(&self.table, order, next)).chain(lines).collect();
            return self.transact(writes, next).await;
        }
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(order))
            .condition_expression(write::PREVIOUS)
            .expression_attribute_values(":previous", number(next.version.saturating_sub(1)))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => {
                    self.resolve(Refusal::Conflict, next).await
                }
                _ => Err(self.failure(&error)),
            },
        }
    }

    async fn put_event(&self, identity: &Identity, event: &DeviceEvent) -> Result<bool, LedgerError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item::event(identity, event)?))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(self.failure(&error)),
            },
        }
    }

    async fn contact(&self, identity: &Identity) -> Result<Option<Contact>, LedgerError> {
        let Some(found) = self.get(identity, item::CONTACT).await? else { return Ok(None) };
        let Some(AttributeValue::B(sealed)) = found.get("sealed") else {
            return Err(item::corrupt(identity, "the contact item holds no contact"));
        };
        self.contact_key()?.open(identity, sealed.as_ref()).map(Some)
    }

    async fn put_waiting(&self, identity: &Identity, waiting: &Waiting) -> Result<(), LedgerError> {
        let item = item::waiting(identity, waiting, Timestamp::now())?;
        let answer = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        answer.map(|_| ()).map_err(|error| self.failure(&error))
    }

    async fn waiting(&self, identity: &Identity, execution: &str) -> Result<Option<Waiting>, LedgerError> {
        let found = self.get(identity, &item::wait_key(execution)).await?;
        found.map(|found| item::read_waiting(identity, found)).transpose()
    }

    /// Reads a key that no order has.
    async fn ping(&self) -> Result<(), LedgerError> {
        let nobody = [("pk".to_owned(), text("PING")), ("sk".to_owned(), text("PING"))];
        let answer = self.client.get_item().table_name(&self.table).set_key(Some(nobody.into())).send().await;
        answer.map(|_| ()).map_err(|error| self.failure(&error))
    }
}
