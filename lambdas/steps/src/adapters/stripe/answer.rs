//! The fields of Stripe's answers that are used, and what they mean.

use comanda_saga::{Hold, Identity, PaymentView, RefundState, RefundView};
use serde::Deserialize;
use serde_json::Value;

use super::amount;
use crate::ports::{Invalid, Part, PaymentError};

/// Source: <https://docs.stripe.com/api/payment_intents/object>.
#[derive(Deserialize)]
pub(super) struct Intent {
    id: String,
    amount: i64,
    currency: String,
    status: String,
    amount_capturable: Option<i64>,
    amount_received: Option<i64>,
    last_payment_error: Option<PaymentFailure>,
    next_action: Option<Value>,
    latest_charge: Option<Value>,
}

#[derive(Deserialize)]
struct PaymentFailure {
    code: Option<String>,
    decline_code: Option<String>,
}

/// Whose order an intent is for, as [`form::creation`](super::form::creation) wrote it.
#[derive(Deserialize)]
pub(super) struct Owned {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    comanda_order: Option<String>,
}

impl Owned {
    /// None where it is no order's: an account may sell other things too.
    pub(super) fn order(&self) -> Option<Identity> {
        self.metadata.comanda_order.as_ref()?.parse().ok()
    }
}

/// Why a refund failed that was under way when the customer disputed the charge.
/// Source: <https://docs.stripe.com/api/refunds/object#refund_object-failure_reason>.
const DISPUTED: &str = "charge_for_pending_refund_disputed";

/// Source: <https://docs.stripe.com/api/refunds/object>.
#[derive(Deserialize)]
pub(super) struct Refund {
    amount: i64,
    currency: String,
    status: Option<String>,
    failure_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Refunds {
    pub(super) data: Vec<Refund>,
}

impl Intent {
    pub(super) fn view(&self) -> Result<PaymentView, PaymentError> {
        let hold = self.hold()?;
        let capturable = if hold == Hold::Held { self.amount } else { 0 };
        let received = if hold == Hold::Taken { self.amount } else { 0 };
        Ok(PaymentView {
            id: self.id.clone(),
            hold,
            capturable: amount::read(self.amount_capturable.unwrap_or(capturable), &self.currency),
            received: amount::read(self.amount_received.unwrap_or(received), &self.currency),
            capture_before: self.capture_before(),
            action_url: self.action_url(),
            decline: self.last_payment_error.as_ref().map(|failure| {
                decline(failure.code.as_deref().unwrap_or("payment_failed"), failure.decline_code.as_deref())
            }),
            disputed: self.is_disputed(),
        })
    }

    fn hold(&self) -> Result<Hold, PaymentError> {
        Ok(match self.status.as_str() {
            "requires_confirmation" => Hold::NotBegun,
            "requires_payment_method" => Hold::Refused,
            "requires_action" => Hold::AwaitsCustomer,
            "processing" => Hold::AwaitsProvider,
            "requires_capture" => Hold::Held,
            "succeeded" => Hold::Taken,
            "canceled" => Hold::Released,
            other => {
                return Err(PaymentError::Unanswered(format!("the intent is in the unknown state {other}")));
            }
        })
    }

    /// The charge is an object because it was asked for, or else an id, or nothing.
    fn capture_before(&self) -> Option<i64> {
        self.latest_charge.as_ref()?.pointer("/payment_method_details/card/capture_before")?.as_i64()
    }

    /// Source: <https://docs.stripe.com/api/charges/object#charge_object-disputed>.
    fn is_disputed(&self) -> bool {
        let disputed = self.latest_charge.as_ref().and_then(|charge| charge.get("disputed")?.as_bool());
        disputed.unwrap_or_default()
    }

    /// The page where the customer confirms: a redirect, or the one behind Stripe's own script.
    fn action_url(&self) -> Option<String> {
        let action = self.next_action.as_ref()?;
        ["/redirect_to_url/url", "/use_stripe_sdk/stripe_js"]
            .iter()
            .filter_map(|path| action.pointer(path)?.as_str())
            .find(|url| is_link(url))
            .map(str::to_owned)
    }
}

/// Customers are sent to no address that can be read on the way; an emulator on this machine is no way.
fn is_link(url: &str) -> bool {
    ["https://", "http://127.0.0.1:", "http://localhost:"].iter().any(|start| url.starts_with(start))
}

impl Refund {
    pub(super) fn view(&self) -> Result<RefundView, PaymentError> {
        let state = match self.status.as_deref() {
            Some("succeeded") => RefundState::Succeeded,
            Some("pending" | "requires_action") => RefundState::Pending,
            Some("failed" | "canceled") if self.failure_reason.as_deref() == Some(DISPUTED) => {
                RefundState::Disputed
            }
            Some("failed" | "canceled") => RefundState::Failed,
            other => {
                let other = other.unwrap_or("none");
                return Err(PaymentError::Unanswered(format!("the refund is in the unknown state {other}")));
            }
        };
        Ok(RefundView { state, amount: amount::read(self.amount, &self.currency) })
    }
}

/// A decline as people read it: `card_declined (insufficient_funds)`.
pub(super) fn decline(code: &str, decline_code: Option<&str>) -> String {
    match decline_code {
        Some(detail) if detail != code => format!("{code} ({detail})"),
        _ => code.to_owned(),
    }
}

/// An answer that is no success, where it is Stripe's own.
#[derive(Deserialize, Default)]
pub(super) struct Failure {
    #[serde(default)]
    error: FailureDetails,
}

/// Source: <https://docs.stripe.com/api/errors>.
#[derive(Deserialize, Default)]
struct FailureDetails {
    #[serde(rename = "type", default)]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

/// What a failure proves. Source: <https://docs.stripe.com/api/errors>,
/// <https://docs.stripe.com/error-low-level>.
pub(super) fn refusal(status: u16, failure: &Failure) -> PaymentError {
    let FailureDetails { kind, code, decline_code, param, message } = &failure.error;
    let code = code.as_deref().unwrap_or(kind);
    match status {
        401 | 403 => PaymentError::Misconfigured(format!(
            "it answers {status} to the class's secret key: check that the key is live and may write payments"
        )),
        400 if kind == "idempotency_error" => PaymentError::Misconfigured(
            "an idempotency key was used before with other parameters: by an earlier release of the operator, which \
             passes by itself, or by another installation that shares the account and the name"
                .to_owned(),
        ),
        400 if param.as_deref() == Some("return_url") => PaymentError::Misconfigured(format!(
            "it does not take payments.stripe.returnUrl ({code}): correct it in a new class"
        )),
        402 if !kind.is_empty() => PaymentError::Declined { code: decline(code, decline_code.as_deref()) },
        400 | 404 if kind == "card_error" => {
            PaymentError::Declined { code: decline(code, decline_code.as_deref()) }
        }
        400 | 404 if code == CHARGE_DISPUTED => PaymentError::Disputed { code: code.to_owned() },
        400 | 404 if !kind.is_empty() => PaymentError::Invalid(Invalid {
            code: code.to_owned(),
            parameter: param.clone(),
            part: part(code, param.as_deref(), message.as_deref()),
        }),
        _ if code.is_empty() => PaymentError::Unanswered(format!("status {status}")),
        _ => PaymentError::Unanswered(format!("status {status} ({code})")),
    }
}

/// The code for a refund of a charge that the customer disputed.
/// Source: <https://docs.stripe.com/error-codes#charge-disputed>.
const CHARGE_DISPUTED: &str = "charge_disputed";

/// What of the order Stripe does not take.
fn part(code: &str, parameter: Option<&str>, message: Option<&str>) -> Part {
    match (message.and_then(method_of_another_type), code, parameter) {
        (Some(method), ..) => Part::MethodOfType(method),
        (None, "amount_too_small" | "amount_too_large", _) => Part::Amount,
        (None, _, Some("customer")) => Part::Customer,
        (None, _, None | Some("payment_method")) => Part::Method,
        (None, _, Some(_)) => Part::Other,
    }
}

/// The type of a payment method, from `The PaymentMethod provided (link) is not allowed for this PaymentIntent`: Stripe
/// gives it in the sentence alone. Source: <https://github.com/Automattic/woocommerce-payments/pull/7026>.
fn method_of_another_type(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("PaymentMethod provided (")?;
    let (method, rest) = rest.split_once(')')?;
    let is_a_type =
        method.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_a_type && rest.starts_with(" is not allowed")).then(|| method.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(json: &str) -> Result<PaymentView, PaymentError> {
        serde_json::from_str::<Intent>(json).expect("an intent").view()
    }

    #[test]
    fn an_authorized_intent_of_stripe_says_what_is_held_and_until_when() {
        let view = intent(
            r#"{"id":"pi_3","object":"payment_intent","amount":1900,"amount_capturable":1900,"amount_received":0,
                "capture_method":"manual","currency":"eur","last_payment_error":null,"next_action":null,
                "latest_charge":{"id":"ch_3","payment_method_details":{"card":{"brand":"visa",
                "capture_before":1772971200},"type":"card"}},"status":"requires_capture","unheard_of":{"a":[1]}}"#,
        );
        let expected = PaymentView {
            id: "pi_3".to_owned(),
            hold: Hold::Held,
            capturable: 1900,
            received: 0,
            capture_before: Some(1_772_971_200),
            action_url: None,
            decline: None,
            disputed: false,
        };
        assert_eq!(view, Ok(expected));
    }

    #[test]
    fn fields_that_are_missing_follow_from_the_state() {
        let held = intent(r#"{"id":"pi","amount":50000,"currency":"isk","status":"requires_capture","latest_charge":"ch_1"}"#)
            .expect("a view");
        assert_eq!((held.capturable, held.received, held.capture_before), (500, 0, None));
        let taken =
            intent(r#"{"id":"pi","amount":900,"currency":"jpy","status":"succeeded"}"#).expect("a view");
        assert_eq!((taken.capturable, taken.received), (0, 900));
    }

    #[test]
    fn a_charge_says_that_it_is_disputed() {
        let disputed = |charge: &str| {
            let json = format!(
                r#"{{"id":"pi","amount":1,"currency":"eur","status":"succeeded","latest_charge":{charge}}}"#
            );
            intent(&json).expect("a view").disputed
        };
        assert!(disputed(r#"{"id":"ch_1","disputed":true}"#));
        for charge in [r#"{"id":"ch_1","disputed":false}"#, r#"{"id":"ch_1"}"#, "\"ch_1\"", "null"] {
            assert!(!disputed(charge), "{charge}");
        }
    }

    #[test]
    fn a_decline_is_told_with_the_issuers_reason() {
        let view = intent(
            r#"{"id":"pi","amount":1,"currency":"eur","status":"requires_payment_method",
                "last_payment_error":{"code":"card_declined","decline_code":"insufficient_funds","type":"card_error"}}"#,
        )
        .expect("a view");
        assert_eq!(view.decline.as_deref(), Some("card_declined (insufficient_funds)"));
        assert_eq!(decline("expired_card", Some("expired_card")), "expired_card");
    }

    #[test]
    fn the_page_where_the_customer_confirms_is_found_and_nothing_else_is_taken_for_one() {
        let action = |next_action: &str| {
            let json = format!(
                r#"{{"id":"pi","amount":1,"currency":"eur","status":"requires_action","next_action":{next_action}}}"#
            );
            intent(&json).expect("a view").action_url
        };
        let page = Some("https://hooks.stripe.com/3ds/1".to_owned());
        assert_eq!(
            action(
                r#"{"type":"redirect_to_url","redirect_to_url":{"url":"https://hooks.stripe.com/3ds/1"}}"#
            ),
            page
        );
        assert_eq!(
            action(
                r#"{"type":"use_stripe_sdk","use_stripe_sdk":{"stripe_js":"https://hooks.stripe.com/3ds/1"}}"#
            ),
            page
        );
        assert_eq!(action(r#"{"type":"use_stripe_sdk","use_stripe_sdk":{"stripe_js":""}}"#), None);
        assert_eq!(action("null"), None);
    }

    #[test]
    fn a_state_nobody_knows_proves_nothing() {
        let error = intent(r#"{"id":"pi","amount":1,"currency":"eur","status":"requires_patience"}"#);
        assert_eq!(
            error,
            Err(PaymentError::Unanswered("the intent is in the unknown state requires_patience".to_owned()))
        );
    }

    #[test]
    fn refunds_are_under_way_until_they_succeed_or_fail() {
        for (status, state) in [
            ("succeeded", RefundState::Succeeded),
            ("pending", RefundState::Pending),
            ("requires_action", RefundState::Pending),
            ("failed", RefundState::Failed),
            ("canceled", RefundState::Failed),
            ("failed\",\"failure_reason\":\"lost_or_stolen_card", RefundState::Failed),
            ("failed\",\"failure_reason\":\"charge_for_pending_refund_disputed", RefundState::Disputed),
        ] {
            let json = format!(r#"{{"id":"re","amount":1900,"currency":"eur","status":"{status}"}}"#);
            let refund = serde_json::from_str::<Refund>(&json).expect("a refund").view();
            assert_eq!(refund, Ok(RefundView { state, amount: 1900 }));
        }
    }
}
