//! The AWS CLI, led to the emulator.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

/// Runs commands of the AWS CLI.
#[derive(Debug)]
pub(super) struct Cli {
    /// An interpreter that has it.
    pub(super) python: PathBuf,
    /// What leads it to the emulator.
    pub(super) env: Vec<(String, String)>,
}

impl Cli {
    /// What a command answers; null when it says nothing.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub(super) async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let said = self.run(&[arguments, &["--output", "json"]].concat()).await?;
        if said.trim().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&said).with_context(|| format!("aws {} said {said}", arguments.join(" ")))
    }

    /// What a command prints.
    ///
    /// # Errors
    /// As [`Cli::json`].
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.python);
        command.args(["-m", "awscli"]).args(arguments).envs(self.env.iter().cloned());
        command.env("AWS_PAGER", "").stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context("starting the AWS CLI")?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            // Two words name the command; what follows may be a secret.
            let name = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
            let said = text(&output.stdout) + &text(&output.stderr);
            bail!("aws {name} failed ({}): {}", output.status, said.trim());
        }
        Ok(text(&output.stdout))
    }
}
