//! From the bytes that a device sends to the fields that it means. `tests` names who sends which form.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::EventError;

/// The fields of an event.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object; none from an empty message. Around the object may be white space, a byte order mark, NULs, a
    /// list of which it is all, or a string that holds it.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(payload: &[u8]) -> Result<Option<Self>, EventError> {
        let text: String = decoded(payload)
            .chars()
            // Within a string they are no JSON, and elsewhere they are white space.
            .map(|letter| if letter.is_ascii_control() { ' ' } else { letter })
            .collect();
        let text = text.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
        if text.is_empty() {
            return Ok(None);
        }
        let value = match parsed(text)? {
            Value::String(inner) => parsed(&inner)?,
            Value::Array(mut list) if list.len() == 1 => list.remove(0),
            value => value,
        };
        match value {
            Value::Object(fields) => Ok(Some(Self(fields))),
            _ => Err(EventError::Malformed("it is no JSON object".to_owned())),
        }
    }

    /// A field, whatever capitals its name has; none when it is null.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let other = || self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        self.0.get(name).or_else(other).filter(|value| !value.is_null())
    }
}

/// UTF-8, or UTF-16 where every other of the first bytes is zero. What is neither is replaced.
fn decoded(payload: &[u8]) -> Cow<'_, str> {
    let number: fn([u8; 2]) -> u16 = match payload {
        [0xff, 0xfe, ..] | [1..=255, 0, 1..=255, 0, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] | [0, 1..=255, 0, 1..=255, ..] => u16::from_be_bytes,
        _ => return String::from_utf8_lossy(payload),
    };
    let numbers: Vec<u16> = payload.chunks_exact(2).map(|pair| number([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&numbers).into()
}

/// JSON, or what is JSON without the commas after the last of an object or list.
fn parsed(text: &str) -> Result<Value, EventError> {
    serde_json::from_str(text).or_else(|error| {
        serde_json::from_str(&without_last_commas(text)).map_err(|_| EventError::Malformed(shape(&error)))
    })
}

fn without_last_commas(text: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    let kept = text.char_indices().filter(|(at, letter)| {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            ',' if !quoted => return !text[at + 1..].trim_start().starts_with(['}', ']']),
            _ => {}
        }
        true
    });
    kept.map(|(_, letter)| letter).collect()
}

/// Where the JSON goes wrong, without the text that is wrong.
fn shape(error: &serde_json::Error) -> String {
    format!("{:?} error in line {}, column {}", error.classify(), error.line(), error.column())
}
