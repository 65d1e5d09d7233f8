//! Kitchens and couriers as processes of their own, each with its certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Stack;
use super::aws::{Aws, Holder, Place};
use super::process::Process;

/// The installation every key and topic names.
pub const INSTALLATION: &str = "local";
/// First level of every MQTT topic.
pub const PREFIX: &str = "comanda";

/// A simulated device to start.
#[derive(Clone, Debug)]
pub struct Device {
    /// What it is.
    pub role: Role,
    /// `--client-id`, and the name of its log and certificate.
    pub name: String,
    /// `--prefix`, as in the order class.
    pub prefix: String,
    /// `--installation`, as in the order class.
    pub installation: String,
    /// `--tenant`, to which its policy binds it; none means all.
    pub tenant: Option<String>,
    /// `--store`, to which its policy binds it; none means all.
    pub store: Option<String>,
    /// `--rule`, first match wins.
    pub rules: Vec<String>,
    /// Anything else, such as `--prepare-ms 50`.
    pub args: Vec<String>,
}

/// What a device does for a living.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A tablet in a kitchen.
    Kitchen,
    /// A courier's telephone.
    Courier,
}

impl Role {
    /// The name of the subcommand.
    pub const fn subcommand(self) -> &'static str {
        match self {
            Self::Kitchen => "kitchen",
            Self::Courier => "courier",
        }
    }
}

impl Device {
    /// A device that serves every store and behaves.
    pub fn new(role: Role, name: &str, prefix: &str) -> Self {
        let [name, prefix, installation] = [name, prefix, INSTALLATION].map(str::to_owned);
        let (tenant, store, rules, args) = (None, None, Vec::new(), Vec::new());
        Self { role, name, prefix, installation, tenant, store, rules, args }
    }

    /// Binds it to one store of a tenant.
    #[must_use]
    pub fn of(mut self, tenant: &str, store: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self.store = Some(store.to_owned());
        self
    }

    /// What its certificate lets it do.
    pub fn holder(&self) -> Holder {
        let (prefix, installation) = (self.prefix.clone(), self.installation.clone());
        let place = Place { prefix, installation, tenant: self.tenant.clone(), store: self.store.clone() };
        match self.role {
            Role::Kitchen => Holder::Kitchen(place),
            Role::Courier => Holder::Courier(place),
        }
    }

    /// Adds a rule such as `slow-*=slow:2000`.
    #[must_use]
    pub fn rule(mut self, rule: &str) -> Self {
        self.rules.push(rule.to_owned());
        self
    }

    /// Adds an option that has no value.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.args.push(name.to_owned());
        self
    }

    /// Adds an option and its value.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }
}

/// A running simulator.
#[derive(Debug)]
pub struct Simulator {
    /// Its process, to pause, resume or kill it.
    pub process: Process,
    journal: PathBuf,
}

impl Simulator {
    /// Starts a device of the broker in `aws`, with its logs in `dir`, and waits until it has subscribed. `program` is
    /// the program with the subcommands.
    ///
    /// # Errors
    /// When it cannot connect to the broker.
    pub async fn start(aws: &Aws, program: &Path, dir: &Path, device: &Device) -> Result<Self> {
        let iot = aws.iot();
        let certificate = aws.device_certificate(&device.name, &device.holder()).await?;
        fs::create_dir_all(dir)?;
        let journal = dir.join(format!("{}.jsonl", device.name));

        let mut command = Command::new(program);
        command.arg(device.role.subcommand()).args(["--endpoint", &iot.address()]);
        command.arg("--ca").arg(&iot.ca_file).arg("--cert").arg(&certificate.cert_file);
        command.arg("--key").arg(&certificate.key_file).arg("--log").arg(&journal);
        command.args(["--client-id", &device.name, "--prefix", &device.prefix]);
        command.args(["--installation", &device.installation]);
        command.args(device.tenant.iter().flat_map(|tenant| ["--tenant", tenant]));
        command.args(device.store.iter().flat_map(|store| ["--store", store]));
        command.args(device.rules.iter().flat_map(|rule| ["--rule", rule]));
        command.args(&device.args);

        let mut process = Process::spawn(&device.name, command, &dir.join(format!("{}.log", device.name)))?;
        process
            .ready("its subscriptions", Duration::from_secs(20), async || {
                fs::read_to_string(&journal).ok()?.contains("\"subscribed\"").then_some(())
            })
            .await?;
        Ok(Self { process, journal })
    }

    /// What it received and sent so far: the lines of its `--log`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn journal(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(&self.journal).context("reading the log of a simulator")?;
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }
}

impl Stack {
    /// Starts a simulator with a certificate of its own and waits until it has subscribed.
    ///
    /// # Errors
    /// When it cannot connect to the broker.
    pub async fn simulate(&self, device: &Device) -> Result<Simulator> {
        Simulator::start(&self.aws, self.program(), &self.dir().join("devices"), device).await
    }
}
