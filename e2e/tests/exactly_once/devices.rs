//! Scenes in which devices speak when nobody waits for them any more.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Phase, StepState};
use comanda_e2e::installation::{INSTALLATION, PREFIX};
use comanda_e2e::world::{SOON, STORE, Shop, World, condition};
use comanda_steps::adapters::iot::IotDevices;
use comanda_steps::ports::Devices;
use serde_json::{Value, json};

/// A device that says what a scene wants, when it wants.
pub struct Mouth {
    session: IotDevices,
    name: String,
}

impl Mouth {
    /// Connects with a certificate of its own. `name` is what it calls itself in its events.
    pub async fn connect(world: &World, client_id: &str, name: &str) -> Result<Self> {
        Ok(Self { session: world.connect_device(client_id).await?, name: name.to_owned() })
    }

    /// Says something of an order, in answer to the command `seq`. `side` is `kitchen` for a kitchen and
    /// `couriers` for a courier.
    pub async fn say(
        &self,
        prefix: &str,
        shop: &Shop<'_>,
        side: &str,
        order: &str,
        event: (&str, u64),
    ) -> Result<()> {
        let (event, seq) = event;
        let topic =
            format!("{prefix}/{INSTALLATION}/{}/{STORE}/{side}/{order}/events/{}", shop.namespace, self.name);
        let id = uuid::Uuid::new_v4().to_string();
        let payload = json!({ "eventId": id, "event": event, "seq": seq });
        self.session.send(&topic, payload.to_string().into_bytes()).await?;
        Ok(())
    }
}

/// Waits until the record of an order is as wanted.
pub async fn until_recorded(shop: &Shop<'_>, order: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    loop {
        let snapshot = shop.snapshot().await?;
        let record = snapshot.record(order).context("the ledger knows the order")?;
        if wanted(record) {
            return Ok(record.clone());
        }
        ensure!(begun.elapsed() < SOON, "{order} is recorded as {record:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn a_ready_after_the_undo_changes_nothing(world: &World) -> Result<()> {
    let shop = world.market("late-ready").await?;
    shop.order("silent-late", |_| {}).await?;
    shop.until_phase("silent-late", Phase::Preparing).await?;
    shop.cancel("silent-late").await?;
    shop.until_phase("silent-late", Phase::Cancelled).await?;
    let mouth = Mouth::connect(world, "late-kitchen", "kitchen").await?;
    for event in ["accepted", "preparing", "ready"] {
        mouth.say(PREFIX, &shop, "kitchen", "silent-late", (event, 1)).await?;
    }
    // It was heard, and written down.
    until_recorded(&shop, "silent-late", |record| record["kitchen"]["state"] == "Ready").await?;
    shop.expect_rest("silent-late", Duration::from_secs(1)).await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-late", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    shop.expect_consumed(0).await
}

pub async fn a_delivery_after_the_undo_needs_a_person_and_charges_nothing(world: &World) -> Result<()> {
    let shop = world.market("late-delivered").await?;
    shop.order("mute-late", |_| {}).await?;
    shop.until_phase("mute-late", Phase::Delivering).await?;
    let record =
        until_recorded(&shop, "mute-late", |record| record["journal"]["Deliver"].is_object()).await?;
    let seq = record["journal"]["Deliver"]["seq"].as_u64().context("a command has a number")?;
    shop.cancel("mute-late").await?;
    let status = shop.until_phase("mute-late", Phase::Cancelled).await?;
    let recall = status.compensations.iter().find(|undo| undo.name == "RecallCourier");
    ensure!(recall.is_some_and(|undo| undo.state == StepState::Unconfirmed), "{:#?}", status.compensations);
    let mouth = Mouth::connect(world, "late-courier", "courier").await?;
    for event in ["accepted", "picked-up", "delivered"] {
        mouth.say(PREFIX, &shop, "couriers", "mute-late", (event, seq)).await?;
    }
    let status = shop.until("mute-late", SOON, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&status, "Stalled") == Some(("True", "DeliveredAfterUndo")), "{status:#?}");
    shop.annotate("mute-late", "comanda.dev/retry", "settled at the door").await?;
    shop.until("mute-late", SOON, |status| condition(status, "Stalled").is_none()).await?;
    shop.expect_rest("mute-late", Duration::from_secs(1)).await?;
    let payment = "succeeded, captured 1850, refunded 1850";
    let commands = "prepare, deliver, cancel";
    shop.expect("mute-late", "Cancelled", payment, "confirmed, cancelled", commands).await?;
    shop.expect_consumed(1).await
}
