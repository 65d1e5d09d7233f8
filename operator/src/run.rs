//! From a configuration to running controllers, and back down in good order.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use comanda_crds::{Order, OrderClass};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::ListParams;
use kube::runtime::controller::{Action, Config};
use kube::runtime::events::Reporter;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::arguments::Arguments;
use crate::class::{self, ClassContext};
use crate::context::{Context, bounded};
use crate::error::Error;
use crate::executor::direct::Direct;
use crate::live::Live;
use crate::services::{FromBroker, Pool};
use crate::telemetry::Metrics;
use crate::{devices, leadership, reconcile};

/// How long what was begun may take to finish after a stop was asked for.
const SHUTDOWN: Duration = Duration::from_secs(9);
/// Broker messages waiting to be kept; the broker itself holds the rest.
const INCOMING: usize = 256;

/// How long a watch lasts before it is asked for again, in seconds. One that brings nothing, not even its end,
/// is given up five seconds later: a connection can die in silence, and with it the news of every cancel.
const WATCH_SECONDS: u32 = 30;

/// Why the operator stopped.
pub enum Stopped {
    /// SIGTERM or SIGINT.
    OnRequest,
    /// Another replica has the lease.
    LeaseLost,
    /// It could not start; the sentence says what to change.
    Misconfigured(String),
}

/// Runs until told to stop or until the lease is lost.
pub async fn run(arguments: &Arguments, metrics: Arc<Metrics>) -> Stopped {
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone());
    let (client, cluster, aws) = match connect(arguments).await {
        Ok(connected) => connected,
        Err(reason) => return Stopped::Misconfigured(reason),
    };
    let writer = uuid::Uuid::new_v4().simple().to_string();
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "comanda-operator".to_owned());
    let replica = arguments.replica.clone().unwrap_or_else(|| format!("{host}-{}", &writer[..8]));
    let lease = leadership::manager(
        client.clone(),
        &arguments.namespace,
        &arguments.lease_name,
        &replica,
        arguments.lease_seconds,
    )
    .await;
    let manager = match lease {
        Ok(manager) => manager,
        Err(error) => return Stopped::Misconfigured(format!("the Lease cannot be used: {error}")),
    };
    let (mut leading, lease_task) = manager.watch().await;
    metrics.set_ready(true);
    info!(replica, cluster, "standing by");
    let leads = tokio::select! {
        leads = leading.wait_for(|leads| *leads) => leads.is_ok(),
        () = stop.cancelled() => false,
    };
    let mut lost = false;
    if leads {
        info!(replica, "leading");
        metrics.leader.set(1);
        let work = tokio::spawn(work(
            arguments.concurrency,
            arguments.namespace.clone(),
            client,
            cluster,
            writer,
            aws,
            Arc::clone(&metrics),
            stop.clone(),
        ));
        tokio::select! {
            _ = leading.wait_for(|leads| !*leads) => lost = true,
            () = stop.cancelled() => {}
        }
        stop.cancel();
        metrics.set_ready(false);
        if tokio::time::timeout(SHUTDOWN, work).await.is_err() {
            warn!("what was begun did not finish in time; the ledger knows how far it came");
        }
        metrics.leader.set(0);
    }
    // Closing the channel releases the lease, so that a standing-by replica need not wait for its end.
    drop(leading);
    let _ = tokio::time::timeout(Duration::from_secs(1), lease_task).await;
    if lost { Stopped::LeaseLost } else { Stopped::OnRequest }
}

fn stop_on_signal(stop: CancellationToken) {
    tokio::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("stopping: what was begun is finished first");
        stop.cancel();
    });
}

/// Connects, and refuses with one sentence what cannot work.
async fn connect(arguments: &Arguments) -> Result<(Client, String, SdkConfig), String> {
    let config = kube::Config::infer()
        .await
        .map_err(|error| format!("no way to the Kubernetes API: set KUBECONFIG or run in a pod ({error})"))?;
    let client =
        Client::try_from(config).map_err(|error| format!("the kubeconfig cannot be used: {error}"))?;
    let orders: Api<Order> = Api::all(client.clone());
    match bounded(orders.list_metadata(&ListParams::default().limit(1))).await {
        Ok(_) => {}
        Err(Error::NotFound) => {
            return Err(
                "the CustomResourceDefinitions are not installed: apply charts/comanda/files/crds first"
                    .to_owned(),
            );
        }
        Err(error) => return Err(format!("Orders cannot be listed: {error}")),
    }
    let cluster = if let Some(name) = &arguments.cluster_name {
        name.clone()
    } else {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let system = bounded(namespaces.get("kube-system")).await.map_err(|error| {
            format!("the uid of kube-system cannot be read: {error}; or set --cluster-name")
        })?;
        system.uid().unwrap_or_default()
    };
    let aws = comanda_steps::adapters::aws::config(None).await;
    if aws.region().is_none() {
        return Err("no AWS region: set AWS_REGION (for example eu-west-1)".to_owned());
    }
    Ok((client, cluster, aws))
}

/// Everything the leader does, until `stop`.
#[allow(clippy::too_many_arguments)] // Wiring: each is used once, here.
async fn work(
    concurrency: u16,
    namespace: String,
    client: Client,
    cluster: String,
    writer: String,
    aws: SdkConfig,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) {
    let (secrets, secret_writer) = reflector::store::<Secret>();
    let (secrets_listed, mut have_secrets) = watch::channel(false);
    let own_secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let secret_watch = watcher(own_secrets, watch_config())
        .default_backoff()
        .reflect(secret_writer)
        .inspect_ok(move |event| announce(event, &secrets_listed))
        .for_each(|result| async { report_watch("secrets", result.err()) });
    let secret_task = tokio::spawn(secret_watch);

    let (class_store, class_writer) = reflector::store::<OrderClass>();
    let (classes_listed, mut have_classes) = watch::channel(false);
    let class_watch = watcher(Api::<OrderClass>::all(client.clone()), watch_config())
        .default_backoff()
        .reflect(class_writer)
        .inspect_ok(move |event| announce(event, &classes_listed))
        .touched_objects();

    let (incoming, messages) = mpsc::channel::<FromBroker>(INCOMING);
    let (wake, woken) = mpsc::unbounded_channel::<ObjectRef<Order>>();
    let (connected, connections) = mpsc::unbounded_channel();
    let services = Arc::new(Pool::new(aws, namespace, secrets, incoming, connected));
    let live = Arc::new(Live::default());

    let (order_store, order_writer) = reflector::store::<Order>();
    let (orders_announced, orders_listed) = watch::channel(false);
    let order_watch = watcher(Api::<Order>::all(client.clone()), watch_config())
        .default_backoff()
        .reflect(order_writer)
        .inspect_ok(move |event| announce(event, &orders_announced))
        .touched_objects();
    let orders = Controller::for_stream(order_watch, order_store.clone());
    let classes = Controller::for_stream(class_watch, class_store.clone());
    metrics.count_orders_in(order_store.clone());
    let reporter = Reporter { controller: "comanda-operator".to_owned(), instance: None };
    let context = Arc::new(Context {
        client: client.clone(),
        cluster,
        writer,
        classes: class_store,
        executor: Direct::new(Arc::clone(&services)),
        services: Arc::clone(&services),
        live: Arc::clone(&live),
        reporter,
        metrics: Arc::clone(&metrics),
        stop: stop.clone(),
    });
    let class_context = Arc::new(ClassContext {
        client,
        services,
        orders: order_store,
        orders_listed,
        metrics: Arc::clone(&metrics),
        wake: wake.clone(),
    });

    let catch_up_task = tokio::spawn(devices::catch_up(connections, Arc::clone(&live), wake.clone()));
    let device_task = tokio::spawn(devices::take_in(messages, live, metrics, wake));
    // A class must not look unusable, nor an order wait for its class, only because a list is under way.
    listed(&mut have_secrets, &stop).await;
    let class_task = tokio::spawn(
        classes
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(class::reconcile, |_, never, _| match *never {}, class_context)
            .for_each(|result| async { report_watch("classes", result.err()) }),
    );
    listed(&mut have_classes, &stop).await;
    orders
        .with_config(Config::default().concurrency(concurrency))
        .reconcile_on(UnboundedReceiverStream::new(woken))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile::reconcile, |_, never, _| -> Action { match *never {} }, context)
        .for_each(|result| async { report_watch("orders", result.err()) })
        .await;
    let _ = class_task.await;
    device_task.abort();
    catch_up_task.abort();
    secret_task.abort();
}

fn watch_config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

/// A watch that fails is tried again by itself, with backoff; it must not be silent.
fn report_watch(of: &str, error: Option<impl std::fmt::Display>) {
    if let Some(error) = error {
        warn!(of, %error, "a watch failed and is tried again");
    }
}

/// Waits for a first list, or for the stop.
async fn listed(list: &mut watch::Receiver<bool>, stop: &CancellationToken) {
    tokio::select! {
        _ = list.wait_for(|listed| *listed) => {}
        () = stop.cancelled() => {}
    }
}

/// Tells that a first list is in the cache. (`Store::wait_until_ready` wakes only one of those who wait,
/// and a controller is one of them.)
fn announce<K>(event: &watcher::Event<K>, listed: &watch::Sender<bool>) {
    if matches!(event, watcher::Event::InitDone) {
        listed.send_replace(true);
    }
}
