//! What a device says: strict in meaning, liberal in form.

use comanda_saga::{CourierState, DeviceEvent, DeviceSignal, KitchenState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::Fields;
use super::{EventTopic, Side};

/// Longest event that is read, in bytes. Real ones have some 200.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;
/// Longest reason that is kept, in characters.
const MAX_REASON: usize = 200;
/// Longest `eventId`, in bytes.
const MAX_EVENT_ID: usize = 128;
/// Longest device of an event that is kept: what earlier releases took.
const MAX_KEPT_DEVICE: usize = 128;
/// The largest whole number that JSON's numbers hold exactly where they are floating-point ones.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Why an event is dropped. It is acknowledged all the same, or it would come back for ever.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Larger than [`MAX_EVENT_BYTES`].
    #[error("the event has {0} bytes, and at most {MAX_EVENT_BYTES} are read")]
    TooLarge(usize),
    /// No JSON object of the documented form.
    #[error("the event cannot be read: {0}")]
    Malformed(String),
    /// A field that the event must have is missing, or is nothing that can be read as one.
    #[error("the event's {0} is missing or cannot be read")]
    BadField(&'static str),
    /// The event's or the device's id is empty, too long, or has characters that cannot be printed.
    #[error("the event's {0} is empty, too long, or has characters that it may not have")]
    BadId(&'static str),
    /// The payload names another device than the topic.
    #[error("the event calls its device by another name than its topic does")]
    AnotherDevice,
    /// A word that this side does not use.
    #[error("a {side:?} does not say {event:?}")]
    UnknownEvent {
        /// Who spoke.
        side: Side,
        /// The word, shortened.
        event: String,
    },
}

/// An event as the ledger keeps it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireEvent {
    event_id: String,
    event: String,
    device: String,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Reads what was said on a topic; none for what changes nothing, such as a courier's location or an empty message,
/// which clears a retained one. Who speaks is taken from the topic. The time is that of arrival: devices' clocks are
/// not trusted.
///
/// # Errors
/// When the event cannot count.
pub fn parse_event(
    topic: &EventTopic,
    payload: &[u8],
    now: Timestamp,
) -> Result<Option<DeviceEvent>, EventError> {
    read(topic.side, &topic.device, payload, now)
}

/// [`parse_event`] of a side and a device.
pub(crate) fn read(
    side: Side,
    device: &str,
    payload: &[u8],
    now: Timestamp,
) -> Result<Option<DeviceEvent>, EventError> {
    if payload.len() > MAX_EVENT_BYTES {
        return Err(EventError::TooLarge(payload.len()));
    }
    let Some(fields) = Fields::read(payload)? else { return Ok(None) };
    let named = |name| fields.get(name);
    if named("device").is_some_and(|claimed| claimed.as_str().map(str::trim) != Some(device)) {
        return Err(EventError::AnotherDevice);
    }
    let event = named("event").and_then(Value::as_str).ok_or(EventError::BadField("event"))?;
    let event_id = match named("eventId") {
        Some(Value::String(id)) => id.trim().to_owned(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err(EventError::BadField("eventId")),
    };
    let wire = WireEvent {
        event_id,
        event: word(event),
        device: device.to_owned(),
        seq: named("seq").and_then(seq).ok_or(EventError::BadField("seq"))?,
        reason: named("reason").map(text_of),
    };
    wire.check(side, now)
}

/// A word of the vocabulary in its one spelling: `Picked_Up` is `picked-up`.
fn word(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace(['_', ' '], "-")
}

/// `7`, `7.0` and `"7"` are the same number.
fn seq(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Within the bounds that are looked at first.
fn whole(number: f64) -> Option<u64> {
    ((0.0..=MAX_EXACT).contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl WireEvent {
    pub(crate) fn check(self, side: Side, now: Timestamp) -> Result<Option<DeviceEvent>, EventError> {
        if !is_printable(&self.event_id, MAX_EVENT_ID) {
            return Err(EventError::BadId("eventId"));
        }
        if !is_printable(&self.device, MAX_KEPT_DEVICE) {
            return Err(EventError::BadId("device"));
        }
        if side == Side::Courier && SAYS_NOTHING.contains(&self.event.as_str()) {
            return Ok(None);
        }
        let signal = VOCABULARY
            .iter()
            .find(|(speaker, word, _)| *speaker == side && *word == self.event)
            .ok_or_else(|| EventError::UnknownEvent { side, event: self.event.chars().take(40).collect() })?;
        Ok(Some(DeviceEvent {
            id: self.event_id,
            signal: signal.2,
            seq: self.seq,
            device: self.device,
            reason: self.reason.as_deref().map(plain).filter(|reason| !reason.is_empty()),
            at: now,
        }))
    }

    /// The inverse of [`WireEvent::check`].
    pub(crate) fn of(event: &DeviceEvent) -> Option<(Side, Self)> {
        let (side, word, _) = VOCABULARY.iter().find(|(_, _, signal)| *signal == event.signal)?;
        let wire = Self {
            event_id: event.id.clone(),
            event: (*word).to_owned(),
            device: event.device.clone(),
            seq: event.seq,
            reason: event.reason.clone(),
        };
        Some((*side, wire))
    }

    /// The word that was said.
    pub(crate) fn word(&self) -> &str {
        &self.event
    }
}

/// What a courier may say that moves no order: where they are, which has a topic of its own.
const SAYS_NOTHING: [&str; 1] = ["location"];

/// Every word that means something.
pub(super) const VOCABULARY: [(Side, &str, DeviceSignal); 13] = {
    use DeviceSignal as Signal;
    [
        (Side::Kitchen, "accepted", Signal::Kitchen(KitchenState::Accepted)),
        (Side::Kitchen, "preparing", Signal::Kitchen(KitchenState::Preparing)),
        (Side::Kitchen, "ready", Signal::Kitchen(KitchenState::Ready)),
        (Side::Kitchen, "rejected", Signal::Kitchen(KitchenState::Rejected)),
        (Side::Kitchen, "cancelled", Signal::KitchenRecalled(true)),
        (Side::Kitchen, "cancel-refused", Signal::KitchenRecalled(false)),
        (Side::Courier, "accepted", Signal::Courier(CourierState::Accepted)),
        (Side::Courier, "declined", Signal::Courier(CourierState::Declined)),
        (Side::Courier, "picked-up", Signal::Courier(CourierState::PickedUp)),
        (Side::Courier, "delivered", Signal::Courier(CourierState::Delivered)),
        (Side::Courier, "failed", Signal::Courier(CourierState::Failed)),
        (Side::Courier, "cancelled", Signal::CourierRecalled(true)),
        (Side::Courier, "cancel-refused", Signal::CourierRecalled(false)),
    ]
};

/// A reason that is safe to show: one line, no control characters, none that turn text round.
fn plain(reason: &str) -> String {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let kept: String = reason.chars().filter(|letter| !hidden(*letter)).take(MAX_REASON).collect();
    kept.trim().to_owned()
}

fn is_printable(text: &str, longest: usize) -> bool {
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    !text.is_empty() && text.len() <= longest && text.bytes().all(printable)
}
