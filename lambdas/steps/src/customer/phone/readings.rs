//! What people mean by digits that libphonenumber reads otherwise, or not at all.

use std::sync::LazyLock;

use regex::Regex;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType, Region};

/// The trunk prefix in parentheses.
static NO_TRUNK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(\s*0\s*\)").expect("a constant pattern"));

/// The plain reading.
pub(super) fn parse(text: &str, region: Option<Region>) -> Option<PhoneNumber> {
    PHONE_NUMBER_UTIL.parse(text, region).ok()
}

/// E.164, the form that machines dial.
pub(super) fn e164(number: &PhoneNumber) -> String {
    number.format_as(PhoneNumberFormat::E164).into_owned()
}

/// The text without what no plan has any more, and what a program put there.
pub(super) fn of_today(text: &str, region: Option<Region>) -> String {
    in_todays_mexico(without_fraction(text), region)
}

/// A number that a spreadsheet took for an amount: `4157365000.0`.
fn without_fraction(text: &str) -> &str {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let digits = whole.strip_prefix('+').unwrap_or(whole);
    let is_amount =
        digits.len() > 6 && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    if is_amount { whole } else { text }
}

/// The region's own country code without a plus, where what follows leaves no doubt of it. Some plans are so wide that
/// they have a number that begins with these digits too, and libphonenumber takes that one: in Germany and Kosovo for
/// every mobile number, in Finland, Indonesia and South Africa for the short ones. It is the code
///
/// * before `(0)`: `49(0)3452795800` (<https://github.com/google/libphonenumber/issues/1067>);
/// * before a valid mobile number: `49 151 23456789` (<https://github.com/google/libphonenumber/issues/1374>).
pub(super) fn with_own_code(text: &str, region: Region) -> Option<PhoneNumber> {
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?.to_string();
    let digits = |text: &str| PHONE_NUMBER_UTIL.normalize_digits_only(text);
    if text.contains('+') || !digits(text).starts_with(&code) {
        return None;
    }
    let has_trunk = NO_TRUNK.find(text).is_some_and(|trunk| digits(&text[..trunk.start()]) == code);
    let number = &text[text.find(char::is_numeric)?..];
    parse(&format!("+{}", NO_TRUNK.replace(number, " ")), Some(region))
        .filter(|number| number.is_valid() && (has_trunk || number.get_type() == PhoneNumberType::Mobile))
}

/// How numbers changed that people still write as they were, by their E.164; only where that reads few others as theirs
/// (Benin's 01 before every number would read every wrong one of its old length). Each is tried only where no reading of the
/// number is valid, and counts only if what comes of it is.
const RENUMBERED: &[(&str, &str)] = &[
    // Brazil: 9 before mobile numbers since 2016. WhatsApp's ids lack it.
    // https://github.com/wwebjs/whatsapp-web.js/issues/596
    (r"^\+55([1-9]\d)([6-9]\d{7})$", "+55${1}9$2"),
    // Colombia: 60 before fixed numbers since 1 September 2021. https://github.com/jackocnr/intl-tel-input/issues/1455
    (r"^\+57([1-8]\d{7})$", "+5760$1"),
    // France's overseas departments: their numbers have country codes of their own, but are dialled within France as
    // any other. https://github.com/giggsey/libphonenumber-for-php/issues/517
    (r"^\+33(\d{9})$", "+262$1"),
    (r"^\+33(\d{9})$", "+590$1"),
    (r"^\+33(\d{9})$", "+594$1"),
    (r"^\+33(\d{9})$", "+596$1"),
    // Argentina: the trunk 0 behind the 9 of mobile numbers abroad, and the 15 of those at home.
    (r"^\+5490(\d{10})$", "+549$1"),
    (r"^\+5490(\d{12})$", "+540$1"),
    // The Soviet Union's trunk 8, with or without the 0 of today.
    (r"^\+(37[0-5]|380|99[2-68])8(\d+)$", "+$1$2"),
    // Trunk 0: Poland had one until 2010, and Chile 09 for mobile numbers until 2016.
    (r"^\+(48|56)0(\d+)$", "+$1$2"),
];

/// What the number has become by `RENUMBERED`. Behind a country code a trunk 0 is left off in any country that dials
/// none: `+30 0 691 …`. Without one it may be a number of a country that does.
pub(super) fn renumbered(number: &PhoneNumber, text: &str) -> Vec<PhoneNumber> {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let compiled = |pattern: &str| Regex::new(pattern).expect("a constant pattern");
        RENUMBERED.iter().map(|(pattern, new)| (compiled(pattern), *new)).collect()
    });
    let old = e164(number);
    let changed = PATTERNS.iter().filter(|(pattern, _)| pattern.is_match(&old));
    let mut new: Vec<String> =
        changed.map(|(pattern, new)| pattern.replace(&old, *new).into_owned()).collect();
    if let Some(rest) = behind_zero(number).filter(|rest| !rest.starts_with('0'))
        && text.contains('+')
        && !dials_zero(number)
    {
        new.push(format!("+{}{rest}", number.country_code));
    }
    new.iter()
        .filter_map(|new| parse(new, None))
        .map(|new| PhoneNumber { extension: number.extension.clone(), ..new })
        .collect()
}

/// The number without the 0 that it begins with, if it does.
pub(super) fn behind_zero(number: &PhoneNumber) -> Option<String> {
    number.get_national_significant_number().strip_prefix('0').map(str::to_owned)
}

/// Whether 0 is the trunk prefix of the number's country: whether its plan leaves it off a number at home.
pub(super) fn dials_zero(number: &PhoneNumber) -> bool {
    let region = PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code);
    region.and_then(|region| PHONE_NUMBER_UTIL.get_example_number(region).ok()).is_some_and(|example| {
        let at_home = format!("0{}", example.get_national_significant_number());
        parse(&at_home, region).is_some_and(|read| e164(&read) == e164(&example))
    })
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
/// 5. Commas between the digits of one number: `06,12,34,56,78`. libphonenumber takes what is behind for an extension.
pub(super) fn others(text: &str) -> Vec<String> {
    let bare = NO_TRUNK.replace(text, " ").into_owned();
    let mut readings = vec![bare.clone()];
    readings.extend(from_abroad(&bare));
    readings.extend(text.rfind('+').map(|plus| text[plus..].to_owned()));
    let first = first_number(&bare);
    readings.extend(from_abroad(&first));
    readings.push(first);
    readings.extend(text.contains(',').then(|| text.replace(',', " ")));
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
