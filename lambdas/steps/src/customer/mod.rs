//! The customer's data: one normal form of each field, made once, and what does not hold about it.
//!
//! A [`Contact`] is what the ledger keeps, what is judged, and what goes to SNS, to couriers and to the payment
//! provider. Making it never fails: what cannot be brought into a normal form stays as it was written, and
//! `Contact::findings` says so. To make a contact of a contact changes nothing.

mod address;
mod bounds;
mod contact;
mod email;
mod finding;
mod phone;
mod text;

use comanda_crds::Inline;

pub use contact::Contact;
pub(crate) use finding::{Finding, Weight};
pub use phone::Verdict;

/// E.164 of a phone number written in `country` (ISO 3166-1 alpha-2), where it can be read, and the verdict of the
/// country's plan. For `examples/phones.rs`, which compares this with libphonenumber; orders go through [`Contact`].
pub fn judge_phone(phone: &str, country: &str) -> (Option<String>, Verdict) {
    phone::judge(phone, country)
}

/// Whether the data knows an area (state, province, prefecture) of the country by this name, so that it raises no
/// doubt. `country` is an ISO 3166-1 alpha-2 code in capitals. A country without such data takes any name.
pub fn area_is_known(country: &str, name: &str) -> bool {
    address::area_is_known(country, name)
}

impl Contact {
    /// The normal form of a customer's data.
    pub fn of(customer: &Inline) -> Self {
        bounds::normal(customer.clone(), None)
    }

    /// The normal form of what the ledger kept, which somebody else may have written there.
    pub(crate) fn again(self) -> Self {
        let Self { name, phone, phone_extension, email, locale, address } = self;
        bounds::normal(Inline { name, phone, email, locale, address }, phone_extension)
    }

    /// Everything that does not hold or is in doubt, in the order of the fields.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = bounds::findings(self);
        if !self.name.contains(char::is_alphanumeric) {
            findings.push(Finding::refusal(
                "name",
                "The customer's name has no letter: write the name on the door.",
            ));
        }
        if bounds::holds_phone(self) {
            findings.extend(phone::finding(&self.phone, &self.address.country));
        }
        findings.extend(email::finding(&self.email));
        findings.extend(address::findings(&self.address));
        findings
    }
}

#[cfg(test)]
mod tests {
    use comanda_crds::Address;

    use super::*;

    #[test]
    fn a_name_without_a_letter_or_a_digit_is_refused() {
        let address = Address {
            country: "ES".to_owned(),
            postal_code: None,
            administrative_area: None,
            locality: None,
            dependent_locality: None,
            lines: Vec::new(),
        };
        for (name, is_name) in [
            ("", false),
            (" ", false),
            ("-", false),
            (".", false),
            ("...", false),
            ("\u{200C}", false),
            ("O", true),
            ("李", true),
            ("علی", true),
            ("7", true),
        ] {
            let customer = Inline {
                name: name.to_owned(),
                phone: String::new(),
                email: String::new(),
                locale: "es".to_owned(),
                address: address.clone(),
            };
            let findings = Contact::of(&customer).findings();
            assert_eq!(!findings.iter().any(|finding| finding.field == "name"), is_name, "{name:?}");
        }
    }
}
