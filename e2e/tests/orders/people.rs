//! Scenes about what people do to orders and read of them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comanda_crds::{FINALIZER, Order, Phase, SecretRef};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::conditions::Condition;
use kube::runtime::wait::await_condition;
use serde_json::json;

use comanda_e2e::world::{SOON, World, canary, condition};

fn finished() -> impl Condition<Order> {
    |order: Option<&Order>| {
        let status = order.and_then(|order| order.status.as_ref());
        status.and_then(|status| condition(status, "Finished")).is_some_and(|(status, _)| status == "True")
    }
}

pub async fn waiting_on_conditions_works(world: &World) -> Result<()> {
    let shop = world.namespace("waiting").await?;
    shop.order("waited-for", |_| {}).await?;
    let wait = await_condition(shop.orders.clone(), "waited-for", finished());
    tokio::time::timeout(SOON, wait).await.context("Finished never came")??;

    // The same with kubectl, where there is one.
    let kubeconfig = world.installation.stack.kubernetes.kubeconfig().to_owned();
    let kubectl = move |arguments: &[&str]| {
        Command::new("kubectl")
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(["-n", "waiting"])
            .args(arguments)
            .output()
    };
    if kubectl(&["version", "--client"]).is_err() {
        eprintln!("kubectl is not installed: its part of this scene was not run");
        return Ok(());
    }
    shop.order("waited-for-too", |_| {}).await?;
    let begun = kubectl(&["wait", "ord/waited-for-too", "--for=condition=Finished", "--timeout=20s"])?;
    ensure!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
    let ready = kubectl(&["wait", "ord/waited-for-too", "--for=condition=Ready", "--timeout=1s"])?;
    ensure!(ready.status.success(), "{}", String::from_utf8_lossy(&ready.stderr));
    let table = kubectl(&["get", "ord", "waited-for-too"])?;
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    ensure!(table.contains("Delivered") && table.contains("18.50 EUR"), "{table}");
    Ok(())
}

pub async fn a_cancel_after_pick_up_is_refused_and_says_so(world: &World) -> Result<()> {
    let shop = world.namespace("too-late").await?;
    shop.order("far-away", |_| {}).await?;
    shop.until_said(&world.courier, "far-away", "picked-up").await?;
    shop.until("far-away", SOON, |status| status.phase == Phase::Delivering).await?;
    // The event is on its way to the ledger; a cancel that overtakes it would be honoured.
    tokio::time::sleep(Duration::from_millis(300)).await;
    shop.cancel("far-away").await?;
    let status =
        shop.until("far-away", SOON, |status| status.reason.as_deref() == Some("CancelRefused")).await?;
    ensure!(status.phase == Phase::Delivering, "{status:#?}");
    shop.until_phase("far-away", Phase::Delivered).await?;
    shop.expect_delivered("far-away").await
}

pub async fn a_customer_may_be_in_a_secret_that_comes_later(world: &World) -> Result<()> {
    let shop = world.namespace("secret").await?;
    shop.order("secretive", |spec| {
        spec.customer.inline = None;
        spec.customer.secret_ref = Some(SecretRef { name: "canary".to_owned() });
    })
    .await?;
    let status = shop.until("secretive", SOON, |status| status.reason.is_some()).await?;
    let message = &status.conditions[0].message;
    ensure!(message.contains("the Secret canary of customer.secretRef does not exist"), "{message}");
    let yaml = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: canary}}\nstringData:\n  customer: '{}'\n",
        serde_json::to_string(&canary())?
    );
    world.installation.stack.kubernetes.apply(&yaml, "secret").await?;
    shop.until_phase("secretive", Phase::Delivered).await?;
    shop.expect_delivered("secretive").await
}

pub async fn an_order_whose_secret_never_comes_can_be_deleted(world: &World) -> Result<()> {
    let shop = world.namespace("no-secret").await?;
    for order in ["secretive", "restored"] {
        shop.order(order, |spec| {
            spec.customer.inline = None;
            spec.customer.secret_ref = Some(SecretRef { name: "canary".to_owned() });
        })
        .await?;
        shop.until(order, SOON, |status| status.reason.is_some()).await?;
        let object = shop.orders.get(order).await?;
        ensure!(object.finalizers().is_empty(), "the finalizer is on before the order can begin");
    }
    // As a backup brings it back, or an operator leaves it that died before the claim.
    let patch = json!({"metadata": {"finalizers": [FINALIZER]}});
    shop.orders.patch("restored", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    for (order, ledger) in [("secretive", "none"), ("restored", "Cancelled")] {
        shop.orders.delete(order, &DeleteParams::default()).await?;
        shop.until_gone(order).await?;
        shop.expect(order, ledger, "none", "nothing", "none").await?;
    }
    Ok(())
}

pub async fn a_suspended_order_waits_and_goes_on(world: &World) -> Result<()> {
    let shop = world.namespace("suspended").await?;
    shop.order("held", |spec| spec.suspend = true).await?;
    let status = shop.until("held", SOON, |status| status.reason.is_some()).await?;
    ensure!(status.reason.as_deref() == Some("Suspended"), "{status:#?}");
    shop.expect("held", "none", "none", "nothing", "none").await?;
    let patch = json!({"spec": {"suspend": false}});
    shop.orders.patch("held", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    shop.until_phase("held", Phase::Delivered).await?;
    shop.expect_delivered("held").await
}

pub async fn a_finished_order_leaves_when_its_time_is_over(world: &World) -> Result<()> {
    let shop = world.namespace("leaving").await?;
    shop.order("short-lived", |spec| spec.ttl_seconds_after_finished = Some(1)).await?;
    shop.until_gone("short-lived").await?;
    shop.expect_delivered("short-lived").await
}

pub async fn describe_tells_what_happened_what_was_undone_and_what_the_customer_was_told(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("told").await?;
    shop.order("fails-told", |_| {}).await?;
    let status = shop.until_phase("fails-told", Phase::Failed).await?;
    let story =
        status.conditions.iter().find(|condition| condition.type_ == "Finished").context("Finished")?;
    for sentence in [
        "The courier could not deliver",
        "18.50 EUR was refunded.",
        "recorded as spent",
        "The customer was told",
    ] {
        ensure!(story.message.contains(sentence), "{sentence:?} is not in {:?}", story.message);
    }
    let undone: Vec<&str> = status.compensations.iter().map(|undo| undo.name.as_str()).collect();
    ensure!(undone == ["Refund", "Release", "NotifyEnding"], "{undone:?}");
    ensure!(condition(&status, "Ready") == Some(("True", "Failed")), "{:#?}", status.conditions);
    ensure!(condition(&status, "Compensated") == Some(("True", "Undone")), "{:#?}", status.conditions);
    ensure!(condition(&status, "Reconciling").is_none(), "{:#?}", status.conditions);
    Ok(())
}
