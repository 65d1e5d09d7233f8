//! The catalogue: what a store sells, at what price, and how many are left.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Deserialize, Serialize};

/// One article of one store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueItem {
    /// The store that sells it.
    pub store: String,
    /// The article.
    pub sku: String,
    /// What people call it.
    pub name: String,
    /// The price of one, in minor units of `currency`.
    pub price: i64,
    /// ISO 4217.
    pub currency: String,
    /// How many are left.
    pub stock: i64,
    /// Whether it is on sale at all.
    #[serde(default = "on_sale")]
    pub available: bool,
}

const fn on_sale() -> bool {
    true
}

impl CatalogueItem {
    /// Reads a list of articles from YAML or JSON.
    ///
    /// # Errors
    /// When the text is no such list.
    pub fn list(yaml: &str) -> Result<Vec<Self>> {
        serde_yaml::from_str(yaml).context("reading the catalogue")
    }
}

fn key(installation: &str, store: &str, sku: &str) -> AttributeValue {
    AttributeValue::S(format!("{installation}/{store}#{sku}"))
}

pub(super) async fn seed(
    client: &Client,
    table: &str,
    installation: &str,
    items: &[CatalogueItem],
) -> Result<()> {
    for item in items {
        client
            .put_item()
            .table_name(table)
            .item("pk", key(installation, &item.store, &item.sku))
            .item("name", AttributeValue::S(item.name.clone()))
            .item("price", AttributeValue::N(item.price.to_string()))
            .item("currency", AttributeValue::S(item.currency.clone()))
            .item("stock", AttributeValue::N(item.stock.to_string()))
            .item("available", AttributeValue::Bool(item.available))
            .send()
            .await
            .with_context(|| format!("putting {} of {} into the catalogue", item.sku, item.store))?;
    }
    Ok(())
}

pub(super) async fn stock(
    client: &Client,
    table: &str,
    installation: &str,
    store: &str,
    sku: &str,
) -> Result<i64> {
    let request =
        client.get_item().table_name(table).key("pk", key(installation, store, sku)).consistent_read(true);
    let item = request.send().await?.item.with_context(|| format!("{store} does not sell {sku}"))?;
    let stock = item.get("stock").and_then(|value| value.as_n().ok()).context("an article has a stock")?;
    Ok(stock.parse()?)
}
