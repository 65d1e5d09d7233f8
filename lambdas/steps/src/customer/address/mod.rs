//! Postal addresses by the rules of their country.
//!
//! Refused is what certainly cannot be delivered: an unknown country, and what the country's post cannot do without
//! that is missing or impossible. Everything else that looks wrong is a doubt.

mod areas;
mod country;
mod names;
mod postal_code;
mod spelling;
#[cfg(test)]
mod tests;

use comanda_crds::Address;

use self::areas::Denoted;
use self::country::{COUNTRIES, Country};
use super::finding::Finding;
use super::text;

const AREA: &str = "address.administrativeArea";
const POSTAL_CODE: &str = "address.postalCode";

/// An address in the form of its country's post. The area stays as it is written: one name of it is as good as
/// another to a courier.
pub(super) fn normal(address: &Address) -> Address {
    let code = country::code_of(&text::normal(&address.country));
    let administrative_area = written(address.administrative_area.as_deref());
    let locality = written(address.locality.as_deref());
    let postal_code = written(address.postal_code.as_deref()).map(|postal_code| match COUNTRIES.get(&code) {
        Some(country) => {
            let name = administrative_area.as_ref().or(locality.as_ref());
            let denoted = name.and_then(|name| country.denoted(&code, name));
            let areas = areas_of(denoted.as_ref());
            let place = postal_code::Place { code: &code, country, areas, city: locality.as_deref() };
            postal_code::normal(&postal_code, &place)
        }
        None => postal_code,
    });
    Address {
        country: code,
        postal_code,
        administrative_area,
        locality,
        dependent_locality: written(address.dependent_locality.as_deref()),
        lines: address.lines.iter().filter_map(|line| written(Some(line))).collect(),
    }
}

/// The normal form of a field in which something is written.
fn written(field: Option<&str>) -> Option<String> {
    field.map(text::normal).filter(|text| is_written(text))
}

/// Whether a field says anything: marks alone, such as `-`, say that there is nothing.
pub(super) fn is_written(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// What does not hold about an address in its normal form.
pub(super) fn findings(address: &Address) -> Vec<Finding> {
    let Some((code, country)) = COUNTRIES.get_key_value(&address.country) else {
        return vec![Finding::refusal(
            "address.country",
            "The country of the address is not known: use its ISO 3166-1 code of two letters, such as ES.",
        )];
    };
    let denoted = match &address.administrative_area {
        Some(name) => country.denoted(code, name),
        None => named_by_city(address, code, country),
    };
    let judged = Judged { address, code, country, denoted };
    let mut findings = judged.missing();
    findings.extend(judged.area());
    findings.extend(judged.postal_code());
    findings
}

/// Whether the data knows an area of the country by this name. Where it has no areas, any name will do.
pub(super) fn area_is_known(country: &str, name: &str) -> bool {
    COUNTRIES.get_key_value(country).is_some_and(|(code, rules)| {
        rules.areas.is_empty() || rules.denoted(code, &text::normal(name)).is_some()
    })
}

/// A city that has the name of an area is in it, unless its postal code is another area's: Delaware, Ohio, is not in
/// the state of Delaware.
fn named_by_city<'a>(address: &Address, code: &str, country: &'a Country) -> Option<Denoted<'a>> {
    let denoted = country.denoted(code, address.locality.as_deref()?)?;
    let postal_code = address.postal_code.as_deref();
    postal_code.is_none_or(|postal_code| denoted.may_have(postal_code)).then_some(denoted)
}

fn areas_of<'a>(denoted: Option<&Denoted<'a>>) -> Vec<&'a country::Area> {
    denoted.map(|denoted| denoted.areas.clone()).unwrap_or_default()
}

/// An address, its country's rules, and what the name of its area, or without it of its city, denotes.
struct Judged<'a> {
    address: &'a Address,
    code: &'a str,
    country: &'a Country,
    denoted: Option<Denoted<'a>>,
}

impl Judged<'_> {
    /// Whether the post needs the field. An area may need less than its country; where several may be meant, what
    /// one of them does without is not needed.
    fn needs(&self, field: char) -> bool {
        let areas = areas_of(self.denoted.as_ref());
        let of =
            |area: &&country::Area| area.require.as_ref().unwrap_or(&self.country.require).contains(field);
        if areas.is_empty() { self.country.require.contains(field) } else { areas.iter().all(of) }
    }

    fn missing(&self) -> Vec<Finding> {
        let address = self.address;
        let mut findings = Vec::new();
        let mut refuse = |field: char, is_written: bool, what: &str, path: &'static str| {
            if self.needs(field) && !is_written {
                findings.push(Finding::refusal(path, self.fill_in(what, path)));
            }
        };
        refuse('A', !address.lines.is_empty(), "street", "address.lines");
        refuse('C', self.names_a_city(), "city", "address.locality");
        refuse('D', address.dependent_locality.is_some(), "district", "address.dependentLocality");
        refuse('Z', address.postal_code.is_some(), self.country.zip_name(), POSTAL_CODE);
        findings
    }

    /// Where the country's addresses have no area, what is written for one is the city; it may also stand behind the
    /// area.
    fn names_a_city(&self) -> bool {
        let has_areas = !self.country.areas.is_empty();
        self.address.locality.is_some()
            || (!has_areas && self.address.administrative_area.is_some())
            || self.denoted.as_ref().is_some_and(|denoted| denoted.with_city)
    }

    fn fill_in(&self, what: &str, path: &str) -> String {
        let field = path.trim_start_matches("address.");
        let example = if path == POSTAL_CODE { self.country.zip_example() } else { String::new() };
        format!("An address in {} needs a {what}: fill in {field}{example}.", self.place())
    }

    fn place(&self) -> String {
        format!("{} ({})", self.country.name, self.code)
    }

    /// A city that names its area makes up for it; with a postal code that does, a missing area is a doubt.
    fn area(&self) -> Option<Finding> {
        let (name, place) = (self.country.area_name(), self.place());
        if self.address.administrative_area.is_none() {
            return (self.needs('S') && self.denoted.is_none()).then(|| {
                let sentence = self.fill_in(name, AREA);
                if self.area_is_named() {
                    Finding::doubt(AREA, sentence)
                } else {
                    Finding::refusal(AREA, sentence)
                }
            });
        }
        let example = self.country.areas.first()?;
        self.denoted.is_none().then(|| {
            let example = example.names.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" or ");
            Finding::doubt(
                AREA,
                format!("The {name} is not known to be one of {place}: write its name or its code, such as {example}."),
            )
        })
    }

    fn area_is_named(&self) -> bool {
        let areas = &self.country.areas;
        let by_postal_code = self.address.postal_code.as_deref().is_some_and(|postal_code| {
            let unknown = areas.iter().all(|area| area.has(postal_code).is_none());
            let possible = self.country.has_postal_codes() && self.country.has_form(postal_code);
            possible && (unknown || areas.iter().any(|area| area.has(postal_code) == Some(true)))
        });
        let is_area = |city: &String| self.country.denoted(self.code, city).is_some();
        by_postal_code
            || self.address.locality.as_ref().is_some_and(is_area)
            || self.address.dependent_locality.as_ref().is_some_and(is_area)
    }

    /// The form of a code refuses an order only where the country needs a code.
    fn postal_code(&self) -> Option<Finding> {
        let postal_code = self.address.postal_code.as_deref().filter(|_| self.country.has_postal_codes())?;
        let (zip, area, place) = (self.country.zip_name(), self.country.area_name(), self.place());
        if !postal_code::is_possible(postal_code, self.country, &areas_of(self.denoted.as_ref())) {
            let example = self.country.zip_example();
            let sentence = format!("The {zip} does not have the form used in {place}{example}.");
            return Some(if self.needs('Z') {
                Finding::refusal(POSTAL_CODE, sentence)
            } else {
                Finding::doubt(POSTAL_CODE, sentence)
            });
        }
        self.denoted.as_ref().filter(|denoted| !denoted.may_have(postal_code))?;
        Some(Finding::doubt(
            POSTAL_CODE,
            format!(
                "The {zip} and the {area} of the address seem not to belong together: correct whichever is wrong."
            ),
        ))
    }
}
