//! Scenes about kitchens and couriers.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, OrderClass, Phase};
use comanda_e2e::installation::{INSTALLATION, PREFIX};
use comanda_e2e::stack::aws::Holder;
use comanda_saga::{DeviceEvent, DeviceSignal, KitchenState};
use comanda_steps::devices::MAX_EVENTS;
use comanda_steps::ports::{Devices, Ledger};
use jiff::Timestamp;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::Value;

use comanda_e2e::world::{PATIENT, SOON, STORE, Shop, World, timeouts, until};

use crate::fences::{identity, ledger};

/// By when the emulator has sent again what is not acknowledged.
const SENT_AGAIN: Duration = Duration::from_secs(31);

/// How many events of devices came to this, in the life of the operator.
async fn events(world: &World, result: &str) -> Result<u64> {
    let metrics = world.operator().await.as_ref().context("an operator runs")?.metrics().await?;
    let name = format!("comanda_device_events_total{{result=\"{result}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    Ok(line.map(str::parse).transpose()?.unwrap_or_default())
}

/// What the ledger keeps of what the kitchens of an order said.
async fn kept(shop: &Shop<'_>, order: &str) -> Result<Vec<Value>> {
    let mut items = shop.world.installation.stack.aws.ledger_items().await?;
    let of_order = format!("ORDER#{INSTALLATION}/{}/{order}", shop.namespace);
    items.retain(|item| {
        item["pk"] == of_order.as_str()
            && item["sk"].as_str().is_some_and(|sk| sk.starts_with("EVENT#kitchen#"))
    });
    Ok(items)
}

/// The topic on which a tablet speaks of an order.
fn topic(shop: &Shop<'_>, order: &str, device: &str) -> String {
    format!("{PREFIX}/{INSTALLATION}/{}/{STORE}/kitchen/{order}/events/{device}", shop.namespace)
}

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

/// The emulator hands no retained message to a new subscription with a wildcard, as the operator's are. That other
/// brokers do is played by the device, which says the same again.
pub async fn a_retained_event_is_heard_once_also_when_it_comes_again_after_a_restart(
    world: &World,
) -> Result<()> {
    let shop = world.namespace("retained").await?;
    let order = "silent-retained";
    shop.order(order, |spec| PATIENT.clone_into(&mut spec.class_name)).await?;
    shop.until_phase(order, Phase::Preparing).await?;
    let aws = &world.installation.stack.aws;
    let certificate = aws.device_certificate("retainer", &Holder::Anyone).await?;
    let say = async |event: &str| -> Result<()> {
        let mut publish = tokio::process::Command::new("mosquitto_pub");
        publish.args(["-h", &aws.iot().host, "-p", &aws.iot().port.to_string(), "-i", "retainer"]);
        publish.arg("--cafile").arg(&aws.iot().ca_file).arg("--cert").arg(&certificate.cert_file);
        publish.arg("--key").arg(&certificate.key_file).args(["-q", "1", "--retain"]);
        publish.args(["-t", &topic(&shop, order, "retainer")]);
        publish.args(["-m", &format!(r#"{{"eventId":"{event}-1","event":"{event}","seq":1}}"#)]);
        let published = publish.status().await.context("install Debian's mosquitto-clients")?;
        ensure!(published.success(), "mosquitto_pub ended with {published}");
        Ok(())
    };
    say("accepted").await?;
    until("it is kept", async || Ok(kept(&shop, order).await?.len() == 1)).await?;
    let first = kept(&shop, order).await?;
    let known = events(world, "known").await?;
    say("accepted").await?;
    until("the copy is known", async || Ok(events(world, "known").await? == known + 1)).await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    say("accepted").await?;
    until("the copy is known to the next operator", async || Ok(events(world, "known").await? == 1)).await?;
    ensure!(kept(&shop, order).await? == first, "the copy was kept");
    say("ready").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    shop.expect_delivered(order).await
}

pub async fn what_a_tablet_said_before_a_restart_counts_towards_its_bound(world: &World) -> Result<()> {
    let shop = world.namespace("counted").await?;
    let order = "silent-counted";
    shop.order(order, |spec| PATIENT.clone_into(&mut spec.class_name)).await?;
    shop.until_phase(order, Phase::Preparing).await?;
    world.kill_operator().await?;
    for seq in 1..MAX_EVENTS {
        let said = DeviceEvent {
            id: format!("e-{seq}"),
            signal: DeviceSignal::Kitchen(KitchenState::Accepted),
            seq: u64::try_from(seq)?,
            device: "talker".to_owned(),
            reason: None,
            at: Timestamp::now(),
        };
        ensure!(ledger(world)?.put_event(&identity("counted", order), &said).await?, "{said:?} was there");
    }
    world.start_operator().await?;
    let tablet = world.connect_device("talker").await?;
    let say = async |event: &str, seq: u64| {
        let said = format!(r#"{{"eventId":"{event}-{seq}","event":"{event}","seq":{seq}}}"#);
        tablet.send(&topic(&shop, order, "talker"), said.into_bytes()).await
    };
    let refused = events(world, "refused").await?;
    say("accepted", 100).await?;
    until("it is refused", async || Ok(events(world, "refused").await? == refused + 1)).await?;
    say("ready", 1).await?;
    shop.until_phase(order, Phase::Delivered).await?;
    shop.expect_delivered(order).await?;
    say("rejected", 1).await?;
    until("nothing else is kept", async || Ok(events(world, "refused").await? == refused + 2)).await?;
    ensure!(kept(&shop, order).await?.len() == MAX_EVENTS, "{:#?}", kept(&shop, order).await?);
    Ok(())
}

/// The broker lets these through: a device's name may be longer than any that Comanda reads. What is longer than a topic
/// may be it does not: see `tests/devices`.
pub async fn a_topic_longer_than_any_of_ours_is_refused_and_what_comes_behind_it_is_heard(
    world: &World,
) -> Result<()> {
    // Enough that each lane of the operator gets some.
    const MESSAGES: u64 = 400;
    let shop = world.namespace("longer").await?;
    let tablet = world.connect_device("longer").await?;
    let refused = events(world, "refused").await?;
    let ready = br#"{"eventId":"e-1","event":"ready","seq":1}"#;
    for number in 0..MESSAGES {
        let device = format!("{number:037}");
        tablet.send(&topic(&shop, "behind", &device), ready.to_vec()).await?;
    }
    shop.order("behind", |_| {}).await?;
    shop.until_phase("behind", Phase::Delivered).await?;
    shop.expect_delivered("behind").await?;
    ensure!(kept(&shop, "behind").await?.len() == 3, "{:#?}", kept(&shop, "behind").await?);
    until("all are counted", async || Ok(events(world, "refused").await? == refused + MESSAGES)).await?;
    // The broker has its acknowledgements: it sends none of them again.
    tokio::time::sleep(SENT_AGAIN).await;
    ensure!(events(world, "refused").await? == refused + MESSAGES, "they came again");
    Ok(())
}
