//! The operator's flags; each is an environment variable too.

use std::net::SocketAddr;

use clap::Parser;

use crate::telemetry::LogFormat;

/// Carries food-delivery Orders from validation to delivery, and undoes what fails.
///
/// AWS is called with the usual environment (AWS_REGION, AWS_ENDPOINT_URL, credentials or a web
/// identity); the Kubernetes API with KUBECONFIG, or the pod's service account.
#[derive(Parser, Debug)]
#[allow(clippy::doc_markdown)] // The text is --help, where backticks would be printed.
#[command(name = "comanda-operator", version, max_term_width = 100)]
pub struct Arguments {
    /// Namespace of this operator: its Lease and the Secrets of classes are here.
    #[arg(long, env = "POD_NAMESPACE", default_value = "comanda-system")]
    pub namespace: String,
    /// Name of this cluster in the ledger. The same name means the same cluster, rebuilt: give it when
    /// a new cluster must take over the orders of a lost one. Default: the uid of kube-system.
    #[arg(long, env = "COMANDA_CLUSTER_NAME")]
    pub cluster_name: Option<String>,
    /// Name of the Lease by which replicas agree on who leads.
    #[arg(long, env = "COMANDA_LEASE_NAME", default_value = "comanda-operator")]
    pub lease_name: String,
    /// How long the Lease holds without being renewed, in seconds: how long orders rest when the leader dies.
    #[arg(long, env = "COMANDA_LEASE_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    pub lease_seconds: u64,
    /// Name of this replica in the Lease. Default: the host's name and a random part.
    #[arg(long, env = "POD_NAME")]
    pub replica: Option<String>,
    /// Address of /metrics, /healthz and /readyz; port 0 takes a free one and logs it.
    #[arg(long, env = "COMANDA_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// Address of POST /webhooks/stripe/CLASS, for what Stripe says by itself; the leader serves it. Put TLS in front of
    /// it. Default: none, as with Step Functions the function stripe-webhook takes that in.
    #[arg(long, env = "COMANDA_WEBHOOK_LISTEN")]
    pub webhook_listen: Option<SocketAddr>,
    /// How many orders are worked on at the same time.
    #[arg(long, env = "COMANDA_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,
    /// How log lines are written.
    #[arg(long, env = "COMANDA_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug or trace, or tracing's target=level list.
    #[arg(long, env = "COMANDA_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
}
