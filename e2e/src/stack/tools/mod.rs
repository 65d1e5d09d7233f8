//! The programs the stack runs, found or built once into a cache.

mod cache;
mod cargo;
mod golang;
mod python;

use std::path::PathBuf;

use anyhow::Result;

pub use cargo::{Build, Profile, functions_binary, operator_binary};

use super::progress::Progress;

/// kubectl, for tests that do what the documents say; nothing else needs it. Built if it is nowhere.
///
/// # Errors
/// As [`Tools::ensure`].
pub async fn kubectl(progress: &Progress) -> Result<PathBuf> {
    golang::ensure(&golang::KUBECTL, progress).await
}

/// Where each program is.
#[derive(Clone, Debug)]
pub struct Tools {
    /// etcd 3.6 or later.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// A Python interpreter that has `ministack`, `localstripe` and the AWS CLI.
    pub python: PathBuf,
}

impl Tools {
    /// Finds every program, and builds what is missing: minutes the first time, no work later.
    ///
    /// # Errors
    /// When Go or Python is needed and missing, or a build fails; the message says what to install.
    pub async fn ensure(progress: &Progress) -> Result<Self> {
        // One after the other: each build uses every core by itself.
        let etcd = golang::ensure(&golang::ETCD, progress).await?;
        let kube_apiserver = golang::ensure(&golang::KUBE_APISERVER, progress).await?;
        let python = python::ensure(progress).await?;
        Ok(Self { etcd, kube_apiserver, python })
    }
}
