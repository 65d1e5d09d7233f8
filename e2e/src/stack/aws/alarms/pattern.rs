//! Filter patterns of CloudWatch Logs for lines of JSON, as far as `lambdas/template.yaml` uses them. What is not known is
//! refused, so that no pattern is taken for another than AWS takes it for.
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A pattern such as `{ ($.outcome = "Undo") && ($.attempt >= 8) }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Condition);

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Field { name: String, comparison: Comparison, value: Operand },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Text(String),
    Number(f64),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is none, or has what is not known here.
    pub fn parse(text: &str) -> Result<Self> {
        // AWS refuses longer ones.
        ensure!(text.len() <= 1024, "a pattern has at most 1,024 characters: {text}");
        let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let inner = inner.with_context(|| format!("only patterns of JSON are known: {text}"))?;
        let mut rest = inner;
        let condition = conditions(&mut rest).with_context(|| format!("the pattern {text}"))?;
        ensure!(rest.trim_start().is_empty(), "the pattern {text} goes on with {rest}");
        Ok(Self(condition))
    }

    /// Whether a line matches. One that is no JSON matches nothing.
    ///
    /// # Errors
    /// When the line lacks a field that is asked not to have a value: what AWS says then is in none of its pages.
    pub fn matches(&self, line: &str) -> Result<bool> {
        match serde_json::from_str(line) {
            Ok(line @ Value::Object(_)) => self.0.holds(&line).with_context(|| format!("the line {line}")),
            _ => Ok(false),
        }
    }
}

impl Condition {
    fn holds(&self, line: &Value) -> Result<bool> {
        match self {
            Self::All(conditions) => {
                for condition in conditions {
                    if !condition.holds(line)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(conditions) => {
                for condition in conditions {
                    if condition.holds(line)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Field { name, comparison, value } => {
                let found = line.get(name);
                Ok(match comparison {
                    Comparison::Equal => found.is_some_and(|found| value.equals(found)),
                    Comparison::NotEqual => {
                        !value.equals(found.with_context(|| format!("it has no {name}"))?)
                    }
                    Comparison::AtLeast => match (found.and_then(Value::as_f64), value) {
                        (Some(found), Operand::Number(value)) => found >= *value,
                        _ => false,
                    },
                })
            }
        }
    }
}

impl Operand {
    fn equals(&self, found: &Value) -> bool {
        match self {
            Self::Text(text) => found.as_str() == Some(text),
            Self::Number(number) => found.as_f64() == Some(*number),
        }
    }
}

/// Conditions that are all joined by the same word. AWS has an order for mixed ones; parentheses need none.
fn conditions(rest: &mut &str) -> Result<Condition> {
    let first = condition(rest)?;
    let Some(word) = ["&&", "||"].into_iter().find(|word| rest.trim_start().starts_with(word)) else {
        return Ok(first);
    };
    let mut joined = vec![first];
    while let Some(after) = rest.trim_start().strip_prefix(word) {
        *rest = after;
        joined.push(condition(rest)?);
    }
    Ok(if word == "&&" { Condition::All(joined) } else { Condition::Any(joined) })
}

/// One comparison, or conditions in parentheses.
fn condition(rest: &mut &str) -> Result<Condition> {
    let text = rest.trim_start();
    if let Some(inner) = text.strip_prefix('(') {
        *rest = inner;
        let condition = conditions(rest)?;
        let after = rest.trim_start().strip_prefix(')');
        *rest = after.with_context(|| format!("a parenthesis is to end before {rest}"))?;
        return Ok(condition);
    }
    let field = text.strip_prefix("$.").with_context(|| format!("a field is to begin with $. at {text}"))?;
    let end = field.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(field.len());
    let (name, after) = field.split_at(end);
    ensure!(!name.is_empty(), "a field has no name at {text}");
    let after = after.trim_start();
    let comparisons = [("!=", Comparison::NotEqual), (">=", Comparison::AtLeast), ("=", Comparison::Equal)];
    let found =
        comparisons.into_iter().find_map(|(sign, it)| Some((it, after.strip_prefix(sign)?.trim_start())));
    let (comparison, after) = found.with_context(|| format!("no comparison is known at {after}"))?;
    let (value, after) = operand(after)?;
    ensure!(
        comparison != Comparison::AtLeast || matches!(value, Operand::Number(_)),
        "only numbers are compared by size: {text}"
    );
    *rest = after;
    Ok(Condition::Field { name: name.to_owned(), comparison, value })
}

/// A text in quotation marks, or a whole number.
fn operand(text: &str) -> Result<(Operand, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, after) =
            quoted.split_once('"').with_context(|| format!("a text does not end: {text}"))?;
        ensure!(!value.contains(['*', '\\', '%']), "only plain texts are known: {value}");
        return Ok((Operand::Text(value.to_owned()), after));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    match digits.parse() {
        Ok(number) if !after.starts_with(['.', '*', 'e', 'E']) => Ok((Operand::Number(number), after)),
        _ => bail!("neither a text in quotation marks nor a whole number: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, line: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(line).expect("an answer")
    }

    #[test]
    fn a_field_matches_its_very_value() {
        let pattern = r#"{ $.outcome = "Undo" }"#;
        assert!(matches(pattern, r#"{"outcome":"Undo","attempt":0}"#));
        assert!(!matches(pattern, r#"{"outcome":"undo"}"#));
        assert!(!matches(pattern, r#"{"outcome":["Undo"]}"#));
        assert!(!matches(pattern, r#"{"fields":{"outcome":"Undo"}}"#));
        assert!(!matches(pattern, "{}"));
    }

    #[test]
    fn lines_that_are_no_json_match_nothing() {
        for line in ["START RequestId: 7 Version: $LATEST", "", "\"Undo\"", "[{\"outcome\":\"Undo\"}]"] {
            assert!(!matches(r#"{ $.outcome = "Undo" }"#, line), "{line}");
        }
    }

    #[test]
    fn numbers_are_compared_by_size() {
        let pattern = "{ $.attempt >= 8 }";
        assert!(matches(pattern, r#"{"attempt":8}"#) && matches(pattern, r#"{"attempt":12}"#));
        assert!(!matches(pattern, r#"{"attempt":7}"#) && !matches(pattern, r#"{"attempt":"8"}"#));
    }

    #[test]
    fn conditions_are_joined_as_their_parentheses_say() {
        let pattern = r#"{ ($.a >= 1) && (($.b = "x") || ($.b = "y")) }"#;
        assert!(matches(pattern, r#"{"a":1,"b":"y"}"#));
        assert!(!matches(pattern, r#"{"a":0,"b":"y"}"#) && !matches(pattern, r#"{"a":1,"b":"z"}"#));
    }

    #[test]
    fn that_a_field_has_not_a_value_is_asked_of_lines_that_have_the_field() {
        let pattern = Pattern::parse(r#"{ ($.a = "x") && ($.b != "y") }"#).expect("a pattern");
        assert!(pattern.matches(r#"{"a":"x","b":"z"}"#).expect("an answer"));
        assert!(!pattern.matches(r#"{"a":"x","b":"y"}"#).expect("an answer"));
        assert!(!pattern.matches(r#"{"a":"z"}"#).expect("an answer"), "it is not asked");
        assert!(pattern.matches(r#"{"a":"x"}"#).is_err());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for pattern in [
            "",
            "ERROR",
            "[ip, user]",
            "{ $.a }",
            "{ $.a = x }",
            r#"{ $.a = "x*" }"#,
            "{ $.a = %x% }",
            "{ $.a = 1.5 }",
            "{ $.a < 1 }",
            r#"{ $.a >= "1" }"#,
            "{ $.a IS NULL }",
            "{ $.a NOT EXISTS }",
            r#"{ $.a.b = "x" }"#,
            r#"{ $.a[0] = "x" }"#,
            r#"{ $.a = "x" && $.b = "y" || $.c = "z" }"#,
            r#"{ ($.a = "x" }"#,
            r#"{ $.a = "x" } }"#,
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
