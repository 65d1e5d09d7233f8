//! Topics and payloads, as the operator and the devices agreed on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The order a message is about, taken from its topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    pub tenant: String,
    pub store: String,
    /// `orders` for kitchens, `couriers` for couriers.
    pub kind: String,
    pub id: String,
}

/// An order, and the last segment of the topic: a command's name, or `events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub order: Order,
    pub verb: String,
}

impl Topic {
    /// Takes `<prefix>/<tenant>/stores/<store>/<kind>/<id>/<verb>` apart.
    pub(super) fn parse(prefix: &str, topic: &str) -> Option<Self> {
        let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
        let [tenant, "stores", store, kind, id, verb] = rest.split('/').collect::<Vec<_>>()[..] else {
            return None;
        };
        let [tenant, store, kind, id, verb] = [tenant, store, kind, id, verb].map(str::to_owned);
        Some(Self { order: Order { tenant, store, kind, id }, verb })
    }
}

impl Order {
    /// The topic of its events.
    pub(super) fn events(&self, prefix: &str) -> String {
        format!("{prefix}/{}/stores/{}/{}/{}/events", self.tenant, self.store, self.kind, self.id)
    }
}

/// A command. What else is in it, the devices only log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Command {
    #[serde(rename = "command")]
    pub name: String,
    #[serde(rename = "commandId")]
    pub id: String,
    pub seq: u64,
}

/// An event, as it is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "eventId")]
    pub id: String,
    #[serde(rename = "event")]
    pub name: String,
    /// The client id of the device that says so.
    pub device: String,
    /// The sequence number of the command this answers.
    pub seq: u64,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// With `location` only: where the courier is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_its_order_also_below_a_prefix_with_slashes() {
        let topic = Topic::parse("acme/prod", "acme/prod/shop/stores/centro/orders/o-1/prepare").unwrap();
        assert_eq!((topic.order.tenant.as_str(), topic.order.store.as_str()), ("shop", "centro"));
        assert_eq!((topic.order.id.as_str(), topic.verb.as_str()), ("o-1", "prepare"));
        assert_eq!(topic.order.events("acme/prod"), "acme/prod/shop/stores/centro/orders/o-1/events");
        assert_eq!(Topic::parse("acme", "acme/prod/shop/stores/centro/orders/o-1/prepare"), None);
    }
}
