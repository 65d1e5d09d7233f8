//! Scenes about kitchens and couriers.

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, OrderClass, Phase};
use comanda_e2e::installation::{INSTALLATION, PREFIX};
use comanda_steps::ports::Devices;
use kube::Api;
use kube::api::DeleteParams;

use comanda_e2e::world::{SOON, STORE, World, timeouts, until};

pub async fn repeated_and_overtaking_events_change_nothing(world: &World) -> Result<()> {
    let shop = world.namespace("repeated").await?;
    for name in ["twice", "overtaking"] {
        shop.order(name, |_| {}).await?;
    }
    for name in ["twice", "overtaking"] {
        shop.until_phase(name, Phase::Delivered).await?;
        shop.expect_delivered(name).await?;
    }
    Ok(())
}

pub async fn a_tablet_that_says_ten_thousand_things_holds_up_no_order_and_fills_no_ledger(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("wild").await?;
    shop.order("wild-1", |_| {}).await?;
    shop.order("calm", |_| {}).await?;
    shop.until_phase("calm", Phase::Delivered).await?;
    let patience = SOON * 10;
    shop.until("wild-1", patience, |status| status.phase == Phase::Delivered).await?;
    shop.expect_delivered("wild-1").await?;
    let order = format!("ORDER#{INSTALLATION}/wild/wild-1");
    let items = world.installation.stack.aws.ledger_items().await?;
    let of_order = items.iter().filter(|item| item["pk"] == order.as_str());
    let kept = of_order.filter(|item| item["sk"].as_str().is_some_and(|sk| sk.starts_with("EVENT#"))).count();
    ensure!(kept <= 2 * 64, "{kept} events are kept of the order");
    Ok(())
}

pub async fn a_tablet_dead_at_the_recall_does_not_hold_the_money(world: &World) -> Result<()> {
    let shop = world.namespace("dead").await?;
    shop.order("silent-dead", |_| {}).await?;
    shop.until_phase("silent-dead", Phase::Preparing).await?;
    shop.cancel("silent-dead").await?;
    let status = shop.until_phase("silent-dead", Phase::Cancelled).await?;
    let recall = status.compensations.iter().find(|undo| undo.name == "RecallKitchen");
    let state = recall.map(|undo| undo.state);
    ensure!(state == Some(comanda_crds::StepState::Unconfirmed), "{:#?}", status.compensations);
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-dead", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await
}

pub async fn events_of_one_broker_do_not_wait_for_the_ledger_of_another(world: &World) -> Result<()> {
    let shop = world.namespace("two-ledgers").await?;
    let classes: Api<OrderClass> = Api::all(world.installation.stack.kubernetes.client());
    let mut spec = world.installation.class_spec(timeouts(), Capture::WhenReady);
    "no-such-ledger".clone_into(&mut spec.ledger.table);
    "elsewhere".clone_into(&mut spec.devices.topic_prefix);
    world.installation.apply_class("elsewhere", spec).await?;
    let metric = async |line: &str| -> Result<bool> {
        let metrics = world.operator().await.as_ref().context("an operator runs")?.metrics().await?;
        Ok(metrics.lines().any(|known| known == line))
    };
    until("its broker is connected", async || metric("comanda_mqtt_connected{class=\"elsewhere\"} 1").await)
        .await?;
    let tablet = world.connect_device("elsewhere").await?;
    // More than are kept at once, each of an order of its own.
    for order in 0..200 {
        let topic = format!("elsewhere/{INSTALLATION}/two-ledgers/{STORE}/kitchen/{order}/events/elsewhere");
        let event = r#"{"eventId":"e-1","event":"ready","device":"elsewhere","seq":1}"#;
        tablet.send(&topic, event.as_bytes().to_vec()).await?;
    }
    shop.order("near", |_| {}).await?;
    shop.until_phase("near", Phase::Delivered).await?;
    shop.expect_delivered("near").await?;
    classes.delete("elsewhere", &DeleteParams::default()).await?;
    Ok(())
}

/// A tablet of another store that speaks for an order must not move it.
pub async fn events_of_another_store_and_unreadable_ones_are_dropped(world: &World) -> Result<()> {
    let shop = world.namespace("forged").await?;
    shop.order("silent-forged", |_| {}).await?;
    shop.until_phase("silent-forged", Phase::Preparing).await?;
    let intruder = world.connect_device("intruder").await?;
    for (store, payload) in [
        ("tokyo", r#"{"eventId":"forged-1","event":"ready","device":"intruder","seq":1}"#),
        ("madrid", r#"{"eventId":"forged-2","event":"ready","device":"intruder","seq":99}"#),
        ("madrid", r#"{"eventId":"forged-3","event":"ready","device":"kitchen","seq":1}"#),
        ("madrid", r#"{"eventId":"forged-4","event":"exploded","device":"intruder","seq":1}"#),
        ("madrid", "not JSON at all"),
    ] {
        let topic = format!("{PREFIX}/{INSTALLATION}/forged/{store}/kitchen/silent-forged/events/intruder");
        intruder.send(&topic, payload.as_bytes().to_vec()).await?;
    }
    shop.until_phase("silent-forged", Phase::Failed).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-forged", "Failed", payment, "confirmed, failed", "prepare, cancel").await
}
