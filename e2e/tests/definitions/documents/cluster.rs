//! A cluster in which orders of both kinds have the same names.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::tools;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::manifests::class;
use crate::server::{CLASSES, Server};

/// The orders that the documents name, by their files in `e2e/orders`.
const ORDERS: [(&str, &str); 3] = [
    ("madrid-dinner", "01-madrid-dinner.yaml"),
    ("kitchen-rejects", "08-kitchen-rejects.yaml"),
    ("kitchen-silent", "09-kitchen-silent.yaml"),
];
/// Where they are: the demo's namespace, and the one that commands mean that name none.
const NAMESPACES: [&str; 2] = ["demo", "default"];
/// What the commands of the documents read beside the repository's files.
const FILES: [&str; 4] = ["stripe-secret-key.txt", "tls.crt", "tls.key", "ca.crt"];
const OURS: &str = "comanda.dev/v1alpha1";
const THEIRS: &str = "acme.cert-manager.io/v1";
/// Longest that a command may take, in seconds: none of them has to wait for anything.
const LONGEST: &str = "60";

fn orders(group: &str, namespace: &str) -> String {
    format!("/apis/{group}/namespaces/{namespace}/orders")
}

/// What came of a command.
pub(super) struct Ran {
    pub(super) succeeded: bool,
    /// Standard output and error.
    pub(super) said: String,
    /// The verbs of the requests for our orders that were granted.
    pub(super) ours: Vec<String>,
    /// It asked for an order of cert-manager, or changed one.
    pub(super) theirs: bool,
}

/// The API server, with cert-manager's kind beside ours.
pub(super) struct Shared<'a> {
    server: &'a Server,
    kubectl: PathBuf,
    /// Where commands run, and their home.
    directory: TempDir,
}

impl<'a> Shared<'a> {
    pub(super) async fn with_cert_manager(server: &'a Server) -> Result<Self> {
        let kubectl = tools::kubectl(&Progress::stderr()).await?;
        let directory = tempfile::tempdir()?;
        for folder in ["e2e", "charts"] {
            symlink(comanda_e2e::package().join("..").join(folder), directory.path().join(folder))?;
        }
        for file in FILES {
            fs::write(directory.path().join(file), "for kubectl create secret to read")?;
        }
        let kubernetes = &server.kubernetes;
        let neighbour = comanda_e2e::package().join("tests/definitions/documents");
        kubernetes.install_definitions(&neighbour).await?;
        for namespace in ["demo", "comanda-system"] {
            kubernetes.ensure_namespace(namespace).await?;
        }
        let rules = comanda_e2e::package().join("../charts/comanda/files/rbac.yaml");
        kubernetes.apply_path(&rules, "comanda-system").await?;
        let cluster = Self { server, kubectl, directory };
        cluster.clear().await?;
        Ok(cluster)
    }

    /// Runs a command as a shell does, in a cluster where nothing was done yet.
    pub(super) async fn run(&self, text: &str) -> Result<Ran> {
        self.prepare().await?;
        let (before, theirs) = (self.asked()?.len(), self.theirs().await?);
        let output = self.shell(text).await?;
        let said = [output.stdout, output.stderr].concat();
        let asked = self.asked()?.split_off(before);
        let of =
            |group: &'static str| asked.iter().filter(move |event| event["objectRef"]["apiGroup"] == group);
        let granted =
            |event: &&Value| event["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300);
        let verb = |event: &Value| event["verb"].as_str().unwrap_or_default().to_owned();
        Ok(Ran {
            succeeded: output.status.success(),
            said: String::from_utf8_lossy(&said).into_owned(),
            ours: of("comanda.dev").filter(granted).map(verb).collect(),
            theirs: of("acme.cert-manager.io").next().is_some() || self.theirs().await? != theirs,
        })
    }

    async fn shell(&self, text: &str) -> Result<std::process::Output> {
        let tools = self.kubectl.parent().context("kubectl is in a directory")?;
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("timeout");
        shell.arg(LONGEST).args(["bash", "-c", text]).current_dir(self.directory.path());
        // What kubectl remembers of a cluster, it keeps at home.
        shell.env("HOME", self.directory.path()).env("PATH", path);
        shell.env("KUBECONFIG", self.server.kubernetes.kubeconfig());
        tokio::task::spawn_blocking(move || shell.output()).await?.context("starting bash")
    }

    /// The requests of kubectl for orders, whosever, as the API server's audit log has them.
    fn asked(&self) -> Result<Vec<Value>> {
        self.server.kubernetes.audit_events(|event| {
            let agent = event["userAgent"].as_str().unwrap_or_default();
            // A watch is answered for as long as it lasts, and counts when that begins.
            let stage = if event["verb"] == "watch" { "ResponseStarted" } else { "ResponseComplete" };
            event["objectRef"]["resource"] == "orders"
                && agent.starts_with("kubectl/")
                && event["stage"] == stage
        })
    }

    /// Every order of cert-manager.
    async fn theirs(&self) -> Result<Value> {
        Ok(self.server.get(&format!("/apis/{THEIRS}/orders")).await?.taken()?["items"].clone())
    }

    /// Orders of both kinds under every name, ours ended and waiting for a person, and the class.
    async fn prepare(&self) -> Result<()> {
        self.clear().await?;
        self.server.create(CLASSES, &class("demo")).await?.taken()?;
        for namespace in NAMESPACES {
            for (name, file) in ORDERS {
                let theirs = json!({"apiVersion": THEIRS, "kind": "Order", "metadata": {"name": name}});
                self.server.create(&orders(THEIRS, namespace), &theirs).await?.taken()?;
                let file = comanda_e2e::package().join("orders").join(file);
                self.server.kubernetes.apply_path(&file, namespace).await?;
                let status = format!("{}/{name}/status", orders(OURS, namespace));
                self.server.merge(&status, &json!({"status": ended()})).await?.taken()?;
            }
        }
        Ok(())
    }

    /// Takes out of the cluster what `prepare` and the commands put there.
    pub(super) async fn clear(&self) -> Result<()> {
        for namespace in NAMESPACES {
            for group in [OURS, THEIRS] {
                let answer = self.server.delete(&orders(group, namespace)).await?;
                ensure!(answer.code == 200, "{}", answer.text);
            }
        }
        let class = self.server.delete(&format!("{CLASSES}/demo")).await?;
        ensure!(matches!(class.code, 200 | 404), "{}", class.text);
        Ok(())
    }
}

/// A status in which every condition is there that a documented command waits for.
fn ended() -> Value {
    let condition = |kind: &str| {
        json!({
            "type": kind,
            "status": "True",
            "reason": "RefundFailed",
            "message": "The bank does not take it.",
            "lastTransitionTime": "2026-11-23T05:54:49Z",
        })
    };
    json!({
        "phase": "Failed",
        "observedGeneration": 1,
        "conditions": [condition("Finished"), condition("Stalled")],
    })
}
