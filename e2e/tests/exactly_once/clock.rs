//! A scene in which the operator's clock is wrong.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comanda_crds::{OrderSpec, OrderStatus, Phase};
use comanda_e2e::fault_proxy::plan::WireFault;
use comanda_e2e::stack::clock::Clock;
use comanda_e2e::stripe_proxy::calls::Call;
use comanda_e2e::world::{AT_ONCE, PATIENT, SOON, Shop, World, until};
use jiff::Timestamp;

const AHEAD: Duration = Duration::from_hours(48);
const PATIENCE: Duration = Duration::from_mins(1);

/// With deadlines that only a wrong clock passes.
fn patient(spec: &mut OrderSpec) {
    spec.class_name = PATIENT.to_owned();
}

/// The operator ends in the middle of an order, when a call has taken effect and its answer is on the way.
async fn dies_at(shop: &Shop<'_>, order: &str, boundary: &str) -> Result<()> {
    shop.wire(order, boundary, WireFault::KillAfter, 1)?;
    shop.order(order, patient).await?;
    shop.until_befallen(order, WireFault::KillAfter).await?;
    let mut operator = shop.world.operator().await;
    operator.as_mut().context("an operator ran")?.process.wait().await?;
    Ok(())
}

/// An order ended, whichever way, and money and messages say the same.
async fn exact(shop: &Shop<'_>, order: &str) -> Result<Phase> {
    let status = shop.until_final(order, PATIENCE).await?;
    let snapshot = shop.snapshot().await?;
    let (charged, captures) = (snapshot.charged(order), snapshot.captures(order));
    let expected = if status.phase == Phase::Delivered { 1850 } else { 0 };
    let facts = snapshot.facts(order);
    ensure!(charged == expected && captures <= 1, "{order}: {charged} in {captures} captures, {facts:#?}");
    ensure!(facts.ledger == status.phase.name(), "{order}: {facts:#?}");
    ensure!(!facts.payment.contains("requires_capture"), "{order} left a hold: {facts:#?}");
    Ok(status.phase)
}

/// Starts an operator whose clock runs ahead, in the place of the one before.
async fn start_ahead(world: &World) -> Result<()> {
    start_by(world, &Clock::ahead(world.installation.stack.dir(), AHEAD)?).await
}

async fn start_by(world: &World, clock: &Clock) -> Result<()> {
    let operator = world.replica("operator", &[], &clock.variables()).await?;
    world.replace_operator(operator).await;
    Ok(())
}

pub async fn a_refund_that_stays_pending_is_followed_for_three_days_with_few_look_ups(
    world: &World,
) -> Result<()> {
    // Longer than the longest pause between two looks, so that each step has exactly one.
    const STEP: Duration = Duration::from_mins(121);
    let shop = world.market("three-days").await?;
    let stripe = &world.installation.stack.stripe;
    world.kill_operator().await?;
    let clock = Clock::ahead(world.installation.stack.dir(), Duration::ZERO)?;
    start_by(world, &clock).await?;
    stripe.silence_banks().await?;
    shop.order("rejects-pending", |spec| {
        spec.class_name = AT_ONCE.to_owned();
        spec.payment.payment_method = "pm_card_pendingRefund".to_owned();
    })
    .await?;
    let waits = |status: &OrderStatus| status.waiting_for.as_ref().is_some_and(|wait| wait.who == "bank");
    shop.until("rejects-pending", SOON, waits).await?;
    let intent = shop.status("rejects-pending").await?.payment.and_then(|payment| payment.intent_id);
    let looks = async || {
        let calls = stripe.calls().await?;
        let look = |call: &&Call| call.method == "GET" && call.path == "/v1/refunds" && call.intent == intent;
        anyhow::Ok(calls.iter().filter(look).count())
    };
    // Its timer counts how long it waits, and not the time of day: a change of the object makes it look at the clock.
    let wake = async |ahead: Duration| {
        clock.set(ahead)?;
        shop.annotate("rejects-pending", "scenes/minute", &(ahead.as_secs() / 60).to_string()).await
    };
    let begun = looks().await?;
    let mut ahead = STEP;
    wake(ahead).await?;
    for step in 1.. {
        until("a look after the pause", async || Ok(looks().await? >= begun + step)).await?;
        ensure!(looks().await? == begun + step, "more than one look in step {step}");
        if ahead >= Duration::from_hours(72) {
            break;
        }
        if step % 6 == 0 {
            // In the middle of a pause it does not look. What is waited for here is longer than wakes are gathered.
            wake(ahead + STEP / 2).await?;
            tokio::time::sleep(Duration::from_millis(700)).await;
            ensure!(looks().await? == begun + step, "a look in the middle of a pause, in step {step}");
        }
        ahead += STEP;
        wake(ahead).await?;
    }
    let asked = looks().await?;
    ensure!(asked <= 60, "{asked} look-ups in three days");
    ensure!(shop.status("rejects-pending").await?.phase == Phase::Compensating);
    stripe.hear_banks().await?;
    wake(ahead + STEP).await?;
    shop.until_phase("rejects-pending", Phase::Failed).await?;
    ensure!(looks().await? == asked + 1, "its last word took more than one look-up");
    eprintln!("three days: {asked} look-ups");
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("rejects-pending", "Failed", payment, "confirmed, failed", "prepare").await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    shop.expect_consumed(0).await
}

pub async fn a_leader_whose_clock_ran_two_days_ahead_is_succeeded_in_seconds(world: &World) -> Result<()> {
    let shop = world.market("clock-lease").await?;
    world.kill_operator().await?;
    start_ahead(world).await?;
    shop.order("slow-ahead", patient).await?;
    shop.until_phase("slow-ahead", Phase::Preparing).await?;
    // Another name, as the next pod has: its own Lease it would take back.
    let successor = world.replica("successor-clock", &[], &[]).await?;
    ensure!(successor.metrics().await?.contains("comanda_leader 0"), "two replicas lead");
    world.kill_operator().await?;
    let status = shop.until_final("slow-ahead", Duration::from_secs(40)).await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    ensure!(successor.metrics().await?.contains("comanda_leader 1"), "who finished it?");
    shop.expect_delivered("slow-ahead").await?;
    world.replace_operator(successor).await;
    shop.expect_consumed(1).await
}

pub async fn a_clock_two_days_ahead_charges_nobody_twice(world: &World) -> Result<()> {
    let shop = world.market("clock").await?;

    // Begun while the clock was right: a kitchen that will be called silent, and calls whose answers were lost.
    shop.order("silent-before", |_| {}).await?;
    shop.until_phase("silent-before", Phase::Preparing).await?;
    for (order, boundary) in [
        ("created", "OpenPayment/effected"),
        ("held", "Authorize/effected"),
        ("captured", "Capture/effected"),
    ] {
        dies_at(&shop, order, boundary).await?;
        start_ahead(world).await?;
        let phase = exact(&shop, order).await?;
        ensure!(phase == Phase::Delivered, "{order} ended {phase:?}");
        world.kill_operator().await?;
        world.start_operator().await?;
    }
    world.kill_operator().await?;
    start_ahead(world).await?;
    ensure!(exact(&shop, "silent-before").await? == Phase::Failed, "its deadline was two days ago");
    // The key of the creation was two days old, by that clock: it got another, and one intent was confirmed.
    let keys: Vec<_> = shop.payments("created").await?.into_iter().filter_map(|call| call.key).collect();
    ensure!(keys.contains(&shop.key("created", "pi", 2)), "{keys:?}");

    // Begun two days ahead, and finished by a clock that is right.
    shop.order("ahead", patient).await?;
    ensure!(exact(&shop, "ahead").await? == Phase::Delivered, "it was well in time");
    shop.order("slow-back", patient).await?;
    shop.until_phase("slow-back", Phase::Preparing).await?;
    let snapshot = shop.snapshot().await?;
    let record = snapshot.record("slow-back").context("the ledger has it")?;
    let created: Timestamp = serde_json::from_value(record["created_at"].clone())?;
    ensure!(created.duration_since(Timestamp::now()).as_hours() >= 47, "the clock was right: {created}");
    world.kill_operator().await?;
    world.start_operator().await?;
    ensure!(exact(&shop, "slow-back").await? == Phase::Delivered, "its time had not come");
    shop.expect_consumed(5).await
}
