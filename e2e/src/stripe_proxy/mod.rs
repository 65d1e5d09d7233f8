//! A proxy that makes localstripe behave as Stripe's documentation says: idempotency keys, refusals, missing fields.
//!
//! It also keeps a record of every call and lets tests lose answers. It knows `PaymentIntent`s and refunds, which is
//! all the operator uses; other calls pass through.

mod answer;
pub mod calls;
mod cards;
mod control;
mod error;
pub mod events;
pub mod faults;
mod idempotency;
mod memory;
mod methods;
mod payments;
mod pipeline;
mod proxy;
mod request;
mod rules;
mod shape;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

pub use answer::Answer;
use calls::Calls;
use events::Events;
use idempotency::Keys;
use memory::Memory;
use payments::Payments;
use proxy::Proxy;
use upstream::Upstream;

/// Options of the subcommand `stripe-proxy`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where localstripe listens, such as <http://127.0.0.1:8420>
    #[arg(long)]
    pub upstream: String,
    /// Where to listen
    #[arg(long)]
    pub listen: SocketAddr,
    /// The file that every call is appended to, as JSON lines
    #[arg(long)]
    pub log: PathBuf,
    /// How long an idempotency key is remembered, in seconds
    #[arg(long, default_value_t = 24 * 3600)]
    pub key_ttl: u64,
    /// After how many milliseconds a pending refund of a test card settles
    #[arg(long, default_value_t = 3000)]
    pub refund_settles_ms: u64,
}

/// Serves until the process ends.
///
/// # Errors
/// When the address is taken or the log cannot be written.
pub async fn run(options: Options) -> Result<()> {
    let memory = Memory::new(Duration::from_millis(options.refund_settles_ms));
    let public_url = format!("http://{}", options.listen);
    let proxy = Arc::new(Proxy {
        payments: Payments::new(Upstream::new(&options.upstream), memory, public_url),
        keys: Mutex::new(Keys::new(Duration::from_secs(options.key_ttl))),
        faults: Mutex::default(),
        events: Events::default(),
        calls: Calls::open(&options.log)?,
    });
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.with_context(|| format!("listening on {}", options.listen))?;
    axum::serve(listener, control::router().fallback(pipeline::serve).with_state(proxy)).await?;
    Ok(())
}
