//! A virtual environment with the AWS and Stripe emulators and the AWS CLI, every package pinned by hash.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache;
use crate::stack::progress::Progress;

/// The interpreter of the environment, made if it is not in the cache.
///
/// Use it as `python -m <module>`: the scripts in `bin` name the directory the environment was made in, which a rename
/// puts an end to; the interpreter itself does not.
pub(super) async fn ensure(progress: &Progress) -> Result<PathBuf> {
    let requirements = cache::sources().join("python/requirements.txt");
    let pins = fs::read(&requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let version = python_version()?;
    let key = cache::key(&[&pins, version.as_bytes(), env::consts::ARCH.as_bytes()]);
    let directory =
        cache::directory("python", &key, async |dir| install(&requirements, dir, progress).await).await?;
    Ok(directory.join("bin/python"))
}

fn python_version() -> Result<String> {
    let answer = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable, *sys.version_info[:3])"])
        .output();
    let Ok(answer) = answer else {
        bail!("the AWS and Stripe emulators need Python: install Python 3.10 or later with venv");
    };
    if !answer.status.success() {
        bail!("python3 does not work: {}", String::from_utf8_lossy(&answer.stderr));
    }
    Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}

async fn install(requirements: &Path, into: &Path, progress: &Progress) -> Result<()> {
    let log = into.join("build.log");
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(into);
    cache::run("making a Python environment", venv, &log, progress).await?;

    let mut pip = Command::new(into.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "-r",
    ]);
    pip.arg(requirements);
    cache::run(
        "installing ministack, localstripe and the AWS CLI (about a minute, once)",
        pip,
        &log,
        progress,
    )
    .await
}
