//! How long each field may be: what the API server demands of `customer.inline` holds wherever a customer comes from.
//!
//! A field that is too long is kept cut, with one letter more than it may have, and is not looked at any further: the
//! ledger, SNS and the broker take it, and the order is refused for it. No part of it is taken for the whole.

use comanda_crds::{Address, Inline};

use super::contact::Contact;
use super::finding::Finding;
use super::{address, email, phone, text};

const NAME: usize = 120;
const PHONE: usize = 40;
const EMAIL: usize = 254;
const LOCALE: usize = 35;
const COUNTRY: usize = 60;
const POSTAL_CODE: usize = 20;
const PLACE: usize = 80;
const LINE: usize = 120;
const LINES: usize = 4;
/// Stands for what was cut off.
const CUT: char = '…';

/// A field within its bound as text in its normal form, or one that stays as it is: cut, or with letters that become
/// several in their normal form, which then would be too long.
type Fitted = Result<String, String>;

fn fit(written: &str, most: usize) -> Fitted {
    let normal = text::normal(written);
    if !exceeds(&normal, most) {
        return Ok(normal);
    }
    let composed = text::composed(written);
    if !exceeds(&composed, most) {
        return Err(composed);
    }
    Err(composed.chars().take(most).chain([CUT]).collect())
}

fn exceeds(text: &str, most: usize) -> bool {
    text.chars().nth(most).is_some()
}

fn either(fitted: Fitted) -> String {
    fitted.unwrap_or_else(|kept| kept)
}

/// The normal form of every field that is within its bound.
pub(super) fn normal(customer: Inline, extension: Option<String>) -> Contact {
    let Inline { name, phone, email, locale, address } = customer;
    let address = normal_address(&address);
    let (phone, found) = match fit(&phone, PHONE) {
        Ok(phone) => phone::normal(&phone, &address.country),
        Err(kept) => (kept, None),
    };
    Contact {
        name: either(fit(&name, NAME)),
        phone,
        phone_extension: found.or(extension),
        email: either(fit(&email, EMAIL).map(|email| email::normal(&email))),
        locale: either(fit(&locale, LOCALE)),
        address,
    }
}

fn normal_address(address: &Address) -> Address {
    let optional = |field: &Option<String>, most| field.as_deref().map(|field| fit(field, most));
    let postal_code = optional(&address.postal_code, POSTAL_CODE);
    let area = optional(&address.administrative_area, PLACE);
    let locality = optional(&address.locality, PLACE);
    let district = optional(&address.dependent_locality, PLACE);
    let fitting = |field: &Option<Fitted>| field.clone().and_then(Result::ok);
    let normal = address::normal(&Address {
        country: either(fit(&address.country, COUNTRY)),
        postal_code: fitting(&postal_code),
        administrative_area: fitting(&area),
        locality: fitting(&locality),
        dependent_locality: fitting(&district),
        lines: Vec::new(),
    });
    let kept = |field: Option<Fitted>| field.and_then(Result::err);
    let lines = address.lines.iter().map(|line| either(fit(line, LINE)));
    Address {
        country: normal.country,
        postal_code: kept(postal_code).or(normal.postal_code),
        administrative_area: kept(area).or(normal.administrative_area),
        locality: kept(locality).or(normal.locality),
        dependent_locality: kept(district).or(normal.dependent_locality),
        lines: lines.filter(|line| address::is_written(line)).take(LINES + 1).collect(),
    }
}

/// Whether the phone number is within its bound: what was cut is no number.
pub(super) fn holds_phone(contact: &Contact) -> bool {
    !exceeds(&contact.phone, PHONE)
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

    /// Each value would hold if it were cut, or if what stands for the rest were taken off.
    #[test]
    fn no_part_of_a_field_that_is_too_long_is_taken_for_the_whole() {
        type Change = fn(&mut Inline);
        let changes: [(&str, Change); 6] = [
            ("phone", |customer| customer.phone = format!("+34 600 000 000{}", " ext 1".repeat(9))),
            ("email", |customer| customer.email = format!("ana@{}example.com", "mail.".repeat(60))),
            ("email", |customer| customer.email = format!("ana@{}.com", "a".repeat(300))),
            ("address.postalCode", |customer| {
                customer.address.country = "US".to_owned();
                customer.address.administrative_area = None;
                customer.address.postal_code = Some("1 2 3 4 5 - 6 7 8 9 0 1 2".to_owned());
            }),
            ("address.administrativeArea", |customer| {
                customer.address.administrative_area = Some(format!("Madrid{}", ", España".repeat(20)));
            }),
            ("address.lines", |customer| customer.address.lines = vec!["Calle Mayor 1 ".repeat(20)]),
        ];
        for (field, change) in changes {
            let mut customer = customer();
            change(&mut customer);
            let contact = Contact::of(&customer);
            let named: Vec<_> = contact.findings().into_iter().map(|finding| finding.field).collect();
            assert!(named.contains(&field), "{field}: {contact:?}");
            assert_eq!(contact.clone().again(), contact, "{field} is cut anew each time");
        }
    }

    #[test]
    fn blank_lines_of_an_address_do_not_count() {
        let mut customer = customer();
        customer.address.lines =
            ["Calle Mayor 1", "", "3º B", " ", "-", "Bloque 2", "Puerta 3"].map(str::to_owned).to_vec();
        let contact = Contact::of(&customer);
        assert_eq!(contact.address.lines, ["Calle Mayor 1", "3º B", "Bloque 2", "Puerta 3"]);
        assert_eq!(contact.findings(), []);
    }

    #[test]
    fn a_field_as_long_as_it_may_be_holds_whatever_its_letters_become() {
        for letter in ["ﬃ", "ñ", "n\u{303}"] {
            let mut customer = customer();
            customer.name = letter.repeat(NAME);
            customer.address.lines = vec![letter.repeat(LINE)];
            let contact = Contact::of(&customer);
            assert_eq!(contact.findings(), [], "{letter}");
            assert_eq!(contact.clone().again(), contact, "{letter}");
        }
    }
}
