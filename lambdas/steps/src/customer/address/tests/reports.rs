//! Addresses of customers and developers that shops, plugins and libraries rejected for their area. The areas are
//! those of the reports; a postal code or city that a report does not give was added to make the address whole.

use super::*;

/// Country, area, postal code, locality, and the report.
type Report = (&'static str, &'static str, &'static str, &'static str, &'static str);

const REPORTS: [Report; 40] = [
    (
        "JP",
        "AOMORI-KEN",
        "030-0801",
        "",
        "https://github.com/woocommerce/woocommerce-gateway-paypal-express-checkout/issues/513",
    ),
    (
        "JP",
        "KYOTO-FU",
        "600-8216",
        "Kyoto",
        "https://github.com/woocommerce/woocommerce-gateway-paypal-express-checkout/issues/513",
    ),
    (
        "JP",
        "HOKKAIDO",
        "060-0001",
        "Sapporo",
        "https://github.com/woocommerce/woocommerce-gateway-paypal-express-checkout/issues/513",
    ),
    ("CN", "Anhui Sheng", "230001", "Hefei", "https://github.com/Automattic/woocommerce-payments/pull/1423"),
    (
        "CN",
        "Anhui / 安徽",
        "230001",
        "合肥市",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/pull/1476",
    ),
    (
        "CN",
        "Guangxi Zhuang / 广西壮族",
        "530000",
        "南宁市",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/1065",
    ),
    (
        "CN",
        "Inner Mongolia / 內蒙古",
        "010000",
        "呼和浩特市",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/1065",
    ),
    (
        "ES",
        "Gipuzkoa",
        "20003",
        "Donostia",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/2326",
    ),
    (
        "ES",
        "Nafarroa",
        "31001",
        "Iruña",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/pull/5283",
    ),
    (
        "ES",
        "Alacant",
        "03001",
        "Alacant",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/pull/5283",
    ),
    (
        "ES",
        "Lérida",
        "25001",
        "Lérida",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/pull/5283",
    ),
    (
        "ES",
        "MÁLAGA",
        "29001",
        "Málaga",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/880",
    ),
    (
        "IT",
        "Abruzzo",
        "65121",
        "Pescara",
        "https://github.com/solidusio/solidus_paypal_commerce_platform/issues/38",
    ),
    (
        "IT",
        "Province of Pescara",
        "65121",
        "Pescara",
        "https://github.com/solidusio/solidus_paypal_commerce_platform/issues/38",
    ),
    ("IT", "Province of Cagliari", "09123", "Cagliari", "https://github.com/gityopie/odoo-addons/pull/113"),
    ("AU", "Qld", "4000", "Brisbane", "https://github.com/angelleye/paypal-woocommerce/pull/1066"),
    (
        "MX",
        "Distrito Federal",
        "06600",
        "Cuauhtémoc",
        "https://github.com/khkwan0/countryCityStateJson/issues/23",
    ),
    ("MX", "DIF", "06600", "Cuauhtémoc", "https://github.com/olahol/iso-3166-2.json/issues/18"),
    (
        "MX",
        "Veracruz de Ignacio de la LLave",
        "91000",
        "Xalapa",
        "https://github.com/dr5hn/countries-states-cities-database/pull/391",
    ),
    (
        "IN",
        "Pondicherry",
        "605001",
        "Puducherry",
        "https://github.com/resilient-tech/india-compliance/pull/548",
    ),
    ("IN", "Puducherry", "609602", "Karaikal", "https://github.com/google/libaddressinput/issues/151"),
    ("IN", "OD", "751001", "Bhubaneswar", "https://github.com/woocommerce/woocommerce/pull/60266"),
    (
        "IN",
        "Uttaranchal",
        "248001",
        "Dehradun",
        "https://github.com/vinaygaba/Ultimate-String-Array-List/pull/15",
    ),
    ("KR", "대구광역시", "42970", "", "https://github.com/google/libaddressinput/issues/192"),
    ("KR", "세종시", "30151", "", "https://github.com/daumPostcode/kakaoPostcodeQnA/issues/950"),
    ("KR", "Gyeonggi-do", "16575", "Suwon", "https://github.com/saleor/saleor/issues/13878"),
    (
        "HK",
        "New Territories",
        "",
        "Taipo",
        "https://github.com/woocommerce/woocommerce-gateway-stripe/pull/1593",
    ),
    ("HK", "", "", "Hong Kong", "https://github.com/saleor/saleor/issues/1770"),
    (
        "CA",
        "Quebec",
        "J4Z 1A6",
        "Brossard",
        "https://github.com/shipperhq/module-address-autocomplete/issues/34",
    ),
    ("US", "AE", "09012", "APO", "https://github.com/commerceguys/addressing/issues/90"),
    ("US", "VI", "00802", "St Thomas", "https://github.com/furious-luke/django-address/issues/82"),
    ("BR", "SP", "05734150", "Sao Paulo", "https://github.com/bcgov/entity/issues/7556"),
    ("TW", "台北縣", "220", "板橋區", "https://github.com/essoduke/jQuery-TWzipcode/issues/13"),
    ("UA", "Kyiv", "01001", "Kyiv", "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/4691"),
    (
        "AR",
        "Capital Federal",
        "1430",
        "Buenos Aires",
        "https://github.com/mercadopago/cart-woocommerce/issues/177",
    ),
    (
        "ID",
        "Jakarta Selatan",
        "12190",
        "Kebayoran Baru",
        "https://github.com/dr5hn/countries-states-cities-database/issues/918",
    ),
    ("PK", "", "54000", "Lahore", "https://github.com/woocommerce/woocommerce-gateway-stripe/issues/4283"),
    ("DE", "Empty", "79111", "Freiburg", "https://github.com/solidusio/solidus_paypal_braintree/issues/153"),
    ("GB", "Devon", "EX1 1AA", "Exeter", "https://github.com/PrestaShopCorp/ps_checkout/pull/918"),
    ("GR", "Attica", "157 73", "Zografou", "https://github.com/Automattic/woocommerce-payments/issues/6659"),
];

#[test]
fn areas_of_public_bug_reports_are_taken_without_a_doubt() {
    for (country, area, postal_code, locality, _report) in REPORTS {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn a_country_code_in_the_place_of_the_area_is_only_doubted() {
    // https://github.com/woocommerce/woocommerce-paypal-payments/issues/4596
    let findings = found(&address("IT", "IT", "66026", "Ortona (CH)"));
    let told: Vec<_> = findings.iter().map(|(weight, field, _)| (*weight, *field)).collect();
    assert_eq!(told, [(Weight::Doubt, AREA)]);
}
