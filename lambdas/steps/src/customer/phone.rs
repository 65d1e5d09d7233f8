//! Phone numbers, read and judged as libphonenumber does, by the plans of the release that the crate
//! `rlibphonenumber` carries. `data/phones/parity` compares the two.
//!
//! A number is taken if a plan has it, doubted if only its length is possible, and refused otherwise.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use regex::Regex;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, Region};

use super::{Finding, text};

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
    match judge(phone, country).1 {
        Verdict::Valid => None,
        Verdict::Possible => Some(Finding::doubt(
            field,
            "The phone number is in no known range of its country: check it, and write it in international form, \
             such as +34 600 000 000.",
        )),
        Verdict::Impossible => Some(Finding::refusal(
            field,
            "The phone number cannot be dialled: write it in international form, such as +34 600 000 000.",
        )),
    }
}

/// E.164 where the number can be read, and the verdict on it.
pub(super) fn judge(phone: &str, country: &str) -> (Option<String>, Verdict) {
    let Some(number) = read(&cleaned(phone), region(country)) else { return (None, Verdict::Impossible) };
    let verdict = if number.is_valid() {
        Verdict::Valid
    } else if number.is_possible_with_reason().is_ok() {
        Verdict::Possible
    } else {
        Verdict::Impossible
    };
    (Some(e164(&number)), verdict)
}

fn e164(number: &PhoneNumber) -> String {
    number.format_as(PhoneNumberFormat::E164).into_owned()
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

/// The plain reading, which is libphonenumber's. Only where that is not valid, the first of the other readings that
/// is; where none is, the plain one.
fn read(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    let text = in_todays_mexico(text, region);
    let plain = parse(&text, region);
    if plain.as_ref().is_some_and(PhoneNumber::is_valid) {
        return plain;
    }
    other_readings(&text)
        .iter()
        .filter_map(|other| parse(other, region))
        .find(PhoneNumber::is_valid)
        .or(plain)
}

fn parse(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    PHONE_NUMBER_UTIL.parse(text, region).ok()
}

/// Between two digits of one number.
const GAP: &str = r"[\s\p{Pd}−().]*";

/// Mexico's numbers without the prefixes that its plan has not had since 3 August 2019: 1 after the country code,
/// and 01, 044 and 045. `WhatsApp` still hands out `+52 1 …`, and libphonenumber no longer takes any of them
/// (<https://github.com/daviddrysdale/python-phonenumbers/issues/306>).
fn in_todays_mexico(text: &str, region: Option<Region>) -> String {
    static OLD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"^[^\d+]*(?P<abroad>(?:\+{GAP}(?:00)?|00|011){GAP}52{GAP})?(?:52{GAP})?(?:1|01|04[45]){GAP}(?P<number>[2-9](?:{GAP}\d){{9}})(?P<rest>(?:{GAP}[^\d\s\p{{Pd}}−().].*)?){GAP}$"
        ))
        .expect("a constant pattern")
    });
    match OLD.captures(text) {
        Some(old) if old.name("abroad").is_some() || region == Some(Region::MX) => {
            format!("+52 {}{}", &old["number"], &old["rest"])
        }
        _ => text.to_owned(),
    }
}

/// Other ways in which people mean a number, each tried only where what comes before it is not valid:
///
/// 1. `(0)` behind a country code, in a country that dials no 0: `+34 (0) 600 …`.
/// 2. `00`, the international prefix that ITU-T recommends, in a country that has another. Behind a plus also `011`,
///    North America's, and the 0 of a national number: `+00 34 …`, `+0407 …`. `011` alone is an area code in too many
///    countries: a digit too many, and it would reach somebody abroad.
/// 3. A country code chosen in a list, and then written again: `+34 +34 600 …`. The last plus counts.
/// 4. A note or another number behind it, or separators that libphonenumber does not know: `600_123_456 mornings`,
///    `600 123 456 / 600 123 457`. The first number counts.
fn other_readings(text: &str) -> Vec<String> {
    static NO_TRUNK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\(\s*0\s*\)").expect("a constant pattern"));
    let bare = NO_TRUNK.replace(text, " ").into_owned();
    let mut readings = vec![bare.clone()];
    readings.extend(from_abroad(&bare));
    readings.extend(text.rfind('+').map(|plus| text[plus..].to_owned()));
    let first = first_number(&bare);
    readings.extend(from_abroad(&first));
    readings.push(first);
    readings
}

/// The number with a plus for the international prefix, and without one before a national number.
fn from_abroad(text: &str) -> Option<String> {
    static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
        // No country code begins with 0, and no number of country code 1 with another 1 (0011 is Australia's prefix).
        Regex::new(&format!(
            r"^[^\d+]*(?:\+{GAP}(?:00|011)|00){GAP}(?P<abroad>[2-9]|1{GAP}[2-9])|^[^\d+]*\+{GAP}(?P<home>0)"
        ))
        .expect("a constant pattern")
    });
    let found = PREFIX.captures(text)?;
    match (found.name("abroad"), found.name("home")) {
        (Some(number), _) => Some(format!("+{}", &text[number.start()..])),
        (None, number) => number.map(|number| text[number.start()..].to_owned()),
    }
}

/// What comes before the first letter or sign that parts two numbers, with other signs as blanks.
fn first_number(text: &str) -> String {
    let from = text.find(|c: char| c == '+' || c.is_numeric()).unwrap_or(text.len());
    text[from..]
        .chars()
        .take_while(|&c| !c.is_alphabetic() && !matches!(c, '/' | ',' | ';' | '|' | '\n'))
        .map(|c| if c.is_numeric() || c == '+' { c } else { ' ' })
        .collect()
}
