use super::Verdict::{Impossible, Possible, Valid};
use super::*;
use crate::customer::Weight;

/// Country, as written, E.164, verdict and source. The forms are those of public bug reports, where a number was
/// refused or misread that should not have been, or the other way round; the digits of what may be somebody's number
/// are others of the same range.
const REPORTED: &[(&str, &str, &str, Verdict, &str)] = &[
    // A national number that begins with its own country's code.
    ("IT", "3912312312", "+393912312312", Valid, "https://github.com/whisperfish/rust-phonenumber/issues/68"),
    ("IT", "3911234567", "+393911234567", Valid, "https://github.com/daddyz/phonelib/issues/87"),
    ("NO", "47161700", "+4747161700", Valid, "https://github.com/daddyz/phonelib/issues/87"),
    ("IT", "393 903 5600", "+393939035600", Valid, "https://github.com/marmelroy/PhoneNumberKit/issues/847"),
    ("GB", "447700900000", "+447700900000", Possible, "https://github.com/dongri/phonenumber/issues/49"),
    // An international prefix, the country's own or not.
    ("FR", "00390266300000", "+390266300000", Valid, "https://github.com/haumacher/phoneblock/issues/210"),
    (
        "GB",
        "0031612345678",
        "+31612345678",
        Valid,
        "https://github.com/giggsey/libphonenumber-for-php/issues/209",
    ),
    ("US", "0031765123456", "+31765123456", Valid, "https://github.com/odoo/odoo/issues/22513"),
    ("US", "0015417543010", "+15417543010", Valid, "https://github.com/google/libphonenumber/issues/1870"),
    (
        "US",
        "011 48 600 000 000",
        "+48600000000",
        Valid,
        "https://github.com/jackocnr/intl-tel-input/issues/186",
    ),
    (
        "JP",
        "010 48 600 000 000",
        "+48600000000",
        Valid,
        "https://github.com/jackocnr/intl-tel-input/issues/186",
    ),
    // Trunk prefixes where there should be none.
    (
        "GB",
        "+44 (0) 20 7946 0018",
        "+442079460018",
        Valid,
        "https://github.com/Respect/Validation/issues/1440",
    ),
    ("GB", "+44 07624360000", "+447624360000", Valid, "https://github.com/dongri/phonenumber/issues/49"),
    (
        "AU",
        "+0407123456",
        "+61407123456",
        Valid,
        "https://github.com/catamphetamine/libphonenumber-js/issues/307",
    ),
    ("AR", "+540111557440000", "+5491157440000", Valid, "https://github.com/daddyz/phonelib/issues/304"),
    (
        "AR",
        "0348215610000",
        "+5493482610000",
        Valid,
        "https://github.com/daviddrysdale/python-phonenumbers/issues/27",
    ),
    ("IT", "0464 560000", "+390464560000", Valid, "https://github.com/iziz/libPhoneNumber-iOS/issues/149"),
    ("MX", "5215563180000", "+525563180000", Valid, "https://github.com/ttacon/libphonenumber/issues/109"),
    (
        "ES",
        "+5215541637145",
        "+525541637145",
        Valid,
        "https://github.com/daviddrysdale/python-phonenumbers/issues/306",
    ),
    // Other signs and digits.
    (
        "DE",
        "+49 4312 / 777 777",
        "+494312777777",
        Valid,
        "https://github.com/posabsolute/jQuery-Validation-Engine/pull/9",
    ),
    (
        "DE",
        "04312 / 777 777",
        "+494312777777",
        Valid,
        "https://github.com/posabsolute/jQuery-Validation-Engine/pull/9",
    ),
    (
        "DE",
        "+49 7736 9219-0",
        "+49773692190",
        Valid,
        "https://github.com/confusedbuffalo/phone-report/issues/53",
    ),
    ("SA", "٠٥٠١٢٣٤٥٦٧", "+966501234567", Valid, "https://github.com/jackocnr/intl-tel-input/issues/2105"),
    (
        "IR",
        "۰۹۱۲۳۴۵۶۷۸۹",
        "+989123456789",
        Valid,
        "https://github.com/bl00mber/react-phone-input-2/issues/459",
    ),
    (
        "GB",
        "020\u{2011}7946\u{2011}0018",
        "+442079460018",
        Valid,
        "https://github.com/alphagov/notifications-utils/pull/1222",
    ),
    ("RU", "\u{200e}79022222222", "+79022222222", Valid, "https://github.com/contao/core/issues/8434"),
    (
        "US",
        "+1\u{fe0d}-555-123-4567",
        "+15551234567",
        Possible,
        "https://github.com/woocommerce/woocommerce/issues/58000",
    ),
    (
        "FR",
        "05 00 00 00 00",
        "+33500000000",
        Valid,
        "https://github.com/woocommerce/woocommerce-blocks/issues/11036",
    ),
    // A country code twice.
    ("IN", "+91 +919812345678", "+919812345678", Valid, "https://github.com/bwhtech/buzz/issues/244"),
    (
        "US",
        "1+12025551234",
        "+12025551234",
        Valid,
        "https://github.com/code-payments/code-android-app/pull/896",
    ),
    // Its own country code without a plus.
    ("DE", "491622897306", "+491622897306", Valid, "https://github.com/google/libphonenumber/issues/1374"),
    ("DE", "491716783154", "+491716783154", Valid, "https://github.com/google/libphonenumber/issues/705"),
    (
        "DE",
        "49 151 23456789",
        "+4915123456789",
        Valid,
        "https://github.com/google/libphonenumber/issues/1374",
    ),
    ("DE", "49(0)345279580", "+49345279580", Valid, "https://github.com/google/libphonenumber/issues/1067"),
    ("DE", "49(0)3452795800", "+493452795800", Valid, "https://github.com/google/libphonenumber/issues/1067"),
    // Brazil's ninth digit.
    ("BR", "553196883193", "+5531996883193", Valid, "https://github.com/wwebjs/whatsapp-web.js/issues/596"),
    ("BR", "552164180266", "+5521964180266", Valid, "https://github.com/wwebjs/whatsapp-web.js/issues/596"),
    (
        "BR",
        "+551999118778",
        "+5519999118778",
        Valid,
        "https://github.com/hbb20/CountryCodePickerProject/issues/237",
    ),
    ("BR", "(85) 8765-4321", "+5585987654321", Valid, "https://github.com/google/libphonenumber/issues/1038"),
    // Colombia's 60; Benin's 01 is for the customer to write.
    ("BJ", "51 80 04 51", "+22951800451", Possible, "https://github.com/jackocnr/intl-tel-input/issues/1193"),
    ("CO", "(1) 345 6789", "+576013456789", Valid, "https://github.com/jackocnr/intl-tel-input/issues/1455"),
    ("CO", "+57 1 3456789", "+576013456789", Valid, "https://github.com/jackocnr/intl-tel-input/issues/1455"),
    // Numbers of France's overseas departments, as in France.
    (
        "FR",
        "0690335941",
        "+590690335941",
        Valid,
        "https://github.com/giggsey/libphonenumber-for-php/issues/517",
    ),
    (
        "FR",
        "+33690629042",
        "+590690629042",
        Valid,
        "https://github.com/giggsey/libphonenumber-for-php/issues/661",
    ),
    (
        "FR",
        "0692929292",
        "+262692929292",
        Valid,
        "https://github.com/daviddrysdale/python-phonenumbers/issues/241",
    ),
    (
        "RE",
        "+33692112233",
        "+262692112233",
        Valid,
        "https://github.com/giggsey/libphonenumber-for-php/issues/517",
    ),
    // Ranges that are new, and numbers that are none.
    (
        "CI",
        "+2250705180000",
        "+2250705180000",
        Valid,
        "https://github.com/ruimarinho/google-libphonenumber/issues/396",
    ),
    (
        "CI",
        "+22559005600",
        "+22559005600",
        Impossible,
        "https://github.com/jackocnr/intl-tel-input/issues/1278",
    ),
    (
        "SG",
        "+6580220000",
        "+6580220000",
        Valid,
        "https://github.com/ruimarinho/google-libphonenumber/issues/308",
    ),
    ("MY", "123456789", "+60123456789", Valid, "https://github.com/odoo/odoo/pull/164717"),
    (
        "CA",
        "416-111-2222",
        "+14161112222",
        Possible,
        "https://github.com/giggsey/libphonenumber-for-php/issues/181",
    ),
    (
        "US",
        "+161411430000",
        "+161411430000",
        Impossible,
        "https://github.com/giggsey/libphonenumber-for-php/issues/591",
    ),
    ("US", "a123", "+1123", Impossible, "https://github.com/woocommerce/woocommerce/issues/27021"),
];

/// Forms of our own, for the rules that no report shows: country, as written, E.164.
const READ: &[(&str, &str, &str)] = &[
    ("IT", "391 231 2312", "+393912312312"),
    ("BR", "(55) 99712-3456", "+5555997123456"),
    ("NO", "472 34 567", "+4747234567"),
    ("BR", "+5511-98765-4321", "+5511987654321"),
    ("KR", "+8210-2345-6789", "+821023456789"),
    ("ES", "+34\u{a0}600-123-456", "+34600123456"),
    ("RU", "+7 812 123-45-67", "+78121234567"),
    ("JP", "０９０－１２３４－５６７８", "+819012345678"),
    ("FR", "00225 07 07 12 34 56", "+2250707123456"),
    ("MX", "+5215541637145", "+525541637145"),
    ("MX", "00521 55 4163 7145", "+525541637145"),
    ("US", "011 52 1 55 4163 7145", "+525541637145"),
    ("MX", "52 1 55 4163 7145", "+525541637145"),
    ("MX", "(+52) 1 55-4163-7145", "+525541637145"),
    ("MX", "044 55 4163 7145", "+525541637145"),
    ("MX", "55 4163 7145", "+525541637145"),
    ("ES", "whatsapp:+5215541637145", "+525541637145"),
    ("ES", "(+34) 600.123.456", "+34600123456"),
    ("US", "+00 34 600 123 456", "+34600123456"),
    ("ES", "+011 34 600 123 456", "+34600123456"),
    ("ES", "+34 (0) 600 123 456", "+34600123456"),
    ("US", "00 34 (0) 600 123 456", "+34600123456"),
    ("PT", "+351(0)912 345 678", "+351912345678"),
    ("ES", "34600123456", "+34600123456"),
    ("IN", "०९८१२३४५६७८", "+919812345678"),
    ("FR", "tel:+34-600-123-456", "+34600123456"),
    ("FR", "tel:600123456;phone-context=+34", "+34600123456"),
    ("ES", "600_123_456", "+34600123456"),
    ("ES", "600·123·456 por las mañanas", "+34600123456"),
    ("ES", "600 123 456 / 600 123 457", "+34600123456"),
    ("US", "1-800-FLOWERS", "+18003569377"),
    ("es", " 600 123 456 ", "+34600123456"),
    ("DE", "0491 12345", "+4949112345"),
    ("XK", "38347353786", "+38347353786"),
    ("FR", "+33 0590 82 12 34", "+590590821234"),
    ("CO", "031 345 6789", "+576013456789"),
    ("LT", "+370 8 612 34567", "+37061234567"),
    ("AR", "+549 011 2345 6789", "+5491123456789"),
    ("AR", "+54 9 (011) 2345-6789", "+5491123456789"),
    ("AR", "+54 9 011 15 2345-6789", "+5491123456789"),
    ("UA", "8 (050) 123-45-67", "+380501234567"),
    ("UA", "80501234567", "+380501234567"),
    ("CL", "09 6123 4567", "+56961234567"),
    ("CL", "+56 09 6123 4567", "+56961234567"),
    ("PL", "0 22 826 12 34", "+48228261234"),
    ("GR", "+30 0 691 234 5678", "+306912345678"),
    ("AM", "8 077 123456", "+37477123456"),
    ("AZ", "8 050 123 45 67", "+994501234567"),
    ("FR", "06,12,34,56,78", "+33612345678"),
    ("ES", "600,123,456", "+34600123456"),
    ("US", "212,736,5000", "+12127365000"),
    ("US", "4157365000.0", "+14157365000"),
    ("DE", "4915123456789.0", "+4915123456789"),
];

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
