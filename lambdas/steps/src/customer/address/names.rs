//! The names of a country's areas, in the ways in which people write them.

use std::collections::{HashMap, HashSet};

use super::spelling;

/// No name of an area is longer than this, in every language at once.
const LONGEST: usize = 200;

/// The names of one country's areas. A name may denote several.
pub(super) struct Names {
    code: String,
    iso3: Option<String>,
    meanings: HashMap<String, Meaning>,
    /// Those of the names that are codes, such as `MPM`.
    codes: HashSet<String>,
}

/// The areas that a name denotes, by position in the country's areas.
#[derive(Clone, Default)]
pub(super) struct Meaning {
    pub(super) areas: Vec<usize>,
    /// It also denotes a part of the country that the data knows by name only.
    pub(super) elsewhere: bool,
    /// A city or district stands behind it.
    pub(super) with_city: bool,
}

impl Meaning {
    fn include(&mut self, areas: &[usize]) {
        self.elsewhere |= areas.is_empty();
        for area in areas {
            if !self.areas.contains(area) {
                self.areas.push(*area);
            }
        }
    }
}

impl Names {
    pub(super) fn of(code: &str, iso3: Option<&str>) -> Self {
        Self {
            code: code.to_owned(),
            iso3: iso3.map(str::to_owned),
            meanings: HashMap::new(),
            codes: HashSet::new(),
        }
    }

    /// Each of `names` denotes `areas`.
    pub(super) fn add(&mut self, names: &[String], areas: &[usize]) {
        for name in names.iter().flat_map(|name| std::iter::once(name.as_str()).chain(parts(name))) {
            if is_code(name) {
                self.codes.insert(name.to_owned());
            }
            for form in spelling::forms(&self.code, name) {
                self.meanings.entry(form).or_default().include(areas);
            }
        }
    }

    /// What `written` denotes: as a whole, or else each of its parts that denotes something. People write names in
    /// two languages, with the code beside, with the city before or the country after.
    pub(super) fn meaning(&self, written: &str) -> Option<Meaning> {
        if written.chars().count() > LONGEST {
            return None;
        }
        if let Some(meaning) = self.of_one(written) {
            return Some(meaning.clone());
        }
        let known: Vec<&Meaning> = parts(written).filter_map(|part| self.of_one(part)).collect();
        if known.is_empty() {
            return self.twice(written).or_else(|| self.before_city(written));
        }
        let mut all = Meaning::default();
        for meaning in known {
            all.areas.extend(&meaning.areas);
            all.elsewhere |= meaning.elsewhere;
        }
        Some(all)
    }

    /// Two names of the same area side by side, such as `Bozen Bolzano` or `Tokyo 東京都`.
    fn twice(&self, written: &str) -> Option<Meaning> {
        let blanks = written.match_indices(' ').map(|(blank, _)| written.split_at(blank));
        blanks.filter_map(|(left, right)| Some((self.of_one(left)?, self.of_one(right)?))).find_map(
            |(left, right)| {
                let areas: Vec<usize> =
                    left.areas.iter().copied().filter(|area| right.areas.contains(area)).collect();
                (!areas.is_empty()).then_some(Meaning { areas, ..Meaning::default() })
            },
        )
    }

    fn of_one(&self, name: &str) -> Option<&Meaning> {
        let known =
            |name: &str| spelling::forms(&self.code, name).iter().find_map(|form| self.meanings.get(form));
        known(name)
            .or_else(|| known(self.without_country(name)?))
            .or_else(|| known(self.without_number(name)?))
    }

    /// The area before its city or district, as Chinese, Japanese and Korean addresses go from the large to the small:
    /// the longest name that ends in its kind, as in `東京都渋谷区`. A blank ends it in Korea, and Hong Kong's three
    /// areas have no kind.
    fn before_city(&self, written: &str) -> Option<Meaning> {
        let first_word = written.split_once(' ').map(|(word, _)| word).filter(|_| self.code == "KR");
        let ends = written.char_indices().map(|(end, _)| end).skip(1).collect::<Vec<_>>();
        let beginnings = ends.into_iter().rev().map(|end| written[..end].trim());
        let meaning = first_word.and_then(|word| self.of_one(word)).or_else(|| {
            beginnings
                .filter(|name| spelling::ends_in_kind(name) || (self.code == "HK" && !name.is_ascii()))
                .find_map(|name| self.of_one(name))
        })?;
        Some(Meaning { with_city: true, ..meaning.clone() })
    }

    /// ISO 3166-2 writes `US-CA`; shops write `JP13` and `MZMPM` too, but a word that begins like the country, or the
    /// country's code of three letters, is no area.
    fn without_country<'a>(&self, name: &'a str) -> Option<&'a str> {
        let name = name.trim();
        let begins = name.get(..2).is_some_and(|code| code.eq_ignore_ascii_case(&self.code));
        let rest = name.get(2..).filter(|_| begins && self.iso3.as_deref() != Some(name))?;
        (rest.starts_with(|letter: char| !letter.is_alphabetic()) || self.codes.contains(rest))
            .then_some(rest)
    }

    /// A postal code or a district stands behind a name after a blank, as in `Dublin 2`, and says nothing of the area.
    /// `MY-01` and `US1` are a country's code and a number.
    fn without_number<'a>(&self, name: &'a str) -> Option<&'a str> {
        let (rest, number) = name.trim().rsplit_once(' ')?;
        let is_number = number.chars().all(|letter| letter.is_ascii_digit() || letter == '-');
        (is_number && !rest.eq_ignore_ascii_case(&self.code)).then_some(rest)
    }
}

/// What stands between the marks with which people join two names.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['/', '|', ',', ';', '(', ')', '[', ']', '、', '，', '（', '）', '–', '—', '・', '•'])
        .flat_map(|part| part.split(" - "))
        .map(str::trim)
        .filter(move |part| !part.is_empty() && part.len() != name.len())
}

/// Codes are short, of capitals and digits.
fn is_code(name: &str) -> bool {
    name.len() <= 4 && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
}
