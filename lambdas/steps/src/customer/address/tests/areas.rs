use std::collections::BTreeMap;

use super::*;

#[test]
fn an_area_may_be_named_in_every_usual_way() {
    for (country, areas, postal_code) in [
        (
            "ES",
            "Madrid|Comunidad de Madrid|Comunidad Autónoma de Madrid|Provincia de Madrid|ES-M|es-md|MADRID, Spain",
            "28013",
        ),
        ("ES", "Andalucía|Andalusia|Junta de Andalucía / Andalucía|Sevilla|Seville", "41001"),
        ("ES", "Valencia/València|Comunitat Valenciana|València|Valencia (Valencia)", "46001"),
        (
            "JP",
            "東京都|東京|Tokyo|Tōkyō|Toukyou|TOKYO-TO|Tokyo Prefecture|JP-13|JP13|13|东京都|Tokyo 東京都",
            "100-0001",
        ),
        ("JP", "大阪府|大阪|Osaka|Ōsaka|Oosaka|Ohsaka|Osaka-fu", "530-0001"),
        ("JP", "兵庫県|兵庫|Hyogo|Hyōgo|Hyougo|Hyogo-ken", "650-0001"),
        ("JP", "広島|廣島|广岛|Hiroshima|Hirosima", "730-0001"),
        (
            "CN",
            "广东|广东省|廣東省|Guangdong|Guangdong Province|Guangdong Sheng|Kwangtung|CN-GD|Guangdong 广东",
            "518000",
        ),
        (
            "CN",
            "新疆|新疆维吾尔自治区|新疆維吾爾自治區|Xinjiang Uygur Zizhiqu|Xinjiang Uyghur Autonomous Region",
            "830000",
        ),
        ("TW", "臺中市|台中市|台中|Taichung|Taichung City|台中縣|TW-TXG", "400"),
        (
            "KR",
            "서울특별시|서울시|서울|Seoul|Seoul-si|Seoul-teukbyeolsi|Seoul City|KR-11|Seoul 서울",
            "06236",
        ),
        ("KR", "부산|Pusan|Busan Metropolitan City|Pusan Kwangyoksi", "48058"),
        ("KR", "경기도|경기|Kyonggi-do|Kyŏnggi-do|Gyeonggi|Gyeonggi Province", "16575"),
        ("KR", "제주|제주도|Cheju|Jeju-do|Jeju Special Self-Governing Province", "63122"),
        (
            "US",
            "CA|Calif.|California|US-CA|State of California|State of CA|California, USA|CA - California|California (CA)",
            "95014",
        ),
        ("US", "DC|D.C.|Washington DC|Washington, D.C.|District of Columbia|Washington", "20001"),
        ("US", "Mass.|MA|Massachusetts|Commonwealth of Massachusetts", "02144"),
        ("MX", "CDMX|Ciudad de México|D.F.|México D.F.|Mexico City|MX-CMX", "06600"),
        ("MX", "Edo. de México|Estado de México|EDOMEX|Méx.|MX-MEX", "50000"),
        ("BR", "SP|São Paulo|Sao Paulo|Estado de São Paulo|BR-SP", "01310-100"),
        ("BR", "DF|Distrito Federal|Brasília", "70002-900"),
        ("AR", "CABA|C.A.B.A.|Capital Federal|Ciudad Autónoma de Buenos Aires|Buenos Aires", "C1015ABO"),
        ("AR", "Buenos Aires|Provincia de Buenos Aires|Pcia. de Buenos Aires", "B1900ABC"),
        (
            "IT",
            "RM|Roma|Rome|Provincia di Roma|Città metropolitana di Roma|Lazio|Regione Lazio|IT-62",
            "00128",
        ),
        (
            "IT",
            "BZ|Bolzano|Bozen|Südtirol|Alto Adige|Trentino-Alto Adige|Bolzano - Bozen|Bozen Bolzano",
            "39100",
        ),
        ("IN", "MH|Maharashtra|महाराष्ट्र|IN-MH", "400001"),
        ("IN", "Odisha|Orissa|OR|OD|ଓଡ଼ିଶା", "751001"),
        ("CA", "QC|Que.|Québec|PQ|CA-QC|Quebec", "H3Z 2Y7"),
        ("AU", "NSW|N.S.W.|New South Wales|AU-NSW", "2000"),
        ("CO", "Bogotá, D.C.|Bogota|Distrito Capital|CO-DC", "110111"),
        ("IE", "Co. Dublin|Dublin|County Dublin|Dublin 2|Baile Átha Cliath|Leinster", "D02 X285"),
        ("HK", "Kowloon|九龍|九龙|KLN|Hong Kong|香港|Kwun Tong District|觀塘區", ""),
        ("AE", "Dubai|دبي|إمارة دبي|Emirate of Dubai|AE-DU", ""),
        ("TR", "İstanbul|Istanbul|ISTANBUL|İstanbul ili|TR-34|34", "34000"),
        ("ID", "DKI Jakarta|Jakarta|Jakarta Raya|Provinsi DKI Jakarta", "10110"),
        ("TH", "กรุงเทพมหานคร|Bangkok|Krung Thep", "10200"),
        ("VN", "Hồ Chí Minh|Ho Chi Minh City|Thành phố Hồ Chí Minh|TP. Hồ Chí Minh", "70000"),
    ] {
        for area in areas.split('|') {
            assert_holds(&address(country, area, postal_code, "Here"));
        }
    }
}

/// The sources of each stand beside it in `data/aliases.json`.
#[test]
fn codes_that_cross_borders_are_taken_on_both_sides() {
    for (country, area, postal_code, locality) in [
        ("US", "MD", "20588", "Camp Springs"),
        ("US", "VA", "20598", "Springfield"),
        ("US", "VA", "20301", "Arlington"),
        ("US", "TN", "42223", "Fort Campbell"),
        ("US", "KY", "42223", "Fort Campbell"),
        ("US", "MA", "02861", "Attleboro"),
        ("US", "IL", "63673", "Kaskaskia"),
        ("US", "LA", "71749", "Junction City"),
        ("US", "TX", "73949", "Texhoma"),
        ("US", "NM", "81137", "Ignacio"),
        ("US", "AZ", "84536", "Monument Valley"),
        ("US", "UT", "86044", "Tonalea"),
        ("US", "NM", "86515", "Window Rock"),
        ("US", "TX", "88063", "Sunland Park"),
        ("US", "CA", "89439", "Verdi"),
        ("US", "CA", "97635", "New Pine Creek"),
        ("US", "ND", "59221", "Fairview"),
        ("US", "NE", "51001", "Akron"),
        ("US", "NY", "06390", "Fishers Island"),
        ("US", "WY", "83414", "Alta"),
        ("US", "ME", "03579", "Wilsons Mills"),
        ("US", "NM", "79922", "Sunland Park"),
        ("US", "OR", "99362", "Milton-Freewater"),
        ("US", "NY", "09012", "APO"),
        ("JP", "埼玉県", "370-1507", "秩父市"),
        ("IT", "BG", "23806", "Torre de' Busi"),
        ("MY", "Kedah", "14290", "Bandar Baharu"),
        ("AU", "NSW", "4383", "Jennings"),
        ("AU", "QLD", "2406", "Mungindi"),
        ("AU", "NSW", "4385", "Texas"),
        ("AU", "NT", "4825", "Alpurrurulam"),
        ("AU", "WA", "0872", "Warburton"),
        ("IT", "CN", "18025", "Briga Alta"),
        ("IN", "Puducherry", "533464", "Yanam"),
        ("IN", "Puducherry", "673310", "Mahe"),
        ("CA", "QC", "K1A 0A6", "Gatineau"),
        ("CA", "AB", "S9V 0A1", "Lloydminster"),
    ] {
        assert_holds(&address(country, area, postal_code, locality));
    }
}

#[test]
fn the_ten_largest_countries_subdivisions_are_known_by_all_their_names() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/subdivision-names.json");
    let names: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for country in ["CN", "US", "IN", "BR", "JP", "KR", "GB", "MX", "ES", "DE"] {
        let unknown: Vec<&String> =
            names[country].iter().filter(|name| !area_is_known(country, name)).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{country}");
    }
}

#[test]
fn a_name_that_denotes_several_areas_is_judged_by_all_of_them() {
    for (country, area, postal_code) in [
        ("AR", "Buenos Aires", "C1015ABO"),
        ("AR", "Buenos Aires", "B1900ABC"),
        ("US", "Washington", "98101"),
        ("US", "Washington", "20001"),
        ("TW", "新竹", "300"),
        ("TW", "新竹", "302"),
    ] {
        assert_holds(&address(country, area, postal_code, "Here"));
    }
    let doubts = found(&address("AR", "Buenos Aires", "X5187XAB", "Here"));
    assert_eq!(doubts.len(), 1);
}

#[test]
fn what_is_not_a_name_of_an_area_is_not_known() {
    for (country, name) in [
        ("BR", "Bavaria"),
        ("ES", "Texas"),
        ("US", "XX"),
        ("US", "Ontario"),
        ("JP", "Seoul"),
        ("CN", "省"),
        ("IT", "IT"),
        ("MX", "Province"),
        ("US", "Madrid, Comunidad de"),
        ("ES", "Gifu"),
    ] {
        assert!(!area_is_known(country, name), "{country}: {name}");
    }
}

/// <https://github.com/Shopify/worldwide/tree/main/data/regions>,
/// <https://github.com/woocommerce/woocommerce/blob/trunk/plugins/woocommerce/i18n/states.php>
#[test]
fn the_codes_that_shops_send_are_known() {
    for (country, codes) in [
        ("MY", "JHR KDH KTN KUL LBN MLK NSN PHG PNG PRK PLS PJY SBH SWK SGR TRG MYJHR"),
        (
            "MX",
            "AG BC BS CH CL CM CO CS DF DG GR GT HG JA MI MO MX NA NL OA PU QT QR SI SL SO TB TL TM VE YU ZA MXAG",
        ),
        ("UA", "VN VL DP DT ZT ZK ZP IF KV KH LH LV MY OD PL RV SM TP KK KS KM CK CH CV UA05 UA-30"),
        ("EG", "EGC EGALX EGGZ EGMNF EG-C C SU HU"),
        ("MZ", "MZP MZMPM MZG MZL MZ-L"),
        ("IR", "THR ESF KHZ IR-23"),
        ("PH", "DAC SIQ"),
        ("CN", "YZ CN12 CN16"),
        ("HK", "KL HK-KL"),
        ("JP", "JP13"),
    ] {
        for code in codes.split(' ') {
            assert!(area_is_known(country, code), "{country}: {code}");
        }
    }
    for (country, area, postal_code) in [
        ("MX", "CH", "31000"),
        ("MX", "CS", "29000"),
        ("MX", "BS", "23000"),
        ("MX", "MX", "50000"),
        ("CN", "CN12", "310000"),
        ("US", "Federated States of Micronesia", "96941"),
        ("CL", "Magallanes and Chilean Antarctica", ""),
        ("ES", "Uesca", "22001"),
        ("ES", "Cdad. Real", "13001"),
        ("IT", "Gallura Nord-Est Sardegna", "07026"),
        ("IT", "Reggion nell'Emilia", "42121"),
        ("CO", "Guanía", ""),
        ("UA", "Misto Kyiv", "01001"),
    ] {
        assert_holds(&address(country, area, postal_code, "Here"));
    }
}

#[test]
fn the_countrys_own_code_names_no_area() {
    for (country, name) in [
        ("US", "US1"),
        ("US", "USA"),
        ("ES", "ESP"),
        ("AR", "ARG"),
        ("IT", "IT 2"),
        ("ES", "Espm"),
        ("MZ", "MZX"),
        ("UA", "MY-01"),
        ("UA", "VN01"),
        ("MY", "Distrito Federal"),
    ] {
        assert!(!area_is_known(country, name), "{country}: {name}");
    }
}

#[test]
fn a_city_or_district_may_stand_behind_its_area() {
    for (country, area, postal_code) in [
        ("JP", "東京都渋谷区", "150-0001"),
        ("JP", "東京都 渋谷区", "150-0001"),
        ("JP", "大阪府大阪市", "530-0001"),
        ("JP", "神奈川県横浜市", "220-0001"),
        ("JP", "北海道札幌市", "060-0001"),
        ("KR", "서울특별시 강남구", "06236"),
        ("KR", "서울 강남구", "06236"),
        ("KR", "경기도 성남시 분당구", "13494"),
        ("CN", "广东省深圳市", "518000"),
        ("CN", "上海市浦东新区", "200120"),
        ("TW", "新北市板橋區", "220"),
        ("HK", "九龍旺角", ""),
        ("HK", "新界沙田", ""),
    ] {
        assert_holds(&address(country, area, postal_code, ""));
    }
    for (country, name) in
        [("JP", "广东省深圳市"), ("CN", "東京都渋谷区"), ("KR", "東京都 渋谷区"), ("CN", "海南藏族自治州")]
    {
        assert!(!area_is_known(country, name), "{country}: {name}");
    }
    assert_eq!(found(&address("JP", "大阪府大阪市", "150-0001", "")).len(), 1);
    for (country, area, postal_code) in
        [("CN", "广东省 / Guangdong", "518000"), ("KR", "경기도 Gyeonggi-do", "13494")]
    {
        let findings = found(&address(country, area, postal_code, ""));
        assert_eq!(
            findings.iter().map(|finding| finding.1).collect::<Vec<_>>(),
            ["address.locality"],
            "{area}"
        );
    }
}

/// The sources of each stand beside it in `data/aliases.json` and `data/area-words.json`.
#[test]
fn abbreviations_and_names_of_everyday_are_known() {
    for (country, areas, postal_code) in [
        ("JP", "とうきょうと|とうきょう|トウキョウト|ﾄｳｷｮｳﾄ|Tokyoto|tokyoto", "150-0001"),
        ("JP", "ほっかいどう|ホッカイドウ", "060-0001"),
        ("JP", "かながわけん|カナガワ", "220-0001"),
        ("RU", "Москва г|г. Москва|Москва", "101000"),
        ("RU", "респ. Татарстан|Татарстан Респ|Татарстан респ.", "420000"),
        ("RU", "Свердловская обл.|Sverdlovskaya obl|Sverdlovskaya obl.", "620000"),
        ("RU", "ХМАО|ХМАО-Югра|Югра", "628000"),
        ("RU", "Краснодарский кр.|Krasnodarskiy krai", "350000"),
        ("RU", "ЯНАО", "629000"),
        ("RU", "ЕАО", "679000"),
        ("RU", "МО", "140000"),
        ("RU", "Чечня", "364000"),
        ("RU", "Чувашия", "428000"),
        ("RU", "Карачаево-Черкесия", "369000"),
        ("RU", "Кабардино-Балкария", "360000"),
        ("RU", "Чукотка", "689000"),
        ("RU", "Башкирия", "450000"),
        ("UA", "Крым", "95000"),
        ("TH", "จ. เชียงใหม่|จ.เชียงใหม่", "50000"),
        ("MY", "Johor Darul Takzim|Johore", "79000"),
        ("MY", "N. Sembilan", "70000"),
        ("MY", "P. Pinang", "10000"),
        ("MY", "Wilayah Persekutuan", "50000"),
        ("EG", "Al Gharbia|El Gharbia|Al Menoufia|Menoufia|Qalyoubia|Alex|Ash Sharqia|Ad Dakahlia", ""),
        ("PH", "Taguig|Pasig|Pasay|Parañaque|Las Piñas|Muntinlupa|Caloocan City|Metro Manila", "1600"),
        ("PH", "Region IV-A|Region IV-A (Calabarzon)", "4000"),
        (
            "HK",
            "Causeway Bay|Tseung Kwan O|North Point|Aberdeen|Sheung Wan|Kwai Chung|Tin Shui Wai|Ma On Shan|Hung Hom|\
             Discovery Bay",
            "",
        ),
        ("AR", "Stgo. del Estero|Sgo. del Estero", "G4200AAA"),
        ("AR", "Sta. Fe|Pcia. de Santa Fe", "S3000AAA"),
        ("AR", "bs as|Bs. As.", "C1015ABO"),
        ("AR", "bs as|Bs. As.", "B1900ABC"),
        ("BR", "Sta. Catarina", "88010-000"),
        ("BR", "S. Paulo", "01310-100"),
        ("MX", "Nvo. León", "64000"),
        ("ID", "Kep. Riau|North Sumatera", ""),
        ("VN", "T.P. Hồ Chí Minh|TP. Hồ Chí Minh", ""),
        (
            "CL",
            "XIII Región|V Región de Valparaíso|R. Metropolitana|Metropolitan Region|Reg. de Valparaíso",
            "",
        ),
        ("CO", "N. Santander", ""),
        ("ES", "S.C. de Tenerife|Sta. Cruz de Tenerife", "38001"),
        ("US", "No. Carolina", "27601"),
        ("US", "U.S. Virgin Is.", "00802"),
    ] {
        for area in areas.split('|') {
            assert_holds(&address(country, area, postal_code, "Here"));
        }
    }
    for (country, name) in [("JP", "ソウル"), ("RU", "респ. Техас"), ("ES", "Sta. Catarina"), ("RU", "г")]
    {
        assert!(!area_is_known(country, name), "{country}: {name}");
    }
}
