//! One replica works at a time. The Lease is a courtesy that keeps replicas from getting in each
//! other's way; what makes a second one harmless is the ledger's version and epoch.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};

/// How long a lease holds without being renewed, in seconds.
const DURATION: u64 = 10;
/// How long before its end it is renewed, in seconds.
const GRACE: u64 = 4;

/// The manager of the operator's Lease.
pub async fn manager(
    client: Client,
    namespace: &str,
    lease: &str,
    replica: &str,
) -> Result<LeaseManager, LeaseManagerError> {
    LeaseManagerBuilder::new(client, lease)
        .with_namespace(namespace)
        .with_identity(replica)
        .with_duration(DURATION)
        .with_grace(GRACE)
        .build()
        .await
}
