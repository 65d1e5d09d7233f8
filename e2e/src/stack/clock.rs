//! Another time of day for one process, by a small library that is preloaded into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The variable that says by how many seconds a process with the library preloaded is ahead.
pub const AHEAD: &str = "COMANDA_CLOCK_AHEAD";

/// Compiles the library into `dir` and returns its path, for `LD_PRELOAD`. Its compiler is the one that Rust
/// links with, so it is there.
///
/// # Errors
/// When it cannot be compiled.
pub fn library(dir: &Path) -> Result<PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    fs::write(&source, include_str!("clock.c"))?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
    let output = cc.output().context("starting cc")?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}
