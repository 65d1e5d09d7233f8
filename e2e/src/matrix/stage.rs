//! What the batches of the matrix run on.

use anyhow::{Context as _, Result};
use comanda_crds::{Capture, Order, Timeouts};
use kube::Api;
use strum::IntoEnumIterator as _;

use super::ending::{self, Ending};
use crate::evidence::Witness;
use crate::fault_proxy::FaultProxy;
use crate::installation::{INSTALLATION, Installation, PREFIX};
use crate::stack;
use crate::stack::progress::Progress;
use crate::stack::simulators::{Device, Role, Simulator};

/// An installation with its devices, ready for batches.
pub struct Stage {
    /// With a proxy, and an operator that can be stopped at boundaries.
    pub installation: Installation,
    /// The kitchen of every order.
    pub kitchen: Simulator,
    /// The courier.
    pub courier: Simulator,
}

impl Stage {
    /// Starts everything but operators.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(options: stack::Options, progress: &Progress) -> Result<Self> {
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
        installation.apply_class(ending::CLASS, class).await?;
        let articles: Vec<_> = Ending::iter().map(Ending::article).collect();
        installation.stack.aws.seed_catalogue(INSTALLATION, &articles).await?;
        let device = |role, name, rules: &[&str]| {
            let device = Device::new(role, name, PREFIX).arg("--accept-ms", "10");
            rules.iter().fold(device, |device, rule| device.rule(rule))
        };
        let kitchen = device(Role::Kitchen, "kitchen", &Ending::KITCHEN).arg("--prepare-ms", "40");
        let courier = device(Role::Courier, "courier", &Ending::COURIER)
            .arg("--pickup-ms", "20")
            .arg("--deliver-ms", "40");
        let kitchen = installation.stack.simulate(&kitchen).await?;
        let courier = installation.stack.simulate(&courier).await?;
        Ok(Self { installation, kitchen, courier })
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
