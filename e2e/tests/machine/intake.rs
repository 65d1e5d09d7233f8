//! Orders that come over HTTP, through the deployed API to an object and back to who sent them.

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, OrderClassSpec, Phase};
use comanda_e2e::installation::{CLASS, TENANT};
use comanda_e2e::stack::aws::{Answer, Caller};
use comanda_e2e::world::{CANARIES, STORE, World, paella, patience, until};
use comanda_steps::contract::OrderRef;
use comanda_steps::intake::Announcement;
use serde_json::{Value, json};

/// The body of an order.
fn body(sku: &str) -> Value {
    let mut spec = serde_json::to_value(paella()).expect("a spec is JSON");
    spec["items"][0]["sku"] = json!(sku);
    spec["store"] = json!(STORE);
    spec.as_object_mut().expect("an object").remove("className");
    spec
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    ensure!(answer.status.as_u16() == status, "{status} was wanted: {answer:?}");
    Ok(())
}

async fn until_phase(caller: &Caller, id: &str, phase: Phase) -> Result<Value> {
    let mut seen = Value::Null;
    until(&format!("{id} is {}", phase.name()), async || {
        seen = caller.read(id).await?.body;
        Ok(seen["phase"] == phase.name())
    })
    .await?;
    Ok(seen)
}

pub async fn an_order_over_http_is_delivered_and_shown_to_its_caller_alone(world: &World) -> Result<()> {
    let shop = world.stall("over-http").await?;
    let aws = &world.installation.stack.aws;
    let (ana, bea) = (aws.caller(Some("ana")).await?, aws.caller(Some("bea")).await?);
    let order = body(&shop.sku);
    let taken = ana.order("k-1", &order).await?;
    expect(&taken, 202)?;
    let id = taken.id()?;
    ensure!(taken.body["order"] == format!("/orders/{id}"), "{taken:?}");

    let again = ana.order("k-1", &order).await?;
    expect(&again, 200)?;
    ensure!(again.id()? == id, "{again:?}");
    let mut other = order.clone();
    other["items"][0]["quantity"] = json!(2);
    expect(&ana.order("k-1", &other).await?, 409)?;
    let mut elsewhere = order.clone();
    elsewhere["customer"]["inline"]["address"]["lines"] = json!(["Calle Mayor 2"]);
    expect(&ana.order("k-1", &elsewhere).await?, 409)?;

    // Another caller's order is not there, under the same key too.
    expect(&bea.read(&id).await?, 404)?;
    expect(&bea.cancel(&id, "mine").await?, 404)?;
    ensure!(bea.order("k-1", &order).await?.id()? != id, "callers share a key");
    expect(&aws.caller(None).await?.order("k-2", &order).await?, 403)?;

    let shown = until_phase(&ana, &id, Phase::Delivered).await?;
    ensure!(shown["total"]["minor"].as_i64().is_some_and(|minor| minor > 0), "{shown}");
    shop.expect_delivered(&id).await?;
    expect(&ana.cancel(&id, "too late").await?, 409)?;

    let object = serde_json::to_string(&shop.orders.get(&id).await?)?;
    for canary in &CANARIES[..4] {
        ensure!(!object.contains(*canary), "the object holds {canary}");
    }
    Ok(())
}

pub async fn a_body_that_is_no_order_is_refused_with_the_field_and_nothing_is_kept(
    world: &World,
) -> Result<()> {
    let caller = world.installation.stack.aws.caller(Some("clumsy")).await?;
    let mut wrong = body("paella");
    wrong["items"][0]["quantity"] = json!(0);
    let answer = caller.order("k-1", &wrong).await?;
    expect(&answer, 422)?;
    let error = json!({"path": "spec.items[0].quantity", "message": "quantity must be from 1 to 999; leave the line out to order none"});
    ensure!(answer.body["errors"] == json!([error]), "{answer:?}");
    // The key is free still.
    expect(&caller.order("k-1", &body("paella")).await?, 202)
}

/// The order is cancelled where its object is there, and where it is not yet.
pub async fn a_cancel_over_http_reaches_the_order_before_its_object_is_made_and_after(
    world: &World,
) -> Result<()> {
    let shop = world.stall("over-http-cancelled").await?;
    let caller = world.installation.stack.aws.caller(Some("wavering")).await?;
    let hold = |suspend: bool| async move {
        let spec = world.installation.class_spec(patience(), Capture::WhenReady);
        let spec = OrderClassSpec { suspend, ..world.installation.taking_in(spec)? };
        world.installation.apply_class(CLASS, spec).await
    };
    hold(true).await?;
    // The operator may be in the middle of a receive.
    until("the intake is closed", async || {
        let metrics = world.operator().await.as_ref().context("an operator")?.metrics().await?;
        Ok(metrics.contains(&format!("comanda_intake_open{{class=\"{CLASS}\"}} 0")))
    })
    .await?;
    let early = caller.order("early", &body(&shop.sku)).await?.id()?;
    ensure!(caller.read(&early).await?.body["phase"] == "Pending", "nobody has claimed it");
    expect(&caller.cancel(&early, "We changed our mind.").await?, 202)?;
    expect(&caller.cancel(&early, "Again.").await?, 202)?;
    ensure!(shop.orders.get_opt(&early).await?.is_none(), "a class that is held takes no order in");
    hold(false).await?;
    until_phase(&caller, &early, Phase::Cancelled).await?;
    let reason = shop.orders.get(&early).await?.spec.cancel.map(|cancel| cancel.reason);
    ensure!(reason.as_deref() == Some("We changed our mind."), "{reason:?}");

    let mut body = body(&shop.sku);
    body["payment"]["paymentMethod"] = json!("pm_card_threeDSecure2Required");
    let late = caller.order("late", &body).await?.id()?;
    until("the customer can confirm", async || {
        Ok(caller.read(&late).await?.body["confirmPayment"].is_string())
    })
    .await?;
    expect(&caller.cancel(&late, "No.").await?, 202)?;
    let shown = until_phase(&caller, &late, Phase::Cancelled).await?;
    ensure!(shown["confirmPayment"].is_null(), "{shown}");
    shop.expect_consumed(0).await
}

/// An announcement to which no order came, one that comes twice, and one that anybody may have sent.
pub async fn what_announces_no_order_makes_none(world: &World) -> Result<()> {
    let shop = world.shop(TENANT);
    let aws = &world.installation.stack.aws;
    let queue = &aws.deployment().context("a deployment")?.intake_queue_url;
    let sqs = aws_sdk_sqs::Client::new(aws.sdk_config());
    let order_id = "0123456789abcdef0123456789abcdef";
    let order = OrderRef { order_id: order_id.to_owned(), ..OrderRef::from(&shop.identity(order_id)) };
    for body in [serde_json::to_string(&Announcement { order })?, "{\"order\":".to_owned()] {
        sqs.send_message().queue_url(queue).message_body(body).send().await?;
    }
    let caller = aws.caller(Some("repeating")).await?;
    let id = caller.order("k-1", &body("paella")).await?.id()?;
    let again = serde_json::to_string(&Announcement { order: OrderRef::from(&shop.identity(&id)) })?;
    for _ in 0..3 {
        sqs.send_message().queue_url(queue).message_body(again.clone()).send().await?;
    }
    until_phase(&caller, &id, Phase::Delivered).await?;
    shop.expect_charged_once(&id).await?;
    for (result, least) in [("made", 1), ("unwritten", 1), ("unreadable", 1)] {
        until(&format!("a message is {result}"), async || {
            let metrics = world.operator().await.as_ref().context("an operator")?.metrics().await?;
            let line = format!("comanda_intake_total{{class=\"{CLASS}\",result=\"{result}\"}} ");
            let count = metrics.lines().find_map(|known| known.strip_prefix(&line)?.parse::<f64>().ok());
            Ok(count.is_some_and(|count| count >= f64::from(least)))
        })
        .await?;
    }
    ensure!(shop.orders.get_opt(order_id).await?.is_none(), "an order was made of nothing");
    Ok(())
}
