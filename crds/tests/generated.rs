//! The CRDs as they are generated: up to date in the chart, bounded, and with rules where they may stand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use comanda_crds::manifests;
use iso_currency::Currency;
use serde_json::Value;

#[test]
fn the_chart_holds_what_crdgen_writes() {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("`cargo test` says where the checkout is");
    let folder = Path::new(&package).join("../charts/comanda/files/crds");
    for manifest in manifests() {
        let shipped = std::fs::read_to_string(folder.join(manifest.file)).unwrap_or_default();
        assert!(
            shipped == manifest.yaml,
            "{} is stale: run `cargo run -p comanda-crds --bin crdgen`",
            manifest.file
        );
    }
    let files: BTreeSet<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let generated = manifests().iter().map(|manifest| folder.join(manifest.file)).collect();
    assert_eq!(files, generated, "a file nobody generates is never updated");
}

/// Without a bound, the API server assumes the longest value a request can carry, and rules cost too much.
#[test]
fn everything_people_write_has_a_greatest_length() {
    for root in schemas() {
        walk(&root["properties"]["spec"], "spec", &mut |path, schema| match schema["type"].as_str() {
            Some("string") => {
                assert!(schema["maxLength"].is_u64() || schema["enum"].is_array(), "{path} has no maxLength");
            }
            Some("array") => assert!(schema["maxItems"].is_u64(), "{path} has no maxItems"),
            Some(_) => {}
            None => assert!(schema["maxLength"].is_u64(), "{path} has neither type nor bound"),
        });
    }
}

/// What was stored before a rule was tightened must stay free to be cancelled and deleted. Whoever does
/// that changes `spec` or the metadata, so a rule that stands there is tested again.
#[test]
fn a_rule_on_the_spec_or_the_object_compares_with_the_old_value() {
    for root in schemas() {
        for schema in [&root, &root["properties"]["spec"]] {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let expression = rule["rule"].as_str().expect("an expression");
                assert!(expression.contains("oldSelf"), "move {expression} to the field it is about");
            }
        }
    }
}

/// A null that the schema allows is stored, and shows in every diff afterwards.
#[test]
fn nothing_is_nullable_and_no_status_field_has_a_default_of_its_own() {
    for root in schemas() {
        walk(&root, "", &mut |path, schema| {
            assert!(schema["nullable"].is_null(), "{path} is nullable");
            assert!(
                !path.starts_with(".status.") || schema["default"].is_null(),
                "{path} is filled in, so it shows in objects the operator never wrote"
            );
        });
        assert_eq!(root["properties"]["status"]["default"]["observedGeneration"], -1);
    }
}

#[test]
fn the_currencies_are_those_of_iso_4217_that_money_is_paid_in() {
    let order = &schemas()[0];
    let rule = &order["properties"]["spec"]["properties"]["currency"]["x-kubernetes-validations"][0]["rule"];
    let taken: BTreeSet<&str> = rule.as_str().expect("a rule").split('\'').skip(1).step_by(2).collect();

    let letters = || 'A'..='Z';
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
    let known: Vec<Currency> =
        codes.filter_map(|code| Currency::from_code(&String::from_iter(code))).collect();
    let paid_in = known.iter().filter(|currency| !currency.is_fund() && !currency.is_special());
    // The crate takes VED for the successor of VES; list one of ISO 4217 holds both.
    let current = paid_in.filter(|currency| currency.is_superseded().is_none() || currency.code() == "VES");
    let expected: BTreeSet<&str> = current.map(Currency::code).collect();
    assert_eq!(taken, expected);
}

fn schemas() -> Vec<Value> {
    let schema = |yaml: &str| {
        let crd: Value = serde_yaml::from_str(yaml).expect("a manifest is YAML");
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
    };
    manifests().iter().map(|manifest| schema(&manifest.yaml)).collect()
}

fn walk(schema: &Value, path: &str, see: &mut impl FnMut(&str, &Value)) {
    see(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), see);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), see);
    }
}
