//! Validation rules that several fields share, each with a sentence that says what to change.
//!
//! The API server tests a rule again only where the value it stands on changed. So a rule stands on the
//! field it is about, never on `spec` or on the whole object, unless it compares with the old value: an
//! order stored before a rule was tightened can still be cancelled and loses its finalizer.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting>.

use kube::core::{Reason, Rule};

use crate::Phase;

/// For `spec`: a required field that is fixed once it is written; the advice says what to do instead.
pub(crate) fn fixed(field: &str, advice: &str) -> Rule {
    forbidden(field, format!("self.{field} == oldSelf.{field}"), &format!("{field} cannot change: {advice}"))
}

/// For `spec`: an optional field that is neither added, nor removed, nor changed.
pub(crate) fn fixed_optional(field: &str, advice: &str) -> Rule {
    forbidden(
        field,
        format!(
            "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        ),
        &format!("{field} cannot change, be added or be removed: {advice}"),
    )
}

/// For `spec`: an optional field that may be added once.
pub(crate) fn set_once(field: &str, advice: &str) -> Rule {
    forbidden(
        field,
        format!("!has(oldSelf.{field}) || (has(self.{field}) && self.{field} == oldSelf.{field})"),
        &format!("{field} cannot be changed or taken back once it is set: {advice}"),
    )
}

/// For a class's `spec`: a field that the operator needs in each of these phases that the class does not delegate. It is
/// tested at the creation only, as both are fixed from then on.
pub(crate) fn needed(field: &str, phases: &[Phase]) -> Rule {
    let names: Vec<&str> = phases.iter().map(|phase| (*phase).into()).collect();
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let rule = rule(
        &format!(
            "oldSelf.hasValue() || has(self.{field}) || (has(self.executor) && [{}].all(phase, phase in \
             self.executor.stepFunctions.phases))",
            quoted.join(", ")
        ),
        &format!(
            "{field} is needed by the operator, unless executor.stepFunctions.phases has {}",
            sentence(&names)
        ),
    );
    rule.optional_old_self(true).field_path(format!(".{field}"))
}

/// `A, B and C`.
fn sentence(names: &[&str]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.join(", "),
    }
}

/// A name that becomes a part of keys and topics.
pub(crate) fn key_part(field: &str) -> Rule {
    rule(
        "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        &format!(
            "{field} must be lower-case letters, digits and dashes, and start and end with a letter or digit"
        ),
    )
}

/// The name of a Secret.
pub(crate) fn secret_name(field: &str) -> Rule {
    rule(
        "self.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",
        &format!("{field} must be the name of a Secret: lower-case letters, digits, dashes and dots"),
    )
}

/// The name of a DynamoDB table.
/// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>.
pub(crate) fn table_name() -> Rule {
    rule(
        "self.matches('^[-._A-Za-z0-9]{3,255}$')",
        "table must be the name of a DynamoDB table: 3 to 255 letters, digits, dots, dashes and underscores",
    )
}

/// The URL of a standard queue of SQS.
pub(crate) fn queue_url(field: &str) -> Rule {
    rule(
        "self.matches('^https?://[-.:A-Za-z0-9]+/[0-9]{12}/[-_A-Za-z0-9]{1,80}$')",
        &format!(
            "{field} must be the URL of a standard SQS queue, such as \
             https://sqs.eu-west-1.amazonaws.com/123456789012/comanda-wake"
        ),
    )
}

/// A number within bounds.
pub(crate) fn between(field: &str, least: i64, most: i64) -> Rule {
    rule(&format!("self >= {least} && self <= {most}"), &format!("{field} must be from {least} to {most}"))
}

fn rule(expression: &str, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

fn forbidden(field: &str, expression: String, message: &str) -> Rule {
    Rule::new(expression).message(message).reason(Reason::FieldValueForbidden).field_path(format!(".{field}"))
}
