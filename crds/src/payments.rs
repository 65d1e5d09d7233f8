//! Who is paid, and when: the part of an [`OrderClass`](crate::OrderClass) about payments.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::order_class::SecretKeyRef;

/// The payment provider and the capture policy.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payments {
    /// A Stripe account.
    pub stripe: Stripe,
    /// When the authorized amount is taken. `WhenReady`: when the food is ready, before a courier is sent,
    /// so that an undo before that costs nothing. `AtOnce`: right after the authorization.
    #[serde(default)]
    pub capture: Capture,
}

/// A Stripe account.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[x_kube(validation = Rule::new("!has(self.webhook) || !has(self.webhook.signingSecret) || has(self.secretKey)").message("webhook.signingSecret needs secretKey: the operator looks up what Stripe tells it of").field_path(".webhook.signingSecret"))]
#[serde(rename_all = "camelCase")]
pub struct Stripe {
    /// The account's secret key. A class that delegates every phase in which payments are made or undone can leave it to
    /// the functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<SecretKeyRef>,
    /// Base URL of the API.
    #[serde(default = "stripe_url")]
    #[schemars(length(max = 200))]
    #[x_kube(validation = Rule::new("self.matches('^https?://([-.A-Za-z0-9]+|\\\\[[0-9A-Fa-f:]+\\\\])(:[0-9]{1,5})?/?$')").message("url must be http(s)://host[:port], such as https://api.stripe.com"))]
    pub url: String,
    /// Where customers land after they confirmed a payment (3-D Secure). Without it, a card that asks for
    /// confirmation cannot offer a link, and the order is rejected when its time is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^ ]+$')").message("returnUrl must be a web address, such as https://shop.example.com/paid"))]
    pub return_url: Option<String>,
    /// The account sends its events to this installation. A payment that waits for its customer (3-D Secure) is then looked
    /// up rarely, in case an event is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

impl Payments {
    /// True when the provider says by itself what becomes of a payment.
    pub fn tells(&self) -> bool {
        self.stripe.webhook.is_some()
    }
}

/// Where an account's events come in.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// The endpoint's signing secret, `whsec_…`, where the operator takes the events in (`--webhook-listen`): one a line,
    /// while one is rolled. Where the function `stripe-webhook` takes them in, that has the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<SecretKeyRef>,
}

fn stripe_url() -> String {
    "https://api.stripe.com".to_owned()
}

/// When the authorized amount is taken.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Capture {
    /// When the food is ready, before a courier is sent: an undo before that costs nothing.
    #[default]
    WhenReady,
    /// Right after the authorization.
    AtOnce,
}
