use super::*;
use crate::fixtures::{now, record};

fn event(side: Side, json: &str) -> Result<Option<DeviceEvent>, EventError> {
    parse_event(side, json.as_bytes(), now())
}

#[test]
fn commands_go_to_the_topic_of_the_order_and_events_come_from_it() {
    let record = record();
    assert_eq!(
        command_topic(&record, Side::Kitchen, Verb::Prepare),
        "comanda/shop/stores/centro/orders/a-1/prepare"
    );
    assert_eq!(
        command_topic(&record, Side::Courier, Verb::Cancel),
        "comanda/shop/stores/centro/couriers/a-1/cancel"
    );
    assert_eq!(
        event_filters("comanda"),
        ["comanda/+/stores/+/orders/+/events", "comanda/+/stores/+/couriers/+/events"]
    );
    let topic = EventTopic::parse("comanda", "comanda/shop/stores/centro/couriers/a-1/events");
    assert_eq!(
        topic,
        Some(EventTopic {
            tenant: "shop".to_owned(),
            store: "centro".to_owned(),
            side: Side::Courier,
            order_id: "a-1".to_owned()
        })
    );
}

#[test]
fn a_device_of_another_store_may_not_speak_of_the_order() {
    let record = record();
    let said_by = |store: &str| {
        let topic = format!("comanda/shop/stores/{store}/orders/a-1/events");
        EventTopic::parse("comanda", &topic).expect("a topic").is_of(&record)
    };
    assert!(said_by("centro"));
    assert!(!said_by("norte"));
}

#[test]
fn topics_that_carry_no_events_are_not_read() {
    for topic in [
        "other/shop/stores/centro/orders/a-1/events",
        "comanda2/shop/stores/centro/orders/a-1/events",
        "comanda/shop/stores/centro/orders/a-1/prepare",
        "comanda/shop/stores/centro/orders//events",
        "comanda/shop/stores/centro/orders/a-1/events/more",
        "comanda/shop/shops/centro/orders/a-1/events",
        "comanda",
        "",
    ] {
        assert_eq!(EventTopic::parse("comanda", topic), None, "{topic}");
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
        assert_eq!((back, wire.event.as_str()), (side, word));
    }
}

#[test]
fn a_couriers_location_is_no_event_and_a_kitchen_has_none() {
    let json = r#"{"eventId":"e-1","event":"location","device":"c-1","seq":3,"lat":40.4}"#;
    assert_eq!(event(Side::Courier, json), Ok(None));
    assert!(matches!(event(Side::Kitchen, json), Err(EventError::UnknownEvent { .. })));
}

#[test]
fn the_time_is_that_of_arrival_and_the_reason_is_made_plain() {
    let json = format!(
        r#"{{"eventId":"e","event":"rejected","device":"t","seq":1,"at":"1999-01-01T00:00:00Z","reason":" no\n\u0007 oven\u202e{}"}}"#,
        "!".repeat(500)
    );
    let heard = event(Side::Kitchen, &json).expect("understood").expect("an event");
    assert_eq!(heard.at, now());
    assert_eq!(heard.reason, Some(format!("no oven{}", "!".repeat(200 - " no oven".len()))));
}

#[test]
fn hostile_events_are_refused_with_a_reason_that_repeats_nothing() {
    let long_id = "x".repeat(65);
    for (json, error) in [
        ("{".to_owned(), EventError::Malformed("Eof error in line 1, column 1".to_owned())),
        (
            r#"{"eventId":"e","event":"ready","device":"t","seq":-1}"#.to_owned(),
            EventError::Malformed("Data error in line 1, column 52".to_owned()),
        ),
        (
            format!(r#"{{"eventId":"{long_id}","event":"ready","device":"t","seq":1}}"#),
            EventError::BadId("eventId"),
        ),
        (
            r#"{"eventId":"e#1","event":"ready","device":"t","seq":1}"#.to_owned(),
            EventError::BadId("eventId"),
        ),
        (r#"{"eventId":"e","event":"ready","device":"t/+","seq":1}"#.to_owned(), EventError::BadId("device")),
        (
            r#"{"eventId":"e","event":"exploded","device":"t","seq":1}"#.to_owned(),
            EventError::UnknownEvent { side: Side::Kitchen, event: "exploded".to_owned() },
        ),
        (" ".repeat(16_385), EventError::TooLarge(16_385)),
    ] {
        assert_eq!(event(Side::Kitchen, &json), Err(error));
    }
}
