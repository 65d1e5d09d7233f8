//! Another time of day for one process, by a small library that is preloaded into it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// The variable that names the file with the seconds by which a process with the library preloaded is ahead.
const AHEAD: &str = "COMANDA_CLOCK_AHEAD";

/// A time of day that can be moved while processes live by it.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is `ahead` of everybody else's, with its files in `dir`.
    ///
    /// # Errors
    /// When its library cannot be compiled.
    pub fn ahead(dir: &Path, ahead: Duration) -> Result<Self> {
        let clock = Self { library: library(dir)?, file: dir.join("clock.seconds") };
        clock.set(ahead)?;
        Ok(clock)
    }

    /// Moves it, for those who live by it too.
    ///
    /// # Errors
    /// When its file cannot be written.
    pub fn set(&self, ahead: Duration) -> Result<()> {
        // In place: processes have the file mapped.
        let file = File::options().create(true).truncate(false).write(true).open(&self.file)?;
        file.write_all_at(&i64::try_from(ahead.as_secs())?.to_ne_bytes(), 0)?;
        Ok(())
    }

    /// What a process needs that is to live by it.
    pub fn variables(&self) -> [(&'static str, &OsStr); 2] {
        [("LD_PRELOAD", self.library.as_os_str()), (AHEAD, self.file.as_os_str())]
    }
}

/// Compiles the library into `dir` and returns its path, for `LD_PRELOAD`. Its compiler is the one that Rust
/// links with, so it is there.
///
/// # Errors
/// When it cannot be compiled.
fn library(dir: &Path) -> Result<PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    fs::write(&source, include_str!("clock.c"))?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source);
    let output = cc.output().context("starting cc")?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}
