//! The catalogue: a table of articles with string key `pk`, which is `installation/store#sku`, and the
//! attributes `price` (N, minor units), `currency` (S), `stock` (N), `available` (BOOL) and `name` (S).

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::item::{Item, text};
use crate::adapters::aws::describe;
use crate::ports::{Article, Catalogue, CatalogueError, Listing};

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
    ) -> Result<Vec<Listing>, CatalogueError> {
        let keys: BTreeSet<String> = skus.iter().map(|sku| key(installation, store, sku)).collect();
        let keys: Vec<Item> =
            keys.into_iter().map(|key| Item::from([("pk".to_owned(), text(key))])).collect();
        let mut articles = Vec::with_capacity(keys.len());
        for batch in keys.chunks(LARGEST_BATCH) {
            articles.extend(self.batch(batch.to_vec()).await?.iter().filter_map(read));
        }
        Ok(articles)
    }
}

/// What an item says of its article; nothing for a bare stock counter, which has no price and is not sold. People and
/// other programs write the catalogue, so a type that is not as documented is that article's trouble.
fn read(item: &Item) -> Option<Listing> {
    let sku = item.get("pk")?.as_s().ok()?.split_once('#')?.1.to_owned();
    match article(&sku, item) {
        Ok(article) => article.map(Listing::Article),
        Err(why) => Some(Listing::Unreadable { sku, why }),
    }
}

fn article(sku: &str, item: &Item) -> Result<Option<Article>, String> {
    let given = |name: &'static str| item.get(name).filter(|value| !value.is_null());
    let (Some(_), Some(currency)) = (given("price"), given("currency")) else { return Ok(None) };
    let whole = |name: &'static str| match given(name) {
        None => Ok(0),
        Some(AttributeValue::N(number)) => match number.parse::<i64>() {
            Ok(number) if number >= 0 => Ok(number),
            _ => Err(format!("its {name} is not a whole number from 0")),
        },
        Some(_) => Err(format!("its {name} is not a number (N)")),
    };
    Ok(Some(Article {
        sku: sku.to_owned(),
        price: whole("price")?,
        currency: currency.as_s().map_err(|_| "its currency is not a string (S)")?.clone(),
        available: match given("available") {
            None => true,
            Some(available) => *available.as_bool().map_err(|_| "its available is not a boolean (BOOL)")?,
        },
        stock: whole("stock")?,
        name: given("name").and_then(|name| name.as_s().ok()).cloned().unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::item::number;
    use super::*;

    fn pizza(attributes: &[(&str, AttributeValue)]) -> Item {
        let whole = [
            ("pk", text("bistro/centro#margherita")),
            ("price", number(950)),
            ("currency", text("EUR")),
            ("stock", number(3)),
            ("name", text("Pizza")),
        ];
        let attributes = whole.into_iter().chain(attributes.iter().cloned());
        attributes.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn an_article_is_read_with_its_defaults() {
        let expected = Article {
            sku: "margherita".to_owned(),
            price: 950,
            currency: "EUR".to_owned(),
            available: true,
            stock: 3,
            name: "Pizza".to_owned(),
        };
        assert_eq!(read(&pizza(&[])), Some(Listing::Article(expected)));
    }

    #[test]
    fn a_counter_without_a_price_is_not_sold() {
        let mut counter = pizza(&[]);
        counter.remove("price");
        assert_eq!(read(&counter), None);
        assert_eq!(read(&pizza(&[("price", AttributeValue::Null(true))])), None);
    }

    #[test]
    fn an_attribute_of_another_type_makes_its_article_unreadable_and_is_named() {
        let decimal = |text: &str| AttributeValue::N(text.to_owned());
        for (attribute, value, why) in [
            ("price", text("nine"), "its price is not a number (N)"),
            ("price", text("950"), "its price is not a number (N)"),
            ("price", decimal("9.5"), "its price is not a whole number from 0"),
            ("price", decimal("-950"), "its price is not a whole number from 0"),
            ("price", decimal("99999999999999999999"), "its price is not a whole number from 0"),
            ("price", AttributeValue::L(Vec::new()), "its price is not a number (N)"),
            ("stock", text("3"), "its stock is not a number (N)"),
            ("stock", decimal("0.5"), "its stock is not a whole number from 0"),
            ("available", text("true"), "its available is not a boolean (BOOL)"),
            ("currency", number(978), "its currency is not a string (S)"),
        ] {
            let expected = Listing::Unreadable { sku: "margherita".to_owned(), why: why.to_owned() };
            assert_eq!(read(&pizza(&[(attribute, value)])), Some(expected));
        }
    }
}
