//! Postal codes: one form for all that people write for the same code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::country::{Area, Country};
use crate::customer::text;

/// What people write before a postal code, with its sources.
static BEFORE: LazyLock<Before> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../data/postal-words.json"))
        .expect("data/postal-words.json is well formed")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Before {
    #[serde(rename = "sources")]
    _sources: Vec<String>,
    /// Words for a postal code, in capitals, letters only.
    words: Vec<String>,
    /// By country: the signs of the country that stand before its codes on envelopes.
    signs: BTreeMap<String, Vec<String>>,
}

/// The form in which the country writes the code, or what was written where that is no code of the country.
///
/// Blanks, dots, hyphens, case, the script of the digits, and what stands before the code to say that it is one
/// or of which country or area, do not make another code.
pub(super) fn normal(written: &str, code: &str, country: &Country, areas: &[&Area]) -> String {
    let written = text::normal(written);
    if !country.has_postal_codes() {
        return written;
    }
    let compact = compact(&written);
    let own = |stem: &String| spelling(stem, country, areas);
    let bare = without_prefix(&compact, code, country, areas);
    own(&compact)
        .or_else(|| bare.iter().find_map(own))
        .or_else(|| {
            let letters = country.letters.as_ref()?;
            std::iter::once(&compact).chain(&bare).find_map(|stem| own(&format!("{letters}{stem}")))
        })
        .unwrap_or(written)
}

/// Whether a code in its normal form can be one of the country, or of one of these areas.
pub(super) fn is_possible(postal_code: &str, country: &Country, areas: &[&Area]) -> bool {
    let exceptions: Vec<bool> = areas.iter().filter_map(|area| area.has_form(postal_code)).collect();
    let only_exceptions = !areas.is_empty() && exceptions.len() == areas.len();
    exceptions.contains(&true) || (!only_exceptions && country.has_form(postal_code))
}

/// No country's code has more letters and digits than this, by far.
const LONGEST: usize = 16;

/// The first spelling that fits of: with the separator that the country's codes have, with none, with another.
fn spelling(stem: &str, country: &Country, areas: &[&Area]) -> Option<String> {
    if !stem.is_ascii() || stem.len() > LONGEST {
        return None;
    }
    let usual = country.separator.as_deref();
    [usual, Some(""), Some("-"), Some(" ")]
        .into_iter()
        .flatten()
        .flat_map(|separator| {
            let places = if separator.is_empty() { 0..1 } else { 1..stem.len() };
            places.map(move |place| format!("{}{separator}{}", &stem[..place], &stem[place..]))
        })
        .find(|spelling| is_possible(spelling, country, areas))
}

/// What is left without one word or sign before it, and without two of them.
fn without_prefix(compact: &str, code: &str, country: &Country, areas: &[&Area]) -> Vec<String> {
    let signs = BEFORE.signs.get(code).into_iter().flatten();
    let of_area = areas.iter().flat_map(|area| &area.names).filter(|name| name.len() <= 3);
    let own = [Some(code), country.iso3.as_deref(), country.prefix.as_deref()];
    let prefixes: Vec<&str> = (BEFORE.words.iter().chain(signs).chain(of_area).map(String::as_str))
        .chain(own.into_iter().flatten())
        .collect();
    let once: Vec<&str> = prefixes.iter().filter_map(|prefix| compact.strip_prefix(prefix)).collect();
    let twice = once.iter().flat_map(|rest| prefixes.iter().filter_map(|prefix| rest.strip_prefix(prefix)));
    let mut bare: Vec<String> = once.iter().copied().chain(twice).map(str::to_owned).collect();
    bare.retain(|rest| !rest.is_empty());
    bare
}

/// Letters and digits only, in capitals, without accents, the digits of every script in ASCII. The mark of long
/// vowels in kana, which is a letter, is typed for a hyphen.
fn compact(written: &str) -> String {
    let capitals = written.to_uppercase().replace('ー', "-");
    capitals
        .nfkd()
        .filter(|letter| letter.is_alphanumeric())
        .map(ascii_digit)
        .collect::<String>()
        .nfc()
        .collect()
}

/// Decimal digits stand in ascending runs of ten in Unicode (The Unicode Standard, 4.6), so how many of them
/// precede one without a gap says which it is.
fn ascii_digit(letter: char) -> char {
    static DECIMAL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\p{Nd}$").expect("it is an expression"));
    let is_decimal = |letter: char| DECIMAL.is_match(letter.encode_utf8(&mut [0; 4]));
    if letter.is_ascii() || !is_decimal(letter) {
        return letter;
    }
    let preceding =
        (1..50).take_while(|back| char::from_u32(letter as u32 - back).is_some_and(is_decimal)).count();
    char::from_digit(u32::try_from(preceding % 10).unwrap_or_default(), 10).unwrap_or(letter)
}
