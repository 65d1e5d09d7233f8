use std::fmt::Write as _;

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;

const OLD: &str = "whsec_local_old_0000000000";
const NEW: &str = "whsec_local_new_0000000000";
const BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"payment_intent.succeeded"}"#;

fn now() -> Timestamp {
    Timestamp::constant(1_768_478_400, 0)
}

fn signature(secret: &str, at: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [at.as_bytes(), b".", body].concat();
    let mut hex = String::new();
    for byte in hmac::sign(&key, &signed).as_ref() {
        write!(hex, "{byte:02x}").expect("a string");
    }
    hex
}

fn at(age: i64) -> String {
    (now() - SignedDuration::from_secs(age)).as_second().to_string()
}

fn header(secret: &str, age: i64, body: &[u8]) -> String {
    format!("t={},v1={}", at(age), signature(secret, &at(age), body))
}

fn verify(secrets: &str, header: &str, body: &[u8]) -> Result<(), Forged> {
    SigningSecrets::read(secrets).expect("secrets").verify(header, body, now())
}

/// Computed by Python's `hmac.new(b"whsec_local_old_0000000000", b"1768478400.{}", "sha256")`.
#[test]
fn the_signature_is_that_of_the_time_a_dot_and_the_body_under_the_whole_secret() {
    let expected = "dd23ecf8cf2468d0ce40497b19d029f709a88133396524dc787247ca6101752b";
    assert_eq!(signature(OLD, "1768478400", b"{}"), expected);
    assert_eq!(verify(OLD, &format!("t=1768478400,v1={expected}"), b"{}"), Ok(()));
}

#[test]
fn a_signature_holds_for_five_minutes_both_ways_and_no_longer() {
    for (age, holds) in [(0, true), (300, true), (-300, true), (301, false), (-301, false), (86_400, false)] {
        let verified = verify(OLD, &header(OLD, age, BODY), BODY);
        assert_eq!(verified, if holds { Ok(()) } else { Err(Forged::Stale) }, "{age} s");
    }
}

#[test]
fn while_a_secret_is_rolled_either_signs_and_one_signature_that_holds_is_enough() {
    for secret in [OLD, NEW] {
        assert_eq!(verify(&format!("{OLD}\n {NEW} \n\n"), &header(secret, 0, BODY), BODY), Ok(()));
    }
    let (old, new) = (signature(OLD, &at(0), BODY), signature(NEW, &at(0), BODY));
    for both in [format!("v1={old},v1={new}"), format!("v1={new},v1={old}")] {
        assert_eq!(verify(OLD, &format!("t={},{both}", at(0)), BODY), Ok(()));
    }
    assert_eq!(verify(NEW, &header(OLD, 0, BODY), BODY), Err(Forged::Signature), "it was rolled");
}

#[test]
fn what_is_not_stripes_signature_of_these_bytes_is_refused() {
    let good = signature(OLD, &at(0), BODY);
    let time = at(0);
    for (header, why) in [
        (String::new(), Forged::Header),
        ("t".to_owned(), Forged::Header),
        (format!("v1={good}"), Forged::Header),
        (format!("t=,v1={good}"), Forged::Header),
        (format!("t=-1,v1={good}"), Forged::Header),
        (format!("t=+{time},v1={good}"), Forged::Header),
        (format!("t=99999999999999999999,v1={good}"), Forged::Header),
        (format!("t={time},t={time},v1={good}"), Forged::Header),
        (format!("t={time},v1={good}{}", ",v1=0".repeat(1000)), Forged::Header),
        (format!("t={time}"), Forged::Signature),
        // A weaker scheme is no way round.
        (format!("t={time},v0={good}"), Forged::Signature),
        (format!("t={time},v1={}", &good[..62]), Forged::Signature),
        (format!("t={time},v1={good}00"), Forged::Signature),
        (format!("t={time},v1="), Forged::Signature),
        (format!("t={time},v1={}", "g".repeat(64)), Forged::Signature),
        (format!("t={time},v1={}", "é".repeat(32)), Forged::Signature),
        (format!("t=0{time},v1={good}"), Forged::Signature),
        (format!("t={},v1={good}", at(1)), Forged::Signature),
    ] {
        assert_eq!(verify(OLD, &header, BODY), Err(why), "{header}");
    }
    assert_eq!(verify(OLD, &header(OLD, 0, BODY), b"{}"), Err(Forged::Signature), "another body");
    assert_eq!(verify(OLD, &format!("t={time},v1={}", good.to_uppercase()), BODY), Ok(()));
}

#[test]
fn a_text_without_a_secret_or_with_another_one_lets_nobody_sign() {
    for text in
        ["", "\n \n", "whsec_", "sk_test_0000000000000000000000000000", "whsec_local_old_0000000000\nx"]
    {
        assert_eq!(SigningSecrets::read(text).err(), Some(NoSecret), "{text:?}");
    }
}

fn payment(json: &str) -> Option<String> {
    Event::read(json.as_bytes()).expect("an event").payment
}

fn event(object: &str) -> String {
    format!(
        r#"{{"id":"evt_1","object":"event","type":"a.b_c","livemode":true,"data":{{"object":{object}}}}}"#
    )
}

#[test]
fn an_event_names_its_payment_whatever_of_it_changed() {
    let pi = Some("pi_1".to_owned());
    assert_eq!(payment(&event(r#"{"object":"payment_intent","id":"pi_1","unheard_of":[{}]}"#)), pi);
    for object in ["charge", "refund", "dispute"] {
        let json = event(&format!(r#"{{"object":"{object}","id":"x_1","payment_intent":"pi_1"}}"#));
        assert_eq!(payment(&json), pi);
        let json = event(&format!(r#"{{"object":"{object}","id":"x_1","payment_intent":{{"id":"pi_1"}}}}"#));
        assert_eq!(payment(&json), pi);
    }
    let read = Event::read(event(r#"{"object":"payment_intent","id":"pi_1"}"#).as_bytes());
    let expected = Event { id: "evt_1".to_owned(), kind: "a.b_c".to_owned(), live: true, payment: pi };
    assert_eq!(read, Ok(expected));
}

#[test]
fn an_event_of_no_payment_names_none() {
    for object in [
        r#"{"object":"customer","id":"cus_1"}"#,
        r#"{"object":"charge","id":"ch_1","payment_intent":null}"#,
        r#"{"object":"charge","id":"ch_1","payment_intent":7}"#,
        // What would lead the look-up elsewhere.
        r#"{"object":"payment_intent","id":"pi_1/../../refunds"}"#,
        r#"{"object":"payment_intent","id":"pi_1?expand[]=x"}"#,
        r#"{"object":"payment_intent","id":"ch_1"}"#,
    ] {
        assert_eq!(payment(&event(object)), None, "{object}");
    }
    assert_eq!(payment(r#"{"id":"evt_1","object":"v2.core.event","type":"v1.thin"}"#), None);
    assert_eq!(
        payment(&event(&format!(r#"{{"object":"refund","payment_intent":"pi_{}"}}"#, "1".repeat(300)))),
        None
    );
}

#[test]
fn what_is_no_event_is_refused() {
    let deep = "[".repeat(100_000);
    for body in ["", "null", "{}", "[]", r#"{"id":"evt\n1","type":"x"}"#, r#"{"id":7,"type":"x"}"#, &deep] {
        assert_eq!(Event::read(body.as_bytes()), Err(NoEvent));
    }
    assert_eq!(Event::read(b"\xff\xfe"), Err(NoEvent));
}

proptest! {
    #[test]
    fn no_header_and_no_body_makes_it_panic(header in ".{0,200}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = verify(OLD, &header, &body);
        let _ = Event::read(&body);
    }

    #[test]
    fn a_signature_holds_for_the_bytes_that_were_signed_and_for_no_others(
        body in proptest::collection::vec(any::<u8>(), 1..200),
        place in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let header = header(OLD, 0, &body);
        prop_assert_eq!(verify(OLD, &header, &body), Ok(()));
        let mut changed = body.clone();
        changed[place.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(verify(OLD, &header, &changed), Err(Forged::Signature));
    }

    #[test]
    fn a_header_of_which_one_character_is_another_signs_nothing(place in any::<prop::sample::Index>(), with in "[0-9a-f]") {
        let good = header(OLD, 0, BODY);
        // Within the signature: what comes before it is a time, and a scheme.
        let begins = good.len() - 64;
        let place = begins + place.index(64);
        let mut changed = good.clone();
        changed.replace_range(place..=place, &with);
        prop_assume!(changed != good);
        prop_assert_eq!(verify(OLD, &changed, BODY), Err(Forged::Signature));
    }
}
