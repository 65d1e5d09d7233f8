//! Stripe, by its `PaymentIntents`.
//!
//! Of each answer only the fields used here are decoded, so that a new API version, which adds and
//! drops others, changes nothing. Amounts go out and come in as Stripe writes them, and are ISO 4217
//! minor units everywhere else.

mod answer;

use std::time::Duration;

use async_trait::async_trait;
use comanda_saga::{PaymentView, RefundView};
use serde::Serialize;
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError};
use stripe_client_core::{RequestBuilder, StripeMethod};

use self::answer::{Intent, Refund, Refunds};
use crate::ports::{NewIntent, PaymentError, Payments};

/// Longest time a call may take. Confirmations wait for the card's issuer.
const CALL: Duration = Duration::from_secs(10);
/// With it come `capture_before` and what else is known of the charge.
const EXPAND: [&str; 1] = ["latest_charge"];

/// A Stripe account.
#[derive(Clone, Debug)]
pub struct StripePayments {
    client: Client,
    return_url: Option<String>,
}

#[derive(Serialize)]
struct Creation<'a> {
    amount: i64,
    currency: String,
    payment_method: &'a str,
    /// Cards only: other methods are confirmed in ways an order cannot wait for.
    payment_method_types: [&'static str; 1],
    capture_method: &'static str,
    metadata: Metadata,
    expand: [&'static str; 1],
}

#[derive(Serialize)]
struct Metadata {
    comanda_order: String,
}

#[derive(Serialize)]
struct Expanded {
    expand: [&'static str; 1],
}

#[derive(Serialize)]
struct Confirmation<'a> {
    /// With it, Stripe answers with a link where it wants the customer to confirm.
    #[serde(skip_serializing_if = "Option::is_none")]
    return_url: Option<&'a str>,
    expand: [&'static str; 1],
}

#[derive(Serialize)]
struct OfIntent<'a> {
    payment_intent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u8>,
}

impl StripePayments {
    /// The account of a secret key, at Stripe's URL or at one that behaves like it. Customers return to
    /// `return_url` from a confirmation. Requests are made once: who repeats them is decided elsewhere.
    pub fn new(secret_key: &str, url: &str, return_url: Option<String>) -> Result<Self, PaymentError> {
        let client = ClientBuilder::new(secret_key.trim())
            .url(url)
            .timeout(CALL)
            .request_strategy(RequestStrategy::Once)
            .build()
            .map_err(|_| {
                PaymentError::Misconfigured(
                    "payments.stripe.secretKey or payments.stripe.url cannot be used: check both".to_owned(),
                )
            })?;
        Ok(Self { client, return_url })
    }

    async fn post<T: miniserde::Deserialize>(
        &self,
        path: String,
        form: &impl Serialize,
        key: &str,
    ) -> Result<T, PaymentError> {
        let key = IdempotencyKey::new(key).map_err(|error| PaymentError::Misconfigured(error.to_string()))?;
        let request = RequestBuilder::new(StripeMethod::Post, path).form(form).customize::<T>();
        request.request_strategy(RequestStrategy::Idempotent(key)).send(&self.client).await.map_err(judge)
    }

    async fn read<T: miniserde::Deserialize>(
        &self,
        path: String,
        query: &impl Serialize,
    ) -> Result<T, PaymentError> {
        let request = RequestBuilder::new(StripeMethod::Get, path).query(query).customize::<T>();
        request.send(&self.client).await.map_err(judge)
    }

    async fn act(&self, id: &str, verb: &str, key: &str) -> Result<PaymentView, PaymentError> {
        let path = format!("/payment_intents/{id}/{verb}");
        self.post::<Intent>(path, &Expanded { expand: EXPAND }, key).await?.view()
    }
}

#[async_trait]
impl Payments for StripePayments {
    async fn create(&self, intent: &NewIntent<'_>) -> Result<PaymentView, PaymentError> {
        let amount = intent.amount.stripe_amount().map_err(|error| PaymentError::Refused {
            code: "amount".to_owned(),
            message: error.to_string(),
        })?;
        let form = Creation {
            amount,
            currency: intent.amount.currency.to_lowercase(),
            payment_method: intent.payment_method,
            payment_method_types: ["card"],
            capture_method: "manual",
            metadata: Metadata { comanda_order: intent.identity.to_string() },
            expand: EXPAND,
        };
        self.post::<Intent>("/payment_intents".to_owned(), &form, intent.key).await?.view()
    }

    async fn confirm(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        let form = Confirmation { return_url: self.return_url.as_deref(), expand: EXPAND };
        self.post::<Intent>(format!("/payment_intents/{id}/confirm"), &form, key).await?.view()
    }

    async fn capture(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.act(id, "capture", key).await
    }

    async fn cancel(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.act(id, "cancel", key).await
    }

    async fn get(&self, id: &str) -> Result<PaymentView, PaymentError> {
        let path = format!("/payment_intents/{id}");
        self.read::<Intent>(path, &Expanded { expand: EXPAND }).await?.view()
    }

    async fn refund(&self, id: &str, key: &str) -> Result<RefundView, PaymentError> {
        let form = OfIntent { payment_intent: id, limit: None };
        self.post::<Refund>("/refunds".to_owned(), &form, key).await?.view()
    }

    async fn refunds(&self, id: &str) -> Result<Vec<RefundView>, PaymentError> {
        let query = OfIntent { payment_intent: id, limit: Some(100) };
        let refunds: Refunds = self.read("/refunds".to_owned(), &query).await?;
        refunds.data.iter().map(Refund::view).collect()
    }
}

/// What a failure proves. Source: <https://docs.stripe.com/api/errors>,
/// <https://docs.stripe.com/error-low-level>.
fn judge(error: StripeError) -> PaymentError {
    let (error, status) = match error {
        StripeError::Stripe(error, status) => (error, status),
        StripeError::Timeout => {
            return PaymentError::Unanswered(format!("no answer within {} seconds", CALL.as_secs()));
        }
        StripeError::ConfigError(message) => return PaymentError::Misconfigured(message),
        StripeError::ClientError(message) | StripeError::JSONDeserialize(message) => {
            return PaymentError::Unanswered(message);
        }
    };
    let kind = error.type_.as_str();
    let code = error.code.as_ref().map_or(kind, |code| code.as_str());
    match status {
        401 | 403 => PaymentError::Misconfigured(format!(
            "it answers {status} to the class's secret key: check that the key is live and may write payments"
        )),
        400 if kind == "idempotency_error" => PaymentError::Misconfigured(
            "an idempotency key was used before with other parameters: two installations may share an account and \
             a name"
                .to_owned(),
        ),
        400 | 402 | 404 => PaymentError::Refused {
            code: answer::decline(code, error.decline_code.as_deref()),
            message: error.message.unwrap_or_else(|| "no reason given".to_owned()),
        },
        _ => PaymentError::Unanswered(format!("status {status} ({code})")),
    }
}

#[cfg(test)]
mod tests;
