//! The intent a step acts on: every effect is in the journal before its step runs.

use comanda_saga::{Effect, Entry, Outcome, Record};

/// The journal's entry for an effect.
pub(crate) fn entry(record: &Record, effect: Effect) -> Result<&Entry, Outcome> {
    record.journal.get(&effect).ok_or_else(|| {
        unknown(effect, format!("{}: the ledger holds no intent for {}", record.identity, effect.name()))
    })
}

/// An effect whose outcome is not known.
pub(crate) fn unknown(effect: impl Into<Option<Effect>>, message: impl Into<String>) -> Outcome {
    Outcome::Unknown { effect: effect.into(), message: message.into() }
}
