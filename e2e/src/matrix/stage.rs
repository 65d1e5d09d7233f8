//! What the batches of the matrix run on.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use comanda_crds::{Capture, Order, Timeouts};
use kube::Api;
use strum::IntoEnumIterator as _;

use super::cell::Carrier;
use super::ending::{self, Ending, STORE};
use crate::evidence::Witness;
use crate::fault_proxy::FaultProxy;
use crate::installation::{INSTALLATION, Installation, PREFIX, all_phases};
use crate::stack;
use crate::stack::progress::Progress;
use crate::stack::simulators::{Device, Role, Simulator};
use crate::stack::tools::{Build, Profile, functions_binary};

/// The namespace of every order that a machine carries: the policies of the devices bind them to it.
const MACHINE: &str = "machine";

/// An installation with its devices, ready for batches.
pub struct Stage {
    /// Who carries its orders.
    pub carrier: Carrier,
    /// With a proxy, and an operator that can be stopped at boundaries.
    pub installation: Installation,
    /// The kitchen of every order.
    pub kitchen: Simulator,
    /// The courier.
    pub courier: Simulator,
    orders: AtomicUsize,
}

impl Stage {
    /// Starts everything but operators.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(mut options: stack::Options, carrier: Carrier, progress: &Progress) -> Result<Self> {
        if carrier == Carrier::Machine {
            progress.line("building the functions");
            options.functions = Some(functions_binary(Profile::current(), Build::Faults).await?);
        }
        let installation = Installation::with_faults(options, progress).await?;
        // Longer than any batch: who is silent because its operator is dead must not be given up.
        let timeouts = Timeouts {
            kitchen_seconds: 900,
            courier_seconds: 900,
            customer_seconds: 900,
            pickup_seconds: 900,
            recall_seconds: 900,
        };
        let mut class = installation.class_spec(timeouts, Capture::WhenReady);
        // A topic that is away for some seconds must not be given up either.
        class.retries.notification = 20;
        if carrier == Carrier::Machine {
            class = installation.delegating(class, all_phases())?;
        }
        installation.apply_class(ending::CLASS, class).await?;
        let articles: Vec<_> = Ending::iter().map(Ending::article).collect();
        installation.stack.aws.seed_catalogue(INSTALLATION, &articles).await?;
        let device = |role, name, rules: &[&str]| {
            let device = Device::new(role, name, PREFIX).arg("--accept-ms", "10");
            let device = if carrier == Carrier::Machine { device.of(MACHINE, STORE) } else { device };
            rules.iter().fold(device, |device, rule| device.rule(rule))
        };
        let kitchen = device(Role::Kitchen, "kitchen", &Ending::KITCHEN).arg("--prepare-ms", "40");
        let courier = device(Role::Courier, "courier", &Ending::COURIER)
            .arg("--pickup-ms", "20")
            .arg("--deliver-ms", "40");
        let kitchen = installation.stack.simulate(&kitchen).await?;
        let courier = installation.stack.simulate(&courier).await?;
        Ok(Self { carrier, installation, kitchen, courier, orders: AtomicUsize::default() })
    }

    /// The namespace for the orders of a batch of this name.
    pub fn namespace(&self, batch: &str) -> String {
        if self.carrier == Carrier::Machine { MACHINE } else { batch }.to_owned()
    }

    /// A number that no other order has.
    pub fn number(&self) -> usize {
        self.orders.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the processes that carry the orders of a namespace find the faults planned for them.
    pub fn faults(&self, namespace: &str) -> PathBuf {
        match self.carrier {
            Carrier::Operator => self.installation.stack.dir().join(format!("faults-{namespace}")),
            Carrier::Machine => self.installation.stack.aws.faults(),
        }
    }

    /// How soon after the last fault every order must be where it belongs. A message of the wake queue that a dead
    /// operator had asked for is hidden for a minute after that: `WakeQueue` in `lambdas/template.yaml`.
    pub const fn healing(&self) -> Duration {
        match self.carrier {
            Carrier::Operator => Duration::from_mins(1),
            Carrier::Machine => Duration::from_secs(150),
        }
    }

    /// Which states the executions of an order entered, for a report.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn executions_of(&self, order: &str) -> Result<String> {
        let mut lines = String::new();
        if self.carrier == Carrier::Machine {
            let aws = &self.installation.stack.aws;
            for execution in aws.executions().await? {
                if execution.contains(&format!("{order}-")) {
                    let states = aws.states_entered(&execution).await?.join(" ");
                    lines.extend([&execution, ": ", &states, "\n"]);
                }
            }
        }
        Ok(lines)
    }

    /// What stands between operators and services.
    ///
    /// # Errors
    /// When the installation has none.
    pub fn proxy(&self) -> Result<&FaultProxy> {
        self.installation.proxy.as_ref().context("the installation has no fault proxy")
    }

    /// The orders of a namespace.
    pub fn orders(&self, namespace: &str) -> Api<Order> {
        Api::namespaced(self.installation.stack.kubernetes.client(), namespace)
    }

    /// Who says what became of the orders of a namespace.
    pub fn witness(&self, namespace: &str) -> Witness<'_> {
        Witness::new(&self.installation, namespace, vec![&self.kitchen, &self.courier])
    }

    /// Stops everything.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(self) -> Result<()> {
        drop((self.kitchen, self.courier));
        self.installation.stack.stop().await
    }
}
