//! Stripe's error objects.

use serde_json::{Map, Value, json};

use super::answer::Answer;

/// A refusal in Stripe's words. See <https://docs.stripe.com/api/errors>.
#[derive(Clone, Debug, PartialEq)]
pub struct StripeError {
    status: u16,
    fields: Map<String, Value>,
}

impl StripeError {
    /// An error of the given type.
    pub fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!(kind));
        fields.insert("message".to_owned(), json!(message.into()));
        Self { status, fields }
    }

    /// A request that is wrong in itself or in the state the object is in.
    pub fn invalid_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message).with("code", code)
    }

    /// The intent is in a state that does not allow the call; Stripe shows the intent along with it.
    pub fn unexpected_state(message: impl Into<String>, intent: &Value) -> Self {
        Self::invalid_request("payment_intent_unexpected_state", message)
            .with("payment_intent", intent.clone())
    }

    /// Sets one more field, such as `param` or `charge`.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }
}

impl From<StripeError> for Answer {
    fn from(error: StripeError) -> Self {
        Self { status: error.status, body: json!({ "error": error.fields }) }
    }
}
