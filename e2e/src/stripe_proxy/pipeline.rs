//! The way of one call: fault, idempotency key, execution, record, answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::answer::Answer;
use super::calls::Call;
use super::error::StripeError;
use super::faults::Action;
use super::idempotency::Begin;
use super::proxy::Proxy;
use super::request::Request;

/// An answer, and whether it was given before.
struct Answered {
    answer: Answer,
    replayed: bool,
}

pub(super) async fn serve(
    State(proxy): State<Arc<Proxy>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request::new(method, &uri, &headers, &body);
    let key = request.key.clone();
    // A task of its own: a caller that hangs up does not undo what it asked for.
    match tokio::spawn(handle(proxy, request)).await {
        Ok(Some(answered)) => respond(&answered, key),
        // Ends the task of this connection, which closes it without an answer; unlike `panic!`, it says nothing.
        Ok(None) => std::panic::resume_unwind(Box::new("the connection is dropped on purpose")),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// None when the connection is to be closed.
async fn handle(proxy: Arc<Proxy>, request: Request) -> Option<Answered> {
    let fault = proxy.faults().take(request.method.as_str(), &request.path, request.key.as_deref());
    if fault == Some(Action::DropRequest) {
        proxy.calls.record(record(&request, None, fault.as_ref()));
        return None;
    }
    let answered = answer(&proxy, &request, fault.as_ref()).await;
    if !answered.replayed {
        proxy.tell_of(&request, &answered.answer);
    }
    if let Some(Action::DelayAnswerMs { ms }) = fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    proxy.calls.record(record(&request, Some(&answered), fault.as_ref()));
    (fault != Some(Action::DropAnswer)).then_some(answered)
}

/// Answers by the rules of the idempotency key, when there is one.
async fn answer(proxy: &Proxy, request: &Request, fault: Option<&Action>) -> Answered {
    let Some((key, fingerprint)) = request.idempotency() else {
        return Answered { answer: execute(proxy, request, fault).await.0, replayed: false };
    };
    let begin = proxy.keys().begin(&key, fingerprint, Instant::now());
    match begin {
        Begin::Execute => {
            let (answer, executed) = execute(proxy, request, fault).await;
            proxy.keys().finish(&key, executed.then(|| answer.clone()));
            Answered { answer, replayed: false }
        }
        Begin::Replay(answer) => Answered { answer, replayed: true },
        Begin::Refuse(error) => Answered { answer: error.into(), replayed: false },
    }
}

/// The answer, and whether anything was executed.
async fn execute(proxy: &Proxy, request: &Request, fault: Option<&Action>) -> (Answer, bool) {
    // Here, where the key is in use: a slow server is what makes a second request a conflict.
    if let Some(Action::DelayMs { ms }) = fault {
        tokio::time::sleep(Duration::from_millis(*ms)).await;
    }
    let forced = match fault {
        Some(Action::Status { status, effect }) => Some((*status, *effect)),
        _ => None,
    };
    if let Some((status, false)) = forced {
        return (forced_answer(status), status >= 500);
    }
    let (answer, executed) = match proxy.payments.execute(request).await {
        Ok(body) => (Answer { status: 200, body }, true),
        Err(refused) => (refused.answer, refused.executed),
    };
    match forced {
        Some((status, _)) => (forced_answer(status), executed),
        None => (answer, executed),
    }
}

fn forced_answer(status: u16) -> Answer {
    let message = "An unknown error occurred, as the test wished.";
    match status {
        429 => StripeError::new(429, "invalid_request_error", message).with("code", "rate_limit").into(),
        _ => StripeError::new(status, "api_error", message).into(),
    }
}

fn record(request: &Request, answered: Option<&Answered>, fault: Option<&Action>) -> Call {
    let body = answered.map_or(Value::Null, |answered| answered.answer.body.clone());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    // A refusal carries the intent it is about, as it is.
    let object =
        if body["error"]["payment_intent"].is_object() { &body["error"]["payment_intent"] } else { &body };
    let in_body =
        if object["object"] == "payment_intent" { &object["id"] } else { &object["payment_intent"] };
    Call {
        time: Timestamp::now(),
        method: request.method.to_string(),
        path: request.path.clone(),
        key: request.key.clone(),
        status: answered.map(|answered| answered.answer.status),
        replayed: answered.is_some_and(|answered| answered.replayed),
        fault: fault.map(|fault| format!("{fault:?}")),
        params: request.params.0.iter().cloned().collect(),
        intent: request.intent().map(str::to_owned).or_else(|| text(in_body)),
        amount: object["amount"].as_i64(),
        object_status: text(&object["status"]),
        object: text(&object["object"]),
        error_code: text(&body["error"]["code"]),
    }
}

fn respond(answered: &Answered, key: Option<String>) -> Response {
    let status = StatusCode::from_u16(answered.answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let id = format!("req_{}", Uuid::new_v4().simple());
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = value.try_into() {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("content-type", "application/json".to_owned());
    set("request-id", id);
    if answered.replayed {
        set("idempotent-replayed", "true".to_owned());
    }
    if let Some(key) = key {
        set("idempotency-key", key);
    }
    (status, headers, answered.answer.body.to_string()).into_response()
}
