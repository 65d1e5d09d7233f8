//! The judge of the HTTP intake and the API server on two thousand bodies: what one refuses the other refuses, for the same
//! rules in the same sentence, and for the same fields of the schema.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use comanda_crds::judge::{Judge, Objection, read};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::manifests::order;
use crate::server::{Answer, ORDERS, Server};

const BODIES: u64 = 2000;
/// The day on which it was written.
const SEED: u64 = 20_261_127;

/// Every field that a body can have, and some that it cannot.
const FIELDS: [&str; 32] = [
    "/orderId",
    "/className",
    "/customer",
    "/customer/inline",
    "/customer/secretRef",
    "/customer/ledger",
    "/customer/inline/name",
    "/customer/inline/phone",
    "/customer/inline/email",
    "/customer/inline/locale",
    "/customer/inline/address",
    "/customer/inline/address/country",
    "/customer/inline/address/postalCode",
    "/customer/inline/address/lines",
    "/customer/inline/address/lines/0",
    "/store",
    "/items",
    "/items/0",
    "/items/0/sku",
    "/items/0/quantity",
    "/items/0/unitPrice",
    "/items/1",
    "/currency",
    "/total",
    "/payment",
    "/payment/paymentMethod",
    "/payment/customer",
    "/cancel",
    "/cancel/reason",
    "/suspend",
    "/ttlSecondsAfterFinished",
    "/tip",
];

/// How the sentences begin that are the schema's.
const SCHEMAS: [&str; 7] = [
    "must be of type",
    "must be a string",
    "must be a whole number",
    "must have at most",
    "may not be more",
    "is required",
    "there is no such field",
];

/// What a field is set to.
fn value(random: &mut StdRng) -> Value {
    let texts = [
        "",
        " ",
        "a",
        "-",
        "EUR",
        "eur",
        "es",
        "pm_card_visa",
        "pm_",
        "cus_1",
        "4242 4242 4242 4242",
        "a/b",
        "Ñandú",
        "日本",
        "👩‍🍳",
        "\u{0}",
        "x-1",
        "x-",
        "line\nbreak",
        "null",
    ];
    match random.random_range(0..12) {
        0..4 => json!(texts.choose(random)),
        4 => json!("é".repeat(random.random_range(30..600))),
        5 => json!(
            [0, 1, 999, 1000, -1, 31_536_001, i64::MAX, i64::MIN, 999_999_999_999_i64, 1_000_000_000_000_i64]
                .choose(random)
        ),
        6 => json!([0.0, 1.0, 1.5, 2e3, 1e15, 1e16, 1e300, -0.5].choose(random)),
        7 => Value::Null,
        8 => json!(random.random::<bool>()),
        9 => [json!([]), json!([null]), json!([1]), json!(["a"]), json!([{}])]
            .choose(random)
            .cloned()
            .unwrap_or_default(),
        10 => [json!({}), json!({"a": 1}), json!({"name": "ana"}), json!({"reason": ""})]
            .choose(random)
            .cloned()
            .unwrap_or_default(),
        _ => json!(vec!["line"; random.random_range(0..8)]),
    }
}

fn body(seed: u64) -> Value {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut spec = order("judged")["spec"].take();
    spec["items"] =
        json!([{"sku": "paella", "quantity": 1}, {"sku": "agua", "quantity": 2, "unitPrice": 100}]);
    if random.random_bool(0.5) {
        spec["customer"] = json!({"inline": crate::manifests::customer()});
    }
    for _ in 0..random.random_range(0..4) {
        let (parent, field) = FIELDS.choose(random).and_then(|path| path.rsplit_once('/')).expect("a path");
        let value = value(random);
        match spec.pointer_mut(parent) {
            Some(Value::Object(fields)) if random.random_bool(0.2) => drop(fields.remove(field)),
            Some(Value::Object(fields)) => drop(fields.insert(field.to_owned(), value)),
            Some(Value::Array(items)) => {
                if let Some(item) = field.parse().ok().and_then(|field: usize| items.get_mut(field)) {
                    *item = value;
                }
            }
            _ => {}
        }
    }
    if random.random_bool(0.05) {
        spec["items"] = json!(vec![json!({"sku": "paella", "quantity": 1}); random.random_range(45..56)]);
    }
    spec
}

/// What the API server objects to: fields that it does not know, or fields with what is said of them.
fn theirs(answer: &Answer) -> BTreeSet<(String, String)> {
    if answer.code == 400 {
        let message = answer.json["message"].as_str().unwrap_or_default();
        let unknown = message.split("unknown field \"").skip(1).filter_map(|rest| rest.split('"').next());
        return unknown.map(|path| (path.to_owned(), String::new())).collect();
    }
    // What is said of no field repeats what is said of one, or says that rules were not looked at because of it.
    let causes = answer.causes().filter(|(path, _)| *path != "<nil>");
    causes.map(|(path, message)| (path.to_owned(), message.to_owned())).collect()
}

fn compared(ours: &Result<(), Vec<Objection>>, answer: &Answer) -> Result<()> {
    let taken = matches!(answer.code, 200 | 201);
    ensure!(
        taken == ours.is_ok(),
        "judged {ours:?}, and the API server: {} {}",
        answer.code,
        answer.json["message"]
    );
    let Err(ours) = ours else { return Ok(()) };
    let theirs = theirs(answer);
    // Of the schema, the field; of a rule, the sentence.
    let same = |objection: &Objection, (path, message): &(String, String)| {
        let of_schema = SCHEMAS.iter().any(|begins| objection.message.starts_with(begins));
        if of_schema { *path == objection.path } else { message.ends_with(&objection.message) }
    };
    let explained = ours.iter().all(|objection| theirs.iter().any(|their| same(objection, their)));
    let judged = theirs.iter().all(|their| ours.iter().any(|objection| same(objection, their)));
    ensure!(explained && judged, "judged {ours:?}, and the API server: {theirs:?}");
    Ok(())
}

pub(crate) async fn two_thousand_bodies_are_judged_as_the_api_server_judges_them(
    server: &Server,
) -> Result<()> {
    let judge = Judge::new();
    let (mut wrong, mut taken) = (Vec::new(), 0);
    for number in 0..BODIES {
        let spec = body(SEED + number);
        let ours = read(spec.to_string().as_bytes()).map_err(|objection| vec![objection]);
        let ours = ours.and_then(|spec| judge.order("judged", spec)).map(drop);
        let object = json!({
            "apiVersion": "comanda.dev/v1alpha1", "kind": "Order", "metadata": {"name": "judged"}, "spec": spec,
        });
        let answer = server.create(&format!("{ORDERS}?dryRun=All&fieldValidation=Strict"), &object).await?;
        taken += usize::from(ours.is_ok());
        if let Err(error) = compared(&ours, &answer) {
            wrong.push(format!("{spec}\n  {error:#}"));
        }
    }
    ensure!(wrong.is_empty(), "{} of {BODIES}:\n{}", wrong.len(), wrong[..wrong.len().min(12)].join("\n"));
    ensure!((200..1800).contains(&taken), "{taken} of {BODIES} were taken: the others are judged too seldom");
    Ok(())
}
