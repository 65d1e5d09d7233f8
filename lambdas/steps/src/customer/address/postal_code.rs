//! Postal codes: one form for all that people write for the same code.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::country::{Area, Country};
use crate::customer::text;

/// What people write around a postal code, with its sources.
static AROUND: LazyLock<Around> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../data/postal-words.json"))
        .expect("data/postal-words.json is well formed")
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Around {
    #[serde(rename = "sources")]
    _sources: Vec<String>,
    /// Words for a postal code, which stand before it, in capitals, letters only.
    words: Vec<String>,
    /// By country: the signs of the country that stand before its codes on envelopes.
    signs: BTreeMap<String, Vec<String>>,
    /// Words that stand behind a postal code, with or without a number.
    after: Vec<String>,
}

/// Where the rest of the address says that a postal code is.
pub(super) struct Place<'a> {
    pub(super) code: &'a str,
    pub(super) country: &'a Country,
    /// Any of these may be meant.
    pub(super) areas: Vec<&'a Area>,
    pub(super) city: Option<&'a str>,
}

/// The form in which the country writes the code, or what was written where that is no code of the country.
///
/// Blanks, dots, hyphens, case, the script of the digits, and what stands around the code to say that it is one
/// or of which country, area or city, do not make another code. Neither do the zeros that a spreadsheet took from its
/// beginning, nor the letters O and I where the form has digits.
pub(super) fn normal(written: &str, place: &Place<'_>) -> String {
    let written = text::normal(written);
    if !place.country.has_postal_codes() {
        return written;
    }
    let compact = compact(&written);
    let own = |stem: &str| spelling(stem, place.country, &place.areas);
    if let Some(code) = own(&compact) {
        return code;
    }
    let stems = place.stems(compact);
    let first = |code: &dyn Fn(&str) -> Option<String>| stems.iter().find_map(|stem| code(stem));
    first(&own)
        .or_else(|| first(&|stem| own(&format!("{}{stem}", place.country.letters.as_ref()?))))
        .or_else(|| first(&|stem| place.with_zeros(stem)))
        .or_else(|| first(&|stem| with_digits(stem).iter().find_map(|stem| own(stem))))
        .unwrap_or(written)
}

impl Place<'_> {
    /// What was written, and what is left of it without one and without two words around it.
    fn stems(&self, compact: String) -> Vec<String> {
        let (before, behind) = (self.before(), self.behind());
        let mut stems = vec![compact];
        let mut done = 0;
        for _ in 0..2 {
            let longer = stems[done..].to_vec();
            done = stems.len();
            for stem in &longer {
                let rests = (before.iter().filter_map(|word| stem.strip_prefix(word.as_str())))
                    .chain(behind.iter().filter_map(|word| stem.strip_suffix(word.as_str())))
                    .chain(behind.iter().filter_map(|word| without_number(stem).strip_suffix(word.as_str())));
                let new: Vec<String> = rests.filter(|rest| !rest.is_empty()).map(str::to_owned).collect();
                stems.extend(new);
            }
        }
        stems
    }

    fn before(&self) -> Vec<String> {
        let signs = AROUND.signs.get(self.code).into_iter().flatten();
        AROUND.words.iter().chain(signs).cloned().chain(self.names()).collect()
    }

    /// A letter alone behind a code is a mistake rather than the name of its area.
    fn behind(&self) -> Vec<String> {
        let names = self.names().into_iter().filter(|name| name.chars().nth(1).is_some());
        AROUND.after.iter().cloned().chain(names).collect()
    }

    /// The names of the place in the form of `compact`. Those of digits alone could be a part of the code.
    fn names(&self) -> Vec<String> {
        let country = [Some(self.code), self.country.iso3.as_deref(), self.country.prefix.as_deref()];
        let areas = self.areas.iter().flat_map(|area| &area.names).map(String::as_str);
        (country.into_iter().flatten().chain(areas).chain([self.country.name.as_str()]).chain(self.city))
            .map(compact)
            .filter(|name| name.chars().any(char::is_alphabetic))
            .collect()
    }

    /// The code with the zeros before it that a spreadsheet takes for those of a number, where it is a code of the
    /// named area with them.
    fn with_zeros(&self, stem: &str) -> Option<String> {
        let is_number = !stem.starts_with('0') && stem.chars().all(|letter| letter.is_ascii_digit());
        ["0", "00"].into_iter().filter(|_| is_number).find_map(|zeros| {
            let code = spelling(&format!("{zeros}{stem}"), self.country, &self.areas)?;
            self.areas.iter().any(|area| area.has(&code) == Some(true)).then_some(code)
        })
    }
}

/// Without the number of a district or of an office of CEDEX behind it.
fn without_number(stem: &str) -> &str {
    let word = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if stem.len() - word.len() <= 2 { word } else { stem }
}

/// The code with 0 for O and 1 for I, in as few places as possible first.
fn with_digits(stem: &str) -> Vec<String> {
    let places: Vec<usize> = stem.match_indices(['O', 'I']).map(|(place, _)| place).collect();
    if stem.len() > LONGEST || places.len() > MOST_LETTERS {
        return Vec::new();
    }
    let mut chosen: Vec<u32> = (1..1 << places.len()).collect();
    chosen.sort_by_key(|choice: &u32| choice.count_ones());
    let replaced = |choice: u32| {
        let is_chosen =
            |place| places.iter().position(|other| *other == place).is_some_and(|n| choice >> n & 1 == 1);
        let digit = |letter| if letter == 'O' { '0' } else { '1' };
        stem.char_indices()
            .map(|(place, letter)| if is_chosen(place) { digit(letter) } else { letter })
            .collect()
    };
    chosen.into_iter().map(replaced).collect()
}

/// Whether a code in its normal form can be one of the country, or of one of these areas.
pub(super) fn is_possible(postal_code: &str, country: &Country, areas: &[&Area]) -> bool {
    let exceptions: Vec<bool> = areas.iter().filter_map(|area| area.has_form(postal_code)).collect();
    let only_exceptions = !areas.is_empty() && exceptions.len() == areas.len();
    exceptions.contains(&true) || (!only_exceptions && country.has_form(postal_code))
}

/// No country's code has more letters and digits than this, by far.
const LONGEST: usize = 16;

/// Nobody writes more letters for digits in one code.
const MOST_LETTERS: usize = 4;

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
