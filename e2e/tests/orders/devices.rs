//! Scenes about kitchens and couriers.

use anyhow::{Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::installation::PREFIX;
use comanda_steps::adapters::iot::{IotDevices, IotSettings, Pem};
use comanda_steps::ports::Devices;

use comanda_e2e::world::World;

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

/// A tablet of another store that speaks for an order must not move it.
pub async fn events_of_another_store_and_unreadable_ones_are_dropped(world: &World) -> Result<()> {
    let shop = world.namespace("forged").await?;
    shop.order("silent-forged", |_| {}).await?;
    shop.until_phase("silent-forged", Phase::Preparing).await?;
    let aws = &world.installation.stack.aws;
    let certificate = aws.device_certificate("intruder").await?;
    let pem = Pem {
        certificate: certificate.cert_pem,
        key: certificate.key_pem,
        authority: aws.iot().ca_pem.clone(),
    };
    let (endpoint, filters) = (aws.iot().address(), vec!["intruder".to_owned()]);
    let settings = IotSettings { endpoint, client_id: "intruder".to_owned(), pem, filters };
    let (intruder, _incoming) = IotDevices::connect(settings)?;
    intruder.connected().wait_for(Option::is_some).await?;
    for (store, payload) in [
        ("tokyo", r#"{"eventId":"forged-1","event":"ready","device":"intruder","seq":1}"#),
        ("madrid", r#"{"eventId":"forged-2","event":"ready","device":"intruder","seq":99}"#),
        ("madrid", r#"{"eventId":"forged 3","event":"ready","device":"intruder","seq":1}"#),
        ("madrid", r#"{"eventId":"forged-4","event":"exploded","device":"intruder","seq":1}"#),
        ("madrid", "not JSON at all"),
    ] {
        let topic = format!("{PREFIX}/forged/stores/{store}/orders/silent-forged/events");
        intruder.send(&topic, payload.as_bytes().to_vec()).await?;
    }
    shop.until_phase("silent-forged", Phase::Failed).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-forged", "Failed", payment, "confirmed, failed", "prepare, cancel").await
}
