//! Secrets, from Secrets Manager.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;

use crate::failure::Failure;

/// How long a secret is used before it is read again: as long as a changed one takes to count.
const KEPT: Duration = Duration::from_mins(5);

/// The secrets that a process has read.
pub struct Secrets {
    client: Client,
    read: Mutex<HashMap<String, (Instant, String)>>,
}

impl Secrets {
    /// None is read yet.
    pub fn new(client: Client) -> Self {
        Self { client, read: Mutex::default() }
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn text(&self, arn: &str) -> Result<String, Failure> {
        let lock = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, text)) = lock().get(arn)
            && at.elapsed() < KEPT
        {
            return Ok(text.clone());
        }
        let answer = self.client.get_secret_value().secret_id(arn).send().await;
        let answer = answer.map_err(|error| {
            Failure::Transient(format!("the secret {arn}: {}", DisplayErrorContext(&error)))
        })?;
        let text = answer
            .secret_string
            .ok_or_else(|| Failure::Transient(format!("the secret {arn} is not text: store it as text")))?;
        lock().insert(arn.to_owned(), (Instant::now(), text.clone()));
        Ok(text)
    }
}
