//! Against a provider of a few lines that answers as it is told, over plain HTTP.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::fixtures::identity;

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
    let amount = comanda_saga::Money::new(1900, "ISK");
    let (identity, key) = (identity(), "bistro/shop/a-1/pi/1");
    let intent = NewIntent { amount: &amount, payment_method: "pm_card_visa", identity: &identity, key };
    payments.create(&intent).await.expect("an answer");
    let asked = asked.await.expect("a request");
    assert!(asked.contains("idempotency-key: bistro/shop/a-1/pi/1\r\n"), "{asked}");
    for field in ["amount=190000", "currency=isk", "capture_method=manual"] {
        assert!(asked.contains(field), "{field} is not in {asked}");
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code() {
    let declined = r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds","message":"No."}}"#;
    let code = "card_declined (insufficient_funds)".to_owned();
    let refused = PaymentError::Refused { code, message: "No.".to_owned() };
    assert_eq!(capture(Some((402, declined))).await, Err(refused));
    let missing =
        r#"{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such intent."}}"#;
    let refused =
        PaymentError::Refused { code: "resource_missing".to_owned(), message: "No such intent.".to_owned() };
    assert_eq!(capture(Some((404, missing))).await, Err(refused));
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
    let late = PaymentError::Unanswered("no answer within 10 seconds".to_owned());
    assert_eq!(judge(StripeError::Timeout), late);
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
