//! What Stripe says by itself, taken in by the operator where there is no API Gateway.

use anyhow::{Context as _, Result, ensure};
use comanda_crds::{Capture, Phase};
use comanda_e2e::stack::port::free_port;
use comanda_e2e::stack::stripe::SIGNING_SECRET;
use comanda_e2e::stripe_proxy::events::signature;
use comanda_e2e::world::{SOON, Shop, World, condition, patience};

const TOLD: &str = "told";

pub async fn what_stripe_says_reaches_orders_of_an_operator_that_takes_it_in(world: &World) -> Result<()> {
    let installation = &world.installation;
    let address = format!("127.0.0.1:{}", free_port()?);
    world.stop_operator().await?;
    let operator = world.replica("operator", &["--webhook-listen", &address], &[]).await?;
    world.replace_operator(operator).await;
    let mut spec = installation.class_spec(patience(), Capture::WhenReady);
    spec.payments.stripe.webhook = Some(installation.webhook());
    installation.apply_class(TOLD, spec).await?;
    let url = format!("http://{address}/webhooks/stripe");
    installation.stack.stripe.send_events_to(&format!("{url}/{TOLD}")).await?;

    let shop = world.market("told-by-stripe").await?;
    // Looked up by itself, it would be every two minutes.
    confirmed_late(&shop, "late").await?;
    returned(&shop, "fails-returned").await?;
    refused(&url).await?;
    let metrics = world.operator().await.as_ref().context("an operator")?.metrics().await?;
    for result in ["refused", "looked"] {
        let counted = format!("comanda_payment_events_total{{result=\"{result}\"}}");
        ensure!(metrics.contains(&counted), "{metrics}");
    }
    installation.stack.stripe.send_no_events().await?;
    world.stop_operator().await?;
    world.start_operator().await
}

async fn order(shop: &Shop<'_>, name: &str, card: &str) -> Result<()> {
    shop.order(name, |spec| {
        TOLD.clone_into(&mut spec.class_name);
        card.clone_into(&mut spec.payment.payment_method);
    })
    .await?;
    Ok(())
}

async fn confirmed_late(shop: &Shop<'_>, name: &str) -> Result<()> {
    order(shop, name, "pm_card_threeDSecure2Required").await?;
    let asked =
        shop.until(name, SOON, |status| status.waiting_for.as_ref().is_some_and(|wait| wait.link.is_some()));
    let link = asked.await?.waiting_for.and_then(|wait| wait.link).context("a link for the customer")?;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    browser.get(format!("{link}?outcome=success")).send().await?;
    shop.until_phase(name, Phase::Delivered).await?;
    shop.expect_delivered(name).await
}

async fn returned(shop: &Shop<'_>, name: &str) -> Result<()> {
    order(shop, name, "pm_card_visa").await?;
    let status = shop.until_phase(name, Phase::Failed).await?;
    let intent = status.payment.and_then(|payment| payment.intent_id).context("an intent")?;
    shop.world.installation.stack.stripe.return_refunds(&intent).await?;
    let status = shop.until(name, SOON, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&status, "Stalled") == Some(("True", "RefundFailed")), "{status:#?}");
    ensure!(status.phase == Phase::Failed, "{status:#?}");
    shop.annotate(name, "comanda.dev/retry", "paid in cash").await?;
    shop.until(name, SOON, |status| condition(status, "Stalled").is_none()).await?;
    Ok(())
}

async fn refused(url: &str) -> Result<()> {
    let body = r#"{"id":"evt_1","object":"event","type":"customer.created","data":{"object":{"object":"customer"}}}"#;
    let good = signature(SIGNING_SECRET, body, 0);
    let large = " ".repeat(2 << 20);
    for (what, class, body, signed, expected) in [
        ("it is Stripe's, and of no payment", TOLD, body, good.clone(), 200),
        ("another class's", "fast", body, good.clone(), 400),
        ("no class's", "nobodys", body, good.clone(), 400),
        ("another body", TOLD, "{}", good.clone(), 400),
        ("old", TOLD, body, signature(SIGNING_SECRET, body, 400), 400),
        ("unsigned", TOLD, body, String::new(), 400),
        ("too large", TOLD, &*large, good, 413),
    ] {
        let request =
            reqwest::Client::new().post(format!("{url}/{class}")).header("stripe-signature", signed);
        let answer = request.body(body.to_owned()).send().await?;
        ensure!(answer.status() == expected, "{what}: {}", answer.status());
        ensure!(answer.status() == 413 || answer.text().await?.is_empty(), "{what}: it says why");
    }
    Ok(())
}
