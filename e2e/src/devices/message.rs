//! Topics and payloads, as the operator and the devices agreed on them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The order a message is about, taken from its topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    pub installation: String,
    pub tenant: String,
    pub store: String,
    /// `kitchen` or `couriers`.
    pub kind: String,
    pub id: String,
}

/// An order, the level after it, which is a command's name, `assigned` or `events`, and the device after those two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub order: Order,
    pub verb: String,
    pub device: Option<String>,
}

impl Topic {
    /// Takes `<prefix>/<installation>/<tenant>/<store>/<kind>/<id>/<verb>[/<device>]` apart.
    pub(super) fn parse(prefix: &str, topic: &str) -> Option<Self> {
        let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
        let levels: Vec<&str> = rest.split('/').collect();
        let ([installation, tenant, store, kind, id, verb], device) = match levels[..] {
            [installation, tenant, store, kind, id, verb] => {
                ([installation, tenant, store, kind, id, verb], None)
            }
            [installation, tenant, store, kind, id, verb, device] => {
                ([installation, tenant, store, kind, id, verb], Some(device.to_owned()))
            }
            _ => return None,
        };
        let [installation, tenant, store, kind, id, verb] =
            [installation, tenant, store, kind, id, verb].map(str::to_owned);
        Some(Self { order: Order { installation, tenant, store, kind, id }, verb, device })
    }
}

impl Order {
    /// The topic on which a device speaks of it.
    pub(super) fn events(&self, prefix: &str, device: &str) -> String {
        format!("{}/{}/{}/events/{device}", self.store_topic(prefix), self.kind, self.id)
    }

    /// The topic on which a courier says where they are.
    pub(super) fn positions(&self, prefix: &str, device: &str) -> String {
        format!("{}/positions/{device}", self.store_topic(prefix))
    }

    fn store_topic(&self, prefix: &str) -> String {
        format!("{prefix}/{}/{}/{}", self.installation, self.tenant, self.store)
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
    /// With `taken` only: who has the order.
    #[serde(default)]
    pub device: Option<String>,
}

/// An event, as it is published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "eventId")]
    pub id: String,
    #[serde(rename = "event")]
    pub name: String,
    /// The sequence number of the command this answers.
    pub seq: u64,
    /// The topic says who speaks; a device need not say it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_names_its_order_and_the_device_it_ends_with() {
        let topic = Topic::parse("acme", "acme/local/shop/centro/kitchen/o-1/prepare").unwrap();
        assert_eq!((topic.order.tenant.as_str(), topic.order.store.as_str()), ("shop", "centro"));
        assert_eq!((topic.order.id.as_str(), topic.verb.as_str()), ("o-1", "prepare"));
        assert_eq!((topic.verb.as_str(), topic.device), ("prepare", None));
        assert_eq!(topic.order.events("acme", "t-1"), "acme/local/shop/centro/kitchen/o-1/events/t-1");
        let topic = Topic::parse("acme", "acme/local/shop/centro/couriers/o-1/assigned/bike-1").unwrap();
        assert_eq!((topic.verb.as_str(), topic.device.as_deref()), ("assigned", Some("bike-1")));
        assert_eq!(topic.order.positions("acme", "bike-1"), "acme/local/shop/centro/positions/bike-1");
        assert_eq!(Topic::parse("acme", "acme/local/shop/centro/kitchen/o-1"), None);
    }
}
