//! What callers are answered: an order, or a problem as RFC 9457 has it.

use comanda_crds::Phase;
use comanda_crds::judge::{Objection, read};
use comanda_saga::payment::Hold;
use comanda_saga::{Direction, Record};
use comanda_steps::intake::Sent;
use lambda_http::{Body, Response};
use serde::Serialize;
use tracing::warn;

/// Why a request is not done.
#[derive(Serialize, Debug)]
pub(super) struct Problem {
    title: &'static str,
    status: u16,
    /// What to do.
    detail: String,
    /// The fields that do not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Objection>,
}

impl Problem {
    fn of(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self { title, status, detail: detail.into(), errors: Vec::new() }
    }

    /// Nobody is known to call.
    pub(super) fn nobody() -> Self {
        Self::of(401, "Unauthorized", "The API's authorizer names no caller.")
    }

    /// There is no such thing, or it is somebody else's.
    pub(super) fn not_found() -> Self {
        Self::of(404, "Not Found", "There is no such order of yours.")
    }

    pub(super) fn key(longest: usize) -> Self {
        let detail = format!(
            "Send one Idempotency-Key of 1 to {longest} printable ASCII characters, the same when the order is sent again."
        );
        Self::of(400, "Bad Request", detail)
    }

    pub(super) fn no_json() -> Self {
        Self::of(415, "Unsupported Media Type", "Send JSON, with Content-Type: application/json.")
    }

    pub(super) fn too_large(largest: usize) -> Self {
        Self::of(413, "Content Too Large", format!("Send at most {largest} bytes."))
    }

    /// The body cannot be read.
    pub(super) fn no_order(objection: Objection) -> Self {
        Self { errors: vec![objection], ..Self::of(400, "Bad Request", "The body cannot be read.") }
    }

    /// The body can be read, and is no order that could be carried out.
    pub(super) fn invalid(errors: Vec<Objection>) -> Self {
        Self {
            errors,
            ..Self::of(422, "Unprocessable Content", "Change what `errors` names, and send the order again.")
        }
    }

    /// The key belongs to another order.
    pub(super) fn other_body() -> Self {
        let detail = "Another order was sent under this Idempotency-Key: use another key for another order.";
        Self::of(409, "Conflict", detail)
    }

    /// The order is over.
    pub(super) fn over(phase: Phase) -> Self {
        Self::of(409, "Conflict", format!("The order is over: it is {}.", phase.name()))
    }

    /// Something outside did not do as asked. What it said is for those who run this, and not for callers.
    pub(super) fn outside(error: impl std::fmt::Display) -> Self {
        warn!(%error, "the intake waits for something outside");
        Self::of(
            503,
            "Service Unavailable",
            "Nothing is lost: send the same request again, with the same key.",
        )
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let retry = if self.status == 503 { Some(("retry-after", "1".to_owned())) } else { None };
        respond(self.status, "application/problem+json", &self, retry)
    }
}

/// An order, as its caller sees it. No personal data: the caller has it.
#[derive(Serialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    id: String,
    phase: &'static str,
    /// Why it is undone, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// A sentence about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What it costs, once that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Total>,
    /// Where the customer confirms the payment, while that is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm_payment: Option<String>,
    /// Whether its caller cancels it.
    cancelling: bool,
}

#[derive(Serialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Total {
    /// In minor units: 4200 is 42.00 EUR.
    minor: i64,
    currency: String,
}

impl View {
    /// An order as it was sent, and as the ledger has it where it was claimed.
    pub(super) fn of(id: &str, sent: &Sent, record: Option<&Record>) -> Self {
        let fault = record.and_then(|record| record.fault.as_ref());
        let total = record.and_then(|record| record.total);
        let awaited = record.filter(|record| {
            record.phase == Phase::Paying
                && record.direction == Direction::Forward
                && record.payment.hold == Some(Hold::AwaitsCustomer)
        });
        let phase = record.map_or(Phase::Pending, |record| record.phase);
        Self {
            id: id.to_owned(),
            phase: phase.name(),
            reason: fault.map(|fault| fault.cause.name()),
            message: fault.map(|fault| fault.message.clone()),
            total: total.map(|minor| Total { minor, currency: sent.spec.currency.clone() }),
            confirm_payment: awaited.and_then(|record| record.payment.action_url.clone()),
            cancelling: sent.cancel.is_some() && !phase.is_final(),
        }
    }
}

#[derive(Serialize)]
struct Taken<'a> {
    id: &'a str,
    order: String,
}

/// The order, or its cancellation, is taken in.
pub(super) fn accepted(id: &str) -> Response<Body> {
    taken(202, id)
}

/// The order was taken in before.
pub(super) fn known(id: &str) -> Response<Body> {
    taken(200, id)
}

fn taken(status: u16, id: &str) -> Response<Body> {
    let order = format!("/orders/{id}");
    respond(status, "application/json", &Taken { id, order: order.clone() }, Some(("location", order)))
}

/// The order.
pub(super) fn shown(view: &View) -> Response<Body> {
    respond(200, "application/json", view, None)
}

/// The largest body of a cancellation, in bytes: the longest reason, however it is written.
const LARGEST_REASON: usize = 8192;

/// Why a caller cancels: `{"reason": "…"}`, or nothing.
pub(super) fn reason(body: &Body, longest: usize, silent: &str) -> Result<String, Problem> {
    let body: &[u8] = body.as_ref();
    if body.len() > LARGEST_REASON {
        return Err(Problem::too_large(LARGEST_REASON));
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(silent.to_owned());
    }
    let wrong = |message: String| Problem::invalid(vec![Objection { path: "reason".to_owned(), message }]);
    let mut body = read(body)
        .map_err(|objection| Problem::no_order(Objection { path: "body".to_owned(), ..objection }))?;
    let Some(fields) = body.as_object_mut() else {
        return Err(wrong("send an object, {\"reason\": \"…\"}, or no body".to_owned()));
    };
    let reason = fields.remove("reason");
    if !fields.is_empty() {
        return Err(wrong("is all that a cancellation has: take the other fields out".to_owned()));
    }
    match reason {
        None | Some(serde_json::Value::Null) => Ok(silent.to_owned()),
        Some(serde_json::Value::String(reason))
            if !reason.trim().is_empty() && reason.chars().count() <= longest =>
        {
            Ok(reason)
        }
        Some(_) => Err(wrong(format!("must be 1 to {longest} characters of text"))),
    }
}

fn respond(status: u16, kind: &str, body: &impl Serialize, header: Option<(&str, String)>) -> Response<Body> {
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response =
        Response::builder().status(status).header("content-type", kind).header("cache-control", "no-store");
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    response.body(Body::Text(text)).unwrap_or_default()
}
