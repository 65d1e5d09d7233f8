//! The proxy's rules against a real localstripe.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use comanda_e2e::stack::port::free_port;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::stripe::{SECRET_KEY, Stripe};
use comanda_e2e::stack::tools::Tools;
use comanda_e2e::stripe_proxy::faults::{Action, Fault, Match};
use reqwest::Response;
use serde_json::{Value, json};

struct Shop {
    stripe: Stripe,
    http: reqwest::Client,
    _dir: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Result<Self> {
        let tools = Tools::ensure(&Progress::stderr()).await?;
        let dir = tempfile::tempdir()?;
        let stripe =
            Stripe::start(&tools, Path::new(env!("CARGO_BIN_EXE_comanda-e2e")), dir.path(), free_port()?)
                .await?;
        Ok(Self { stripe, http: reqwest::Client::new(), _dir: dir })
    }

    async fn send(&self, path: &str, key: Option<&str>, form: &[(&str, &str)]) -> reqwest::Result<Response> {
        let mut request = self.http.post(format!("{}/v1/{path}", self.stripe.url())).bearer_auth(SECRET_KEY);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Result<(u16, Value)> {
        let answer = self.send(path, None, form).await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// A new intent of 42.00, to be captured later.
    async fn intent(&self, card: &str) -> Result<String> {
        let (status, intent) = self.post("payment_intents", &create(card)).await?;
        assert_eq!((status, &intent["status"]), (200, &json!("requires_confirmation")), "{intent}");
        Ok(intent["id"].as_str().expect("an id").to_owned())
    }

    async fn authorised(&self, card: &str) -> Result<String> {
        let id = self.intent(card).await?;
        let (_, intent) = self.post(&format!("payment_intents/{id}/confirm"), &[]).await?;
        assert_eq!(intent["status"], "requires_capture", "{intent}");
        Ok(id)
    }

    async fn captured(&self, card: &str) -> Result<String> {
        let id = self.authorised(card).await?;
        let (_, intent) = self.post(&format!("payment_intents/{id}/capture"), &[]).await?;
        assert_eq!(intent["status"], "succeeded", "{intent}");
        Ok(id)
    }
}

fn create(card: &str) -> Vec<(&str, &str)> {
    vec![
        ("amount", "4200"),
        ("currency", "brl"),
        ("capture_method", "manual"),
        ("payment_method_types[]", "card"),
        ("payment_method", card),
        ("metadata[order]", "local/shop/o-1"),
    ]
}

fn fault(path_regex: &str, action: Action) -> Fault {
    let matches =
        Match { method: Some("POST".to_owned()), path_regex: path_regex.to_owned(), ..Match::default() };
    Fault { matches, action, count: 1 }
}

#[tokio::test]
async fn an_intent_goes_from_authorisation_through_capture_to_refund() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop.authorised("pm_card_visa").await?;
    let held = shop.stripe.get(&format!("payment_intents/{id}?expand[]=latest_charge")).await?;
    assert_eq!((&held["amount_capturable"], &held["amount_received"]), (&json!(4200), &json!(0)));
    assert_eq!(held["metadata"]["order"], "local/shop/o-1");
    let created = held["latest_charge"]["created"].as_i64().expect("a time");
    let until = &held["latest_charge"]["payment_method_details"]["card"]["capture_before"];
    assert_eq!(until, &json!(created + 7 * 24 * 3600));

    let (_, captured) = shop.post(&format!("payment_intents/{id}/capture"), &[]).await?;
    assert_eq!((&captured["amount_capturable"], &captured["amount_received"]), (&json!(0), &json!(4200)));
    let (status, refund) = shop.post("refunds", &[("payment_intent", &id)]).await?;
    assert_eq!((status, &refund["status"], &refund["amount"]), (200, &json!("succeeded"), &json!(4200)));
    let list = shop.stripe.get(&format!("refunds?payment_intent={id}")).await?;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn a_key_executes_once_and_is_answered_twice() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop.captured("pm_card_visa").await?;
    let half = [("payment_intent", id.as_str()), ("amount", "2100")];
    let first = shop.send("refunds", Some("refund-1"), &half).await?;
    let again = shop.send("refunds", Some("refund-1"), &half).await?;
    assert!(first.headers().get("idempotent-replayed").is_none());
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(first.json::<Value>().await?, again.json::<Value>().await?);

    let other =
        shop.send("refunds", Some("refund-1"), &[("payment_intent", &id), ("amount", "2000")]).await?;
    assert_eq!(other.status(), 400);
    assert_eq!(other.json::<Value>().await?["error"]["type"], "idempotency_error");

    shop.stripe.forget_keys().await?;
    shop.send("refunds", Some("refund-1"), &half).await?;
    let list = shop.stripe.get(&format!("refunds?payment_intent={id}")).await?;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "an expired key executes again");
    Ok(())
}

#[tokio::test]
async fn a_key_in_flight_is_a_conflict() -> Result<()> {
    let shop = Shop::open().await?;
    shop.stripe.inject(&fault("payment_intents$", Action::DelayMs { ms: 800 })).await?;
    let form = create("pm_card_visa");
    let first = shop.send("payment_intents", Some("pay-1"), &form);
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        shop.send("payment_intents", Some("pay-1"), &form).await
    };
    let (first, second) = tokio::try_join!(first, second)?;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 409));
    assert_eq!(second.json::<Value>().await?["error"]["code"], "idempotency_key_in_use");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_given_again_under_its_key() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop.authorised("pm_card_visa").await?;
    let path = format!("payment_intents/{id}/capture");
    shop.stripe.inject(&fault("/capture$", Action::DropAnswer)).await?;
    shop.send(&path, Some("capture-1"), &[]).await.expect_err("the answer is lost");
    assert_eq!(shop.stripe.get(&format!("payment_intents/{id}")).await?["status"], "succeeded");

    let again = shop.send(&path, Some("capture-1"), &[]).await?;
    assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (200, &"true".parse()?));
    let calls = shop.stripe.calls().await?;
    let captures: Vec<_> = calls.iter().filter(|call| call.path.ends_with("/capture")).collect();
    assert_eq!(captures.iter().map(|call| call.replayed).collect::<Vec<_>>(), [false, true]);
    assert!(captures.iter().all(|call| call.intent.as_ref() == Some(&id) && call.status == Some(200)));
    Ok(())
}

#[tokio::test]
async fn a_lost_request_has_no_effect_and_a_500_is_stored() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop.authorised("pm_card_visa").await?;
    let path = format!("payment_intents/{id}/capture");
    shop.stripe.inject(&fault("/capture$", Action::DropRequest)).await?;
    shop.send(&path, Some("capture-1"), &[]).await.expect_err("the request is lost");
    shop.stripe.inject(&fault("/capture$", Action::Status { status: 500, effect: false })).await?;
    for replayed in [false, true] {
        let answer = shop.send(&path, Some("capture-1"), &[]).await?;
        assert_eq!(
            (answer.status().as_u16(), answer.headers().contains_key("idempotent-replayed")),
            (500, replayed)
        );
    }
    assert_eq!(shop.stripe.get(&format!("payment_intents/{id}")).await?["status"], "requires_capture");
    Ok(())
}

#[tokio::test]
async fn a_declined_card_leaves_an_intent_without_a_method() -> Result<()> {
    let shop = Shop::open().await?;
    let id = shop.intent("pm_card_visa_chargeDeclinedInsufficientFunds").await?;
    let (status, answer) = shop.post(&format!("payment_intents/{id}/confirm"), &[]).await?;
    let error = &answer["error"];
    assert_eq!(
        (status, &error["type"], &error["code"]),
        (402, &json!("card_error"), &json!("card_declined"))
    );
    assert_eq!(error["decline_code"], "insufficient_funds");
    let intent = shop.stripe.get(&format!("payment_intents/{id}")).await?;
    assert_eq!(&error["payment_intent"], &intent);
    assert_eq!(
        (&intent["status"], &intent["payment_method"]),
        (&json!("requires_payment_method"), &Value::Null)
    );
    assert_eq!(intent["last_payment_error"]["decline_code"], "insufficient_funds");
    let (status, _) = shop.post(&format!("payment_intents/{id}/cancel"), &[]).await?;
    assert_eq!(status, 200, "a declined intent can be cancelled");
    Ok(())
}

#[tokio::test]
async fn the_customer_authenticates_on_the_page_the_intent_names() -> Result<()> {
    let shop = Shop::open().await?;
    for (outcome, expected) in [("success", "requires_capture"), ("failure", "requires_payment_method")] {
        let id = shop.intent("pm_card_threeDSecure2Required").await?;
        let home = [("return_url", "http://127.0.0.1:9/back")];
        let (status, intent) = shop.post(&format!("payment_intents/{id}/confirm"), &home).await?;
        assert_eq!((status, &intent["status"]), (200, &json!("requires_action")), "{intent}");
        let page = intent["next_action"]["redirect_to_url"]["url"].as_str().expect("a page");
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let answer = browser.get(format!("{page}?outcome={outcome}")).send().await?;
        assert_eq!(answer.headers()["location"], "http://127.0.0.1:9/back");
        let intent = shop.stripe.get(&format!("payment_intents/{id}")).await?;
        assert_eq!(intent["status"], expected, "{intent}");
    }
    Ok(())
}

#[tokio::test]
async fn what_stripe_refuses_is_refused() -> Result<()> {
    let shop = Shop::open().await?;
    let cancelled = shop.authorised("pm_card_visa").await?;
    let reason = [("cancellation_reason", "requested_by_customer")];
    let (status, intent) = shop.post(&format!("payment_intents/{cancelled}/cancel"), &reason).await?;
    assert_eq!((status, &intent["status"]), (200, &json!("canceled")));
    let captured = shop.captured("pm_card_visa").await?;

    for (id, action) in
        [(&cancelled, "capture"), (&cancelled, "cancel"), (&captured, "capture"), (&captured, "cancel")]
    {
        let (status, answer) = shop.post(&format!("payment_intents/{id}/{action}"), &[]).await?;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!("payment_intent_unexpected_state")),
            "{action}"
        );
        assert_eq!(answer["error"]["payment_intent"]["id"], json!(id));
    }
    let (status, answer) = shop.post("refunds", &[("payment_intent", &cancelled)]).await?;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("payment_intent_unexpected_state")));
    let (_, answer) = shop.post("refunds", &[("payment_intent", &captured), ("amount", "4201")]).await?;
    assert_eq!(answer["error"]["code"], "amount_too_large");
    shop.post("refunds", &[("payment_intent", &captured)]).await?;
    let (_, answer) = shop.post("refunds", &[("payment_intent", &captured)]).await?;
    assert_eq!(answer["error"]["code"], "charge_already_refunded");

    let unsure: Vec<_> =
        create("pm_card_visa").into_iter().filter(|(name, _)| !name.contains("types")).collect();
    let (_, intent) = shop.post("payment_intents", &unsure).await?;
    let path = format!("payment_intents/{}/confirm", intent["id"].as_str().expect("an id"));
    let (status, answer) = shop.post(&path, &[]).await?;
    assert_eq!(status, 400, "a method that may redirect needs a return_url: {answer}");
    let (status, answer) = shop.post("payment_intents", &create("pm_card_unheardOf")).await?;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("resource_missing")));
    Ok(())
}

#[tokio::test]
async fn a_refund_may_settle_later() -> Result<()> {
    let shop = Shop::open().await?;
    for (card, first, last) in
        [("pm_card_pendingRefund", "pending", "succeeded"), ("pm_card_refundFail", "succeeded", "failed")]
    {
        let id = shop.captured(card).await?;
        let (_, refund) = shop.post("refunds", &[("payment_intent", &id)]).await?;
        assert_eq!(refund["status"], first);
        let path = format!("refunds/{}", refund["id"].as_str().expect("an id"));
        tokio::time::sleep(Duration::from_millis(3200)).await;
        assert_eq!(shop.stripe.get(&path).await?["status"], last);
        assert_eq!(
            shop.stripe.get(&format!("refunds?payment_intent={id}")).await?["data"][0]["status"],
            last
        );
    }
    Ok(())
}
