//! Scenes in which the operator does not hear what happens to objects.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::fault_proxy::Watches;
use comanda_e2e::world::{PATIENT, World};

/// How long a watch lives, by `WATCH_SECONDS` of the operator, and five seconds until it is given up.
const WATCH: Duration = Duration::from_secs(35);
const OPERATOR: &str = "system:serviceaccount:comanda-system:comanda-operator";

pub async fn a_cancel_made_while_the_watch_is_silently_dead_is_noticed(world: &World) -> Result<()> {
    let shop = world.market("dead-watch").await?;
    // A fresh watch, so that it has its whole life before it.
    world.kill_operator().await?;
    world.start_operator().await?;
    shop.order("silent-dead", |spec| spec.class_name = PATIENT.to_owned()).await?;
    shop.until_phase("silent-dead", Phase::Preparing).await?;
    let proxy = shop.proxy()?;
    proxy.set_watches(Watches::Dead);
    shop.cancel("silent-dead").await?;
    let cancelled = Instant::now();
    // The news is lost on a connection that stays open; whoever watches anew is served.
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.set_watches(Watches::Alive);
    shop.until("silent-dead", WATCH + Duration::from_secs(10), |status| {
        matches!(status.phase, Phase::Compensating | Phase::Cancelled)
    })
    .await?;
    let noticed = cancelled.elapsed();
    ensure!(noticed > Duration::from_secs(10), "the watch was not dead: noticed after {noticed:?}");
    ensure!(noticed < WATCH + Duration::from_secs(5), "noticed after {noticed:?} only");
    shop.until_phase("silent-dead", Phase::Cancelled).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-dead", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    shop.expect_consumed(0).await
}

pub async fn watches_that_are_told_that_they_missed_too_much_list_again(world: &World) -> Result<()> {
    list_again(world, "expired-watch", Watches::Expired).await
}

/// The server of today says it in an event; the API allows both.
pub async fn watches_that_are_refused_with_status_410_list_again(world: &World) -> Result<()> {
    list_again(world, "gone-watch", Watches::Gone).await
}

async fn list_again(world: &World, market: &str, fate: Watches) -> Result<()> {
    let shop = world.market(market).await?;
    let lists = || {
        let listed = world.installation.stack.kubernetes.audit_events(|event| {
            event["user"]["username"] == OPERATOR
                && event["verb"] == "list"
                && event["objectRef"]["resource"] == "orders"
        })?;
        anyhow::Ok(listed.len())
    };
    let before = lists()?;
    shop.order("slow-before", |_| {}).await?;
    let proxy = shop.proxy()?;
    proxy.set_watches(fate);
    shop.order("slow-meanwhile", |_| {}).await?;
    shop.order("silent-cancelled", |spec| spec.class_name = PATIENT.to_owned()).await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    shop.cancel("silent-cancelled").await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.set_watches(Watches::Alive);
    shop.until("silent-cancelled", WATCH, |status| status.phase == Phase::Cancelled).await?;
    for order in ["slow-before", "slow-meanwhile"] {
        shop.until(order, WATCH, |status| status.phase == Phase::Delivered).await?;
        shop.expect_delivered(order).await?;
    }
    let again = lists()? - before;
    ensure!(again > 1, "the orders were listed {again} times");
    let facts = shop.facts("silent-cancelled").await?;
    ensure!(!facts.payment.contains("captured 1850"), "{facts:#?}");
    shop.expect_consumed(2).await
}
