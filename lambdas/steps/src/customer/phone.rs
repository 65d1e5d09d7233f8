//! Phone numbers, read and judged as libphonenumber does, by the plans of the release that the crate
//! `rlibphonenumber` carries. `data/phones/parity` compares the two.
//!
//! A number is taken if a plan has it, doubted if only its length is possible, and refused otherwise. What
//! libphonenumber finds possible with fewer than four digits is refused too (`is_service_number`).

mod readings;
#[cfg(test)]
mod tests;

use rlibphonenumber::{PhoneNumber, Region};

use self::readings::{e164, parse};
use super::finding::Finding;
use super::text;

/// What libphonenumber's plans say of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A range of the country's plan has it.
    Valid,
    /// Its length is one that numbers of the country have, in full or within an area, but no range has it.
    Possible,
    /// It cannot be read, its country code is none, or no number of the country is as long.
    Impossible,
}

/// E.164 where the number can be read, and its extension. A number without a country code is read as one of
/// `country` (ISO 3166-1 alpha-2, in capitals). What cannot be read stays as it was written, cleaned; so does the
/// rare number whose E.164 would be read as another.
pub(super) fn normal(phone: &str, country: &str) -> (String, Option<String>) {
    let text = cleaned(phone);
    let region = region(country);
    if let Some(number) = read(&text, region) {
        let e164 = e164(&number);
        if read(&e164, region).is_some_and(|again| self::e164(&again) == e164) {
            return (e164, number.extension);
        }
    }
    (text, None)
}

/// What does not hold about a number in its normal form.
pub(super) fn finding(phone: &str, country: &str) -> Option<Finding> {
    let field = "phone";
    let number = read(&cleaned(phone), region(country));
    match number.as_ref().map_or(Verdict::Impossible, verdict) {
        Verdict::Valid => None,
        Verdict::Possible if !number.is_some_and(|number| is_service_number(&number)) => {
            Some(Finding::doubt(
                field,
                "The phone number is in no known range of its country: check it, and write it in international form, \
             such as +34 600 000 000.",
            ))
        }
        Verdict::Possible | Verdict::Impossible => Some(Finding::refusal(
            field,
            "The phone number cannot be dialled: write it in international form, such as +34 600 000 000.",
        )),
    }
}

/// E.164 where the number can be read, and the verdict on it.
pub(super) fn judge(phone: &str, country: &str) -> (Option<String>, Verdict) {
    let Some(number) = read(&cleaned(phone), region(country)) else { return (None, Verdict::Impossible) };
    (Some(e164(&number)), verdict(&number))
}

fn verdict(number: &PhoneNumber) -> Verdict {
    if number.is_valid() {
        Verdict::Valid
    } else if number.is_possible_with_reason().is_ok() {
        Verdict::Possible
    } else {
        Verdict::Impossible
    }
}

/// Whether a number is an emergency or another service number, such as 112, which some plans leave room for: nobody
/// is reached at home by one.
fn is_service_number(number: &PhoneNumber) -> bool {
    number.get_national_significant_number().len() < 4
}

fn region(country: &str) -> Option<Region> {
    country.trim().to_ascii_uppercase().parse().ok()
}

/// The text without the invisible characters that come along when a number is copied from a contact list (zero
/// width, direction marks, variation selectors), which libphonenumber does not take within a number.
fn cleaned(phone: &str) -> String {
    let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
    text::normal(&phone.replace(invisible, ""))
}

/// The plain reading, which is libphonenumber's, unless the number says more clearly what it is. Only where the plain
/// one is not valid, the first of the other readings that is; where none is, the plain one.
fn read(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let text = readings::of_today(text, region);
    let with_own_code = region.and_then(|region| readings::with_own_code(&text, region));
    if with_own_code.is_some() {
        return with_own_code;
    }
    let plain = parse(&text, region);
    if plain.as_ref().is_some_and(PhoneNumber::is_valid) {
        return plain;
    }
    let others: Vec<PhoneNumber> =
        readings::others(&text).iter().filter_map(|other| parse(other, region)).collect();
    let renumbered = || {
        let numbers = plain.iter().chain(&others);
        numbers.flat_map(|number| readings::renumbered(number, &text)).find(PhoneNumber::is_valid)
    };
    others.iter().find(|other| other.is_valid()).cloned().or_else(renumbered).or(plain)
}
