//! Topics: bounded by construction, one function for each.
//!
//! AWS IoT closes the connection of a client that names a topic of more than seven slashes or 256 bytes.
//! Source: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>.
//!
//! | level | bytes at most | why |
//! | --- | --- | --- |
//! | prefix | 22 | the bound of `devices.topicPrefix` |
//! | installation | 32 | the bound of `installation` |
//! | tenant | 63 | that of a namespace |
//! | store | 40 | the bound of `store` |
//! | order id | 40 | the bound of `orderId` |
//! | device | 36 | a UUID |
//!
//! With `couriers`, `assigned` and seven slashes that makes 256. A name that fits is its own level. Any other becomes a
//! readable prefix and a hash, so that what an earlier release accepted still has a topic.

use comanda_saga::Record;
use sha2::{Digest as _, Sha256};

use super::{Side, Verb};

/// Longest name of a device, in bytes. It is the MQTT client id and the name of the IoT thing.
pub const MAX_DEVICE: usize = 36;

const PREFIX: Bound = Bound { bytes: 22, also: "-_", mark: '~' };
const INSTALLATION: Bound = Bound { bytes: 32, also: "-", mark: '_' };
const TENANT: Bound = Bound { bytes: 63, also: "-", mark: '_' };
const STORE: Bound = Bound { bytes: 40, also: "-", mark: '_' };
const ORDER: Bound = Bound { bytes: 40, also: "-", mark: '_' };
const DEVICE: Bound = Bound { bytes: MAX_DEVICE, also: "-_:", mark: '~' };
/// AWS IoT's limit on client ids, and on names of things, with which the id is compared.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/iot-core.html#message-broker-limits>.
const CLUSTER: Bound = Bound { bytes: 128, also: "-", mark: '_' };
/// Hexadecimal digits of the hash: 64 bits.
const HASH: usize = 16;

/// What a level may be.
#[derive(Clone, Copy)]
struct Bound {
    bytes: usize,
    /// The characters beside ASCII letters and digits.
    also: &'static str,
    /// Comes before the hash. It is none of the characters above, so a hashed name is never another's plain one.
    mark: char,
}

impl Bound {
    fn has(self, letter: char) -> bool {
        letter.is_ascii_alphanumeric() || self.also.contains(letter)
    }

    fn fits(self, name: &str) -> bool {
        !name.is_empty() && name.len() <= self.bytes && name.chars().all(|letter| self.has(letter))
    }

    fn of(self, name: &str) -> String {
        if self.fits(name) { name.to_owned() } else { self.hashed(name) }
    }

    fn hashed(self, name: &str) -> String {
        let readable = self.bytes - HASH - 1;
        let readable: String = name.chars().filter(|letter| self.has(*letter)).take(readable).collect();
        let digest = Sha256::digest(name.as_bytes());
        let head = digest.iter().take(HASH / 2).fold(0_u64, |head, byte| head << 8 | u64::from(*byte));
        format!("{readable}{}{head:0HASH$x}", self.mark)
    }

    /// Whether a level that somebody else wrote is one that this bound makes.
    fn admits(self, level: &str) -> bool {
        let letter = |letter: char| self.has(letter) || letter == self.mark;
        !level.is_empty() && level.len() <= self.bytes && level.chars().all(letter)
    }
}

/// The client id of an operator: `comanda:<installation>:<prefix>:<cluster>`, at most 128 bytes. A broker keeps one
/// connection an id, so the same class in two clusters, or two installations, must have two.
pub fn client_id(installation: &str, prefix: &str, cluster: &str) -> String {
    let (installation, prefix) = (INSTALLATION.of(installation), PREFIX.of(prefix));
    let before = format!("comanda:{installation}:{prefix}:").replace('~', "_");
    let cluster = Bound { bytes: CLUSTER.bytes - before.len(), ..CLUSTER }.of(cluster);
    before + &cluster
}

/// What the topics of an order's store begin with.
fn store(record: &Record) -> String {
    let (identity, prefix) = (&record.identity, &record.class.devices.topic_prefix);
    format!(
        "{}/{}/{}/{}",
        PREFIX.of(prefix),
        INSTALLATION.of(&identity.installation),
        TENANT.of(&identity.tenant),
        STORE.of(&record.terms.store)
    )
}

fn order(record: &Record, side: Side) -> String {
    format!("{}/{}/{}", store(record), side.level(), ORDER.of(&record.identity.order_id))
}

/// The topic that tells one side about one order.
pub fn command_topic(record: &Record, side: Side, verb: Verb) -> String {
    format!("{}/{}", order(record, side), verb.level())
}

/// The topic that tells one courier that the order is theirs, with address, name and telephone number.
pub fn assigned_topic(record: &Record, device: &str) -> String {
    format!("{}/assigned/{}", order(record, Side::Courier), DEVICE.of(device))
}

/// The topic that tells every courier of the store who has the order, so that the others stand down.
pub fn taken_topic(record: &Record) -> String {
    format!("{}/taken", order(record, Side::Courier))
}

/// The topic on which a device speaks of an order.
pub fn event_topic(record: &Record, side: Side, device: &str) -> String {
    format!("{}/events/{}", order(record, side), DEVICE.of(device))
}

/// The topic on which a courier says where they are. The operator does not subscribe to it.
pub fn positions_topic(record: &Record, device: &str) -> String {
    format!("{}/positions/{}", store(record), DEVICE.of(device))
}

/// The filters under which the events of every tenant and store of an installation arrive.
pub fn event_filters(prefix: &str, installation: &str) -> Vec<String> {
    let (prefix, installation) = (PREFIX.of(prefix), INSTALLATION.of(installation));
    [Side::Kitchen, Side::Courier]
        .map(|side| format!("{prefix}/{installation}/+/+/{}/+/events/+", side.level()))
        .to_vec()
}

/// The levels of tenant and order under which an IoT rule keeps what is said of an order.
pub(crate) fn kept_levels(record: &Record) -> [String; 3] {
    let identity = &record.identity;
    [INSTALLATION.of(&identity.installation), TENANT.of(&identity.tenant), ORDER.of(&identity.order_id)]
}

/// Which order an event speaks of, and who speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventTopic {
    /// The level of the order's installation.
    pub installation: String,
    /// The level of the order's tenant.
    pub tenant: String,
    /// The level of the store whose device speaks. It has to be the order's: see [`EventTopic::is_of`].
    pub store: String,
    /// Kitchen or courier.
    pub side: Side,
    /// The level of the order's id.
    pub order_id: String,
    /// The device that speaks: its IoT policy lets it publish on topics that end with its own name only.
    pub device: String,
}

impl EventTopic {
    /// Reads a topic under `prefix`; none for a topic that carries no events, or is longer than any of ours.
    pub fn parse(prefix: &str, topic: &str) -> Option<Self> {
        let levels: Vec<&str> =
            topic.strip_prefix(&PREFIX.of(prefix))?.strip_prefix('/')?.split('/').collect();
        let [installation, tenant, store, level, order_id, "events", device] = levels[..] else {
            return None;
        };
        let side = Side::of_level(level)?;
        let bounded = INSTALLATION.admits(installation)
            && TENANT.admits(tenant)
            && STORE.admits(store)
            && ORDER.admits(order_id)
            && DEVICE.admits(device);
        bounded.then(|| Self {
            installation: installation.to_owned(),
            tenant: tenant.to_owned(),
            store: store.to_owned(),
            side,
            order_id: order_id.to_owned(),
            device: device.to_owned(),
        })
    }

    /// Whether the event may speak of this order: a device of another store may not.
    pub fn is_of(&self, record: &Record) -> bool {
        [&self.installation, &self.tenant, &self.order_id] == kept_levels(record).each_ref()
            && self.is_of_store(&record.terms.store)
    }

    /// Whether a device of this store speaks.
    pub fn is_of_store(&self, store: &str) -> bool {
        is_store_level(&self.store, store)
    }

    /// Whether the topic is of this installation.
    pub fn is_of_installation(&self, installation: &str) -> bool {
        self.installation == INSTALLATION.of(installation)
    }
}

/// Whether a level names a device as topics do.
pub(crate) fn is_device(level: &str) -> bool {
    DEVICE.admits(level)
}

/// Whether a level is that of a store.
pub(crate) fn is_store_level(level: &str, store: &str) -> bool {
    level == STORE.of(store)
}
