//! The journal of a record: one entry an effect, its intent and then its outcome.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One effect: intent, then outcome.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// How it stands.
    pub state: EntryState,
    /// Part of the key; rises only when the earlier attempt is proved to hold nothing.
    pub attempt: u32,
    /// The key the other side knows it by.
    pub key: String,
    /// How often the intent was taken.
    pub tries: u32,
    /// How often the call failed, or its answer was lost, in a process that lived to see it. What bounds how
    /// often something is tried: a process that dies again and again has not asked anybody yet.
    #[serde(default)]
    pub failures: u32,
    /// Device commands: the sequence number they carry.
    pub seq: Option<u64>,
    /// When the intent was first taken.
    pub started_at: Timestamp,
    /// When the intent was last taken.
    pub intended_at: Timestamp,
    /// When the outcome was known.
    pub finished_at: Option<Timestamp>,
    /// The outcome in a sentence, or the last error.
    pub message: Option<String>,
}

/// How an effect stands.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryState {
    /// The intent is written; whether the call took effect is not known.
    Intended,
    /// The other side was asked, and it did not happen: it may be intended again.
    NotDone,
    /// It happened.
    Done,
    /// It will not happen, and the order goes on without it.
    Failed,
    /// A deadline passed before the other side confirmed it.
    Unconfirmed,
}
