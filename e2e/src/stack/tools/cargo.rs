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

/// What a program is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As users have it.
    Plain,
    /// With faults at named boundaries.
    Faults,
}

/// Builds `comanda-operator` and returns its path. Cargo's progress goes to stderr.
///
/// # Errors
/// When the build fails or names no executable.
pub async fn operator_binary(profile: Profile, built_for: Build) -> Result<PathBuf> {
    let features = match built_for {
        Build::Plain => None,
        Build::Faults => Some("comanda-operator/faults"),
    };
    tokio::task::spawn_blocking(move || build("comanda-operator", profile, features)).await?
}

/// Builds the program of the functions, `bootstrap`, and returns its path.
///
/// # Errors
/// As [`operator_binary`].
pub async fn functions_binary(profile: Profile, built_for: Build) -> Result<PathBuf> {
    let features = match built_for {
        Build::Plain => None,
        Build::Faults => Some("comanda-lambdas/faults"),
    };
    tokio::task::spawn_blocking(move || build("bootstrap", profile, features)).await?
}

fn build(binary: &str, profile: Profile, features: Option<&str>) -> Result<PathBuf> {
    // At run time `$CARGO` names the cargo that runs us; started directly, the one we were built by.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    // What `cargo run` tells this program about its own package would make build scripts that look at such
    // variables run anew each time.
    for (name, _) in std::env::vars_os() {
        let told = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"]
            .iter()
            .any(|part| told.starts_with(part))
        {
            command.env_remove(name);
        }
    }
    // From the workspace's root and without --package: features are then unified over all members, as in
    // `cargo demo` and `cargo test --workspace`, and no dependency is built twice.
    command.current_dir(crate::package().join(".."));
    command.args(["build", "--bin", binary, "--message-format=json-render-diagnostics"]);
    if let Some(features) = features {
        command.args(["--features", features]);
    }
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
