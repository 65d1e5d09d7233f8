//! The demo: real orders through real servers, and evidence of what became of each.

mod crew;
mod expected;
mod screen;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use comanda_crds::{Capture, Order, Timeouts};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::evidence::Witness;
use crate::installation::{CLASS, INSTALLATION, Installation, Operator, TENANT, all_phases};
use crate::stack::progress::Progress;
use crate::stack::simulators::Simulator;
use crate::stack::tools::{Build, Profile, functions_binary};
use crate::stack::{self, Stack};
use expected::{ORDERS, STOCK};
use screen::{Screen, Verdict};

/// Longest the orders may take together.
const PATIENCE: Duration = Duration::from_secs(90);
const GLANCE: Duration = Duration::from_millis(250);

/// Who carries the orders of the demo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Executor {
    /// The operator
    #[default]
    Direct,
    /// An execution of the state machine each, on what lambdas/template.yaml makes
    StepFunctions,
}

/// The demo's installation: a class, an operator, kitchens and couriers.
pub struct Demo {
    installation: Installation,
    operator: Operator,
    kitchens: Vec<Simulator>,
    couriers: Vec<Simulator>,
}

impl Demo {
    /// Starts everything that orders need.
    ///
    /// # Errors
    /// When something does not start.
    pub async fn start(mut options: stack::Options, executor: Executor, progress: &Progress) -> Result<Self> {
        if executor == Executor::StepFunctions {
            progress.line("building the functions");
            options.functions = Some(functions_binary(Profile::current(), Build::Plain).await?);
        }
        let installation = Installation::start(options, progress).await?;
        let timeouts = Timeouts {
            kitchen_seconds: 12,
            courier_seconds: 30,
            pickup_seconds: 10,
            customer_seconds: 30,
            recall_seconds: 3,
        };
        let mut class = installation.class_spec(timeouts, Capture::WhenReady);
        if executor == Executor::StepFunctions {
            class = installation.delegating(class, all_phases())?;
        }
        installation.apply_class(CLASS, class).await?;
        let (kitchens, couriers) = crew::start(&installation.stack).await?;
        let operator = installation.operator("operator").await?;
        progress.line(format!(
            "the operator is ready; at work are {} of kitchens and {} of couriers",
            kitchens.len(),
            couriers.len()
        ));
        Ok(Self { installation, operator, kitchens, couriers })
    }

    /// The servers.
    pub fn stack(&self) -> &Stack {
        &self.installation.stack
    }

    /// Where the operator serves its metrics.
    pub fn operator_url(&self) -> &str {
        self.operator.url()
    }

    /// Applies the orders, shows them moving, and prints the evidence. True when all of it is as expected.
    ///
    /// # Errors
    /// When a system cannot be reached.
    pub async fn run(&self) -> Result<bool> {
        let screen = Screen::new();
        let kubernetes = &self.stack().kubernetes;
        for file in order_files()? {
            kubernetes.apply_path(&file, TENANT).await?;
        }
        screen.line(&format!("applied {} orders from e2e/orders; watching them\n", ORDERS.len()));
        self.watch(screen).await?;
        self.testify().await
    }

    /// Shows the orders until each is finished or gone. On the way, one is cancelled and one deleted.
    async fn watch(&self, mut screen: Screen) -> Result<()> {
        let orders: Api<Order> = Api::namespaced(self.stack().kubernetes.client(), TENANT);
        let (mut cancelled, mut deleted) = (false, false);
        let begun = Instant::now();
        loop {
            let list = orders.list(&ListParams::default()).await?.items;
            screen.show(begun.elapsed(), &list);
            if !cancelled && self.kitchen_began("cancelled-while-preparing")? {
                let patch = json!({"spec": {"cancel": {"reason": "the customer changed their mind"}}});
                orders
                    .patch("cancelled-while-preparing", &PatchParams::default(), &Patch::Merge(&patch))
                    .await?;
                cancelled = true;
            }
            if !deleted && self.kitchen_began("deleted-while-preparing")? {
                orders.delete("deleted-while-preparing", &DeleteParams::default()).await?;
                deleted = true;
            }
            let finished =
                |order: &Order| order.status.as_ref().is_some_and(|status| status.phase.is_final());
            if list.iter().all(finished) && cancelled && deleted {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "after {} s some orders are not finished; the end of the operator's log:\n{}",
                PATIENCE.as_secs(),
                self.operator.process.log_tail()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn kitchen_began(&self, order: &str) -> Result<bool> {
        for kitchen in &self.kitchens {
            let journal = kitchen.journal()?;
            if journal.iter().any(|line| line["orderId"] == order && line["event"]["event"] == "preparing") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads every system, and holds what it says against what was expected.
    async fn testify(&self) -> Result<bool> {
        let witness =
            Witness::new(&self.installation, TENANT, self.kitchens.iter().chain(&self.couriers).collect());
        let mut verdicts = Vec::new();
        for expected in ORDERS {
            let facts = witness.facts(expected.order).await?;
            for (system, found, wanted) in [
                ("object in the API server", &facts.object, expected.object),
                ("ledger in DynamoDB", &facts.ledger, expected.ledger),
                ("payment at Stripe", &facts.payment, expected.payment),
                ("customer, through SNS", &facts.told, expected.told),
                ("commands devices acted on", &facts.commands, expected.commands),
            ] {
                verdicts.push(Verdict::new(expected.order, system, found, wanted));
            }
        }
        for (store, sku, before, after) in STOCK {
            let found = self.stack().aws.stock(INSTALLATION, store, sku).await?;
            let subject = format!("{store}: {sku}");
            let wanted = after.to_string();
            verdicts.push(Verdict::new(
                &subject,
                &format!("stock (was {before})"),
                &found.to_string(),
                &wanted,
            ));
        }
        if self.stack().aws.deployment().is_some() {
            screen::print_paths(&self.paths().await?);
        }
        screen::print(&verdicts);
        Ok(verdicts.iter().all(Verdict::holds))
    }

    /// The name of every execution, and the states that it entered.
    async fn paths(&self) -> Result<Vec<(String, Vec<String>)>> {
        let aws = &self.stack().aws;
        let mut paths = Vec::new();
        for execution in aws.executions().await? {
            let states = aws.states_entered(&execution).await?;
            let name = execution.rsplit(':').next().unwrap_or_default().to_owned();
            paths.push((name, states));
        }
        Ok(paths)
    }

    /// Stops the devices, the operator and the servers, in this order.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub async fn stop(mut self) -> Result<()> {
        let grace = Duration::from_secs(10);
        self.operator.process.terminate(grace).await?;
        for device in self.kitchens.iter_mut().chain(&mut self.couriers) {
            device.process.terminate(grace).await?;
        }
        self.installation.stack.stop().await
    }
}

fn order_files() -> Result<Vec<PathBuf>> {
    let folder = crate::package().join("orders");
    let mut files = std::fs::read_dir(&folder)
        .with_context(|| format!("reading {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
