//! The demo: real orders through real servers, and evidence of what became of each.

mod batch;
mod crew;
mod expected;
mod screen;
mod web;

use std::convert::Infallible;
use std::future;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use comanda_crds::{Capture, Order, Timeouts};
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use tokio::sync::Mutex;

use crate::installation::{CLASS, Installation, Operator, TENANT, all_phases};
use crate::stack::aws::alarms::Monitor;
use crate::stack::progress::Progress;
use crate::stack::tools::{Build, Profile, functions_binary};
use crate::stack::{self, Stack};
pub use batch::{ATTENDED, Attendance, Batch};
pub use crew::Crew;
use expected::ORDERS;
use screen::Screen;
pub use screen::Verdict;
use web::Web;

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
    crew: Crew,
    /// What turns the alarms, where AWS has any.
    monitor: Option<Mutex<Monitor>>,
}

/// Short, as whoever looks on waits for a silent kitchen.
pub fn timeouts() -> Timeouts {
    Timeouts {
        kitchen_seconds: 12,
        courier_seconds: 30,
        pickup_seconds: 10,
        customer_seconds: 30,
        recall_seconds: 3,
    }
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
        let mut class = installation.class_spec(timeouts(), Capture::WhenReady);
        if executor == Executor::StepFunctions {
            class = installation.taking_in(installation.delegating(class, all_phases())?)?;
        }
        installation.apply_class(CLASS, class).await?;
        let crew = Crew::start(&installation.stack, TENANT).await?;
        let operator = installation.operator("operator").await?;
        progress.line(format!(
            "the operator is ready; at work are {} of kitchens and {} of couriers",
            crew.kitchens.len(),
            crew.couriers.len()
        ));
        let aws = &installation.stack.aws;
        let monitor = aws.deployment().map(|_| aws.monitor()).transpose()?.map(Mutex::new);
        Ok(Self { installation, operator, crew, monitor })
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
        for file in batch::order_files()? {
            kubernetes.apply_path(&file, TENANT).await?;
        }
        let web = match &self.monitor {
            Some(_) => Some(Web::send(&self.stack().aws).await?),
            None => None,
        };
        let over_http = if web.is_some() { ", and sent two over HTTP" } else { "" };
        screen.line(&format!("applied {} orders from e2e/orders{over_http}; watching them\n", ORDERS.len()));
        self.watch(screen, web.as_ref()).await?;
        self.testify(web.as_ref()).await
    }

    /// Shows the orders until each is finished or gone. On the way, one is cancelled and one deleted.
    async fn watch(&self, mut screen: Screen, web: Option<&Web>) -> Result<()> {
        let orders: Api<Order> = Api::namespaced(self.stack().kubernetes.client(), TENANT);
        let (batch, mut attendance) = (self.batch(), Attendance::default());
        let begun = Instant::now();
        loop {
            let list = orders.list(&ListParams::default()).await?.items;
            screen.show(begun.elapsed(), &list);
            batch.attend(&mut attendance).await?;
            let web_is_over = match web {
                Some(web) => web.attend().await?,
                None => true,
            };
            let finished =
                |order: &Order| order.status.as_ref().is_some_and(|status| status.phase.is_final());
            if list.iter().all(finished) && attendance.is_over() && web_is_over {
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

    fn batch(&self) -> Batch<'_> {
        Batch::of_files(&self.installation, &self.crew, TENANT)
    }

    /// Reads every system, and holds what it says against what was expected.
    async fn testify(&self, web: Option<&Web>) -> Result<bool> {
        let snapshot = self.batch().snapshot().await?;
        let mut verdicts = self.batch().evidence_in(&snapshot).await?;
        if let Some(web) = web {
            verdicts.extend(web.evidence(&snapshot).await?);
        }
        if let Some(monitor) = &self.monitor {
            screen::print_paths(&self.paths().await?);
            screen::print_alarms(&monitor.lock().await.look(Timestamp::now()).await?);
        }
        screen::print(&verdicts);
        Ok(verdicts.iter().all(Verdict::holds))
    }

    /// Turns the alarms once a minute, as CloudWatch does, for as long as it is let.
    ///
    /// # Errors
    /// When AWS does not answer.
    pub async fn turn_alarms(&self) -> Result<Infallible> {
        let Some(monitor) = &self.monitor else { return future::pending().await };
        loop {
            monitor.lock().await.look(Timestamp::now()).await?;
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
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
        for device in self.crew.kitchens.iter_mut().chain(&mut self.crew.couriers) {
            device.process.terminate(grace).await?;
        }
        self.installation.stack.stop().await
    }
}
