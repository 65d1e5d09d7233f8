//! Stripe's refusals, decided on the intent as it is. localstripe is laxer, or refuses without a code.

use serde_json::Value;

use super::error::StripeError;
use super::request::Params;

/// Parameters of Stripe's API that the proxy knows; anything else is refused, as Stripe does.
pub mod known {
    /// `POST /v1/payment_intents`.
    pub const CREATE: &[&str] = &[
        "amount",
        "automatic_payment_methods",
        "capture_method",
        "confirm",
        "confirmation_method",
        "currency",
        "customer",
        "description",
        "error_on_requires_action",
        "expand",
        "metadata",
        "off_session",
        "payment_method",
        "payment_method_options",
        "payment_method_types",
        "receipt_email",
        "return_url",
        "setup_future_usage",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_group",
        "use_stripe_sdk",
    ];
    /// `POST /v1/payment_intents/{id}/confirm`.
    pub const CONFIRM: &[&str] = &[
        "capture_method",
        "error_on_requires_action",
        "expand",
        "off_session",
        "payment_method",
        "payment_method_options",
        "payment_method_types",
        "receipt_email",
        "return_url",
        "setup_future_usage",
        "shipping",
        "use_stripe_sdk",
    ];
    /// `POST /v1/payment_intents/{id}/capture`.
    pub const CAPTURE: &[&str] = &[
        "amount_to_capture",
        "expand",
        "final_capture",
        "metadata",
        "statement_descriptor",
        "statement_descriptor_suffix",
    ];
    /// `POST /v1/payment_intents/{id}/cancel`.
    pub const CANCEL: &[&str] = &["cancellation_reason", "expand"];
    /// `POST /v1/refunds`.
    pub const REFUND: &[&str] = &["amount", "expand", "metadata", "payment_intent", "reason"];
}

const CONFIRMABLE: &[&str] = &["requires_payment_method", "requires_confirmation", "requires_action"];
const CANCELLABLE: &[&str] = &[
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
];

/// Refuses a parameter the endpoint does not have.
pub fn check_known(params: &Params, known: &[&str]) -> Result<(), StripeError> {
    match params.unknown(known) {
        None => Ok(()),
        Some(name) => {
            let error = StripeError::invalid_request(
                "parameter_unknown",
                format!("Received unknown parameter: {name}"),
            );
            Err(error.with("param", name))
        }
    }
}

/// Whether a new intent has the parameters every intent has.
pub fn check_create(params: &Params) -> Result<(), StripeError> {
    check_known(params, known::CREATE)?;
    for name in ["amount", "currency"] {
        if params.get(name).is_none_or(str::is_empty) {
            let error =
                StripeError::invalid_request("parameter_missing", format!("Missing required param: {name}."));
            return Err(error.with("param", name));
        }
    }
    check_shipping(params)?;
    match amount(params, "amount")? {
        Some(few) if few < least(params) => {
            let error =
                StripeError::invalid_request("amount_too_small", "Amount must convert to at least 50 cents.");
            Err(error.with("param", "amount"))
        }
        Some(0) => {
            let error = StripeError::invalid_request(
                "parameter_invalid_integer",
                "This value must be greater than or equal to 1.",
            );
            Err(error.with("param", "amount"))
        }
        _ => Ok(()),
    }
}

/// Stripe's smallest charge of two currencies whose minimum does not depend on the account's own.
/// See <https://docs.stripe.com/currencies#minimum-charge-amount-by-currency>.
fn least(params: &Params) -> i64 {
    match params.get("currency") {
        Some("eur" | "usd") => 50,
        _ => 0,
    }
}

/// Whoever ships something says to whom and where.
/// See <https://docs.stripe.com/api/payment_intents/create#create_payment_intent-shipping>.
fn check_shipping(params: &Params) -> Result<(), StripeError> {
    let needed = ["shipping[name]", "shipping[address][line1]"];
    let missing = needed.iter().find(|name| params.get(name).is_none_or(str::is_empty));
    match missing.filter(|_| params.has("shipping")) {
        None => Ok(()),
        Some(name) => {
            let error =
                StripeError::invalid_request("parameter_missing", format!("Missing required param: {name}."));
            Err(error.with("param", *name))
        }
    }
}

/// Whether the intent can be confirmed, with `return_url` known from this call or an earlier one.
pub fn check_confirm(
    intent: &Value,
    params: &Params,
    may_redirect: bool,
    return_url: bool,
) -> Result<(), StripeError> {
    let status = status(intent);
    if status == "succeeded" {
        let message = "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.";
        return Err(StripeError::unexpected_state(message, intent));
    }
    if !CONFIRMABLE.contains(&status) {
        return Err(wrong_status("You cannot confirm this PaymentIntent", "confirmed", intent, CONFIRMABLE));
    }
    if intent["payment_method"].is_null() && !params.has("payment_method") {
        let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update \
                       the PaymentIntent with a payment method and then confirm it again, or confirm it again directly \
                       with a payment method or ConfirmationToken.";
        return Err(StripeError::unexpected_state(message, intent));
    }
    if may_redirect && !return_url {
        let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some \
                       of these payment methods might redirect your customer off of your page, you must provide a \
                       `return_url`. If you don't want to accept redirect-based payment methods, set \
                       `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` \
                       to `never` when creating Setup Intents and Payment Intents.";
        return Err(StripeError::new(400, "invalid_request_error", message));
    }
    Ok(())
}

/// Whether the intent can be captured, and not for more than was authorised.
pub fn check_capture(intent: &Value, params: &Params) -> Result<(), StripeError> {
    match status(intent) {
        "requires_capture" => {}
        "succeeded" => {
            let message = "This PaymentIntent could not be captured because it has already been captured.";
            return Err(StripeError::unexpected_state(message, intent));
        }
        _ => {
            return Err(wrong_status(
                "This PaymentIntent could not be captured",
                "captured",
                intent,
                &["requires_capture"],
            ));
        }
    }
    let capturable = intent["amount_capturable"].as_i64().unwrap_or_default();
    match amount(params, "amount_to_capture")? {
        Some(wanted) if wanted > capturable => {
            let message = format!(
                "The amount you are attempting to capture ({wanted}) is greater than the amount that can be captured \
                 ({capturable})."
            );
            let error = StripeError::invalid_request("amount_too_large", message);
            Err(error.with("param", "amount_to_capture"))
        }
        _ => Ok(()),
    }
}

/// Whether the intent can be cancelled.
pub fn check_cancel(intent: &Value) -> Result<(), StripeError> {
    if CANCELLABLE.contains(&status(intent)) {
        Ok(())
    } else {
        Err(wrong_status("You cannot cancel this PaymentIntent", "canceled", intent, CANCELLABLE))
    }
}

/// Whether a refund fits into what was captured less what was refunded; answers with its amount.
pub fn check_refund(intent: &Value, refunded: i64, params: &Params) -> Result<i64, StripeError> {
    if status(intent) != "succeeded" {
        let id = intent["id"].as_str().unwrap_or_default();
        let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
        return Err(StripeError::unexpected_state(message, intent));
    }
    let charge = intent["latest_charge"].as_str().unwrap_or_default();
    if intent["disputed"] == true {
        let message = format!("Charge {charge} has been charged back; cannot issue a refund.");
        return Err(StripeError::invalid_request("charge_disputed", message).with("charge", charge));
    }
    let left = intent["amount_received"].as_i64().unwrap_or_default() - refunded;
    if left <= 0 {
        let message = format!("Charge {charge} has already been refunded.");
        return Err(StripeError::invalid_request("charge_already_refunded", message).with("charge", charge));
    }
    let wanted = amount(params, "amount")?.unwrap_or(left);
    if wanted > left {
        let message =
            format!("Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})");
        return Err(StripeError::invalid_request("amount_too_large", message).with("param", "amount"));
    }
    Ok(wanted)
}

/// Twelve digits. See <https://docs.stripe.com/currencies#maximum-charge-amounts>.
const LARGEST: i64 = 999_999_999_999;

/// A parameter that must be a whole number, if it is there.
fn amount(params: &Params, name: &str) -> Result<Option<i64>, StripeError> {
    let parse = |text: &str| {
        let refused =
            |code, message: String| Err(StripeError::invalid_request(code, message).with("param", name));
        match text.parse::<u64>().map(i64::try_from) {
            Ok(Ok(amount)) if amount <= LARGEST => Ok(amount),
            Ok(_) => refused("amount_too_large", "Amount must be no more than 999999999999.".to_owned()),
            Err(_) => refused("parameter_invalid_integer", format!("Invalid integer: {text}")),
        }
    };
    params.get(name).map(parse).transpose()
}

fn wrong_status(what: &str, done: &str, intent: &Value, allowed: &[&str]) -> StripeError {
    let (status, allowed) = (status(intent), allowed.join(", "));
    let message = format!(
        "{what} because it has a status of {status}. Only a PaymentIntent with one of the following statuses may be \
         {done}: {allowed}."
    );
    StripeError::unexpected_state(message, intent)
}

fn status(intent: &Value) -> &str {
    intent["status"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Answer;
    use super::*;

    fn intent(status: &str) -> Value {
        let capturable = if status == "requires_capture" { 4200 } else { 0 };
        let received = if status == "succeeded" { 4200 } else { 0 };
        json!({
            "id": "pi_1", "status": status, "payment_method": "pm_1", "latest_charge": "ch_1",
            "amount_capturable": capturable, "amount_received": received,
        })
    }

    fn params(text: &str) -> Params {
        Params::parse(text.as_bytes())
    }

    fn code(result: Result<impl std::fmt::Debug, StripeError>) -> String {
        let answer = Answer::from(result.expect_err("a refusal"));
        answer.body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn only_an_authorised_intent_is_captured() {
        assert_eq!(check_capture(&intent("requires_capture"), &params("")), Ok(()));
        for status in ["canceled", "succeeded", "requires_confirmation", "requires_action"] {
            assert_eq!(code(check_capture(&intent(status), &params(""))), "payment_intent_unexpected_state");
        }
    }

    #[test]
    fn no_more_is_captured_than_was_authorised() {
        assert_eq!(check_capture(&intent("requires_capture"), &params("amount_to_capture=4200")), Ok(()));
        assert_eq!(
            code(check_capture(&intent("requires_capture"), &params("amount_to_capture=4201"))),
            "amount_too_large"
        );
    }

    #[test]
    fn a_finished_intent_is_neither_confirmed_nor_cancelled() {
        for status in ["succeeded", "canceled"] {
            assert_eq!(code(check_cancel(&intent(status))), "payment_intent_unexpected_state");
            assert_eq!(
                code(check_confirm(&intent(status), &params(""), false, false)),
                "payment_intent_unexpected_state"
            );
        }
        assert_eq!(check_cancel(&intent("requires_capture")), Ok(()));
    }

    #[test]
    fn a_refund_fits_into_what_is_left() {
        assert_eq!(check_refund(&intent("succeeded"), 0, &params("")), Ok(4200));
        assert_eq!(check_refund(&intent("succeeded"), 4000, &params("amount=200")), Ok(200));
        assert_eq!(code(check_refund(&intent("succeeded"), 4000, &params("amount=201"))), "amount_too_large");
        assert_eq!(code(check_refund(&intent("succeeded"), 4200, &params(""))), "charge_already_refunded");
        assert_eq!(
            code(check_refund(&intent("requires_capture"), 0, &params(""))),
            "payment_intent_unexpected_state"
        );
    }

    #[test]
    fn a_parameter_stripe_does_not_have_is_refused() {
        assert_eq!(code(check_create(&params("amount=1&currency=brl&ammount=2"))), "parameter_unknown");
        assert_eq!(code(check_create(&params("currency=brl"))), "parameter_missing");
        assert_eq!(
            check_create(&params("amount=1&currency=brl&metadata[order]=a&expand[]=latest_charge")),
            Ok(())
        );
    }
}
