//! What the judge says of single orders. That the API server says the same of two thousand is `e2e/tests/intake`.

use serde_json::{Value, json};

use super::*;

fn order() -> Value {
    json!({
        "className": "demo",
        "store": "centro",
        "currency": "EUR",
        "items": [{"sku": "paella", "quantity": 2}],
        "payment": {"paymentMethod": "pm_card_visa"},
        "customer": {"inline": {
            "name": "Ana", "phone": "+34 600 000 000", "email": "ana@example.com", "address": {"country": "ES"},
        }},
    })
}

fn judge(body: &[u8]) -> Result<OrderSpec, Vec<Objection>> {
    read(body).map_err(|objection| vec![objection]).and_then(|spec| Judge::new().order("a-1", spec))
}

fn judged(change: impl FnOnce(&mut Value)) -> Result<OrderSpec, Vec<(String, String)>> {
    let mut spec = order();
    change(&mut spec);
    judge(spec.to_string().as_bytes()).map_err(|objections| {
        objections.into_iter().map(|Objection { path, message }| (path, message)).collect()
    })
}

fn refused(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    judged(change).expect_err("an objection")
}

fn one(path: &str, message: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), message.to_owned())]
}

#[test]
fn an_order_that_holds_is_read_with_its_defaults() {
    let spec = judged(|_| ()).expect("an order");
    assert_eq!(spec.customer.inline.expect("a customer").locale, "en");
}

#[test]
fn each_schema_objection_names_its_field_and_what_to_change() {
    assert_eq!(
        refused(|spec| spec["items"][0]["quantity"] = json!("2")),
        one("spec.items[0].quantity", "must be of type integer")
    );
    assert_eq!(refused(|spec| spec["store"] = Value::Null), one("spec.store", "is required"));
    let long = "x".repeat(121);
    assert_eq!(
        refused(|spec| spec["customer"]["inline"]["name"] = json!(long)),
        one("spec.customer.inline.name", "may not be more than 120 characters long")
    );
    assert_eq!(refused(|spec| spec["items"] = json!([null])), one("spec.items[0]", "must be of type object"));
}

#[test]
fn each_broken_rule_is_told_in_the_sentence_of_the_crd() {
    let sentence = "quantity must be from 1 to 999; leave the line out to order none";
    assert_eq!(
        refused(|spec| spec["items"][0]["quantity"] = json!(0)),
        one("spec.items[0].quantity", sentence)
    );
    let sentence = "currency must be an ISO 4217 code in capitals, such as EUR, BRL or JPY";
    assert_eq!(refused(|spec| spec["currency"] = json!("eur")), one("spec.currency", sentence));
}

#[test]
fn a_field_that_nobody_knows_or_that_stands_twice_is_refused() {
    let unknown = refused(|spec| spec["items"][0]["quantty"] = json!(3));
    assert_eq!(unknown[0].0, "spec.items[0].quantty");
    let twice = order().to_string().replacen('{', "{\"store\":\"norte\",", 1);
    let objections = judge(twice.as_bytes()).expect_err("it stands twice");
    assert!(
        objections[0].message.starts_with("the field store stands there twice (line 1,"),
        "{objections:?}"
    );
}

#[test]
fn nothing_of_what_was_sent_is_repeated() {
    for body in [
        &b"{\"canary"[..],
        b"canary",
        b"[\"canary\"]",
        b"\"canary\"",
        b"\xff\xfe",
        b"",
        b"{\"store\": canary}",
    ] {
        let objections = judge(body).expect_err("no order");
        assert!(
            objections.iter().all(|objection| !format!("{objection:?}").contains("canary")),
            "{objections:?}"
        );
    }
    let deep = "[".repeat(100_000);
    assert!(judge(deep.as_bytes()).is_err());
}

/// The API server takes 2.0 for an integer, and its rules then do not.
#[test]
fn a_whole_number_is_written_as_one_and_a_null_is_no_field() {
    let whole = "must be a whole number, written without a point and an exponent";
    for (written, message) in [
        ("2.0", whole),
        ("2e0", whole),
        ("1.5", "must be of type integer"),
        ("1e300", "must be of type integer"),
    ] {
        let spec = order().to_string().replace("\"quantity\":2", &format!("\"quantity\":{written}"));
        let expected = Objection { path: "spec.items[0].quantity".to_owned(), message: message.to_owned() };
        assert_eq!(judge(spec.as_bytes()), Err(vec![expected]), "{written}");
    }
    assert_eq!(judged(|spec| spec["total"] = Value::Null).expect("an order").total, None);
}

/// What the schema of `spec` may say, all of which is judged.
#[test]
fn the_schema_says_nothing_that_the_judge_does_not_know() {
    const KNOWN: [&str; 14] = [
        "default",
        "description",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-validations",
        "title",
    ];
    fn walk(schema: &Value) {
        for (keyword, value) in schema.as_object().expect("a schema") {
            assert!(KNOWN.contains(&keyword.as_str()), "{keyword}");
            match keyword.as_str() {
                "properties" => value.as_object().expect("properties").values().for_each(walk),
                "items" => walk(value),
                "x-kubernetes-list-type" => assert_eq!(value, "atomic"),
                _ => {}
            }
        }
    }
    let schema = serde_json::to_value(manifests::orders()).expect("a CRD");
    walk(&schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]);
}
