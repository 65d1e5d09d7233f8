//! Orders over HTTP, with function and operator killed at every point of taking one in: each becomes one order, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use comanda_crds::Phase;
use comanda_e2e::installation::{INSTALLATION, TENANT};
use comanda_e2e::stack::Options;
use comanda_e2e::stack::aws::{ACCOUNT, Caller};
use comanda_e2e::stack::tools::{Build, Profile, functions_binary};
use comanda_e2e::world::{World, over_http, until, until_within};
use comanda_steps::intake::Caller as Known;
use kube::ResourceExt;
use kube::api::ListParams;

/// Where the function is on the way of an order, and of a cancellation.
const FUNCTION: [&str; 3] = ["announce", "announced", "written"];
/// Where the operator is.
const OPERATOR: [&str; 3] = ["before-object", "after-object", "before-delete"];
const USER: &str = "crashing";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_of_being_taken_in_an_order_is_carried_out_once() -> Result<()> {
    let functions = functions_binary(Profile::current(), Build::Faults).await?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"));
    let options = Options { program: Some(program), functions: Some(functions), ..Options::default() };
    let world = World::with_faults(options).await?;
    let played = play(&world).await;
    world.stop().await;
    played
}

async fn play(world: &World) -> Result<()> {
    let shop = world.stall("crashed").await?;
    let aws = &world.installation.stack.aws;
    // What a dead operator had received, or is given that still listens for it, comes again after this and not after a minute.
    let (sqs, deployment) =
        (aws_sdk_sqs::Client::new(aws.sdk_config()), aws.deployment().context("a deployment")?);
    for queue in [&deployment.intake_queue_url, &deployment.wake_queue_url] {
        let soon = sqs.set_queue_attributes().queue_url(queue);
        soon.attributes(QueueAttributeName::VisibilityTimeout, "3").send().await?;
    }
    let caller = aws.caller(Some(USER)).await?;
    let known = Known::of("aws", &format!("arn:aws:iam::{ACCOUNT}:user/{USER}"));
    let (functions, operators) = (aws.faults(), world.installation.stack.dir().join("faults"));
    let order = over_http(&shop.sku);
    let mut ids = Vec::new();

    for point in FUNCTION {
        let id = known.order_id(INSTALLATION, TENANT, point);
        plan(&functions, &id, "intake", point)?;
        let lost = caller.order(point, &order).await?;
        ensure!(lost.status.is_server_error(), "the function was not killed at {point}: {lost:?}");
        ensure!(fired(&functions, &id, "intake", point), "nobody came to {point}");
        // Whoever gets no answer sends it again.
        let again = caller.order(point, &order).await?;
        ensure!(again.status.is_success() && again.id()? == id, "{point}: {again:?}");
        ids.push(id);
    }
    // Whoever never asks again has an order where it was written, and none where it was not.
    for (key, point) in [("given-up", "announced"), ("unheard", "written")] {
        let id = known.order_id(INSTALLATION, TENANT, key);
        plan(&functions, &id, "intake", point)?;
        let lost = caller.order(key, &order).await?;
        ensure!(lost.status.is_server_error(), "the function was not killed at {point}: {lost:?}");
        if point == "written" {
            ids.push(id);
        }
    }
    for point in OPERATOR {
        let id = known.order_id(INSTALLATION, TENANT, point);
        plan(&operators, &id, "taken-in", point)?;
        ensure!(caller.order(point, &order).await?.id()? == id);
        world.attended(delivered(&caller, &id)).await.with_context(|| point.to_owned())?;
        ensure!(fired(&operators, &id, "taken-in", point), "nobody came to {point}");
        ids.push(id);
    }
    for id in &ids {
        delivered(&caller, id).await?;
        shop.expect_charged_once(id).await?;
    }
    // What was announced and never written makes nothing of its own.
    let objects = shop.orders.list(&ListParams::default()).await?;
    let ours = objects.items.iter().filter(|order| order.spec.items[0].sku == shop.sku);
    let mut made: Vec<String> = ours.map(ResourceExt::name_any).collect();
    made.sort();
    ids.sort();
    ensure!(made == ids, "made were {made:?}, of {ids:?}");
    shop.expect_consumed(i64::try_from(ids.len())?).await?;

    let mut asked = order;
    asked["payment"]["paymentMethod"] = "pm_card_threeDSecure2Required".into();
    let id = caller.order("cancelled", &asked).await?.id()?;
    until("the customer is waited for", async || {
        Ok(caller.read(&id).await?.body["confirmPayment"].is_string())
    })
    .await?;
    plan(&functions, &id, "intake", "cancel")?;
    let lost = caller.cancel(&id, "No.").await?;
    ensure!(lost.status.is_server_error(), "the function was not killed: {lost:?}");
    let again = caller.cancel(&id, "No.").await?;
    ensure!(again.status == 202, "{again:?}");
    until_within(AGAIN, "it is cancelled", async || {
        Ok(caller.read(&id).await?.body["phase"] == Phase::Cancelled.name())
    })
    .await
}

/// The emulator gives a message that became visible again to the next receive only, and one lasts for 20 seconds.
const AGAIN: Duration = Duration::from_mins(1);

async fn delivered(caller: &Caller, id: &str) -> Result<()> {
    until_within(AGAIN, &format!("{id} is delivered"), async || {
        Ok(caller.read(id).await?.body["phase"] == Phase::Delivered.name())
    })
    .await
}

/// Plans that whoever comes to a point of an order kills itself.
fn plan(dir: &Path, id: &str, site: &str, point: &str) -> Result<()> {
    for part in ["planned", "fired"] {
        fs::create_dir_all(dir.join(part))?;
    }
    Ok(fs::write(dir.join("planned").join(format!("{TENANT}+{id}+{site}+{point}")), "kill")?)
}

fn fired(dir: &Path, id: &str, site: &str, point: &str) -> bool {
    dir.join("fired").join(format!("{TENANT}+{id}+{site}+{point}")).exists()
}
