//! What Stripe says by itself: to the function behind the HTTP API, which looks, and wakes whoever carries the order.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use comanda_crds::{Capture, Phase, Timeouts, Webhook};
use comanda_e2e::installation::{INSTALLATION, all_phases};
use comanda_e2e::stack::stripe::{SECRET_KEY, SIGNING_SECRET};
use comanda_e2e::stripe_proxy::events::{Event, signature};
use comanda_e2e::world::{CANARIES, SOON, Shop, World, condition, patience, until};
use kube::api::DeleteParams;
use serde_json::Value;

/// A machine carries its orders, and Stripe tells of their payments.
const TOLD: &str = "told";
/// The same of a class whose customers have little time.
const HASTY: &str = "told-hasty";
/// The operator carries its orders.
const TOLD_DIRECT: &str = "told-direct";
/// How long the customers of [`HASTY`] have, and an order after that.
const FOUND: Duration = Duration::from_mins(1);
const THREE_D_SECURE: &str = "pm_card_threeDSecure2Required";

async fn apply_class(world: &World, name: &str, timeouts: Timeouts) -> Result<()> {
    let installation = &world.installation;
    let mut spec = installation.class_spec(timeouts, Capture::WhenReady);
    spec.payments.stripe.webhook = Some(Webhook { signing_secret: None });
    let spec = if name == TOLD_DIRECT { spec } else { installation.delegating(spec, all_phases())? };
    installation.apply_class(name, spec).await
}

/// A stall with an order of a class.
async fn ordered<'a>(world: &'a World, order: &str, class: &str, card: &str) -> Result<Shop<'a>> {
    let timeouts = match class {
        HASTY => Timeouts { customer_seconds: 15, ..patience() },
        _ => patience(),
    };
    apply_class(world, class, timeouts).await?;
    let shop = world.stall(order).await?;
    shop.order(order, |spec| {
        class.clone_into(&mut spec.class_name);
        card.clone_into(&mut spec.payment.payment_method);
    })
    .await?;
    Ok(shop)
}

/// The customer confirms the payment.
async fn confirm(shop: &Shop<'_>, order: &str) -> Result<()> {
    let asked =
        shop.until(order, SOON, |status| status.waiting_for.as_ref().is_some_and(|wait| wait.link.is_some()));
    let link = asked.await?.waiting_for.and_then(|wait| wait.link).context("a link for the customer")?;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let answer = browser.get(format!("{link}?outcome=success")).send().await?;
    ensure!(answer.status().is_redirection(), "the link answers {}", answer.status());
    Ok(())
}

async fn events(shop: &Shop<'_>, order: &str) -> Result<Vec<Event>> {
    shop.world.installation.stack.stripe.events(&shop.identity(order).to_string()).await
}

/// Waits until what Stripe said of an order was taken.
async fn until_taken(shop: &Shop<'_>, order: &str, kind: &str) -> Result<()> {
    until(&format!("{kind} of {order} is taken"), async || {
        let events = events(shop, order).await?;
        Ok(events.iter().any(|event| event.kind == kind && event.answers.last() == Some(&200)))
    })
    .await
}

async fn payment(shop: &Shop<'_>, order: &str) -> Result<String> {
    shop.record(order).await?.payment.id.with_context(|| format!("{order} has no payment"))
}

fn is_stalled(status: &comanda_crds::OrderStatus) -> bool {
    condition(status, "Stalled").is_some()
}

/// Longest pause between two looks is two minutes: what is delivered sooner was woken.
pub async fn a_late_authorization_wakes_the_execution_or_the_operator(world: &World) -> Result<()> {
    for class in [TOLD, TOLD_DIRECT] {
        let order = format!("late-{class}");
        let shop = ordered(world, &order, class, THREE_D_SECURE).await?;
        if class == TOLD {
            shop.until_in(&order, "AwaitCustomer").await?;
        }
        confirm(&shop, &order).await?;
        shop.until_phase(&order, Phase::Delivered).await?;
        shop.expect_delivered(&order).await?;
        shop.expect_no_call_repeated(&order).await?;
        until_taken(&shop, &order, "payment_intent.amount_capturable_updated").await?;
    }
    Ok(())
}

pub async fn a_word_of_stripes_that_is_lost_is_found_by_time(world: &World) -> Result<()> {
    let order = "late-lost";
    world.installation.stack.stripe.hold_events(&format!("/{order}$")).await?;
    let shop = ordered(world, order, HASTY, THREE_D_SECURE).await?;
    confirm(&shop, order).await?;
    shop.until(order, FOUND, |status| status.phase.is_final()).await?;
    shop.expect_delivered(order).await?;
    let events = events(&shop, order).await?;
    ensure!(!events.is_empty() && events.iter().all(|event| event.answers.is_empty()), "{events:#?}");
    Ok(())
}

/// The function may not write for a while: Stripe hears that, and sends the event again.
pub async fn what_could_not_be_written_is_sent_again_until_it_is(world: &World) -> Result<()> {
    let order = "late-unwritten";
    let shop = ordered(world, order, TOLD, THREE_D_SECURE).await?;
    shop.until_in(order, "AwaitCustomer").await?;
    let aws = &world.installation.stack.aws;
    aws.deny("StripeWebhookRole", "dynamodb:PutItem").await?;
    let answered = async {
        confirm(&shop, order).await?;
        until("an event is to be sent again", async || {
            Ok(events(&shop, order).await?.iter().any(|event| event.answers.contains(&500)))
        })
        .await
    }
    .await;
    aws.allow("StripeWebhookRole").await?;
    answered?;
    shop.until_phase(order, Phase::Delivered).await?;
    until_taken(&shop, order, "payment_intent.amount_capturable_updated").await
}

/// What the endpoint answers.
async fn post(world: &World, body: &str, signed: Option<String>) -> Result<(u16, String)> {
    let deployment = world.installation.stack.aws.deployment().context("it is deployed")?;
    let mut request = reqwest::Client::new().post(deployment.webhook_url());
    request = request.header("content-type", "application/json; charset=utf-8");
    if let Some(signed) = signed {
        request = request.header("stripe-signature", signed);
    }
    let answer = request.body(body.to_owned()).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

pub async fn what_is_not_stripes_is_refused_and_what_is_told_again_or_out_of_turn_changes_nothing(
    world: &World,
) -> Result<()> {
    let order = "replayed";
    let shop = ordered(world, order, TOLD, "pm_card_visa").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    until_taken(&shop, order, "payment_intent.succeeded").await?;
    let (events, before) = (events(&shop, order).await?, shop.record(order).await?);
    ensure!(events.len() >= 2, "{events:#?}");
    for Event { body, kind, .. } in events.iter().rev().chain(&events) {
        let sign = |age| Some(signature(SIGNING_SECRET, body, age));
        let answered = post(world, body, sign(0)).await?;
        ensure!(answered == (200, String::new()), "{kind}: {answered:?}");
        for (what, body, signed) in [
            ("unsigned", body.clone(), None),
            ("old", body.clone(), sign(400)),
            ("of the future", body.clone(), sign(-400)),
            ("signed by somebody else", body.clone(), Some(signature("whsec_local_of_another", body, 0))),
            ("another body", body.replace("\"livemode\":false", "\"livemode\":true"), sign(0)),
            ("no event", "{}".to_owned(), Some(signature(SIGNING_SECRET, "{}", 0))),
        ] {
            let answered = post(world, &body, signed).await?;
            ensure!(answered == (400, String::new()), "{what}: {answered:?}");
        }
    }
    let after = shop.record(order).await?;
    ensure!(before == after, "it wrote: {before:#?}\n{after:#?}");
    shop.expect_no_call_repeated(order).await
}

pub async fn what_is_not_an_orders_of_this_installation_is_ignored(world: &World) -> Result<()> {
    let order = "doubled";
    let shop = ordered(world, order, TOLD, "pm_card_visa").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    let before = shop.record(order).await?;
    let stripe = &world.installation.stack.stripe;
    let client = reqwest::Client::new();
    let url = format!("{}/v1/payment_intents", stripe.url());
    let another = format!("another/{}/{order}", shop.namespace);
    let unknown = format!("{INSTALLATION}/{}/nobodys", shop.namespace);
    // Another payment that says it is for the order, and what is no order's at all.
    let named = [another, unknown, shop.identity(order).to_string(), "lunch".to_owned()];
    for named in &named {
        let form = [
            ("amount", "100"),
            ("currency", "eur"),
            ("capture_method", "manual"),
            ("payment_method", "pm_card_visa"),
            ("payment_method_types[]", "card"),
            ("metadata[comanda_order]", named),
        ];
        let made = client.post(&url).bearer_auth(SECRET_KEY).form(&form).send().await?.error_for_status()?;
        let made: Value = made.json().await?;
        let id = made["id"].as_str().context("an id")?;
        let confirmed = client.post(format!("{url}/{id}/confirm")).bearer_auth(SECRET_KEY).send().await?;
        confirmed.error_for_status()?;
        until("it is taken", async || {
            let events = stripe.events(named).await?;
            Ok(events.iter().any(|event| event.intent == id && event.answers == [200]))
        })
        .await?;
    }
    let after = shop.record(order).await?;
    ensure!(before == after, "it wrote: {before:#?}\n{after:#?}");
    let items = world.installation.stack.aws.ledger_items().await?;
    let known = |name: &str| items.iter().any(|item| item.to_string().contains(name));
    ensure!(!known("another/") && !known("nobodys"), "the ledger knows of another's order");
    Ok(())
}

pub async fn a_refund_that_comes_back_after_the_end_stalls_the_object_or_is_told_of_where_that_is_gone(
    world: &World,
) -> Result<()> {
    let stripe = &world.installation.stack.stripe;
    for (order, gone) in [("fails-returned", false), ("fails-gone", true)] {
        let shop = ordered(world, order, TOLD, "pm_card_visa").await?;
        shop.until(order, SOON, |status| status.phase.is_final()).await?;
        let refunded = "succeeded, captured 1850, refunded 1850";
        shop.expect(order, "Failed", refunded, "confirmed, failed", "prepare, deliver, assigned").await?;
        if gone {
            shop.orders.delete(order, &DeleteParams::default()).await?;
            until("the object is gone", async || Ok(shop.orders.get_opt(order).await?.is_none())).await?;
        }
        stripe.return_refunds(&payment(&shop, order).await?).await?;
        until_taken(&shop, order, "refund.failed").await?;
        let record = shop.record(order).await?;
        ensure!(record.is_stalled() && record.payment.refunded == 0, "{record:#?}");

        let identity = shop.identity(order).to_string();
        let told = world.installation.stack.aws.function_log("stripe-webhook").await?;
        let line = told.iter().find(|line| line["order"] == *identity && line["outcome"] == "NeedsPerson");
        let line = line.with_context(|| format!("nobody is told of {order}: {told:#?}"))?;
        ensure!(line["reason"] == "RefundFailed", "{line}");
        // The events say who gets the goods, and where.
        let said = events(&shop, order).await?;
        ensure!(said.iter().any(|event| event.body.contains(CANARIES[0])), "{said:#?}");
        let line = told.iter().find(|line| CANARIES.iter().any(|canary| line.to_string().contains(canary)));
        ensure!(line.is_none(), "{line:?}");
        if gone {
            continue;
        }
        let status = shop.until(order, SOON, is_stalled).await?;
        ensure!(condition(&status, "Stalled") == Some(("True", "RefundFailed")), "{status:#?}");
        ensure!(condition(&status, "Compensated") == Some(("False", "RefundFailed")), "{status:#?}");
        ensure!(status.phase == Phase::Failed, "{status:#?}");
        shop.annotate(order, "comanda.dev/retry", "paid in cash").await?;
        shop.until(order, SOON, |status| !is_stalled(status)).await?;
    }
    Ok(())
}

pub async fn a_dispute_of_a_delivered_order_stalls_the_object(world: &World) -> Result<()> {
    let order = "contested";
    let shop = ordered(world, order, TOLD, "pm_card_visa").await?;
    shop.until_phase(order, Phase::Delivered).await?;
    world.installation.stack.stripe.dispute(&payment(&shop, order).await?).await?;
    let status = shop.until(order, SOON, is_stalled).await?;
    ensure!(condition(&status, "Stalled") == Some(("True", "PaymentDisputed")), "{status:#?}");
    ensure!(status.phase == Phase::Delivered, "{status:#?}");
    shop.annotate(order, "comanda.dev/retry", "answered").await?;
    shop.until(order, SOON, |status| !is_stalled(status)).await?;
    Ok(())
}
