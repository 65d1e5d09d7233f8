//! `OrderClass`: whether what it names can be reached, said in its status; kept while orders use it.

use std::sync::Arc;
use std::time::Duration;

use comanda_crds::{CLASS_FINALIZER, ClassReason, ConditionType, Order, OrderClass, OrderClassStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::context::bounded;
use crate::error::Error;
use crate::executor::Executor;
use crate::intake::Intakes;
use crate::services::{Pool, Services};
use crate::telemetry::Metrics;

/// How often a healthy class is looked at again.
const HEALTHY: Duration = Duration::from_secs(30);
/// How often a class that is not ready, or is waiting to go, is looked at again.
const WAITING: Duration = Duration::from_secs(2);

/// What the reconcile of classes is given.
pub struct ClassContext {
    /// Client of the API server.
    pub client: Client,
    /// The services of classes.
    pub services: Arc<Pool>,
    /// Every order, from the cache.
    pub orders: Store<Order>,
    /// The cache of orders holds all of them.
    pub orders_listed: watch::Receiver<bool>,
    /// The intakes of classes.
    pub intakes: Arc<Intakes>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Wakes an order.
    pub wake: mpsc::UnboundedSender<ObjectRef<Order>>,
}

/// Looks at one class.
pub async fn reconcile(
    class: Arc<OrderClass>,
    context: Arc<ClassContext>,
) -> Result<Action, std::convert::Infallible> {
    Ok(match look_at(&class, &context).await {
        Ok(pause) => Action::requeue(pause),
        Err(error) => {
            warn!(class = class.name_any(), %error, "the class is tried again");
            Action::requeue(WAITING)
        }
    })
}

async fn look_at(class: &OrderClass, context: &ClassContext) -> Result<Duration, Error> {
    let name = class.name_any();
    let used = context.orders.find(|order| order.spec.class_name == name && !is_final(order)).is_some();
    let held = class.finalizers().iter().any(|finalizer| finalizer == CLASS_FINALIZER);
    let going = class.metadata.deletion_timestamp.is_some();
    // Before the orders are listed, none seen is not none there.
    if going && held && !used && *context.orders_listed.borrow() {
        set_finalizer(class, false, context).await?;
        context.services.forget(&class.spec);
        context.intakes.forget(&name);
        return Ok(HEALTHY);
    }
    if !going && !held {
        set_finalizer(class, true, context).await?;
    }
    let (reason, message) = health(class, context).await;
    report(class, reason, &message, context).await?;
    Ok(if reason == ClassReason::Reachable && !going { HEALTHY } else { WAITING })
}

fn is_final(order: &Order) -> bool {
    order.status.as_ref().is_some_and(|status| status.phase.is_final())
}

/// Whether all that the class names can be reached, or what cannot.
async fn health(class: &OrderClass, context: &ClassContext) -> (ClassReason, String) {
    let services = match context.services.of(&class.spec) {
        Ok(services) => services,
        Err(Error::Class(why)) => return (ClassReason::NotConfigured, format!("Not usable: {why}.")),
        Err(error) => return (ClassReason::NotConfigured, format!("{error}.")),
    };
    // Whatever else is wrong: what customers cancel is read, and an intake that was taken away is given up.
    let intake = context.intakes.serve(class, &context.services);
    let connected = services.broker.as_ref().map(|broker| broker.connected().borrow().clone());
    if let Some(connected) = &connected {
        let connected = i64::from(connected.is_ok());
        context.metrics.mqtt_connected.with_label_values(&[&class.name_any()]).set(connected);
    }
    if let Err(error) = services.ledger.ping().await {
        return (ClassReason::LedgerUnreachable, format!("Nothing is done until this is mended: {error}."));
    }
    if let Err(error) = context.services.signing_secrets(&class.spec) {
        let message = format!("What the payment provider says is refused until this is mended: {error}.");
        return (ClassReason::NotConfigured, message);
    }
    if let Err(why) = executor_answers(class, &services).await {
        let message = format!("Executions wait until this is mended: {why}.");
        return (ClassReason::ExecutorUnreachable, message);
    }
    if let Err(why) = intake {
        return (
            ClassReason::IntakeUnreachable,
            format!("Orders over HTTP wait until this is mended: {why}."),
        );
    }
    if let Some(Err(why)) = &connected {
        let endpoint = &class.spec.devices.endpoint;
        let message = format!("Commands wait for the broker {endpoint}, which is not connected: {why}.");
        return (ClassReason::BrokerUnreachable, message);
    }
    let answering = match (&services.executor, &services.broker) {
        (Some(_), Some(_)) => "ledger, state machine, wake queue and broker answer",
        (Some(_), None) => "ledger, state machine and wake queue answer",
        (None, _) => "ledger and broker answer",
    };
    (ClassReason::Reachable, format!("The Secrets are there; {answering}."))
}

/// Whether executions can be started, and the operator is told when they end; for a class without any, always.
async fn executor_answers(class: &OrderClass, services: &Services) -> Result<(), String> {
    let (Some(Executor { executions, queue }), Some(executor)) = (&services.executor, &class.spec.executor)
    else {
        return Ok(());
    };
    let machine = &executor.step_functions.state_machine_arn;
    executions.check(machine).await.map_err(|error| format!("{machine}: {error}"))?;
    let answers = queue.answers.borrow().clone();
    answers.map_err(|error| format!("{}: {error}", executor.step_functions.queue_url))
}

/// Whether orders can be claimed with the class, for one whose health is this.
fn acceptance<'a>(class: &OrderClass, reason: ClassReason, message: &'a str) -> (bool, ClassReason, &'a str) {
    if class.metadata.deletion_timestamp.is_some() {
        let message =
            "The class is being deleted: it takes no new order, and goes when its last one is finished.";
        (false, ClassReason::Deleting, message)
    } else if reason == ClassReason::NotConfigured {
        (false, reason, message)
    } else {
        (true, ClassReason::Accepted, "Orders can be claimed with the class.")
    }
}

async fn report(
    class: &OrderClass,
    reason: ClassReason,
    message: &str,
    context: &ClassContext,
) -> Result<(), Error> {
    let generation = class.metadata.generation.unwrap_or_default();
    let before = class.status.clone().unwrap_or_default();
    let condition = |kind: ConditionType, status: bool, reason: ClassReason, message: &str| {
        let kind = kind.name();
        let status = if status { "True" } else { "False" };
        let since = before
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind && condition.status == status)
            .map_or_else(|| Time(Timestamp::now()), |condition| condition.last_transition_time.clone());
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.name().to_owned(),
            message: message.to_owned(),
            last_transition_time: since,
            observed_generation: Some(generation),
        }
    };
    let (accepted, because, explained) = acceptance(class, reason, message);
    let status = OrderClassStatus {
        observed_generation: generation,
        conditions: vec![
            condition(ConditionType::Accepted, accepted, because, explained),
            condition(ConditionType::Ready, reason == ClassReason::Reachable, reason, message),
        ],
    };
    if timeless(&status) == timeless(&before) {
        return Ok(());
    }
    info!(class = class.name_any(), reason = reason.name(), message, "class");
    let classes: Api<OrderClass> = Api::all(context.client.clone());
    let patch = Patch::Merge(json!({"status": status}));
    match bounded(classes.patch_status(&class.name_any(), &PatchParams::default(), &patch)).await {
        Ok(_) | Err(Error::NotFound) => {}
        Err(error) => return Err(error),
    }
    context.metrics.api_writes.with_label_values(&["class"]).inc();
    wake_orders(&class.name_any(), context);
    Ok(())
}

/// Without the numbers in messages: some errors say what time it is, and that is no news.
fn timeless(status: &OrderClassStatus) -> OrderClassStatus {
    let mut status = status.clone();
    for condition in &mut status.conditions {
        condition.message.retain(|letter| !letter.is_ascii_digit());
    }
    status
}

/// Something about the class changed: its unfinished orders look again.
fn wake_orders(class: &str, context: &ClassContext) {
    for order in context.orders.state() {
        if order.spec.class_name == class && !is_final(&order) {
            // Closed only when the process stops.
            let _ = context.wake.send(ObjectRef::from_obj(&*order));
        }
    }
}

async fn set_finalizer(class: &OrderClass, wanted: bool, context: &ClassContext) -> Result<(), Error> {
    let mut finalizers: Vec<&str> =
        class.finalizers().iter().map(String::as_str).filter(|name| *name != CLASS_FINALIZER).collect();
    if wanted {
        finalizers.push(CLASS_FINALIZER);
    }
    let patch = json!({"metadata": {"resourceVersion": class.resource_version(), "finalizers": finalizers}});
    let classes: Api<OrderClass> = Api::all(context.client.clone());
    context.metrics.api_writes.with_label_values(&["class"]).inc();
    bounded(classes.patch(&class.name_any(), &PatchParams::default(), &Patch::Merge(&patch))).await.map(drop)
}
