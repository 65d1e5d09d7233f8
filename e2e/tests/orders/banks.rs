//! Scenes about what payment providers and banks say, given by the proxy in front of the local Stripe.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use comanda_crds::{OrderStatus, Phase};
use comanda_e2e::installation::INSTALLATION;
use comanda_e2e::stack::aws::CatalogueItem;
use comanda_e2e::stack::stripe::SECRET_KEY;
use comanda_e2e::world::{AT_ONCE, SOON, STORE, Shop, World, condition};
use serde_json::Value;

/// How long an order may take that looks a payment up after ten seconds.
const AFTER_A_LOOK: Duration = Duration::from_secs(40);

async fn post(world: &World, path: &str, form: &[(&str, &str)]) -> Result<Value> {
    let url = format!("{}/v1/{path}", world.installation.stack.stripe.url());
    let request = reqwest::Client::new().post(url).bearer_auth(SECRET_KEY).form(form);
    Ok(request.send().await?.error_for_status()?.json().await?)
}

/// The one intent of an order, as Stripe shows it.
async fn intent(shop: &Shop<'_>, order: &str) -> Result<Value> {
    let id = shop.status(order).await?.payment.and_then(|payment| payment.intent_id);
    let id = id.with_context(|| format!("{order} has no intent"))?;
    shop.world.installation.stack.stripe.get(&format!("payment_intents/{id}")).await
}

/// What a rejected order says, and what its customer was told.
async fn rejected(shop: &Shop<'_>, order: &str, method: &str) -> Result<(OrderStatus, String)> {
    shop.order(order, |spec| spec.payment.payment_method = method.to_owned()).await?;
    let status = shop.until_final(order, SOON).await?;
    ensure!(status.phase == Phase::Rejected, "{status:#?}");
    let snapshot = shop.snapshot().await?;
    let told =
        snapshot.messages(order).first().and_then(|message| message["text"].as_str().map(str::to_owned));
    Ok((status, told.context("the customer was told nothing")?))
}

fn finished(status: &OrderStatus) -> &str {
    let found = status.conditions.iter().find(|condition| condition.type_ == "Finished");
    found.map_or("", |condition| condition.message.as_str())
}

pub async fn what_the_provider_does_not_take_is_named_and_no_bank_is_said_to_have_declined_it(
    world: &World,
) -> Result<()> {
    let shop = world.market("not-taken").await?;
    for (order, method, named) in [
        ("link", "pm_link", "The payment method is of the type link, and orders are paid by card"),
        ("debit", "pm_sepaDebit", "The payment method is of the type sepa_debit"),
        ("unknown", "pm_of_another_account", "(resource_missing, payment_method)"),
    ] {
        let (status, told) = rejected(&shop, order, method).await?;
        ensure!(status.reason.as_deref() == Some("PaymentInvalid"), "{status:#?}");
        ensure!(finished(&status).contains(named), "{}", finished(&status));
        ensure!(!told.contains("rechazado"), "the customer is told that a bank said no: {told}");
        ensure!(told.contains("no se ha podido hacer el pago con esos datos"), "{told}");
    }
    let (status, told) = rejected(&shop, "declined", "pm_card_visa_chargeDeclined").await?;
    ensure!(status.reason.as_deref() == Some("PaymentDeclined"), "{status:#?}");
    ensure!(told.contains("el pago ha sido rechazado"), "{told}");
    shop.expect_consumed(0).await
}

pub async fn a_saved_card_is_charged_with_its_customer_and_not_without(world: &World) -> Result<()> {
    let shop = world.market("saved-card").await?;
    let customer = post(world, "customers", &[("name", "A regular")]).await?;
    let customer = customer["id"].as_str().context("a customer")?;
    let card = [
        ("type", "card"),
        ("card[number]", "4242424242424242"),
        ("card[exp_month]", "12"),
        ("card[exp_year]", "2040"),
        ("card[cvc]", "123"),
    ];
    let card = post(world, "payment_methods", &card).await?;
    let card = card["id"].as_str().context("a card")?;
    post(world, &format!("payment_methods/{card}/attach"), &[("customer", customer)]).await?;

    shop.order("regular", |spec| {
        spec.payment.payment_method = card.to_owned();
        spec.payment.customer = Some(customer.to_owned());
    })
    .await?;
    shop.until_phase("regular", Phase::Delivered).await?;
    ensure!(intent(&shop, "regular").await?["customer"] == customer, "the intent names nobody");

    let (status, _) = rejected(&shop, "nobody", card).await?;
    ensure!(status.reason.as_deref() == Some("PaymentInvalid"), "{status:#?}");
    ensure!(finished(&status).contains("needs spec.payment.customer"), "{}", finished(&status));
    shop.order("stranger", |spec| spec.payment.customer = Some("cus_stranger".to_owned())).await?;
    let status = shop.until_final("stranger", SOON).await?;
    ensure!(finished(&status).contains("(resource_missing, customer)"), "{}", finished(&status));
    shop.expect_consumed(1).await
}

pub async fn every_intent_says_what_was_ordered_and_where_it_goes(world: &World) -> Result<()> {
    let shop = world.market("shipped").await?;
    shop.order("dinner", |_| {}).await?;
    shop.until_phase("dinner", Phase::Delivered).await?;
    let intent = intent(&shop, "dinner").await?;
    ensure!(intent["description"] == "Order dinner of the store madrid", "{}", intent["description"]);
    let expected = serde_json::json!({
        "name": "Kanarienvogel",
        "phone": "+34699887766",
        "address": {
            "line1": "Canarystraat 7", "city": "Madrid", "state": "Madrid", "postal_code": "28014", "country": "ES",
        },
    });
    ensure!(intent["shipping"] == expected, "{:#}", intent["shipping"]);
    Ok(())
}

pub async fn an_order_in_a_currency_of_many_digits_is_charged(world: &World) -> Result<()> {
    let shop = world.namespace("many-digits").await?;
    let article = CatalogueItem {
        store: STORE.to_owned(),
        sku: "nasi-tumpeng".to_owned(),
        name: "Nasi tumpeng".to_owned(),
        price: 150_000_000,
        currency: "IDR".to_owned(),
        stock: 3,
        available: true,
    };
    world.installation.stack.aws.seed_catalogue(INSTALLATION, &[article]).await?;
    shop.order("feast", |spec| {
        spec.items[0].sku = "nasi-tumpeng".to_owned();
        spec.currency = "IDR".to_owned();
    })
    .await?;
    shop.until_phase("feast", Phase::Delivered).await?;
    ensure!(intent(&shop, "feast").await?["amount_received"] == 150_000_000, "another amount was taken");
    Ok(())
}

/// An order that is paid at once and rejected by the kitchen, with a card whose refund goes as it goes.
async fn paid_and_rejected(shop: &Shop<'_>, order: &str, card: &str) -> Result<()> {
    shop.order(order, |spec| {
        spec.class_name = AT_ONCE.to_owned();
        spec.payment.payment_method = card.to_owned();
    })
    .await?;
    Ok(())
}

/// The text of the message that says how the order ended.
async fn ending(shop: &Shop<'_>, order: &str) -> Result<String> {
    let snapshot = shop.snapshot().await?;
    let failed = snapshot.messages(order).iter().find(|message| message["kind"] == "failed");
    let text = failed.and_then(|message| message["text"].as_str().map(str::to_owned));
    text.with_context(|| format!("the customer of {order} was not told how it ended"))
}

/// A disputed order waits for a person, who lets it go; stock and message are settled before.
async fn expect_disputed(shop: &Shop<'_>, order: &str) -> Result<()> {
    let stalled = shop.until(order, AFTER_A_LOOK, |status| condition(status, "Stalled").is_some()).await?;
    ensure!(condition(&stalled, "Stalled") == Some(("True", "PaymentDisputed")), "{stalled:#?}");
    let said = stalled.conditions.iter().find(|condition| condition.type_ == "Stalled");
    let said = said.map_or("", |condition| condition.message.as_str());
    ensure!(said.contains("the bank has taken the money back: nothing is to be refunded again"), "{said}");
    shop.expect_consumed(0).await?;

    shop.annotate(order, "comanda.dev/abandon", "the dispute was lost").await?;
    let status = shop.until_final(order, SOON).await?;
    ensure!(status.reason.as_deref() == Some("Abandoned"), "{status:#?}");
    ensure!(finished(&status).contains("the bank took it back for a dispute"), "{}", finished(&status));
    let payment = "succeeded, captured 1850, refunded 0";
    shop.expect(order, "Failed", payment, "confirmed, failed", "prepare").await
}

pub async fn a_disputed_charge_needs_a_person_and_is_not_refunded_again(world: &World) -> Result<()> {
    let shop = world.market("disputed").await?;
    paid_and_rejected(&shop, "rejects-disputed", "pm_card_createDispute").await?;
    expect_disputed(&shop, "rejects-disputed").await?;
    let text = ending(&shop, "rejects-disputed").await?;
    ensure!(text.contains("Tu banco ya ha recuperado 18.50 EUR"), "{text}");
    Ok(())
}

pub async fn a_refund_that_the_bank_delays_holds_back_neither_the_stock_nor_the_message(
    world: &World,
) -> Result<()> {
    let shop = world.market("delayed").await?;
    let stripe = &world.installation.stack.stripe;
    stripe.silence_banks().await?;
    paid_and_rejected(&shop, "rejects-delayed", "pm_card_pendingRefund").await?;
    paid_and_rejected(&shop, "rejects-disputed", "pm_card_pendingRefundDisputed").await?;
    for order in ["rejects-delayed", "rejects-disputed"] {
        let waits = |status: &OrderStatus| status.waiting_for.as_ref().is_some_and(|wait| wait.who == "bank");
        let waiting = shop.until(order, SOON, waits).await?;
        ensure!(waiting.phase == Phase::Compensating, "{waiting:#?}");
        ensure!(condition(&waiting, "Compensated") == Some(("False", "InProgress")), "{waiting:#?}");
        let payment = "succeeded, captured 1850, refunded 0";
        shop.expect(order, "Compensating", payment, "confirmed, failed", "prepare").await?;
        let text = ending(&shop, order).await?;
        ensure!(text.contains("Se están devolviendo 18.50 EUR"), "{text}");
    }
    shop.expect_consumed(0).await?;

    stripe.hear_banks().await?;
    let status = shop.until_final("rejects-delayed", AFTER_A_LOOK).await?;
    ensure!(condition(&status, "Compensated") == Some(("True", "Undone")), "{status:#?}");
    let payment = "succeeded, captured 1850, refunded 1850";
    shop.expect("rejects-delayed", "Failed", payment, "confirmed, failed", "prepare").await?;
    expect_disputed(&shop, "rejects-disputed").await
}
