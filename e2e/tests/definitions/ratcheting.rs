//! Rules may be tightened while orders live: an order that a new rule would refuse can still be brought to its
//! end. The definition's rules and bounds are taken out, bad orders are stored, and the definition comes back.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use comanda_crds::FINALIZER;
use serde_json::{Value, json};

use crate::manifests::order;
use crate::server::{Answer, DEFINITIONS, ORDERS, Server, definitions};

const LONG_NAME: &str = "an-order-with-a-name-of-more-than-forty-letters.and-a-dot";

pub(crate) async fn an_order_stored_under_laxer_rules_can_be_cancelled_and_let_go(
    server: &Server,
) -> Result<()> {
    let file = fs::read_to_string(definitions().join("orders.yaml"))?;
    let strict: Value = serde_yaml::from_str(&file)?;
    let mut lax = strict.clone();
    loosen(&mut lax["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);

    define(server, &lax, 201).await?;
    let mut stored = Vec::new();
    for order in bad_orders() {
        stored.push(server.create(ORDERS, &order).await?);
    }
    define(server, &strict, 422).await?;

    for answer in stored {
        let name = answer.taken()?["metadata"]["name"].as_str().context("a name")?.to_owned();
        let path = format!("{ORDERS}/{name}");
        brought_to_its_end(server, &path).await.with_context(|| name)?;
    }
    Ok(())
}

async fn brought_to_its_end(server: &Server, path: &str) -> Result<()> {
    let refused = server.merge(path, &json!({"spec": {"className": "another"}})).await?;
    forbids(&refused, "spec.className")?;
    server
        .merge(path, &json!({"spec": {"cancel": {"reason": "ordered twice"}, "suspend": true}}))
        .await?
        .taken()?;
    forbids(&server.merge(path, &json!({"spec": {"cancel": null}})).await?, "spec.cancel")?;
    let status = json!({"status": {"phase": "Cancelled", "observedGeneration": 2}});
    server.merge(&format!("{path}/status"), &status).await?.taken()?;
    server.merge(path, &json!({"metadata": {"annotations": {"comanda.dev/retry": "1"}}})).await?.taken()?;
    server.delete(path).await?.taken()?;
    server.merge(path, &json!({"metadata": {"finalizers": null}})).await?.taken()?;
    let gone = server.get(path).await?;
    if gone.code != 404 {
        bail!("it is still there: {}", gone.text);
    }
    Ok(())
}

fn forbids(answer: &Answer, field: &str) -> Result<()> {
    if answer.code != 422 || !answer.causes().any(|(place, _)| place == field) {
        bail!("{field} may change: {}", answer.text);
    }
    Ok(())
}

/// Orders that break every rule and bound between them.
fn bad_orders() -> [Value; 2] {
    let mut empty = order("nothing");
    empty["metadata"]["finalizers"] = json!([FINALIZER]);
    empty["spec"]["orderId"] = json!("Not An Id, and longer than forty letters at that");
    empty["spec"]["className"] = json!("");
    empty["spec"]["customer"] = json!({});
    empty["spec"]["store"] = json!("");
    empty["spec"]["items"] = json!([]);
    empty["spec"]["currency"] = json!("");
    empty["spec"]["total"] = json!(-1);
    empty["spec"]["ttlSecondsAfterFinished"] = json!(-1);
    empty["spec"]["payment"] = json!({"paymentMethod": "cash"});

    let mut much = order(LONG_NAME);
    much["metadata"]["finalizers"] = json!([FINALIZER]);
    much["spec"]["className"] = json!("c".repeat(300));
    much["spec"]["customer"] = json!({
        "ledger": {},
        "secretRef": {"name": "S".repeat(300)},
        "inline": {
            "name": "n".repeat(200),
            "phone": "1".repeat(50),
            "email": "e".repeat(300),
            "locale": "l".repeat(50),
            "address": {"country": "a country far away".repeat(9), "lines": ["1", "2", "3", "4", "5"]},
        },
    });
    much["spec"]["store"] = json!("S".repeat(50));
    much["spec"]["items"] = (0..60).map(|_| json!({"sku": "#", "quantity": 0, "unitPrice": -1})).collect();
    much["spec"]["currency"] = json!("c".repeat(50));
    much["spec"]["payment"] = json!({"paymentMethod": "cash".repeat(100)});
    [empty, much]
}

/// Takes out every rule and every bound.
fn loosen(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for bound in ["x-kubernetes-validations", "maxLength", "maxItems"] {
                fields.remove(bound);
            }
            fields.values_mut().for_each(loosen);
        }
        Value::Array(values) => values.iter_mut().for_each(loosen),
        _ => {}
    }
}

/// Applies the definition and waits until the API server judges a bad order by it.
async fn define(server: &Server, definition: &Value, bad_order_gets: u16) -> Result<()> {
    server.apply(&format!("{DEFINITIONS}/orders.comanda.dev"), definition).await?.taken()?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let [bad, _] = bad_orders();
    loop {
        let answer = server.create(&format!("{ORDERS}?dryRun=All"), &bad).await?;
        if answer.code == bad_order_gets {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the definition is not served: {}", answer.text);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
