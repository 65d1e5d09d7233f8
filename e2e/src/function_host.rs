//! A function over plain HTTP: the runtime interface of Lambda for one process of the functions' program, and before it a
//! server that makes events of an HTTP API of whatever it is asked, as it is asked.
//!
//! The emulator's gateway calls forty functions a second; this calls one as fast as it answers.
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path as Parameters, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::stack::process::Process;

/// How long a function has.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The largest request that an HTTP API passes on.
const LARGEST: usize = 10 << 20;

/// A function that is served.
pub struct FunctionHost {
    /// Where it is reached.
    pub url: String,
    _function: Process,
}

/// Whom a request is from, as an authorizer says.
const CALLER: &str = "arn:aws:iam::000000000000:user/plain";

struct Calls {
    next: tokio::sync::Mutex<mpsc::Receiver<(String, Value)>>,
    queue: mpsc::Sender<(String, Value)>,
    waiting: Mutex<HashMap<String, oneshot::Sender<Option<Value>>>>,
}

impl FunctionHost {
    /// Starts a function of the `program`, by its handler, with these variables; `dir` gets its log.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(
        program: &Path,
        handler: &str,
        variables: &[(String, String)],
        dir: &Path,
    ) -> Result<Self> {
        let (queue, next) = mpsc::channel(64);
        let calls = Arc::new(Calls { next: tokio::sync::Mutex::new(next), queue, waiting: Mutex::default() });
        let runtime = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next_call))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answered))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .route("/2018-06-01/runtime/init/error", post(async || StatusCode::ACCEPTED))
            .with_state(Arc::clone(&calls));
        let runtime = serve(runtime).await?;
        let front = serve(Router::new().fallback(call).with_state(calls)).await?;
        let mut command = Command::new(program);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.env("AWS_LAMBDA_RUNTIME_API", &runtime).env("_HANDLER", handler);
        command.env("AWS_LAMBDA_FUNCTION_NAME", handler).env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256");
        let function = Process::spawn(handler, command, &dir.join(format!("{handler}.log")))?;
        Ok(Self { url: format!("http://{front}"), _function: function })
    }
}

async fn serve(router: Router) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// The next event for the function.
async fn next_call(State(calls): State<Arc<Calls>>) -> Response {
    let Some((id, event)) = calls.next.lock().await.recv().await else { return plain(StatusCode::GONE) };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
    Response::builder()
        .header("lambda-runtime-aws-request-id", id)
        .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:000000000000:function:plain")
        .header("content-type", "application/json")
        .body(Body::from(event.to_string()))
        .unwrap_or_default()
}

async fn answered(
    State(calls): State<Arc<Calls>>,
    Parameters(id): Parameters<String>,
    body: Bytes,
) -> StatusCode {
    calls.settle(&id, serde_json::from_slice(&body).ok())
}

async fn failed(State(calls): State<Arc<Calls>>, Parameters(id): Parameters<String>) -> StatusCode {
    calls.settle(&id, None)
}

impl Calls {
    fn settle(&self, id: &str, answer: Option<Value>) -> StatusCode {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
        StatusCode::ACCEPTED
    }
}

/// Has the function answer a request.
async fn call(State(calls): State<Arc<Calls>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else { return plain(StatusCode::PAYLOAD_TOO_LARGE) };
    let id = uuid::Uuid::new_v4().to_string();
    let (told, answer) = oneshot::channel();
    calls.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), told);
    let event = event(&parts, &body, &id);
    if calls.queue.send((id, event)).await.is_err() {
        return plain(StatusCode::BAD_GATEWAY);
    }
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(Some(answer))) => response(&answer),
        // As a gateway says that a function failed, or did not answer in time.
        Ok(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Err(_) => plain(StatusCode::GATEWAY_TIMEOUT),
    }
}

fn event(parts: &axum::http::request::Parts, body: &[u8], id: &str) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match headers.get_mut(name.as_str()) {
            // Copies of one header come as one.
            Some(Value::String(known)) => *known = format!("{known},{value}"),
            _ => drop(headers.insert(name.to_string(), value.into())),
        }
    }
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let text = std::str::from_utf8(body).ok();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000", "apiId": "plain", "domainName": "localhost", "domainPrefix": "plain",
            "requestId": id, "routeKey": "$default", "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 0,
            "authorizer": { "iam": { "userArn": CALLER } },
            "http": {
                "method": parts.method.as_str(), "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "",
            },
        },
        "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned),
        "isBase64Encoded": text.is_none(),
    })
}

fn response(answer: &Value) -> Response {
    let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    let mut response = Response::builder().status(status);
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        response = response.header(name, value.as_str().unwrap_or_default());
    }
    for (name, values) in answer["multiValueHeaders"].as_object().into_iter().flatten() {
        let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
        response = values.fold(response, |response, value| response.header(name, value));
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD.decode(body).unwrap_or_default()
    } else {
        body.into()
    };
    response.body(Body::from(body)).unwrap_or_default()
}

fn plain(status: StatusCode) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap_or_default()
}
