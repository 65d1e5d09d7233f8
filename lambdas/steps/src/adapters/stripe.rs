//! Stripe, by its `PaymentIntents`.
//!
//! Of each answer only the fields used here are decoded, so that a new API version, which adds and
//! drops others, changes nothing. Amounts go out and come in as Stripe writes them, and are ISO 4217
//! minor units everywhere else.

mod amount;
mod answer;
mod form;
pub mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use comanda_saga::{Identity, Money, PaymentView, RefundView};
use jiff::SignedDuration;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde::de::DeserializeOwned;

use self::answer::{Intent, Owned, Refund, Refunds};
use self::form::Form;
use crate::ports::{Invalid, NewPayment, PaymentError, PaymentRules, Payments, Unchargeable};

/// Longest time a call may take. Confirmations wait for the card's issuer.
const CALL: Duration = Duration::from_secs(10);
/// Longest time an idle connection is kept for the next call. Stripe closes its own after about a minute.
const IDLE: Duration = Duration::from_secs(50);
/// How long an idempotency key is certain to be known, less an hour.
/// Source: <https://docs.stripe.com/api/idempotent_requests> (keys live at least 24 hours).
const KEY_LIFETIME: SignedDuration = SignedDuration::from_hours(23);
/// With it come `capture_before` and what else is known of the charge.
const EXPAND: (&str, &str) = ("expand[]", "latest_charge");

/// A Stripe account, and the connections to it, which are kept from call to call.
#[derive(Clone, Debug)]
pub struct StripePayments {
    /// It knows the secret key, and prints it nowhere.
    client: Client,
    url: Url,
    return_url: Option<String>,
}

impl StripePayments {
    /// The account of a secret key, at Stripe's URL or at one that behaves like it. Customers return to
    /// `return_url` from a confirmation. Requests are made once: who repeats them is decided elsewhere.
    pub fn new(secret_key: &str, url: &str, return_url: Option<String>) -> Result<Self, PaymentError> {
        let unusable = || {
            PaymentError::Misconfigured(
                "payments.stripe.secretKey or payments.stripe.url cannot be used: check both".to_owned(),
            )
        };
        let secret_key = secret_key.trim();
        if secret_key.is_empty() || !secret_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable());
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {secret_key}")).map_err(|_| unusable())?;
        authorization.set_sensitive(true);
        let url = Url::parse(url).and_then(|url| url.join("/v1/")).map_err(|_| unusable())?;
        let client = Client::builder()
            .user_agent(concat!("comanda/", env!("CARGO_PKG_VERSION")))
            .default_headers([(AUTHORIZATION, authorization)].into_iter().collect())
            .timeout(CALL)
            // As the calls to AWS: what the environment says of proxies is for other programs.
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|_| unusable())?;
        Ok(Self { client, url, return_url })
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form, key: &str) -> Result<T, PaymentError> {
        let request = self.client.post(self.at(path)?).header("Idempotency-Key", key);
        self.send(request.form(form.fields())).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, PaymentError> {
        self.send(self.client.get(self.at(path)?).query(query)).await
    }

    fn at(&self, path: &str) -> Result<Url, PaymentError> {
        self.url.join(path).map_err(|error| PaymentError::Misconfigured(error.to_string()))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, PaymentError> {
        let answer = request.send().await.map_err(|error| lost(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| lost(&error))?;
        if !status.is_success() {
            return Err(answer::refusal(status.as_u16(), &serde_json::from_slice(&body).unwrap_or_default()));
        }
        serde_json::from_slice(&body).map_err(|error| {
            PaymentError::Unanswered(format!("an answer that cannot be read (column {})", error.column()))
        })
    }

    async fn act(&self, id: &str, verb: &str, key: &str) -> Result<PaymentView, PaymentError> {
        let form = Form::of(&[EXPAND]);
        self.post::<Intent>(&format!("payment_intents/{id}/{verb}"), &form, key).await?.view()
    }
}

/// What is known of Stripe beforehand.
#[derive(Clone, Copy, Debug)]
pub struct StripeRules;

impl PaymentRules for StripeRules {
    fn check_amount(&self, amount: &Money) -> Result<(), Unchargeable> {
        amount::written(amount).map(drop).map_err(|error| Unchargeable(error.to_string()))
    }

    fn key_lifetime(&self) -> SignedDuration {
        KEY_LIFETIME
    }
}

#[async_trait]
impl Payments for StripePayments {
    async fn create(&self, payment: &NewPayment<'_>) -> Result<PaymentView, PaymentError> {
        let form = form::creation(payment)?.and(EXPAND);
        self.post::<Intent>("payment_intents", &form, payment.key).await?.view()
    }

    async fn confirm(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        // With a return URL, Stripe answers with a link where it wants the customer to confirm.
        let form = Form::of(&[EXPAND]).and_some("return_url", self.return_url.as_deref());
        self.post::<Intent>(&format!("payment_intents/{id}/confirm"), &form, key).await?.view()
    }

    async fn capture(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.act(id, "capture", key).await
    }

    async fn cancel(&self, id: &str, key: &str) -> Result<PaymentView, PaymentError> {
        self.act(id, "cancel", key).await
    }

    async fn get(&self, id: &str) -> Result<PaymentView, PaymentError> {
        self.read::<Intent>(&format!("payment_intents/{id}"), &[EXPAND]).await?.view()
    }

    async fn refund(&self, id: &str, key: &str) -> Result<RefundView, PaymentError> {
        self.post::<Refund>("refunds", &Form::of(&[("payment_intent", id)]), key).await?.view()
    }

    async fn refunds(&self, id: &str) -> Result<Vec<RefundView>, PaymentError> {
        let refunds: Refunds = self.read("refunds", &[("payment_intent", id), ("limit", "100")]).await?;
        refunds.data.iter().map(Refund::view).collect()
    }

    async fn order_of(&self, id: &str) -> Result<Option<Identity>, PaymentError> {
        match self.read::<Owned>(&format!("payment_intents/{id}"), &[]).await {
            Ok(intent) => Ok(intent.order()),
            // Another account's, or one of the account's other mode.
            Err(PaymentError::Invalid(Invalid { code, .. })) if code == "resource_missing" => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// No answer, or none that is whole. The URL, which names the payment, is left out.
fn lost(error: &reqwest::Error) -> PaymentError {
    if error.is_timeout() {
        return PaymentError::Unanswered(format!("no answer within {} seconds", CALL.as_secs()));
    }
    let mut why = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        why = error.to_string();
        cause = error.source();
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    PaymentError::Unanswered(if why.is_empty() { what.to_owned() } else { format!("{what}: {why}") })
}

#[cfg(test)]
mod tests;
