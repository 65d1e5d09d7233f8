//! Judges an order as the API server does: the same schema, the same CEL rules, the same sentences. What is refused here
//! would be refused there, and the other way round, as a server with strict field validation has it.
//!
//! Nothing of what was sent is repeated in an objection: it may be personal data.
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#field-validation>.

mod parse;

use std::collections::BTreeSet;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::{Value, json};

use crate::{GROUP, OrderSpec, manifests};

pub use parse::read;

/// Bounds within which a number without a fraction is exact in JSON, wherever it is read.
const EXACT: f64 = 9_007_199_254_740_991.0;

const WHOLE: &str = "must be a whole number, written without a point and an exponent";
const UNKNOWN: &str = "there is no such field: take it out, or write its name as the documentation does";

/// What is wrong with an order, and where.
#[derive(serde::Serialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objection {
    /// The field, as the API server writes it: `spec.items[0].quantity`.
    pub path: String,
    /// What to change.
    pub message: String,
}

/// The schema and the rules of `Order`, compiled.
pub struct Judge {
    schema: Value,
    shape: jsonschema::Validator,
    rules: CompiledSchema,
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

impl Judge {
    /// By the CRD that clusters install.
    pub fn new() -> Self {
        let crd = manifests::orders();
        let schema =
            crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema).expect("a derived CRD has a schema");
        let mut shape = schema["properties"]["spec"].clone();
        json_schema(&mut shape);
        Self {
            shape: jsonschema::validator_for(&shape).expect("a structural schema is a JSON schema"),
            rules: compile_schema(&schema),
            schema,
        }
    }

    /// The `spec` of an order that is to be created under `name`, as [`read`] reads it.
    ///
    /// # Errors
    /// Everything that is wrong with it, as far as the API server would go on looking.
    pub fn order(&self, name: &str, mut spec: Value) -> Result<OrderSpec, Vec<Objection>> {
        let schema = &self.schema["properties"]["spec"];
        let mut found = Found::default();
        found.look(schema, &spec, "spec");
        without_nulls(&mut spec);
        let Found { unknown, mut misshapen, fractions } = found;
        misshapen.extend(self.shape.iter_errors(&spec).map(|error| of_schema(&error)));
        // The API server goes on to the next of them where it has nothing to say.
        let objections = if !unknown.is_empty() {
            unknown
        } else if !misshapen.is_empty() {
            misshapen
        } else {
            let rules = self.broken_rules(name, &spec).into_iter();
            let unjudged = |rule: &Objection| fractions.iter().all(|fraction| fraction.path != rule.path);
            rules.filter(unjudged).chain(fractions.iter().cloned()).collect()
        };
        if !objections.is_empty() {
            let distinct: BTreeSet<Objection> = objections.into_iter().collect();
            return Err(distinct.into_iter().collect());
        }
        serde_json::from_value(spec).map_err(|error| vec![parse::objection(&error)])
    }

    fn broken_rules(&self, name: &str, spec: &Value) -> Vec<Objection> {
        let order = json!({
            "apiVersion": format!("{GROUP}/v1alpha1"),
            "kind": "Order",
            "metadata": {"name": name},
            "spec": spec,
        });
        let Err(errors) = Validator::new().validate_compiled(&self.rules, &order, None) else {
            return Vec::new();
        };
        let objection = |error: kube::core::cel::ValidationError| Objection {
            path: error.field_path,
            message: error.message,
        };
        errors.into_iter().map(objection).collect()
    }
}

/// What no JSON schema says of a value as the API server does.
#[derive(Default)]
struct Found {
    /// Fields that the schema does not know, whatever their values. Of a value that should be no object, all are.
    unknown: Vec<Objection>,
    /// Numbers that are none of the schema's.
    misshapen: Vec<Objection>,
    /// Whole numbers that are written as others are, as 2.0: rules are about those that are written as such.
    fractions: Vec<Objection>,
}

impl Found {
    fn look(&mut self, schema: &Value, value: &Value, path: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = format!("{path}.{}", parse::shown(name));
                    match schema["properties"].get(name) {
                        Some(schema) => self.look(schema, value, &path),
                        None => self.unknown.push(Objection { path, message: UNKNOWN.to_owned() }),
                    }
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.look(&schema["items"], item, &format!("{path}[{number}]"));
                }
            }
            Value::Number(number) if !number.is_i64() => {
                let whole = number.as_f64().is_some_and(|float| float.fract() == 0.0 && float.abs() <= EXACT);
                let objection =
                    |message: &str| Objection { path: path.to_owned(), message: message.to_owned() };
                match (schema["type"].as_str(), whole) {
                    (Some("integer"), true) => self.fractions.push(objection(WHOLE)),
                    (Some("integer"), false) => self.misshapen.push(objection("must be of type integer")),
                    (None, false) => self.misshapen.push(objection("must be a string")),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// What the schema has against a value.
fn of_schema(error: &jsonschema::ValidationError<'_>) -> Objection {
    let path = path(error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            Objection { path: format!("{path}.{name}"), message: "is required".to_owned() }
        }
        kind => Objection { path, message: sentence(kind) },
    }
}

/// A structural schema as a JSON schema. Its formats are left out: rules bound every number.
/// Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>.
fn json_schema(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if schema.remove("x-kubernetes-int-or-string").is_some() {
        schema.insert("type".to_owned(), json!(["integer", "string"]));
    }
    schema.remove("format");
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(json_schema);
    }
    if let Some(items) = schema.get_mut("items") {
        json_schema(items);
    }
}

/// A field that is null is none.
/// Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable>.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// `/items/0/quantity` as `spec.items[0].quantity`.
fn path(pointer: &str) -> String {
    pointer.split('/').skip(1).fold("spec".to_owned(), |path, part| {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("{path}[{part}]")
        } else {
            format!("{path}.{part}")
        }
    })
}

fn sentence(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        ValidationErrorKind::Type { .. } => "must be a string".to_owned(),
        ValidationErrorKind::MaxLength { limit } => format!("may not be more than {limit} characters long"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        other => format!("does not hold: {}", other.keyword()),
    }
}

#[cfg(test)]
mod tests;
