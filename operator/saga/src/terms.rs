//! What was ordered.

use std::collections::BTreeMap;

use comanda_crds::OrderSpec;
use serde::{Deserialize, Serialize};

/// What was ordered, normalised.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The store.
    pub store: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Lines by SKU, equal ones merged.
    pub lines: Vec<Line>,
    /// The total the customer agreed to, in minor units.
    pub agreed_total: Option<i64>,
    /// The provider's token.
    pub payment_method: String,
    /// The provider's customer for whom the method is saved. Absent, it leaves no trace in a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_customer: Option<String>,
}

impl Terms {
    /// The terms of a spec: equal SKUs merged, sorted by SKU.
    pub fn of(spec: &OrderSpec) -> Self {
        let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
        for item in &spec.items {
            let line = lines.entry(&item.sku).or_insert_with(|| Line {
                sku: item.sku.clone(),
                quantity: 0,
                agreed_price: item.unit_price,
            });
            line.quantity += i64::from(item.quantity);
            // Two prices for one article cannot both be the catalogue's: -1 never is.
            if line.agreed_price != item.unit_price {
                line.agreed_price = line.agreed_price.xor(item.unit_price).or(Some(-1));
            }
        }
        Self {
            store: spec.store.clone(),
            currency: spec.currency.clone(),
            lines: lines.into_values().collect(),
            agreed_total: spec.total,
            payment_method: spec.payment.payment_method.clone(),
            payment_customer: spec.payment.customer.clone(),
        }
    }
}

/// One article of an order.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// The price of one that the customer agreed to, in minor units.
    pub agreed_price: Option<i64>,
}
