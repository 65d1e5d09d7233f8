//! Limits of Kubernetes that the operator keeps to, as the API server has them.

use anyhow::Result;
use serde_json::{Value, json};

use crate::server::Server;

const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/shop/events";

/// What the operator cuts a note by (`operator/src/report.rs`).
pub(crate) async fn a_note_of_an_event_may_have_1024_bytes_and_not_1024_letters(
    server: &Server,
) -> Result<()> {
    // Two bytes each.
    let longest = server.create(EVENTS, &event("longest", &"ñ".repeat(512))).await?;
    let longer = server.create(EVENTS, &event("longer", &"ñ".repeat(513))).await?;
    longest.taken()?;
    longer.refused("message", "can have at most 1024 characters")
}

fn event(name: &str, note: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name},
        "eventTime": "2026-11-23T05:54:49.000000Z",
        "action": "Reconcile",
        "reason": "Failed",
        "type": "Warning",
        "note": note,
        "reportingController": "comanda-operator",
        "reportingInstance": "comanda-operator-1",
        "regarding": {"apiVersion": "comanda.dev/v1alpha1", "kind": "Order", "name": "dinner", "namespace": "shop"},
    })
}
