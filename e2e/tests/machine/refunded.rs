//! Refunds that take their time.

use std::time::Duration;

use anyhow::{Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::world::{DELEGATED, World};

/// A pending refund is looked up after a pause.
const AFTER_A_LOOK: Duration = Duration::from_mins(1);

/// The courier fails with the food, and the bank has not paid back when all else is undone.
pub async fn a_refund_that_the_bank_delays_is_followed_by_the_execution(world: &World) -> Result<()> {
    let order = "fails-delayed";
    let shop = world.stall(order).await?;
    shop.order(order, |spec| {
        DELEGATED.clone_into(&mut spec.class_name);
        spec.payment.payment_method = "pm_card_pendingRefund".to_owned();
    })
    .await?;
    let status = shop.until(order, AFTER_A_LOOK, |status| status.phase.is_final()).await?;
    ensure!(status.phase == Phase::Failed, "{status:#?}");
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect(order, "Failed", payment, "confirmed, failed", "prepare, deliver, assigned").await?;
    shop.expect_no_call_repeated(order).await?;
    let [execution] = &shop.executions(order).await?[..] else { anyhow::bail!("not one execution") };
    let entered = world.installation.stack.aws.states_entered(execution).await?;
    ensure!(entered.iter().any(|state| state == "AwaitRefund"), "the refund was not pending: {entered:?}");
    ensure!(entered.last().is_some_and(|last| last == "Compensated"), "{entered:?}");
    Ok(())
}
