//! States, provinces and prefectures: what a name that somebody writes denotes.

use super::country::{Area, Country};

/// What a written name denotes.
pub(super) struct Denoted<'a> {
    /// Any of these may be meant.
    pub(super) areas: Vec<&'a Area>,
    /// All that may be meant stands in `areas`.
    pub(super) complete: bool,
    /// A city or district stands behind the name of the area.
    pub(super) with_city: bool,
}

impl Country {
    /// What the written name of an area denotes; `None` where the data does not know it.
    pub(super) fn denoted(&self, code: &str, written: &str) -> Option<Denoted<'_>> {
        let meaning = self.names(code).meaning(written)?;
        let areas = meaning.areas.iter().map(|position| &self.areas[*position]).collect();
        Some(Denoted { areas, complete: !meaning.elsewhere, with_city: meaning.with_city })
    }
}

impl Denoted<'_> {
    /// Whether one of the areas has the postal code, or the data does not say of one of them which codes it has.
    pub(super) fn may_have(&self, postal_code: &str) -> bool {
        !self.complete || self.areas.iter().any(|area| area.has(postal_code) != Some(false))
    }
}
