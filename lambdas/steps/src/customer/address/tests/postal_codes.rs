use super::*;

/// The postal code of an address in its normal form.
fn normalised(country: &str, area: &str, postal_code: &str) -> Option<String> {
    normal(&address(country, area, postal_code, "Here")).postal_code
}

#[track_caller]
fn assert_code(country: &str, written: &str, form: &str) {
    assert_eq!(normalised(country, "", written).as_deref(), Some(form), "{country}: {written}");
    let findings = findings(&normal(&address(country, "", written, "Here")));
    let about: Vec<_> = findings.iter().filter(|finding| finding.field == POSTAL_CODE).collect();
    assert!(about.is_empty(), "{country}: {written}: {about:?}");
}

#[test]
fn what_differs_by_blanks_marks_case_script_or_prefix_is_the_same_code() {
    for (country, written, form) in [
        ("ES", "٢٨٠١٣", "28013"),
        ("ES", "२८०१३", "28013"),
        ("ES", "CP 28013", "28013"),
        ("ES", "C.P. 28013", "28013"),
        ("ES", "Código Postal: 28013", "28013"),
        ("ES", "E-28013", "28013"),
        ("ES", "ESP 28013", "28013"),
        ("ES", "C.P. E-28013", "28013"),
        ("BR", "CEP 01310-100", "01310-100"),
        ("BR", "01.310-100", "01310-100"),
        ("IT", "CAP 00128", "00128"),
        ("IT", "I-00128", "00128"),
        ("DE", "PLZ 10115", "10115"),
        ("DE", "D-10115", "10115"),
        ("FR", "F-75 001", "75001"),
        ("BE", "B-1000", "1000"),
        ("CH", "CH-8001", "8001"),
        ("FI", "FIN-00100", "00100"),
        ("NO", "N-0150", "0150"),
        ("DK", "DK-1050", "1050"),
        ("LI", "FL-9490", "9490"),
        ("US", "ZIP 95014", "95014"),
        ("US", "95014 2083", "95014-2083"),
        ("IN", "PIN 400001", "400001"),
        ("IN", "PIN CODE - 400 001", "400001"),
        ("JP", "〒151-0053", "151-0053"),
        ("JP", "郵便番号 151ー0053", "151-0053"),
        ("JP", "JP 1510053", "151-0053"),
        ("IE", "Eircode d02x285", "D02 X285"),
        ("GB", "ec1y8sy", "EC1Y 8SY"),
        ("GB", "BFPO61", "BFPO 61"),
        ("CA", "k1a-0b1", "K1A 0B1"),
        ("NL", "1234ab", "1234 AB"),
        ("MT", "vct1753", "VCT 1753"),
        ("AR", "c1015abo", "C1015ABO"),
        ("KY", "1-1100", "KY1-1100"),
        ("AD", "500", "AD500"),
        ("PE", "lima18", "LIMA 18"),
        ("PR", "PR 00930", "00930"),
        ("IR", "۱۱۹۳۶۱۲۳۴۵", "11936-12345"),
        ("PY", "001001", "001001"),
        ("MM", "1101001", "1101001"),
    ] {
        assert_code(country, written, form);
    }
}

/// Inputs of customers and developers that shops, plugins and libraries rejected.
#[test]
fn codes_of_public_bug_reports_are_their_countries_codes() {
    for (country, written, form, _source) in [
        ("CA", "m1l2s9", "M1L 2S9", "https://github.com/jquery-validation/jquery-validation/issues/1591"),
        ("CA", "V0H 1z6", "V0H 1Z6", "https://github.com/dgilperez/validates_zipcode/issues/56"),
        ("CA", "A1B2C3", "A1B 2C3", "https://github.com/magento/magento2/issues/13899"),
        ("PL", "44100", "44-100", "https://github.com/Cimpress-MCP/postal-codes-js/issues/50"),
        ("PL", "56500", "56-500", "https://github.com/magento/magento2/pull/40486"),
        ("PT", "9500339", "9500-339", "https://github.com/laravel/vat-calculator/pull/174"),
        ("JP", "１２３－４５６７", "123-4567", "https://github.com/ourjapanlife/findadoc-web/issues/1762"),
        ("JP", "1234567", "123-4567", "https://github.com/magento/magento2/pull/14300"),
        ("GB", "CF 242NY", "CF24 2NY", "https://github.com/axlon/laravel-postal-code-validation/issues/15"),
        ("GB", "LE113GR", "LE11 3GR", "https://github.com/formencode/formencode/pull/97"),
        ("GB", "b90 4jn", "B90 4JN", "https://github.com/Automattic/delphin/pull/1090"),
        ("IE", "X91-PK81", "X91 PK81", "https://github.com/dgilperez/validates_zipcode/issues/29"),
        ("IE", "D6WXK06", "D6W XK06", "https://github.com/sirprize/postal-code-validator/pull/21"),
        ("IE", "A65F4E2", "A65 F4E2", "https://github.com/woocommerce/woocommerce/issues/19745"),
        ("LT", "LT-01001", "01001", "https://github.com/barbieswimcrew/zip-code-validator/issues/7"),
        ("LV", "1005", "LV-1005", "https://github.com/Cimpress-MCP/postal-codes-js/issues/60"),
        ("LV", "LV 1005", "LV-1005", "https://github.com/woocommerce/woocommerce/pull/67684"),
        ("LU", "L-4545", "4545", "https://github.com/Cimpress-MCP/postal-codes-js/issues/60"),
        ("SE", "SE-41516", "41516", "https://github.com/mysociety/mapit/pull/184"),
        ("SE", "S-41516", "41516", "https://github.com/awesomemotive/easy-digital-downloads/issues/9302"),
        ("SE", "100 00", "10000", "https://github.com/magento/magento2/pull/40486"),
        ("SV", "1101", "CP 1101", "https://github.com/commerceguys/addressing/issues/127"),
        ("SV", "CP1101", "CP 1101", "https://github.com/commerceguys/addressing/issues/127"),
        ("BR", "05734150", "05734-150", "https://github.com/bcgov/entity/issues/7556"),
        ("BR", "40.301 110", "40301-110", "https://github.com/osmose-qa/osmose-backend/issues/13"),
        ("IT", "12345 ", "12345", "https://github.com/PrestaShop/PrestaShop/issues/25848"),
        ("CZ", "12345", "123 45", "https://github.com/magento/magento2/pull/40486"),
        ("CZ", "CZ-110 00", "110 00", "https://github.com/woocommerce/woocommerce/pull/45478"),
        ("SK", "SK-010 01", "010 01", "https://github.com/woocommerce/woocommerce/pull/45478"),
        ("AT", "A-6020", "6020", "https://github.com/woocommerce/woocommerce/issues/29212"),
        ("US", "123451234", "12345-1234", "https://github.com/bcgov/mds/pull/2321"),
        ("IR", "۵۹۵۱۴۱۲۷۴۹", "59514-12749", "https://github.com/woocommerce/woocommerce/issues/31914"),
        (
            "IR",
            "5951412749",
            "59514-12749",
            "https://github.com/sadegh19b/laravel-persian-validation/issues/18",
        ),
        ("HK", "0000", "0000", "https://github.com/woocommerce/woocommerce-blocks/issues/8978"),
        ("HK", "999077", "999077", "https://github.com/barbieswimcrew/zip-code-validator/issues/13"),
    ] {
        assert_code(country, written, form);
    }
}

#[test]
fn every_countrys_example_is_its_own_normal_form_and_so_is_it_without_its_marks() {
    for (code, country) in COUNTRIES.iter() {
        let Some(example) = country.zip_example().strip_prefix(", such as ").map(str::to_owned) else {
            continue;
        };
        let bare: String = example.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
        for written in [example.clone(), bare.clone(), format!("{code}-{bare}"), format!("{code} {example}")]
        {
            // Anguilla writes its only code with its prefix and without.
            let form = if written.starts_with("AI") { "AI-2640" } else { example.as_str() };
            let place = postal_code::Place { code, country, areas: Vec::new(), city: None };
            assert_eq!(postal_code::normal(&written, &place), form, "{code}: {written}");
        }
    }
}

#[test]
fn a_code_of_no_form_stays_as_it_was_written() {
    for written in ["2801A", "280130", "Madrid", "D-2801", "〒郵便", "é", &"2".repeat(10_000)] {
        assert_eq!(normalised("ES", "Madrid", written).as_deref(), Some(written));
    }
}

#[test]
fn the_code_of_the_area_may_stand_before_the_postal_code() {
    assert_eq!(normalised("US", "California", "CA 95014").as_deref(), Some("95014"));
    assert_eq!(normalised("AU", "NSW", "NSW 2000").as_deref(), Some("2000"));
    assert_eq!(normalised("US", "California", "NY 10001").as_deref(), Some("NY 10001"));
}

#[test]
fn parts_of_china_that_have_codes_of_their_own_keep_them() {
    assert_eq!(normalised("CN", "澳门", "999078").as_deref(), Some("999078"));
    assert_eq!(normalised("CN", "台湾", "106-03").as_deref(), Some("10603"));
}

/// Spreadsheets take the zeros from the beginning of codes, as from numbers:
/// <https://github.com/sosedoff/opentable/issues/8>, <https://github.com/wpsharks/s2member/issues/1148>,
/// <https://github.com/cfpb/college-costs/issues/90>.
#[test]
fn zeros_that_a_spreadsheet_took_come_back_where_the_area_has_them() {
    for (country, area, written, form) in [
        ("US", "MA", "2210", "02210"),
        ("US", "ME", "4101", "04101"),
        ("US", "CT", "6520", "06520"),
        ("US", "NJ", "7030", "07030"),
        ("US", "NY", "501", "00501"),
        ("US", "PR", "901", "00901"),
        ("US", "MA", "2138-1001", "02138-1001"),
        ("ES", "Barcelona", "8001", "08001"),
        ("IT", "RM", "118", "00118"),
        ("MX", "CDMX", "6600", "06600"),
        ("AU", "NT", "800", "0800"),
        ("BR", "SP", "1310100", "01310-100"),
        ("JP", "北海道", "600001", "060-0001"),
    ] {
        assert_eq!(normalised(country, area, written).as_deref(), Some(form), "{country}: {written}");
        assert_holds(&address(country, area, written, "Here"));
    }
    for (country, area, written) in [
        ("DE", "", "1234"),
        ("ES", "Madrid", "2801"),
        ("BR", "SP", "0131"),
        ("US", "CA", "2210"),
        ("US", "", "2210"),
        ("JP", "東京都", "1000-00"),
        ("AU", "NSW", "800"),
    ] {
        assert_eq!(normalised(country, area, written).as_deref(), Some(written), "{country}: {written}");
    }
    assert_eq!(normal(&address("IT", "", "118", "Roma")).postal_code.as_deref(), Some("00118"));
}

#[test]
fn signs_and_words_around_a_code_are_not_of_it() {
    for (country, area, locality, written, form) in [
        ("SG", "", "", "S238801", "238801"),
        ("SG", "", "", "S(238801)", "238801"),
        ("SG", "", "", "Singapore 238801", "238801"),
        ("KR", "서울", "강남구", "우)06236", "06236"),
        ("KR", "서울", "강남구", "우06236", "06236"),
        ("GR", "", "Αθήνα", "Τ.Κ. 105 57", "105 57"),
        ("JP", "東京都", "", "T150-0001", "150-0001"),
        ("AR", "CABA", "", "CPA C1002AAA", "C1002AAA"),
        ("FR", "", "Paris", "75001 CEDEX", "75001"),
        ("FR", "", "Paris", "75001 Cedex 08", "75001"),
        ("FR", "", "Paris", "75001 Paris Cedex 08", "75001"),
        ("FR", "", "Paris", "75001 Paris", "75001"),
        ("FR", "", "Paris", "75001, France", "75001"),
        ("DE", "", "Berlin", "10115 Berlin", "10115"),
        ("PT", "", "Lisboa", "1000-001 LISBOA", "1000-001"),
        ("CZ", "", "Praha", "110 00 Praha 1", "110 00"),
        ("CZ", "", "Praha 1", "110 00 Praha 1", "110 00"),
        ("US", "California", "Beverly Hills", "90210, CA", "90210"),
        ("US", "CA", "Beverly Hills", "Beverly Hills, CA 90210", "90210"),
        ("AU", "NSW", "Sydney", "2000 NSW", "2000"),
        ("IN", "Maharashtra", "Mumbai", "Mumbai 400001", "400001"),
        ("SA", "", "الرياض", "12987-7318", "12987-7318"),
        ("SA", "", "الرياض", "129877318", "12987-7318"),
        ("KZ", "", "Алматы", "A01 P3K4", "A01P3K4"),
        ("IC", "Las Palmas", "Las Palmas", "35001", "35001"),
    ] {
        let address = address(country, area, written, locality);
        assert_eq!(normal(&address).postal_code.as_deref(), Some(form), "{country}: {written}");
        assert_holds(&address);
    }
    for (country, area, locality, written) in [
        ("FR", "", "Lyon", "75001 Paris"),
        ("US", "California", "Here", "90210, NY"),
        ("AU", "NSW", "Sydney", "Victoria 3000"),
        ("ES", "Madrid", "Madrid", "28013M"),
        ("FR", "", "Paris", "750 Paris 01"),
    ] {
        let address = address(country, area, written, locality);
        assert_eq!(normal(&address).postal_code.as_deref(), Some(written), "{country}: {written}");
    }
}

/// <https://github.com/google/libaddressinput/issues/123>
#[test]
fn letters_that_look_like_digits_are_digits_where_the_form_has_them() {
    assert_code("CA", "K1A OB1", "K1A 0B1");
    assert_code("CA", "KIA OBI", "K1A 0B1");
    assert_code("GB", "EC1V OBW", "EC1V 0BW");
    assert_code("GB", "OX1 1OA", "OX1 1OA");
    assert_code("PT", "I000-OO1", "1000-001");
}
