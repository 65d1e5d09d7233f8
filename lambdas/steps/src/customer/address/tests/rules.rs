use super::Weight::{Doubt, Refusal};
use super::*;

fn finding(weight: Weight, field: &'static str, message: &str) -> (Weight, &'static str, String) {
    (weight, field, message.to_owned())
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
        ("UK", "", "EC1Y 8SY", "London"),
        ("EL", "", "10557", "Athina"),
        ("USA", "NY", "10001", "New York"),
    ] {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn a_postal_code_of_another_form_is_refused_with_an_example() {
    for (country, area, postal_code, message) in [
        ("ES", "Madrid", "2801", "The postal code does not have the form used in Spain (ES), such as 28039."),
        (
            "BR",
            "SP",
            "0131",
            "The postal code does not have the form used in Brazil (BR), such as 40301-110.",
        ),
        (
            "JP",
            "Tokyo",
            "1000-00",
            "The postal code does not have the form used in Japan (JP), such as 154-0023.",
        ),
        (
            "US",
            "CA",
            "9501A",
            "The ZIP code does not have the form used in United States (US), such as 95014.",
        ),
        ("DE", "", "1011", "The postal code does not have the form used in Germany (DE), such as 26133."),
    ] {
        assert_eq!(
            found(&address(country, area, postal_code, "Here")),
            [finding(Refusal, "address.postalCode", message)]
        );
    }
}

#[test]
fn where_the_country_needs_no_postal_code_its_form_never_ends_an_order() {
    assert_eq!(
        found(&address("IE", "Dublin", "D02", "Dublin")),
        [finding(
            Doubt,
            "address.postalCode",
            "The Eircode does not have the form used in Ireland (IE), such as A65 F4E2."
        )]
    );
    assert_eq!(found(&address("CO", "Antioquia", "no tengo", "Medellín"))[0].0, Doubt);
}

#[test]
fn where_the_country_has_no_postal_codes_any_is_ignored() {
    for (country, area, postal_code, locality) in [
        ("AE", "Dubai", "00000", ""),
        ("HK", "", "999077", "Mong Kok"),
        ("MO", "", "999078", ""),
        ("QA", "", "N/A 1", "Doha"),
    ] {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn a_postal_code_of_another_area_is_a_doubt_that_names_neither() {
    for (country, area, postal_code, what, kind) in [
        ("ES", "Madrid", "08001", "postal code", "province"),
        ("BR", "RJ", "01310-100", "postal code", "state"),
        ("JP", "大阪府", "100-0001", "postal code", "prefecture"),
        ("US", "NY", "95014", "ZIP code", "state"),
        ("IT", "Lombardia", "00128", "postal code", "province"),
    ] {
        let message = format!(
            "The {what} and the {kind} of the address seem not to belong together: correct whichever is wrong."
        );
        assert_eq!(
            found(&address(country, area, postal_code, "Here")),
            [finding(Doubt, "address.postalCode", &message)]
        );
    }
}

#[test]
fn what_a_country_requires_has_to_be_there() {
    let mut empty = address("US", "", " ", "-");
    empty.lines = vec![String::new(), ".".to_owned()];
    assert_eq!(
        found(&empty),
        [
            finding(
                Refusal,
                "address.lines",
                "An address in United States (US) needs a street: fill in lines."
            ),
            finding(
                Refusal,
                "address.locality",
                "An address in United States (US) needs a city: fill in locality."
            ),
            finding(
                Refusal,
                "address.postalCode",
                "An address in United States (US) needs a ZIP code: fill in postalCode, such as 95014."
            ),
            finding(
                Refusal,
                "address.administrativeArea",
                "An address in United States (US) needs a state: fill in administrativeArea."
            ),
        ]
    );
}

#[test]
fn a_missing_area_is_a_doubt_where_the_postal_code_names_it() {
    for (country, postal_code, locality) in [
        ("US", "95014", "Cupertino"),
        ("ES", "CP 28901", "Getafe"),
        ("JP", "100-0001", ""),
        ("BR", "13010-001", "Campinas"),
        ("US", "43015", "Delaware"),
        ("MX", "44100", "Zapopan"),
        ("CR", "10101", "San José"),
    ] {
        let findings = found(&address(country, "", postal_code, locality));
        let told: Vec<_> = findings.iter().map(|(weight, field, _)| (*weight, *field)).collect();
        assert_eq!(told, [(Doubt, "address.administrativeArea")], "{country}");
    }
}

#[test]
fn a_city_that_has_the_name_of_an_area_is_in_it() {
    for (country, postal_code, locality) in [
        ("AE", "", "Dubai"),
        ("ES", "CP 28013", "Madrid"),
        ("IT", "00128", "Roma"),
        ("BR", "01310-100", "São Paulo"),
        ("KR", "06236", "서울"),
        ("TW", "100", "台北市"),
        ("CN", "100000", "北京"),
        ("RU", "101000", "Москва"),
        ("CO", "", "Bogotá"),
        ("CO", "110111", "Bogotá"),
        ("ID", "", "Jakarta"),
        ("US", "10001", "New York"),
    ] {
        assert_holds(&address(country, "", postal_code, locality));
    }
}

/// The sources stand under `cities` in `data/aliases.json`.
#[test]
fn an_area_that_is_a_city_needs_no_other() {
    for (country, area, postal_code) in [
        ("MY", "Kuala Lumpur", "50000"),
        ("VN", "Hà Nội", ""),
        ("TH", "Bangkok", "10200"),
        ("PH", "Metro Manila", ""),
        ("PH", "Quezon City", "1100"),
        ("TR", "İstanbul", "34000"),
        ("AR", "CABA", ""),
        ("MX", "CDMX", "06600"),
        ("IE", "Dublin", ""),
        ("UY", "Montevideo", ""),
        ("EG", "Cairo", ""),
        ("RU", "Москва", "101000"),
        ("QA", "Doha", ""),
        ("DE", "Berlin", "10115"),
        ("MC", "", "98000"),
        ("VA", "", "00120"),
    ] {
        assert_holds(&address(country, area, postal_code, ""));
    }
    for (country, area, postal_code) in [("US", "CA", "95014"), ("MY", "Johor", "79000"), ("DE", "", "10115")]
    {
        let findings = found(&address(country, area, postal_code, ""));
        let told: Vec<_> = findings.iter().map(|(weight, field, _)| (*weight, *field)).collect();
        assert_eq!(told, [(Refusal, "address.locality")], "{country}");
    }
}

#[test]
fn a_missing_area_is_refused_where_nothing_names_it() {
    for (country, postal_code, locality) in
        [("CO", "", "Mosquera"), ("KR", "00000", "Here"), ("VE", "", "Here")]
    {
        let findings = found(&address(country, "", postal_code, locality));
        let told: Vec<_> = findings.iter().map(|(weight, field, _)| (*weight, *field)).collect();
        assert_eq!(told, [(Refusal, "address.administrativeArea")], "{country}");
    }
}

/// The sources stand under `require` in `data/aliases.json`.
#[test]
fn where_the_post_does_without_an_area_or_a_city_none_is_missed() {
    for (country, area, postal_code, locality) in [
        ("HK", "", "", "Tai Po"),
        ("VI", "", "00802", "Charlotte Amalie"),
        ("MP", "", "96950", "Saipan"),
        ("CN", "上海", "200000", ""),
        ("KR", "서울", "06236", ""),
        ("TW", "臺北市", "100", ""),
    ] {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn an_area_that_the_country_is_not_known_to_have_is_a_doubt() {
    assert_eq!(
        found(&address("BR", "Bavaria", "01310-100", "São Paulo")),
        [finding(
            Doubt,
            "address.administrativeArea",
            "The state is not known to be one of Brazil (BR): write its name or its code, such as AC or Acre."
        )]
    );
}

#[test]
fn a_country_that_is_none_is_refused() {
    for country in ["QQ", "", "Narnia"] {
        assert_eq!(
            found(&address(country, "", "", "")),
            [finding(
                Refusal,
                "address.country",
                "The country of the address is not known: use its ISO 3166-1 code of two letters, such as ES."
            )]
        );
    }
}

#[test]
fn to_normalise_twice_changes_nothing_more() {
    for (country, area, postal_code, locality) in [
        ("uk", " Devon ", "ec1y8sy", "London"),
        ("LV", "", "1005", "Rīga"),
        ("SV", "San Salvador", "CP-CP 1101", "San Salvador"),
        ("CN", "台湾", "106-03", "臺北"),
        ("QQ", "-", "１２", "½ x"),
    ] {
        let once = normal(&address(country, area, postal_code, locality));
        assert_eq!(normal(&once), once);
    }
}
