//! Simulated devices: kitchen tablets and couriers' telephones, as processes that speak MQTT over mutual TLS.
//!
//! They keep to the contract real devices have to keep: commands are acted on once however often they arrive, a
//! command with a lower sequence number than one already seen is ignored, and every event has an id of its own.

mod courier;
mod inbox;
mod journal;
mod kitchen;
mod message;
mod outbox;
mod rules;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use rules::Rule;

/// Options of both subcommands.
#[derive(Clone, Debug, clap::Args)]
pub struct DeviceOptions {
    /// The broker, `host:port`; the host must be in its certificate
    #[arg(long)]
    pub endpoint: String,
    /// The authority of the broker's certificate (PEM)
    #[arg(long)]
    pub ca: PathBuf,
    /// The device's certificate (PEM)
    #[arg(long)]
    pub cert: PathBuf,
    /// The key of that certificate (PEM)
    #[arg(long)]
    pub key: PathBuf,
    /// The MQTT client id, which is the device's name in its events
    #[arg(long)]
    pub client_id: String,
    /// The topic prefix of the installation
    #[arg(long)]
    pub prefix: String,
    /// The installation, as in the order class
    #[arg(long)]
    pub installation: String,
    /// The tenant (namespace) to serve; `+` means all
    #[arg(long, default_value = "+")]
    pub tenant: String,
    /// The store to serve; `+` means all
    #[arg(long, default_value = "+")]
    pub store: String,
    /// The broker keeps what comes while the device is away
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
    pub keep_session: bool,
    /// The file for what is received and sent, as JSON lines
    #[arg(long)]
    pub log: PathBuf,
    /// How long until an order is accepted, in milliseconds
    #[arg(long, default_value_t = 200)]
    pub accept_ms: u64,
    /// How to treat orders whose id matches, repeatable, the first match wins: `GLOB=BEHAVIOUR`
    #[arg(long = "rule", value_name = "GLOB=BEHAVIOUR")]
    pub rules: Vec<Rule>,
}

/// Options of the subcommand `kitchen`.
#[derive(Clone, Debug, clap::Args)]
pub struct KitchenOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// How long an order takes to prepare, in milliseconds
    #[arg(long, default_value_t = 1500)]
    pub prepare_ms: u64,
}

/// Options of the subcommand `courier`.
#[derive(Clone, Debug, clap::Args)]
pub struct CourierOptions {
    #[command(flatten)]
    device: DeviceOptions,
    /// How long until an accepted order is picked up, in milliseconds
    #[arg(long, default_value_t = 800)]
    pub pickup_ms: u64,
    /// How long the way to the customer takes, in milliseconds
    #[arg(long, default_value_t = 1500)]
    pub deliver_ms: u64,
}

/// Is a kitchen until the process ends.
///
/// # Errors
/// When a certificate cannot be read or the log cannot be written.
pub async fn run_kitchen(options: KitchenOptions) -> Result<()> {
    let prepare = Duration::from_millis(options.prepare_ms);
    session::run(&options.device, |outbox| kitchen::Kitchen::new(outbox, &options.device, prepare)).await
}

/// Is a courier until the process ends.
///
/// # Errors
/// When a certificate cannot be read or the log cannot be written.
pub async fn run_courier(options: CourierOptions) -> Result<()> {
    let [pickup, deliver] = [options.pickup_ms, options.deliver_ms].map(Duration::from_millis);
    session::run(&options.device, |outbox| courier::Courier::new(outbox, &options.device, pickup, deliver))
        .await
}
