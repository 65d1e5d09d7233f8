//! Kubernetes: an etcd and a kube-apiserver, without nodes and without controllers.
//!
//! No controller manager means no garbage collection by owner and no clean-up of deleted namespaces; nothing of the
//! operator relies on either.

mod certificates;
mod kubeconfig;
mod manifests;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::Mutex;

use super::process::Process;
use super::tools::Tools;
use kubeconfig::User;
use server::Launch;

/// Longer than any run.
const TOKEN_SECONDS: i64 = 24 * 3600;

/// A running control plane.
pub struct Kubernetes {
    // Declared, and so dropped, in this order: an API server without its etcd only makes noise.
    apiserver: Mutex<Process>,
    etcd: Mutex<Process>,
    launch: Launch,
    client: Client,
    config: kube::Config,
    server: String,
    ca_pem: String,
    dir: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubernetes {
    /// Starts etcd and the API server with everything they write below `dir`, and waits until they serve.
    ///
    /// # Errors
    /// When one of them does not come up; the error shows the end of its log.
    pub async fn start(tools: &Tools, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let certificates = certificates::generate(dir)?;
        let (ca_pem, admin_cert_pem, admin_key_pem) = (
            certificates.ca_pem.clone(),
            certificates.admin_cert_pem.clone(),
            certificates.admin_key_pem.clone(),
        );
        let launch = Launch::new(tools, dir, certificates)?;
        let etcd = launch.etcd("etcd").await?;
        let (mut apiserver, server) = (launch.apiserver()?, launch.url());

        let admin = User::Certificate { cert_pem: &admin_cert_pem, key_pem: &admin_key_pem };
        let text = kubeconfig::kubeconfig(&server, &ca_pem, &admin, "default")?;
        let kubeconfig = certificates::write(dir, "admin.kubeconfig", &text)?;
        let config = load(&text).await?;
        let client = Client::try_from(config.clone())?;
        server::wait_until_ready(&mut apiserver, &client).await?;
        let (apiserver, etcd, dir) = (Mutex::new(apiserver), Mutex::new(etcd), dir.to_owned());
        Ok(Self { apiserver, etcd, launch, client, config, server, ca_pem, dir, kubeconfig })
    }

    /// Kills the API server and starts it again, with what it stored.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart_apiserver(&self) -> Result<()> {
        let mut apiserver = self.apiserver.lock().await;
        apiserver.kill()?;
        *apiserver = self.launch.apiserver()?;
        server::wait_until_ready(&mut apiserver, &self.client).await
    }

    /// Loses the cluster and makes a new one in its place, with nothing in it: same address, same keys.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn lose(&self) -> Result<()> {
        let (mut apiserver, mut etcd) = (self.apiserver.lock().await, self.etcd.lock().await);
        apiserver.kill()?;
        etcd.kill()?;
        let data = tempfile::Builder::new().prefix("etcd-").tempdir_in(&self.dir)?.keep();
        let data = data.file_name().context("a directory has a name")?.to_string_lossy().into_owned();
        *etcd = self.launch.etcd(&data).await?;
        *apiserver = self.launch.apiserver()?;
        server::wait_until_ready(&mut apiserver, &self.client).await
    }

    /// A client with every right.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The configuration of that client.
    pub fn config(&self) -> &kube::Config {
        &self.config
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The URL of the API server.
    pub fn url(&self) -> &str {
        &self.server
    }

    /// The authority of its certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The API server's audit log: one JSON object a line, written before the answer leaves.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join(server::AUDIT_LOG)
    }

    /// The audit events so far that `wanted` accepts, in order.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn audit_events(&self, mut wanted: impl FnMut(&Value) -> bool) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.audit_log()).context("reading the audit log")?;
        // The last line may be half written.
        let events = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        Ok(events.filter(|event| wanted(event)).collect())
    }

    /// The API server, to pause, resume or kill it.
    pub fn apiserver(&self) -> &Mutex<Process> {
        &self.apiserver
    }

    /// etcd, likewise.
    pub fn etcd(&self) -> &Mutex<Process> {
        &self.etcd
    }

    /// Creates the namespace if it is not there.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn ensure_namespace(&self, name: &str) -> Result<()> {
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let params = PatchParams::apply(manifests::FIELD_MANAGER);
        let namespaces: Api<Namespace> = Api::all(self.client());
        namespaces
            .patch(name, &params, &Patch::Apply(&namespace))
            .await
            .with_context(|| format!("namespace {name}"))?;
        Ok(())
    }

    /// Applies every YAML document of `yaml` by server-side apply, with `namespace` where an object names none.
    ///
    /// # Errors
    /// When a document is no manifest, its kind is unknown, or the API server refuses it.
    pub async fn apply(&self, yaml: &str, namespace: &str) -> Result<Vec<DynamicObject>> {
        manifests::apply(&self.client, yaml, namespace).await
    }

    /// Applies a file, or every `.yaml` file of a directory.
    ///
    /// # Errors
    /// As [`Kubernetes::apply`], and when the path cannot be read.
    pub async fn apply_path(&self, path: &Path, namespace: &str) -> Result<Vec<DynamicObject>> {
        manifests::apply_path(&self.client, path, namespace).await
    }

    /// Applies the definitions in the directory and waits until the API server serves them all.
    ///
    /// # Errors
    /// As [`Kubernetes::apply_path`], and when a definition is not established in time.
    pub async fn install_definitions(&self, directory: &Path) -> Result<()> {
        let applied = self.apply_path(directory, "default").await?;
        let names: Vec<String> = applied.iter().map(kube::ResourceExt::name_any).collect();
        manifests::established(&self.client, &names).await
    }

    /// Writes a kubeconfig that speaks as a service account, made if it is not there, and returns its path. It
    /// leads to `server`, if that is not the API server itself.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
        server: Option<&str>,
    ) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            ..ServiceAccount::default()
        };
        let params = PatchParams::apply(manifests::FIELD_MANAGER);
        let account = accounts.patch(name, &params, &Patch::Apply(&account)).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let name = account.name_any();
        let answer = accounts.create_token_request(&name, &PostParams::default(), &request).await?;
        let token = answer.status.context("the API server sent no token")?.token;
        let server = server.unwrap_or(&self.server);
        let text = kubeconfig::kubeconfig(server, &self.ca_pem, &User::Token(&token), namespace)?;
        certificates::write(&self.dir, &format!("{namespace}-{name}.kubeconfig"), &text)
    }

    /// Stops the API server, then etcd.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        // The API server drains its watches for as long as it may; nobody is left to profit from that.
        self.apiserver.into_inner().terminate(Duration::from_millis(500)).await?;
        self.etcd.into_inner().terminate(Duration::from_secs(2)).await?;
        Ok(())
    }
}

async fn load(kubeconfig: &str) -> Result<kube::Config> {
    let kubeconfig = kube::config::Kubeconfig::from_yaml(kubeconfig)?;
    Ok(kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?)
}
