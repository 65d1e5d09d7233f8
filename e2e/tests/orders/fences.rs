//! Scenes about what stands between an order and a second effect: conditions of the ledger, what is read again
//! and what is not believed, and the stop.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{AttributeValue, KeyType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comanda_crds::{Capture, OrderClass, OrderStatus, Phase};
use comanda_e2e::installation::INSTALLATION;
use comanda_e2e::stack::port::free_port;
use comanda_e2e::stripe_proxy::faults::{Action, Fault, Match};
use comanda_e2e::world::{CLASS, SOON, STORE, World, condition, timeouts, until};
use comanda_saga::{Identity, Owner, Record, StockChange};
use comanda_steps::adapters::dynamodb::{ContactKey, DynamoLedger};
use comanda_steps::ports::{Ledger, LedgerError};
use jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

/// The ledger, past the operator. Contacts stay closed.
pub fn ledger(world: &World) -> Result<DynamoLedger> {
    let aws = &world.installation.stack.aws;
    let key = ContactKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
    let client = aws.dynamodb();
    Ok(DynamoLedger::new(client, aws.resources().ledger_table.clone(), key))
}

pub fn identity(tenant: &str, order_id: &str) -> Identity {
    Identity {
        installation: INSTALLATION.to_owned(),
        tenant: tenant.to_owned(),
        order_id: order_id.to_owned(),
    }
}

async fn record(world: &World, tenant: &str, order_id: &str) -> Result<Record> {
    let loaded = ledger(world)?.load(&identity(tenant, order_id)).await?;
    Ok(loaded.with_context(|| format!("{tenant}/{order_id} is not in the ledger"))?.record)
}

pub async fn an_order_that_somebody_has_is_claimed_by_nobody_else(world: &World) -> Result<()> {
    let shop = world.namespace("claimed").await?;
    shop.order("claimed", |_| {}).await?;
    shop.until_phase("claimed", Phase::Delivered).await?;
    let ledger = ledger(world)?;
    let stored = record(world, "claimed", "claimed").await?;
    let owner = |uid: &str| Owner {
        cluster: "elsewhere".to_owned(),
        namespace: "claimed".to_owned(),
        name: "rival".to_owned(),
        uid: uid.to_owned(),
    };
    let claim = |order_id: &str, owner: Option<Owner>| Record {
        identity: identity("claimed", order_id),
        owner,
        version: 1,
        ..stored.clone()
    };
    let answer = ledger.create(&claim("claimed", Some(owner("rival-1"))), None).await;
    ensure!(answer == Err(LedgerError::Conflict), "{answer:?}");
    ensure!(record(world, "claimed", "claimed").await? == stored, "a refused claim changed the record");

    // What the intake wrote is free, once.
    ledger.create(&claim("from-the-intake", None), None).await?;
    ledger.create(&claim("from-the-intake", Some(owner("rival-1"))), None).await?;
    let answer = ledger.create(&claim("from-the-intake", Some(owner("rival-2"))), None).await;
    ensure!(answer == Err(LedgerError::Conflict), "{answer:?}");
    let kept = record(world, "claimed", "from-the-intake").await?;
    ensure!(kept.owner == Some(owner("rival-1")), "{:?}", kept.owner);
    Ok(())
}

/// Somebody else, an operator or a person, writes the record that this one holds in memory.
pub async fn a_record_that_somebody_else_wrote_is_read_again(world: &World) -> Result<()> {
    let shop = world.namespace("rewritten").await?;
    shop.order("slow-rewritten", |_| {}).await?;
    shop.until_phase("slow-rewritten", Phase::Preparing).await?;
    let ledger = ledger(world)?;
    until("somebody else writes", async || {
        let mut record = record(world, "rewritten", "slow-rewritten").await?;
        record.version += 1;
        record.writer = "somebody else".to_owned();
        // The kitchen speaks meanwhile, and the operator writes that down.
        Ok(ledger.update(&record, StockChange::None).await.is_ok())
    })
    .await?;
    shop.until_phase("slow-rewritten", Phase::Delivered).await?;
    shop.expect_delivered("slow-rewritten").await
}

/// As a person, or a backup, may write it over the operator's own.
pub async fn a_status_that_somebody_wrote_is_not_believed(world: &World) -> Result<()> {
    let shop = world.namespace("forged-status").await?;
    shop.order("slow-forged", |_| {}).await?;
    shop.until_phase("slow-forged", Phase::Preparing).await?;
    let forged = OrderStatus { phase: Phase::Cancelled, ..OrderStatus::default() };
    let patch = Patch::Merge(json!({"status": forged}));
    shop.orders.patch_status("slow-forged", &PatchParams::default(), &patch).await?;
    let status = shop.until("slow-forged", SOON, |status| status.phase == Phase::Delivered).await?;
    ensure!(status.payment.as_ref().is_some_and(|payment| payment.captured == 1850), "{status:#?}");
    shop.expect_delivered("slow-forged").await
}

pub async fn a_stopping_operator_begins_nothing_new(world: &World) -> Result<()> {
    let shop = world.namespace("stopping").await?;
    let stripe = &world.installation.stack.stripe;
    let matches = Match {
        method: Some("POST".to_owned()),
        path_regex: "/payment_intents$".to_owned(),
        ..Match::default()
    };
    stripe.inject(&Fault { matches, action: Action::DelayAnswerMs { ms: 1500 }, count: 1 }).await?;
    shop.order("interrupted", |_| {}).await?;
    until("the payment is being made", async || {
        let loaded = ledger(world)?.load(&identity("stopping", "interrupted")).await?;
        Ok(loaded.is_some_and(|loaded| loaded.record.phase == Phase::Paying))
    })
    .await?;
    let mut operator = world.operator().await.take().context("an operator runs")?;
    let status = operator.process.terminate(Duration::from_secs(15)).await?;
    stripe.clear_faults().await?;
    ensure!(status.code() == Some(0), "it ended with {status}");
    let record = record(world, "stopping", "interrupted").await?;
    let begun: Vec<&str> = record.journal.keys().map(|effect| effect.name()).collect();
    ensure!(begun == ["Reserve", "OpenPayment"], "after the stop was asked for it began: {begun:?}");
    world.start_operator().await?;
    shop.until_phase("interrupted", Phase::Delivered).await?;
    shop.expect_delivered("interrupted").await
}

pub async fn while_the_ledger_is_away_no_order_is_spoken_of_and_the_class_says_why(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("no-ledger").await?;
    let classes: Api<OrderClass> = Api::all(world.installation.stack.kubernetes.client());
    let ready_as = async |wanted: (&str, &str)| -> Result<bool> {
        let status = classes.get(CLASS).await?.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
        Ok(ready.is_some_and(|ready| (ready.status.as_str(), ready.reason.as_str()) == wanted))
    };
    world.kill_operator().await?;
    let nowhere = format!("http://127.0.0.1:{}", free_port()?);
    let variables = [("AWS_ENDPOINT_URL", OsStr::new(&nowhere))];
    let blind = world.installation.operator_with("operator", &[], &variables).await?;
    *world.operator().await = Some(blind);
    shop.order("unheard", |_| {}).await?;
    until("the class says so", async || ready_as(("False", "LedgerUnreachable")).await).await?;
    // Time for several tries.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let metrics = world.operator().await.as_ref().context("an operator runs")?.metrics().await?;
    ensure!(metrics.contains("kind=\"ledger\"}"), "the order was not even tried:\n{metrics}");
    let object = shop.orders.get("unheard").await?;
    let status = object.status.unwrap_or_default();
    ensure!(status.reason.is_none() && status.conditions.is_empty(), "it was spoken of: {status:#?}");
    ensure!(object.metadata.finalizers.is_none(), "it was held: {:?}", object.metadata.finalizers);
    world.kill_operator().await?;
    world.start_operator().await?;
    shop.until_phase("unheard", Phase::Delivered).await?;
    until("the class is ready again", async || ready_as(("True", "Reachable")).await).await?;
    shop.expect_delivered("unheard").await
}

/// Only an order can know that a write of its own is refused: the class's ledger answers.
pub async fn a_ledger_that_refuses_to_write_is_told_of_by_the_order(world: &World) -> Result<()> {
    const TABLE: &str = "comanda-passing-catalogue";
    let shop = world.namespace("refusing").await?;
    let catalogue = world.installation.stack.aws.dynamodb();
    let create = || world.installation.stack.aws.create_table(TABLE, &[("pk", KeyType::Hash)]);
    let item = HashMap::from([
        ("pk", AttributeValue::S(format!("{INSTALLATION}/{STORE}#paella"))),
        ("price", AttributeValue::N("1850".to_owned())),
        ("currency", AttributeValue::S("EUR".to_owned())),
        ("stock", AttributeValue::N("3".to_owned())),
    ]);
    create().await?;
    let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    catalogue.put_item().table_name(TABLE).set_item(Some(item)).send().await?;
    let mut spec = world.installation.class_spec(timeouts(), Capture::WhenReady);
    TABLE.clone_into(&mut spec.catalogue.table);
    world.installation.apply_class("refusing", spec).await?;

    shop.order("silent-refused", |spec| spec.class_name = "refusing".to_owned()).await?;
    shop.until_phase("silent-refused", Phase::Preparing).await?;
    catalogue.delete_table().table_name(TABLE).send().await?;
    shop.cancel("silent-refused").await?;
    // The stock cannot be returned.
    let told = |status: &OrderStatus| {
        condition(status, "Ready") == Some(("False", "Retrying")) && status.phase == Phase::Compensating
    };
    let status = shop.until("silent-refused", SOON, told).await?;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let message = ready.map(|ready| ready.message.as_str()).unwrap_or_default();
    ensure!(message.contains("the ledger refuses: ") && message.contains("ResourceNotFound"), "{message}");
    create().await?;
    shop.until("silent-refused", SOON * 3, |status| status.phase == Phase::Cancelled).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-refused", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await
}

/// The kitchen is heard by the rule alone: no process listened, and the broker had nobody to keep it for.
pub async fn what_a_rule_kept_while_nobody_listened_is_heard(world: &World) -> Result<()> {
    let shop = world.namespace("kept").await?;
    for order in ["silent-kept", "silent-neighbour"] {
        shop.order(order, |_| {}).await?;
        shop.until_phase(order, Phase::Preparing).await?;
    }
    world.kill_operator().await?;
    // As the rule of docs/devices.md writes it. What another store says does not count.
    let aws = &world.installation.stack.aws;
    let client = aws.dynamodb();
    for (order, store) in [("silent-kept", STORE), ("silent-neighbour", "tokyo")] {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let number = |value: i64| AttributeValue::N(value.to_string());
        let at = Timestamp::now().as_millisecond();
        let said = r#"{"eventId":"kept-1","event":"ready","seq":1}"#;
        client
            .put_item()
            .table_name(&aws.resources().ledger_table)
            .item("pk", text(&format!("SAID#{INSTALLATION}/kept/{order}")))
            .item("sk", text(&format!("kitchen#kitchen#{at}#kept-1")))
            .item("store", text(store))
            .item("payload", text(&STANDARD.encode(said)))
            .item("at", number(at))
            .send()
            .await?;
    }
    world.start_operator().await?;
    shop.until_phase("silent-kept", Phase::Delivered).await?;
    shop.expect_delivered("silent-kept").await?;
    shop.until_phase("silent-neighbour", Phase::Failed).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-neighbour", "Failed", payment, "confirmed, failed", "prepare, cancel").await
}
