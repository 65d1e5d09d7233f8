//! The texts of messages, as data under `templates/`: one file a language, and one of why orders end, in all of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use comanda_saga::Cause;
use serde::Deserialize;

static LANGUAGES: LazyLock<Vec<Templates>> = LazyLock::new(|| {
    [
        include_str!("templates/en.json"),
        include_str!("templates/es.json"),
        include_str!("templates/pt-BR.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("every file under templates/ is well formed"))
    .into()
});

/// Why orders end, by cause and then by the locale of [`Templates`].
static CAUSES: LazyLock<BTreeMap<Cause, BTreeMap<String, String>>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("templates/causes.json")).expect("templates/causes.json is well formed")
});

/// The texts of one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Templates {
    pub(super) locale: String,
    pub(super) subjects: ByKind,
    pub(super) texts: ByKind,
    pub(super) money: ByMoney,
}

/// A text for each kind of message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByKind {
    pub(super) confirmed: String,
    pub(super) rejected: String,
    pub(super) cancelled: String,
    pub(super) failed: String,
}

/// A sentence for each fate of the customer's money.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ByMoney {
    pub(super) held: String,
    pub(super) charged: String,
    pub(super) nothing: String,
    pub(super) refunded: String,
    pub(super) refunding: String,
    pub(super) disputed: String,
}

impl Templates {
    /// Why an order ended, as part of a sentence.
    pub(super) fn cause(&self, cause: Cause) -> Option<&'static str> {
        CAUSES.get(&cause)?.get(&self.locale).map(String::as_str)
    }
}

/// The texts for a BCP 47 tag: the language itself, another variety of it, or English.
pub(super) fn speaking(tag: &str) -> &'static Templates {
    let tag = tag.trim().replace('_', "-").to_lowercase();
    let language = tag.split('-').next().unwrap_or_default();
    let exactly = |templates: &&Templates| templates.locale.to_lowercase() == tag;
    let related =
        |templates: &&Templates| templates.locale.to_lowercase().split('-').next() == Some(language);
    LANGUAGES.iter().find(exactly).or_else(|| LANGUAGES.iter().find(related)).unwrap_or(&LANGUAGES[0])
}

/// Fills `{name}`s in, in one pass: what is filled in is never read as a template itself.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
        text.push_str(before);
        text.extend(value.chars().filter(|letter| !letter.is_control()));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn the_nearest_language_speaks_and_english_where_there_is_none() {
        for (tag, locale) in [
            ("pt-BR", "pt-BR"),
            ("pt", "pt-BR"),
            ("pt-PT", "pt-BR"),
            ("PT_br", "pt-BR"),
            ("es-MX", "es"),
            ("en-GB", "en"),
            ("ja", "en"),
            ("", "en"),
            ("e", "en"),
        ] {
            assert_eq!(speaking(tag).locale, locale, "{tag}");
        }
    }

    #[test]
    fn every_language_has_a_phrase_for_every_cause_and_only_known_placeholders() {
        for templates in LANGUAGES.iter() {
            for cause in Cause::iter() {
                assert!(
                    templates.cause(cause).is_some(),
                    "causes.json lacks {cause:?} in {}",
                    templates.locale
                );
            }
            let Templates { subjects, texts, money, .. } = templates;
            for text in [
                &subjects.confirmed,
                &subjects.rejected,
                &subjects.cancelled,
                &subjects.failed,
                &texts.confirmed,
                &texts.rejected,
                &texts.cancelled,
                &texts.failed,
                &money.held,
                &money.charged,
                &money.nothing,
                &money.refunded,
                &money.refunding,
            ] {
                let names = text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
                for name in names {
                    assert!(
                        ["name", "order", "money", "reason", "total"].contains(&name),
                        "{name} in {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_customer_named_like_a_placeholder_stays_as_named() {
        assert_eq!(
            fill("Hello {name}, {total}.", &[("name", "{total}\r\n"), ("total", "5.00 EUR")]),
            "Hello {total}, 5.00 EUR."
        );
    }
}
