//! One replica works at a time. The Lease is a courtesy that keeps replicas from getting in each
//! other's way; what makes a second one harmless is the ledger's version and epoch.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::context::{API_TIMEOUT, bounded};
use crate::error::Error;

/// Keeps the Lease.
pub type LeaseTask = JoinHandle<Result<LeaseManager, LeaseManagerError>>;

/// A replica that wants to lead.
pub struct Candidate {
    pub client: Client,
    pub namespace: String,
    pub lease: String,
    pub replica: String,
    /// How long the Lease holds; it is renewed when two fifths are left.
    pub seconds: u64,
}

impl Candidate {
    /// Takes the Lease as soon as it is free or over, and keeps it. The receiver tells whether it is held; once it
    /// is dropped, the Lease is given back and the task ends.
    pub async fn acquire(&self) -> Result<(watch::Receiver<bool>, LeaseTask), Error> {
        let manager = LeaseManagerBuilder::new(self.client.clone(), &self.lease)
            .with_namespace(&self.namespace)
            .with_identity(&self.replica)
            .with_duration(self.seconds)
            .with_grace((self.seconds * 2 / 5).max(1))
            .build();
        let manager = tokio::time::timeout(API_TIMEOUT, manager).await;
        let manager = manager.map_err(|_| Error::Kubernetes("no answer".to_owned()))?;
        Ok(manager.map_err(|error| Error::Kubernetes(error.to_string()))?.watch().await)
    }

    /// Resolves when the Lease is to be had though `acquire` may not know it, who looks again only when the time is
    /// over that the holder wrote by its own clock: days, if that ran ahead. Here our own clock counts, and
    /// only what passes on it. A holder that did not renew the Lease for twice its duration is struck out.
    pub async fn lease_is_stale(&self) {
        let leases = Api::<Lease>::namespaced(self.client.clone(), &self.namespace);
        let own = Duration::from_secs(self.seconds);
        let mut last = None;
        let mut since = Instant::now();
        loop {
            tokio::time::sleep(own / 2).await;
            let Ok(lease) = bounded(leases.get(&self.lease)).await else { continue };
            let Some((spec, holder)) =
                lease.spec.and_then(|spec| Some((spec.clone(), spec.holder_identity?)))
            else {
                return;
            };
            // The holder may have been told to keep it for longer.
            let theirs = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            let duration = own.max(Duration::from_secs(theirs.unwrap_or_default()));
            if last.as_ref() != Some(&spec) {
                (last, since) = (Some(spec), Instant::now());
            } else if since.elapsed() >= duration * 2 {
                let free = json!({
                    "metadata": { "resourceVersion": lease.metadata.resource_version },
                    "spec": { "holderIdentity": null, "acquireTime": null, "renewTime": null,
                              "leaseDurationSeconds": null },
                });
                let (parameters, patch) = (PatchParams::default(), Patch::Merge(free));
                if bounded(leases.patch(&self.lease, &parameters, &patch)).await.is_ok() {
                    let silent = since.elapsed().as_secs();
                    warn!(holder, silent, "the holder of the Lease is gone, and its clock ran ahead");
                    return;
                }
            }
        }
    }
}
