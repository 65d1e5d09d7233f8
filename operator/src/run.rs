//! From a configuration to running controllers, and back down in good order.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use comanda_crds::{Order, OrderClass};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::runtime::controller::{self, Action, Config};
use kube::runtime::events::Reporter;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::arguments::Arguments;
use crate::class::{self, ClassContext};
use crate::context::{Context, bounded};
use crate::error::Error;
use crate::executor::Queues;
use crate::intake::Intakes;
use crate::leadership::Candidate;
use crate::live::Live;
use crate::orders::{Kubernetes, Orders};
use crate::pace::Pace;
use crate::services::Pool;
use crate::telemetry::Metrics;
use crate::{devices, inbox, reconcile, webhook};

/// How long what was begun may take to finish after a stop was asked for.
const SHUTDOWN: Duration = Duration::from_secs(9);
/// How long an API server that does not answer is waited for at the start: it may be starting too.
const REACH: Duration = Duration::from_secs(30);
/// How long after a failure at the start it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a watch lasts before it is asked for again, in seconds. One that brings nothing, not even its end,
/// is given up five seconds later: a connection can die in silence, and with it the news of every cancel.
const WATCH_SECONDS: u32 = 30;
/// The status of a watch that asks for changes the API server has forgotten.
const GONE: u16 = 410;

/// Why the operator stopped.
pub enum Stopped {
    /// SIGTERM or SIGINT.
    OnRequest,
    /// Another replica has the lease.
    LeaseLost,
    /// A part of it ended by itself: a defect.
    Broken,
    /// It could not start; the sentence says what to change.
    Misconfigured(String),
}

/// Runs until told to stop or until the lease is lost.
pub async fn run(arguments: &Arguments, metrics: Arc<Metrics>) -> Stopped {
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone());
    let connected = tokio::select! {
        connected = connect(arguments) => connected,
        () = stop.cancelled() => return Stopped::OnRequest,
    };
    let (client, cluster, aws) = match connected {
        Ok(connected) => connected,
        Err(reason) => return Stopped::Misconfigured(reason),
    };
    let writer = uuid::Uuid::new_v4().simple().to_string();
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "comanda-operator".to_owned());
    let replica = arguments.replica.clone().unwrap_or_else(|| format!("{host}-{}", &writer[..8]));
    let candidate = Candidate {
        client: client.clone(),
        namespace: arguments.namespace.clone(),
        lease: arguments.lease_name.clone(),
        replica: replica.clone(),
        seconds: arguments.lease_seconds,
    };
    info!(replica, cluster, "standing by");
    let (mut stood, begun) = (false, Instant::now());
    let (leads, mut leading, lease_task) = loop {
        let standing = tokio::select! {
            standing = candidate.acquire() => standing,
            () = stop.cancelled() => return Stopped::OnRequest,
        };
        let (mut leading, lease_task) = match standing {
            Ok(standing) => standing,
            Err(error) if stood || begun.elapsed() < REACH => {
                warn!(%error, "standing for the Lease is tried again");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
            Err(error) => {
                return Stopped::Misconfigured(format!(
                    "the Lease cannot be used: {error}; if that is forbidden, apply charts/comanda/files/rbac.yaml"
                ));
            }
        };
        stood = true;
        metrics.set_ready(true);
        let leads = tokio::select! {
            leads = leading.wait_for(|leads| *leads) => leads.is_ok(),
            () = stop.cancelled() => false,
            () = candidate.lease_is_stale() => {
                // Before its channel closes: it would give back what the next one takes.
                lease_task.abort();
                let _ = lease_task.await;
                continue;
            }
        };
        break (leads, leading, lease_task);
    };
    let mut why = Stopped::OnRequest;
    if leads {
        info!(replica, "leading");
        metrics.leader.set(1);
        let mut work = tokio::spawn(work(
            arguments.concurrency,
            arguments.namespace.clone(),
            arguments.webhook_listen,
            client,
            cluster,
            writer,
            aws,
            Arc::clone(&metrics),
            stop.clone(),
        ));
        tokio::select! {
            // A stop ends the work too.
            biased;
            _ = leading.wait_for(|leads| !*leads) => why = Stopped::LeaseLost,
            () = stop.cancelled() => {}
            // Nobody else would work while this one held the Lease.
            _ = &mut work => why = Stopped::Broken,
        }
        stop.cancel();
        metrics.set_ready(false);
        if !work.is_finished() && tokio::time::timeout(SHUTDOWN, work).await.is_err() {
            warn!("what was begun did not finish in time; the ledger knows how far it came");
        }
        metrics.leader.set(0);
    }
    // Closing the channel releases the lease, so that a standing-by replica need not wait for its end.
    drop(leading);
    let _ = tokio::time::timeout(Duration::from_secs(1), lease_task).await;
    why
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

/// Asks until there is an answer, for a while.
async fn reach<T>(ask: impl AsyncFn() -> kube::Result<T>) -> Result<T, Error> {
    let begun = Instant::now();
    loop {
        match bounded(ask()).await {
            Err(error @ Error::Kubernetes(_)) if begun.elapsed() < REACH => {
                warn!(%error, "the API server is asked again");
                tokio::time::sleep(AGAIN).await;
            }
            answered => return answered,
        }
    }
}

/// Connects, and refuses with one sentence what cannot work.
async fn connect(arguments: &Arguments) -> Result<(Client, String, SdkConfig), String> {
    let config = kube::Config::infer()
        .await
        .map_err(|error| format!("no way to the Kubernetes API: set KUBECONFIG or run in a pod ({error})"))?;
    let client =
        Client::try_from(config).map_err(|error| format!("the kubeconfig cannot be used: {error}"))?;
    let orders: Api<Order> = Api::all(client.clone());
    match reach(async || orders.list_metadata(&ListParams::default().limit(1)).await).await {
        Ok(_) => {}
        Err(Error::NotFound) => {
            return Err(
                "the CustomResourceDefinitions are not installed: apply charts/comanda/files/crds first"
                    .to_owned(),
            );
        }
        Err(error) => {
            return Err(format!(
                "Orders cannot be listed: {error}; if that is forbidden, apply charts/comanda/files/rbac.yaml"
            ));
        }
    }
    let cluster = if let Some(name) = &arguments.cluster_name {
        name.clone()
    } else {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let system = reach(async || namespaces.get("kube-system").await).await.map_err(|error| {
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

/// Everything the leader does, until `stop`, or until a part of it ends by itself.
#[allow(clippy::too_many_arguments)] // Wiring: each is used once, here.
async fn work(
    concurrency: u16,
    namespace: String,
    webhook_listen: Option<SocketAddr>,
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
    let secret_watch = changes(own_secrets)
        .default_backoff()
        .reflect(secret_writer)
        .inspect_ok(move |event| announce(event, &secrets_listed))
        .for_each(|result| async { report_watch("secrets", result.err()) });
    let mut tasks = JoinSet::new();
    tasks.spawn(secret_watch);

    let (class_store, class_writer) = reflector::store::<OrderClass>();
    let (classes_listed, mut have_classes) = watch::channel(false);
    let class_watch = changes(Api::<OrderClass>::all(client.clone()))
        .default_backoff()
        .reflect(class_writer)
        .inspect_ok(move |event| announce(event, &classes_listed))
        .touched_objects();

    let (connect, brokers) = mpsc::unbounded_channel();
    let (wake, woken) = mpsc::unbounded_channel::<ObjectRef<Order>>();
    let (connected, connections) = mpsc::unbounded_channel();
    let (subscribe, subscriptions) = mpsc::unbounded_channel();
    let queues = Queues::new(subscribe);
    let services = Arc::new(Pool::new(aws, namespace, cluster.clone(), secrets, connect, connected, queues));
    let live = Arc::new(Live::default());

    let (order_store, order_writer) = reflector::store::<Order>();
    let (orders_announced, orders_listed) = watch::channel(false);
    let order_watch = changes(Api::<Order>::all(client.clone()))
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
        services: Arc::clone(&services),
        live: Arc::clone(&live),
        execution_looks: Pace::of_executions(),
        reporter,
        metrics: Arc::clone(&metrics),
        stop: stop.clone(),
    });
    let api: Arc<dyn Orders> = Arc::new(Kubernetes(client.clone()));
    let intakes =
        Arc::new(Intakes::new(&context, order_store.clone(), orders_listed.clone(), Arc::clone(&api)));
    let class_context = Arc::new(ClassContext {
        client,
        services,
        intakes,
        orders: order_store,
        orders_listed,
        metrics: Arc::clone(&metrics),
        wake: wake.clone(),
    });

    tasks.spawn(devices::catch_up(connections, Arc::clone(&live), wake.clone()));
    let audience = inbox::Audience {
        cluster: context.cluster.clone(),
        live: Arc::clone(&live),
        metrics: Arc::clone(&metrics),
        wake: wake.clone(),
        orders: api,
        stop: stop.clone(),
    };
    tasks.spawn(inbox::take_in(subscriptions, audience.clone()));
    webhook::listen(&mut tasks, webhook_listen, &context, audience);
    let audience = devices::Audience { live: Arc::clone(&live), metrics, wake };
    tasks.spawn(devices::take_in(brokers, audience));
    // A class must not look unusable, nor an order wait for its class, only because a list is under way.
    listed(&mut have_secrets, &stop).await;
    tasks.spawn(
        classes
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(class::reconcile, |_, never, _| match *never {}, class_context)
            .for_each(|result| async { report_watch("classes", result.err()) }),
    );
    listed(&mut have_classes, &stop).await;
    tasks.spawn(
        orders
            .with_config(Config::default().concurrency(concurrency))
            .reconcile_on(UnboundedReceiverStream::new(woken))
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(reconcile::reconcile, |_, never, _| -> Action { match *never {} }, context)
            .for_each(move |result| {
                match result {
                    // It was deleted, and nothing is left to do for it.
                    Err(controller::Error::ObjectNotFound(object)) => live.gone(&of_orders(&object)),
                    other => report_watch("orders", other.err()),
                }
                std::future::ready(())
            }),
    );
    // Two of them end with the stop, orders and classes, and the others never do.
    tasks.join_next().await;
    if stop.is_cancelled() {
        tasks.join_next().await;
    }
}

/// What becomes of the objects. As `watcher`, which lists again when an event says that changes were missed;
/// here also when the watch is refused for it, which `watcher` would ask for in vain for ever.
fn changes<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<watcher::Event<K>>>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let begin = move || watcher(api.clone(), watcher::Config::default().timeout(WATCH_SECONDS)).boxed();
    let first = begin();
    stream::unfold((begin, first), |(begin, mut current)| async move {
        let event = current.next().await?;
        if let Err(watcher::Error::WatchStartFailed(kube::Error::Api(status))) = &event
            && status.code == GONE
        {
            current = begin();
        }
        Some((event, (begin, current)))
    })
}

/// A watch that fails is tried again by itself, with backoff; it must not be silent.
fn report_watch(of: &str, error: Option<impl std::fmt::Display>) {
    if let Some(error) = error {
        warn!(of, %error, "a watch failed and is tried again");
    }
}

/// The same object, among orders.
fn of_orders(object: &ObjectRef<DynamicObject>) -> ObjectRef<Order> {
    let order = ObjectRef::new(&object.name);
    match &object.namespace {
        Some(namespace) => order.within(namespace),
        None => order,
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
