//! What every reconcile is given: clients, caches, the memory of live orders, metrics.

use std::time::Duration;

use comanda_crds::OrderClass;
use kube::Client;
use kube::runtime::events::Reporter;
use kube::runtime::reflector::Store;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::live::Live;
use crate::pace::Pace;
use crate::services::Pool;
use crate::telemetry::Metrics;

/// Longest a plain request to the API server may take. kube's client has no limit of its own, and it
/// retries: a request must not outlive the lease it was sent under.
pub const API_TIMEOUT: Duration = Duration::from_secs(5);

/// Shared by all reconciles.
pub struct Context {
    /// Client of the API server.
    pub client: Client,
    /// This cluster's name in the ledger.
    pub cluster: String,
    /// This process's name in the ledger; no other process ever has it.
    pub writer: String,
    /// Every class, from the cache.
    pub classes: Store<OrderClass>,
    /// Ledger, payments, notifications and devices, by class.
    pub services: std::sync::Arc<Pool>,
    /// What is remembered of orders.
    pub live: std::sync::Arc<Live>,
    /// The pace of looks at executions.
    pub execution_looks: Pace,
    /// Whom Events are from.
    pub reporter: Reporter,
    /// Counters.
    pub metrics: std::sync::Arc<Metrics>,
    /// Set when this process stops or loses the lease.
    pub stop: CancellationToken,
}

impl Context {
    /// True when nothing new may be begun.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// A request to the API server, with a limit.
pub async fn bounded<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(API_TIMEOUT, request).await {
        Ok(result) => result.map_err(Error::from),
        Err(_) => Err(Error::Kubernetes(format!("no answer within {} seconds", API_TIMEOUT.as_secs()))),
    }
}
