//! The functions of the AWS side, in one program: `_HANDLER` says which of them it is. Read `function.rs` first.

#[cfg(test)]
mod alarms;
mod failure;
mod faults;
mod function;
mod handlers;
mod log;
mod ports;
mod secrets;
mod stack;

use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::function::Function;
use crate::stack::Stack;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    log::subscriber(filter, std::io::stdout).init();
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!(%reason, "the function cannot start");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return Err("another TLS provider is installed in this build".to_owned());
    }
    let function: Function = stack::variable("_HANDLER")?
        .parse()
        .map_err(|_| format!("_HANDLER is none of {}", function::names().join(", ")))?;
    let stack = Arc::new(Stack::from_environment().await?);
    let served = match function {
        Function::DeviceAck => {
            let handler = service_fn(move |event: LambdaEvent<_>| {
                let stack = Arc::clone(&stack);
                async move { handlers::device_ack(event.payload, &stack).await }
            });
            lambda_runtime::run(handler).await
        }
        Function::Await => {
            let handler = service_fn(move |event: LambdaEvent<_>| {
                let stack = Arc::clone(&stack);
                async move { handlers::wait(event.payload, &stack).await }
            });
            lambda_runtime::run(handler).await
        }
        Function::StripeWebhook => {
            let handler = service_fn(move |request: lambda_http::Request| {
                let stack = Arc::clone(&stack);
                async move { Ok::<_, Infallible>(handlers::stripe_webhook(request, &stack).await) }
            });
            lambda_http::run(handler).await
        }
        Function::Intake => {
            let settings = Arc::new(stack::intake()?);
            let handler = service_fn(move |request: lambda_http::Request| {
                let (stack, settings) = (Arc::clone(&stack), Arc::clone(&settings));
                async move { Ok::<_, Infallible>(handlers::take_in(request, &settings, &stack).await) }
            });
            lambda_http::run(handler).await
        }
        function => {
            let handler = service_fn(move |event: LambdaEvent<_>| {
                let stack = Arc::clone(&stack);
                async move { handlers::step(function, event.payload, &event.context, &stack).await }
            });
            lambda_runtime::run(handler).await
        }
    };
    served.map_err(|error| error.to_string())
}
