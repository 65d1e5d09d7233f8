//! The journal of a record: one entry an effect, its intent and then its outcome.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::{Effect, Kind};
use crate::record::Record;

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

impl Record {
    /// How an effect stands; none when it was never intended.
    pub fn state(&self, effect: Effect) -> Option<EntryState> {
        self.journal.get(&effect).map(|entry| entry.state)
    }

    /// True when the effect happened.
    pub fn is_done(&self, effect: Effect) -> bool {
        self.state(effect) == Some(EntryState::Done)
    }

    /// True when the effect happened or may have happened.
    pub fn may_have_happened(&self, effect: Effect) -> bool {
        matches!(self.state(effect), Some(EntryState::Done | EntryState::Intended))
    }

    /// Takes the intent for an effect: the next write records it, before the call is made.
    pub fn intend(&mut self, effect: Effect, now: Timestamp) {
        let entry = self.journal.entry(effect).or_insert_with(|| Entry {
            state: EntryState::Intended,
            attempt: 1,
            key: self.identity.key(effect, 1),
            tries: 0,
            failures: 0,
            seq: (effect.row().kind == Kind::Command).then(|| {
                self.seq += 1;
                self.seq
            }),
            started_at: now,
            intended_at: now,
            finished_at: None,
            message: None,
        });
        entry.state = EntryState::Intended;
        entry.tries += 1;
        entry.intended_at = now;
        entry.finished_at = None;
    }

    /// Starts a new attempt, with a key of its own, at an effect whose earlier attempt is proved to
    /// have done nothing.
    pub fn next_attempt(&mut self, effect: Effect) {
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.attempt += 1;
            entry.key = self.identity.key(effect, entry.attempt);
            entry.state = EntryState::NotDone;
        }
    }

    /// Writes an outcome down. An effect that needs no call, such as a reservation, gets its entry here.
    pub fn settle(
        &mut self,
        effect: Effect,
        state: EntryState,
        message: impl Into<Option<String>>,
        now: Timestamp,
    ) {
        if !self.journal.contains_key(&effect) {
            self.intend(effect, now);
        }
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.state = state;
            entry.finished_at = Some(now);
            entry.message = message.into();
        }
    }

    /// Settles an effect whose outcome is not known yet.
    pub(crate) fn settle_open(&mut self, effect: Effect, now: Timestamp, state: EntryState) {
        if self.state(effect) != Some(EntryState::Intended) || state == EntryState::Intended {
            return;
        }
        // What went wrong on the way to a success is no longer news.
        let message = self.journal[&effect].message.clone().filter(|_| state != EntryState::Done);
        self.settle(effect, state, message, now);
        if state == EntryState::NotDone {
            // Proved not to have happened: the next try needs a key of its own, because the provider
            // replays what it stored under this one, errors included. Should the old call still arrive,
            // the state of the payment refuses it, or the new one.
            self.next_attempt(effect);
        }
    }
}
