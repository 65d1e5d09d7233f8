//! etcd, kube-apiserver and kubectl: `KUBEBUILDER_ASSETS`, `PATH`, the cache, or a build from their Go modules.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::cache;
use crate::stack::progress::Progress;

/// A program of Kubernetes.
pub(super) struct GoTool {
    /// Both the binary and the directory of its tools module.
    name: &'static str,
    package: &'static str,
    /// How a program found on `PATH` is asked for its version.
    asked: &'static [&'static str],
    /// What the answer must contain.
    wanted: &'static [&'static str],
    /// Stamped by the linker: clients refuse a server without a version.
    ldflags: &'static str,
    /// For the progress line.
    duration: &'static str,
}

const KUBERNETES_VERSION: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 \
     -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37";

pub(super) const ETCD: GoTool = GoTool {
    name: "etcd",
    package: "go.etcd.io/etcd/server/v3",
    asked: &["--version"],
    wanted: &["etcd Version: 3.6.", "etcd Version: 3.7."],
    ldflags: "-s -w",
    duration: "about 30 s on two cores, once",
};

pub(super) const KUBE_APISERVER: GoTool = GoTool {
    name: "kube-apiserver",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    asked: &["--version"],
    wanted: &["Kubernetes v1.37."],
    ldflags: KUBERNETES_VERSION,
    duration: "about 5 min on two cores, once",
};

pub(super) const KUBECTL: GoTool = GoTool {
    name: "kubectl",
    package: "k8s.io/kubernetes/cmd/kubectl",
    asked: &["version", "--client"],
    wanted: &["Client Version: v1.37."],
    ldflags: KUBERNETES_VERSION,
    duration: "about a minute on two cores, once",
};

/// The path of `tool`, built if it is nowhere.
pub(super) async fn ensure(tool: &GoTool, progress: &Progress) -> Result<PathBuf> {
    if let Some(assets) = env::var_os("KUBEBUILDER_ASSETS") {
        // Named on purpose, so its version is the user's business; Orders need Kubernetes 1.33.
        let path = PathBuf::from(assets).join(tool.name);
        if !path.is_file() {
            bail!("KUBEBUILDER_ASSETS has no {}; unset it to have one built", tool.name);
        }
        return Ok(path);
    }
    if let Some(path) = on_path(tool) {
        return Ok(path);
    }
    build(tool, progress).await
}

fn on_path(tool: &GoTool) -> Option<PathBuf> {
    let path =
        env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(tool.name)).find(|path| path.is_file())?;
    let answer = Command::new(&path).args(tool.asked).output().ok()?;
    let version = String::from_utf8_lossy(&answer.stdout).into_owned();
    tool.wanted.iter().any(|wanted| version.contains(wanted)).then_some(path)
}

async fn build(tool: &GoTool, progress: &Progress) -> Result<PathBuf> {
    let module = cache::sources().join(tool.name);
    let [go_mod, go_sum] = ["go.mod", "go.sum"].map(|file| {
        let path = module.join(file);
        fs::read(&path).with_context(|| format!("reading {}", path.display()))
    });
    let platform = [env::consts::OS, env::consts::ARCH].concat();
    let key = cache::key(&[&go_mod?, &go_sum?, tool.ldflags.as_bytes(), platform.as_bytes()]);
    let directory =
        cache::directory(tool.name, &key, async |dir| compile(tool, &module, dir, progress).await).await?;
    Ok(directory.join(tool.name))
}

async fn compile(tool: &GoTool, module: &Path, into: &Path, progress: &Progress) -> Result<()> {
    if Command::new("go").arg("version").output().is_err() {
        bail!(
            "{} is not installed, and building it needs Go: install Go (https://go.dev/dl), or name a directory that \
             has etcd, kube-apiserver and kubectl in KUBEBUILDER_ASSETS",
            tool.name
        );
    }
    let mut go = Command::new("go");
    go.arg("-C").arg(module).args(["build", "-trimpath", "-buildvcs=false", "-ldflags", tool.ldflags]);
    go.arg("-o").arg(into.join(tool.name)).arg(tool.package).env("CGO_ENABLED", "0");
    let what = format!("building {} from Go modules ({})", tool.name, tool.duration);
    cache::run(&what, go, &into.join("build.log"), progress).await
}
