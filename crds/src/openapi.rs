//! The contract of the HTTP intake: what people wrote of it, with the order's schema as the CRD has it.

use serde_json::{Value, json};
use strum::IntoEnumIterator;

use crate::{Phase, manifests};

/// What stands in `openapi.yaml`, and all but the order's schema of what is published.
const WRITTEN: &str = include_str!("openapi.yaml");

/// The fields of an order's `spec` that its caller does not send: the intake sets them, or they are for those who run it.
pub const NOT_THE_CALLERS: [&str; 5] =
    ["className", "orderId", "cancel", "suspend", "ttlSecondsAfterFinished"];

/// The text of `lambdas/openapi.yaml`.
pub fn openapi() -> String {
    let mut document: Value = serde_yaml::from_str(WRITTEN).expect("it is YAML");
    let schemas = &mut document["components"]["schemas"];
    schemas["View"]["properties"]["phase"]["enum"] = Phase::iter().map(Phase::name).collect();
    schemas["Order"] = order();
    format!(
        "# Written by `cargo run -p comanda-crds --bin crdgen` from crds/src/openapi.yaml and the CRD; do not edit.\n{}",
        serde_yaml::to_string(&document).expect("it is plain data")
    )
}

/// The `spec` of an order, as a caller sends it.
fn order() -> Value {
    let crd = serde_json::to_value(manifests::orders()).expect("a CRD is plain data");
    let mut spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone();
    let field = |name: &Value| name.as_str().is_some_and(|name| NOT_THE_CALLERS.contains(&name));
    if let Some(required) = spec["required"].as_array_mut() {
        required.retain(|name| !field(name));
    }
    if let Some(properties) = spec["properties"].as_object_mut() {
        properties.retain(|name, _| !NOT_THE_CALLERS.contains(&name.as_str()));
    }
    let customer = &mut spec["properties"]["customer"];
    if let Some(sources) = customer["properties"].as_object_mut() {
        sources.retain(|source, _| source == "inline");
    }
    customer["required"] = json!(["inline"]);
    customer["properties"]["inline"]["description"] =
        json!("The customer's data. It is sealed in the ledger, and in no Kubernetes object.");
    spec["description"] =
        json!("What a customer ordered. It cannot change: cancel the order, and send another.");
    // Their rules are about changes, and about what a caller does not send.
    for path in ["/properties/customer", ""] {
        if let Some(schema) = spec.pointer_mut(path).and_then(Value::as_object_mut) {
            schema.remove("x-kubernetes-validations");
        }
    }
    plain(&mut spec);
    spec
}

/// A structural schema as `OpenAPI` writes it: rules become sentences of the description.
fn plain(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if schema.remove("x-kubernetes-int-or-string").is_some() {
        schema.insert("type".to_owned(), json!("string"));
    }
    let rules = schema.remove("x-kubernetes-validations");
    let sentences: Vec<&str> = rules
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|rule| rule["message"].as_str())
        .collect();
    if !sentences.is_empty() {
        let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let text = format!("{description}\n\nElse: {}.", sentences.join("; "));
        schema.insert("description".to_owned(), text.trim_start().into());
    }
    schema.retain(|keyword, _| !keyword.starts_with("x-kubernetes-"));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(plain);
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    if let Some(items) = schema.get_mut("items") {
        plain(items);
    }
}
