//! Scenes in which a service that everything needs is away.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, OrderClass, OrderSpec, Phase};
use comanda_e2e::fault_proxy::FaultProxy;
use comanda_e2e::fault_proxy::classify::Service;
use comanda_e2e::stack::aws::Holder;
use comanda_e2e::world::{PATIENT, SOON, Shop, World, charged_once, patience};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Api;
use serde_json::Value;

use crate::{LASTING, TURN};

/// An operator that was cut off backs off for less than a minute.
const RECOVERY: Duration = Duration::from_secs(75);
/// How many commands wait for their acknowledgement when the broker goes away.
const COMMANDS: usize = 200;

fn patient(spec: &mut OrderSpec) {
    spec.class_name = PATIENT.to_owned();
}

/// Creates orders `<prefix>-0` and so on.
async fn orders(shop: &Shop<'_>, prefix: &str, count: usize) -> Result<Vec<String>> {
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}-{number}")).collect();
    stream::iter(&names)
        .map(|name| shop.order(name, patient))
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(names)
}

/// Waits for the end of orders, which all are delivered.
async fn all_delivered(shop: &Shop<'_>, names: &[String], patience: Duration) -> Result<()> {
    let begun = Instant::now();
    for name in names {
        let left = patience.saturating_sub(begun.elapsed()).max(SOON);
        shop.until(name, left, |status| status.phase.is_final()).await?;
    }
    let snapshot = shop.snapshot().await?;
    for name in names {
        charged_once(&snapshot, name)?;
    }
    shop.expect_consumed(i64::try_from(names.len())?).await
}

pub async fn an_api_server_that_restarts_loses_no_order(world: &World) -> Result<()> {
    let shop = world.market("api-server").await?;
    let names = orders(&shop, "slow", 6).await?;
    shop.until_phase("slow-5", Phase::Preparing).await?;
    let kubernetes = &world.installation.stack.kubernetes;
    let before = kubernetes.apiserver().lock().await.pid();
    world
        .attended(async {
            kubernetes.restart_apiserver().await?;
            all_delivered(&shop, &names, RECOVERY).await
        })
        .await?;
    ensure!(kubernetes.apiserver().lock().await.pid() != before, "it is the same process");
    Ok(())
}

pub async fn an_operator_that_starts_before_the_api_server_waits_for_it(world: &World) -> Result<()> {
    let shop = world.market("too-early").await?;
    world.kill_operator().await?;
    shop.proxy()?.take_down_for(Service::Kubernetes, Duration::from_secs(4));
    let begun = Instant::now();
    world.start_operator().await?;
    ensure!(begun.elapsed() > Duration::from_secs(3), "it was ready without an API server");
    shop.order("early", |_| {}).await?;
    shop.until_phase("early", Phase::Delivered).await?;
    shop.expect_delivered("early").await
}

pub async fn an_etcd_that_stands_still_for_twenty_seconds_loses_no_order(world: &World) -> Result<()> {
    let shop = world.market("etcd").await?;
    let names = orders(&shop, "slow", 6).await?;
    shop.until_phase("slow-5", Phase::Preparing).await?;
    let etcd = world.installation.stack.kubernetes.etcd();
    world
        .attended(async {
            {
                let mut etcd = etcd.lock().await;
                etcd.pause()?;
                tokio::time::sleep(Duration::from_secs(20)).await;
                ensure!(etcd.is_paused(), "etcd was not paused all the time");
                etcd.resume()?;
            }
            all_delivered(&shop, &names, RECOVERY).await
        })
        .await
}

/// Commands of a namespace that the kitchen received: those it acted on, and those that came again.
fn prepared(shop: &Shop<'_>) -> Result<(usize, usize)> {
    let lines = shop.world.kitchen.journal()?;
    let of = |verdict: &str| {
        let this = |line: &&Value| {
            line["tenant"] == *shop.namespace && line["kind"] == "command" && line["verdict"] == verdict
        };
        lines.iter().filter(this).count()
    };
    Ok((of("new"), of("duplicate")))
}

pub async fn a_broker_cut_with_two_hundred_commands_unacknowledged_has_each_acted_on_once(
    world: &World,
) -> Result<()> {
    let shop = world.market("broker").await?;
    // Each waits for its acknowledgement, and holds one of the places that an operator usually has 32 of.
    world.kill_operator().await?;
    world.replace_operator(world.replica("operator", &["--concurrency", "96"], &[]).await?).await;
    let proxy = shop.proxy()?;
    proxy.deafen(true);
    let names = orders(&shop, "order", COMMANDS).await?;
    let begun = Instant::now();
    loop {
        let snapshot = shop.snapshot().await?;
        // The operator may learn from the ledger how the order goes on, and go on with it, while what it said stays
        // unacknowledged.
        let waits = |name: &&String| {
            let unacknowledged = |effect: &str| {
                let entry = snapshot.record(name).map(|record| &record["journal"][effect]);
                entry
                    .is_some_and(|entry| entry["state"] == "Intended" || entry["failures"].as_u64() > Some(0))
            };
            unacknowledged("Prepare") || unacknowledged("Deliver")
        };
        let waiting = names.iter().filter(waits).count();
        if waiting == COMMANDS {
            break;
        }
        ensure!(begun.elapsed() < RECOVERY * 2, "only {waiting} wait");
        // Looking is work for the ledger too.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    proxy.take_down(Service::Mqtt);
    let (acted, before) = prepared(&shop)?;
    ensure!(acted > 0, "no command reached the kitchen");
    proxy.deafen(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.let_up(Service::Mqtt);
    // Everything the kitchen said meanwhile comes at once, more than an operator takes in by one connection.
    all_delivered(&shop, &names, RECOVERY * 4).await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    let (acted, repeated) = prepared(&shop)?;
    ensure!(acted == COMMANDS, "the kitchen acted on {acted} commands");
    ensure!(repeated > before, "no command came again after the cut");
    Ok(())
}

/// What was done outside for the orders of a namespace, and said of them.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    payments: usize,
    messages: usize,
    commands: usize,
    statuses: usize,
}

async fn done(shop: &Shop<'_>) -> Result<Done> {
    let installation = &shop.world.installation;
    let keys = format!("/{}/", shop.namespace);
    let calls = installation.stack.stripe.calls().await?;
    let messages = installation.notifications().await?;
    let mut commands = 0;
    for device in [&shop.world.kitchen, &shop.world.courier] {
        let lines = device.journal()?;
        let this = |line: &&Value| line["tenant"] == *shop.namespace && line["kind"] == "command";
        commands += lines.iter().filter(this).count();
    }
    let statuses = installation.stack.kubernetes.audit_events(|event| {
        event["objectRef"]["namespace"] == *shop.namespace && event["objectRef"]["subresource"] == "status"
    })?;
    let of_shop = |call: &&comanda_e2e::stripe_proxy::calls::Call| {
        call.key.as_ref().is_some_and(|key| key.contains(&keys))
    };
    Ok(Done {
        payments: calls.iter().filter(of_shop).count(),
        messages: messages.iter().filter(|message| message["tenant"] == *shop.namespace).count(),
        commands,
        statuses: statuses.len(),
    })
}

pub async fn a_ledger_away_for_a_minute_stops_every_effect_and_everything_goes_on_after(
    world: &World,
) -> Result<()> {
    let shop = world.market("ledger").await?;
    let mut names = orders(&shop, "slow", 4).await?;
    shop.until_phase("slow-3", Phase::Preparing).await?;
    let proxy = shop.proxy()?;
    proxy.take_down(Service::DynamoDb);
    let away = Instant::now();
    // What had its intent written before may still be done.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = done(&shop).await?;
    names.extend(orders(&shop, "new", 2).await?);
    let classes: Api<OrderClass> = Api::all(world.installation.stack.kubernetes.client());
    let mut told = false;
    while away.elapsed() < Duration::from_mins(1) {
        let status = classes.get(PATIENT).await?.status.unwrap_or_default();
        told |= status.conditions.iter().any(|condition| {
            condition.type_ == "Ready"
                && condition.status == "False"
                && condition.reason == "LedgerUnreachable"
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let after = done(&shop).await?;
    let refused = proxy
        .passed()
        .iter()
        .filter(|call| call.service == Service::DynamoDb && call.fault.is_some())
        .count();
    proxy.let_up(Service::DynamoDb);
    ensure!(refused > 5, "the ledger was asked {refused} times only");
    ensure!(before == after, "without a ledger: {before:?} became {after:?}");
    ensure!(told, "the class never said that the ledger is unreachable");
    // The kitchen was ready all along; what it said waited at the broker.
    for order in 0..4 {
        shop.until_said(&world.kitchen, &format!("slow-{order}"), "ready").await?;
    }
    all_delivered(&shop, &names, RECOVERY).await
}

/// Ninety seconds; the full ten minutes when `COMANDA_LONG` is set.
fn long_outage() -> Duration {
    if std::env::var_os("COMANDA_LONG").is_some() { Duration::from_mins(10) } else { Duration::from_secs(90) }
}

/// The outage is this scene's alone, as its class has a way to Stripe of its own. While it lasts, others have
/// their turn.
pub async fn a_stripe_that_is_away_for_long_is_waited_for_and_charges_once(world: &World) -> Result<()> {
    let _lasting = LASTING.read().await;
    let turn = TURN.read().await;
    let shop = world.market("stripe-away").await?;
    let stack = &world.installation.stack;
    let certificate = stack.aws.device_certificate("stripe-away", &Holder::Operator).await?;
    let proxy = FaultProxy::start(stack, certificate).await?;
    let mut spec = world.installation.class_spec(patience(), Capture::WhenReady);
    spec.payments.stripe.url.clone_from(&proxy.routes().stripe);
    world.installation.apply_class("stripe-away", spec).await?;
    let away = |spec: &mut OrderSpec| spec.class_name = "stripe-away".to_owned();
    for order in ["slow-held", "silent-undone"] {
        shop.order(order, away).await?;
    }
    for order in ["slow-held", "silent-undone"] {
        shop.until_phase(order, Phase::Preparing).await?;
    }
    proxy.take_down(Service::Stripe);
    let begun = Instant::now();
    shop.order("new", away).await?;
    shop.cancel("silent-undone").await?;
    shop.until_said(&world.kitchen, "slow-held", "ready").await?;
    drop(turn);
    tokio::time::sleep(long_outage().saturating_sub(begun.elapsed())).await;

    let refused = proxy.passed().iter().filter(|call| call.fault.is_some()).count();
    ensure!(refused > 10, "Stripe was asked {refused} times only");
    let intents = shop.world.installation.stack.stripe.list("payment_intents").await?;
    let captured = intents
        .iter()
        .filter(|intent| {
            let order = intent["metadata"]["comanda_order"].as_str().unwrap_or_default();
            order.contains("/stripe-away/") && intent["status"] != "requires_capture"
        })
        .count();
    ensure!(captured == 0, "something was done without Stripe: {intents:#?}");
    proxy.let_up(Service::Stripe);
    let _turn = TURN.read().await;
    for (order, phase) in
        [("slow-held", Phase::Delivered), ("new", Phase::Delivered), ("silent-undone", Phase::Cancelled)]
    {
        let status = shop.until_final(order, RECOVERY).await?;
        ensure!(status.phase == phase, "{order}: {status:#?}");
    }
    for order in ["slow-held", "new"] {
        shop.expect_charged_once(order).await?;
    }
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-undone", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    shop.expect_consumed(2).await.context("the stock")
}
