//! What a payment provider says by itself, taken in by the operator where there is no API Gateway. Off by default: it is an
//! address that the internet reaches. Read `steps/src/webhook.rs` for what it leads to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use comanda_crds::OrderClass;
use comanda_steps::adapters::stripe::webhook::{Event, LONGEST_BODY};
use comanda_steps::ports::Ledger;
use comanda_steps::webhook::{Heard, Looked, hear};
use jiff::Timestamp;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::context::Context;
use crate::inbox::{Audience, Verdict};
use crate::services::Pool;

/// How long whoever sends may wait for an answer, a look-up included. Stripe gives up later, and sends again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the webhook reaches.
struct Webhook {
    /// Every class, from the cache.
    classes: Store<OrderClass>,
    /// Its services, and what its account's events are signed with.
    services: Arc<Pool>,
    /// Who hears of what was learned.
    audience: Audience,
    /// This process's name in the ledger.
    writer: String,
}

/// What comes of a request.
struct Answer {
    status: StatusCode,
    /// As metrics label it.
    result: &'static str,
}

const TAKEN: StatusCode = StatusCode::OK;
const REFUSED: Answer = Answer { status: StatusCode::BAD_REQUEST, result: "refused" };

/// Serves the webhook, where it has an address.
pub fn listen(tasks: &mut JoinSet<()>, address: Option<SocketAddr>, context: &Context, audience: Audience) {
    let Some(address) = address else { return };
    let (classes, services) = (context.classes.clone(), Arc::clone(&context.services));
    tasks.spawn(serve(address, Webhook { classes, services, audience, writer: context.writer.clone() }));
}

/// Serves `POST /webhooks/stripe/<class>` for as long as the process leads. What is cut off then comes again.
async fn serve(address: SocketAddr, webhook: Webhook) {
    let router = Router::new()
        .route("/webhooks/stripe/{class}", post(take_in))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(Arc::new(webhook));
    let served = async {
        let listener = TcpListener::bind(address).await?;
        info!(address = %listener.local_addr()?, "serving /webhooks/stripe");
        axum::serve(listener, router).await
    };
    if let Err(error) = served.await {
        warn!(%error, %address, "--webhook-listen cannot be served");
    }
}

async fn take_in(
    State(webhook): State<Arc<Webhook>>,
    Path(class): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let took = tokio::time::timeout(PATIENCE, webhook.take_in(&class, &headers, &body)).await;
    let took = took.unwrap_or_else(|_| Err("it took too long".to_owned()));
    let Answer { status, result } = took.unwrap_or_else(|error| {
        warn!(class, error, "what the payment provider says is to be said again");
        Answer { status: StatusCode::SERVICE_UNAVAILABLE, result: "failed" }
    });
    webhook.audience.metrics.payment_events.with_label_values(&[result]).inc();
    status
}

impl Webhook {
    /// A class that there is none of, that takes no events in here, or whose signature does not hold: whoever asks is told
    /// the same of each.
    async fn take_in(&self, class: &str, headers: &HeaderMap, body: &[u8]) -> Result<Answer, String> {
        let Some(class) = self.classes.get(&ObjectRef::new(class)) else { return Ok(REFUSED) };
        let Some(secrets) = self.services.signing_secrets(&class.spec).map_err(|error| error.to_string())?
        else {
            return Ok(REFUSED);
        };
        // A second one is somebody else's.
        let mut signatures = headers.get_all("stripe-signature").iter();
        let (Some(signature), None) = (signatures.next(), signatures.next()) else { return Ok(REFUSED) };
        let Ok(signature) = signature.to_str() else { return Ok(REFUSED) };
        if let Err(why) = secrets.verify(signature, body, Timestamp::now()) {
            warn!(class = ?class.metadata.name, %why, "a request is not the payment provider's");
            return Ok(REFUSED);
        }
        let Ok(event) = Event::read(body) else { return Ok(REFUSED) };
        let services = self.services.of(&class.spec).map_err(|error| error.to_string())?;
        let heard = match &event.payment {
            Some(payment) => {
                let installation = &class.spec.installation;
                // No other process has it, and no other request to this one.
                let writer = format!("{}/{}", self.writer, uuid::Uuid::new_v4().simple());
                hear(payment, installation, services.for_steps(), &writer)
                    .await
                    .map_err(|error| error.to_string())?
            }
            None => Heard::NotOurs,
        };
        let Event { id, kind, live, .. } = &event;
        let Heard::Looked(looked) = heard else {
            info!(event = id, kind, live, outcome = "NotOurs", "webhook");
            return Ok(Answer { status: TAKEN, result: "needless" });
        };
        if let Some(executor) = &services.executor {
            let woken = looked.wake_execution(&*services.ledger, &*executor.executions).await;
            woken.map_err(|error| error.to_string())?;
        }
        if looked.is_news() {
            self.tell(&looked, &*services.ledger).await?;
        }
        let (order, outcome) = (looked.order(), looked.outcome());
        if let Some(reason) = looked.needs_person() {
            warn!(%order, event = id, kind, live, outcome, reason, "webhook");
        } else {
            info!(%order, event = id, kind, live, outcome, "webhook");
        }
        Ok(Answer { status: TAKEN, result: "looked" })
    }

    /// The object that follows the order looks again.
    async fn tell(&self, looked: &Looked, ledger: &dyn Ledger) -> Result<(), String> {
        let verdict = self.audience.hear(ledger, looked.order(), None).await;
        if let Verdict::Wakes(object) = verdict.map_err(|error| error.to_string())? {
            // The receiver goes when the controller stops.
            let _ = self.audience.wake.send(object);
        }
        Ok(())
    }
}
