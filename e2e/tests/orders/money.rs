//! Scenes about money and stock.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::Phase;
use comanda_e2e::demo::{Demo, Executor};
use comanda_e2e::installation::INSTALLATION;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stripe_proxy::faults::{Action, Fault, Match};
use comanda_saga::{Identity, StockChange};
use comanda_steps::adapters::dynamodb::{ContactKey, DynamoLedger};
use comanda_steps::ports::{Ledger, LedgerError};

use crate::options;
use comanda_e2e::world::{AT_ONCE, SOON, World};

pub async fn every_order_of_the_demo_ends_as_its_evidence_demands(_: &World) -> Result<()> {
    let demo = Demo::start(options(), Executor::Direct, &Progress::silent()).await?;
    ensure!(demo.run().await?, "a piece of the demo's evidence is not as expected");
    demo.stop().await
}

pub async fn a_delivered_order_costs_four_writes_and_two_events(world: &World) -> Result<()> {
    let shop = world.namespace("economy").await?;
    shop.order("cheap", |_| {}).await?;
    shop.until_phase("cheap", Phase::Delivered).await?;
    shop.expect_delivered("cheap").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let of_operator = |event: &serde_json::Value| {
        event["user"]["username"] == "system:serviceaccount:comanda-system:comanda-operator"
            && event["objectRef"]["namespace"] == "economy"
            && event["stage"] == "ResponseComplete"
    };
    let requests = world.installation.stack.kubernetes.audit_events(of_operator)?;
    let count = |resource: &str, verbs: &[&str]| {
        requests
            .iter()
            .filter(|event| event["objectRef"]["resource"] == resource)
            .filter(|event| verbs.contains(&event["verb"].as_str().unwrap_or_default()))
            .count()
    };
    let (writes, events, reads) = (
        count("orders", &["patch", "update", "create", "delete"]),
        count("events", &["create", "patch", "update"]),
        count("orders", &["get"]),
    );
    ensure!(writes == 4, "{writes} writes of Orders: {requests:#?}");
    ensure!(events == 2, "{events} writes of Events");
    ensure!(reads == 0, "{reads} reads of Orders past the cache");
    Ok(())
}

pub async fn the_last_portion_is_sold_once(world: &World) -> Result<()> {
    let shop = world.namespace("last").await?;
    for name in ["first", "second", "third"] {
        shop.order(name, |spec| spec.items[0].sku = "last-one".to_owned()).await?;
    }
    let mut delivered = 0;
    for name in ["first", "second", "third"] {
        let status = shop.until_final(name, SOON).await?;
        match status.phase {
            Phase::Delivered => delivered += 1,
            _ => ensure!(status.reason.as_deref() == Some("OutOfStock"), "{name}: {status:#?}"),
        }
    }
    ensure!(delivered == 1, "{delivered} of three orders got the one portion");
    ensure!(shop.stock("last-one").await? == 0, "stock {}", shop.stock("last-one").await?);
    Ok(())
}

/// Delivers an order whose `path` meets a fault once, and holds it against a fault-free one.
async fn delivered_despite(world: &World, name: &str, path: &str, action: Action) -> Result<()> {
    let shop = world.namespace(name).await?;
    let matches = Match { method: Some("POST".to_owned()), path_regex: path.to_owned(), ..Match::default() };
    let stripe = &world.installation.stack.stripe;
    stripe.inject(&Fault { matches, action, count: 1 }).await?;
    shop.order(name, |_| {}).await?;
    shop.until_phase(name, Phase::Delivered).await?;
    let befell =
        stripe.calls().await?.iter().any(|call| call.fault.is_some() && call.path.ends_with(tail(path)));
    stripe.clear_faults().await?;
    ensure!(befell, "the fault on {path} never happened");
    shop.expect_delivered(name).await
}

fn tail(path: &str) -> &str {
    path.trim_end_matches('$').rsplit('/').next().unwrap_or_default()
}

pub async fn a_lost_answer_to_a_creation_makes_no_second_intent(world: &World) -> Result<()> {
    delivered_despite(world, "lost-creation", "/payment_intents$", Action::DropAnswer).await
}

pub async fn a_lost_answer_to_a_confirmation_is_looked_up(world: &World) -> Result<()> {
    delivered_despite(world, "lost-confirmation", "/confirm$", Action::DropAnswer).await
}

pub async fn a_lost_answer_to_a_capture_is_looked_up(world: &World) -> Result<()> {
    delivered_despite(world, "lost-capture", "/capture$", Action::DropAnswer).await
}

pub async fn a_stored_error_to_a_capture_is_settled_by_a_look_up(world: &World) -> Result<()> {
    delivered_despite(world, "stored-error", "/capture$", Action::Status { status: 500, effect: true }).await
}

/// Stripe replays a stored error under its key for a day: an order must not wait that long.
pub async fn a_stored_error_without_effect_gets_a_new_key(world: &World) -> Result<()> {
    let nothing = Action::Status { status: 500, effect: false };
    for (name, path) in [
        ("stored-creation", "/payment_intents$"),
        ("stored-confirmation", "/confirm$"),
        ("stored-capture", "/capture$"),
    ] {
        delivered_despite(world, name, path, nothing.clone()).await?;
    }
    Ok(())
}

pub async fn a_lost_answer_to_a_refund_refunds_once(world: &World) -> Result<()> {
    let shop = world.namespace("lost-refund").await?;
    let stripe = &world.installation.stack.stripe;
    let matches =
        Match { method: Some("POST".to_owned()), path_regex: "/refunds$".to_owned(), ..Match::default() };
    stripe.inject(&Fault { matches, action: Action::DropAnswer, count: 1 }).await?;
    shop.order("fails-1", |_| {}).await?;
    shop.until_phase("fails-1", Phase::Failed).await?;
    stripe.clear_faults().await?;
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("fails-1", "Failed", payment, "confirmed, failed", "prepare, deliver, assigned").await
}

pub async fn a_customer_who_confirms_with_three_d_secure_is_served(world: &World) -> Result<()> {
    let shop = world.namespace("three-d-secure").await?;
    shop.order("confirmed", |spec| spec.payment.payment_method = "pm_card_threeDSecure2Required".to_owned())
        .await?;
    let status = shop
        .until("confirmed", SOON, |status| {
            status.waiting_for.as_ref().is_some_and(|wait| wait.who == "customer")
        })
        .await?;
    ensure!(status.phase == Phase::Paying, "{status:#?}");
    let link = status.waiting_for.and_then(|wait| wait.link).context("a link for the customer")?;
    // The customer confirms, and is sent on to the shop's page, which nobody opens here.
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let answer = browser.get(format!("{link}?outcome=success")).send().await?;
    ensure!(answer.status().is_redirection(), "the link answers {}", answer.status());
    shop.until("confirmed", Duration::from_secs(30), |status| status.phase == Phase::Delivered).await?;
    shop.expect_delivered("confirmed").await
}

pub async fn a_customer_who_never_confirms_is_rejected(world: &World) -> Result<()> {
    let shop = world.shop("three-d-secure");
    let before = shop.stock("paella").await?;
    shop.order("ignored", |spec| spec.payment.payment_method = "pm_card_threeDSecure2Required".to_owned())
        .await?;
    let status = shop.until_final("ignored", Duration::from_secs(30)).await?;
    ensure!(status.reason.as_deref() == Some("PaymentNotConfirmed"), "{status:#?}");
    ensure!(shop.stock("paella").await? == before, "the stock is not back");
    shop.expect("ignored", "Rejected", "canceled, captured 0, refunded 0", "rejected", "none").await
}

pub async fn a_class_may_capture_at_once(world: &World) -> Result<()> {
    let shop = world.namespace("at-once").await?;
    shop.order("rejects-paid", |spec| spec.class_name = AT_ONCE.to_owned()).await?;
    shop.until_phase("rejects-paid", Phase::Failed).await?;
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("rejects-paid", "Failed", payment, "confirmed, failed", "prepare").await?;
    shop.order("kept", |spec| spec.class_name = AT_ONCE.to_owned()).await?;
    shop.until_phase("kept", Phase::Delivered).await?;
    shop.expect_delivered("kept").await
}

/// What keeps a paused writer from undoing what its successor did: the ledger takes a version once.
pub async fn a_stale_version_is_refused_by_the_ledger(world: &World) -> Result<()> {
    let shop = world.namespace("stale").await?;
    shop.order("slow-stale", |_| {}).await?;
    shop.until_phase("slow-stale", Phase::Preparing).await?;
    let aws = &world.installation.stack.aws;
    let key = ContactKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
    let client = aws.dynamodb();
    let ledger = DynamoLedger::new(client, aws.resources().ledger_table.clone(), key);
    let identity = Identity {
        installation: INSTALLATION.to_owned(),
        tenant: "stale".to_owned(),
        order_id: "slow-stale".to_owned(),
    };
    let paused = ledger.load(&identity).await?.context("the order is in the ledger")?.record;
    shop.until_phase("slow-stale", Phase::Delivered).await?;
    let before = shop.stock("paella").await?;

    let mut late = paused;
    late.version += 1;
    late.writer = "a writer that was paused".to_owned();
    for stock in [StockChange::None, StockChange::Return] {
        let answer = ledger.update(&late, stock).await;
        ensure!(answer == Err(LedgerError::Conflict), "{stock:?}: {answer:?}");
    }
    ensure!(shop.stock("paella").await? == before, "a refused write moved stock");
    let begun = Instant::now();
    shop.expect_delivered("slow-stale").await?;
    ensure!(begun.elapsed() < SOON);
    Ok(())
}
