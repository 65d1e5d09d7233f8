//! Faults for the orders of one scene, and the proof that they happened.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use comanda_boundary::Boundary;

use super::{GLANCE, SOON, Shop};
use crate::fault_proxy::FaultProxy;
use crate::fault_proxy::classify::OrderName;
use crate::fault_proxy::plan::{Planned, WireFault};
use crate::installation::{INSTALLATION, Operator};
use crate::stripe_proxy::calls::Call;
use crate::stripe_proxy::faults::{Action, Fault, Match};

impl Shop<'_> {
    /// Plans what an operator does to itself at a boundary of an order: `kill`, `stop` or `pause`.
    ///
    /// # Errors
    /// When there is no such boundary.
    pub fn plan(&self, order: &str, boundary: &str, fault: &str) -> Result<()> {
        let file = self.fault_file(order, boundary)?;
        fs::write(self.world.faults()?.join("planned").join(file), fault)?;
        Ok(())
    }

    /// Waits until an operator came to that boundary.
    ///
    /// # Errors
    /// When none does.
    pub async fn until_fired(&self, order: &str, boundary: &str) -> Result<()> {
        let file: PathBuf = self.world.faults()?.join("fired").join(self.fault_file(order, boundary)?);
        let begun = Instant::now();
        while !file.exists() {
            ensure!(begun.elapsed() < SOON, "no operator came to {boundary} of {order}");
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    fn fault_file(&self, order: &str, boundary: &str) -> Result<String> {
        let Boundary { site, point } = boundary.parse()?;
        Ok(format!("{}+{order}+{}+{}", self.namespace, site.name(), point.name()))
    }

    /// Plans what befalls calls that come by a boundary of an order.
    ///
    /// # Errors
    /// When there is no such boundary, or the fault does not happen there.
    pub fn wire(&self, order: &str, boundary: &str, fault: WireFault, count: u32) -> Result<()> {
        let boundary: Boundary = boundary.parse()?;
        ensure!(fault.happens_at(boundary), "{} does not happen at {boundary}", fault.name());
        self.proxy()?.plan(Planned { order: Some(self.name(order)), boundary, fault, count });
        Ok(())
    }

    /// How often a planned fault befell calls of an order.
    ///
    /// # Errors
    /// When there is no proxy.
    pub fn befell(&self, order: &str, fault: WireFault) -> Result<usize> {
        let name = self.name(order);
        let this = |fired: &Planned| fired.order.as_ref() == Some(&name) && fired.fault == fault;
        Ok(self.proxy()?.fired().iter().filter(|fired| this(fired)).count())
    }

    /// Waits until it befell one.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_befallen(&self, order: &str, fault: WireFault) -> Result<()> {
        let begun = Instant::now();
        while self.befell(order, fault)? == 0 {
            ensure!(begun.elapsed() < SOON, "{} never befell {order}", fault.name());
            tokio::time::sleep(GLANCE / 5).await;
        }
        Ok(())
    }

    fn name(&self, order: &str) -> OrderName {
        OrderName { namespace: self.namespace.clone(), name: order.to_owned() }
    }

    /// The proxy before the services.
    ///
    /// # Errors
    /// When there is none.
    pub fn proxy(&self) -> Result<&FaultProxy> {
        self.world.installation.proxy.as_ref().context("this world has no proxy")
    }

    /// The idempotency key of an effect of an order, by the effect's part of it and the attempt.
    pub fn key(&self, order: &str, part: &str, attempt: u32) -> String {
        format!("{INSTALLATION}/{}/{order}/{part}/{attempt}", self.namespace)
    }

    /// Plans what Stripe does to the first call under a key.
    ///
    /// # Errors
    /// When its proxy refuses.
    pub async fn misbehave(&self, key: &str, action: Action) -> Result<()> {
        let matches = Match { key_regex: format!("^{key}$"), ..Match::default() };
        self.world.installation.stack.stripe.inject(&Fault { matches, action, count: 1 }).await
    }

    /// Every call to Stripe under a key of the order, in order.
    ///
    /// # Errors
    /// When its proxy does not answer.
    pub async fn payments(&self, order: &str) -> Result<Vec<Call>> {
        let prefix = format!("{INSTALLATION}/{}/{order}/", self.namespace);
        let mut calls = self.world.installation.stack.stripe.calls().await?;
        calls.retain(|call| call.key.as_ref().is_some_and(|key| key.starts_with(&prefix)));
        Ok(calls)
    }

    /// Waits until the kernel has stopped an operator.
    ///
    /// # Errors
    /// When it does not.
    pub async fn until_paused(&self, operator: &Operator) -> Result<()> {
        let begun = Instant::now();
        while !operator.process.is_paused() {
            ensure!(begun.elapsed() < SOON, "{} was not stopped", operator.process.name());
            tokio::time::sleep(GLANCE / 5).await;
        }
        Ok(())
    }
}
