//! The API server, AWS and Stripe: one request after the other, each with its fault.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use comanda_saga::Record;
use futures::{StreamExt as _, stream};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::net::TcpListener;

use super::classify::{self, Call, OrderName, Service};
use super::plan::{DELAY, LATE, WireFault};
use super::shared::{Late, Shared, Watches, lock};

/// Longer than any caller waits.
const HALF_OPEN: Duration = Duration::from_mins(1);
/// No request of an operator is larger.
const LARGEST: usize = 16 << 20;

/// Which service is behind a port. Those of AWS share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Kubernetes,
    Aws,
    Stripe,
}

/// The way to a service.
pub(super) struct Upstream {
    side: Side,
    url: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The record of each order as it was last written: what a write changes tells what it is.
    records: Mutex<HashMap<OrderName, Record>>,
}

/// A service's answer, whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What goes back to the caller; none closes the connection.
type Reply = Option<Response>;

impl Upstream {
    pub(super) fn new(side: Side, url: &str, authority: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            roots.add(certificate?)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { side, url: url.trim_end_matches('/').to_owned(), client, records: Mutex::default() })
    }

    /// What the request is, and the record it would write.
    fn classify(&self, parts: &Parts, body: &[u8]) -> (Call, Option<Record>) {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        match self.side {
            Side::Kubernetes => (classify::kubernetes(method, path, body), None),
            Side::Stripe => (classify::stripe(method, path, header("idempotency-key")), None),
            Side::Aws => {
                let before = |order: &OrderName| lock(&self.records).get(order).cloned();
                classify::aws(header("x-amz-target"), body, before)
            }
        }
    }

    async fn send(&self, parts: &Parts, body: Bytes) -> Result<http::Response<hyper::body::Incoming>> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = http::Request::builder().method(&parts.method).uri(format!("{}{path}", self.url));
        // Whoever signs for AWS signs the host: it stays the one that was meant.
        let own = [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        let is_own = |name| own.contains(name) || (*name == header::HOST && self.side != Side::Aws);
        for (name, value) in parts.headers.iter().filter(|(name, _)| !is_own(name)) {
            request = request.header(name, value);
        }
        Ok(self.client.request(request.body(Full::new(body))?).await?)
    }

    /// Asks the service, and remembers the record that it took.
    async fn ask(&self, parts: &Parts, body: Bytes, written: Option<Record>) -> Result<Answer> {
        let (head, body) = self.send(parts, body).await?.into_parts();
        let body = to_bytes(Body::new(body), LARGEST).await.context("reading an answer")?;
        if let Some(record) = written.filter(|_| head.status.is_success()) {
            let order = OrderName {
                namespace: record.identity.tenant.clone(),
                name: record.identity.order_id.clone(),
            };
            lock(&self.records).insert(order, record);
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// Serves until the listener is dropped.
pub(super) async fn serve(listener: TcpListener, upstream: Upstream, shared: Arc<Shared>) {
    let state = (Arc::new(upstream), shared);
    let router = Router::new().fallback(handle).with_state(state);
    // It ends when the proxy is dropped.
    let _ = axum::serve(listener, router).await;
}

async fn handle(
    State((upstream, shared)): State<(Arc<Upstream>, Arc<Shared>)>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else { hang_up() };
    let (call, written) = upstream.classify(&parts, &body);
    let service = call.service;
    if shared.is_down(service) {
        shared.record(&call, Some(WireFault::LoseRequest), None);
        hang_up();
    }
    if is_watch(&parts) {
        return watch(&upstream, shared, &parts, body).await;
    }
    let whole = {
        let shared = Arc::clone(&shared);
        // A task of its own: what has reached the service happens, also when the caller is gone.
        tokio::spawn(async move { pass(&upstream, &shared, call, &parts, body, written).await })
    };
    let reply = tokio::select! {
        reply = whole => reply.ok().flatten(),
        () = shared.taken_down(service) => None,
    };
    reply.unwrap_or_else(|| hang_up())
}

/// One call, with its fault.
async fn pass(
    upstream: &Upstream,
    shared: &Shared,
    call: Call,
    parts: &Parts,
    body: Bytes,
    written: Option<Record>,
) -> Reply {
    let taken = shared.take(&call);
    let mut fault = taken.as_ref().map(|taken| taken.fault);
    let mut late = None;
    let unasked = |fault| shared.record(&call, Some(fault), None);
    match fault {
        Some(fault @ WireFault::LoseRequest) => {
            unasked(fault);
            return None;
        }
        Some(fault @ WireFault::KillThenLose) => {
            unasked(fault);
            shared.kill_operators().await;
            return None;
        }
        Some(fault @ WireFault::HalfOpen) => {
            unasked(fault);
            tokio::time::sleep(HALF_OPEN).await;
            return None;
        }
        Some(fault @ (WireFault::Fail | WireFault::Throttle)) => {
            unasked(fault);
            return Some(refusal(call.service, fault));
        }
        Some(WireFault::Delay) => tokio::time::sleep(DELAY).await,
        Some(WireFault::KillThenLate) => {
            late = Some(Late::begin(&shared.late));
            shared.kill_operators().await;
            tokio::time::sleep(LATE).await;
        }
        _ => {}
    }
    let answer = upstream.ask(parts, body, written).await;
    drop(late);
    if let Some(taken) = taken.filter(|taken| taken.fault.is_of_the_answer()) {
        // A declined card is an effect too.
        let effected = |status: StatusCode| status.is_success() || status == StatusCode::PAYMENT_REQUIRED;
        let effected = answer.as_ref().is_ok_and(|answer| effected(answer.status));
        shared.settle(taken, effected);
        fault = fault.filter(|_| effected);
    }
    shared.record(&call, fault, answer.as_ref().ok().map(|answer| answer.status.as_u16()));
    let answer = answer.ok()?;
    match fault {
        Some(WireFault::LoseAnswer | WireFault::KillThenLate) => None,
        Some(WireFault::KillAfter) => {
            shared.kill_operators().await;
            None
        }
        Some(WireFault::CutAnswer) => Some(answer.cut()),
        Some(fault @ WireFault::FailAfter) => Some(refusal(call.service, fault)),
        _ => Some(answer.whole()),
    }
}

impl Answer {
    fn whole(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers);
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        response
    }

    /// The head, half of the body, and then the end of the connection.
    fn cut(self) -> Response {
        let length = self.body.len();
        let half = self.body.slice(..length / 2);
        let broken = Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let body = Body::from_stream(stream::iter([Ok(half), broken]));
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers);
        response.headers_mut().remove(header::TRANSFER_ENCODING);
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
        response
    }
}

/// An error as the service writes it.
fn refusal(service: Service, fault: WireFault) -> Response {
    let throttled = fault == WireFault::Throttle;
    let (status, kind, body) = match service {
        Service::Kubernetes => {
            let (code, reason) = if throttled { (429, "TooManyRequests") } else { (500, "InternalError") };
            let message = "as the test wished";
            let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
                               "message": message, "code": code });
            (code, "application/json", body.to_string())
        }
        Service::DynamoDb => {
            let (code, name) = if throttled {
                (400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")
            } else {
                (500, "com.amazonaws.dynamodb.v20120810#InternalServerError")
            };
            (
                code,
                "application/x-amz-json-1.0",
                json!({ "__type": name, "message": "as the test wished" }).to_string(),
            )
        }
        Service::Sns => {
            let (code, name) = if throttled { (429, "Throttled") } else { (500, "InternalFailure") };
            let body = format!(
                "<ErrorResponse><Error><Type>Receiver</Type><Code>{name}</Code><Message>as the test wished</Message>\
                 </Error></ErrorResponse>"
            );
            (code, "text/xml", body)
        }
        Service::StepFunctions | Service::Sqs => {
            let (code, name) =
                if throttled { (400, "ThrottlingException") } else { (500, "InternalFailure") };
            let body = json!({ "__type": name, "message": "as the test wished" });
            (code, "application/x-amz-json-1.0", body.to_string())
        }
        Service::Stripe | Service::Mqtt => {
            let (code, name) = if throttled { (429, "rate_limit") } else { (500, "api_error") };
            let kind = if throttled { "invalid_request_error" } else { "api_error" };
            let body = json!({ "error": { "type": kind, "code": name, "message": "as the test wished" } });
            (code, "application/json", body.to_string())
        }
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .body(Body::from(body))
        .expect("status and header are valid")
}

fn is_watch(parts: &Parts) -> bool {
    parts.uri.query().is_some_and(|query| query.contains("watch=true"))
}

/// A watch goes on for as long as both sides want, or as a test decides.
async fn watch(upstream: &Upstream, shared: Arc<Shared>, parts: &Parts, body: Bytes) -> Response {
    let watches = shared.watches.subscribe();
    match *watches.borrow() {
        Watches::Expired => return expired(false),
        Watches::Gone => return expired(true),
        Watches::Alive | Watches::Dead => {}
    }
    let Ok(answer) = upstream.send(parts, body).await else { hang_up() };
    let (head, body) = answer.into_parts();
    let changes = Body::new(body).into_data_stream();
    let stream =
        stream::unfold((changes, watches, shared), |(mut changes, mut watches, shared)| async move {
            let next = tokio::select! {
                next = changes.next() => next?.map_err(std::io::Error::other),
                () = broken(&mut watches, &shared) => Err(std::io::ErrorKind::ConnectionReset.into()),
            };
            if *watches.borrow() == Watches::Dead {
                pending::<()>().await;
            }
            Some((next, (changes, watches, shared)))
        });
    let mut response = Response::new(Body::from_stream(stream));
    (*response.status_mut(), *response.headers_mut()) = (head.status, head.headers);
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    response
}

/// Resolves when a watch must end.
async fn broken(watches: &mut tokio::sync::watch::Receiver<Watches>, shared: &Shared) {
    tokio::select! {
        // The sender lives as long as the proxy.
        _ = watches.wait_for(|watches| matches!(watches, Watches::Expired | Watches::Gone)) => {}
        () = shared.taken_down(Service::Kubernetes) => {}
    }
}

/// What the API server says to a watch that asks for changes it has forgotten: a stream whose one event is
/// the error, as its cache of recent changes does it, or a refusal of the request.
fn expired(refused: bool) -> Response {
    let message = "too old resource version";
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                         "reason": "Expired", "message": message, "code": 410 });
    let event = json!({ "type": "ERROR", "object": status });
    let (code, body) = if refused { (StatusCode::GONE, status) } else { (StatusCode::OK, event) };
    Response::builder()
        .status(code)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(format!("{body}\n")))
        .expect("status and header are valid")
}

/// Ends the task of this connection, which closes it without an answer; unlike `panic!`, it says nothing.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the connection is dropped on purpose"))
}
