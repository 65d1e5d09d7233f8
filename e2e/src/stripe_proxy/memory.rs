//! What the proxy remembers beside localstripe.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::cards::Refunds;
use super::shape::{self, Notes};

/// Notes by intent, refunds that take their time, and whose turn it is.
#[derive(Debug)]
pub struct Memory {
    intents: Mutex<HashMap<String, Remembered>>,
    refunds: Mutex<HashMap<String, (Refunds, Instant)>>,
    settles_after: Duration,
    /// No bank says anything at present.
    banks_silent: AtomicBool,
}

#[derive(Debug, Default)]
struct Remembered {
    account: String,
    notes: Notes,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Memory {
    /// Refunds of cards made for it settle `settles_after` their creation.
    pub fn new(settles_after: Duration) -> Self {
        Self {
            intents: Mutex::default(),
            refunds: Mutex::default(),
            settles_after,
            banks_silent: AtomicBool::default(),
        }
    }

    /// Refunds that take their time stay pending for as long as banks are silent.
    pub fn silence_banks(&self, silent: bool) {
        self.banks_silent.store(silent, Ordering::Relaxed);
    }

    /// Waits until no other call is on this intent.
    pub async fn turn(&self, intent: &str) -> OwnedMutexGuard<()> {
        let turn = Arc::clone(&locked(&self.intents).entry(intent.to_owned()).or_default().turn);
        turn.lock_owned().await
    }

    /// What is remembered of an intent.
    pub fn notes(&self, intent: &str) -> Notes {
        locked(&self.intents).get(intent).map(|remembered| remembered.notes.clone()).unwrap_or_default()
    }

    /// The `Authorization` an intent was made with.
    pub fn account(&self, intent: &str) -> Option<String> {
        let intents = locked(&self.intents);
        intents.get(intent).map(|remembered| remembered.account.clone()).filter(|account| !account.is_empty())
    }

    /// Remembers notes in place of the earlier ones.
    pub fn set_notes(&self, intent: &str, account: &str, notes: Notes) {
        let mut intents = locked(&self.intents);
        let remembered = intents.entry(intent.to_owned()).or_default();
        account.clone_into(&mut remembered.account);
        remembered.notes = notes;
    }

    /// Remembers a refund that begins now.
    pub fn remember_refund(&self, refund: &str, refunds: Refunds) {
        if refunds != Refunds::Succeed {
            locked(&self.refunds).insert(refund.to_owned(), (refunds, Instant::now()));
        }
    }

    /// A refund as Stripe would show it by now.
    pub fn settle(&self, raw: Value) -> Value {
        let known = locked(&self.refunds).get(raw["id"].as_str().unwrap_or_default()).copied();
        let (refunds, age) =
            known.map_or((Refunds::Succeed, Duration::ZERO), |(refunds, begun)| (refunds, begun.elapsed()));
        if self.notes(raw["payment_intent"].as_str().unwrap_or_default()).returned {
            return shape::refund(raw, Refunds::Fail, true);
        }
        let settled = age >= self.settles_after && !self.banks_silent.load(Ordering::Relaxed);
        shape::refund(raw, refunds, settled)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
