//! Simulated devices: kitchen tablets and couriers' telephones, as processes that speak MQTT over mutual TLS.
//!
//! They keep to the contract real devices have to keep: commands are acted on once however often they arrive, a
//! command with a lower sequence number than one already seen is ignored, and every event has an id of its own.

mod courier;
mod inbox;
mod journal;
mod kitchen;
mod message;
mod options;
mod outbox;
mod rules;
mod session;

use std::time::Duration;

use anyhow::Result;

pub use options::DeviceOptions;

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
