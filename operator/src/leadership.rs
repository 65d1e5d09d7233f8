//! One replica works at a time. The Lease is a courtesy that keeps replicas from getting in each
//! other's way; what makes a second one harmless is the ledger's version and epoch.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};

/// The manager of the operator's Lease, which holds for `seconds` and is renewed when two fifths of them are left.
pub async fn manager(
    client: Client,
    namespace: &str,
    lease: &str,
    replica: &str,
    seconds: u64,
) -> Result<LeaseManager, LeaseManagerError> {
    LeaseManagerBuilder::new(client, lease)
        .with_namespace(namespace)
        .with_identity(replica)
        .with_duration(seconds)
        .with_grace((seconds * 2 / 5).max(1))
        .build()
        .await
}
