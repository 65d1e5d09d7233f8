//! One address of each kind that customers of shops write, and of each kind that cannot be delivered.

use super::*;

#[test]
fn every_kind_of_deliverable_address_is_taken_without_a_doubt() {
    for (country, postal_code, area, locality) in [
        ("JP", "151-0053", "TOKYO-TO", ""),
        ("JP", "151-0053", "東京", ""),
        ("ES", "07001", "Baleares", "Palma"),
        ("ES", "01001", "Araba/Álava", "Vitoria-Gasteiz"),
        ("CN", "200000", "Shanghai", "Shanghai"),
        ("CN", "518000", "广东", "深圳市"),
        ("TW", "100", "臺北市", "中正區"),
        ("KR", "06236", "서울시", "강남구"),
        ("HK", "", "", "Tai Po"),
        ("MX", "27435", "Coahuila", "Saltillo"),
        ("AR", "C1015ABO", "Buenos Aires", "Buenos Aires"),
        ("IN", "400 001", "Maharashtra", "Mumbai"),
        ("PL", "87100", "", "Toruń"),
        ("LT", "LT-10309", "", "Vilnius"),
        ("DE", "DE-10115", "", "Berlin"),
        ("US", "806211226", "CO", "Evans"),
        ("IE", "D02-X285", "", "Dublin 2"),
        ("IT", "00128", "Lazio", "Roma"),
        ("CO", "", "Bogotá, D.C.", "Bogotá"),
        ("US", "20588", "MD", "Camp Springs"),
    ] {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn every_kind_of_undeliverable_address_is_refused() {
    let refused = |address: &Address| found(address).iter().any(|(weight, ..)| *weight == Weight::Refusal);
    assert!(refused(&address("ES", "Madrid", "2801A", "Madrid")));
    assert!(refused(&address("QQ", "", "28014", "Madrid")));
    let mut without_street = address("ES", "Madrid", "28014", "Madrid");
    without_street.lines = vec![String::new()];
    assert!(refused(&without_street));
}
