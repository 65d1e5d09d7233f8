use comanda_saga::{DeviceEvent, Record};
use proptest::prelude::*;

use super::event::VOCABULARY;
use super::*;
use crate::fixtures::{now, record};

fn topic(side: Side, device: &str) -> EventTopic {
    let topic = event_topic(&record(), side, device);
    EventTopic::parse("comanda", &topic).expect("a topic of events")
}

fn event(side: Side, json: &str) -> Result<Option<DeviceEvent>, EventError> {
    parse_event(&topic(side, "tablet-1"), json.as_bytes(), now())
}

#[test]
fn commands_go_to_the_topic_of_the_order_and_events_come_from_it() {
    let record = record();
    let base = "comanda/bistro/shop/centro";
    assert_eq!(command_topic(&record, Side::Kitchen, Verb::Prepare), format!("{base}/kitchen/a-1/prepare"));
    assert_eq!(command_topic(&record, Side::Kitchen, Verb::Cancel), format!("{base}/kitchen/a-1/cancel"));
    assert_eq!(command_topic(&record, Side::Courier, Verb::Deliver), format!("{base}/couriers/a-1/deliver"));
    assert_eq!(command_topic(&record, Side::Courier, Verb::Cancel), format!("{base}/couriers/a-1/cancel"));
    assert_eq!(taken_topic(&record), format!("{base}/couriers/a-1/taken"));
    assert_eq!(assigned_topic(&record, "bike-1"), format!("{base}/couriers/a-1/assigned/bike-1"));
    assert_eq!(positions_topic(&record, "bike-1"), format!("{base}/positions/bike-1"));
    assert_eq!(
        event_filters("comanda", "bistro"),
        ["comanda/bistro/+/+/kitchen/+/events/+", "comanda/bistro/+/+/couriers/+/events/+"]
    );
    let topic = EventTopic::parse("comanda", "comanda/bistro/shop/centro/couriers/a-1/events/bike-1");
    let [installation, tenant, store, order_id, device] =
        ["bistro", "shop", "centro", "a-1", "bike-1"].map(str::to_owned);
    let side = Side::Courier;
    assert_eq!(topic, Some(EventTopic { installation, tenant, store, side, order_id, device }));
}

#[test]
fn a_device_of_another_store_tenant_or_installation_may_not_speak_of_the_order() {
    let record = record();
    let said_on = |topic: &str| EventTopic::parse("comanda", topic).expect("a topic").is_of(&record);
    assert!(said_on("comanda/bistro/shop/centro/kitchen/a-1/events/t"));
    assert!(!said_on("comanda/bistro/shop/norte/kitchen/a-1/events/t"));
    assert!(!said_on("comanda/bistro/shop2/centro/kitchen/a-1/events/t"));
    assert!(!said_on("comanda/cafe/shop/centro/kitchen/a-1/events/t"));
}

#[test]
fn topics_that_carry_no_events_are_not_read() {
    let long = format!("comanda/bistro/shop/centro/kitchen/a-1/events/{}", "t".repeat(37));
    for topic in [
        "other/bistro/shop/centro/kitchen/a-1/events/t",
        "comanda2/bistro/shop/centro/kitchen/a-1/events/t",
        "comanda/bistro/shop/centro/kitchen/a-1/prepare",
        "comanda/bistro/shop/centro/kitchen/a-1/events",
        "comanda/bistro/shop/centro/kitchen//events/t",
        "comanda/bistro/shop/centro/kitchen/a-1/events/",
        "comanda/bistro/shop/centro/kitchen/a-1/events/t/more",
        "comanda/bistro/shop/centro/garage/a-1/events/t",
        "comanda/bistro/shop/centro/kitchen/a-1/events/t\u{0}",
        &long,
        "comanda",
        "",
    ] {
        assert_eq!(EventTopic::parse("comanda", topic), None, "{topic}");
    }
}

/// Every topic of an order.
fn topics(record: &Record, device: &str) -> Vec<String> {
    let mut topics: Vec<String> =
        [(Side::Kitchen, Verb::Prepare), (Side::Kitchen, Verb::Cancel), (Side::Courier, Verb::Deliver)]
            .into_iter()
            .chain([(Side::Courier, Verb::Cancel)])
            .map(|(side, verb)| command_topic(record, side, verb))
            .collect();
    topics.extend([taken_topic(record), assigned_topic(record, device), positions_topic(record, device)]);
    topics.extend([Side::Kitchen, Side::Courier].map(|side| event_topic(record, side, device)));
    topics
}

fn named(names: &[String; 6]) -> Record {
    let mut record = record();
    let [prefix, installation, tenant, store, order_id, _] = names.clone();
    record.class.devices.topic_prefix = prefix;
    record.identity.installation = installation;
    record.identity.tenant = tenant;
    record.terms.store = store;
    record.identity.order_id = order_id;
    record
}

#[test]
fn the_longest_names_that_are_allowed_are_their_own_levels_and_fill_the_limit() {
    let names = [22, 32, 63, 40, 40, 36].map(|length| "x".repeat(length));
    let assigned = assigned_topic(&named(&names), &names[5]);
    assert_eq!((assigned.len(), assigned.contains(['_', '~'])), (256, false));
}

proptest! {
    #[test]
    fn no_names_make_a_topic_beyond_the_limits_and_distinct_names_stay_distinct(
        names in proptest::array::uniform6(".{0,90}"),
        at in 0_usize..6,
        other in ".{0,90}",
    ) {
        let record = named(&names);
        for topic in topics(&record, &names[5]) {
            prop_assert!(topic.len() <= 256 && topic.matches('/').count() <= 7, "{topic}");
            prop_assert!(!topic.contains(['+', '#', '\0']) && !topic.starts_with('$'), "{topic}");
            prop_assert!(topic.split('/').all(|level| !level.is_empty()), "{topic}");
        }
        for filter in event_filters(&names[0], &names[1]) {
            prop_assert!(filter.matches('/').count() <= 7 && filter.len() <= 256, "{filter}");
        }
        let said = EventTopic::parse(&names[0], &event_topic(&record, Side::Kitchen, &names[5]));
        prop_assert!(said.is_some_and(|topic| topic.is_of(&record)));
        prop_assume!(other != names[at]);
        let mut others = names.clone();
        others[at] = other;
        let (ours, theirs) = (topics(&record, &names[5]), topics(&named(&others), &others[5]));
        // The device is in those topics only that end with it.
        let differ = ours.iter().zip(&theirs).filter(|(one, other)| one != other).count();
        prop_assert_eq!(differ, if at == 5 { 4 } else if at == 4 { ours.len() - 1 } else { ours.len() });
    }

    #[test]
    fn a_client_id_is_bounded_and_no_two_operators_share_one(
        names in proptest::array::uniform3(".{0,150}"),
        at in 0_usize..3,
        other in ".{0,150}",
    ) {
        let id = |names: &[String; 3]| client_id(&names[0], &names[1], &names[2]);
        prop_assert!(id(&names).len() <= 128);
        prop_assert!(id(&names).chars().all(|letter| letter.is_ascii_alphanumeric() || ":_-".contains(letter)));
        prop_assume!(other != names[at]);
        let mut others = names.clone();
        others[at] = other;
        prop_assert_ne!(id(&names), id(&others));
    }
}

#[test]
fn a_client_id_names_installation_prefix_and_cluster() {
    assert_eq!(client_id("bistro", "comanda", "lisbon"), "comanda:bistro:comanda:lisbon");
    // Dashes within names do not make two pairs one.
    assert_ne!(client_id("a-b", "c", "x"), client_id("a", "b-c", "x"));
}

#[test]
fn who_speaks_is_what_the_topic_says_and_a_payload_that_says_otherwise_is_refused() {
    let without = r#"{"eventId":"e-1","event":"ready","seq":3}"#;
    let heard = event(Side::Kitchen, without).expect("understood").expect("an event");
    assert_eq!(heard.device, "tablet-1");
    let same = r#"{"eventId":"e-1","event":"ready","seq":3,"device":"tablet-1"}"#;
    assert_eq!(event(Side::Kitchen, same), Ok(Some(heard)));
    for claimed in [r#""tablet-2""#, "1", "{}"] {
        let other = format!(r#"{{"eventId":"e-1","event":"ready","seq":3,"device":{claimed}}}"#);
        assert_eq!(event(Side::Kitchen, &other), Err(EventError::AnotherDevice), "{claimed}");
    }
}

/// Forms that programs in the field send, with where that is reported, and what each has to be read as.
#[test]
fn what_real_firmware_sends_is_understood() {
    let usual = r#"{"eventId":"e-1","event":"ready","seq":7}"#;
    let expected = event(Side::Kitchen, usual).expect("understood").expect("an event");
    let spelled: &[(&str, &[u8])] = &[
        // https://github.com/emsesp/EMS-ESP/issues/102, https://github.com/xoseperez/espurna/issues/2503
        ("a number as text", br#"{"eventId":"e-1","event":"ready","seq":"7"}"#),
        // https://github.com/nodemcu/nodemcu-firmware/issues/3219
        ("a whole number with a fraction", br#"{"eventId":"e-1","event":"ready","seq":7.0}"#),
        ("both, and padded", br#"{"eventId":"e-1","event":"ready","seq":" 7.0 "}"#),
        // https://github.com/UtilitechAS/amsreader-firmware/issues/55
        ("a number with an exponent", br#"{"eventId":"e-1","event":"ready","seq":0.7e1}"#),
        // https://github.com/DaveGamble/cJSON/issues/184
        ("a byte order mark", b"\xef\xbb\xbf{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7}"),
        // https://github.com/influxdata/telegraf/issues/7536, https://github.com/monstrenyatko/ArduinoMqtt/issues/16,
        // https://github.com/eclipse-mosquitto/mosquitto/issues/130
        ("NUL at the end", b"{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7}\0"),
        // https://github.com/nanomq/nanomq/issues/2170
        ("NUL at the start", b"\0{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7}"),
        // https://github.com/shirou/mqforward/issues/9, https://github.com/owntracks/recorder/issues/119
        ("a line end, and NUL", b"{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7}\r\n\0"),
        // https://github.com/ramses-rf/ramses_cc/issues/698
        ("line ends within strings", br#"{"eventId":"e-1\r\n","event":"ready\r\n","seq":"7\r\n"}"#),
        // https://github.com/emsesp/EMS-ESP32/issues/228
        (
            "control characters in a string",
            b"{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7,\"by\":\"\x04\x0c\"}",
        ),
        // https://github.com/256dpi/arduino-mqtt/issues/161
        ("JSON encoded twice", br#""{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7}""#),
        // https://github.com/Links2004/arduinoMideaAC/issues/6, https://github.com/lf-edge/ekuiper/issues/356
        ("a list of one", br#"[{"eventId":"e-1","event":"ready","seq":7}]"#),
        // https://github.com/dl9rdz/rdz_ttgo_sonde/issues/45
        ("a comma behind the last", br#"{"eventId":"e-1","event":"ready","by":[",}\"",], "seq":7, }"#),
        // https://github.com/SBFspot/SBFspot/issues/334, https://github.com/EasyNetQ/EasyNetQ/issues/1052
        ("names in other capitals", br#"{"EventId":"e-1","Event":"ready","SEQ":7}"#),
        // https://github.com/klausahrenberg/WThermostatBeca/issues/174
        ("the word in capitals", br#"{"eventId":"e-1","event":"READY","seq":7}"#),
        ("the word with spaces around it", br#"{"eventId":"e-1","event":" ready ","seq":7}"#),
        // https://github.com/home-assistant/core/pull/18710
        ("null for nothing", br#"{"eventId":"e-1","event":"ready","seq":7,"reason":null,"device":null}"#),
        // https://github.com/meshtastic/firmware/issues/3562
        ("letters lost to NUL", br#"{"eventId":"e-1","event":"ready","seq":7,"reason":"\u0000\u0000"}"#),
        // https://github.com/ibm-watson-iot/iot-nodered/issues/32
        ("Latin-1", b"{\"eventId\":\"e-1\",\"event\":\"ready\",\"seq\":7,\"by\":\"Jos\xe9\"}"),
        // https://github.com/thomasnordquist/MQTT-Explorer/issues/705
        ("a name twice: the last counts", br#"{"eventId":"e-0","eventId":"e-1","event":"ready","seq":7}"#),
        ("more than is read", br#"{"eventId":"e-1","event":"ready","seq":7,"battery":{"v":[3.7,null]}}"#),
    ];
    let on = |device: &str, payload: &[u8]| parse_event(&topic(Side::Kitchen, device), payload, now());
    for (form, payload) in spelled {
        assert_eq!(on("tablet-1", payload), Ok(Some(expected.clone())), "{form}");
    }
    // https://github.com/shamblett/mqtt_client/issues/62
    let wide = |order: fn(u16) -> [u8; 2], mark: &str| -> Vec<u8> {
        format!("{mark}{usual}").encode_utf16().flat_map(order).collect()
    };
    for mark in ["", "\u{feff}"] {
        assert_eq!(on("tablet-1", &wide(u16::to_le_bytes, mark)), Ok(Some(expected.clone())), "{mark:?}");
        assert_eq!(on("tablet-1", &wide(u16::to_be_bytes, mark)), Ok(Some(expected.clone())), "{mark:?}");
    }
    // https://github.com/jomjol/AI-on-the-edge-device/pull/1221: a MAC address for a name.
    let named = expected.clone();
    let mac = "AA:BB:CC:DD:EE:FF";
    assert_eq!(on(mac, usual.as_bytes()), Ok(Some(DeviceEvent { device: mac.to_owned(), ..named })));
    // https://github.com/moscajs/mosca/issues/98: an empty message clears a retained one.
    assert_eq!(event(Side::Kitchen, ""), Ok(None));
    let picked_up = r#"{"eventId":8,"event":"Picked_Up","seq":7}"#;
    let heard = event(Side::Courier, picked_up).expect("understood").expect("an event");
    assert_eq!(heard.id, "8");
}

/// Forms of which there is no telling what else is wrong.
#[test]
fn what_firmware_garbles_is_refused() {
    for garbled in [
        // https://github.com/esphome/issues/issues/1436
        r#"{"eventId":"e-1","event":"ready","seq":7,"temperature":nan}"#,
        // https://github.com/softwarecrash/EPEver2MQTT/issues/44: characters of an earlier, longer message behind it.
        r#"{"eventId":"e-1","event":"ready","seq":7}7}"#,
        // https://github.com/mariolukas/Bluetti_ESP32_Bridge/issues/47
        r#"{"eventId":"e-1","event":"ready","seq":7"}"#,
        // https://github.com/jomjol/AI-on-the-edge-device/issues/1533
        r#"{"eventId":"e-1,"event":"ready","seq":7}"#,
        // https://github.com/emsesp/EMS-ESP/issues/385: a word that is no object.
        r#""offline""#,
        // https://github.com/AMRC-FactoryPlus/amrc-connectivity-stack/pull/474: which of them is the event?
        r#"[{"eventId":"e-1","event":"ready","seq":7},{"eventId":"e-2","event":"rejected","seq":7}]"#,
    ] {
        assert!(matches!(event(Side::Kitchen, garbled), Err(EventError::Malformed(_))), "{garbled}");
    }
}

#[test]
fn a_reason_of_any_json_is_shown_as_text() {
    for (reason, shown) in [
        (r#""no oven""#, Some("no oven")),
        ("17", Some("17")),
        (r#"{"code":17,"text":"no oven"}"#, Some(r#"{"code":17,"text":"no oven"}"#)),
        (r#"["no","oven"]"#, Some(r#"["no","oven"]"#)),
        ("false", Some("false")),
        ("null", None),
        (r#"" ""#, None),
    ] {
        let json = format!(r#"{{"eventId":"e-1","event":"rejected","seq":1,"reason":{reason}}}"#);
        let heard = event(Side::Kitchen, &json).expect("understood").expect("an event");
        assert_eq!(heard.reason.as_deref(), shown, "{reason}");
    }
}

#[test]
fn an_id_of_an_event_is_any_printable_text_of_128_bytes() {
    let longest = "x".repeat(128);
    for id in ["urn:uuid:6e8bc430", "2026-03-01T12:00:00.000Z", "a/b#c d", &longest] {
        let json = format!(r#"{{"eventId":"{id}","event":"ready","seq":1}}"#);
        assert_eq!(
            event(Side::Kitchen, &json).map(|event| event.map(|event| event.id)),
            Ok(Some(id.to_owned()))
        );
    }
}

#[test]
fn every_word_of_the_vocabulary_is_understood_and_can_be_said_again() {
    for (side, word, signal) in VOCABULARY {
        let json = format!(r#"{{"eventId":"e-1","event":"{word}","device":"tablet-1","seq":3}}"#);
        let heard = event(side, &json).expect("understood").expect("an event");
        let expected = DeviceEvent {
            id: "e-1".to_owned(),
            signal,
            seq: 3,
            device: "tablet-1".to_owned(),
            reason: None,
            at: now(),
        };
        assert_eq!(heard, expected);
        let (back, wire) = WireEvent::of(&heard).expect("a word");
        assert_eq!((back, wire.word()), (side, word));
    }
}

#[test]
fn a_couriers_location_is_no_event_and_a_kitchen_has_none() {
    let json = r#"{"eventId":"e-1","event":"location","seq":3,"lat":40.4}"#;
    assert_eq!(event(Side::Courier, json), Ok(None));
    assert!(matches!(event(Side::Kitchen, json), Err(EventError::UnknownEvent { .. })));
}

#[test]
fn the_time_is_that_of_arrival_and_the_reason_is_made_plain() {
    let json = format!(
        r#"{{"eventId":"e","event":"rejected","seq":1,"at":"1999-01-01T00:00:00Z","reason":" no\n\u0007 oven\u202e{}"}}"#,
        "!".repeat(500)
    );
    let heard = event(Side::Kitchen, &json).expect("understood").expect("an event");
    assert_eq!(heard.at, now());
    assert_eq!(heard.reason, Some(format!("no oven{}", "!".repeat(200 - " no oven".len()))));
}

#[test]
fn hostile_events_are_refused_with_a_reason_that_repeats_nothing() {
    let long_id = "x".repeat(129);
    for (json, error) in [
        ("{".to_owned(), EventError::Malformed("Eof error in line 1, column 1".to_owned())),
        (r#"{"eventId":"e","event":"ready","seq":-1}"#.to_owned(), EventError::BadField("seq")),
        (format!(r#"{{"eventId":"{long_id}","event":"ready","seq":1}}"#), EventError::BadId("eventId")),
        (r#"{"eventId":"e\u0007","event":"ready","seq":1}"#.to_owned(), EventError::BadId("eventId")),
        (r#"{"eventId":"e","event":"ready","seq":1e300}"#.to_owned(), EventError::BadField("seq")),
        (r#"{"eventId":"e","event":"ready","seq":7.5}"#.to_owned(), EventError::BadField("seq")),
        (r#"{"eventId":"e","seq":7}"#.to_owned(), EventError::BadField("event")),
        (r#"{"event":"ready","seq":7}"#.to_owned(), EventError::BadField("eventId")),
        ("[]".to_owned(), EventError::Malformed("it is no JSON object".to_owned())),
        (
            r#"{"eventId":"e","event":"exploded","seq":1}"#.to_owned(),
            EventError::UnknownEvent { side: Side::Kitchen, event: "exploded".to_owned() },
        ),
        (" ".repeat(16_385), EventError::TooLarge(16_385)),
    ] {
        assert_eq!(event(Side::Kitchen, &json), Err(error));
    }
}
