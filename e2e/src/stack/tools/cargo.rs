//! Programs of this workspace, built by the cargo that built this one.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The cargo profile to build with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// `cargo build`.
    Dev,
    /// `cargo build --release`.
    Release,
}

impl Profile {
    /// The profile this program was built with.
    pub const fn current() -> Self {
        if cfg!(debug_assertions) { Self::Dev } else { Self::Release }
    }
}

/// Builds `comanda-operator` and returns its path. Cargo's progress goes to stderr.
///
/// # Errors
/// When the build fails or names no executable.
pub async fn operator_binary(profile: Profile) -> Result<PathBuf> {
    tokio::task::spawn_blocking(move || build("comanda-operator", profile)).await?
}

fn build(binary: &str, profile: Profile) -> Result<PathBuf> {
    // At run time `$CARGO` names the cargo that runs us; started directly, the one we were built by.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    // From the workspace's root and without --package: features are then unified over all members, as in
    // `cargo demo` and `cargo test --workspace`, and no dependency is built twice.
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    command.args(["build", "--bin", binary, "--message-format=json-render-diagnostics"]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().context("starting cargo")?;
    if !output.status.success() {
        bail!("cargo build --bin {binary} failed ({})", output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == binary)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo named no executable {binary}"))
}
