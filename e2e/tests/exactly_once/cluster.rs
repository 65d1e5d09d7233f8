//! The scene in which the cluster is lost, with everything in it.

use anyhow::{Context, Result, ensure};
use comanda_crds::{OrderSpec, Phase};
use comanda_e2e::installation::PREFIX;
use comanda_e2e::world::{PATIENT, World, uid};

use crate::devices::{Mouth, until_recorded};

pub async fn a_cluster_that_is_lost_and_made_anew_finishes_its_orders_and_charges_once(
    world: &World,
) -> Result<()> {
    let shop = world.market("lost-cluster").await?;
    let patient = |spec: &mut OrderSpec| spec.class_name = PATIENT.to_owned();
    let manifests = ["finished", "silent-open", "mute-open"];
    let mut owners = Vec::new();
    for order in manifests {
        owners.push(uid(&shop.order(order, patient).await?)?);
    }
    shop.until_phase("finished", Phase::Delivered).await?;
    shop.until_phase("silent-open", Phase::Preparing).await?;
    shop.until_phase("mute-open", Phase::Delivering).await?;
    let sent =
        until_recorded(&shop, "mute-open", |record| record["journal"]["Deliver"]["state"] == "Done").await?;

    world.kill_operator().await?;
    let kubernetes = &world.installation.stack.kubernetes;
    kubernetes.lose().await?;
    world.installation.install_again().await?;
    world.apply_classes().await?;
    kubernetes.ensure_namespace(&shop.namespace).await?;
    for (order, before) in manifests.into_iter().zip(owners) {
        ensure!(shop.orders.get_opt(order).await?.is_none(), "{order} survived");
        ensure!(uid(&shop.order(order, patient).await?)? != before, "{order} is the same object");
    }
    world.start_operator().await?;
    shop.until_phase("finished", Phase::Delivered).await?;
    for order in ["silent-open", "mute-open"] {
        until_recorded(&shop, order, |record| record["epoch"] == 2).await?;
    }
    let kitchen = Mouth::connect(world, "new-kitchen", "kitchen").await?;
    kitchen.say(PREFIX, &shop, "kitchen", "silent-open", ("ready", 1)).await?;
    let courier = Mouth::connect(world, "new-courier", "courier").await?;
    let seq = sent["journal"]["Deliver"]["seq"].as_u64().context("a command has a number")?;
    courier.say(PREFIX, &shop, "couriers", "mute-open", ("delivered", seq)).await?;
    for order in manifests {
        shop.until_phase(order, Phase::Delivered).await?;
    }
    for order in ["finished", "silent-open"] {
        shop.expect_delivered(order).await?;
    }
    // Nobody took the offer before it was delivered.
    let payment = "succeeded, captured 1850, refunded 0";
    shop.expect("mute-open", "Delivered", payment, "confirmed", "prepare, deliver").await?;
    shop.expect_consumed(3).await
}
