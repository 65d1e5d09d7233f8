//! The routes that are not Stripe's: control by tests, and the page on which a customer authenticates.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use serde_json::json;

use super::events::kind_of_intent;
use super::faults::Fault;
use super::proxy::Proxy;
use super::request::Params;

/// The control routes.
pub(super) fn router() -> Router<Arc<Proxy>> {
    Router::new()
        .route("/_proxy/calls", get(calls))
        .route("/_proxy/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_proxy/keys", delete(forget_keys))
        .route("/_proxy/banks", delete(silence_banks).put(hear_banks))
        .route("/_proxy/webhook", put(set_endpoint).delete(forget_endpoint))
        .route("/_proxy/webhook/held", post(hold_events))
        .route("/_proxy/webhook/events", get(all_events))
        .route("/_proxy/returned/{intent}", post(return_refunds))
        .route("/_proxy/disputes/{intent}", post(dispute))
        .route("/_authenticate/{intent}", get(authenticate))
}

async fn calls(State(proxy): State<Arc<Proxy>>) -> Response {
    json_response(&proxy.calls.all())
}

async fn faults(State(proxy): State<Arc<Proxy>>) -> Response {
    json_response(&proxy.faults().pending().collect::<Vec<_>>())
}

async fn add_fault(State(proxy): State<Arc<Proxy>>, body: Bytes) -> Response {
    let added = serde_json::from_slice::<Fault>(&body)
        .map_err(anyhow::Error::from)
        .and_then(|fault| proxy.faults().add(fault));
    match added {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}

async fn clear_faults(State(proxy): State<Arc<Proxy>>) -> StatusCode {
    proxy.faults().clear();
    StatusCode::NO_CONTENT
}

async fn forget_keys(State(proxy): State<Arc<Proxy>>) -> StatusCode {
    proxy.keys().forget();
    StatusCode::NO_CONTENT
}

async fn silence_banks(State(proxy): State<Arc<Proxy>>) -> StatusCode {
    proxy.payments.silence_banks(true);
    StatusCode::NO_CONTENT
}

async fn hear_banks(State(proxy): State<Arc<Proxy>>) -> StatusCode {
    proxy.payments.silence_banks(false);
    StatusCode::NO_CONTENT
}

async fn set_endpoint(State(proxy): State<Arc<Proxy>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(endpoint) => {
            proxy.events.set_endpoint(Some(endpoint));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn forget_endpoint(State(proxy): State<Arc<Proxy>>) -> StatusCode {
    proxy.events.set_endpoint(None);
    StatusCode::NO_CONTENT
}

/// The body is a regular expression for identities of orders.
async fn hold_events(State(proxy): State<Arc<Proxy>>, body: String) -> Response {
    match proxy.events.hold(&body) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}

async fn all_events(State(proxy): State<Arc<Proxy>>) -> Response {
    json_response(&proxy.events.all())
}

async fn return_refunds(State(proxy): State<Arc<Proxy>>, Path(intent): Path<String>) -> StatusCode {
    let Some(refunds) = proxy.payments.return_refunds(&intent).await else { return StatusCode::NOT_FOUND };
    for refund in refunds {
        proxy.say("refund.failed", refund);
    }
    StatusCode::NO_CONTENT
}

async fn dispute(State(proxy): State<Arc<Proxy>>, Path(intent): Path<String>) -> StatusCode {
    let Some(dispute) = proxy.payments.dispute(&intent).await else { return StatusCode::NOT_FOUND };
    proxy.say("charge.dispute.created", dispute);
    StatusCode::NO_CONTENT
}

/// Stripe's test page for 3-D Secure, without its looks. `?outcome=success` or `failure` answers at once.
async fn authenticate(
    State(proxy): State<Arc<Proxy>>,
    Path(intent): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let query = Params::parse(query.unwrap_or_default().as_bytes());
    let succeeds = match query.get("outcome") {
        Some("success") => true,
        Some("failure") => false,
        _ => {
            let page = "<h1>3-D Secure (local)</h1><p><a href=\"?outcome=success\">Authenticate</a> or \
                        <a href=\"?outcome=failure\">fail</a>.</p>";
            return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        }
    };
    let answered = proxy.payments.authenticate(&intent, succeeds).await;
    if let Some((answer, _)) = answered.as_ref().filter(|(answer, _)| answer.is_success())
        && let Some(kind) = kind_of_intent(&answer.body)
    {
        proxy.say(kind, answer.body.clone());
    }
    match answered {
        None => (StatusCode::NOT_FOUND, "no such intent\n").into_response(),
        Some((answer, _)) if answer.status == 400 => {
            (StatusCode::CONFLICT, "the intent waits for no authentication\n").into_response()
        }
        Some((_, notes)) => match notes.return_url {
            Some(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response(),
            None => (StatusCode::OK, "done\n").into_response(),
        },
    }
}

fn json_response(value: &impl serde::Serialize) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json!(value).to_string()).into_response()
}
