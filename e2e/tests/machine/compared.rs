//! The twelve orders of the demo, whoever carries them: what becomes of them is the same, word for word.

use std::time::Duration;

use anyhow::{Result, ensure};
use comanda_crds::Phase::{self, Compensating, Notifying, Paying, Preparing, Validating};
use comanda_crds::{Capture, Timeouts};
use comanda_e2e::demo::{self, ATTENDED, Batch, Crew};
use comanda_e2e::installation::all_phases;
use comanda_e2e::world::{World, until_within};
use futures::future::try_join_all;

/// Longest that four batches may take side by side on two cores.
const PATIENCE: Duration = Duration::from_secs(90);

/// The twelve in the demo's order, and how many executions each has where the phases Paying, Preparing and Compensating are
/// delegated: a new one after each phase of the operator's.
const BY_TURNS: [usize; 12] = [2, 2, 2, 1, 1, 1, 1, 2, 2, 3, 2, 2];

/// Devices for the orders of a scene, which are in a namespace of their own.
async fn crew(world: &World, namespace: &str) -> Result<Crew> {
    world.namespace(namespace).await?;
    Crew::start(&world.installation.stack, namespace).await
}

/// A class that delegates these phases, or has no machine.
async fn class(world: &World, name: &str, timeouts: Timeouts, phases: Option<Vec<Phase>>) -> Result<()> {
    let installation = &world.installation;
    let mut spec = installation.class_spec(timeouts, Capture::WhenReady);
    if let Some(phases) = phases {
        spec = installation.delegating(spec, phases)?;
    }
    installation.apply_class(name, spec).await
}

/// Longer than the demo's: four times its orders are under way, and but for one kitchen everybody answers.
fn timeouts(kitchen_seconds: i32) -> Timeouts {
    Timeouts {
        kitchen_seconds,
        courier_seconds: 60,
        pickup_seconds: 30,
        recall_seconds: 8,
        ..demo::timeouts()
    }
}

/// What was found, where all of it is as expected.
async fn found(batch: &Batch<'_>) -> Result<Vec<String>> {
    let verdicts = batch.evidence().await?;
    let wrong: Vec<String> =
        verdicts.iter().filter(|verdict| !verdict.holds()).map(ToString::to_string).collect();
    ensure!(wrong.is_empty(), "not as expected: {wrong:#?}");
    Ok(verdicts.iter().map(|verdict| verdict.found().to_owned()).collect())
}

/// By the operator, by the machine, and by both with two ways to share the phases.
pub async fn the_twelve_orders_end_the_same_whoever_carries_them(world: &World) -> Result<()> {
    let crew = crew(world, "twelve").await?;
    let timeouts = timeouts(20);
    let shares = [
        ("direct", None, [0; 12]),
        ("machine", Some(all_phases()), [1; 12]),
        ("till-told", Some(vec![Validating, Paying, Notifying]), [1; 12]),
        ("by-turns", Some(vec![Paying, Preparing, Compensating]), BY_TURNS),
    ];
    let mut batches = Vec::new();
    for (name, phases, _) in &shares {
        class(world, name, timeouts.clone(), phases.clone()).await?;
        batches.push(Batch::once_more(&world.installation, &crew, "twelve", name).await?);
    }
    try_join_all(batches.iter().map(|batch| batch.create(|_| true))).await?;
    try_join_all(batches.iter().map(|batch| batch.until_over(PATIENCE))).await?;

    let direct = found(&batches[0]).await?;
    ensure!(direct.len() == 12 * 5 + 7, "{} pieces of evidence", direct.len());
    let shop = world.shop("twelve");
    for (batch, (name, _, expected)) in batches.iter().zip(shares) {
        ensure!(found(batch).await? == direct, "{name} and direct differ");
        let mut executions = Vec::new();
        for order in batch.orders() {
            executions.push(shop.executions(&order).await?.len());
        }
        ensure!(executions == expected, "executions of {name}: {executions:?}, expected {expected:?}");
    }
    Ok(())
}

/// What somebody asks of an order meanwhile is heard when an operator is there to hear it.
pub async fn with_the_operator_killed_all_orders_end_the_same_and_it_shows_them_when_it_is_back(
    world: &World,
) -> Result<()> {
    let crew = crew(world, "alone").await?;
    class(world, "alone", timeouts(12), Some(all_phases())).await?;
    let batch = Batch::once_more(&world.installation, &crew, "alone", "alone").await?;
    let shop = world.shop("alone");
    let unattended = |order: &str| !ATTENDED.contains(&order);
    let orders: Vec<String> = batch
        .orders()
        .into_iter()
        .filter(|order| order.strip_prefix("alone-").is_some_and(unattended))
        .collect();
    batch.create(unattended).await?;
    until_within(PATIENCE, "every order has its execution", async || {
        let of_orders = try_join_all(orders.iter().map(|order| shop.executions(order))).await?;
        Ok(of_orders.iter().all(|executions| executions.len() == 1))
    })
    .await?;
    world.kill_operator().await?;

    until_within(PATIENCE, "the ledger has the end of every order", async || {
        let records = try_join_all(orders.iter().map(|order| shop.record(order))).await?;
        Ok(records.iter().all(|record| record.phase.is_final()))
    })
    .await?;
    let left = batch.left().await?;
    ensure!(
        left.iter().any(|order| order.starts_with("alone-madrid-dinner")),
        "who showed the end? {left:?}"
    );
    world.start_operator().await?;
    until_within(PATIENCE, "the operator shows every end", async || Ok(batch.left().await?.is_empty()))
        .await?;

    batch.create(|order| !unattended(order)).await?;
    batch.until_over(PATIENCE).await?;
    found(&batch).await?;
    for order in batch.orders() {
        let executions = shop.executions(&order).await?.len();
        ensure!(executions == 1, "{order} has {executions} executions");
    }
    Ok(())
}
