//! The CRDs as YAML, with what the derives cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{Order, OrderClass};

/// One file of `charts/comanda/files/crds/`.
pub struct Manifest {
    /// File name.
    pub file: &'static str,
    /// Its whole text.
    pub yaml: String,
}

/// Every CRD, as the chart ships it.
pub fn manifests() -> Vec<Manifest> {
    let unseen_class = json!({"observedGeneration": -1});
    [("orders.yaml", orders()), ("orderclasses.yaml", finished(OrderClass::crd(), unseen_class))]
        .into_iter()
        .map(|(file, crd)| Manifest {
            file,
            yaml: format!(
                "# Written by `cargo run -p comanda-crds --bin crdgen`; do not edit.\n{}",
                serde_yaml::to_string(&crd).expect("a CRD is plain data")
            ),
        })
        .collect()
}

/// The CRD of orders, as clusters have it.
pub(crate) fn orders() -> CustomResourceDefinition {
    finished(Order::crd(), json!({"observedGeneration": -1, "phase": "Pending"}))
}

fn finished(mut crd: CustomResourceDefinition, unseen: Value) -> CustomResourceDefinition {
    keep_at_uninstall(&mut crd);
    let root = crd.spec.versions[0]
        .schema
        .as_mut()
        .and_then(|schema| schema.open_api_v3_schema.as_mut())
        .expect("a derived CRD has a schema");
    // The API server drops a null where none is allowed, so that nothing stores one or shows it in a diff.
    everywhere(root, &|schema| schema.nullable = None);
    let status = root.properties.as_mut().and_then(|properties| properties.get_mut("status"));
    default_status(status.expect("the resource has a status"), unseen);
    crd
}

/// A CRD takes every object with it when it goes, live orders included: that is never a side effect of
/// removing the operator.
fn keep_at_uninstall(crd: &mut CustomResourceDefinition) {
    let annotations = crd.metadata.annotations.get_or_insert_default();
    annotations.insert("helm.sh/resource-policy".to_owned(), "keep".to_owned());
}

/// An object the operator has not seen must not look done to any tool: kstatus compares
/// `observedGeneration` with `generation`, and -1 is never equal. Beyond that the operator writes the
/// status as a whole; the defaults of single fields are for Rust alone.
fn default_status(status: &mut JSONSchemaProps, unseen: Value) {
    everywhere(status, &|schema| schema.default = None);
    status.default = Some(JSON(unseen));
}

/// Changes a schema and every schema within it.
fn everywhere(schema: &mut JSONSchemaProps, change: &impl Fn(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        everywhere(property, change);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        everywhere(items, change);
    }
}
