//! What is sent to Stripe, in its bracket notation.

use super::amount;
use crate::customer::Contact;
use crate::ports::{Invalid, NewPayment, Part, PaymentError};

/// Fields in the order they are sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(&'static str, String)>);

impl Form {
    pub(super) fn of(fields: &[(&'static str, &str)]) -> Self {
        Self(fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    pub(super) fn and(mut self, (name, value): (&'static str, &str)) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    /// A field that is not sent empty: Stripe reads that as the wish to remove it.
    pub(super) fn and_some(self, name: &'static str, value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.and((name, value)),
            None => self,
        }
    }

    pub(super) fn fields(&self) -> &[(&'static str, String)] {
        &self.0
    }
}

/// Where an intent says whose order it is for: [`Owned`](super::answer::Owned) reads it.
const ORDER: &str = "metadata[comanda_order]";

/// An unconfirmed intent. `description` and `shipping` are what banks in India demand of every charge from abroad.
/// Source: <https://docs.stripe.com/india-exports>.
pub(super) fn creation(payment: &NewPayment<'_>) -> Result<Form, PaymentError> {
    let amount = amount::written(payment.amount).map_err(|_| {
        PaymentError::Invalid(Invalid {
            code: "amount_invalid".to_owned(),
            parameter: Some("amount".to_owned()),
            part: Part::Amount,
        })
    })?;
    let description = format!("Order {} of the store {}", payment.identity.order_id, payment.store);
    let form = Form::of(&[
        ("amount", &amount.to_string()),
        ("currency", &payment.amount.currency.to_lowercase()),
        ("payment_method", payment.payment_method),
        // Cards only: other methods are confirmed in ways an order cannot wait for.
        ("payment_method_types[]", "card"),
        ("capture_method", "manual"),
        (ORDER, &payment.identity.to_string()),
        ("description", &description),
    ]);
    Ok(shipping(form.and_some("customer", payment.customer), payment.recipient))
}

/// Source: <https://docs.stripe.com/api/payment_intents/create#create_payment_intent-shipping>.
fn shipping(form: Form, to: &Contact) -> Form {
    let (first, others) = to.address.lines.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
    let district = to.address.dependent_locality.iter();
    let others: Vec<&str> = others.iter().chain(district).map(String::as_str).collect();
    form.and_some("shipping[name]", Some(&to.name))
        .and_some("shipping[phone]", Some(&to.phone))
        .and_some("shipping[address][line1]", Some(first))
        .and_some("shipping[address][line2]", Some(&others.join(", ")))
        .and_some("shipping[address][city]", to.address.locality.as_deref())
        .and_some("shipping[address][state]", to.address.administrative_area.as_deref())
        .and_some("shipping[address][postal_code]", to.address.postal_code.as_deref())
        .and_some("shipping[address][country]", Some(&to.address.country))
}

#[cfg(test)]
mod tests {
    use comanda_saga::Money;

    use super::*;
    use crate::fixtures::{contact, identity};

    fn sent(recipient: &Contact, customer: Option<&str>) -> Vec<(&'static str, String)> {
        let (amount, identity) = (Money::new(1900, "ISK"), identity());
        let payment = NewPayment {
            amount: &amount,
            payment_method: "pm_card_visa",
            customer,
            identity: &identity,
            store: "centro",
            recipient,
            key: "bistro/shop/a-1/pi/1",
        };
        creation(&payment).expect("a form").0
    }

    #[test]
    fn a_creation_says_what_is_held_for_whom_and_where_it_goes() {
        let mut recipient = contact();
        recipient.address.lines.push("3º B".to_owned());
        recipient.address.dependent_locality = Some("Sol".to_owned());
        let expected = [
            ("amount", "190000"),
            ("currency", "isk"),
            ("payment_method", "pm_card_visa"),
            ("payment_method_types[]", "card"),
            ("capture_method", "manual"),
            ("metadata[comanda_order]", "bistro/shop/a-1"),
            ("description", "Order a-1 of the store centro"),
            ("customer", "cus_1"),
            ("shipping[name]", "Ana Torres"),
            ("shipping[phone]", "+34600000000"),
            ("shipping[address][line1]", "Calle Mayor 1"),
            ("shipping[address][line2]", "3º B, Sol"),
            ("shipping[address][city]", "Madrid"),
            ("shipping[address][state]", "Madrid"),
            ("shipping[address][postal_code]", "28013"),
            ("shipping[address][country]", "ES"),
        ];
        assert_eq!(sent(&recipient, Some("cus_1")), expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn what_is_not_known_is_not_sent_empty() {
        let mut recipient = contact();
        (recipient.address.postal_code, recipient.address.administrative_area) = (None, None);
        let sent = sent(&recipient, None);
        assert!(sent.iter().all(|(_, value)| !value.is_empty()), "{sent:?}");
        assert!(!sent.iter().any(|(name, _)| *name == "customer" || name.contains("state")), "{sent:?}");
    }
}
