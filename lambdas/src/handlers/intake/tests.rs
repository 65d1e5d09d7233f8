//! What is said without any service. The rest is `e2e/tests/intake`: real queues, a real ledger.

use comanda_crds::judge::Judge;
use comanda_crds::{Cause, Phase};
use comanda_saga::payment::Hold;
use comanda_saga::{Direction, Owner, Record, Terms};
use comanda_steps::intake::Caller;
use lambda_http::http::Request as HttpRequest;
use serde_json::{Value, json};

use super::*;

fn settings() -> Settings {
    Settings {
        installation: "bistro".to_owned(),
        tenant: "shop".to_owned(),
        class_name: "demo".to_owned(),
        judge: Judge::new(),
    }
}

fn body() -> Value {
    json!({
        "store": "centro",
        "currency": "EUR",
        "items": [{"sku": "paella", "quantity": 2}],
        "payment": {"paymentMethod": "pm_card_visa"},
        "customer": {"inline": {
            "name": "Ana", "phone": "+34 600 000 000", "email": "ana@example.com", "address": {"country": "ES"},
        }},
    })
}

fn told(problem: Problem) -> Value {
    let response = problem.into_response();
    let mut told: Value = serde_json::from_slice(response.body().as_ref()).expect("JSON");
    assert_eq!(told["status"], response.status().as_u16());
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    told["errors"].take()
}

#[test]
fn an_order_is_of_the_class_that_the_intake_is_set_up_with() {
    let spec = settings().order("a-1", body().to_string().as_bytes()).expect("an order");
    assert_eq!(spec.class_name, "demo");
}

#[test]
fn what_is_not_the_callers_to_say_is_refused_by_name() {
    for (field, value) in [
        ("className", json!("another")),
        ("orderId", json!("a-1")),
        ("cancel", json!({"reason": "x"})),
        ("suspend", json!(true)),
        ("ttlSecondsAfterFinished", json!(0)),
    ] {
        let mut body = body();
        body[field] = value;
        let problem = settings().order("a-1", body.to_string().as_bytes()).expect_err("it is refused");
        let expected =
            json!([{"path": format!("spec.{field}"), "message": "is not the caller's to say: take it out"}]);
        assert_eq!(told(problem), expected);
    }
}

#[test]
fn a_customer_is_sent_with_the_order() {
    let mut body = body();
    body["customer"] = json!({"secretRef": {"name": "somebody"}});
    let spec = settings().order("a-1", body.to_string().as_bytes()).expect("an order of the API");
    assert!(Sent::of(Caller::of("i", "ana"), spec, Timestamp::UNIX_EPOCH).is_none());
    assert_eq!(told(not_inline())[0]["path"], "spec.customer.inline");
}

fn request(headers: &[(&str, &str)], body: &str) -> Request {
    let request = headers
        .iter()
        .fold(HttpRequest::post("/orders"), |request, (name, value)| request.header(*name, *value));
    request.body(Body::from(body)).expect("a request")
}

#[test]
fn an_idempotency_key_is_one_of_1_to_255_printable_characters() {
    assert_eq!(key(&request(&[("Idempotency-Key", " k-1 ")], "")).ok(), Some("k-1"));
    let long = "k".repeat(256);
    for headers in [
        &[][..],
        &[("Idempotency-Key", "")],
        &[("Idempotency-Key", "  ")],
        &[("Idempotency-Key", &*long)],
        &[("Idempotency-Key", "k-1"), ("Idempotency-Key", "k-2")],
        &[("Idempotency-Key", "ключ")],
    ] {
        assert!(key(&request(headers, "")).is_err(), "{headers:?}");
    }
}

#[test]
fn a_body_is_json_and_says_so_and_has_a_bound() {
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        assert!(json(&request(&[("Content-Type", kind)], "{}")).is_ok(), "{kind}");
    }
    for kind in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"] {
        assert!(json(&request(&[("Content-Type", kind)], "{}")).is_err(), "{kind}");
    }
    let large = "x".repeat(LARGEST + 1);
    assert!(json(&request(&[("Content-Type", "application/json")], &large)).is_err());
}

#[test]
fn a_request_that_no_authorizer_let_through_is_nobodys() {
    let problem = caller::of(&request(&[], "")).expect_err("nobody");
    assert_eq!(problem.into_response().status(), 401);
}

/// An event of an HTTP API, with this authorizer.
fn authorized(authorizer: &Value) -> Request {
    let event = json!({
        "version": "2.0", "routeKey": "POST /orders", "rawPath": "/orders", "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "123456789012", "apiId": "a", "domainName": "a", "domainPrefix": "a", "requestId": "r",
            "routeKey": "POST /orders", "stage": "$default", "time": "", "timeEpoch": 0, "authorizer": authorizer,
            "http": {"method": "POST", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "::1", "userAgent": ""},
        },
        "body": "{}", "isBase64Encoded": false,
    });
    lambda_http::request::from_str(&event.to_string()).expect("an event")
}

#[test]
fn a_caller_is_known_by_the_issuer_and_subject_of_a_token_or_by_a_principal() {
    let token =
        |claims: Value| caller::of(&authorized(&json!({"jwt": {"claims": claims, "scopes": []}}))).ok();
    let ana = token(json!({"iss": "https://id.example.com", "sub": "ana", "exp": "1"}));
    assert_eq!(ana, Some(Caller::of("https://id.example.com", "ana")));
    assert_eq!(token(json!({"iss": "https://id.example.com"})), None, "a token of nobody");
    assert_eq!(token(json!({"iss": "https://id.example.com", "sub": ""})), None);
    let user = |arn: &str| caller::of(&authorized(&json!({"iam": {"userArn": arn}}))).ok();
    let role = "arn:aws:sts::123456789012:assumed-role/shop";
    assert_eq!(user(&format!("{role}/one")), user(&format!("{role}/two")));
    assert_ne!(user(&format!("{role}/one")), user("arn:aws:iam::123456789012:user/shop"));
    assert_eq!(user(""), None);
}

#[test]
fn a_cancellation_has_a_reason_or_a_general_one() {
    let reason = |body: &str| answer::reason(&Body::from(body), 10, "none");
    for body in ["", " \n", "{}", "{\"reason\": null}"] {
        assert_eq!(reason(body).ok().as_deref(), Some("none"), "{body}");
    }
    assert_eq!(reason("{\"reason\": \"Too late.\"}").ok().as_deref(), Some("Too late."));
    for body in [
        "{\"reason\": 7}",
        "{\"reason\": \" \"}",
        "{\"reason\": \"12345678901\"}",
        "{\"why\": \"x\"}",
        "[]",
        "x",
        "7",
    ] {
        assert!(reason(body).is_err(), "{body}");
    }
}

fn record(spec: &OrderSpec) -> Record {
    let class = serde_json::from_value(json!({
        "installation": "bistro",
        "ledger": {"table": "ledger", "contactKey": {"secretName": "keys", "key": "contact"}},
        "catalogue": {"table": "catalogue"},
        "notifications": {"topicArn": "arn:aws:sns:eu-west-1:000000000000:orders"},
        "payments": {"stripe": {}},
        "devices": {"endpoint": "localhost:8883", "topicPrefix": "comanda"},
    }));
    let identity = Identity::of("bistro", "shop", "a-1", spec);
    let owner =
        Owner { cluster: "c".into(), namespace: "shop".into(), name: "a-1".into(), uid: "u-1".into() };
    let class = class.expect("a class");
    Record::claim(identity, owner, String::new(), "demo", &class, Terms::of(spec), Timestamp::UNIX_EPOCH)
}

#[test]
fn an_order_shows_where_to_confirm_the_payment_only_while_that_is_awaited() {
    let settings = settings();
    let spec = settings.order("a-1", body().to_string().as_bytes()).expect("an order");
    let (sent, _) = Sent::of(Caller::of("i", "ana"), spec, Timestamp::UNIX_EPOCH).expect("a customer");
    let view = |record: Option<&Record>| serde_json::to_value(View::of("a-1", &sent, record)).expect("JSON");
    assert_eq!(view(None), json!({"id": "a-1", "phase": "Pending", "cancelling": false}));
    let mut record = record(&sent.spec);
    record.total = Some(1900);
    record.phase = Phase::Paying;
    record.payment.hold = Some(Hold::AwaitsCustomer);
    record.payment.action_url = Some("https://bank.example/3ds".to_owned());
    let shown = json!({
        "id": "a-1", "phase": "Paying", "total": {"minor": 1900, "currency": "EUR"},
        "confirmPayment": "https://bank.example/3ds", "cancelling": false,
    });
    assert_eq!(view(Some(&record)), shown);
    record.raise(Cause::PaymentNotConfirmed, "The time is over.");
    record.direction = Direction::Undo;
    assert_eq!(view(Some(&record))["confirmPayment"], Value::Null);
    assert_eq!(view(Some(&record))["reason"], "PaymentNotConfirmed");
}
