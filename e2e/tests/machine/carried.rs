//! Who carries an order to its end.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::world::{DELEGATED, Shop, World};

/// A dozen functions start for the first time.
const PATIENCE: Duration = Duration::from_mins(1);

/// Whatever else it tried, it was refused.
pub async fn an_order_is_delivered_by_an_operator_that_may_do_what_its_policy_grants(
    world: &World,
) -> Result<()> {
    let shop = world.stall("by-the-operator").await?;
    shop.order("by-the-operator", |_| {}).await?;
    expect_delivered(&shop, "by-the-operator").await?;
    ensure!(shop.executions("by-the-operator").await?.is_empty(), "its class names no machine");
    Ok(())
}

/// The operator starts it, and shows what came of it.
pub async fn an_order_is_delivered_by_one_execution_of_the_machine(world: &World) -> Result<()> {
    let shop = world.stall("by-the-machine").await?;
    shop.order("by-the-machine", |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    expect_delivered(&shop, "by-the-machine").await?;

    let aws = &world.installation.stack.aws;
    let executions = shop.executions("by-the-machine").await?;
    let [execution] = &executions[..] else { anyhow::bail!("not one execution: {executions:?}") };
    let entered = aws.states_entered(execution).await?;
    // A step that waits is entered again with each thing that a device says.
    let mut seen = BTreeSet::new();
    let first: Vec<_> = entered.iter().filter(|state| seen.insert(*state)).map(String::as_str).collect();
    let expected = [
        "ValidateOrder",
        "AuthorizePayment",
        "ConfirmOrder",
        "UpdateStatus",
        "RequestPreparation",
        "AwaitKitchen",
        "CapturePayment",
        "RequestDelivery",
        "AwaitCourier",
        "CloseOrder",
        "Delivered",
    ];
    ensure!(first == expected, "{entered:?}");
    let late = aws.states_timed_out(execution).await?;
    ensure!(late.is_empty(), "nobody was told of what devices said: {late:?}");
    Ok(())
}

async fn expect_delivered(shop: &Shop<'_>, order: &str) -> Result<()> {
    let status = shop.until_final(order, PATIENCE).await?;
    ensure!(status.phase == Phase::Delivered, "{order}: {status:#?}");
    shop.expect_delivered(order).await?;
    shop.expect_consumed(1).await?;
    shop.expect_no_call_repeated(order).await?;
    let calls = shop.payments(order).await?;
    let last = calls.last().context("there are calls")?;
    ensure!(last.path.ends_with("/capture"), "{calls:#?}");
    Ok(())
}
