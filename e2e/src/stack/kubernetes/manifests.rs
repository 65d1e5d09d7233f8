//! Applying manifests as `kubectl apply --server-side` does.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, TypeMeta};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Scope};
use kube::{Client, ResourceExt as _};
use serde::Deserialize as _;
use serde_json::Value;

/// The field manager of everything the stack applies.
pub(super) const FIELD_MANAGER: &str = "comanda-e2e";

/// How long a definition may take to be served.
const ESTABLISHED_IN: Duration = Duration::from_secs(20);

/// Applies every document of `yaml` in order. Namespaced objects without a namespace go to `namespace`.
pub(super) async fn apply(client: &Client, yaml: &str, namespace: &str) -> Result<Vec<DynamicObject>> {
    let mut applied = Vec::new();
    for document in serde_yaml::Deserializer::from_str(yaml) {
        let value = Value::deserialize(document).context("a manifest is not YAML")?;
        // An empty document between two separators is none.
        if !value.is_null() {
            applied.push(apply_object(client, value, namespace).await?);
        }
    }
    Ok(applied)
}

/// Applies one file, or every `.yaml` file of a directory in the order of names.
pub(super) async fn apply_path(client: &Client, path: &Path, namespace: &str) -> Result<Vec<DynamicObject>> {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        files.sort();
    }
    let mut applied = Vec::new();
    for file in files {
        let yaml = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let objects = apply(client, &yaml, namespace).await;
        applied.extend(objects.with_context(|| format!("applying {}", file.display()))?);
    }
    Ok(applied)
}

async fn apply_object(client: &Client, value: Value, namespace: &str) -> Result<DynamicObject> {
    let types: TypeMeta =
        serde_json::from_value(value.clone()).context("a manifest lacks apiVersion or kind")?;
    let kind = GroupVersionKind::try_from(&types)?;
    let object: DynamicObject = serde_json::from_value(value)?;
    let what = format!("{} {}", types.kind, object.name_any());

    let (resource, capabilities) = discovery::pinned_kind(client, &kind)
        .await
        .with_context(|| format!("the server does not know {kind:?}"))?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.namespace().unwrap_or_else(|| namespace.to_owned());
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
    };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = api.patch(&object.name_any(), &params, &Patch::Apply(&object)).await;
    applied.with_context(|| format!("applying {what}"))
}

/// Waits until every one of the named definitions is served.
pub(super) async fn established(client: &Client, names: &[String]) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let deadline = Instant::now() + ESTABLISHED_IN;
    for name in names {
        while !is_established(&definitions.get(name).await?) {
            if Instant::now() > deadline {
                bail!("the CustomResourceDefinition {name} was not established in {ESTABLISHED_IN:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Established" && one.status == "True"))
}
