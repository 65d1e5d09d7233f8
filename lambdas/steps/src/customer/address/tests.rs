use super::*;
use crate::customer::finding::Weight;

mod areas;
mod kinds;
mod postal_codes;
mod reports;
mod rules;

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

/// What is found about an address once it is in its normal form: weight, field and message.
fn found(address: &Address) -> Vec<(Weight, &'static str, String)> {
    findings(&normal(address))
        .into_iter()
        .map(|finding| (finding.weight, finding.field, finding.message))
        .collect()
}

#[track_caller]
fn assert_holds(address: &Address) {
    assert_eq!(found(address), Vec::new(), "{address:?}");
}
