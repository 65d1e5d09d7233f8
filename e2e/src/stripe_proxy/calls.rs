//! The record of every call: evidence for tests of what reached Stripe, and how often.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One call, as it ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// When it ended.
    pub time: Timestamp,
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
    /// The status of the answer, also of one that was dropped; absent when Stripe never saw the request.
    pub status: Option<u16>,
    /// Whether the answer is an earlier one, given again.
    pub replayed: bool,
    /// The fault that befell it.
    pub fault: Option<String>,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// The intent it was about.
    pub intent: Option<String>,
    /// The amount in the answer, in minor units.
    pub amount: Option<i64>,
    /// The status the intent (or the refund) has in the answer.
    pub object_status: Option<String>,
    /// `payment_intent`, `refund`, `list`, …
    pub object: Option<String>,
    /// The code of the error, if it is one.
    pub error_code: Option<String>,
}

/// All calls, in memory and in a file.
#[derive(Debug)]
pub struct Calls(Mutex<(Vec<Call>, File)>);

impl Calls {
    /// Appends to `log`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("opening {}", log.display()))?;
        Ok(Self(Mutex::new((Vec::new(), file))))
    }

    /// Records a call before its answer leaves, so that whoever has the answer finds the record.
    pub fn record(&self, call: Call) {
        let mut line = serde_json::to_vec(&call).expect("a call is JSON");
        line.push(b'\n');
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = calls.1.write_all(&line) {
            tracing::error!(%error, "a call could not be recorded");
        }
        calls.0.push(call);
    }

    /// Every call so far.
    pub fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}
