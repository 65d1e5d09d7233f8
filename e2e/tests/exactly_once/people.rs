//! Scenes about what people and their tools do to objects.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use comanda_crds::Phase;
use comanda_e2e::installation::INSTALLATION;
use comanda_e2e::world::{PATIENT, SOON, World, condition};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::money::stalled_at_a_failed_refund;

pub async fn a_tool_that_patches_annotations_all_the_time_disturbs_no_order(world: &World) -> Result<()> {
    let shop = world.market("annotated").await?;
    for number in 0..5 {
        shop.order(&format!("slow-{number}"), |_| {}).await?;
    }
    let mut patches = 0;
    let tool = async {
        loop {
            for number in 0..5 {
                let name = format!("slow-{number}");
                let count = patches.to_string();
                let metadata = json!({"annotations": {"tool/count": count}, "labels": {"tool": count}});
                let patch = Patch::Merge(json!({"metadata": metadata}));
                shop.orders.patch(&name, &PatchParams::default(), &patch).await?;
                patches += 1;
            }
        }
    };
    let orders = async {
        for number in 0..5 {
            shop.until_phase(&format!("slow-{number}"), Phase::Delivered).await?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        ended = orders => ended,
        broken = tool => broken,
    }?;
    // Several while each order was under way, however busy the machine is.
    ensure!(patches >= 40, "the tool came to {patches} patches only");
    for number in 0..5 {
        let name = format!("slow-{number}");
        shop.expect_delivered(&name).await?;
        let object = shop.orders.get(&name).await?;
        ensure!(object.labels().contains_key("tool"), "the tool's label was overwritten: {object:#?}");
    }
    shop.expect_consumed(5).await
}

/// `kubectl replace`, and tools that do the same, write the object as the file has it.
pub async fn an_order_replaced_without_its_finalizer_is_undone_when_it_is_deleted(
    world: &World,
) -> Result<()> {
    let shop = world.market("replaced").await?;
    shop.order("silent-replaced", |spec| spec.class_name = PATIENT.to_owned()).await?;
    shop.until_phase("silent-replaced", Phase::Preparing).await?;
    let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    let stripped = shop.orders.patch("silent-replaced", &PatchParams::default(), &patch).await?;
    ensure!(stripped.finalizers().is_empty(), "{stripped:#?}");
    let begun = Instant::now();
    while shop.orders.get("silent-replaced").await?.finalizers().is_empty() {
        ensure!(begun.elapsed() < SOON, "the finalizer was not put back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shop.orders.delete("silent-replaced", &DeleteParams::default()).await?;
    shop.until_gone("silent-replaced").await?;
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-replaced", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    shop.expect_consumed(0).await
}

pub async fn an_order_whose_customer_cannot_be_read_any_more_is_undone_all_the_same(
    world: &World,
) -> Result<()> {
    let shop = world.market("forgotten").await?;
    shop.order("silent-forgotten", |spec| spec.class_name = PATIENT.to_owned()).await?;
    shop.until_phase("silent-forgotten", Phase::Preparing).await?;
    let aws = &world.installation.stack.aws;
    let deleted = aws
        .dynamodb()
        .delete_item()
        .table_name(&aws.resources().ledger_table)
        .key("pk", AttributeValue::S(format!("ORDER#{INSTALLATION}/{}/silent-forgotten", shop.namespace)))
        .key("sk", AttributeValue::S("CONTACT".to_owned()))
        .return_values(ReturnValue::AllOld)
        .send()
        .await?;
    ensure!(deleted.attributes().is_some(), "the ledger had no contact");
    shop.cancel("silent-forgotten").await?;
    let status = shop.until_final("silent-forgotten", Duration::from_mins(1)).await?;
    let told = |message: &str| message.contains("The customer could not be told.");
    ensure!(status.conditions.iter().any(|condition| told(&condition.message)), "{status:#?}");
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-forgotten", "Cancelled", payment, "confirmed", "prepare, cancel").await?;
    shop.expect_consumed(0).await
}

pub async fn a_namespace_deleted_with_orders_in_it_lets_them_go_when_they_are_settled(
    world: &World,
) -> Result<()> {
    let shop = world.market("namespace-going").await?;
    shop.order("far-away", |spec| spec.class_name = PATIENT.to_owned()).await?;
    shop.until_said(&world.courier, "far-away", "picked-up").await?;
    shop.order("silent-going", |spec| spec.class_name = PATIENT.to_owned()).await?;
    shop.until_phase("silent-going", Phase::Preparing).await?;
    // A namespace that is going, and its controller, which is not here, deletes what is in it.
    let namespaces: Api<Namespace> = Api::all(world.installation.stack.kubernetes.client());
    namespaces.delete(&shop.namespace, &DeleteParams::default()).await?;
    let status = namespaces.get(&shop.namespace).await?.status.context("a namespace has a status")?;
    ensure!(status.phase.as_deref() == Some("Terminating"), "{status:#?}");
    shop.orders.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
    for order in ["silent-going", "far-away"] {
        shop.until_gone(order).await?;
    }
    let refused = world.installation.stack.kubernetes.audit_events(|event| {
        event["objectRef"]["namespace"] == *shop.namespace
            && event["objectRef"]["resource"] == "events"
            && event["responseStatus"]["code"] == 403
    })?;
    ensure!(!refused.is_empty(), "every Event was taken");
    let payment = "canceled, captured 0, refunded 0";
    shop.expect("silent-going", "Cancelled", payment, "confirmed, cancelled", "prepare, cancel").await?;
    // What the courier had picked up was delivered first.
    shop.expect_delivered("far-away").await?;
    shop.expect_consumed(1).await
}

pub async fn an_abandoned_order_is_let_go_and_its_debt_is_kept(world: &World) -> Result<()> {
    let shop = world.market("abandoned").await?;
    stalled_at_a_failed_refund(&shop, "fails-abandoned").await?;
    shop.annotate("fails-abandoned", "comanda.dev/abandon", "refunded by bank transfer").await?;
    let abandoned = |status: &comanda_crds::OrderStatus| {
        status.phase == Phase::Failed
            && status.reason.as_deref() == Some("Abandoned")
            && condition(status, "Compensated") == Some(("False", "Abandoned"))
    };
    shop.until("fails-abandoned", SOON, abandoned).await?;
    shop.orders.delete("fails-abandoned", &DeleteParams::default()).await?;
    shop.until_gone("fails-abandoned").await?;
    let record = shop.snapshot().await?.record("fails-abandoned").context("the ledger keeps it")?.clone();
    ensure!(record["abandoned"] == "refunded by bank transfer", "{record:#}");
    shop.order("fails-abandoned", |spec| spec.payment.payment_method = "pm_card_refundFail".to_owned())
        .await?;
    shop.until("fails-abandoned", SOON, abandoned).await?;
    shop.expect_rest("fails-abandoned", Duration::from_secs(1)).await?;
    let payment = "succeeded, captured 1850, refunded 0";
    shop.expect("fails-abandoned", "Failed", payment, "confirmed", "prepare, deliver, assigned").await
}
