//! Orders that are refused, and orders on the edge that are not.

use anyhow::Result;
use serde_json::{Value, json};

use crate::manifests::{customer, order};
use crate::server::{ORDERS, Server};
use crate::{Named, named};

/// What is wrong, the change that makes it so, the field the answer names, and the sentence it says.
type Refusal = (&'static str, fn(&mut Value), &'static str, &'static str);

const ONE_SOURCE: &str = "set exactly one of customer.inline, customer.secretRef and customer.ledger";
const CURRENCY: &str = "currency must be an ISO 4217 code in capitals, such as EUR, BRL or JPY";
const QUANTITY: &str = "quantity must be from 1 to 999; leave the line out to order none";
const SKU: &str =
    "sku must be letters, digits, dots, dashes and underscores, and start and end with a letter or digit";
const TOTAL: &str = "total is in minor units (4200 is 42.00 EUR) and must be from 1 to 999999999999";
const UNIT_PRICE: &str = "unitPrice is in minor units (1250 is 12.50 EUR) and must be from 0 to 999999999999";
const TOKEN: &str = "paymentMethod must be the payment provider's token, which starts with pm_";
const NAME: &str = "without spec.orderId the object's name is the order's id, so it must be at most 40 lower-case \
                    letters, digits and dashes: shorten the name or set spec.orderId";
const ORDER_ID: &str =
    "orderId must be lower-case letters, digits and dashes, and start and end with a letter or digit";
const STORE: &str =
    "store must be lower-case letters, digits and dashes, and start and end with a letter or digit";
const SECRET: &str =
    "customer.secretRef.name must be the name of a Secret: lower-case letters, digits, dashes and dots";
const COUNTRY: &str = "country must be an ISO 3166-1 code of two letters, such as BR";
const TTL: &str = "ttlSecondsAfterFinished must be from 0 to 31536000";

#[rustfmt::skip]
const REFUSED: &[Refusal] = &[
    ("no customer source", |o| o["spec"]["customer"] = json!({}), "spec.customer", ONE_SOURCE),
    ("two customer sources", |o| o["spec"]["customer"]["secretRef"] = json!({"name": "ana"}), "spec.customer", ONE_SOURCE),
    ("three customer sources", |o| o["spec"]["customer"] = json!({"ledger": {}, "inline": customer(), "secretRef": {"name": "ana"}}), "spec.customer", ONE_SOURCE),
    ("a customer source that is null", |o| o["spec"]["customer"]["ledger"] = Value::Null, "spec.customer", ONE_SOURCE),
    ("a secret reference without a name", |o| o["spec"]["customer"] = json!({"secretRef": {}}), "spec.customer.secretRef.name", "Required value"),
    ("a secret reference with an empty name", |o| o["spec"]["customer"] = json!({"secretRef": {"name": ""}}), "spec.customer.secretRef.name", SECRET),
    ("a secret reference into another namespace", |o| o["spec"]["customer"] = json!({"secretRef": {"name": "other/ana"}}), "spec.customer.secretRef.name", SECRET),
    ("a country by its name", |o| o["spec"]["customer"] = with_country("Spain"), "spec.customer.inline.address.country", COUNTRY),
    ("an empty country", |o| o["spec"]["customer"] = with_country(""), "spec.customer.inline.address.country", COUNTRY),
    ("no items", |o| o["spec"]["items"] = json!([]), "spec.items", "items is empty: name at least one {sku, quantity}"),
    ("items left out", |o| remove(o, "items"), "spec.items", "Required value"),
    ("51 items", |o| o["spec"]["items"] = items(51), "spec.items", "must have at most 50 items"),
    ("a quantity of 0", |o| o["spec"]["items"][0]["quantity"] = json!(0), "spec.items[0].quantity", QUANTITY),
    ("a negative quantity", |o| o["spec"]["items"][0]["quantity"] = json!(-1), "spec.items[0].quantity", QUANTITY),
    ("a quantity of 1000", |o| o["spec"]["items"][0]["quantity"] = json!(1000), "spec.items[0].quantity", QUANTITY),
    ("an empty sku", |o| o["spec"]["items"][0]["sku"] = json!(""), "spec.items[0].sku", SKU),
    ("a sku that would split a key", |o| o["spec"]["items"][0]["sku"] = json!("madrid#paella"), "spec.items[0].sku", SKU),
    ("a negative unit price", |o| o["spec"]["items"][0]["unitPrice"] = json!(-1), "spec.items[0].unitPrice", UNIT_PRICE),
    ("a unit price of thirteen digits", |o| o["spec"]["items"][0]["unitPrice"] = json!(1_000_000_000_000_i64), "spec.items[0].unitPrice", UNIT_PRICE),
    ("an unknown currency", |o| o["spec"]["currency"] = json!("XYZ"), "spec.currency", CURRENCY),
    ("a currency in small letters", |o| o["spec"]["currency"] = json!("eur"), "spec.currency", CURRENCY),
    ("a currency by its name", |o| o["spec"]["currency"] = json!("euros"), "spec.currency", CURRENCY),
    ("a currency that has gone", |o| o["spec"]["currency"] = json!("BGN"), "spec.currency", CURRENCY),
    ("gold", |o| o["spec"]["currency"] = json!("XAU"), "spec.currency", CURRENCY),
    ("an empty currency", |o| o["spec"]["currency"] = json!(""), "spec.currency", CURRENCY),
    ("a negative total", |o| o["spec"]["total"] = json!(-4200), "spec.total", TOTAL),
    ("a total of 0", |o| o["spec"]["total"] = json!(0), "spec.total", TOTAL),
    ("a total of thirteen digits", |o| o["spec"]["total"] = json!(1_000_000_000_000_i64), "spec.total", TOTAL),
    ("an empty payment method", |o| o["spec"]["payment"]["paymentMethod"] = json!(""), "spec.payment", TOKEN),
    ("another kind of token", |o| o["spec"]["payment"]["paymentMethod"] = json!("tok_visa"), "spec.payment", TOKEN),
    ("a payment method that is a short number", |o| o["spec"]["payment"]["paymentMethod"] = json!(7), "spec.payment", TOKEN),
    ("a payment method left out", |o| o["spec"]["payment"] = json!({}), "spec.payment.paymentMethod", "Required value"),
    ("a name of 41 letters without an orderId", |o| o["metadata"]["name"] = json!("n".repeat(41)), "<nil>", NAME),
    ("a name with a dot without an orderId", |o| o["metadata"]["name"] = json!("dinner.monday"), "<nil>", NAME),
    ("an orderId in capitals", |o| o["spec"]["orderId"] = json!("Dinner"), "spec.orderId", ORDER_ID),
    ("an orderId that ends with a dash", |o| o["spec"]["orderId"] = json!("dinner-"), "spec.orderId", ORDER_ID),
    ("an orderId that would split a key", |o| o["spec"]["orderId"] = json!("shop/dinner"), "spec.orderId", ORDER_ID),
    ("an empty orderId", |o| o["spec"]["orderId"] = json!(""), "spec.orderId", ORDER_ID),
    ("an orderId of 41 letters", |o| o["spec"]["orderId"] = json!("n".repeat(41)), "spec.orderId", "may not be more than 40 bytes"),
    ("an empty className", |o| o["spec"]["className"] = json!(""), "spec.className", "className is empty: name an OrderClass (kubectl get orderclasses)"),
    ("a className left out", |o| remove(o, "className"), "spec.className", "Required value"),
    ("a store that would split a topic", |o| o["spec"]["store"] = json!("madrid/centro"), "spec.store", STORE),
    ("an empty store", |o| o["spec"]["store"] = json!(""), "spec.store", STORE),
    ("a cancel without a reason", |o| o["spec"]["cancel"] = json!({}), "spec.cancel.reason", "Required value"),
    ("a cancel with an empty reason", |o| o["spec"]["cancel"] = json!({"reason": ""}), "spec.cancel.reason", "cancel.reason is empty: say why, for the people who read the order later"),
    ("a negative time to live", |o| o["spec"]["ttlSecondsAfterFinished"] = json!(-1), "spec.ttlSecondsAfterFinished", TTL),
    ("a time to live of more than a year", |o| o["spec"]["ttlSecondsAfterFinished"] = json!(31_536_001), "spec.ttlSecondsAfterFinished", TTL),
];

/// What is on the edge, and the change that makes it so.
type Edge = (&'static str, fn(&mut Value));

#[rustfmt::skip]
const TAKEN: &[Edge] = &[
    ("the smallest order", |_| ()),
    ("a name of 40 letters", |o| o["metadata"]["name"] = json!("n".repeat(40))),
    ("a name of 41 letters with an orderId", |o| { o["metadata"]["name"] = json!("n".repeat(41)); o["spec"]["orderId"] = json!("long"); }),
    ("a name with a dot with an orderId", |o| { o["metadata"]["name"] = json!("dinner.monday"); o["spec"]["orderId"] = json!("d"); }),
    ("an orderId of 40 letters", |o| o["spec"]["orderId"] = json!("n".repeat(40))),
    ("50 items", |o| o["spec"]["items"] = items(50)),
    ("the same article twice", |o| o["spec"]["items"] = json!([{"sku": "a", "quantity": 1}, {"sku": "a", "quantity": 999}])),
    ("an article that costs nothing", |o| o["spec"]["items"][0]["unitPrice"] = json!(0)),
    ("ten million rupiah", |o| { o["spec"]["currency"] = json!("IDR"); o["spec"]["total"] = json!(1_000_000_000_i64); }),
    ("a currency as young as 2025", |o| o["spec"]["currency"] = json!("XCG")),
    ("a customer in the object", |o| o["spec"]["customer"] = json!({"inline": customer()})),
    ("a customer in a Secret", |o| o["spec"]["customer"] = json!({"secretRef": {"name": "ana.garcia"}})),
    ("a cancelled order", |o| o["spec"]["cancel"] = json!({"reason": "ordered twice"})),
    ("optional fields that are null", |o| for field in ["orderId", "total", "cancel", "suspend", "ttlSecondsAfterFinished"] { o["spec"][field] = Value::Null; }),
    ("a token with many digits", |o| o["spec"]["payment"]["paymentMethod"] = json!("pm_1NirD82eZvKYlo2C12345678901")),
];

pub(crate) fn trials() -> Vec<Named> {
    let refused = REFUSED.iter().map(|&(what, spoil, field, sentence)| {
        named(format!("refused: {what}"), move |server| Box::pin(refuse(server, spoil, field, sentence)))
    });
    let taken = TAKEN
        .iter()
        .map(|&(what, change)| named(format!("taken: {what}"), move |server| Box::pin(take(server, change))));
    refused.chain(taken).collect()
}

async fn refuse(server: &Server, spoil: fn(&mut Value), field: &str, sentence: &str) -> Result<()> {
    let mut order = order("dinner");
    spoil(&mut order);
    server.create(ORDERS, &order).await?.refused(field, sentence)
}

async fn take(server: &Server, change: fn(&mut Value)) -> Result<()> {
    let mut order = order("dinner");
    change(&mut order);
    let made = server.create(ORDERS, &order).await?.taken()?;
    server
        .delete(&format!("{ORDERS}/{}", made["metadata"]["name"].as_str().unwrap_or_default()))
        .await?
        .taken()?;
    Ok(())
}

fn remove(order: &mut Value, field: &str) {
    order["spec"].as_object_mut().expect("a spec").remove(field);
}

fn items(count: usize) -> Value {
    (0..count).map(|number| json!({"sku": format!("sku-{number}"), "quantity": 1})).collect()
}

fn with_country(country: &str) -> Value {
    let mut customer = customer();
    customer["address"]["country"] = json!(country);
    json!({"inline": customer})
}
