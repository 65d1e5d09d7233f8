//! Objects that are fine, for the trials to spoil.

use serde_json::{Value, json};

/// The smallest order there is.
pub(crate) fn order(name: &str) -> Value {
    json!({
        "apiVersion": "comanda.dev/v1alpha1",
        "kind": "Order",
        "metadata": {"name": name},
        "spec": {
            "className": "demo",
            "customer": {"ledger": {}},
            "store": "madrid",
            "items": [{"sku": "paella", "quantity": 2}],
            "currency": "EUR",
            "payment": {"paymentMethod": "pm_card_visa"},
        },
    })
}

/// An order in which every field that may be fixed is set.
pub(crate) fn whole_order(name: &str) -> Value {
    let mut order = order(name);
    order["spec"]["orderId"] = json!(format!("{name}-id"));
    order["spec"]["total"] = json!(4200);
    order["spec"]["items"] = json!([
        {"sku": "paella", "quantity": 2, "unitPrice": 1500},
        {"sku": "agua", "quantity": 1, "unitPrice": 1200},
    ]);
    order["spec"]["customer"] = json!({"inline": customer()});
    order
}

/// Whoever orders.
pub(crate) fn customer() -> Value {
    json!({
        "name": "Ana García",
        "phone": "+34 600 123 456",
        "email": "ana.garcia@example.com",
        "locale": "es-ES",
        "address": {
            "country": "ES",
            "postalCode": "28014",
            "administrativeArea": "Madrid",
            "locality": "Madrid",
            "lines": ["Calle de Alcalá 42, 3º B"],
        },
    })
}

/// A class in which every field is set.
pub(crate) fn class(name: &str) -> Value {
    json!({
        "apiVersion": "comanda.dev/v1alpha1",
        "kind": "OrderClass",
        "metadata": {"name": name},
        "spec": {
            "installation": "local",
            "aws": {"region": "eu-west-1"},
            "ledger": {"table": "comanda-ledger", "contactKey": {"secretName": "contact-key", "key": "key"}},
            "catalogue": {"table": "comanda-catalogue"},
            "notifications": {"topicArn": "arn:aws:sns:eu-west-1:123456789012:comanda-notifications"},
            "payments": {"stripe": {"secretKey": {"secretName": "stripe", "key": "secret-key"}}},
            "devices": {
                "endpoint": "abc-ats.iot.eu-west-1.amazonaws.com:8883",
                "topicPrefix": "comanda",
                "certificate": {"secretName": "broker"},
            },
        },
    })
}
