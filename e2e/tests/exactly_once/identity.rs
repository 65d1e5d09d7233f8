//! Scenes about who an order is, and whose.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::KeyType;
use comanda_crds::{Capture, OrderClass, OrderClassSpec, OrderSpec, OrderStatus, Phase};
use comanda_e2e::installation::PREFIX;
use comanda_e2e::world::{PATIENT, SOON, Shop, World, condition, patience};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::devices::{Mouth, until_recorded};

/// Takes an object away behind its operator's back, as a lost cluster does.
async fn lose(shop: &Shop<'_>, order: &str) -> Result<()> {
    let mut operator = shop.world.operator().await;
    let process = &mut operator.as_mut().context("an operator runs")?.process;
    process.pause()?;
    let patch = json!({"metadata": {"finalizers": null}});
    shop.orders.patch(order, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    shop.orders.delete(order, &DeleteParams::default()).await?;
    shop.until_gone(order).await?;
    process.resume()
}

pub async fn an_order_lost_and_applied_again_ten_times_is_one_order(world: &World) -> Result<()> {
    let shop = world.market("ten-times").await?;
    let patient = |spec: &mut OrderSpec| spec.class_name = PATIENT.to_owned();
    shop.order("silent-ten", patient).await?;
    shop.until_phase("silent-ten", Phase::Preparing).await?;
    for _ in 0..10 {
        lose(&shop, "silent-ten").await?;
        shop.order("silent-ten", patient).await?;
        shop.until_phase("silent-ten", Phase::Preparing).await?;
    }
    let record = until_recorded(&shop, "silent-ten", |record| record["epoch"] == 11).await?;
    ensure!(record["phase"] == "Preparing", "{record:#}");
    let mouth = Mouth::connect(world, "ten-kitchen", "kitchen").await?;
    mouth.say(PREFIX, &shop, "kitchen", "silent-ten", ("ready", 1)).await?;
    shop.until_phase("silent-ten", Phase::Delivered).await?;
    shop.expect_delivered("silent-ten").await?;
    for _ in 0..10 {
        shop.orders.delete("silent-ten", &DeleteParams::default()).await?;
        shop.until_gone("silent-ten").await?;
        shop.order("silent-ten", patient).await?;
        shop.until_phase("silent-ten", Phase::Delivered).await?;
    }
    shop.expect_rest("silent-ten", Duration::from_secs(1)).await?;
    shop.expect_delivered("silent-ten").await?;
    shop.expect_consumed(1).await
}

pub async fn of_two_objects_for_one_order_the_second_does_nothing(world: &World) -> Result<()> {
    let shop = world.market("two-objects").await?;
    let shared = |spec: &mut OrderSpec| spec.order_id = Some("slow-shared".to_owned());
    shop.order("first", shared).await?;
    shop.until_phase("first", Phase::Preparing).await?;
    shop.order("second", shared).await?;
    let status = shop.until("second", SOON, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&status, "Accepted") == Some(("False", "OwnedElsewhere")), "{status:#?}");
    // Deleting an object that does not own its order undoes nothing.
    shop.orders.delete("second", &DeleteParams::default()).await?;
    shop.until_gone("second").await?;
    shop.until_phase("first", Phase::Delivered).await?;
    shop.expect_delivered("slow-shared").await?;
    shop.expect_consumed(1).await
}

/// Takes a class away that is in use, and makes another of its name.
async fn made_anew(world: &World, name: &str, spec: OrderClassSpec) -> Result<()> {
    let classes: Api<OrderClass> = Api::all(world.installation.stack.kubernetes.client());
    classes.delete(name, &DeleteParams::default()).await?;
    let patch = json!({"metadata": {"finalizers": null}});
    classes.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    let begun = Instant::now();
    while classes.get_opt(name).await?.is_some() {
        ensure!(begun.elapsed() < SOON, "the class {name} is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.installation.apply_class(name, spec).await
}

/// A Stripe that hangs up, and counts how often it was called.
async fn another_stripe() -> Result<(String, Arc<AtomicUsize>)> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let calls: Arc<AtomicUsize> = Arc::default();
    let counter = Arc::clone(&calls);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok((url, calls))
}

pub async fn a_class_made_anew_with_another_stripe_does_not_redirect_an_undo(world: &World) -> Result<()> {
    let shop = world.market("other-stripe").await?;
    let spec = world.installation.class_spec(patience(), Capture::WhenReady);
    world.installation.apply_class("moving", spec.clone()).await?;
    let moving = |spec: &mut OrderSpec| spec.class_name = "moving".to_owned();
    shop.order("silent-moved", moving).await?;
    shop.until_phase("silent-moved", Phase::Preparing).await?;
    let (url, calls) = another_stripe().await?;
    let mut other = spec;
    other.payments.stripe.url = url;
    made_anew(world, "moving", other).await?;
    // An order of the new class shows that it is in force.
    shop.order("new", moving).await?;
    let begun = Instant::now();
    while calls.load(Ordering::SeqCst) == 0 {
        ensure!(begun.elapsed() < SOON, "nobody called the new Stripe");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shop.cancel("new").await?;
    shop.until_phase("new", Phase::Cancelled).await?;
    let before = calls.load(Ordering::SeqCst);
    shop.cancel("silent-moved").await?;
    shop.until_phase("silent-moved", Phase::Cancelled).await?;
    ensure!(calls.load(Ordering::SeqCst) == before, "the undo went to the new Stripe");
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-moved", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    shop.expect_consumed(0).await
}

/// An operator that starts anew knows only the new class, and must not take its empty ledger for the truth.
pub async fn a_class_made_anew_with_another_ledger_starts_no_order_again(world: &World) -> Result<()> {
    let shop = world.market("other-ledger").await?;
    let mut spec = world.installation.class_spec(patience(), Capture::WhenReady);
    // Topics of its own: two ledgers behind one session of the broker are refused.
    spec.devices.topic_prefix = "exiled".to_owned();
    world.installation.apply_class("exiled", spec.clone()).await?;
    let exiled = |spec: &mut OrderSpec| spec.class_name = "exiled".to_owned();
    let mouth = Mouth::connect(world, "exiled-devices", "exiled").await?;
    for order in ["finished", "unfinished"] {
        shop.order(order, exiled).await?;
        shop.until_phase(order, Phase::Preparing).await?;
    }
    mouth.say("exiled", &shop, "kitchen", "finished", ("ready", 1)).await?;
    until_recorded(&shop, "finished", |record| record["journal"]["Deliver"]["state"] == "Done").await?;
    mouth.say("exiled", &shop, "couriers", "finished", ("delivered", 2)).await?;
    shop.until_phase("finished", Phase::Delivered).await?;

    let key = [("pk", KeyType::Hash), ("sk", KeyType::Range)];
    world.installation.stack.aws.create_table("exile-ledger", &key).await?;
    let mut other = spec.clone();
    other.ledger.table = "exile-ledger".to_owned();
    world.kill_operator().await?;
    made_anew(world, "exiled", other).await?;
    world.start_operator().await?;
    for order in ["finished", "unfinished"] {
        // Whatever wakes it.
        shop.annotate(order, "somebody", "looked").await?;
    }
    let told = |status: &OrderStatus| status.reason.as_deref() == Some("ClassNotReady");
    let status = shop.until("unfinished", SOON, told).await?;
    ensure!(status.phase == Phase::Preparing, "{status:#?}");
    let status = shop.status("finished").await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    let dynamodb = world.installation.stack.aws.dynamodb();
    let begun = dynamodb.scan().table_name("exile-ledger").send().await?.count();
    ensure!(begun == 0, "the other ledger has {begun} items");
    let facts = shop.facts("unfinished").await?;
    ensure!(facts.payment == "requires_capture, captured 0, refunded 0", "{facts:#?}");
    let facts = shop.facts("finished").await?;
    ensure!(facts.payment == "succeeded, captured 1850, refunded 0", "{facts:#?}");

    world.kill_operator().await?;
    made_anew(world, "exiled", spec).await?;
    world.start_operator().await?;
    shop.cancel("unfinished").await?;
    shop.until_phase("unfinished", Phase::Cancelled).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("unfinished", "Cancelled", payment, "confirmed, cancelled", "none").await?;
    let payment = "succeeded, captured 1850, refunded 0";
    shop.expect("finished", "Delivered", payment, "confirmed", "none").await?;
    shop.expect_consumed(1).await
}
