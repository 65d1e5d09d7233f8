//! The catalogue: a table of articles with string key `pk`, which is `installation/store#sku`, and the
//! attributes `price` (N, minor units), `currency` (S), `stock` (N), `available` (BOOL) and `name` (S).

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use serde::Deserialize;

use super::item::{Item, text};
use crate::adapters::aws::describe;
use crate::ports::{Article, Catalogue, CatalogueError};

/// DynamoDB's limit on the keys of one batch. An order has at most 50 lines.
const LARGEST_BATCH: usize = 100;

/// The articles of one table.
#[derive(Clone, Debug)]
pub struct DynamoCatalogue {
    client: Client,
    table: String,
}

pub(super) fn key(installation: &str, store: &str, sku: &str) -> String {
    format!("{installation}/{store}#{sku}")
}

#[derive(Deserialize)]
struct ArticleItem {
    pk: String,
    price: Option<i64>,
    currency: Option<String>,
    #[serde(default)]
    stock: i64,
    #[serde(default = "yes")]
    available: bool,
    #[serde(default)]
    name: String,
}

fn yes() -> bool {
    true
}

impl DynamoCatalogue {
    /// A catalogue on a table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, CatalogueError> {
        // A price that was changed a moment ago must not refuse an order, so the read is consistent.
        let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
        let wanted = wanted.expect("keys are set");
        let answer = self.client.batch_get_item().request_items(&self.table, wanted).send().await.map_err(
            |error| CatalogueError::Unreachable(format!("table {}: {}", self.table, describe(&error))),
        )?;
        if answer.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
            return Err(CatalogueError::Unreachable("it is too busy to answer in full".to_owned()));
        }
        Ok(answer.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default())
    }
}

#[async_trait]
impl Catalogue for DynamoCatalogue {
    async fn articles(
        &self,
        installation: &str,
        store: &str,
        skus: &[&str],
    ) -> Result<Vec<Article>, CatalogueError> {
        let keys: BTreeSet<String> = skus.iter().map(|sku| key(installation, store, sku)).collect();
        let keys: Vec<Item> =
            keys.into_iter().map(|key| Item::from([("pk".to_owned(), text(key))])).collect();
        let mut articles = Vec::with_capacity(keys.len());
        for batch in keys.chunks(LARGEST_BATCH) {
            for item in self.batch(batch.to_vec()).await? {
                articles.extend(read(item)?);
            }
        }
        Ok(articles)
    }
}

/// An article; none for a bare stock counter, which has no price and is not sold.
fn read(item: Item) -> Result<Option<Article>, CatalogueError> {
    let item: ArticleItem =
        serde_dynamo::from_item(item).map_err(|error| CatalogueError::Corrupt(error.to_string()))?;
    let ArticleItem { pk, price: Some(price), currency: Some(currency), stock, available, name } = item
    else {
        return Ok(None);
    };
    let sku = pk.split_once('#').map(|(_, sku)| sku.to_owned());
    let sku = sku.ok_or_else(|| CatalogueError::Corrupt(format!("{pk} is no key of an article")))?;
    Ok(Some(Article { sku, price, currency, available, stock, name }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::super::item::number;
    use super::*;

    fn item(attributes: &[(&str, AttributeValue)]) -> Item {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn an_article_is_read_with_its_defaults() {
        let read = read(item(&[
            ("pk", text("bistro/centro#margherita")),
            ("price", number(950)),
            ("currency", text("EUR")),
            ("stock", number(3)),
            ("name", text("Pizza")),
        ]));
        let expected = Article {
            sku: "margherita".to_owned(),
            price: 950,
            currency: "EUR".to_owned(),
            available: true,
            stock: 3,
            name: "Pizza".to_owned(),
        };
        assert_eq!(read, Ok(Some(expected)));
    }

    #[test]
    fn a_counter_without_a_price_is_not_sold_and_a_price_in_words_is_corrupt() {
        assert_eq!(read(item(&[("pk", text("bistro/centro#gone")), ("stock", number(2))])), Ok(None));
        let wordy =
            item(&[("pk", text("bistro/centro#x")), ("price", text("nine")), ("currency", text("EUR"))]);
        assert!(matches!(read(wordy), Err(CatalogueError::Corrupt(_))));
    }
}
