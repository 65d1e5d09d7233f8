//! Orders that come over HTTP, through the deployed API to an object and back to who sent them.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, Order, OrderClassSpec, Phase};
use comanda_e2e::installation::{CLASS, TENANT};
use comanda_e2e::stack::aws::{Answer, Caller};
use comanda_e2e::world::{CANARIES, World, charged_once, over_http as body, patience, until};
use comanda_steps::contract::OrderRef;
use comanda_steps::intake::Announcement;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::wakes;

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
    let announced = OrderRef::from(&shop.identity(order_id));
    for body in [serde_json::to_string(&Announcement { announced })?, "{\"order\":".to_owned()] {
        sqs.send_message().queue_url(queue).message_body(body).send().await?;
    }
    let caller = aws.caller(Some("repeating")).await?;
    let id = caller.order("k-1", &body("paella")).await?.id()?;
    let again = serde_json::to_string(&Announcement::of(&shop.identity(&id)))?;
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

/// How many orders are posted at once: by CI, and by the long command.
const AT_ONCE: [usize; 2] = [60, 500];
/// The class has room for so many of them.
const BOUND: usize = 20;
/// A receive brings so many at most, of which the cache does not know while they are made.
const BATCH: usize = 10;
/// A delivered order costs so many writes, and these.
const MOST_WRITES: usize = 6;

pub async fn sixty_orders_posted_at_once_wait_for_room_and_none_is_lost(world: &World) -> Result<()> {
    posted_at_once(world, AT_ONCE[0]).await
}

pub async fn five_hundred_orders_posted_at_once_wait_for_room_and_none_is_lost(world: &World) -> Result<()> {
    posted_at_once(world, AT_ONCE[1]).await
}

async fn posted_at_once(world: &World, count: usize) -> Result<()> {
    let name = format!("at-once-{count}");
    let (shop, caller) = (world.stall(&name).await?, world.installation.stack.aws.caller(Some(&name)).await?);
    let bound = |most: Option<usize>| async move {
        let spec =
            world.installation.taking_in(world.installation.class_spec(patience(), Capture::WhenReady))?;
        let max_live_orders = most.map(i32::try_from).transpose()?;
        world.installation.apply_class(CLASS, OrderClassSpec { max_live_orders, ..spec }).await
    };
    bound(Some(BOUND)).await?;
    let order = body(&shop.sku);
    let begun = Instant::now();
    let post = async {
        let posted = stream::iter(0..count).map(|number| {
            let (caller, order) = (&caller, &order);
            async move { caller.order(&format!("k-{number}"), order).await?.id() }
        });
        posted.buffer_unordered(50).try_collect::<Vec<String>>().await
    };
    let most_live = Cell::new(0);
    let watch = async {
        loop {
            let orders = shop.orders.list(&ListParams::default()).await?.items;
            let over = |order: &Order| order.status.as_ref().is_some_and(|status| status.phase.is_final());
            let ours = || orders.iter().filter(|order| order.spec.items[0].sku == shop.sku);
            most_live.set(most_live.get().max(ours().filter(|order| !over(order)).count()));
            if ours().filter(|order| over(order)).count() >= count {
                return anyhow::Ok(());
            }
            ensure!(
                begun.elapsed() < Duration::from_secs(60 + 2 * count as u64),
                "{} are made",
                ours().count()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let (ids, ()) = tokio::try_join!(post, watch)?;
    bound(None).await?;
    let took = begun.elapsed().as_secs_f64();

    let snapshot = shop.snapshot().await?;
    for id in &ids {
        charged_once(&snapshot, id)?;
    }
    shop.expect_consumed(i64::try_from(count)?).await?;
    ensure!(most_live.get() <= BOUND + BATCH, "{} were live at once", most_live.get());
    let writes: Vec<usize> = wakes::writes(&shop, &ids)?;
    let most = writes.iter().max().copied().unwrap_or_default();
    ensure!(most <= MOST_WRITES, "an order cost {most} writes");
    let dead =
        world.installation.stack.aws.deployment().context("a deployment")?.dead_letter_queue_url.clone();
    let sqs = aws_sdk_sqs::Client::new(world.installation.stack.aws.sdk_config());
    let received =
        sqs.receive_message().queue_url(dead).visibility_timeout(0).max_number_of_messages(10).send().await?;
    let bodies: Vec<_> = received.messages().iter().filter_map(|message| message.body()).collect();
    ensure!(
        ids.iter().all(|id| bodies.iter().all(|body| !body.contains(id.as_str()))),
        "dead letters: {bodies:?}"
    );
    eprintln!("{count} orders in {took:.1} s, at most {} live, {most} writes each at most", most_live.get());
    Ok(())
}
