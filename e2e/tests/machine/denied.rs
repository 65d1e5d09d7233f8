//! A right that a function lacks: the step that needs it fails, and no other; given back, the order goes on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::installation::TENANT;
use comanda_e2e::world::{DELEGATED, Shop, World, over_http, until_within};

/// A step that fails is tried again after three seconds, six, twelve, each cut by its jitter.
const TRIED_AGAIN: Duration = Duration::from_mins(1);
/// The operator gives an execution a minute, and the next one follows after a pause.
const STOPPED: Duration = Duration::from_mins(2);

/// The kitchen is not told, as its function may not read the ledger; the cancel ends no wait, and moves nothing.
pub async fn an_execution_that_does_not_undo_a_cancelled_order_is_stopped_and_the_next_one_does(
    world: &World,
) -> Result<()> {
    let (shop, aws) = (world.shop(TENANT), &world.installation.stack.aws);
    let order = "silent-stuck";
    aws.deny("RequestPreparationRole", "dynamodb:Query").await?;
    let done = async {
        shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
        until_fails(&shop, order, &["RequestPreparation"]).await?;
        shop.cancel(order).await?;
        let status = shop.until(order, STOPPED, |status| status.phase.is_final()).await?;
        ensure!(status.phase == Phase::Cancelled, "{status:#?}");
        anyhow::Ok(())
    }
    .await;
    aws.allow("RequestPreparationRole").await?;
    done?;
    let [first, second] = &shop.executions(order).await?[..] else { anyhow::bail!("not two executions") };
    let stuck = aws.states_entered(first).await?;
    ensure!(stuck.last().is_some_and(|last| last == "RequestPreparation"), "{stuck:?}");
    let undone = aws.states_entered(second).await?;
    ensure!(undone.first().is_some_and(|first| first == "RecallDevices"), "{undone:?}");
    shop.expect_no_call_repeated(order).await
}

/// A secret is kept for five minutes, so that the right to read it is not missed at once; what `device-ack` lacks costs a wait
/// its wake, and fails in no state.
///
/// Which right of whom, the states that fail without it, and whether the order is cancelled while the kitchen is silent.
type Denial = (&'static str, &'static str, &'static [&'static str], bool);

const DENIALS: [Denial; 26] = [
    ("ValidateOrderRole", "dynamodb:Query", &["ValidateOrder"], false),
    ("ValidateOrderRole", "dynamodb:PutItem", &["ValidateOrder"], false),
    ("ValidateOrderRole", "dynamodb:BatchGetItem", &["ValidateOrder"], false),
    ("ValidateOrderRole", "dynamodb:UpdateItem", &["ValidateOrder"], false),
    ("AuthorizePaymentRole", "dynamodb:Query", &["AuthorizePayment"], false),
    ("AuthorizePaymentRole", "dynamodb:PutItem", &["AuthorizePayment"], false),
    ("NotifyCustomerRole", "dynamodb:GetItem", &["ConfirmOrder"], false),
    ("NotifyCustomerRole", "dynamodb:PutItem", &["ConfirmOrder"], false),
    ("NotifyCustomerRole", "sns:Publish", &["ConfirmOrder"], false),
    ("UpdateStatusRole", "dynamodb:PutItem", &["UpdateStatus"], false),
    ("UpdateStatusRole", "sqs:SendMessage", &["UpdateStatus", "CloseOrder"], false),
    ("RequestPreparationRole", "dynamodb:PutItem", &["RequestPreparation"], false),
    ("RequestPreparationRole", "iot:Publish", &["RequestPreparation"], false),
    ("AwaitRole", "dynamodb:PutItem", &["AwaitKitchen"], false),
    ("AwaitRole", "dynamodb:Query", &["AwaitKitchen"], false),
    ("AwaitRole", "sqs:SendMessage", &["AwaitKitchen", "AwaitCourier"], false),
    ("CapturePaymentRole", "dynamodb:PutItem", &["CapturePayment"], false),
    ("RequestDeliveryRole", "dynamodb:GetItem", &["RequestDelivery"], false),
    ("RequestDeliveryRole", "dynamodb:PutItem", &["RequestDelivery"], false),
    ("RequestDeliveryRole", "iot:Publish", &["RequestDelivery"], false),
    ("RecallDevicesRole", "dynamodb:PutItem", &["RecallDevices"], true),
    ("RecallDevicesRole", "iot:Publish", &["RecallDevices"], true),
    ("UndoPaymentRole", "dynamodb:PutItem", &["UndoPayment"], true),
    ("ReleaseStockRole", "dynamodb:PutItem", &["ReleaseStock"], true),
    ("ReleaseStockRole", "dynamodb:UpdateItem", &["ReleaseStock"], true),
    ("NotifyCustomerRole", "dynamodb:Query", &["NotifyEnding"], true),
];

/// Takes minutes: `cargo test --package comanda-e2e --test machine -- --ignored`.
pub async fn each_right_that_is_taken_away_fails_in_the_step_that_needs_it(world: &World) -> Result<()> {
    let (shop, aws) = (world.shop(TENANT), &world.installation.stack.aws);
    for (number, (role, action, states, back)) in DENIALS.into_iter().enumerate() {
        let order = format!("{}denied-{number}", if back { "silent-" } else { "" });
        if back {
            shop.order(&order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
            shop.until_in(&order, "AwaitKitchen").await?;
        }
        aws.deny(role, action).await?;
        let failed = async {
            if back {
                shop.cancel(&order).await?;
            } else {
                shop.order(&order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
            }
            until_fails(&shop, &order, states).await
        }
        .await;
        aws.allow(role).await?;
        failed.with_context(|| format!("{role} without {action}"))?;
        let status = shop.until(&order, TRIED_AGAIN, |status| status.phase.is_final()).await?;
        let wanted = if back { Phase::Cancelled } else { Phase::Delivered };
        ensure!(status.phase == wanted, "{role} without {action}: {status:#?}");
        shop.expect_no_call_repeated(&order).await?;
        eprintln!("{role} without {action}: {states:?}");
    }
    Ok(())
}

/// What the intake lacks is a 503, and nothing is lost: given back, the same request is taken.
pub async fn each_right_of_the_intake_that_is_taken_away_is_answered_with_send_again(
    world: &World,
) -> Result<()> {
    let (aws, order) = (&world.installation.stack.aws, over_http("paella"));
    let caller = aws.caller(Some("denied")).await?;
    let read = caller.order("read", &order).await?.id()?;
    for (action, reads) in [
        ("sqs:SendMessage", false),
        ("dynamodb:PutItem", false),
        ("dynamodb:GetItem", true),
        ("dynamodb:Query", true),
    ] {
        aws.deny("IntakeRole", action).await?;
        let refused = if reads { caller.read(&read).await? } else { caller.order(action, &order).await? };
        aws.allow("IntakeRole").await?;
        ensure!(refused.status == 503, "without {action}: {refused:?}");
        let taken = if reads { caller.read(&read).await? } else { caller.order(action, &order).await? };
        ensure!(taken.status.is_success(), "with {action} again: {taken:?}");
    }
    Ok(())
}

/// Waits until a state of an order's execution failed, which must be one of these.
async fn until_fails(shop: &Shop<'_>, order: &str, states: &[&str]) -> Result<()> {
    let aws = &shop.world.installation.stack.aws;
    until_within(TRIED_AGAIN, &format!("{order} fails in {states:?}"), async || {
        let Some(execution) = shop.executions(order).await?.pop() else { return Ok(false) };
        let failed = aws.states_failed(&execution).await?;
        ensure!(failed.iter().all(|state| states.contains(&&**state)), "{failed:?} failed, not {states:?}");
        Ok(!failed.is_empty())
    })
    .await
}
