//! How the effects of a record stand, and how they move.

use jiff::Timestamp;

use crate::effect::{Effect, Kind};
use crate::journal::{Entry, EntryState, IllegalMove, moved};
use crate::record::Record;

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
    ///
    /// # Errors
    /// When it cannot be intended as it stands; nothing is changed then.
    pub fn intend(&mut self, effect: Effect, now: Timestamp) -> Result<(), IllegalMove> {
        let state = moved(effect, self.state(effect), EntryState::Intended)?;
        // The operator names no execution while it carries the order.
        let execution = self.journal.get(&Effect::Execute).filter(|_| effect != Effect::Execute);
        let execution = execution.map(|entry| entry.attempt).filter(|_| self.execution().is_some());
        let entry = self.journal.entry(effect).or_insert_with(|| Entry {
            state,
            attempt: 1,
            key: self.identity.key(effect, 1),
            tries: 0,
            failures: 0,
            seq: None,
            execution,
            started_at: now,
            intended_at: now,
            finished_at: None,
            message: None,
        });
        if effect.row().kind == Kind::Command && entry.seq.is_none() {
            self.seq += 1;
            entry.seq = Some(self.seq);
        }
        (entry.state, entry.execution) = (state, execution);
        entry.tries += 1;
        entry.intended_at = now;
        entry.finished_at = None;
        Ok(())
    }

    /// Starts a new attempt, with a key and a sequence number of its own, at an effect whose earlier attempt is proved
    /// to have done nothing, or was taken back.
    ///
    /// # Errors
    /// When it was never intended, or cannot be tried again as it stands; nothing is changed then.
    pub fn next_attempt(&mut self, effect: Effect) -> Result<(), IllegalMove> {
        let state = moved(effect, self.state(effect), EntryState::NotDone)?;
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.attempt += 1;
            entry.key = self.identity.key(effect, entry.attempt);
            entry.seq = None;
            entry.state = state;
        }
        Ok(())
    }

    /// Writes an outcome down. An effect that needs no call, such as a reservation, gets its entry here.
    ///
    /// # Errors
    /// When it cannot come to this outcome as it stands; nothing is changed then.
    pub fn settle(
        &mut self,
        effect: Effect,
        state: EntryState,
        message: impl Into<Option<String>>,
        now: Timestamp,
    ) -> Result<(), IllegalMove> {
        let state = moved(effect, self.state(effect), state)?;
        if !self.journal.contains_key(&effect) {
            self.intend(effect, now)?;
        }
        if let Some(entry) = self.journal.get_mut(&effect) {
            entry.state = state;
            entry.finished_at = Some(now);
            entry.message = message.into();
        }
        Ok(())
    }

    /// The execution that the journal names is named no longer: it gave the order back, or, where there is a reason, ended
    /// by itself.
    ///
    /// # Errors
    /// When it was never intended; nothing is changed then.
    pub(crate) fn end_execution(&mut self, why: Option<String>, now: Timestamp) -> Result<(), IllegalMove> {
        self.next_attempt(Effect::Execute)?;
        if let Some(entry) = self.journal.get_mut(&Effect::Execute) {
            entry.failures = if why.is_some() { entry.failures + 1 } else { 0 };
            (entry.finished_at, entry.message) = (Some(now), why);
        }
        Ok(())
    }

    /// Settles an effect whose outcome is not known yet.
    pub(crate) fn settle_open(
        &mut self,
        effect: Effect,
        now: Timestamp,
        state: EntryState,
    ) -> Result<(), IllegalMove> {
        if self.state(effect) != Some(EntryState::Intended) || state == EntryState::Intended {
            return Ok(());
        }
        // What went wrong on the way to a success is no longer news.
        let message = self.journal[&effect].message.clone().filter(|_| state != EntryState::Done);
        self.settle(effect, state, message, now)?;
        if state == EntryState::NotDone {
            // Proved not to have happened: the next try needs a key of its own, because the provider
            // replays what it stored under this one, errors included. Should the old call still arrive,
            // the state of the payment refuses it, or the new one.
            self.next_attempt(effect)?;
        }
        Ok(())
    }
}
