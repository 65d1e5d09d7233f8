//! Postal addresses by the rules of their country: libaddressinput's metadata, embedded.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use comanda_crds::Address;
use regex::bytes::RegexBuilder;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::{Finding, text};

/// What the fields mean stands in `data/regenerate.py`, which writes the file.
static COUNTRIES: LazyLock<BTreeMap<String, Country>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../data/addresses.json"))
        .expect("data/addresses.json is well formed")
});

/// A country's rules.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Country {
    name: String,
    fmt: String,
    require: String,
    zip: Option<String>,
    zipex: Option<String>,
    zip_name: Option<String>,
    area_name: Option<String>,
    #[serde(default)]
    areas: Vec<Area>,
}

/// A state, province or prefecture, with its exceptions from the country's rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Area {
    names: Vec<String>,
    zip: Option<String>,
    require: Option<String>,
    xzip: Option<String>,
}

/// An address in the form of its country's post.
pub(super) fn normal(address: &Address) -> Address {
    let field = |field: &Option<String>| field.as_deref().map(text::normal).filter(|text| !text.is_empty());
    Address {
        country: text::normal(&address.country).to_uppercase(),
        postal_code: field(&address.postal_code),
        administrative_area: field(&address.administrative_area),
        locality: field(&address.locality),
        dependent_locality: field(&address.dependent_locality),
        lines: address.lines.iter().map(|line| text::normal(line)).filter(|line| !line.is_empty()).collect(),
    }
}

/// What does not hold about an address in its normal form.
pub(super) fn findings(address: &Address) -> Vec<Finding> {
    problems(address).into_iter().map(|problem| Finding::refusal("address", problem)).collect()
}

/// What does not hold about an address, a sentence each; empty when it holds. No sentence repeats
/// what the customer wrote.
fn problems(address: &Address) -> Vec<String> {
    let code = address.country.trim().to_uppercase();
    let Some(country) = COUNTRIES.get(&code) else {
        return vec![
            "The country of the address is not known: use its ISO 3166-1 code of two letters, such as ES."
                .to_owned(),
        ];
    };
    let area = written(address.administrative_area.as_ref()).and_then(|name| country.area(name));
    let require = area.and_then(|area| area.require.as_ref()).unwrap_or(&country.require);

    let mut problems: Vec<String> = require
        .chars()
        .filter(|field| !is_written(address, *field))
        .map(|field| country.missing(&code, field))
        .collect();
    problems.extend(unknown_area(address, country, area, require, &code));
    problems.extend(wrong_postal_code(address, country, area, &code));
    problems
}

/// An area the country's post does not know. Where the post does not need one, people write what they
/// like (`Dublin` for `Co. Dublin`), so it is not held against them.
fn unknown_area(
    address: &Address,
    country: &Country,
    area: Option<&Area>,
    require: &str,
    code: &str,
) -> Option<String> {
    written(address.administrative_area.as_ref())?;
    let unknown = area.is_none() && !country.areas.is_empty() && require.contains('S');
    unknown.then(|| {
        format!(
            "The {} is not one that {} ({code}) has: write its name or its code, such as {}.",
            country.area_name(),
            country.name,
            country.areas[0].names.join(" or "),
        )
    })
}

fn wrong_postal_code(
    address: &Address,
    country: &Country,
    area: Option<&Area>,
    code: &str,
) -> Option<String> {
    let postal_code = written(address.postal_code.as_ref())?.to_uppercase();
    let form = area
        .and_then(|area| area.xzip.as_ref())
        .or(country.zip.as_ref())
        .filter(|_| country.fmt.contains('Z'))?;
    if !matches(&format!("^(?:{form})$"), &postal_code) {
        return Some(format!(
            "The {} does not have the form used in {} ({code}){}.",
            country.zip_name(),
            country.name,
            country.zip_example(),
        ));
    }
    let beginning = area.and_then(|area| area.zip.as_ref())?;
    (!matches(&format!("^(?:{beginning})"), &postal_code)).then(|| {
        format!(
            "The {} and the {} of the address do not belong together: correct whichever is wrong.",
            country.zip_name(),
            country.area_name(),
        )
    })
}

/// The patterns mean ASCII by `\d`, as JavaScript and Java read them.
fn matches(pattern: &str, text: &str) -> bool {
    RegexBuilder::new(pattern)
        .unicode(false)
        .build()
        .expect("every pattern of data/addresses.json is a regular expression")
        .is_match(text.as_bytes())
}

fn written(field: Option<&String>) -> Option<&str> {
    field.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn is_written(address: &Address, field: char) -> bool {
    match field {
        'A' => address.lines.iter().any(|line| !line.trim().is_empty()),
        'C' => written(address.locality.as_ref()).is_some(),
        'D' => written(address.dependent_locality.as_ref()).is_some(),
        'S' => written(address.administrative_area.as_ref()).is_some(),
        'Z' => written(address.postal_code.as_ref()).is_some(),
        _ => true,
    }
}

impl Country {
    fn area(&self, written: &str) -> Option<&Area> {
        let written = fold(written);
        self.areas.iter().find(|area| area.names.iter().any(|name| fold(name) == written))
    }

    fn missing(&self, code: &str, field: char) -> String {
        let (what, key) = match field {
            'A' => ("street", "lines"),
            'C' => ("city", "locality"),
            'D' => ("district", "dependentLocality"),
            'S' => (self.area_name(), "administrativeArea"),
            _ => (self.zip_name(), "postalCode"),
        };
        let example = if field == 'Z' { self.zip_example() } else { String::new() };
        format!("An address in {} ({code}) needs a {what}: fill in {key}{example}.", self.name)
    }

    fn zip_name(&self) -> &'static str {
        match self.zip_name.as_deref() {
            Some("zip") => "ZIP code",
            Some("pin") => "PIN code",
            Some("eircode") => "Eircode",
            _ => "postal code",
        }
    }

    fn zip_example(&self) -> String {
        self.zipex.as_ref().map(|example| format!(", such as {example}")).unwrap_or_default()
    }

    fn area_name(&self) -> &str {
        match self.area_name.as_deref() {
            Some("do_si") => "province or city",
            Some(name) => name,
            None => "province",
        }
    }
}

/// Folds case, accents and punctuation away: `Sao Paulo` is `São Paulo`, `D.F.` is `DF`.
fn fold(name: &str) -> String {
    name.trim().to_lowercase().nfd().filter(|letter| letter.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(country: &str, area: &str, postal_code: &str, locality: &str) -> Address {
        let field = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Address {
            country: country.to_owned(),
            postal_code: field(postal_code),
            administrative_area: field(area),
            locality: field(locality),
            dependent_locality: None,
            lines: vec!["Somewhere 1".to_owned()],
        }
    }

    fn assert_holds(address: &Address) {
        assert_eq!(problems(address), Vec::<String>::new(), "{address:?}");
    }

    #[test]
    fn addresses_as_their_countries_write_them_hold() {
        for (country, area, postal_code, locality) in [
            ("ES", "Madrid", "28013", "Madrid"),
            ("es", "M", "28013", "Madrid"),
            ("ES", "Bizkaia", "48001", "Bilbao"),
            ("ES", "Vizcaya", "48001", "Bilbao"),
            ("BR", "SP", "01310-100", "São Paulo"),
            ("BR", "Sao Paulo", "01310100", "São Paulo"),
            ("JP", "東京都", "100-0001", ""),
            ("JP", "tokyo", "1000001", ""),
            ("JP", "13", "100-0001", "Chiyoda-ku"),
            ("US", "CA", "95014", "Cupertino"),
            ("US", "california", "95014-2083", "Cupertino"),
            ("GB", "", "ec1y 8sy", "London"),
            ("DE", "", "53225", "Bonn"),
            ("FR", "Île-de-France", "75001", "Paris"),
            ("IE", "Dublin", "", "Dublin"),
            ("HK", "Kowloon", "", "Mong Kok"),
            ("CN", "澳门", "999078", ""),
        ] {
            assert_holds(&address(country, area, postal_code, locality));
        }
    }

    #[test]
    fn a_postal_code_of_another_form_is_told_with_an_example() {
        for (country, area, postal_code, message) in [
            (
                "ES",
                "Madrid",
                "2801",
                "The postal code does not have the form used in Spain (ES), such as 28039.",
            ),
            (
                "BR",
                "SP",
                "0131",
                "The postal code does not have the form used in Brazil (BR), such as 40301-110.",
            ),
            (
                "JP",
                "Tokyo",
                "1000-001",
                "The postal code does not have the form used in Japan (JP), such as 154-0023.",
            ),
            (
                "US",
                "CA",
                "9501A",
                "The ZIP code does not have the form used in United States (US), such as 95014.",
            ),
        ] {
            assert_eq!(problems(&address(country, area, postal_code, "Here")), [message]);
        }
    }

    #[test]
    fn arabic_indic_digits_are_not_the_digits_of_a_spanish_postal_code() {
        assert_eq!(problems(&address("ES", "Madrid", "٢٨٠١٣", "Madrid")).len(), 1);
    }

    #[test]
    fn a_postal_code_of_another_area_is_refused_without_naming_either() {
        for (country, area, postal_code, message) in [
            (
                "ES",
                "Madrid",
                "08001",
                "The postal code and the province of the address do not belong together: correct whichever is wrong.",
            ),
            (
                "BR",
                "RJ",
                "01310-100",
                "The postal code and the state of the address do not belong together: correct whichever is wrong.",
            ),
            (
                "JP",
                "大阪府",
                "100-0001",
                "The postal code and the prefecture of the address do not belong together: correct whichever is wrong.",
            ),
            (
                "US",
                "NY",
                "95014",
                "The ZIP code and the state of the address do not belong together: correct whichever is wrong.",
            ),
        ] {
            assert_eq!(problems(&address(country, area, postal_code, "Here")), [message]);
        }
    }

    #[test]
    fn what_a_country_requires_has_to_be_there() {
        let mut empty = address("US", "", " ", "");
        empty.lines = vec![String::new()];
        assert_eq!(
            problems(&empty),
            [
                "An address in United States (US) needs a street: fill in lines.",
                "An address in United States (US) needs a city: fill in locality.",
                "An address in United States (US) needs a state: fill in administrativeArea.",
                "An address in United States (US) needs a ZIP code: fill in postalCode, such as 95014.",
            ]
        );
        assert_holds(&address("JP", "東京都", "100-0001", ""));
    }

    #[test]
    fn an_area_the_country_does_not_have_is_refused() {
        assert_eq!(
            problems(&address("BR", "Bavaria", "01310-100", "São Paulo")),
            ["The state is not one that Brazil (BR) has: write its name or its code, such as AC or Acre."]
        );
    }

    #[test]
    fn a_country_that_is_none_is_refused() {
        assert_eq!(
            problems(&address("QQ", "", "", "")),
            ["The country of the address is not known: use its ISO 3166-1 code of two letters, such as ES."]
        );
    }

    #[test]
    fn every_pattern_compiles_and_every_example_fits_its_own_country() {
        for (code, country) in COUNTRIES.iter() {
            for area in &country.areas {
                for pattern in [&area.zip, &area.xzip].into_iter().flatten() {
                    matches(pattern, "");
                }
            }
            if let (Some(form), Some(example)) = (&country.zip, &country.zipex) {
                assert!(matches(&format!("^(?:{form})$"), example), "{code}: {example} against {form}");
            }
            assert!(country.fmt.contains('A'), "{code} has no street");
        }
        assert_eq!(COUNTRIES.len(), 252);
    }
}
