//! The intake alone, for whoever asks it a great deal: AWS with what the template makes, the function over plain HTTP, and
//! the gateway before the deployed one.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::net::TcpListener;

use crate::function_host::FunctionHost;
use crate::installation::{CLASS, INSTALLATION, TENANT};
use crate::stack::aws::{Aws, Caller, Functions};
use crate::stack::progress::Progress;
use crate::stack::tools::{Build, Profile, Tools, functions_binary};

/// Runs a command beside the intake, and ends as the command does.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The command. It finds `INTAKE_URL` (the function itself) and `GATEWAY_URL` (the deployed API, with every request
    /// signed) in its environment
    #[arg(trailing_var_arg = true, required = true)]
    command: Vec<String>,
}

/// Starts the intake and runs the command.
///
/// # Errors
/// When something does not start.
pub async fn run(options: &Options) -> Result<ExitCode> {
    let progress = Progress::stderr();
    let functions = functions_binary(Profile::current(), Build::Plain).await?;
    let tools = Box::pin(Tools::ensure(&progress)).await?;
    let dir = tempfile::tempdir()?;
    // Nobody pays.
    let deployed = Functions { program: &functions, stripe_url: "http://127.0.0.1:1" };
    let aws = Aws::start(&tools, &dir.path().join("aws"), Some(deployed)).await?;
    let deployment = aws.deployment().context("a deployment")?;
    let variables = [
        ("LEDGER_TABLE", &*deployment.ledger_table),
        ("CONTACT_KEY_SECRET_ARN", &*deployment.contact_key_secret),
        ("INTAKE_QUEUE_URL", &*deployment.intake_queue_url),
        ("WAKE_QUEUE_URL", &*deployment.wake_queue_url),
        ("INSTALLATION", INSTALLATION),
        ("TENANT", TENANT),
        ("ORDER_CLASS", CLASS),
    ];
    let mut environment = aws.env();
    environment.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let host = FunctionHost::start(&functions, "intake", &environment, dir.path()).await?;
    let caller = aws.caller(Some("fuzz")).await?;
    let [program, arguments @ ..] = &options.command[..] else { unreachable!("clap demands one") };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env("INTAKE_URL", &host.url).env("GATEWAY_URL", signing(caller).await?);
    let status = command.status().await.with_context(|| format!("running {program}"))?;
    drop(host);
    aws.stop().await?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Signs every request, and sends it on to the deployed API.
async fn signing(caller: Caller) -> Result<String> {
    let pass_on = async |State(caller): State<Arc<Caller>>, request: Request| {
        let (parts, body) = request.into_parts();
        let headers: Vec<(&str, &str)> = parts
            .headers
            .iter()
            .filter(|(name, _)| {
                !["host", "authorization", "connection", "content-length"].contains(&name.as_str())
            })
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let sent = async {
            let body = to_bytes(body, usize::MAX).await?.to_vec();
            let answer = caller.send(parts.method.as_str(), path, &headers, body).await?;
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                response = response.header(name, value);
            }
            anyhow::Ok(response.body(Body::from(answer.bytes().await?))?)
        };
        sent.await.map_err(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}")))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(pass_on).with_state(Arc::new(caller));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
