//! Objects as Stripe shows them, made from localstripe's, which lack fields and nest others.

use serde_json::{Value, json};

use super::cards::{Decline, Refunds};

/// How long a card authorisation holds: seven days for most card payments made online.
/// See <https://docs.stripe.com/payments/place-a-hold-on-a-payment-method>.
const HOLD_SECONDS: i64 = 7 * 24 * 3600;

/// What the proxy remembers of an intent because localstripe has no place for it.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// How its card is declined.
    pub decline: Option<Decline>,
    /// What happens to its refunds.
    pub refunds: Refunds,
    /// Whether methods that redirect are allowed, which makes a `return_url` mandatory.
    pub may_redirect: bool,
    /// Where the customer comes back to.
    pub return_url: Option<String>,
    /// The page on which the customer authenticates.
    pub authenticate_url: String,
    /// As in Stripe's object.
    pub description: Option<String>,
    /// As in Stripe's object.
    pub shipping: Value,
    /// Whether what is taken of its card is disputed once somebody refunds it.
    pub disputed: bool,
    /// Whether its charge says so.
    pub dispute_opened: bool,
    /// Whether its refunds, which were made, came back.
    pub returned: bool,
    /// The order that it names.
    pub order: Option<String>,
    /// What was captured, if it was not everything.
    pub captured: Option<i64>,
    /// Why it was cancelled, and when (epoch seconds).
    pub canceled: Option<(Option<String>, i64)>,
}

/// A `PaymentIntent`, with its charge in place of the charge's id if `expand` says so.
pub fn intent(mut raw: Value, notes: &Notes, expand: bool) -> Value {
    if raw["object"] != "payment_intent" {
        return raw;
    }
    let amount = raw["amount"].as_i64().unwrap_or_default();
    let status = raw["status"].as_str().unwrap_or_default().to_owned();
    let charge = raw["latest_charge"].take();
    let received = if status == "succeeded" { notes.captured.unwrap_or(amount) } else { 0 };
    let lower = raw["currency"].as_str().unwrap_or_default().to_lowercase();
    raw["currency"] = json!(lower);
    raw["amount_capturable"] = json!(if status == "requires_capture" { amount } else { 0 });
    raw["amount_received"] = json!(received);
    raw["confirmation_method"] = json!("automatic");
    raw["payment_method_types"] = json!(["card"]);
    raw["description"] = json!(notes.description);
    raw["shipping"] = notes.shipping.clone();
    raw["canceled_at"] = json!(notes.canceled.as_ref().map(|(_, at)| at));
    raw["cancellation_reason"] = json!(notes.canceled.as_ref().and_then(|(reason, _)| reason.as_ref()));
    if raw["next_action"].is_object() {
        raw["next_action"] = next_action(notes);
    }
    if raw["last_payment_error"].is_object() {
        raw["last_payment_error"] = payment_error(&raw, notes);
        // Stripe takes the failed method off the intent; it stays in the error.
        raw["payment_method"] = Value::Null;
    }
    raw["latest_charge"] = match charge {
        Value::Object(_) if expand => self::charge(charge, &raw, notes),
        Value::Object(mut fields) => fields.remove("id").unwrap_or_default(),
        _ => Value::Null,
    };
    if let Some(fields) = raw.as_object_mut() {
        // Gone from Stripe's API since 2022-11-15.
        fields.remove("charges");
    }
    raw
}

fn next_action(notes: &Notes) -> Value {
    match &notes.return_url {
        Some(return_url) => json!({
            "type": "redirect_to_url",
            "redirect_to_url": { "url": notes.authenticate_url, "return_url": return_url },
        }),
        None => json!({
            "type": "use_stripe_sdk",
            "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": notes.authenticate_url },
        }),
    }
}

fn payment_error(intent: &Value, notes: &Notes) -> Value {
    let mut error = intent["last_payment_error"].clone();
    error["payment_method"] =
        json!({ "id": intent["payment_method"], "object": "payment_method", "type": "card" });
    if error["charge"].is_null() {
        // Failed at authentication, so nothing was ever charged.
        error["type"] = json!("invalid_request_error");
    } else {
        error["type"] = json!("card_error");
        decline(&mut error, notes);
    }
    error
}

/// Fills in why a card was declined.
pub fn decline(error: &mut Value, notes: &Notes) {
    if let Some(decline) = notes.decline {
        error["code"] = json!(decline.code);
        error["decline_code"] = json!(decline.reason);
        error["message"] = json!(decline.message);
    }
}

fn charge(mut raw: Value, intent: &Value, notes: &Notes) -> Value {
    let manual = intent["capture_method"] == "manual";
    let until = raw["created"].as_i64().filter(|_| manual).map(|created| created + HOLD_SECONDS);
    raw["currency"] = intent["currency"].clone();
    raw["amount_captured"] = intent["amount_received"].clone();
    raw["captured"] = json!(intent["status"] == "succeeded");
    raw["disputed"] = json!(notes.dispute_opened && intent["status"] == "succeeded");
    raw["payment_method_details"] = json!({
        "type": "card",
        "card": { "brand": "visa", "last4": "4242", "capture_before": until },
    });
    if notes.canceled.is_some() {
        // A released authorisation reads as refunded in full.
        raw["refunded"] = json!(true);
        raw["amount_refunded"] = raw["amount"].clone();
    }
    raw
}

/// A refund, before or after it has settled.
pub fn refund(mut raw: Value, refunds: Refunds, settled: bool) -> Value {
    raw["status"] = json!(match refunds {
        Refunds::Pend | Refunds::Dispute if !settled => "pending",
        Refunds::Fail | Refunds::Dispute if settled => "failed",
        _ => "succeeded",
    });
    if raw["status"] == "failed" {
        let disputed = refunds == Refunds::Dispute;
        let reason = if disputed { "charge_for_pending_refund_disputed" } else { "expired_or_canceled_card" };
        raw["failure_reason"] = json!(reason);
    }
    let lower = raw["currency"].as_str().unwrap_or_default().to_lowercase();
    raw["currency"] = json!(lower);
    if let Some(fields) = raw.as_object_mut() {
        fields.remove("date");
    }
    raw
}
