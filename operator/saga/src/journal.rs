//! The journal of a record: one entry an effect, its intent and then its outcome. One match says how an entry may
//! stand after another; nothing else moves one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::EnumIter;

use crate::effect::Effect;

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
    /// The attempt of `Execute` whose execution last took the intent; none where the operator did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<u32>,
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
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter)]
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

/// A move that no entry makes: a defect, never an input error.
#[derive(thiserror::Error, Clone, Copy, Debug, PartialEq, Eq)]
#[error("the entry of {} cannot move from {from:?} to {to:?}", .effect.name())]
pub struct IllegalMove {
    /// Whose entry it is.
    pub effect: Effect,
    /// How it stood; none where there was no entry.
    pub from: Option<EntryState>,
    /// How it was said to stand.
    pub to: EntryState,
}

/// How an effect stands after a move; `from` is none where it has no entry yet.
pub fn moved(effect: Effect, from: Option<EntryState>, to: EntryState) -> Result<EntryState, IllegalMove> {
    use EntryState::{Done, Failed, Intended, NotDone, Unconfirmed};
    let legal = match from {
        // Done without a call where the write is the effect, or a payment ended by itself; failed where the write is
        // refused, as when stock is short.
        None => matches!(to, Intended | Done | Failed),
        // Intended again: the call is repeated. Unconfirmed: the broker did not take a recall before its deadline.
        Some(Intended) => matches!(to, Intended | NotDone | Done | Failed | Unconfirmed),
        // Not done again: what was just proved not to have happened is numbered anew. Failed: it is not tried again, as
        // the creation of a payment that was never confirmed.
        Some(NotDone) => matches!(to, NotDone | Intended | Failed),
        // Not done: a device is offered a command anew. Failed: a refund came back after it was made. Unconfirmed: a device
        // had a recall, and did not answer.
        Some(Done) => matches!(to, NotDone | Failed | Unconfirmed),
        // A person has a refund tried again.
        Some(Failed) => to == NotDone,
        Some(Unconfirmed) => false,
    };
    if legal { Ok(to) } else { Err(IllegalMove { effect, from, to }) }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::EntryState::{Done, Failed, Intended, NotDone, Unconfirmed};
    use super::*;

    /// Written out by hand, so that a change of the match is a change here too.
    const LEGAL: [(Option<EntryState>, &[EntryState]); 6] = [
        (None, &[Intended, Done, Failed]),
        (Some(Intended), &[Intended, NotDone, Done, Failed, Unconfirmed]),
        (Some(NotDone), &[Intended, NotDone, Failed]),
        (Some(Done), &[NotDone, Failed, Unconfirmed]),
        (Some(Failed), &[NotDone]),
        (Some(Unconfirmed), &[]),
    ];

    #[test]
    fn every_pair_of_states_is_listed_or_refused() {
        let effect = Effect::Refund;
        let all = || [None].into_iter().chain(EntryState::iter().map(Some));
        assert!(all().eq(LEGAL.map(|(from, _)| from)), "a row for each state");
        for (from, legal) in LEGAL {
            for to in EntryState::iter() {
                let expected =
                    if legal.contains(&to) { Ok(to) } else { Err(IllegalMove { effect, from, to }) };
                assert_eq!(moved(effect, from, to), expected, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn the_documented_table_has_every_move() {
        let document = include_str!("../../../ARCHITECTURE.md");
        for (from, legal) in LEGAL {
            let from = from.map_or("none".to_owned(), |from| format!("`{from:?}`"));
            let legal: Vec<String> = legal.iter().map(|to| format!("`{to:?}`")).collect();
            let to = if legal.is_empty() { "–".to_owned() } else { legal.join(", ") };
            let row = format!("| {from} | {to} |");
            assert!(document.lines().any(|line| line.starts_with(&row)), "no row {row} in ARCHITECTURE.md");
        }
    }
}
