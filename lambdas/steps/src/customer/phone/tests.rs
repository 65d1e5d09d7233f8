mod written;

use written::{READ, REPORTED};

use super::Verdict::{Impossible, Possible, Valid};
use super::*;
use crate::customer::finding::Weight;

#[test]
fn numbers_of_public_bug_reports_are_read_and_judged() {
    for (country, written, e164, verdict, source) in REPORTED {
        assert_eq!(judge(written, country), (Some((*e164).to_owned()), *verdict), "{written} {source}");
    }
}

#[test]
fn usual_forms_are_taken_in_e164() {
    for (country, written, e164) in READ {
        assert_eq!(normal(written, country), ((*e164).to_owned(), None), "{written}");
        assert_eq!(finding(written, country), None, "{written}");
    }
}

#[test]
fn an_extension_goes_beside_the_number() {
    for (country, written, e164, extension) in [
        ("US", "+1-608-271-9000-x11", "+16082719000", "11"), // https://github.com/CDCgov/dibbs-ecr-viewer/issues/497
        ("US", "608-271-9000 ext. 12", "+16082719000", "12"),
        ("US", "608-271-9000 #12", "+16082719000", "12"),
        ("US", "tel:+1-608-271-9000;ext=12", "+16082719000", "12"),
        ("RU", "8 (812) 123-45-67 доб. 12", "+78121234567", "12"),
        ("MX", "+52 1 55 4163 7145 ext 12", "+525541637145", "12"),
    ] {
        assert_eq!(normal(written, country), (e164.to_owned(), Some(extension.to_owned())), "{written}");
    }
}

#[test]
fn what_only_its_length_makes_possible_is_a_doubt() {
    for (country, written) in
        [("ES", "+97233142764978"), ("US", "253-0000"), ("US", "(555) 555 - 5555 ext. 5555")]
    {
        assert_eq!(finding(written, country).map(|finding| finding.weight), Some(Weight::Doubt), "{written}");
    }
}

#[test]
fn what_no_plan_can_hold_is_refused() {
    for written in [
        "",
        " ",
        "ana",
        "123",
        "+34 112",
        "+999 600 123 456",
        "600 123 45",
        "600 123 456 789",
        "+",
        "00",
        "+34+34",
    ] {
        assert_eq!(finding(written, "ES").map(|finding| finding.weight), Some(Weight::Refusal), "{written}");
    }
    assert_eq!(finding("600 123 456", "QQ").map(|finding| finding.weight), Some(Weight::Refusal));
}

#[test]
fn an_emergency_number_is_not_taken_even_where_the_plan_has_room_for_it() {
    for country in ["DE", "AT", "KR"] {
        for written in ["15", "112", "110", "911", "100"] {
            assert_eq!(
                finding(written, country).map(|finding| finding.weight),
                Some(Weight::Refusal),
                "{country} {written}"
            );
        }
    }
}

/// A number of a neighbour, written as at home there, is not one of a country that dials no 0.
#[test]
fn a_trunk_prefix_without_a_country_code_is_not_left_off_where_there_never_was_one() {
    assert_eq!(judge("06 12 34 56 78", "ES").1, Impossible);
}

#[test]
fn a_digit_too_many_does_not_reach_somebody_abroad() {
    for (country, written) in
        [("LK", "0114 351 252 906 8"), ("AR", "011 4351 2529 068"), ("ES", "6581234567")]
    {
        assert_eq!(judge(written, country).1, Impossible, "{written}");
    }
}

#[test]
fn mexicos_old_prefixes_are_taken_only_from_whole_numbers() {
    for (country, written, e164) in [
        ("MX", "1 930 197 2983-37526", "+521930197298337526"),
        ("MX", "+52 1 55 4163 714", "+521554163714"),
        ("US", "1 554 163 7145", "+15541637145"),
    ] {
        assert_eq!(judge(written, country).0, Some(e164.to_owned()), "{written}");
    }
}

#[test]
fn a_message_does_not_repeat_the_number() {
    for written in ["+97233142764978", "123456789012345", "secret"] {
        assert!(!finding(written, "ES").is_some_and(|finding| finding.message.contains(written)));
    }
}

#[test]
fn what_cannot_be_read_stays_as_it_was_written() {
    assert_eq!(normal(" call  me ", "ES").0, text::normal(" call  me "));
}

/// libphonenumber's own reading of a few hundred lines, and what comes of it when it is read again.
#[test]
fn a_sample_is_read_as_by_libphonenumber_and_a_normal_form_is_one() {
    let sample = include_str!("../../../data/phones/sample.tsv");
    let lines: Vec<Vec<&str>> =
        sample.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 300);
    for line in lines {
        let [country, written, e164, verdict] = line[..] else { panic!("{line:?}") };
        let verdict = match verdict {
            "valid" => Valid,
            "possible" => Possible,
            _ => Impossible,
        };
        let e164 = (!e164.is_empty()).then(|| e164.to_owned());
        assert_eq!(judge(written, country), (e164, verdict), "{country} {written}");
        holds_still(written, country);
    }
    for (country, written, ..) in REPORTED {
        holds_still(written, country);
    }
}

/// The normal form of a normal form is itself, and it is judged as what was written.
fn holds_still(written: &str, country: &str) {
    let (once, _) = normal(written, country);
    assert_eq!(normal(&once, country), (once.clone(), None), "{country} {written}");
    assert_eq!(finding(&once, country), finding(written, country), "{country} {written}");
}
