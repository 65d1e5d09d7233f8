//! An order's executions, one after the other: the next begins where the ledger is, and the one before does nothing more.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sfn::error::ProvideErrorMetadata as _;
use comanda_crds::{OrderStatus, Phase};
use comanda_e2e::installation::{INSTALLATION, TENANT};
use comanda_e2e::world::{DELEGATED, SOON, Shop, World, until_within};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

/// By when the next execution begins in place of one that was stopped: it is told of, looked at, and ten seconds pass.
const SUCCEEDED: Duration = Duration::from_secs(40);

async fn states_of(shop: &Shop<'_>, order: &str, attempt: usize) -> Result<Vec<String>> {
    let executions = shop.executions(order).await?;
    let execution = executions.get(attempt - 1).with_context(|| format!("{executions:?}"))?;
    shop.world.installation.stack.aws.states_entered(execution).await
}

pub async fn an_execution_stopped_by_hand_is_succeeded_from_where_the_ledger_is_and_does_nothing_more(
    world: &World,
) -> Result<()> {
    let (shop, tablet) = (world.shop(TENANT), world.tablet("tablet-by-hand").await?);
    let order = "silent-stopped";
    shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    let stopped = shop.until_in(order, "AwaitKitchen").await?;
    let states = aws_sdk_sfn::Client::new(world.installation.stack.aws.sdk_config());
    let [first] = &shop.executions(order).await?[..] else { anyhow::bail!("not one execution") };
    states.stop_execution().execution_arn(first).send().await?;

    let ended = "The execution was stopped";
    let says_so = |status: &OrderStatus| status.conditions.iter().any(|known| known.message.contains(ended));
    shop.until(order, SOON, says_so).await?;
    until_within(SUCCEEDED, "the next execution begins", async || {
        Ok(shop.executions(order).await?.len() == 2)
    })
    .await?;
    let next = shop.until_in(order, "AwaitKitchen").await?;
    ensure!(next.execution == shop.execution(order, 2), "{next:?}");
    let begun = states_of(&shop, order, 2).await?;
    ensure!(begun.first().is_some_and(|state| state == "RequestPreparation"), "{begun:?}");

    expect_nothing_of(&shop, order, &stopped.execution).await?;
    let late = states.send_task_success().task_token(&stopped.token).output("{}").send().await;
    let refused = late.err().context("a token of the execution before was taken")?;
    ensure!(refused.code() == Some("TaskTimedOut"), "{refused:?}");

    tablet.say(&shop, order, "ready").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    shop.expect_delivered(order).await?;
    shop.expect_no_call_repeated(order).await
}

/// The functions are called as a state of the execution before would call them, one that was paused all the while.
async fn expect_nothing_of(shop: &Shop<'_>, order: &str, execution: &str) -> Result<()> {
    let before = shop.record(order).await?;
    for (function, step) in [
        ("validate-order", "ValidateOrder"),
        ("authorize-payment", "AuthorizePayment"),
        ("notify-customer", "ConfirmOrder"),
        ("update-status", "UpdateStatus"),
        ("request-preparation", "RequestPreparation"),
        ("capture-payment", "CapturePayment"),
        ("request-delivery", "RequestDelivery"),
        ("recall-devices", "RecallDevices"),
        ("undo-payment", "UndoPayment"),
        ("release-stock", "ReleaseStock"),
        ("notify-customer", "NotifyEnding"),
        ("update-status", "CloseOrder"),
        ("update-status", "HandBack"),
    ] {
        let of = json!({ "installation": INSTALLATION, "tenant": shop.namespace, "orderId": order });
        let input = json!({ "order": of, "execution": execution, "step": step, "attempt": 0 });
        let answer = shop.world.installation.stack.aws.invoke(function, &input).await?;
        let reason: &Value = &answer["reason"];
        let expected = if step == "HandBack" { "HandedBack" } else { "Superseded" };
        ensure!(answer["result"] == "Stop" && *reason == expected, "{step} answers {answer}");
    }
    let after = shop.record(order).await?;
    ensure!(before == after, "it wrote: {before:#?}\n{after:#?}");
    shop.expect(order, "Preparing", "requires_capture, captured 0, refunded 0", "confirmed", "prepare").await
}

pub async fn a_suspended_order_is_handed_back_when_its_wait_is_over_and_goes_on_when_it_is_released(
    world: &World,
) -> Result<()> {
    let (shop, tablet) = (world.shop(TENANT), world.tablet("tablet-held").await?);
    let order = "silent-held";
    shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    shop.until_in(order, "AwaitKitchen").await?;
    suspend(&shop, order, true).await?;
    shop.until(order, SOON, |status| status.reason.as_deref() == Some("Suspended")).await?;
    ensure!(shop.record(order).await?.suspended, "the ledger does not say so");

    // What was begun goes on: the kitchen is heard, and nothing is begun after it.
    tablet.say(&shop, order, "ready").await?;
    until_within(SOON, "the execution is over", async || {
        Ok(states_of(&shop, order, 1).await?.last().is_some_and(|state| state == "HandedBack"))
    })
    .await?;
    let entered = states_of(&shop, order, 1).await?;
    ensure!(!entered.iter().any(|state| state == "RequestDelivery"), "{entered:?}");
    shop.until(order, SOON, |status| status.reason.as_deref() == Some("Suspended")).await?;
    let facts = shop.facts(order).await?;
    let held = "requires_capture, captured 0, refunded 0";
    ensure!((&*facts.payment, &*facts.commands) == (held, "prepare"), "{facts:#?}");

    suspend(&shop, order, false).await?;
    shop.until(order, SUCCEEDED, |status| status.phase.is_final()).await?;
    shop.expect_delivered(order).await?;
    shop.expect_no_call_repeated(order).await?;
    let executions = shop.executions(order).await?.len();
    ensure!(executions == 2, "{executions} executions");
    Ok(())
}

async fn suspend(shop: &Shop<'_>, order: &str, suspend: bool) -> Result<()> {
    let patch = json!({ "spec": { "suspend": suspend } });
    shop.orders.patch(order, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}
