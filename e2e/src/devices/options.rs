//! What every device is told when it starts.

use std::path::PathBuf;

use super::rules::Rule;

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
