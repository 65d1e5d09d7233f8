use super::*;

const ES_EXAMPLE: &str = "The postal code does not have the form used in Spain (ES), such as 28039.";

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
