//! The services behind the [`ports`](crate::ports): DynamoDB, Stripe, SNS, SQS, Step Functions, and MQTT by AWS IoT Core.

pub mod aws;
pub mod dynamodb;
pub mod iot;
pub mod iot_data;
pub mod sns;
pub mod sqs;
pub mod stepfunctions;
pub mod stripe;

use std::sync::Arc;

use comanda_crds::SecretKeyRef;

use crate::ports::{PaymentError, PaymentRules, Payments};

/// Where the key of the payment provider is that a class names; none where the operator has none.
pub fn payment_key(class: &comanda_crds::Payments) -> Option<&SecretKeyRef> {
    class.stripe.secret_key.as_ref()
}

/// What is known of the payment provider that a class names.
pub fn payment_rules(class: &comanda_crds::Payments) -> &'static dyn PaymentRules {
    let comanda_crds::Payments { stripe: _, .. } = class;
    &stripe::StripeRules
}

/// The payment provider that a class names, by its key.
///
/// # Errors
/// When what the class says of it cannot be used.
pub fn payments(class: &comanda_crds::Payments, key: &str) -> Result<Arc<dyn Payments>, PaymentError> {
    let comanda_crds::Stripe { url, return_url, .. } = &class.stripe;
    Ok(Arc::new(stripe::StripePayments::new(key, url, return_url.clone())?))
}
