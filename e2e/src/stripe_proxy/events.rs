//! What Stripe says by itself: events, signed, to one endpoint. Tests hold them back, and send them again as they like.
//! See <https://docs.stripe.com/webhooks>.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::hmac;
use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::request::Request;

/// How often an event is sent that is not taken, and with what pause. Stripe goes on for three days.
const TRIES: (usize, Duration) = (5, Duration::from_secs(1));

/// Where events go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// The URL that each is posted to.
    pub url: String,
    /// What they are signed with.
    pub secret: String,
}

/// An event, and what the endpoint answered each time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// The intent it is about.
    pub intent: String,
    /// The order that the intent names.
    pub order: Option<String>,
    /// The bytes that are signed.
    pub body: String,
    /// The statuses of the answers; none while it is held back.
    pub answers: Vec<u16>,
}

/// All events since there is an endpoint.
#[derive(Debug, Default)]
pub struct Events {
    state: Mutex<State>,
    http: reqwest::Client,
}

#[derive(Debug, Default)]
struct State {
    endpoint: Option<Endpoint>,
    held: Vec<Regex>,
    all: Vec<Event>,
}

/// The value of `Stripe-Signature` for a body, signed so many seconds ago.
pub fn signature(secret: &str, body: &str, age: i64) -> String {
    let time = Timestamp::now().as_second() - age;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mac = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let mut header = format!("t={time},v1=");
    for byte in mac.as_ref() {
        // A string takes all.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// What a call makes happen; none of one that changes nothing.
pub fn kind_of(request: &Request, status: u16, body: &Value) -> Option<(&'static str, Value)> {
    if request.method != reqwest::Method::POST {
        return None;
    }
    match (status, request.segments().as_slice()) {
        (200, ["payment_intents", _, "confirm" | "capture" | "cancel"]) => {
            Some((kind_of_intent(body)?, body.clone()))
        }
        (402, ["payment_intents", _, "confirm"]) => {
            Some(("payment_intent.payment_failed", body["error"]["payment_intent"].clone()))
        }
        (200, ["refunds"]) => Some(("refund.created", body.clone())),
        _ => None,
    }
}

/// What an intent that came to be as it is says happened.
pub fn kind_of_intent(intent: &Value) -> Option<&'static str> {
    Some(match intent["status"].as_str()? {
        "requires_action" => "payment_intent.requires_action",
        "requires_capture" => "payment_intent.amount_capturable_updated",
        "requires_payment_method" => "payment_intent.payment_failed",
        "succeeded" => "payment_intent.succeeded",
        "canceled" => "payment_intent.canceled",
        _ => return None,
    })
}

impl Events {
    /// From now on, events go there, or nowhere.
    pub fn set_endpoint(&self, endpoint: Option<Endpoint>) {
        self.state().endpoint = endpoint;
    }

    /// Events of orders whose identity matches are held back: the endpoint never gets them.
    ///
    /// # Errors
    /// When the expression is none.
    pub fn hold(&self, orders: &str) -> Result<()> {
        let orders = Regex::new(orders).context("the orders")?;
        self.state().held.push(orders);
        Ok(())
    }

    /// Every event so far.
    pub fn all(&self) -> Vec<Event> {
        self.state().all.clone()
    }

    /// Something happened to an intent of an order. It is sent, as often as it takes.
    pub async fn say(&self, kind: &str, object: Value, order: Option<String>) {
        let id = format!("evt_{}", Uuid::new_v4().simple());
        let event = json!({
            "id": id,
            "object": "event",
            "api_version": "2026-01-28.preview",
            "created": Timestamp::now().as_second(),
            "livemode": false,
            "pending_webhooks": 1,
            "type": kind,
            "data": { "object": object },
        });
        let intent =
            if object["object"] == "payment_intent" { &object["id"] } else { &object["payment_intent"] };
        let intent = intent.as_str().unwrap_or_default().to_owned();
        let body = event.to_string();
        let kind = kind.to_owned();
        let (endpoint, held) = {
            let mut state = self.state();
            let Some(endpoint) = state.endpoint.clone() else { return };
            let held = order.as_ref().is_some_and(|order| state.held.iter().any(|held| held.is_match(order)));
            let answers = Vec::new();
            state.all.push(Event { id: id.clone(), kind, intent, order, body: body.clone(), answers });
            (endpoint, held)
        };
        for _ in 0..if held { 0 } else { TRIES.0 } {
            let status = self.send(&endpoint, &body).await;
            if let Some(event) = self.state().all.iter_mut().find(|event| event.id == id) {
                event.answers.push(status);
            }
            if (200..300).contains(&status) {
                return;
            }
            tokio::time::sleep(TRIES.1).await;
        }
    }

    /// The status of the answer; zero when there is none.
    async fn send(&self, endpoint: &Endpoint, body: &str) -> u16 {
        let request = self.http.post(&endpoint.url).header("content-type", "application/json; charset=utf-8");
        let request = request.header("stripe-signature", signature(&endpoint.secret, body, 0));
        match request.body(body.to_owned()).send().await {
            Ok(answer) => answer.status().as_u16(),
            Err(error) => {
                tracing::warn!(%error, "an event was not sent");
                0
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
