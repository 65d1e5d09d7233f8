//! One API server with the definitions, and its answers as they come over the wire.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use comanda_e2e::stack::kubernetes::Kubernetes;
use comanda_e2e::stack::progress::Progress;
use comanda_e2e::stack::tools::Tools;
use http::{Method, Request};
use kube::client::Body;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const ORDERS: &str = "/apis/comanda.dev/v1alpha1/namespaces/shop/orders";
pub(crate) const CLASSES: &str = "/apis/comanda.dev/v1alpha1/orderclasses";
pub(crate) const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// Where the chart keeps the definitions.
pub(crate) fn definitions() -> PathBuf {
    comanda_e2e::package().join("../charts/comanda/files/crds")
}

pub(crate) struct Server {
    pub(crate) kubernetes: Kubernetes,
    _dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let tools = Box::pin(Tools::ensure(&Progress::stderr())).await?;
        let dir = tempfile::tempdir()?;
        let kubernetes = Box::pin(Kubernetes::start(&tools, dir.path())).await?;
        kubernetes.ensure_namespace("shop").await?;
        kubernetes.install_definitions(&definitions()).await?;
        Ok(Self { kubernetes, _dir: dir })
    }

    pub(crate) async fn stop(self) {
        if let Err(error) = self.kubernetes.stop().await {
            eprintln!("stopping Kubernetes: {error:#}");
        }
    }

    pub(crate) async fn create(&self, resource: &str, object: &Value) -> Result<Answer> {
        self.ask(Method::POST, resource, JSON, JSON, object).await
    }

    /// `kubectl replace`.
    pub(crate) async fn replace(&self, object: &str, value: &Value) -> Result<Answer> {
        self.ask(Method::PUT, object, JSON, JSON, value).await
    }

    /// `kubectl patch --type=merge`.
    pub(crate) async fn merge(&self, object: &str, patch: &Value) -> Result<Answer> {
        self.ask(Method::PATCH, object, MERGE, JSON, patch).await
    }

    /// `kubectl apply --server-side --force-conflicts`.
    pub(crate) async fn apply(&self, object: &str, value: &Value) -> Result<Answer> {
        let path = format!("{object}?fieldManager=definitions&force=true");
        self.ask(Method::PATCH, &path, APPLY, JSON, value).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, JSON, JSON, &Value::Null).await
    }

    /// What `kubectl get` asks for.
    pub(crate) async fn table(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, JSON, TABLE, &Value::Null).await
    }

    pub(crate) async fn delete(&self, object: &str) -> Result<Answer> {
        self.ask(Method::DELETE, object, JSON, JSON, &Value::Null).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        sends: &str,
        accepts: &str,
        body: &Value,
    ) -> Result<Answer> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let request = Request::builder().method(method).uri(path);
        let request =
            request.header("content-type", sends).header("accept", accepts).body(Body::from(body))?;
        let response = self.kubernetes.client().send(request).await?;
        let code = response.status().as_u16();
        let headers = response.headers().get_all("warning").into_iter();
        let warnings = headers.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        let text = String::from_utf8(response.into_body().collect_bytes().await?.to_vec())?;
        let json = serde_json::from_str(&text).with_context(|| format!("{path} answers {text}"))?;
        Ok(Answer { code, warnings, text, json })
    }
}

/// What the API server said.
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    /// The body as it came.
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Answer {
    /// The object, when the request was granted.
    pub(crate) fn taken(self) -> Result<Value> {
        ensure!(matches!(self.code, 200 | 201), "{}: {}", self.code, self.json["message"]);
        Ok(self.json)
    }

    /// Holds when the request was refused as invalid for exactly one reason: this sentence about this field.
    pub(crate) fn refused(&self, field: &str, sentence: &str) -> Result<()> {
        ensure!(self.code == 422, "not refused as invalid: {} {}", self.code, self.text);
        let causes: Vec<(&str, &str)> = self.causes().collect();
        let [(place, message)] = causes[..] else {
            anyhow::bail!("not one cause: {causes:?}");
        };
        // Before the sentence stands the kind of error and, in some versions, the value or its type.
        let exact = message == sentence || message.ends_with(&format!(": {sentence}"));
        ensure!(place == field && exact, "{place}: {message}");
        Ok(())
    }

    /// Every field at fault, with what is said about it.
    pub(crate) fn causes(&self) -> impl Iterator<Item = (&str, &str)> {
        let causes = self.json["details"]["causes"].as_array().into_iter().flatten();
        causes
            .map(|cause| {
                (cause["field"].as_str().unwrap_or_default(), cause["message"].as_str().unwrap_or_default())
            })
            // Said beside every error of the schema proper.
            .filter(|(_, message)| !message.contains("some validation rules were not checked"))
    }
}
