//! How long each field may be: what the API server demands of `customer.inline` holds wherever a customer comes from.
//!
//! A field that is too long is kept cut, with one letter more than it may have, so that the ledger, SNS and the broker
//! take it and the order is refused all the same.

use comanda_crds::{Address, Inline};

use super::{Contact, Finding, text};

const NAME: usize = 120;
const PHONE: usize = 40;
const EMAIL: usize = 254;
const LOCALE: usize = 35;
const COUNTRY: usize = 60;
const POSTAL_CODE: usize = 20;
const PLACE: usize = 80;
const LINE: usize = 120;
const LINES: usize = 4;
/// No letter of an address, a number or a name ends in it.
const CUT: char = '…';

/// Every field as text in its normal form, or cut where it is too long.
pub(super) fn bounded(customer: Inline) -> Inline {
    let optional = |field: Option<String>, most| field.map(|field| fit(&field, most));
    let address = customer.address;
    Inline {
        name: fit(&customer.name, NAME),
        phone: fit(&customer.phone, PHONE),
        email: fit(&customer.email, EMAIL),
        locale: fit(&customer.locale, LOCALE),
        address: Address {
            country: fit(&address.country, COUNTRY),
            postal_code: optional(address.postal_code, POSTAL_CODE),
            administrative_area: optional(address.administrative_area, PLACE),
            locality: optional(address.locality, PLACE),
            dependent_locality: optional(address.dependent_locality, PLACE),
            lines: address.lines.iter().take(LINES + 1).map(|line| fit(line, LINE)).collect(),
        },
    }
}

fn fit(written: &str, most: usize) -> String {
    let normal = text::normal(written);
    if !exceeds(&normal, most) {
        return normal;
    }
    // Some letters become several in their normal form: a field that was short enough stays as it was written.
    let written = written.trim();
    if !exceeds(written, most) {
        return written.to_owned();
    }
    normal.chars().filter(|letter| *letter != CUT).take(most).chain([CUT]).collect()
}

pub(super) fn exceeds(text: &str, most: usize) -> bool {
    text.chars().nth(most).is_some()
}

/// The phone number is cut: what is left is no number.
pub(super) fn is_cut(text: &str) -> bool {
    text.ends_with(CUT)
}

/// The fields that are too long.
pub(super) fn findings(contact: &Contact) -> Vec<Finding> {
    let Contact { name, phone, email, locale, address, .. } = contact;
    let optional = |field: &Option<String>| field.clone().unwrap_or_default();
    let longest_line = address.lines.iter().max_by_key(|line| line.chars().count()).cloned();
    let mut findings: Vec<Finding> = [
        ("name", "customer's name", name, NAME),
        ("phone", "phone number", phone, PHONE),
        ("email", "e-mail address", email, EMAIL),
        ("locale", "locale", locale, LOCALE),
        ("address.country", "country", &address.country, COUNTRY),
        ("address.postalCode", "postal code", &optional(&address.postal_code), POSTAL_CODE),
        ("address.administrativeArea", "administrative area", &optional(&address.administrative_area), PLACE),
        ("address.locality", "locality", &optional(&address.locality), PLACE),
        ("address.dependentLocality", "dependent locality", &optional(&address.dependent_locality), PLACE),
        ("address.lines", "longest line of the address", &longest_line.unwrap_or_default(), LINE),
    ]
    .into_iter()
    .filter(|(_, _, text, most)| exceeds(text, *most))
    .map(|(field, what, _, most)| {
        Finding::refusal(field, format!("The {what} has more than {most} letters: shorten it."))
    })
    .collect();
    if address.lines.len() > LINES {
        findings.push(Finding::refusal(
            "address.lines",
            format!("The address has more than {LINES} lines: join some."),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::customer;

    #[test]
    fn the_bounds_are_those_of_the_definition() {
        let schema = schemars::schema_for!(Inline).to_value();
        let address = schemars::schema_for!(Address).to_value();
        let most = |schema: &serde_json::Value, path: &str| {
            schema
                .pointer(path)
                .and_then(serde_json::Value::as_u64)
                .and_then(|most| usize::try_from(most).ok())
        };
        for (field, bound) in [("name", NAME), ("phone", PHONE), ("email", EMAIL), ("locale", LOCALE)] {
            assert_eq!(most(&schema, &format!("/properties/{field}/maxLength")), Some(bound), "{field}");
        }
        for (field, bound) in [
            ("country/maxLength", COUNTRY),
            ("postalCode/maxLength", POSTAL_CODE),
            ("administrativeArea/maxLength", PLACE),
            ("locality/maxLength", PLACE),
            ("dependentLocality/maxLength", PLACE),
            ("lines/maxItems", LINES),
            ("lines/items/maxLength", LINE),
        ] {
            assert_eq!(most(&address, &format!("/properties/{field}")), Some(bound), "{field}");
        }
    }

    #[test]
    fn every_field_that_is_too_long_is_cut_and_named_and_none_is_repeated() {
        let long = "x".repeat(150_000);
        let mut customer = customer();
        (customer.name, customer.phone, customer.email) = (long.clone(), long.clone(), long.clone());
        customer.locale = long.clone();
        customer.address.locality = Some(long.clone());
        customer.address.dependent_locality = Some(long.clone());
        customer.address.lines = vec![long; 9];
        let contact = Contact::of(&customer);
        assert!(serde_json::to_vec(&contact).expect("JSON").len() < 2000);
        let findings = contact.findings();
        let said: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        for expected in [
            "The customer's name has more than 120 letters: shorten it.",
            "The phone number has more than 40 letters: shorten it.",
            "The e-mail address has more than 254 letters: shorten it.",
            "The locale has more than 35 letters: shorten it.",
            "The locality has more than 80 letters: shorten it.",
            "The dependent locality has more than 80 letters: shorten it.",
            "The longest line of the address has more than 120 letters: shorten it.",
            "The address has more than 4 lines: join some.",
        ] {
            assert!(said.contains(&expected), "{expected} is not in {said:?}");
        }
        assert!(!said.iter().any(|sentence| sentence.contains("xx")), "{said:?}");
    }

    #[test]
    fn a_number_that_is_cut_is_no_number() {
        let mut customer = customer();
        customer.phone = format!("+34 600 000 000{}", "9".repeat(40));
        let contact = Contact::of(&customer);
        assert!(contact.phone.ends_with(CUT), "{}", contact.phone);
        assert_eq!(contact.findings().len(), 1);
    }

    #[test]
    fn a_name_as_long_as_it_may_be_holds_whatever_its_letters_become() {
        let mut customer = customer();
        customer.name = "㈱".repeat(NAME);
        assert_eq!(Contact::of(&customer).findings(), []);
        customer.name = "ñ".repeat(NAME);
        assert_eq!(Contact::of(&customer).findings(), []);
    }
}
