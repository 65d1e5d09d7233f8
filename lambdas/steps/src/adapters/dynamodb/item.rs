//! How an order, its contact and its events look as items of one table.
//!
//! | `pk` | `sk` | attributes |
//! | --- | --- | --- |
//! | `ORDER#<identity>` | `ORDER` | `v`, `epoch`, `owner` (uid; absent: free to claim), `record`, and the projection |
//! | same | `CONTACT` | `sealed`, `expires` |
//! | same | `SENT` | `caller`, `spec` (JSON), `at`, `cancel`: the order as it came over HTTP, without its customer |
//! | same | `WAIT#<execution>` | `step`, `token`, `expires`: how to end the execution's wait |
//! | same | `EVENT#<kitchen or couriers>#<device>#<seq>#<word>` | `side`, what the device said, `at`, `expires` |
//! | `SAID#<installation>/<tenant>/<order>` | `<kitchen or couriers>#<device>#<time>#<uuid>` | what a device said, kept by an IoT rule: `store`, `payload` (base64), `at`, `expires` |
//!
//! What an earlier release kept under `EVENT#<orders or couriers>#<device>#<event id>` is read as well.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use comanda_saga::record::FORMAT;
use comanda_saga::{DeviceEvent, Identity, Record};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::devices::{self, Side, WireEvent};
use crate::ports::{LedgerError, Waiting};
use crate::projection::{self, Projection};

pub(super) type Item = HashMap<String, AttributeValue>;

/// How long contacts and events are kept. An undo comes days after the claim at most.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) const ORDER: &str = "ORDER";
pub(super) const CONTACT: &str = "CONTACT";
const EVENT_PREFIX: &str = "EVENT#";

#[derive(Serialize, Deserialize)]
struct OrderItem {
    v: u64,
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    record: Record,
}

#[derive(Serialize, Deserialize)]
struct EventItem {
    side: Side,
    at: Timestamp,
    expires: i64,
    #[serde(flatten)]
    event: WireEvent,
}

/// A message as an IoT rule keeps it, whatever is in it.
#[derive(Serialize, Deserialize)]
pub struct Said {
    pk: String,
    sk: String,
    /// The topic's level of the store.
    store: String,
    /// What was published, in base64: SQL cannot parse all that [`devices::read`] can.
    payload: String,
    /// The `timestamp()` of the rule: milliseconds since 1970.
    at: i64,
    /// Seconds since 1970, as the rule has them.
    #[serde(default)]
    expires: serde_json::Value,
}

impl Said {
    /// The order of which it speaks; none where its key is not that of a message. Of an order whose name is longer than a
    /// topic's level, none is found.
    pub fn identity(&self) -> Option<Identity> {
        let mut levels = self.pk.strip_prefix(SAID_PREFIX)?.split('/').map(str::to_owned);
        let [installation, tenant, order_id] = [levels.next()?, levels.next()?, levels.next()?];
        levels.next().is_none().then_some(Identity { installation, tenant, order_id })
    }
}

const SAID_PREFIX: &str = "SAID#";

/// The key of what an IoT rule keeps of an order.
pub(super) fn said_partition(record: &Record) -> String {
    format!("{SAID_PREFIX}{}", devices::kept_levels(record).join("/"))
}

pub(super) fn partition(identity: &Identity) -> String {
    format!("ORDER#{identity}")
}

pub(super) fn key(identity: &Identity, sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(partition(identity))), ("sk".to_owned(), text(sk))])
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn order(record: &Record, now: Timestamp) -> Result<Item, LedgerError> {
    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(flatten)]
        projection: Projection,
        v: u64,
        epoch: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<&'a str>,
        record: &'a Record,
    }
    let written = Written {
        projection: projection::of(record, now),
        v: record.version,
        epoch: record.epoch,
        owner: record.owner.as_ref().map(|owner| owner.uid.as_str()),
        record,
    };
    encode(&record.identity, ORDER, written)
}

pub(super) fn read_order(identity: &Identity, item: Item) -> Result<Record, LedgerError> {
    // Before anything else is read: what a later format means cannot be known.
    if let Some(format) = format_of(&item).filter(|format| *format > u64::from(FORMAT)) {
        let why = format!(
            "its record has format {format}, and this release reads up to {FORMAT}: use the later release"
        );
        return Err(corrupt(identity, &why));
    }
    let order: OrderItem =
        serde_dynamo::from_item(item).map_err(|error| corrupt(identity, &error.to_string()))?;
    if order.record.identity != *identity || order.record.version != order.v {
        return Err(corrupt(identity, "key, version and record do not belong together"));
    }
    Ok(order.record)
}

fn format_of(item: &Item) -> Option<u64> {
    item.get("record")?.as_m().ok()?.get("format")?.as_n().ok()?.parse().ok()
}

pub(super) fn contact(identity: &Identity, sealed: Vec<u8>, at: Timestamp) -> Item {
    let mut item = key(identity, CONTACT);
    item.insert("sealed".to_owned(), AttributeValue::B(sealed.into()));
    item.insert("expires".to_owned(), number(expiry(at)));
    item
}

pub(super) fn event(identity: &Identity, event: &DeviceEvent) -> Result<Item, LedgerError> {
    let (side, wire) =
        WireEvent::of(event).ok_or_else(|| corrupt(identity, "an event without a word for it"))?;
    // What changes nothing has the key of what it repeats, whatever id it has.
    let sk = format!("{EVENT_PREFIX}{}#{}#{}#{}", side.level(), event.device, event.seq, wire.word());
    encode(identity, &sk, EventItem { side, at: event.at, expires: expiry(event.at), event: wire })
}

/// The sort key of an execution's wait. Each execution has its own, so that none ends another's.
pub(super) fn wait_key(execution: &str) -> String {
    format!("WAIT#{execution}")
}

pub(super) fn waiting(identity: &Identity, waiting: &Waiting, now: Timestamp) -> Result<Item, LedgerError> {
    #[derive(Serialize)]
    struct Written<'a> {
        #[serde(flatten)]
        waiting: &'a Waiting,
        expires: i64,
    }
    let written = Written { waiting, expires: expiry(now) };
    encode(identity, &wait_key(&waiting.execution), written)
}

pub(super) fn read_waiting(identity: &Identity, item: Item) -> Result<Waiting, LedgerError> {
    serde_dynamo::from_item(item).map_err(|error| corrupt(identity, &error.to_string()))
}

/// Whether a sort key is an event's.
pub(super) fn is_event(sk: &str) -> bool {
    sk.starts_with(EVENT_PREFIX)
}

/// An event; none when it cannot be read. An IoT rule writes what devices say as it comes, and a
/// hostile device must not be able to stop an order.
pub(super) fn read_event(identity: &Identity, item: Item) -> Option<DeviceEvent> {
    let stored: Option<EventItem> = serde_dynamo::from_item(item).ok();
    let event = stored.and_then(|stored| stored.event.check(stored.side, stored.at).ok().flatten());
    if event.is_none() {
        tracing::warn!(order = %identity, "left out an event that cannot be read");
    }
    event
}

/// What a device of the order's store said, as an IoT rule kept it; none when it cannot be read, says nothing that
/// counts, or answers no command of the order.
pub(super) fn read_said(record: &Record, item: Item) -> Option<DeviceEvent> {
    let said: Said = serde_dynamo::from_item(item).ok()?;
    let mut key = said.sk.split('#');
    let (level, device) = (key.next()?, key.next()?);
    let side = Side::of_level(level)?;
    if !devices::is_device(device) || !devices::is_store_level(&said.store, &record.terms.store) {
        return None;
    }
    let at = Timestamp::from_millisecond(said.at).ok()?;
    let payload = BASE64.decode(said.payload).ok()?;
    devices::read(side, device, &payload, at).ok().flatten().filter(|event| event.seq <= record.seq)
}

pub(super) fn encode(identity: &Identity, sk: &str, attributes: impl Serialize) -> Result<Item, LedgerError> {
    let mut item: Item =
        serde_dynamo::to_item(attributes).map_err(|error| corrupt(identity, &error.to_string()))?;
    item.extend(key(identity, sk));
    Ok(item)
}

fn expiry(from: Timestamp) -> i64 {
    from.checked_add(KEPT).unwrap_or(Timestamp::MAX).as_second()
}

pub(super) fn corrupt(identity: &Identity, why: &str) -> LedgerError {
    LedgerError::Corrupt(format!("{identity}: {why}"))
}

#[cfg(test)]
mod tests {
    use comanda_saga::DeviceSignal;
    use comanda_saga::KitchenState;

    use super::*;
    use crate::fixtures::{identity, now, record};

    #[test]
    fn a_record_comes_back_as_it_was_written_with_its_public_attributes_beside_it() {
        let mut record = record();
        record.version = 7;
        record.epoch = 2;
        record.intend(comanda_saga::Effect::Prepare, now()).expect("a legal move");
        record.raise(comanda_saga::Cause::KitchenTimedOut, "Nothing heard.");
        let item = order(&record, now()).expect("an item");
        assert_eq!(item["pk"], text("ORDER#bistro/shop/a-1"));
        assert_eq!(item["sk"], text("ORDER"));
        assert_eq!(item["v"], number(7));
        assert_eq!(item["epoch"], number(2));
        assert_eq!(item["owner"], text("u-1"));
        assert_eq!(item["phase"], text("Pending"));
        assert_eq!(item["total"], number(1900));
        assert_eq!(item["updated"], text("2026-03-01T12:00:00Z"));
        assert_eq!(read_order(&identity(), item), Ok(record));
    }

    #[test]
    fn a_record_without_owner_has_no_owner_attribute_and_is_free_to_claim() {
        let mut record = record();
        record.owner = None;
        let item = order(&record, now()).expect("an item");
        assert!(!item.contains_key("owner"));
        assert_eq!(read_order(&identity(), item), Ok(record));
    }

    #[test]
    fn a_record_of_a_later_format_is_refused_with_a_sentence_and_an_earlier_one_is_read() {
        let with_format = |format: Option<i64>| {
            let mut item = order(&record(), now()).expect("an item");
            let Some(AttributeValue::M(record)) = item.get_mut("record") else { panic!("a map") };
            record.remove("format");
            record.extend(format.map(|format| ("format".to_owned(), number(format))));
            read_order(&identity(), item)
        };
        assert_eq!(with_format(None).map(|record| record.format), Ok(1));
        assert_eq!(with_format(Some(3)).map(|record| record.format), Ok(3));
        assert_eq!(with_format(Some(FORMAT.into())).map(|record| record.format), Ok(FORMAT));
        let later = FORMAT + 1;
        let why = format!(
            "bistro/shop/a-1: its record has format {later}, and this release reads up to {FORMAT}: use the later release"
        );
        assert_eq!(with_format(Some(later.into())).map(drop), Err(LedgerError::Corrupt(why)));
    }

    #[test]
    fn an_item_whose_parts_do_not_belong_together_is_corrupt() {
        let mut item = order(&record(), now()).expect("an item");
        item.insert("v".to_owned(), number(9));
        assert!(matches!(read_order(&identity(), item), Err(LedgerError::Corrupt(_))));
    }

    #[test]
    fn an_event_comes_back_as_it_was_heard_and_expires_after_thirty_days() {
        let heard = DeviceEvent {
            id: "e-1".to_owned(),
            signal: DeviceSignal::Kitchen(KitchenState::Rejected),
            seq: 3,
            device: "tablet-1".to_owned(),
            reason: Some("no oven".to_owned()),
            at: now(),
        };
        let item = event(&identity(), &heard).expect("an item");
        assert_eq!(item["sk"], text("EVENT#kitchen#tablet-1#3#rejected"));
        assert_eq!(item["side"], text("kitchen"));
        assert_eq!(item["event"], text("rejected"));
        assert_eq!(item["seq"], number(3));
        // 2026-03-31T12:00:00Z
        assert_eq!(item["expires"], number(1_774_958_400_i64));
        assert_eq!(read_event(&identity(), item), Some(heard));
    }

    #[test]
    fn an_event_that_an_iot_rule_kept_is_read_as_if_it_had_been_heard() {
        let record = Record { seq: 3, ..record() };
        assert_eq!(said_partition(&record), "SAID#bistro/shop/a-1");
        let kept = |sk: &str, store: &str, payload: &str| {
            let mut item = Item::from([("sk".to_owned(), text(sk)), ("store".to_owned(), text(store))]);
            item.insert("pk".to_owned(), text(said_partition(&record)));
            item.insert("payload".to_owned(), text(BASE64.encode(payload)));
            // 2026-03-01T12:00:00Z
            item.insert("at".to_owned(), number(1_772_366_400_000_i64));
            read_said(&record, item)
        };
        let sk = "kitchen#tablet-1#1772366400000#6f1c";
        // A byte order mark and a number as text: SQL makes nothing of the one, and another type of the other.
        let payload = "\u{feff}{\"eventId\":\"e:2\",\"event\":\"ready\",\"seq\":\"3\"}";
        let event = kept(sk, "centro", payload).expect("an event");
        assert_eq!((event.at, event.seq), (now(), 3));
        assert_eq!(event.signal, DeviceSignal::Kitchen(KitchenState::Ready));
        assert_eq!((event.id.as_str(), event.device.as_str()), ("e:2", "tablet-1"));
        assert_eq!(kept(sk, "norte", payload), None, "a device of another store");
        assert_eq!(kept(sk, "centro", &payload.replace('3', "4")), None, "no command has that number");
        assert_eq!(kept(sk, "centro", "nothing"), None);
        assert_eq!(kept("garage#tablet-1#1#2", "centro", payload), None);
    }

    #[test]
    fn an_event_that_cannot_be_read_is_left_out() {
        let mut item = key(&identity(), "EVENT#x");
        item.insert("event".to_owned(), text("exploded"));
        assert_eq!(read_event(&identity(), item), None);
    }
}
