//! What a device received and sent, for tests to read.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A file of JSON lines.
#[derive(Clone, Debug)]
pub(super) struct Journal(Arc<Mutex<File>>);

impl Journal {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self(Arc::new(Mutex::new(file.with_context(|| format!("opening {}", path.display()))?))))
    }

    /// Appends a line of this kind with the fields of `details`.
    pub(super) fn write(&self, kind: &str, details: Value) {
        let mut line = json!({ "at": Timestamp::now(), "kind": kind });
        if let (Some(line), Value::Object(details)) = (line.as_object_mut(), details) {
            line.extend(details);
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, "the device's log cannot be written");
        }
    }
}
