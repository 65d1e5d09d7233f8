//! Scenes about Stripe: its idempotency keys, refunds that take their time, holds that end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Order, Phase};
use comanda_e2e::fault_proxy::plan::WireFault;
use comanda_e2e::stack::stripe::SECRET_KEY;
use comanda_e2e::stripe_proxy::faults::Action;
use comanda_e2e::world::{Shop, World, condition};
use serde_json::Value;

/// Longer than the operator waits for an answer of Stripe, which is ten seconds.
const NO_ANSWER: u64 = 11_000;
/// Longer than such a wait, a back-off and what is left of an order.
const AFTER_NO_ANSWER: Duration = Duration::from_secs(40);

/// A POST to Stripe that is not the operator's.
async fn post(world: &World, path: &str, key: &str, form: &[(&str, &str)]) -> Result<Value> {
    let request = reqwest::Client::new()
        .post(format!("{}/v1/{path}", world.installation.stack.stripe.url()))
        .bearer_auth(SECRET_KEY)
        .header("Idempotency-Key", key)
        .form(form);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// Waits until the ledger has the payment intent of an order.
async fn intent(shop: &Shop<'_>, order: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        let snapshot = shop.snapshot().await?;
        if let Some(id) = snapshot.record(order).and_then(|record| record["payment"]["id"].as_str()) {
            return Ok(id.to_owned());
        }
        ensure!(begun.elapsed() < Duration::from_secs(20), "{order} never got an intent");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn a_key_that_is_still_in_use_is_asked_again_and_the_order_is_charged_once(
    world: &World,
) -> Result<()> {
    let shop = world.market("key-in-use").await?;
    // The operator gives up after ten seconds and repeats the creation, while Stripe is still at the first.
    shop.misbehave(&shop.key("slow-creation", "pi", 1), Action::DelayMs { ms: 14_000 }).await?;
    shop.order("slow-creation", |_| {}).await?;
    shop.until_final("slow-creation", AFTER_NO_ANSWER).await?;
    let calls = shop.payments("slow-creation").await?;
    let in_use =
        calls.iter().filter(|call| call.error_code.as_deref() == Some("idempotency_key_in_use")).count();
    ensure!(in_use > 0, "the key was never in use: {calls:#?}");
    // The key may have been given up by then: what it made is never confirmed.
    shop.expect_charged_once("slow-creation").await?;
    shop.expect_consumed(1).await
}

pub async fn a_key_that_somebody_else_used_is_left_and_the_order_is_charged_once(
    world: &World,
) -> Result<()> {
    let shop = world.market("key-of-another").await?;
    let (creation, capture) = (shop.key("taken", "pi", 1), shop.key("taken", "capture", 1));
    let strangers = [("amount", "99900"), ("currency", "eur"), ("metadata[comanda_order]", "a stranger's")];
    for key in [&creation, &capture] {
        post(world, "payment_intents", key, &strangers).await?;
    }
    shop.order("taken", |_| {}).await?;
    shop.until_final("taken", AFTER_NO_ANSWER).await?;
    let calls = shop.payments("taken").await?;
    for key in [&creation, &capture] {
        // The first call under each key is the stranger's.
        let refused = calls.iter().filter(|call| call.key.as_ref() == Some(key)).skip(1);
        ensure!(refused.clone().count() > 0, "nobody used {key}");
        for call in refused {
            ensure!(call.status == Some(400), "{key} did not refuse {call:#?}");
        }
    }
    shop.expect_delivered("taken").await?;
    shop.expect_consumed(1).await
}

pub async fn keys_that_expired_behind_a_lost_answer_charge_and_refund_once(world: &World) -> Result<()> {
    let shop = world.market("keys-expired").await?;
    for (order, boundary, phase) in [
        ("created", "OpenPayment/effected", Phase::Delivered),
        ("confirmed", "Authorize/effected", Phase::Delivered),
        ("captured", "Capture/effected", Phase::Delivered),
        ("fails-refunded", "Refund/effected", Phase::Failed),
    ] {
        shop.wire(order, boundary, WireFault::KillAfter, 1)?;
        shop.order(order, |_| {}).await?;
        shop.until_befallen(order, WireFault::KillAfter).await?;
        {
            let mut operator = world.operator().await;
            operator.as_mut().context("an operator ran")?.process.wait().await?;
        }
        world.installation.stack.stripe.forget_keys().await?;
        world.start_operator().await?;
        shop.until_phase(order, phase).await?;
        if phase == Phase::Delivered {
            shop.expect_charged_once(order).await?;
        }
    }
    // A creation whose key expired makes a second intent; it is the only one that is ever confirmed.
    let payment = shop.facts("created").await?.payment;
    ensure!(payment.matches("requires_confirmation").count() == 1, "{payment}");
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("fails-refunded", "Failed", payment, "confirmed, failed", "prepare, deliver, assigned")
        .await?;
    shop.expect_consumed(4).await
}

/// The state of each refund of an order.
async fn refunds(shop: &Shop<'_>, order: &str) -> Result<Vec<String>> {
    let id = intent(shop, order).await?;
    let refunds = shop.world.installation.stack.stripe.list(&format!("refunds?payment_intent={id}")).await?;
    Ok(refunds.iter().filter_map(|refund| refund["status"].as_str().map(str::to_owned)).collect())
}

pub async fn what_support_gave_back_by_hand_is_neither_forgotten_nor_given_twice(
    world: &World,
) -> Result<()> {
    let shop = world.market("refund-by-hand").await?;
    shop.wire("fails-by-hand", "Refund/sent", WireFault::KillThenLose, 1)?;
    shop.order("fails-by-hand", |_| {}).await?;
    shop.until_befallen("fails-by-hand", WireFault::KillThenLose).await?;
    let id = intent(&shop, "fails-by-hand").await?;
    post(world, "refunds", "support-1", &[("payment_intent", &id), ("amount", "500")]).await?;
    world.start_operator().await?;
    shop.until_final("fails-by-hand", AFTER_NO_ANSWER).await?;
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("fails-by-hand", "Failed", payment, "confirmed, failed", "prepare, deliver, assigned")
        .await?;
    let refunded =
        shop.snapshot().await?.record("fails-by-hand").map(|record| record["payment"]["refunded"].clone());
    ensure!(refunded == Some(1850.into()), "by the ledger, {refunded:?} was refunded");
    shop.expect_consumed(1).await
}

/// An order whose refund failed, and whose operator knows: the first answer said that it had succeeded, and was
/// lost until that was no longer true.
pub async fn stalled_at_a_failed_refund(shop: &Shop<'_>, order: &str) -> Result<Order> {
    shop.misbehave(&shop.key(order, "refund", 1), Action::DelayAnswerMs { ms: NO_ANSWER }).await?;
    let object =
        shop.order(order, |spec| spec.payment.payment_method = "pm_card_refundFail".to_owned()).await?;
    let status = shop.until(order, AFTER_NO_ANSWER, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&status, "Stalled") == Some(("True", "RefundFailed")), "{status:#?}");
    ensure!(refunds(shop, order).await? == ["failed"], "the refund did not fail");
    Ok(object)
}

pub async fn a_failed_refund_waits_for_a_person_whose_retry_is_a_new_attempt(world: &World) -> Result<()> {
    let shop = world.market("refund-failed").await?;
    stalled_at_a_failed_refund(&shop, "fails-refund").await?;
    shop.expect_rest("fails-refund", Duration::from_secs(2)).await?;
    shop.annotate("fails-refund", "comanda.dev/retry", "the bank was told").await?;
    let status = shop.until_final("fails-refund", AFTER_NO_ANSWER).await?;
    ensure!(status.phase == Phase::Failed && condition(&status, "Stalled").is_none(), "{status:#?}");
    let keys: Vec<_> = shop
        .payments("fails-refund")
        .await?
        .into_iter()
        .filter(|call| call.path.ends_with("/refunds"))
        .filter_map(|call| call.key)
        .collect();
    let expected = [shop.key("fails-refund", "refund", 1), shop.key("fails-refund", "refund", 2)];
    ensure!(keys == expected, "{keys:?}");
    ensure!(refunds(&shop, "fails-refund").await?.len() == 2, "there are other refunds");
    shop.expect_consumed(1).await
}

pub async fn an_authorization_that_expires_before_the_capture_fails_the_order_uncharged(
    world: &World,
) -> Result<()> {
    let shop = world.market("hold-expired").await?;
    shop.order("slow-expired", |_| {}).await?;
    shop.until_phase("slow-expired", Phase::Preparing).await?;
    // As Stripe does it when the hold ends.
    let path = format!("payment_intents/{}/cancel", intent(&shop, "slow-expired").await?);
    let cancelled = post(world, &path, "the hold of slow-expired ended", &[]).await?;
    ensure!(cancelled["status"] == "canceled", "{cancelled:#}");
    let status = shop.until_final("slow-expired", AFTER_NO_ANSWER).await?;
    ensure!(status.reason.as_deref() == Some("CaptureFailed"), "{status:#?}");
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("slow-expired", "Failed", payment, "confirmed, failed", "prepare").await?;
    shop.expect_consumed(1).await
}
