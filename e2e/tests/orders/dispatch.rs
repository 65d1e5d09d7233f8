//! Scenes about who has an order: devices that were away, several tablets, several couriers.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::installation::PREFIX;
use comanda_e2e::stack::simulators::{Device, Role, Simulator};
use comanda_e2e::world::{PATIENT, STORE, Shop, World, until};
use serde_json::Value;

/// By when a command came again: after ten seconds, and what the order takes then.
const REPEATED: Duration = Duration::from_secs(25);

/// A device of the scene's own, in its own namespace.
async fn device(shop: &Shop<'_>, role: Role, name: &str, accept: &str, treats: &str) -> Result<Simulator> {
    let device = Device::new(role, name, PREFIX).of(&shop.namespace, STORE).arg("--accept-ms", accept);
    shop.world.installation.stack.simulate(&device.rule(treats)).await
}

/// The commands of this name that a device heard of an order.
fn heard(device: &Simulator, order: &str, command: &str) -> Result<Vec<Value>> {
    let mut lines = device.journal()?;
    lines.retain(|line| {
        line["kind"] == "command" && line["orderId"] == order && line["command"]["command"] == command
    });
    Ok(lines)
}

async fn until_sent(shop: &Shop<'_>, order: &str, effect: &str) -> Result<()> {
    until(&format!("{effect} is sent"), async || {
        let snapshot = shop.snapshot().await?;
        Ok(snapshot.record(order).is_some_and(|record| record["journal"][effect]["state"] == "Done"))
    })
    .await
}

pub async fn a_tablet_or_courier_with_a_clean_session_that_was_away_gets_the_order_when_it_is_back(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("clean-sessions").await?;
    for order in ["silent-away", "mute-away"] {
        shop.order(order, |spec| PATIENT.clone_into(&mut spec.class_name)).await?;
    }
    until_sent(&shop, "silent-away", "Prepare").await?;
    until_sent(&shop, "mute-away", "Deliver").await?;
    let _tablet = device(&shop, Role::Kitchen, "clean-tablet", "20", "mute-*=silent").await?;
    let courier = device(&shop, Role::Courier, "clean-bike", "20", "silent-*=silent").await?;
    shop.until("silent-away", REPEATED, |status| status.phase == Phase::Delivered).await?;
    shop.expect_delivered("silent-away").await?;
    let status = shop.until("mute-away", REPEATED, |status| status.phase == Phase::Delivered).await?;
    ensure!(status.courier.as_deref() == Some("clean-bike"), "{status:#?}");
    ensure!(heard(&courier, "mute-away", "assigned")?.len() == 1, "it was not assigned once");
    Ok(())
}

pub async fn an_order_whose_courier_dies_after_accepting_is_delivered_by_another(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("two-couriers").await?;
    let mut first = device(&shop, Role::Courier, "bike-dies", "20", "*=silent-after-accept").await?;
    let second = device(&shop, Role::Courier, "bike-lives", "300", "none=silent").await?;
    shop.order("mute-two", |_| {}).await?;
    until_sent(&shop, "mute-two", "Assign").await?;
    first.process.kill()?;
    let status = shop.until("mute-two", REPEATED, |status| status.phase == Phase::Delivered).await?;
    ensure!(status.courier.as_deref() == Some("bike-lives"), "{status:#?}");
    let [first_offer, second_offer] = &heard(&second, "mute-two", "deliver")?[..] else {
        anyhow::bail!("it was not offered twice: {:#?}", second.journal()?);
    };
    let seq = |line: &Value| line["command"]["seq"].as_u64().context("a command has a number");
    ensure!(seq(second_offer)? > seq(first_offer)?, "the second offer has no higher number");
    for offer in [first_offer, second_offer] {
        let text = offer.to_string();
        ensure!(offer["command"]["area"]["country"] == "ES", "{text}");
        for private in ["address", "recipient", "phone", "lines", "postalCode"] {
            ensure!(!text.contains(private), "an offer has {private}: {text}");
        }
    }
    let [assigned] = &heard(&second, "mute-two", "assigned")?[..] else {
        anyhow::bail!("it was not assigned once");
    };
    ensure!(assigned["command"]["recipient"]["phone"].is_string(), "{assigned:#}");
    ensure!(heard(&second, "mute-two", "taken")?.len() == 2, "it did not hear who has the order");
    Ok(())
}

pub async fn of_two_tablets_the_one_that_accepts_has_the_order_and_the_others_refusal_comes_too_late(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("two-tablets").await?;
    let second = device(&shop, Role::Kitchen, "tablet-late", "120", "*=reject").await?;
    shop.order("shared", |_| {}).await?;
    shop.until_said(&second, "shared", "rejected").await?;
    shop.until_phase("shared", Phase::Delivered).await?;
    Ok(())
}
