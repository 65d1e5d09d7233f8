//! The Comanda operator: arguments and wiring only. Read `reconcile.rs` first.

mod arguments;
mod carrier;
mod class;
mod context;
mod customer;
mod devices;
mod error;
mod executor;
mod faults;
mod inbox;
mod intake;
mod interrupt;
mod leadership;
mod live;
mod memory;
mod object;
mod observe;
mod orders;
mod pace;
mod reconcile;
mod report;
mod run;
mod services;
mod telemetry;
mod webhook;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tracing::{error, info};

use crate::arguments::Arguments;
use crate::run::{Stopped, run};
use crate::telemetry::{Metrics, serve, start_logging};

/// The configuration cannot work: nothing was started.
const MISCONFIGURED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let refuse = |reason: String| {
        eprintln!("comanda-operator: {reason}");
        ExitCode::from(MISCONFIGURED)
    };
    if let Err(reason) = start_logging(arguments.log_format, &arguments.log_level) {
        return refuse(reason);
    }
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return refuse("another TLS provider is installed in this build".to_owned());
    }
    let metrics = match Metrics::new() {
        Ok(metrics) => Arc::new(metrics),
        Err(error) => return refuse(error.to_string()),
    };
    match serve(arguments.listen, Arc::clone(&metrics)).await {
        Ok(address) => info!(%address, "serving /metrics, /healthz and /readyz"),
        Err(error) => return refuse(format!("cannot listen on {}: {error}", arguments.listen)),
    }
    match run(&arguments, metrics).await {
        Stopped::OnRequest => ExitCode::SUCCESS,
        Stopped::Misconfigured(reason) => refuse(reason),
        Stopped::LeaseLost => {
            error!("the lease was lost to another replica; this process ends so that it starts afresh");
            ExitCode::FAILURE
        }
        Stopped::Broken => {
            error!(
                "a part of this process ended: please report it; this process ends so that it starts afresh"
            );
            ExitCode::FAILURE
        }
    }
}
