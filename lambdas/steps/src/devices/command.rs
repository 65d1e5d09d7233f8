//! What Comanda tells a device.

use comanda_crds::Address;
use comanda_saga::{Effect, Entry, Outcome, Record};
use serde::Serialize;

use crate::intent::unknown;
use crate::ports::{Devices, Recipient};

/// What a device is told to do.
#[derive(Serialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Kitchen: prepare the food.
    Prepare,
    /// Couriers: who delivers it?
    Deliver,
    /// Courier: the order is theirs.
    Assigned,
    /// Couriers: somebody has it.
    Taken,
    /// Either: stop.
    Cancel,
}

impl Verb {
    /// Its level in topics.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Deliver => "deliver",
            Self::Assigned => "assigned",
            Self::Taken => "taken",
            Self::Cancel => "cancel",
        }
    }
}

/// A command, as the device reads it.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Command<'a> {
    #[serde(rename = "command")]
    pub(crate) verb: Verb,
    #[serde(rename = "commandId")]
    pub(crate) id: std::borrow::Cow<'a, str>,
    pub(crate) seq: u64,
    pub(crate) order_id: &'a str,
    pub(crate) items: Vec<CommandItem<'a>>,
    /// Of `cancel`: the one device that it is for, where it is for one. Of `taken`: who has the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device: Option<&'a str>,
    /// Of an offer: about where the order goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) area: Option<Whereabouts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient: Option<Recipient>,
}

#[derive(Serialize, Clone, Debug)]
pub(crate) struct CommandItem<'a> {
    sku: &'a str,
    quantity: i64,
}

/// About where an order goes, for couriers who do not have it: not who lives there.
#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Whereabouts<'a> {
    country: &'a str,
    /// The first three characters of the postal code. Three do not say who lives there: that is how far the rules for
    /// anonymous health data in the United States go.
    /// Source: <https://www.hhs.gov/hipaa/for-professionals/special-topics/de-identification/index.html> (safe harbor).
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_area: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    administrative_area: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locality: Option<&'a str>,
}

impl<'a> Whereabouts<'a> {
    pub(crate) fn of(address: &'a Address) -> Self {
        let postal_code = address
            .postal_code
            .as_deref()
            .map(|code| code.chars().filter(|letter| letter.is_alphanumeric()).take(3).collect());
        Self {
            country: &address.country,
            postal_area: postal_code,
            administrative_area: address.administrative_area.as_deref(),
            locality: address.locality.as_deref(),
        }
    }
}

impl<'a> Command<'a> {
    /// The command of a journal entry: the same entry is the same command, however often it is sent.
    pub(crate) fn new(verb: Verb, record: &'a Record, entry: &'a Entry) -> Self {
        let items = record.terms.lines.iter();
        Self {
            verb,
            id: entry.key.as_str().into(),
            seq: entry.seq.unwrap_or_default(),
            order_id: &record.identity.order_id,
            items: items.map(|line| CommandItem { sku: &line.sku, quantity: line.quantity }).collect(),
            device: None,
            area: None,
            address: None,
            recipient: None,
        }
    }

    fn payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and numbers are JSON")
    }
}

/// Sends the commands of an effect, in this order; it is sent when the broker has all of them.
pub(crate) async fn send(
    effect: Effect,
    commands: impl IntoIterator<Item = (String, Command<'_>)>,
    devices: &dyn Devices,
) -> Outcome {
    for (topic, command) in commands {
        if let Err(error) = devices.send(&topic, command.payload()).await {
            return unknown(effect, error.to_string());
        }
    }
    Outcome::Done(effect)
}
