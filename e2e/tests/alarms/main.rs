//! The alarms of `lambdas/template.yaml`, on what it makes: what goes wrong turns its alarm, whoever subscribes is told, and
//! once it is mended the alarm is over. CloudWatch's five minutes are not waited for: whoever evaluates the alarms is told
//! a later time.

mod patterns;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use comanda_crds::{OrderStatus, Phase};
use comanda_e2e::installation::TENANT;
use comanda_e2e::stack::Options;
use comanda_e2e::stack::aws::ON_CALL;
use comanda_e2e::stack::aws::alarms::{Alarm, State};
use comanda_e2e::stripe_proxy::faults::Action;
use comanda_e2e::world::{DELEGATED, Shop, World, condition, until_within};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A step that fails is tried again after three seconds, six, twelve, each cut by its jitter.
const TRIED_AGAIN: Duration = Duration::from_mins(1);
/// After it, no alarm looks at what was before: the longest looks at an hour.
const LATER: SignedDuration = SignedDuration::from_mins(62);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_turns_its_alarm_and_what_is_mended_turns_it_back() -> Result<()> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_comanda-e2e"));
    let world = World::with_machine(Options { program: Some(program), ..Options::default() }).await?;
    let played = play(&world).await;
    world.stop().await;
    played
}

async fn play(world: &World) -> Result<()> {
    let aws = &world.installation.stack.aws;
    let deployment = aws.deployment().context("it is deployed")?;
    let pager = aws.subscribe("pager", &deployment.alarms_topic_arn).await?;
    let mut monitor = aws.monitor()?;
    somebody_is_told_by_email(world, &deployment.alarms_topic_arn).await?;

    let shop = world.shop(TENANT);
    delivered(&shop, "before").await?;
    a_card_is_declined(&shop, "declined").await?;
    expect_alarms(&monitor.look(Timestamp::now()).await?, &[])?;
    aws.drain(&pager).await?;

    an_execution_is_stopped(&shop, "silent-stopped").await?;
    let stopped = ["executions-ended-badly"];
    expect_alarms(&monitor.look(Timestamp::now()).await?, &stopped)?;
    expect_told(&aws.drain(&pager).await?, "ALARM", &stopped)?;

    the_status_of_an_order_cannot_be_written(&shop, "unwritten").await?;
    tokio::try_join!(
        validation_refuses(&shop, "tampered"),
        the_payment_provider_does_not_answer(&shop, "unanswered"),
        a_bank_took_the_money_back(world, "fails-disputed"),
        a_function_is_throttled(&shop, "throttled", "capture-payment", "CapturePayment"),
        a_function_is_throttled(&shop, "rejects-throttled", "undo-payment", "UndoPayment"),
        the_stock_of_a_rejected_order_cannot_be_returned(&shop, "rejects-unreturned"),
    )?;
    let dead = aws_sdk_sqs::Client::new(aws.sdk_config());
    let dead = dead.send_message().queue_url(&deployment.dead_letter_queue_url);
    dead.message_body("what no rule could deliver").send().await?;

    let new = [
        "dead-letters",
        "orders-need-person",
        "orders-refused",
        "payment-errors",
        "status-update-errors",
        "step-function-errors",
        "step-function-throttles",
        "steps-stuck",
        "undo-function-errors",
        "undo-function-throttles",
    ];
    let wrong = [&stopped[..], &new].concat();
    expect_alarms(&monitor.look(Timestamp::now()).await?, &wrong)?;
    expect_told(&aws.drain(&pager).await?, "ALARM", &new)?;
    expect_alarms(&monitor.look(Timestamp::now()).await?, &wrong)?;
    ensure!(aws.drain(&pager).await?.is_empty(), "an alarm that stays is told of again");

    // What can be mended, is: the orders go on. What cannot, a person lets go.
    for order in ["unwritten", "unanswered", "throttled"] {
        ends(&shop, order, Phase::Delivered).await?;
    }
    for order in ["rejects-unreturned", "rejects-throttled"] {
        ends(&shop, order, Phase::Failed).await?;
    }
    ends(&shop, "silent-stopped", Phase::Cancelled).await?;
    shop.annotate("fails-disputed", "comanda.dev/abandon", "the dispute was lost").await?;
    shop.until("fails-disputed", TRIED_AGAIN, |status| status.phase.is_final()).await?;
    aws.drain(&deployment.dead_letter_queue_url).await?;
    let mended = monitor.look(Timestamp::now()).await?;
    delivered(&shop, "after").await?;
    let after = monitor.look(Timestamp::now()).await?;
    ensure!(mended == after, "an order counts that nothing befell: {mended:#?}, then {after:#?}");
    expect_alarms(&monitor.look(Timestamp::now() + LATER).await?, &[])?;
    expect_told(&aws.drain(&pager).await?, "OK", &wrong)
}

async fn somebody_is_told_by_email(world: &World, topic: &str) -> Result<()> {
    let sns = aws_sdk_sns::Client::new(world.installation.stack.aws.sdk_config());
    let subscribed = sns.list_subscriptions_by_topic().topic_arn(topic).send().await?;
    let mut by_email = subscribed.subscriptions().iter().filter(|one| one.protocol() == Some("email"));
    let endpoint = by_email.next().and_then(|one| one.endpoint());
    ensure!(endpoint == Some(ON_CALL) && by_email.next().is_none(), "{subscribed:?}");
    Ok(())
}

/// The operator starts the next one, which undoes the order.
async fn an_execution_is_stopped(shop: &Shop<'_>, order: &str) -> Result<()> {
    delegate(shop, order, "pm_card_visa").await?;
    shop.until_in(order, "AwaitKitchen").await?;
    let execution = shop.executions(order).await?.pop().context("it has an execution")?;
    let states = aws_sdk_sfn::Client::new(shop.world.installation.stack.aws.sdk_config());
    states.stop_execution().execution_arn(execution).send().await?;
    shop.cancel(order).await
}

/// Before all others, so that the order it is taken from is the only one that misses the right. Called by hand, the step
/// says of itself that it was tried often.
async fn the_status_of_an_order_cannot_be_written(shop: &Shop<'_>, order: &str) -> Result<()> {
    let aws = &shop.world.installation.stack.aws;
    aws.deny("UpdateStatusRole", "dynamodb:PutItem").await?;
    let failed = async {
        delegate(shop, order, "pm_card_visa").await?;
        until_fails(shop, order, "UpdateStatus").await?;
        let identity =
            json!({ "installation": shop.identity(order).installation, "tenant": TENANT, "orderId": order });
        let execution = shop.execution(order, 1);
        let call = json!({ "order": identity, "execution": execution, "step": "UpdateStatus", "attempt": 9 });
        ensure!(aws.invoke("update-status", &call).await.is_err(), "it may write");
        Ok(())
    }
    .await;
    aws.allow("UpdateStatusRole").await?;
    failed
}

async fn validation_refuses(shop: &Shop<'_>, order: &str) -> Result<()> {
    shop.order(order, |spec| {
        DELEGATED.clone_into(&mut spec.class_name);
        spec.total = Some(1);
    })
    .await?;
    ends(shop, order, Phase::Rejected).await
}

/// The answer is lost, and comes under the same key when the step is tried again.
async fn the_payment_provider_does_not_answer(shop: &Shop<'_>, order: &str) -> Result<()> {
    shop.misbehave(&shop.key(order, "pi", 1), Action::DropAnswer).await?;
    delegate(shop, order, "pm_card_visa").await?;
    until_fails(shop, order, "AuthorizePayment").await
}

/// The courier fails with the food, and there is nothing left to refund.
async fn a_bank_took_the_money_back(world: &World, order: &str) -> Result<()> {
    let shop = world.stall(order).await?;
    delegate(&shop, order, "pm_card_createDispute").await?;
    let stalled = |status: &OrderStatus| matches!(condition(status, "Stalled"), Some(("True", _)));
    let status = shop.until(order, TRIED_AGAIN, stalled).await?;
    ensure!(status.phase == Phase::Compensating, "{status:#?}");
    // Its last step says so, after the object does.
    until_within(TRIED_AGAIN, "the execution is over", async || {
        let [execution] = &shop.executions(order).await?[..] else { return Ok(false) };
        let entered = world.installation.stack.aws.states_entered(execution).await?;
        Ok(entered.last().is_some_and(|last| last == "NeedsPerson"))
    })
    .await
}

/// No alarm: this is the customer's.
async fn a_card_is_declined(shop: &Shop<'_>, order: &str) -> Result<()> {
    delegate(shop, order, "pm_card_visa_chargeDeclined").await?;
    ends(shop, order, Phase::Rejected).await
}

async fn a_function_is_throttled(shop: &Shop<'_>, order: &str, function: &str, state: &str) -> Result<()> {
    let aws = &shop.world.installation.stack.aws;
    aws.throttle(function, true).await?;
    let failed = async {
        delegate(shop, order, "pm_card_visa").await?;
        until_fails(shop, order, state).await
    }
    .await;
    aws.throttle(function, false).await?;
    failed
}

async fn the_stock_of_a_rejected_order_cannot_be_returned(shop: &Shop<'_>, order: &str) -> Result<()> {
    let aws = &shop.world.installation.stack.aws;
    aws.deny("ReleaseStockRole", "dynamodb:PutItem").await?;
    let failed = async {
        delegate(shop, order, "pm_card_visa").await?;
        until_fails(shop, order, "ReleaseStock").await
    }
    .await;
    aws.allow("ReleaseStockRole").await?;
    failed
}

async fn delivered(shop: &Shop<'_>, order: &str) -> Result<()> {
    delegate(shop, order, "pm_card_visa").await?;
    ends(shop, order, Phase::Delivered).await
}

async fn delegate(shop: &Shop<'_>, order: &str, card: &str) -> Result<()> {
    shop.order(order, |spec| {
        DELEGATED.clone_into(&mut spec.class_name);
        card.clone_into(&mut spec.payment.payment_method);
    })
    .await
    .map(drop)
}

async fn ends(shop: &Shop<'_>, order: &str, phase: Phase) -> Result<()> {
    let status = shop.until(order, TRIED_AGAIN, |status| status.phase.is_final()).await?;
    ensure!(status.phase == phase, "{status:#?}");
    Ok(())
}

async fn until_fails(shop: &Shop<'_>, order: &str, state: &str) -> Result<()> {
    let aws = &shop.world.installation.stack.aws;
    until_within(TRIED_AGAIN, &format!("{order} fails in {state}"), async || {
        let Some(execution) = shop.executions(order).await?.pop() else { return Ok(false) };
        Ok(aws.states_failed(&execution).await?.iter().any(|failed| failed == state))
    })
    .await
}

/// Demands that exactly these are in ALARM, and all others are OK.
fn expect_alarms(alarms: &[Alarm], wrong: &[&str]) -> Result<()> {
    let found: BTreeMap<&str, State> = alarms.iter().map(|alarm| (&*alarm.name, alarm.state)).collect();
    let expected: BTreeMap<&str, State> = found
        .keys()
        .map(|name| (*name, if wrong.contains(name) { State::Alarm } else { State::Ok }))
        .collect();
    ensure!(wrong.iter().all(|name| found.contains_key(name)), "not all of {wrong:?} are there: {alarms:#?}");
    ensure!(found == expected, "expected {wrong:?} in ALARM: {alarms:#?}");
    Ok(())
}

/// Demands that whoever subscribes was told of this state by each of these alarms, once, and of nothing else.
fn expect_told(messages: &[Value], state: &str, alarms: &[&str]) -> Result<()> {
    let told = messages.iter().map(|message| {
        ensure!(message["NewStateValue"] == state, "{message:#}");
        let name = message["AlarmName"].as_str().context("an alarm has a name")?;
        let says = message["AlarmDescription"].as_str().unwrap_or_default();
        ensure!(says.len() > 80, "{name} does not say what to do: {says}");
        Ok(name.to_owned())
    });
    let told = told.collect::<Result<Vec<_>>>()?;
    let names: BTreeSet<&str> = told
        .iter()
        .filter_map(|name| alarms.iter().find(|alarm| name.ends_with(&format!("-{alarm}"))))
        .copied()
        .collect();
    ensure!(
        names.len() == alarms.len() && told.len() == alarms.len(),
        "told of {told:?}, expected {alarms:?}"
    );
    Ok(())
}
