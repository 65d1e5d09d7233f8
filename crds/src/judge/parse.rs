//! JSON as strict field validation reads it: a field that stands there twice is an error, where others take the last.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Objection;

/// How much is shown of a field's name that nobody knows: it may be anything.
const SHOWN: usize = 40;

/// Any JSON.
///
/// # Errors
/// Where it is none, or where a field stands twice.
pub fn read(json: &[u8]) -> Result<Value, Objection> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Strict.deserialize(&mut reader).map_err(|error| objection(&error))?;
    reader.end().map_err(|error| objection(&error))?;
    Ok(value)
}

/// Where the JSON is wrong. The parser's own sentence could repeat what it read.
pub(super) fn objection(error: &serde_json::Error) -> Objection {
    let (line, column) = (error.line(), error.column());
    let twice = error.to_string();
    let message = match twice.strip_prefix(TWICE).and_then(|rest| rest.split('`').next()) {
        Some(name) => format!("the field {name} stands there twice (line {line}, column {column})"),
        None => format!("is no JSON that can be read (line {line}, column {column})"),
    };
    Objection { path: "spec".to_owned(), message }
}

/// A name, as far as it can be shown.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter))
        .take(SHOWN)
        .collect()
}

const TWICE: &str = "duplicate field `";

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            read.push(item);
        }
        Ok(read.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let field = fields.next_value_seed(Strict)?;
            if read.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{TWICE}{}`", shown(&name))));
            }
            read.insert(name, field);
        }
        Ok(read.into())
    }
}
