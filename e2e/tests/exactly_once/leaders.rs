//! Scenes in which the leader is stopped by the kernel, is replaced, and goes on where it was.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::fault_proxy::plan::WireFault;
use comanda_e2e::installation::Operator;
use comanda_e2e::world::{Shop, World};
use kube::api::DeleteParams;

/// The lease of the paused leader has to end first.
const SUCCESSION: Duration = Duration::from_secs(30);
/// How long nobody may touch an order after the old leader went on.
const QUIET: Duration = Duration::from_secs(2);

/// Lets the paused leader go on when its successor is done, and holds what it finds against what it leaves.
async fn return_of_the_old_leader(shop: &Shop<'_>, order: &str, successor: Operator) -> Result<()> {
    let world = shop.world;
    let metrics = successor.metrics().await?;
    ensure!(metrics.contains("comanda_leader 1"), "who finished {order}?");
    let before = shop.snapshot().await?.trace(order);
    {
        let mut operator = world.operator().await;
        let old = operator.as_mut().context("the old leader is there")?;
        ensure!(old.process.is_paused(), "the old leader was not paused all the time");
        old.process.resume()?;
        // It has lost the lease, and ends so that it starts afresh.
        let ended = tokio::time::timeout(Duration::from_secs(20), old.process.wait()).await;
        ended.context("the old leader still believes that it leads")??;
    }
    tokio::time::sleep(QUIET).await;
    let after = shop.snapshot().await?.trace(order);
    ensure!(before == after, "the old leader changed something: {before}; now {after}");
    world.replace_operator(successor).await;
    Ok(())
}

/// Cancels an order while its leader is paused; the successor undoes it.
async fn cancelled_by_the_successor(shop: &Shop<'_>, order: &str) -> Result<()> {
    shop.cancel(order).await?;
    let status = shop.until_final(order, SUCCESSION).await?;
    ensure!(status.phase == Phase::Cancelled, "{status:#?}");
    Ok(())
}

/// Waits until the successor has carried the order through.
async fn delivered_by_the_successor(shop: &Shop<'_>, order: &str) -> Result<()> {
    let status = shop.until_final(order, SUCCESSION).await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    Ok(())
}

/// Stops the leader wherever it is.
async fn pause_the_leader(shop: &Shop<'_>) -> Result<()> {
    let mut operator = shop.world.operator().await;
    let leader = operator.as_mut().context("a leader runs")?;
    leader.process.pause()?;
    shop.until_paused(leader).await
}

/// Waits until the leader has stopped itself at a boundary.
async fn until_paused_at(shop: &Shop<'_>, order: &str, boundary: &str) -> Result<()> {
    shop.until_fired(order, boundary).await?;
    let operator = shop.world.operator().await;
    shop.until_paused(operator.as_ref().context("a leader runs")?).await
}

pub async fn a_leader_paused_before_the_confirmation_comes_back_to_a_cancelled_order_and_charges_nothing(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-confirms").await?;
    let successor = world.replica("successor-1", &[], &[]).await?;
    shop.plan("held", "Authorize/after-intent", "pause")?;
    shop.order("held", |_| {}).await?;
    until_paused_at(&shop, "held", "Authorize/after-intent").await?;
    cancelled_by_the_successor(&shop, "held").await?;
    return_of_the_old_leader(&shop, "held", successor).await?;
    shop.expect("held", "Cancelled", "canceled, captured 0, refunded 0", "cancelled", "none").await?;
    shop.expect_consumed(0).await
}

pub async fn a_leader_paused_before_the_capture_comes_back_to_a_cancelled_order_and_charges_nothing(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-captures").await?;
    let successor = world.replica("successor-2", &[], &[]).await?;
    shop.plan("held", "Capture/after-intent", "pause")?;
    shop.order("held", |_| {}).await?;
    until_paused_at(&shop, "held", "Capture/after-intent").await?;
    cancelled_by_the_successor(&shop, "held").await?;
    return_of_the_old_leader(&shop, "held", successor).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("held", "Cancelled", payment, "confirmed, cancelled", "prepare").await?;
    // One hold, released once; whatever the old leader still asked for was refused.
    let states: Vec<_> = shop
        .payments("held")
        .await?
        .into_iter()
        .filter(|call| call.status == Some(200) && !call.replayed)
        .filter_map(|call| call.object_status)
        .collect();
    ensure!(states == ["requires_confirmation", "requires_capture", "canceled"], "{states:?}");
    // The kitchen had cooked it.
    shop.expect_consumed(1).await
}

pub async fn a_leader_of_which_a_part_panicked_ends_instead_of_holding_its_place(
    world: &World,
) -> Result<()> {
    let shop = world.market("panicked").await?;
    shop.plan("struck", "Capture/after-intent", "panic")?;
    shop.order("struck", |_| {}).await?;
    shop.until_fired("struck", "Capture/after-intent").await?;
    {
        let mut operator = world.operator().await;
        let ended = operator.as_mut().context("a leader ran")?.process.wait();
        let ended = tokio::time::timeout(Duration::from_secs(15), ended).await;
        let status = ended.context("it holds the lease, and does nothing")??;
        ensure!(!status.success(), "it says that all was well");
    }
    world.start_operator().await?;
    shop.until_phase("struck", Phase::Delivered).await?;
    shop.expect_delivered("struck").await?;
    shop.expect_consumed(1).await
}

pub async fn a_leader_paused_past_its_lease_while_the_capture_is_under_way_leaves_one_refund(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-in-flight").await?;
    let successor = world.replica("successor-3", &[], &[]).await?;
    shop.wire("flying", "Capture/sent", WireFault::Delay, 1)?;
    shop.order("flying", |_| {}).await?;
    shop.until_befallen("flying", WireFault::Delay).await?;
    // The call is on its way, and takes effect when nobody is there to hear of it.
    pause_the_leader(&shop).await?;
    cancelled_by_the_successor(&shop, "flying").await?;
    return_of_the_old_leader(&shop, "flying", successor).await?;
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("flying", "Cancelled", payment, "confirmed, cancelled", "prepare").await?;
    ensure!(shop.snapshot().await?.charged("flying") == 0, "money was kept");
    shop.expect_consumed(1).await
}

pub async fn a_leader_paused_with_the_answer_to_a_capture_unwritten_is_succeeded_without_a_second_one(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-knows").await?;
    let successor = world.replica("successor-4", &[], &[]).await?;
    shop.plan("known", "Capture/answered", "pause")?;
    shop.order("known", |_| {}).await?;
    until_paused_at(&shop, "known", "Capture/answered").await?;
    delivered_by_the_successor(&shop, "known").await?;
    return_of_the_old_leader(&shop, "known", successor).await?;
    shop.expect_delivered("known").await?;
    let captures = shop.payments("known").await?;
    let captures = captures.iter().filter(|call| call.path.ends_with("/capture")).count();
    ensure!(captures == 1, "{captures} captures were asked for");
    shop.expect_consumed(1).await
}

pub async fn a_leader_paused_before_its_claim_comes_back_to_a_deleted_order_and_does_nothing(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-claims").await?;
    let successor = world.replica("successor-5", &[], &[]).await?;
    shop.plan("unborn", "Claim/before-intent", "pause")?;
    shop.order("unborn", |_| {}).await?;
    until_paused_at(&shop, "unborn", "Claim/before-intent").await?;
    shop.orders.delete("unborn", &DeleteParams::default()).await?;
    let begun = Instant::now();
    while !successor.metrics().await?.contains("comanda_leader 1") {
        ensure!(begun.elapsed() < SUCCESSION, "nobody succeeded the paused leader");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    shop.until_gone("unborn").await?;
    return_of_the_old_leader(&shop, "unborn", successor).await?;
    shop.expect("unborn", "Cancelled", "none", "nothing", "none").await?;
    shop.expect_consumed(0).await
}

pub async fn a_leader_paused_while_its_order_waits_writes_no_old_status_when_it_comes_back(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-wakes").await?;
    let successor = world.replica("successor-7", &[], &[]).await?;
    shop.order("slow-told", |_| {}).await?;
    shop.until_phase("slow-told", Phase::Preparing).await?;
    pause_the_leader(&shop).await?;
    delivered_by_the_successor(&shop, "slow-told").await?;
    return_of_the_old_leader(&shop, "slow-told", successor).await?;
    shop.expect_delivered("slow-told").await
}

pub async fn a_leader_paused_before_it_writes_a_status_does_not_write_it_over_its_successors(
    world: &World,
) -> Result<()> {
    let shop = world.market("zombie-tells").await?;
    let successor = world.replica("successor-6", &[], &[]).await?;
    shop.plan("told", "Status/before-intent", "pause")?;
    shop.order("told", |_| {}).await?;
    until_paused_at(&shop, "told", "Status/before-intent").await?;
    delivered_by_the_successor(&shop, "told").await?;
    return_of_the_old_leader(&shop, "told", successor).await?;
    let late = world.installation.stack.kubernetes.audit_events(|event| {
        let object = &event["objectRef"];
        object["namespace"] == *shop.namespace
            && object["subresource"] == "status"
            && event["responseStatus"]["code"] == 409
    })?;
    ensure!(late.len() == 1, "the old leader wrote no status: {late:#?}");
    shop.expect_delivered("told").await
}
