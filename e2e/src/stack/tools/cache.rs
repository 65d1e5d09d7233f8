//! The cache of built tools: directories named by what went into them, put in place by one rename.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::stack::process::Process;
use crate::stack::progress::Progress;

/// The directory of the crate's tool modules.
pub(super) fn sources() -> PathBuf {
    crate::package().join("tools")
}

/// `$COMANDA_CACHE`, else `comanda` in the user's cache directory.
pub(super) fn root() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("COMANDA_CACHE") {
        return Ok(dir.into());
    }
    let user = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let user = user.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    Ok(user.context("set COMANDA_CACHE: neither XDG_CACHE_HOME nor HOME is set")?.join("comanda"))
}

/// A short hash over everything that decides what a build gives.
pub(super) fn key(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The directory `tools/<name>-<key>` of the cache, made by `build` if it is not there.
///
/// `build` fills a directory of its own, which is then renamed, so a half-made tool is never found; a lock keeps a
/// second run from building the same thing at the same time.
pub(super) async fn directory(
    name: &str,
    key: &str,
    build: impl AsyncFnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let tools = root()?.join("tools");
    let finished = tools.join(format!("{name}-{key}"));
    if finished.exists() {
        return Ok(finished);
    }
    fs::create_dir_all(&tools).with_context(|| format!("making the cache {}", tools.display()))?;
    let lock = lock(tools.join(format!(".{name}.lock"))).await?;
    if !finished.exists() {
        let making = tempfile::Builder::new().prefix(&format!(".{name}-")).tempdir_in(&tools)?;
        build(making.path()).await?;
        // The temporary name is taken from its guard, which would remove it otherwise.
        let made = making.keep();
        fs::rename(&made, &finished).with_context(|| format!("putting {} in place", finished.display()))?;
    }
    drop(lock);
    Ok(finished)
}

async fn lock(path: PathBuf) -> Result<Flock<File>> {
    tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).append(true).open(&path)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    })
    .await?
}

/// Runs one step of a build to its end, showing how long it has taken so far.
pub(super) async fn run(what: &str, command: Command, log: &Path, progress: &Progress) -> Result<()> {
    let mut process = Process::spawn(what, command, log)?;
    let status = progress.during(what, process.wait()).await?;
    if !status.success() {
        bail!("{what} failed ({status})\n{}", process.log_tail());
    }
    Ok(())
}
