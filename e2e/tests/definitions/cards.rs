//! Card numbers: refused in every form and by every way in, and shown nowhere.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::manifests::order;
use crate::server::{Answer, ORDERS, Server};

const SENTENCE: &str = "paymentMethod looks like a card number, which must never be stored here: send the payment \
                        provider's token (pm_…) instead, and treat that card as disclosed";
/// Stripe's numbers for tests, as people write them. The last two forms are more than a number.
const LOOK_LIKE_CARDS: [&str; 10] = [
    "4242424242424242",
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "4242.4242.4242.4242",
    "4242  4242  4242  4242",
    "378282246310005",
    "pm_4242424242424242",
    "pm_4242_4242_4242_4242",
    "Visa 4242424242424242 12/34 123",
    "tok-6304000000000000",
];
/// Parts of those numbers that nothing else contains.
const TRACES: [&str; 8] =
    ["42424242", "4242 4242", "4242-4242", "4242.4242", "4242  4242", "4242_4242", "37828224", "6304000000"];

pub(crate) async fn a_card_number_is_refused_and_shown_nowhere(server: &Server) -> Result<()> {
    server.create(ORDERS, &order("paid")).await?.taken()?;
    for card in LOOK_LIKE_CARDS {
        for answer in ways_in(server, &json!(card)).await? {
            shows_no_card(&answer)?;
            ensure!(answer.code == 422, "{}: {}", answer.code, answer.text);
            let said = answer
                .causes()
                .any(|(field, message)| field == "spec.payment" && message.ends_with(SENTENCE));
            ensure!(said, "{}", answer.text);
        }
    }
    // Without quotes in YAML, a card number is an integer.
    for answer in ways_in(server, &json!(4_242_424_242_424_242_i64)).await? {
        shows_no_card(&answer)?;
        ensure!(answer.code == 422 && answer.text.contains("looks like a card number"), "{}", answer.text);
    }
    // These break the schema itself, so the answer is the schema's.
    for card in [
        json!("4242".repeat(64)),
        json!({"number": "4242424242424242"}),
        json!(["4242 4242 4242 4242"]),
        json!(4_242_424_242_424_242.5),
    ] {
        for answer in ways_in(server, &card).await? {
            shows_no_card(&answer)?;
            ensure!(answer.code == 422, "{}: {}", answer.code, answer.text);
        }
    }
    server.delete(&format!("{ORDERS}/paid")).await?.taken()?;

    let audit = server.kubernetes.audit_log();
    let log = fs::read_to_string(&audit)?;
    ensure!(log.contains("looks like a card number"), "the audit log holds what was answered");
    let own = fs::read_to_string(audit.with_file_name("kube-apiserver.log"))?;
    for trace in TRACES {
        ensure!(!log.contains(trace), "a card number is in the audit log");
        ensure!(!own.contains(trace), "a card number is in the API server's log");
    }
    Ok(())
}

/// Creates an order with the value, by POST and by server-side apply, and changes the order `paid` to it.
async fn ways_in(server: &Server, value: &Value) -> Result<[Answer; 5]> {
    let mut new = order("carded");
    new["spec"]["payment"]["paymentMethod"] = value.clone();
    let paid = format!("{ORDERS}/paid");
    let mut changed = server.get(&paid).await?.taken()?;
    changed["spec"]["payment"]["paymentMethod"] = value.clone();
    let patch = json!({"spec": {"payment": {"paymentMethod": value}}});
    new["metadata"]["name"] = json!("carded");
    let applied = server.apply(&format!("{ORDERS}/carded"), &new).await?;
    let created = server.create(ORDERS, &new).await?;
    new["metadata"]["name"] = json!("paid");
    Ok([
        created,
        applied,
        server.apply(&paid, &new).await?,
        server.merge(&paid, &patch).await?,
        server.replace(&paid, &changed).await?,
    ])
}

fn shows_no_card(answer: &Answer) -> Result<()> {
    for trace in TRACES {
        let shown =
            answer.text.contains(trace) || answer.warnings.iter().any(|warning| warning.contains(trace));
        ensure!(!shown, "the answer shows a card number: {}", answer.text);
    }
    Ok(())
}
