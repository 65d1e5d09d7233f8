//! Scenes about who an order is, whichever object carries it.

use std::time::Duration;

use anyhow::{Result, ensure};
use comanda_crds::{Capture, OrderClass, Phase};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::json;

use comanda_e2e::world::{SOON, World, condition, timeouts, uid};

pub async fn an_order_applied_again_after_its_end_does_nothing(world: &World) -> Result<()> {
    let shop = world.namespace("again").await?;
    let first = shop.order("again", |_| {}).await?;
    shop.until_phase("again", Phase::Delivered).await?;
    let stock = shop.stock("paella").await?;
    for _ in 0..3 {
        shop.orders.delete("again", &DeleteParams::default()).await?;
        shop.until_gone("again").await?;
        let second = shop.order("again", |_| {}).await?;
        ensure!(uid(&first)? != uid(&second)?, "it is another object");
        shop.until_phase("again", Phase::Delivered).await?;
    }
    ensure!(shop.stock("paella").await? == stock, "stock was taken again");
    shop.expect_delivered("again").await
}

pub async fn the_same_id_with_other_contents_is_a_conflict(world: &World) -> Result<()> {
    let shop = world.namespace("conflict").await?;
    shop.order("taken", |_| {}).await?;
    shop.until_phase("taken", Phase::Delivered).await?;
    let other = |spec: &mut comanda_crds::OrderSpec| {
        spec.order_id = Some("taken".to_owned());
        spec.items[0].quantity = 2;
    };
    shop.order("pretender", other).await?;
    let status = shop.until("pretender", SOON, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&status, "Accepted") == Some(("False", "OrderIdConflict")), "{status:#?}");
    ensure!(
        status.phase == Phase::Pending && status.payment.is_none() && status.total.is_none(),
        "{status:#?}"
    );
    let object = shop.orders.get("pretender").await?;
    ensure!(object.finalizers().is_empty(), "an object that does not own its order has no finalizer");
    shop.orders.delete("pretender", &DeleteParams::default()).await?;
    shop.until_gone("pretender").await?;
    shop.expect_delivered("taken").await
}

/// As the message of a conflict advises: the object is deleted, and made anew with another id.
pub async fn an_object_made_anew_under_a_name_is_the_order_that_it_says(world: &World) -> Result<()> {
    let shop = world.namespace("anew").await?;
    shop.order("taken", |_| {}).await?;
    shop.until_phase("taken", Phase::Delivered).await?;
    let stock = shop.stock("paella").await?;
    let named = |id: &str| {
        let id = id.to_owned();
        move |spec: &mut comanda_crds::OrderSpec| spec.order_id = Some(id)
    };
    // With the same contents it shows the order that it names, which is finished and not its own.
    shop.order("second", named("taken")).await?;
    shop.until_phase("second", Phase::Delivered).await?;
    ensure!(shop.stock("paella").await? == stock, "it was done a second time");
    shop.orders.delete("second", &DeleteParams::default()).await?;
    shop.until_gone("second").await?;
    shop.order("second", named("fresh")).await?;
    let status = shop.until_phase("second", Phase::Delivered).await?;
    ensure!(status.identity.as_deref() == Some("local/anew/fresh"), "{status:#?}");
    ensure!(shop.stock("paella").await? == stock - 1, "it was not done");
    shop.expect_delivered("taken").await
}

/// Somebody forces an object away half-way, and the same manifest comes back: the order goes on.
pub async fn a_lost_object_is_adopted_when_it_is_applied_again(world: &World) -> Result<()> {
    let shop = world.namespace("adopted").await?;
    shop.order("slow-adopted", |_| {}).await?;
    shop.until_phase("slow-adopted", Phase::Preparing).await?;
    world.kill_operator().await?;
    let patch = json!({"metadata": {"finalizers": null}});
    shop.orders.patch("slow-adopted", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    shop.orders.delete("slow-adopted", &DeleteParams::default()).await?;
    shop.until_gone("slow-adopted").await?;
    shop.order("slow-adopted", |_| {}).await?;
    world.start_operator().await?;
    shop.until_phase("slow-adopted", Phase::Delivered).await?;
    shop.expect_delivered("slow-adopted").await
}

pub async fn a_class_in_use_outlives_its_deletion_and_a_crash(world: &World) -> Result<()> {
    let shop = world.namespace("class-in-use").await?;
    let classes: Api<OrderClass> = Api::all(world.installation.stack.kubernetes.client());
    let spec = world.installation.class_spec(timeouts(), Capture::WhenReady);
    world.installation.apply_class("passing", spec).await?;
    shop.order("slow-passing", |spec| spec.class_name = "passing".to_owned()).await?;
    shop.until_phase("slow-passing", Phase::Preparing).await?;
    classes.delete("passing", &DeleteParams::default()).await?;
    world.kill_operator().await?;
    world.start_operator().await?;
    let status = shop.until_final("slow-passing", SOON).await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    shop.expect_delivered("slow-passing").await?;
    let gone = await_condition(classes, "passing", is_gone);
    tokio::time::timeout(SOON, gone).await??;
    // The class is gone, its finished order stays as it was, and can go.
    let status = shop.status("slow-passing").await?;
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    shop.orders.delete("slow-passing", &DeleteParams::default()).await?;
    shop.until_gone("slow-passing").await
}

fn is_gone(class: Option<&OrderClass>) -> bool {
    class.is_none()
}

pub async fn an_order_without_its_class_waits_and_says_for_what(world: &World) -> Result<()> {
    let shop = world.namespace("classless").await?;
    shop.order("early", |spec| spec.class_name = "not-yet".to_owned()).await?;
    let status = shop.until("early", SOON, |status| status.reason.is_some()).await?;
    ensure!(condition(&status, "Accepted") == Some(("False", "ClassNotReady")), "{status:#?}");
    let class = world.installation.class_spec(timeouts(), Capture::WhenReady);
    world.installation.apply_class("not-yet", class).await?;
    shop.until("early", Duration::from_secs(30), |status| status.phase == Phase::Delivered).await?;
    shop.expect_delivered("early").await
}
