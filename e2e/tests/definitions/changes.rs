//! What of an order may change, and what may not.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::manifests::{customer, order, whole_order};
use crate::server::ORDERS;
use crate::{Named, named};

/// What is changed, of which order, by which merge patch of `spec`, the field the answer names, and the sentence.
type Refusal = (&'static str, fn(&str) -> Value, fn() -> Value, &'static str, &'static str);

const ORDER_ID: &str = "orderId cannot change, be added or be removed: it is the order's identity in the ledger; \
                        create another Order instead";
const CLASS: &str = "className cannot change: what an order uses is fixed when it is accepted; cancel this order and \
                     create another";
const CUSTOMER: &str = "customer cannot change: cancel this order and create another";
const STORE: &str = "store cannot change: cancel this order and create another";
const ITEMS: &str = "items cannot change: the price is agreed and the stock reserved; cancel this order and create \
                     another";
const CURRENCY: &str = "currency cannot change: cancel this order and create another";
const TOTAL: &str = "total cannot change, be added or be removed: cancel this order and create another";
const PAYMENT: &str = "payment cannot change: cancel this order and create another";
const CANCEL: &str = "cancel cannot be changed or taken back once it is set: create another Order instead";

#[rustfmt::skip]
const REFUSED: &[Refusal] = &[
    ("orderId changed", whole_order, || json!({"orderId": "another"}), "spec.orderId", ORDER_ID),
    ("orderId added", order, || json!({"orderId": "changing"}), "spec.orderId", ORDER_ID),
    ("orderId removed", whole_order, || json!({"orderId": null}), "spec.orderId", ORDER_ID),
    ("className changed", order, || json!({"className": "other"}), "spec.className", CLASS),
    ("another customer source", order, || json!({"customer": {"ledger": null, "inline": customer()}}), "spec.customer", CUSTOMER),
    ("a phone number changed", whole_order, || json!({"customer": {"inline": {"phone": "+34 600 123 457"}}}), "spec.customer", CUSTOMER),
    ("a postal code removed", whole_order, || json!({"customer": {"inline": {"address": {"postalCode": null}}}}), "spec.customer", CUSTOMER),
    ("a language set back to its default", whole_order, || json!({"customer": {"inline": {"locale": null}}}), "spec.customer", CUSTOMER),
    ("store changed", order, || json!({"store": "saopaulo"}), "spec.store", STORE),
    ("a quantity changed", order, || json!({"items": [{"sku": "paella", "quantity": 3}]}), "spec.items", ITEMS),
    ("an item added", order, || json!({"items": [{"sku": "paella", "quantity": 2}, {"sku": "agua", "quantity": 1}]}), "spec.items", ITEMS),
    ("an item removed", whole_order, || json!({"items": [{"sku": "paella", "quantity": 2, "unitPrice": 1500}]}), "spec.items", ITEMS),
    ("a unit price added", order, || json!({"items": [{"sku": "paella", "quantity": 2, "unitPrice": 1500}]}), "spec.items", ITEMS),
    ("currency changed", order, || json!({"currency": "USD"}), "spec.currency", CURRENCY),
    ("total changed", whole_order, || json!({"total": 4201}), "spec.total", TOTAL),
    ("total added", order, || json!({"total": 4200}), "spec.total", TOTAL),
    ("total removed", whole_order, || json!({"total": null}), "spec.total", TOTAL),
    ("payment changed", order, || json!({"payment": {"paymentMethod": "pm_card_mastercard"}}), "spec.payment", PAYMENT),
    ("payment removed", order, || json!({"payment": null}), "spec.payment", "Required value"),
    ("cancel changed", cancelled, || json!({"cancel": {"reason": "changed my mind"}}), "spec.cancel", CANCEL),
    ("cancel taken back", cancelled, || json!({"cancel": null}), "spec.cancel", CANCEL),
    ("the reason of a cancel taken back", cancelled, || json!({"cancel": {"reason": null}}), "spec.cancel.reason", "Required value"),
];

/// What is changed, of which order, and by which merge patch of `spec`.
type Change = (&'static str, fn(&str) -> Value, fn() -> Value);

#[rustfmt::skip]
const TAKEN: &[Change] = &[
    ("cancel set", order, || json!({"cancel": {"reason": "ordered twice"}})),
    ("cancel set again to the same", cancelled, || json!({"cancel": {"reason": "ordered twice"}})),
    ("suspend set", order, || json!({"suspend": true})),
    ("suspend taken back", suspended, || json!({"suspend": false})),
    ("suspend removed", suspended, || json!({"suspend": null})),
    ("suspend set on a cancelled order", cancelled, || json!({"suspend": true})),
    ("a time to live set", order, || json!({"ttlSecondsAfterFinished": 0})),
    ("a time to live changed", suspended, || json!({"ttlSecondsAfterFinished": 31_536_000})),
    ("a time to live removed", suspended, || json!({"ttlSecondsAfterFinished": null})),
];

pub(crate) fn trials() -> Vec<Named> {
    let refused = REFUSED.iter().map(|&(what, base, patch, field, sentence)| {
        named(format!("refused: {what}"), move |server| {
            Box::pin(async move {
                let before = server.create(ORDERS, &base("changing")).await?.taken()?;
                let path = format!("{ORDERS}/changing");
                let answer = server.merge(&path, &json!({"spec": patch()})).await?;
                // As a whole, too, as a tool sends it that does not patch.
                let mut after = before.clone();
                merge(&mut after["spec"], patch());
                let replaced = server.replace(&path, &after).await?;
                let kept = server.get(&path).await?.taken()?;
                server.delete(&path).await?.taken()?;
                answer.refused(field, sentence)?;
                replaced.refused(field, sentence)?;
                ensure!(kept == before, "it changed: {kept}");
                Ok(())
            })
        })
    });
    let taken = TAKEN.iter().map(|&(what, base, patch)| {
        named(format!("taken: {what}"), move |server| {
            Box::pin(async move {
                server.create(ORDERS, &base("changing")).await?.taken()?;
                let path = format!("{ORDERS}/changing");
                let answer = server.merge(&path, &json!({"spec": patch()})).await?;
                server.delete(&path).await?.taken()?;
                let mut expected = base("changing")["spec"].clone();
                merge(&mut expected, patch());
                let spec = answer.taken()?["spec"].clone();
                ensure!(spec == expected, "it became {spec}");
                Ok(())
            })
        })
    });
    refused.chain(taken).collect()
}

fn cancelled(name: &str) -> Value {
    let mut order = order(name);
    order["spec"]["cancel"] = json!({"reason": "ordered twice"});
    order
}

fn suspended(name: &str) -> Value {
    let mut order = order(name);
    order["spec"]["suspend"] = json!(true);
    order["spec"]["ttlSecondsAfterFinished"] = json!(60);
    order
}

/// A JSON merge patch, RFC 7386.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let object = target.as_object_mut().expect("an object");
    for (name, value) in fields {
        if value.is_null() {
            object.remove(&name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), value);
        }
    }
}
