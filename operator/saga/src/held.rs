//! An order in the hands of whoever carries it.

use jiff::Timestamp;

use crate::device::DeviceEvent;
use crate::record::Record;

/// A record in somebody's hands.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The record as the ledger has it.
    pub saved: &'a Record,
    /// The record with the outcomes that are not written yet.
    pub record: &'a Record,
    /// When the payment provider last answered whoever holds this; none when it has to be asked again.
    pub payment_seen_at: Option<Timestamp>,
    /// The same of the payment's refunds.
    pub refunds_seen_at: Option<Timestamp>,
    /// When the execution that carries the order was last looked at, and was running; none when it was not.
    pub execution_seen_at: Option<Timestamp>,
    /// The execution of which somebody says that it ended before its order: it is looked at.
    pub execution_doubted: Option<&'a str>,
    /// What devices said of the order, as it came in.
    pub events: &'a [DeviceEvent],
    /// When all that devices said was last read.
    pub events_read_at: Option<Timestamp>,
    /// That was just now: the ledger still has what is saved.
    pub is_fresh: bool,
    /// The command that whoever holds this sent last.
    pub sent: Option<Sent>,
}

/// A command that was sent, and that the broker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Its sequence number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
}
