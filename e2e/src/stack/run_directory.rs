//! The directory of one run: everything the servers write.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

const PREFIX: &str = "comanda-";

/// Locked as long as the run lives.
const LOCK: &str = "run.lock";

/// The run directory, removed at the end or kept for a look at the logs.
#[derive(Debug)]
pub(super) enum RunDirectory {
    Temporary { dir: TempDir, _lock: Flock<File> },
    Kept(PathBuf),
}

impl RunDirectory {
    /// Makes the directory, and removes those of runs that were killed.
    pub(super) fn new(parent: Option<&Path>, keep: bool) -> Result<Self> {
        let parent = parent.map_or_else(env::temp_dir, Path::to_owned);
        remove_orphans(&parent);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .context("making the run directory")?;
        if keep {
            return Ok(Self::Kept(dir.keep()));
        }
        // Locked before it has its name, so that another run never finds it free.
        let unnamed = dir.path().join("run.lock.new");
        let lock = Flock::lock(File::create(&unnamed)?, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| errno)?;
        fs::rename(unnamed, dir.path().join(LOCK))?;
        Ok(Self::Temporary { dir, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary { dir, .. } => dir.path(),
            Self::Kept(path) => path,
        }
    }
}

/// A run that was killed could not remove its directory, and etcd's files are large. What cannot be removed stays.
fn remove_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_run = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // Only a run directory that is not to be kept has a lock, and only a dead one has it free.
        if let Some(file) = is_run.then(|| File::open(entry.path().join(LOCK)).ok()).flatten() {
            remove_if_dead(&entry.path(), file);
        }
    }
}

fn remove_if_dead(dir: &Path, lock: File) {
    if Flock::lock(lock, FlockArg::LockExclusiveNonblock).is_ok() {
        let _ = fs::remove_dir_all(dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_dead_run_is_removed_and_no_other() {
        let parent = tempfile::tempdir().unwrap();
        let [dead, foreign] = ["comanda-dead", "comanda-foreign"].map(|name| parent.path().join(name));
        for dir in [&dead, &foreign] {
            fs::create_dir(dir).unwrap();
        }
        File::create(dead.join(LOCK)).unwrap();
        let alive = RunDirectory::new(Some(parent.path()), false).unwrap();
        let kept = RunDirectory::new(Some(parent.path()), true).unwrap();
        assert_eq!([&dead, &foreign].map(|dir| dir.exists()), [false, true]);
        assert!(alive.path().exists() && kept.path().exists());
    }
}
