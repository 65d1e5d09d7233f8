//! The address rules of each country: libaddressinput's metadata, embedded.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::names::Names;

/// What the fields mean stands in `data/regenerate.py`, which writes the file.
pub(super) static COUNTRIES: LazyLock<BTreeMap<String, Country>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../data/addresses.json"))
        .expect("data/addresses.json is well formed")
});

/// Country codes that are written for another: ISO 3166-1 reserves UK for the United Kingdom, IC for the Canary
/// Islands, and EA for Ceuta and Melilla, and the European Union writes EL for Greece (Interinstitutional Style Guide,
/// 7.1.1).
const OTHER_CODES: [(&str, &str); 4] = [("UK", "GB"), ("EL", "GR"), ("IC", "ES"), ("EA", "ES")];

/// A country's rules.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Country {
    pub(super) name: String,
    pub(super) iso3: Option<String>,
    fmt: String,
    pub(super) require: String,
    zip: Option<String>,
    zipex: Option<String>,
    pub(super) separator: Option<String>,
    pub(super) letters: Option<String>,
    pub(super) prefix: Option<String>,
    zip_name: Option<String>,
    area_name: Option<String>,
    #[serde(default)]
    pub(super) areas: Vec<Area>,
    #[serde(default)]
    pub(super) wider: Vec<Wider>,
    #[serde(skip)]
    form: Pattern,
    #[serde(skip)]
    names: OnceLock<Names>,
}

/// A state, province or prefecture, with its exceptions from the country's rules.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    pub(super) names: Vec<String>,
    zip: Option<String>,
    pub(super) require: Option<String>,
    xzip: Option<String>,
    #[serde(skip)]
    beginning: Pattern,
    #[serde(skip)]
    form: Pattern,
}

/// A region or community that consists of areas.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wider {
    pub(super) names: Vec<String>,
    /// Their positions in the country's areas; empty where the data does not know them.
    #[serde(default)]
    pub(super) areas: Vec<usize>,
}

/// A regular expression that is compiled when it is first needed.
#[derive(Default)]
struct Pattern(OnceLock<Regex>);

impl Pattern {
    /// The patterns mean ASCII by `\d`, as JavaScript and Java read them.
    fn matches(&self, pattern: impl FnOnce() -> String, text: &str) -> bool {
        let compiled = self.0.get_or_init(|| {
            RegexBuilder::new(&pattern())
                .unicode(false)
                .build()
                .expect("every pattern of data/addresses.json is a regular expression")
        });
        compiled.is_match(text.as_bytes())
    }
}

/// The ISO 3166-1 alpha-2 code that is meant by `written`, in capitals; what is not known stays as it is.
pub(super) fn code_of(written: &str) -> String {
    let code = written.to_uppercase();
    if let Some((_, code)) = OTHER_CODES.iter().find(|(other, _)| *other == code) {
        return (*code).to_owned();
    }
    if COUNTRIES.contains_key(&code) {
        return code;
    }
    let by_three = COUNTRIES.iter().find(|(_, country)| country.iso3.as_deref() == Some(code.as_str()));
    by_three.map_or(code.clone(), |(two, _)| two.clone())
}

impl Area {
    /// Whether the code's beginning is one of this area's; `None` where the data does not say which they are.
    pub(super) fn has(&self, postal_code: &str) -> Option<bool> {
        let zip = self.zip.as_ref()?;
        Some(self.beginning.matches(|| format!("^(?:{zip})"), postal_code))
    }

    /// Whether the code has the form that this area has instead of its country's, if it has one.
    pub(super) fn has_form(&self, postal_code: &str) -> Option<bool> {
        let zip = self.xzip.as_ref()?;
        Some(self.form.matches(|| format!("^(?:{zip})$"), postal_code))
    }
}

impl Country {
    pub(super) fn has_postal_codes(&self) -> bool {
        self.fmt.contains('Z') && self.zip.is_some()
    }

    /// Whether a postal code has the country's form, written as the country writes it.
    pub(super) fn has_form(&self, postal_code: &str) -> bool {
        let zip = self.zip.as_deref().unwrap_or_default();
        self.form.matches(|| format!("^(?:{zip})$"), postal_code)
    }

    /// The names of the country's areas, prepared when they are first needed.
    pub(super) fn names(&self, code: &str) -> &Names {
        self.names.get_or_init(|| {
            let mut names = Names::of(code, self.iso3.as_deref());
            for (position, area) in self.areas.iter().enumerate() {
                names.add(&area.names, &[position]);
            }
            for wider in &self.wider {
                names.add(&wider.names, &wider.areas);
            }
            names
        })
    }

    /// What the country calls its postal codes, in a sentence.
    pub(super) fn zip_name(&self) -> &'static str {
        match self.zip_name.as_deref() {
            Some("zip") => "ZIP code",
            Some("pin") => "PIN code",
            Some("eircode") => "Eircode",
            _ => "postal code",
        }
    }

    /// `, such as` a postal code of the country.
    pub(super) fn zip_example(&self) -> String {
        self.zipex.as_ref().map(|example| format!(", such as {example}")).unwrap_or_default()
    }

    /// What the country calls its areas, in a sentence.
    pub(super) fn area_name(&self) -> &str {
        match self.area_name.as_deref() {
            Some("do_si") => "province or city",
            Some(name) => name,
            None => "province",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_every_example_fits_its_own_country() {
        for (code, country) in COUNTRIES.iter() {
            for area in &country.areas {
                area.has("");
                area.has_form("");
            }
            if let (Some(form), Some(example)) = (&country.zip, &country.zipex) {
                assert!(country.has_form(example), "{code}: {example} against {form}");
            }
            assert!(country.fmt.contains('A'), "{code} has no street");
        }
        assert_eq!(COUNTRIES.len(), 252);
    }

    #[test]
    fn a_country_is_known_by_the_codes_that_people_write_for_it() {
        for (written, code) in [
            ("es", "ES"),
            ("UK", "GB"),
            ("EL", "GR"),
            ("USA", "US"),
            ("jpn", "JP"),
            ("IC", "ES"),
            ("QQ", "QQ"),
        ] {
            assert_eq!(code_of(written), code);
        }
    }
}
