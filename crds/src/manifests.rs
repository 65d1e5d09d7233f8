//! The CRDs as YAML, with what the derives cannot express.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSON};
use kube::CustomResourceExt;
use serde_json::json;

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
    let mut order = Order::crd();
    default_status(&mut order);
    [("orders.yaml", order), ("orderclasses.yaml", OrderClass::crd())]
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

/// An order the operator has not seen must not look done to any tool: kstatus compares
/// `observedGeneration` with `generation`, and -1 is never equal.
fn default_status(crd: &mut CustomResourceDefinition) {
    let status = crd.spec.versions[0]
        .schema
        .as_mut()
        .and_then(|schema| schema.open_api_v3_schema.as_mut())
        .and_then(|root| root.properties.as_mut())
        .and_then(|properties| properties.get_mut("status"))
        .expect("Order has a status");
    status.nullable = None;
    status.default = Some(JSON(json!({"observedGeneration": -1, "phase": "Pending"})));
}
