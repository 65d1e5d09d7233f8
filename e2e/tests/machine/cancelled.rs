//! Cancels of orders that executions carry: in each wait, and while a step is at work.

use anyhow::{Result, ensure};
use comanda_crds::{OrderSpec, Phase};
use comanda_e2e::installation::TENANT;
use comanda_e2e::stripe_proxy::faults::Action;
use comanda_e2e::world::{DELEGATED, PATIENT, SOON, Shop, World, until};

const HELD: &str = "requires_capture, captured 0, refunded 0";
const LET_GO: &str = "canceled, captured 0, refunded 0";

/// What a cancel leads to: payment, messages and commands.
type Ending = [&'static str; 3];

/// Cancels an order that waits, once of the operator's class and once of the machine's: both end the same. The execution's
/// wait ends by the cancel, and not by time.
async fn cancelled_in(
    world: &World,
    order: &str,
    (who, state): (&str, &str),
    change: impl Fn(&mut OrderSpec),
    ending: Ending,
) -> Result<()> {
    let shop = world.stall(order).await?;
    for class in [PATIENT, DELEGATED] {
        let order = format!("{order}-{class}");
        shop.order(&order, |spec| {
            class.clone_into(&mut spec.class_name);
            change(spec);
        })
        .await?;
        if class == DELEGATED {
            shop.until_in(&order, state).await?;
        }
        shop.until(&order, SOON, |status| status.waiting_for.as_ref().is_some_and(|wait| wait.who == who))
            .await?;
        shop.cancel(&order).await?;
        expect_cancelled(&shop, &order, ending).await?;
    }
    // Once by each: what the kitchen had begun is spent.
    shop.expect_consumed(if ending[2].contains("deliver") { 2 } else { 0 }).await?;
    let order = format!("{order}-{DELEGATED}");
    let [execution] = &shop.executions(&order).await?[..] else { anyhow::bail!("not one execution") };
    let late = world.installation.stack.aws.states_timed_out(execution).await?;
    ensure!(!late.iter().any(|late| late == state), "the wait was over by time: {late:?}");
    Ok(())
}

async fn expect_cancelled(shop: &Shop<'_>, order: &str, [payment, told, commands]: Ending) -> Result<()> {
    let status = shop.until_phase(order, Phase::Cancelled).await?;
    ensure!(status.phase == Phase::Cancelled, "{order}: {status:#?}");
    shop.expect(order, "Cancelled", payment, told, commands).await?;
    shop.expect_no_call_repeated(order).await
}

pub async fn a_cancel_ends_the_wait_for_the_customer(world: &World) -> Result<()> {
    let card =
        |spec: &mut OrderSpec| spec.payment.payment_method = "pm_card_threeDSecure2Required".to_owned();
    let ending = [LET_GO, "cancelled", "none"];
    cancelled_in(world, "asked", ("customer", "AwaitCustomer"), card, ending).await
}

pub async fn a_cancel_ends_the_wait_for_the_kitchen(world: &World) -> Result<()> {
    let ending = [LET_GO, "confirmed, cancelled", "prepare, cancel"];
    cancelled_in(world, "silent-asked", ("kitchen", "AwaitKitchen"), |_| {}, ending).await
}

/// The food is ready and paid for; nobody picked it up yet.
pub async fn a_cancel_ends_the_wait_for_the_courier(world: &World) -> Result<()> {
    let refunded = "succeeded, captured 1850, refunded 1850";
    let ending = [refunded, "confirmed, cancelled", "prepare, deliver, cancel"];
    cancelled_in(world, "mute-asked", ("courier", "AwaitCourier"), |_| {}, ending).await
}

/// There is no wait to end: the step at work finds its next write refused, and the state after it is not entered.
pub async fn a_cancel_while_a_step_is_at_work_turns_the_order_round_behind_it(world: &World) -> Result<()> {
    let shop = world.shop(TENANT);
    let order = "between";
    shop.misbehave(&shop.key(order, "confirm", 1), Action::DelayAnswerMs { ms: 5000 }).await?;
    shop.order(order, |spec| DELEGATED.clone_into(&mut spec.class_name)).await?;
    until("the amount is held", async || Ok(shop.facts(order).await?.payment == HELD)).await?;
    shop.cancel(order).await?;
    expect_cancelled(&shop, order, [LET_GO, "cancelled", "none"]).await?;
    let [execution] = &shop.executions(order).await?[..] else { anyhow::bail!("not one execution") };
    let entered = world.installation.stack.aws.states_entered(execution).await?;
    let expected = [
        "ValidateOrder",
        "AuthorizePayment",
        "RecallDevices",
        "UndoPayment",
        "ReleaseStock",
        "NotifyEnding",
        "CloseOrder",
        "Compensated",
    ];
    ensure!(entered == expected, "{entered:?}");
    Ok(())
}
