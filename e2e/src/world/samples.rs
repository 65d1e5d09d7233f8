//! What the scenes order, and for whom.

use comanda_crds::{Address, Customer, Inline, Item, NOT_THE_CALLERS, OrderSpec, Payment};
use serde_json::Value;

use super::{CLASS, STORE};

/// Words that stand in every customer's data and nowhere else.
pub const CANARIES: [&str; 5] =
    ["Kanarienvogel", "699887766", "canary@example.net", "Canarystraat", "pm_card_visa"];

/// One paella for the canary.
pub fn paella() -> OrderSpec {
    OrderSpec {
        order_id: None,
        class_name: CLASS.to_owned(),
        customer: Customer { inline: Some(canary()), secret_ref: None, ledger: None },
        store: STORE.to_owned(),
        items: vec![Item { sku: "paella".to_owned(), quantity: 1, unit_price: None }],
        currency: "EUR".to_owned(),
        total: None,
        payment: Payment { payment_method: "pm_card_visa".to_owned(), customer: None },
        cancel: None,
        suspend: false,
        ttl_seconds_after_finished: None,
    }
}

/// One of an article for the canary, as it is sent over HTTP.
pub fn over_http(sku: &str) -> Value {
    let mut spec = serde_json::to_value(paella()).expect("a spec is JSON");
    spec["items"][0]["sku"] = sku.into();
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|field, _| !NOT_THE_CALLERS.contains(&field.as_str()));
    }
    spec
}

/// A customer whose data can be looked for.
pub fn canary() -> Inline {
    Inline {
        name: "Kanarienvogel".to_owned(),
        phone: "+34699887766".to_owned(),
        email: "canary@example.net".to_owned(),
        locale: "es".to_owned(),
        address: Address {
            country: "ES".to_owned(),
            postal_code: Some("28014".to_owned()),
            administrative_area: Some("Madrid".to_owned()),
            locality: Some("Madrid".to_owned()),
            dependent_locality: None,
            lines: vec!["Canarystraat 7".to_owned()],
        },
    }
}
