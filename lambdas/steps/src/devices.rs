//! The language of kitchens and couriers: topics, commands and events. What they say is not trusted.

use comanda_crds::Address;
use comanda_saga::{CourierState, KitchenState};
use comanda_saga::{DeviceEvent, DeviceSignal, Entry, Record};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ports::Recipient;

/// Longest event that is read. Real ones have some 200 bytes.
pub const MAX_EVENT_BYTES: usize = 16 * 1024;
/// Longest reason that is kept, in characters.
const MAX_REASON: usize = 200;
/// AWS IoT's limit on client ids.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>.
const MAX_CLIENT_ID: usize = 128;
const MAX_EVENT_ID: usize = 64;

/// Who a command goes to, and an event comes from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The store's kitchen.
    Kitchen,
    /// The couriers of the store.
    Courier,
}

impl Side {
    /// Its level in topics.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Kitchen => "orders",
            Self::Courier => "couriers",
        }
    }
}

/// What a device is told to do.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Kitchen: prepare the food.
    Prepare,
    /// Courier: deliver it.
    Deliver,
    /// Either: stop.
    Cancel,
}

impl Verb {
    fn level(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Deliver => "deliver",
            Self::Cancel => "cancel",
        }
    }
}

/// The topic that tells one side about one order.
pub fn command_topic(record: &Record, side: Side, verb: Verb) -> String {
    format!(
        "{}/{}/stores/{}/{}/{}/{}",
        record.class.devices.topic_prefix,
        record.identity.tenant,
        record.terms.store,
        side.level(),
        record.identity.order_id,
        verb.level()
    )
}

/// The filters under which the events of every tenant and store arrive.
pub fn event_filters(prefix: &str) -> Vec<String> {
    [Side::Kitchen, Side::Courier]
        .map(|side| format!("{prefix}/+/stores/+/{}/+/events", side.level()))
        .to_vec()
}

/// A command, as the device reads it.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Command<'a> {
    #[serde(rename = "command")]
    verb: Verb,
    #[serde(rename = "commandId")]
    id: &'a str,
    seq: u64,
    order_id: &'a str,
    items: Vec<CommandItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient: Option<Recipient>,
}

#[derive(Serialize, Clone, Debug)]
struct CommandItem<'a> {
    sku: &'a str,
    quantity: i64,
}

impl<'a> Command<'a> {
    /// The command of a journal entry: the same entry is the same command, however often it is sent.
    pub(crate) fn new(verb: Verb, record: &'a Record, entry: &'a Entry) -> Self {
        let items = record.terms.lines.iter();
        Self {
            verb,
            id: &entry.key,
            seq: entry.seq.unwrap_or_default(),
            order_id: &record.identity.order_id,
            items: items.map(|line| CommandItem { sku: &line.sku, quantity: line.quantity }).collect(),
            address: None,
            recipient: None,
        }
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are JSON")
    }
}

/// Which order an event speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventTopic {
    /// The order's tenant.
    pub tenant: String,
    /// The store whose device speaks. It has to be the order's: see [`EventTopic::is_of`].
    pub store: String,
    /// Kitchen or courier.
    pub side: Side,
    /// The order's id.
    pub order_id: String,
}

impl EventTopic {
    /// Reads a topic under `prefix`; none for a topic that carries no events.
    pub fn parse(prefix: &str, topic: &str) -> Option<Self> {
        let levels: Vec<&str> = topic.strip_prefix(prefix)?.strip_prefix('/')?.split('/').collect();
        let [tenant, "stores", store, level, order_id, "events"] = levels[..] else { return None };
        let side = [Side::Kitchen, Side::Courier].into_iter().find(|side| side.level() == level)?;
        let filled = [tenant, store, order_id].iter().all(|level| !level.is_empty());
        filled.then(|| Self {
            tenant: tenant.to_owned(),
            store: store.to_owned(),
            side,
            order_id: order_id.to_owned(),
        })
    }

    /// Whether the event may speak of this order: a device of another store may not.
    pub fn is_of(&self, record: &Record) -> bool {
        self.tenant == record.identity.tenant
            && self.order_id == record.identity.order_id
            && self.store == record.terms.store
    }
}

/// The topics on which the devices of an order's store speak of it.
pub fn event_topics(record: &Record) -> [(Side, String); 2] {
    let (prefix, identity) = (&record.class.devices.topic_prefix, &record.identity);
    [Side::Kitchen, Side::Courier].map(|side| {
        let (tenant, store, order_id) = (&identity.tenant, &record.terms.store, &identity.order_id);
        (side, format!("{prefix}/{tenant}/stores/{store}/{}/{order_id}/events", side.level()))
    })
}

/// Why an event is dropped. It is acknowledged all the same, or it would come back for ever.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Larger than [`MAX_EVENT_BYTES`].
    #[error("the event has {0} bytes, and at most {MAX_EVENT_BYTES} are read")]
    TooLarge(usize),
    /// No JSON object of the documented form.
    #[error("the event cannot be read: {0}")]
    Malformed(String),
    /// The event's or the device's id is empty, too long, or has letters it may not have.
    #[error("the event's {0} is empty, too long, or has other letters than A-Z, a-z, 0-9, - and _")]
    BadId(&'static str),
    /// A word that this side does not use.
    #[error("a {side:?} does not say {event:?}")]
    UnknownEvent {
        /// Who spoke.
        side: Side,
        /// The word, shortened.
        event: String,
    },
}

/// An event as devices write it, and as the ledger keeps it, so that an IoT rule may write the same
/// item. Fields not named here are ignored.
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

/// Reads what `side` said; none for a courier's location, which changes nothing. The time is that of
/// arrival: devices' clocks are not trusted.
pub fn parse_event(side: Side, payload: &[u8], now: Timestamp) -> Result<Option<DeviceEvent>, EventError> {
    if payload.len() > MAX_EVENT_BYTES {
        return Err(EventError::TooLarge(payload.len()));
    }
    let wire: WireEvent =
        serde_json::from_slice(payload).map_err(|error| EventError::Malformed(shape(&error)))?;
    wire.check(side, now)
}

/// Where the JSON goes wrong, without the text that is wrong.
fn shape(error: &serde_json::Error) -> String {
    format!("{:?} error in line {}, column {}", error.classify(), error.line(), error.column())
}

impl WireEvent {
    pub(crate) fn check(self, side: Side, now: Timestamp) -> Result<Option<DeviceEvent>, EventError> {
        if !is_id(&self.event_id, MAX_EVENT_ID, "") {
            return Err(EventError::BadId("eventId"));
        }
        if !is_id(&self.device, MAX_CLIENT_ID, ":.") {
            return Err(EventError::BadId("device"));
        }
        if (side, self.event.as_str()) == (Side::Courier, "location") {
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
}

/// Every word that means something.
const VOCABULARY: [(Side, &str, DeviceSignal); 12] = {
    use DeviceSignal as Signal;
    [
        (Side::Kitchen, "accepted", Signal::Kitchen(KitchenState::Accepted)),
        (Side::Kitchen, "preparing", Signal::Kitchen(KitchenState::Preparing)),
        (Side::Kitchen, "ready", Signal::Kitchen(KitchenState::Ready)),
        (Side::Kitchen, "rejected", Signal::Kitchen(KitchenState::Rejected)),
        (Side::Kitchen, "cancelled", Signal::KitchenRecalled(true)),
        (Side::Kitchen, "cancel-refused", Signal::KitchenRecalled(false)),
        (Side::Courier, "accepted", Signal::Courier(CourierState::Accepted)),
        (Side::Courier, "picked-up", Signal::Courier(CourierState::PickedUp)),
        (Side::Courier, "delivered", Signal::Courier(CourierState::Delivered)),
        (Side::Courier, "failed", Signal::Courier(CourierState::Failed)),
        (Side::Courier, "cancelled", Signal::CourierRecalled(true)),
        (Side::Courier, "cancel-refused", Signal::CourierRecalled(false)),
    ]
};

fn is_id(text: &str, longest: usize, also: &str) -> bool {
    let allowed =
        |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter) || also.contains(letter);
    !text.is_empty() && text.len() <= longest && text.chars().all(allowed)
}

/// A reason that is safe to show: one line, no control characters, none that turn text round.
fn plain(reason: &str) -> String {
    let hidden = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let kept: String = reason.chars().filter(|letter| !hidden(*letter)).take(MAX_REASON).collect();
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests;
