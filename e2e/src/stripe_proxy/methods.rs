//! The payment method of an intent: what it is, whose it is, and the card of localstripe behind it.

use serde_json::Value;

use super::cards::{card, other_type};
use super::error::StripeError;
use super::payments::{Payments, Refused, unstored};
use super::request::{Params, Request};
use super::shape::Notes;

impl Payments {
    /// A customer that an intent names has to be one of the account's.
    pub(super) async fn check_customer(&self, request: &Request) -> Result<(), Refused> {
        let Some(customer) = request.params.get("customer") else { return Ok(()) };
        let path = format!("/v1/customers/{customer}");
        let known = self.upstream.get(&request.authorization, &path, &Params::default()).await;
        if known.is_success() {
            return Ok(());
        }
        let message = format!("No such customer: '{customer}'");
        Err(StripeError::invalid_request("resource_missing", message).with("param", "customer").into())
    }

    /// A saved method is charged with its customer only. Source of the sentence:
    /// <https://github.com/stripe/stripe-android/issues/1017>.
    fn check_owner(request: &Request, method: &Value) -> Result<(), Refused> {
        let Some(owner) = method["customer"].as_str() else { return Ok(()) };
        if request.params.get("customer") == Some(owner) {
            return Ok(());
        }
        let message = format!(
            "The `payment_method` parameter supplied {} belongs to the Customer {owner}. Please include the Customer in \
             the `customer` parameter on the PaymentIntent.",
            method["id"].as_str().unwrap_or_default()
        );
        let error = StripeError::new(400, "invalid_request_error", message);
        Err(error.with("param", "payment_method").into())
    }

    /// Puts a method localstripe can charge in place of a test token.
    pub(super) async fn charge_card(
        &self,
        request: &Request,
        form: &mut Params,
        notes: &mut Notes,
    ) -> Result<(), Refused> {
        let Some(token) = form.get("payment_method") else { return Ok(()) };
        if let Some(kind) = other_type(token) {
            // As people report it: <https://github.com/Automattic/woocommerce-payments/pull/7026>.
            let message = format!(
                "The PaymentMethod provided ({kind}) is not allowed for this PaymentIntent. Please attach a \
                 PaymentMethod of one of the following types: card. Alternatively, update the allowed \
                 payment_method_types for this PaymentIntent to include \"{kind}\"."
            );
            return Err(StripeError::new(400, "invalid_request_error", message).into());
        }
        let Some(card) = card(token) else {
            let path = format!("/v1/payment_methods/{token}");
            let known = self.upstream.get(&request.authorization, &path, &Params::default()).await;
            if known.is_success() {
                return Self::check_owner(request, &known.body);
            }
            let message = format!("No such PaymentMethod: '{token}'");
            return Err(StripeError::invalid_request("resource_missing", message)
                .with("param", "payment_method")
                .into());
        };
        notes.decline = card.decline;
        notes.refunds = card.refunds;
        notes.disputed = card.disputed;
        let pairs = [
            ("type", "card"),
            ("card[number]", card.number),
            ("card[exp_month]", "12"),
            ("card[exp_year]", "2040"),
            ("card[cvc]", "123"),
        ];
        let method = Params(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        let made = self.upstream.post(&request.authorization, "/v1/payment_methods", &method).await;
        let made = made.success().map_err(unstored)?;
        form.replace("payment_method", made["id"].as_str().unwrap_or_default());
        Ok(())
    }

    /// A method given with the confirmation replaces the one the intent has.
    pub(super) async fn change_card(
        &self,
        request: &Request,
        id: &str,
        intent: &Value,
    ) -> Result<(), Refused> {
        let mut form = request.params.only(&["payment_method"]);
        if form.0.is_empty() {
            return Ok(());
        }
        if !intent["latest_charge"].is_null() {
            let message =
                "The local Stripe cannot confirm an intent again after a declined charge: create a new one.";
            return Err(StripeError::new(400, "invalid_request_error", message).into());
        }
        let mut notes = self.memory.notes(id);
        self.charge_card(request, &mut form, &mut notes).await?;
        self.memory.set_notes(id, &request.authorization, notes);
        let path = format!("/v1/payment_intents/{id}");
        let answer = self.upstream.post(&request.authorization, &path, &form).await;
        answer.success().map(drop).map_err(unstored)
    }
}
