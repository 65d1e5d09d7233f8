//! Orders over HTTP: `POST /orders`, `GET /orders/{id}`, `POST /orders/{id}/cancel`. `lambdas/openapi.yaml` is the contract.
//!
//! An order is judged as the API server would judge it, announced, and then written: the operator makes an `Order` of it
//! when its class has room. Only the caller who sent it may read or cancel it.

mod answer;
mod caller;
#[cfg(test)]
mod tests;

use std::time::Instant;

use comanda_crds::judge::{self, Judge, Objection};
use comanda_crds::{NOT_THE_CALLERS, OrderSpec};
use comanda_saga::Identity;
use comanda_steps::calls;
use comanda_steps::contract::Wake;
use comanda_steps::customer::Contact;
use comanda_steps::intake::{Announcement, Sent, is_order_id};
use comanda_steps::ports::{Announcements, Ledger, Loaded, Wakes};
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use serde_json::Value;
use tracing::info;

use self::answer::{Problem, View};
use crate::faults;
use crate::stack::Stack;

/// The largest body that is read, in bytes: fifty lines, and the longest customer, several times over.
const LARGEST: usize = 65_536;
/// The longest idempotency key.
const LONGEST_KEY: usize = 255;
/// Longest reason of a cancellation, in characters: as `spec.cancel.reason` has it.
const LONGEST_REASON: usize = 500;
/// Why an order is cancelled whose caller does not say.
const CANCELLED: &str = "The customer cancelled the order.";

/// What the intake is set up with.
pub struct Settings {
    /// The part of every key that is the installation's.
    pub installation: String,
    /// The namespace in which the operator makes objects.
    pub tenant: String,
    /// The class of every order.
    pub class_name: String,
    /// Says which orders hold.
    pub judge: Judge,
}

/// What the intake reaches.
#[derive(Clone, Copy)]
struct Intake<'a> {
    /// How it is set up.
    settings: &'a Settings,
    /// Orders and customers are written there.
    ledger: &'a dyn Ledger,
    /// Orders are announced there.
    announcements: &'a dyn Announcements,
    /// The operator is told of cancellations there.
    wakes: &'a dyn Wakes,
}

/// Answers a request by the stack that a function is given.
pub async fn take_in(request: Request, settings: &Settings, stack: &Stack) -> Response<Body> {
    let (Some(announcements), Some(wakes)) = (&stack.announcements, &stack.wakes) else {
        return Problem::outside("INTAKE_QUEUE_URL or WAKE_QUEUE_URL is not set").into_response();
    };
    match stack.ledger().await {
        Ok(ledger) => intake(request, Intake { settings, ledger: &ledger, announcements, wakes }).await,
        Err(error) => Problem::outside(error).into_response(),
    }
}

/// Answers a request. What goes wrong outside is a 503, after which the same request can be sent again.
async fn intake(request: Request, intake: Intake<'_>) -> Response<Body> {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let answered = match (method.as_str(), &*parts) {
        ("POST", ["orders"]) => intake.take(&request).await,
        ("GET", ["orders", id]) => intake.show(&request, id).await,
        ("POST", ["orders", id, "cancel"]) => intake.cancel(&request, id).await,
        _ => Err(Problem::not_found()),
    };
    let response = answered.unwrap_or_else(Problem::into_response);
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, route) = (response.status().as_u16(), parts.last().filter(|_| parts.len() != 2).copied());
    let route = route.filter(|route| ["orders", "cancel"].contains(route)).unwrap_or("order");
    info!(method = method.as_str(), route, status, milliseconds, "intake");
    response
}

impl Settings {
    /// The order of a body: a `spec`, without what is not its caller's to say.
    fn order(&self, id: &str, body: &[u8]) -> Result<OrderSpec, Problem> {
        let mut spec = judge::read(body).map_err(Problem::no_order)?;
        if let Value::Object(fields) = &mut spec {
            let foreign = NOT_THE_CALLERS.iter().filter(|field| fields.contains_key(**field));
            let foreign: Vec<Objection> =
                foreign.map(|field| objection(field, "is not the caller's to say: take it out")).collect();
            if !foreign.is_empty() {
                return Err(Problem::invalid(foreign));
            }
            fields.insert("className".to_owned(), self.class_name.clone().into());
        }
        self.judge.order(id, spec).map_err(Problem::invalid)
    }
}

impl Intake<'_> {
    /// Takes an order in.
    async fn take(self, request: &Request) -> Result<Response<Body>, Problem> {
        let caller = caller::of(request)?;
        let Settings { installation, tenant, .. } = self.settings;
        let id = caller.order_id(installation, tenant, key(request)?);
        let spec = self.settings.order(&id, json(request)?)?;
        let identity = self.identity(&id);
        let (sent, customer) = Sent::of(caller, spec, Timestamp::now()).ok_or_else(not_inline)?;
        let contact = Contact::of(&customer);
        faults::intake("announce", &identity);
        self.announcements.announce(&Announcement::of(&identity)).await.map_err(Problem::outside)?;
        faults::intake("announced", &identity);
        let new = self.ledger.put_sent(&identity, &sent, &contact).await.map_err(Problem::outside)?;
        faults::intake("written", &identity);
        if new {
            info!(order = %identity, "an order came in");
            return Ok(answer::accepted(&id));
        }
        // It was sent before, perhaps by a call of ours whose answer was lost.
        let known = self.ledger.sent(&identity).await.map_err(Problem::outside)?;
        let same = known.is_some_and(|known| known.is_again(&sent))
            && self.is_same_customer(&identity, &contact).await?;
        if same { Ok(answer::known(&id)) } else { Err(Problem::other_body()) }
    }

    /// Whether the ledger holds this customer. One that has expired there is any.
    async fn is_same_customer(self, identity: &Identity, contact: &Contact) -> Result<bool, Problem> {
        let known = self.ledger.contact(identity).await.map_err(Problem::outside)?;
        Ok(known.is_none_or(|known| known == *contact))
    }

    /// Shows an order to who sent it.
    async fn show(self, request: &Request, id: &str) -> Result<Response<Body>, Problem> {
        let (identity, sent) = self.own(request, id).await?;
        let loaded = self.load(&identity).await?;
        Ok(answer::shown(&View::of(id, &sent, loaded.as_ref().map(|loaded| &loaded.record))))
    }

    /// Has an order cancelled by who sent it.
    async fn cancel(self, request: &Request, id: &str) -> Result<Response<Body>, Problem> {
        let (identity, sent) = self.own(request, id).await?;
        let reason = answer::reason(request.body(), LONGEST_REASON, CANCELLED)?;
        let loaded = self.load(&identity).await?;
        if let Some(record) = loaded.map(|loaded| loaded.record).filter(|record| record.phase.is_final()) {
            return Err(Problem::over(record.phase));
        }
        if sent.cancel.is_none() {
            self.ledger.put_cancel(&identity, &reason).await.map_err(Problem::outside)?;
        }
        faults::intake("cancel", &identity);
        self.wakes.send(&Wake::cancel(&identity)).await.map_err(Problem::outside)?;
        info!(order = %identity, "a cancellation came in");
        Ok(answer::accepted(id))
    }

    /// An order that this caller sent. Anybody else's is as if it were not there.
    async fn own(self, request: &Request, id: &str) -> Result<(Identity, Sent), Problem> {
        let caller = caller::of(request)?;
        if !is_order_id(id) {
            return Err(Problem::not_found());
        }
        let identity = self.identity(id);
        let sent = self.ledger.sent(&identity).await.map_err(Problem::outside)?;
        let sent = sent.filter(|sent| sent.caller == caller).ok_or_else(Problem::not_found)?;
        Ok((identity, sent))
    }

    async fn load(self, identity: &Identity) -> Result<Option<Loaded>, Problem> {
        calls::load(self.ledger, identity).await.map_err(Problem::outside)
    }

    fn identity(self, id: &str) -> Identity {
        let Settings { installation, tenant, .. } = self.settings;
        Identity { installation: installation.clone(), tenant: tenant.clone(), order_id: id.to_owned() }
    }
}

/// The key by which an order that is sent again is the same.
fn key(request: &Request) -> Result<&str, Problem> {
    let mut keys = request.headers().get_all("idempotency-key").iter();
    let key = keys.next().and_then(|key| key.to_str().ok()).map(str::trim);
    match (key, keys.next()) {
        (Some(key), None) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(key),
        _ => Err(Problem::key(LONGEST_KEY)),
    }
}

/// The body of a request that says that it is JSON.
fn json(request: &Request) -> Result<&[u8], Problem> {
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::no_json());
    }
    let body: &[u8] = request.body().as_ref();
    if body.len() > LARGEST { Err(Problem::too_large(LARGEST)) } else { Ok(body) }
}

fn not_inline() -> Problem {
    Problem::invalid(vec![objection(
        "customer.inline",
        "is required: over HTTP a customer is sent with the order",
    )])
}

fn objection(field: &str, message: &str) -> Objection {
    Objection { path: format!("spec.{field}"), message: message.to_owned() }
}
