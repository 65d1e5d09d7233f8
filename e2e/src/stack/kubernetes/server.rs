//! The command lines of etcd and kube-apiserver, and how to see that they serve.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use kube::Client;

use super::certificates::Certificates;
use crate::stack::port::free_port;
use crate::stack::process::Process;
use crate::stack::tools::Tools;

/// The audit log's name in the directory of the control plane.
pub(super) const AUDIT_LOG: &str = "audit.jsonl";

/// Cold caches and two busy cores included.
const PATIENCE: Duration = Duration::from_mins(1);

/// How both servers are started, the first time and again: at the same ports, with the same keys.
pub(super) struct Launch {
    tools: Tools,
    dir: PathBuf,
    certificates: Certificates,
    /// The URLs of etcd, for its clients and for its peers.
    etcd: [String; 2],
    port: u16,
}

impl Launch {
    /// Chooses the ports.
    pub(super) fn new(tools: &Tools, dir: &Path, certificates: Certificates) -> Result<Self> {
        let etcd = [free_port()?, free_port()?].map(|port| format!("http://127.0.0.1:{port}"));
        let (tools, dir, port) = (tools.clone(), dir.to_owned(), free_port()?);
        Ok(Self { tools, dir, certificates, etcd, port })
    }

    /// The URL of the API server.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Starts etcd with its data in the directory `data`.
    pub(super) async fn etcd(&self, data: &str) -> Result<Process> {
        let [client, peer] = &self.etcd;
        let mut command = Command::new(&self.tools.etcd);
        command.arg("--data-dir").arg(self.dir.join(data));
        command.args(["--listen-client-urls", client, "--advertise-client-urls", client]);
        command.args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        // The data is worth nothing after the run, so nothing waits for the disk.
        command.args(["--unsafe-no-fsync", "--log-level", "warn"]);
        let mut etcd = Process::spawn("etcd", command, &self.dir.join("etcd.log"))?;

        let health = format!("{client}/health");
        etcd.ready("a healthy answer", PATIENCE, async || {
            let answer = reqwest::get(&health).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await?;
        Ok(etcd)
    }

    /// Starts kube-apiserver. It serves some seconds later.
    pub(super) fn apiserver(&self) -> Result<Process> {
        let (dir, certificates) = (&self.dir, &self.certificates);
        let policy = dir.join("audit-policy.yaml");
        fs::write(&policy, include_str!("audit.yaml"))?;

        let mut command = Command::new(&self.tools.kube_apiserver);
        let mut flag = |name: &str, value: &str| {
            command.arg(format!("--{name}={value}"));
        };
        flag("etcd-servers", &self.etcd[0]);
        flag("bind-address", "127.0.0.1");
        flag("advertise-address", "127.0.0.1");
        flag("secure-port", &self.port.to_string());
        flag("service-cluster-ip-range", "10.96.0.0/24");
        flag("authorization-mode", "RBAC");
        flag("client-ca-file", &certificates.ca.to_string_lossy());
        flag("tls-cert-file", &certificates.serving_cert.to_string_lossy());
        flag("tls-private-key-file", &certificates.serving_key.to_string_lossy());
        flag("service-account-issuer", "https://kubernetes.default.svc");
        flag("service-account-signing-key-file", &certificates.service_account_key.to_string_lossy());
        flag("service-account-key-file", &certificates.service_account_public.to_string_lossy());
        flag("audit-policy-file", &policy.to_string_lossy());
        flag("audit-log-path", &dir.join(AUDIT_LOG).to_string_lossy());
        // Tests count events: each is in the file before the caller has its answer.
        flag("audit-log-mode", "blocking");
        // There is one API server on the loopback address, no node and nothing that scrapes or profiles it.
        flag("endpoint-reconciler-type", "none");
        flag("profiling", "false");
        flag("shutdown-delay-duration", "0s");
        Process::spawn("kube-apiserver", command, &dir.join("kube-apiserver.log"))
    }
}

/// Waits for `/readyz`, which covers RBAC's bootstrap roles.
pub(super) async fn wait_until_ready(apiserver: &mut Process, client: &Client) -> Result<()> {
    apiserver
        .ready("/readyz", PATIENCE, async || {
            let request = http::Request::get("/readyz").body(Vec::new()).ok()?;
            client.request_text(request).await.ok().map(drop)
        })
        .await
}
