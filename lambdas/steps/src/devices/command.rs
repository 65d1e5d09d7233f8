//! What Comanda tells a device.

use comanda_crds::Address;
use comanda_saga::{Entry, Record};
use serde::Serialize;

use crate::ports::Recipient;

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
    /// Its level in topics.
    pub(crate) fn level(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Deliver => "deliver",
            Self::Cancel => "cancel",
        }
    }
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
