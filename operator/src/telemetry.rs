//! Logs, metrics and health: what people and machines watch the operator by.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use comanda_crds::{Order, Phase};
use kube::runtime::reflector::Store;
use prometheus::{CounterVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use strum::IntoEnumIterator;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// Aligned text, for people.
    Human,
}

/// Starts logging. `filter` is a level or tracing's `target=level,…`.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("--log-level {filter:?}: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
        }
        LogFormat::Human => builder.with_target(false).init(),
    }
    Ok(())
}

/// Counters and gauges. Durations are pairs of sum and count: the CloudWatch agent's classic path
/// drops histograms, and alarms need no more.
pub struct Metrics {
    registry: Registry,
    orders: IntGaugeVec,
    order_store: OnceLock<Store<Order>>,
    step_runs: IntCounterVec,
    step_seconds_sum: CounterVec,
    step_seconds_count: IntCounterVec,
    /// Steps back that were settled, by effect.
    pub compensations: IntCounterVec,
    /// Writes to the API server, Events and Leases aside, by what was written.
    pub api_writes: IntCounterVec,
    /// Conditional writes of ledger records.
    pub ledger_writes: IntCounter,
    /// Device events by what became of them.
    pub device_events: IntCounterVec,
    /// Messages of wake queues by what became of them.
    pub wakes: IntCounterVec,
    /// Requests to the webhook by what became of them.
    pub payment_events: IntCounterVec,
    /// Messages of intake queues by class and what became of them.
    pub intake: IntCounterVec,
    /// 1 while the class takes orders from its intake queue; 0 while they rest there.
    pub intake_open: IntGaugeVec,
    /// Reconciles that stopped at an error, by kind.
    pub reconcile_errors: IntCounterVec,
    /// 1 while the class's broker is connected.
    pub mqtt_connected: IntGaugeVec,
    /// 1 while this replica leads.
    pub leader: IntGauge,
    ready: AtomicBool,
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let step_seconds_sum = CounterVec::new(
            Opts::new("comanda_step_seconds_sum", "Seconds spent in calls of a step"),
            &["step"],
        )?;
        registry.register(Box::new(step_seconds_sum.clone()))?;
        let ledger_writes =
            IntCounter::new("comanda_ledger_writes_total", "Conditional writes of ledger records")?;
        registry.register(Box::new(ledger_writes.clone()))?;
        let leader = IntGauge::new("comanda_leader", "1 while this replica leads")?;
        registry.register(Box::new(leader.clone()))?;
        Ok(Self {
            orders: gauge("comanda_orders", "Orders by phase, as the cache has them", &["phase"])?,
            step_runs: counter(
                "comanda_step_runs_total",
                "Calls of a step by outcome",
                &["step", "outcome"],
            )?,
            step_seconds_count: counter("comanda_step_seconds_count", "Calls of a step", &["step"])?,
            compensations: counter(
                "comanda_compensations_total",
                "Steps back by effect and outcome",
                &["effect", "outcome"],
            )?,
            api_writes: counter("comanda_api_writes_total", "Writes to the API server", &["what"])?,
            device_events: counter(
                "comanda_device_events_total",
                "Device events: kept, known before, needless as somebody has the order, refused, or kept of an order that is undone and gone",
                &["result"],
            )?,
            wakes: counter(
                "comanda_wakes_total",
                "Messages of wake queues: an order looked again, cancelled, needless as nobody has to look, left for another cluster, or unreadable and left",
                &["result"],
            )?,
            payment_events: counter(
                "comanda_payment_events_total",
                "Requests to the payment provider's webhook: refused, needless as they are of no order here, looked up, or failed and to come again",
                &["result"],
            )?,
            intake: counter(
                "comanda_intake_total",
                "Messages of intake queues: an object made, its order known before, not written yet, void as it never was written, refused by the API server and left, or unreadable and left",
                &["class", "result"],
            )?,
            intake_open: gauge(
                "comanda_intake_open",
                "1 while the class takes orders from its intake queue, 0 while they rest there",
                &["class"],
            )?,
            reconcile_errors: counter(
                "comanda_reconcile_errors_total",
                "Reconciles that stopped at an error",
                &["kind"],
            )?,
            mqtt_connected: gauge(
                "comanda_mqtt_connected",
                "1 while the class's broker is connected",
                &["class"],
            )?,
            order_store: OnceLock::new(),
            step_seconds_sum,
            ledger_writes,
            leader,
            ready: AtomicBool::new(false),
            registry,
        })
    }

    /// One call of a step.
    pub fn step(&self, step: &str, outcome: &str, took: Duration) {
        self.step_runs.with_label_values(&[step, outcome]).inc();
        self.step_seconds_sum.with_label_values(&[step]).inc_by(took.as_secs_f64());
        self.step_seconds_count.with_label_values(&[step]).inc();
    }

    /// From now on, orders are counted in this cache.
    pub fn count_orders_in(&self, store: Store<Order>) {
        // Set once a process: a second leader term is a new process.
        let _ = self.order_store.set(store);
    }

    /// Whether this replica can do its part, leading or standing by.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    fn text(&self) -> prometheus::Result<String> {
        for phase in Phase::iter() {
            self.orders.with_label_values(&[phase.name()]).set(0);
        }
        for order in self.order_store.get().map(Store::state).unwrap_or_default() {
            let phase = order.status.as_ref().map(|status| status.phase).unwrap_or_default();
            self.orders.with_label_values(&[phase.name()]).inc();
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Serves `/metrics`, `/healthz` and `/readyz` until the process ends. Gives the address in use.
pub async fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .with_state(metrics);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(bound)
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    metrics.text().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn readiness(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    if metrics.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting or stopping\n")
    }
}
