//! Name, phone number and e-mail address: enough to reach the customer.

use comanda_crds::Inline;
use email_address::{EmailAddress, Options};

/// What does not hold about a customer's contact, a sentence each, none of which repeats it.
pub(super) fn problems(customer: &Inline) -> Vec<String> {
    let mut problems = Vec::new();
    if customer.name.trim().is_empty() {
        problems.push("The customer's name is empty: write the name on the door.".to_owned());
    }
    if !is_phone_number(&customer.phone, &customer.address.country) {
        problems.push(
            "The phone number cannot be dialled: write it in international form, such as +34 600 000 000."
                .to_owned(),
        );
    }
    if !is_email_address(&customer.email) {
        problems.push("The e-mail address is not one: write it like name@example.com.".to_owned());
    }
    problems
}

/// A number without a country code is read as one of the address's country.
fn is_phone_number(phone: &str, country: &str) -> bool {
    let phone = phone.trim();
    let country = if phone.starts_with('+') { None } else { country.trim().to_uppercase().parse().ok() };
    phonenumber::parse(country, phone).is_ok_and(|number| phonenumber::is_valid(&number))
}

fn is_email_address(email: &str) -> bool {
    let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(email.trim(), options).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_can_be_dialled_hold_with_and_without_a_country_code() {
        for (phone, country) in [
            ("+34 600 000 000", "ES"),
            ("912 345 678", "ES"),
            ("+55 11 91234-5678", "BR"),
            ("(11) 91234-5678", "BR"),
            ("+81 90 1234 5678", "JP"),
            ("090-1234-5678", "jp"),
            ("+1 650 253 0000", "US"),
            ("650-253-0000", "US"),
            ("+34 600 000 000", "BR"),
        ] {
            assert!(is_phone_number(phone, country), "{phone} in {country}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        for (phone, country) in [
            ("", "ES"),
            ("12", "ES"),
            ("call me", "US"),
            ("+34 1", "ES"),
            ("+999 123456789", "ES"),
            ("600 000 000", "QQ"),
        ] {
            assert!(!is_phone_number(phone, country), "{phone} in {country}");
        }
    }

    #[test]
    fn an_email_address_needs_a_mailbox_and_a_domain_with_a_dot() {
        for good in ["ana@example.com", "ana.b+food@mail.example.co.jp", "josé@example.es"] {
            assert!(is_email_address(good), "{good}");
        }
        for bad in [
            "",
            "ana",
            "ana@localhost",
            "@example.com",
            "Ana <ana@example.com>",
            "ana@[127.0.0.1]",
            "a b@example.com",
        ] {
            assert!(!is_email_address(bad), "{bad}");
        }
    }
}
