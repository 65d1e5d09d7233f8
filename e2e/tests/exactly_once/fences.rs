//! Scenes about the two orders that everything rests on: an intent before its call, and not long before; and an
//! event in the ledger before its acknowledgement.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, Phase};
use comanda_e2e::fault_proxy::classify::Service;
use comanda_e2e::installation::INSTALLATION;
use comanda_e2e::stack::simulators::{Device, Role};
use comanda_e2e::world::{SOON, STORE, World, patience};

use crate::devices::until_recorded;

/// Longer than an intent lives.
const TOO_LATE: Duration = Duration::from_secs(31);
/// The broker sends an event again when it has waited thirty seconds for its acknowledgement.
const SENT_AGAIN: Duration = Duration::from_mins(1);

/// Whoever was paused between an intent and its call may have been replaced meanwhile.
pub async fn a_call_that_comes_too_late_after_its_intent_is_not_made(world: &World) -> Result<()> {
    let shop = world.market("too-late").await?;
    let boundary = "NotifyConfirmed/after-intent";
    shop.plan("paused", boundary, "pause")?;
    // A lease that outlives the pause: nothing but the age of the intent is in the way of the call.
    world.stop_operator().await?;
    let faults = world.installation.stack.dir().join("faults");
    let variables: [(&str, &OsStr); 1] = [("COMANDA_FAULTS", faults.as_os_str())];
    let flags = ["--lease-seconds", "120", "--cluster-name", "scenes"];
    let mut operator = world.installation.operator_with("operator", &flags, &variables).await?;
    shop.order("paused", |_| {}).await?;
    shop.until_fired("paused", boundary).await?;
    shop.until_paused(&operator).await?;
    tokio::time::sleep(TOO_LATE).await;
    operator.process.resume()?;
    world.replace_operator(operator).await;
    let status = shop.until_phase("paused", Phase::Delivered).await?;
    let step = status.steps.iter().find(|step| step.name == "NotifyConfirmed").context("NotifyConfirmed")?;
    ensure!(step.attempts == 2, "the intent was not taken again: {step:#?}");
    shop.expect_delivered("paused").await?;
    world.stop_operator().await?;
    world.start_operator().await
}

/// Below this prefix no rule keeps what devices say: all that saves it is the broker, which has not been told
/// yet that it was taken.
pub async fn an_event_is_acknowledged_when_the_ledger_has_it_and_not_before(world: &World) -> Result<()> {
    let shop = world.market("unruled").await?;
    let mut spec = world.installation.class_spec(patience(), Capture::WhenReady);
    spec.devices.topic_prefix = "unruled".to_owned();
    world.installation.apply_class("unruled", spec).await?;
    let device = |role, name| Device::new(role, name, "unruled").arg("--accept-ms", "20");
    let kitchen = device(Role::Kitchen, "unruled-kitchen").rule("slow*=slow:1500");
    let kitchen = world.installation.stack.simulate(&kitchen).await?;
    let courier =
        device(Role::Courier, "unruled-courier").arg("--pickup-ms", "100").arg("--deliver-ms", "150");
    let _courier = world.installation.stack.simulate(&courier).await?;
    shop.order("slow-unkept", |spec| spec.class_name = "unruled".to_owned()).await?;
    shop.until_phase("slow-unkept", Phase::Preparing).await?;
    shop.until_said(&kitchen, "slow-unkept", "preparing").await?;
    // Events of one topic wait for one another: the next one shall find nobody before it.
    until_recorded(&shop, "slow-unkept", |record| record["kitchen"]["state"] == "Preparing").await?;
    let proxy = shop.proxy()?;
    let events = format!(
        "PUBLISH unruled/{INSTALLATION}/{}/{STORE}/kitchen/slow-unkept/events/unruled-kitchen",
        shop.namespace
    );
    let arrived = || proxy.passed().iter().filter(|passed| passed.line == events).count();
    proxy.take_down(Service::DynamoDb);
    let before = arrived();
    shop.until_said(&kitchen, "slow-unkept", "ready").await?;
    let said = Instant::now();
    while arrived() == before {
        ensure!(
            said.elapsed() < SOON,
            "the event did not come to the operator: {:#?}",
            proxy.passed().last()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Time enough for an acknowledgement that comes too early.
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.kill_operator().await?;
    shop.proxy()?.let_up(Service::DynamoDb);
    world.start_operator().await?;
    let status = shop.until_final("slow-unkept", SENT_AGAIN).await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    // Its devices are not those that the facts ask.
    let facts = shop.facts("slow-unkept").await?;
    let found = [&facts.ledger, &facts.payment, &facts.told].map(String::as_str);
    ensure!(found == ["Delivered", "succeeded, captured 1850, refunded 0", "confirmed"], "{facts:#?}");
    shop.expect_consumed(1).await
}
