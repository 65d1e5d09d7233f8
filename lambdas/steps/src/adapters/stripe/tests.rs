//! Against a provider of a few lines that answers as it is told, over plain HTTP.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::fixtures::{contact, identity};
use crate::ports::{Invalid, Part, PaymentRules};

const HELD: &str = r#"{"id":"pi_1","amount":1900,"currency":"eur","status":"requires_capture"}"#;

/// A provider that answers one request, with `answer` or with nothing, and then tells what it was asked.
async fn provider(answer: Option<(u16, &'static str)>) -> (StripePayments, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert_ne!(stream.read_buf(&mut request).await.expect("readable"), 0, "closed");
        }
        if let Some((status, body)) = answer {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} .\r\ncontent-type: application/json\r\nconnection: close\r\n");
            let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.expect("writable");
        }
        String::from_utf8(request).expect("text")
    });
    (StripePayments::new("sk_test_1", &url, None).expect("an account"), asked)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.trim().parse().expect("a number"))
}

async fn capture(answer: Option<(u16, &'static str)>) -> Result<PaymentView, PaymentError> {
    let (payments, _asked) = provider(answer).await;
    payments.capture("pi_1", "bistro/shop/a-1/capture/1").await
}

#[tokio::test]
async fn a_call_carries_its_key_and_a_creation_the_amount_that_is_held_and_not_yet_taken() {
    let (payments, asked) = provider(Some((200, HELD))).await;
    payments.capture("pi_1", "bistro/shop/a-1/capture/1").await.expect("an answer");
    let asked = asked.await.expect("a request");
    assert!(asked.starts_with("POST /v1/payment_intents/pi_1/capture HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("idempotency-key: bistro/shop/a-1/capture/1\r\n"), "{asked}");

    let (payments, asked) = provider(Some((200, HELD))).await;
    let amount = Money::new(1900, "EUR");
    let (identity, recipient) = (identity(), contact());
    let payment = NewPayment {
        amount: &amount,
        payment_method: "pm_card_visa",
        customer: None,
        identity: &identity,
        store: "centro",
        recipient: &recipient,
        key: "bistro/shop/a-1/pi/1",
    };
    payments.create(&payment).await.expect("an answer");
    let asked = asked.await.expect("a request");
    assert!(asked.contains("idempotency-key: bistro/shop/a-1/pi/1\r\n"), "{asked}");
    for field in ["amount=1900", "currency=eur", "capture_method=manual", "shipping%5Bname%5D=Ana+Torres"] {
        assert!(asked.contains(field), "{field} is not in {asked}");
    }
}

#[tokio::test]
async fn one_connection_serves_one_call_after_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        for _ in 0..3 {
            let mut request = Vec::new();
            while !is_whole(&request) {
                assert_ne!(stream.read_buf(&mut request).await.expect("readable"), 0, "closed");
            }
            let answer = format!(
                "HTTP/1.1 200 .\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{HELD}",
                HELD.len()
            );
            stream.write_all(answer.as_bytes()).await.expect("writable");
        }
    });
    let payments = StripePayments::new("sk_test_1", &url, None).expect("an account");
    for _ in 0..3 {
        // A second connection would be waited for in vain.
        payments.get("pi_1").await.expect("an answer on the first connection");
    }
    served.await.expect("three calls on one connection");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code() {
    let declined = r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"No."}}"#;
    let code = "card_declined (insufficient_funds)".to_owned();
    assert_eq!(capture(Some((402, declined))).await, Err(PaymentError::Declined { code }));
    let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"intent","message":"No such intent."}}"#;
    let invalid = Invalid {
        code: "resource_missing".to_owned(),
        parameter: Some("intent".to_owned()),
        part: Part::Other,
    };
    assert_eq!(capture(Some((404, missing))).await, Err(PaymentError::Invalid(invalid)));
}

/// The sentence is Stripe's, as people report it: <https://github.com/stripe/stripe-terminal-react-native/issues/745>.
#[tokio::test]
async fn a_payment_method_that_is_no_card_is_named_by_its_type_and_nothing_else_of_the_sentence_is_kept() {
    let body = |message: &str| {
        let error = serde_json::json!({"type": "invalid_request_error", "message": message});
        serde_json::json!({"error": error}).to_string()
    };
    for (message, method) in [
        (
            "The PaymentMethod provided (link) is not allowed for this PaymentIntent. Please attach a PaymentMethod of \
             one of the following types: card.",
            Some("link"),
        ),
        (
            "The PaymentMethod provided (card_present) is not allowed for this PaymentIntent.",
            Some("card_present"),
        ),
        ("The PaymentMethod provided (Ana Torres) is not allowed for this PaymentIntent.", None),
        ("Invalid email address: ana@example.com (link)", None),
    ] {
        let answer: &'static str = body(message).leak();
        let Err(PaymentError::Invalid(invalid)) = capture(Some((400, answer))).await else {
            panic!("{message}")
        };
        let part = method.map_or(Part::Method, |method| Part::MethodOfType(method.to_owned()));
        assert_eq!(invalid.part, part, "{message}");
        assert_eq!(invalid.code, "invalid_request_error");
    }
}

#[tokio::test]
async fn a_refusal_says_what_of_the_order_is_not_taken() {
    for (code, parameter, part) in [
        ("amount_too_small", Some("amount"), Part::Amount),
        ("amount_too_large", None, Part::Amount),
        ("resource_missing", Some("customer"), Part::Customer),
        ("resource_missing", Some("payment_method"), Part::Method),
        ("payment_intent_unexpected_state", None, Part::Method),
        ("country_unsupported", Some("shipping[address][country]"), Part::Other),
    ] {
        let error = serde_json::json!({"type": "invalid_request_error", "code": code, "param": parameter});
        let answer: &'static str = serde_json::json!({"error": error}).to_string().leak();
        let Err(PaymentError::Invalid(invalid)) = capture(Some((400, answer))).await else {
            panic!("{code}")
        };
        assert_eq!(invalid.part, part, "{code}");
    }
    let disputed = r#"{"error":{"type":"invalid_request_error","code":"charge_disputed"}}"#;
    let code = "charge_disputed".to_owned();
    assert_eq!(capture(Some((400, disputed))).await, Err(PaymentError::Disputed { code }));
}

#[tokio::test]
async fn a_payment_names_its_order_and_what_names_none_is_nobodys() {
    let order_of = async |answer| {
        let (payments, _asked) = provider(Some(answer)).await;
        payments.order_of("pi_1").await
    };
    for (metadata, order) in [
        (r#"{"comanda_order":"bistro/shop/a-1"}"#, Some(identity())),
        (r#"{"comanda_order":"bistro/shop"}"#, None),
        (r#"{"comanda_order":"bistro/shop/a-1/pi/1"}"#, None),
        (r#"{"comanda_order":"bistro//a-1"}"#, None),
        (r#"{"comanda_order":"Bistro/shop/a 1"}"#, None),
        (r#"{"another":"shop"}"#, None),
        ("{}", None),
    ] {
        let intent = format!(r#"{{"id":"pi_1","metadata":{metadata}}}"#).leak();
        assert_eq!(order_of((200, intent)).await, Ok(order), "{metadata}");
    }
    let missing = r#"{"error":{"type":"invalid_request_error","code":"resource_missing","param":"intent"}}"#;
    assert_eq!(order_of((404, missing)).await, Ok(None), "it is another account's");
    let away = r#"{"error":{"type":"api_error"}}"#;
    assert!(matches!(order_of((503, away)).await, Err(PaymentError::Unanswered(_))));
    let denied = r#"{"error":{"type":"invalid_request_error"}}"#;
    assert!(matches!(order_of((403, denied)).await, Err(PaymentError::Misconfigured(_))));
}

#[tokio::test]
async fn an_error_of_the_provider_proves_nothing() {
    for (status, body, told) in [
        (
            409,
            r#"{"error":{"type":"invalid_request_error","code":"lock_timeout"}}"#,
            "status 409 (lock_timeout)",
        ),
        (429, r#"{"error":{"type":"invalid_request_error","code":"rate_limit"}}"#, "status 429 (rate_limit)"),
        (500, r#"{"error":{"type":"api_error","message":"Oops."}}"#, "status 500 (api_error)"),
        (503, r#"{"error":{"type":"api_error"}}"#, "status 503 (api_error)"),
    ] {
        assert_eq!(capture(Some((status, body))).await, Err(PaymentError::Unanswered(told.to_owned())));
    }
}

#[tokio::test]
async fn no_answer_proves_nothing_be_it_late_cut_or_none() {
    for answer in [None, Some((200, "")), Some((200, r#"{"id":"pi_1","#)), Some((502, "<html>"))] {
        let outcome = capture(answer).await;
        assert!(matches!(outcome, Err(PaymentError::Unanswered(_))), "{answer:?}: {outcome:?}");
    }
}

/// It says nothing of this payment: neither that it was declined, nor that it was done.
#[tokio::test]
async fn a_key_that_was_used_for_something_else_stops_everything_and_declines_nothing() {
    let body = r#"{"error":{"type":"idempotency_error","message":"Keys can only be used with the same parameters."}}"#;
    let outcome = capture(Some((400, body))).await;
    assert!(matches!(outcome, Err(PaymentError::Misconfigured(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_secret_key_that_is_not_taken_declines_nothing() {
    for status in [401, 403] {
        let body = r#"{"error":{"type":"invalid_request_error","message":"Invalid API key."}}"#;
        let outcome = capture(Some((status, body))).await;
        assert!(matches!(outcome, Err(PaymentError::Misconfigured(_))), "{outcome:?}");
    }
}

/// A server that takes the request and says nothing: the clock is moved on while it does.
#[tokio::test]
async fn an_answer_that_comes_too_late_proves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (seen, asked) = tokio::sync::oneshot::channel();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !is_whole(&request) {
            assert_ne!(stream.read_buf(&mut request).await.expect("readable"), 0, "closed");
        }
        seen.send(()).expect("somebody waits");
        std::future::pending::<()>().await;
    });
    let payments = StripePayments::new("sk_test_1", &url, None).expect("an account");
    let call = tokio::spawn(async move { payments.capture("pi_1", "bistro/shop/a-1/capture/1").await });
    asked.await.expect("a request");
    tokio::time::pause();
    let late = PaymentError::Unanswered("no answer within 10 seconds".to_owned());
    assert_eq!(call.await.expect("no panic"), Err(late));
    silent.abort();
}

#[test]
fn a_secret_key_is_printed_nowhere() {
    let payments = StripePayments::new("sk_test_canary", "http://127.0.0.1:1", None).expect("an account");
    assert!(!format!("{payments:?}").contains("canary"), "{payments:?}");
}

#[test]
fn what_can_be_charged_and_how_long_a_key_lives_is_known_without_a_call() {
    assert_eq!(StripeRules.check_amount(&Money::new(1900, "EUR")), Ok(()));
    let why = "XXZ is not an ISO 4217 currency".to_owned();
    assert_eq!(StripeRules.check_amount(&Money::new(1900, "XXZ")), Err(Unchargeable(why)));
    assert_eq!(StripeRules.key_lifetime(), SignedDuration::from_hours(24 - 1));
}
