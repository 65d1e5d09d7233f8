//! The language of kitchens and couriers: topics, commands and events. What they say is not trusted.

mod command;
mod event;
mod form;
mod room;
mod topic;

use serde::{Deserialize, Serialize};

pub use command::Verb;
pub(crate) use command::{Command, Whereabouts, send};
pub use event::{EventError, MAX_EVENT_BYTES, parse_event};
pub(crate) use event::{WireEvent, read};
pub use room::{MAX_EVENTS, Place, Room};
pub use topic::{
    EventTopic, MAX_DEVICE, assigned_topic, client_id, command_topic, event_filters, event_topic,
    positions_topic, taken_topic,
};
pub(crate) use topic::{is_device, is_store_level, kept_levels};

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
    /// The side whose level in topics it is.
    pub(crate) fn of_level(level: &str) -> Option<Self> {
        [Self::Kitchen, Self::Courier].into_iter().find(|side| side.level() == level)
    }

    /// Its level in topics.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Kitchen => "kitchen",
            Self::Courier => "couriers",
        }
    }
}

#[cfg(test)]
mod tests;
