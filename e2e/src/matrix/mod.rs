//! The fault matrix: every boundary of every effect, every fault that can happen there, every way an order
//! can end, on real servers. The list of boundaries is [`Boundary::all`], so an effect that is added joins by
//! itself: an effect that no order of the matrix comes by is an error.
//!
//! Each order gets one fault, and shares its operators with others who have theirs. What must be true in the
//! end is in [`Ending::facts`], written by hand; who says it are the systems themselves ([`crate::evidence`]).

mod batch;
mod cell;
mod crew;
mod ending;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use comanda_boundary::{Boundary, Site};
use comanda_crds::{Capture, Order, Timeouts};
use comfy_table::{Table, presets};
use kube::Api;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use strum::IntoEnumIterator as _;

use crate::evidence::Witness;
use crate::fault_proxy::FaultProxy;
use crate::installation::{INSTALLATION, Installation, PREFIX};
use crate::stack;
use crate::stack::progress::Progress;
use crate::stack::simulators::{Device, Role, Simulator};
pub use batch::Outcome;
pub use cell::{Cell, Company, Fault};
pub use crew::{Crew, GLANCE};
pub use ending::Ending;
pub use ticket::{Ticket, look, missing_stock, stocks};

/// How many orders share a quiet period.
const CALM: usize = 150;
/// Fewer where each fault interrupts all of them.
const DEATHS: usize = 80;
const PAUSES: usize = 60;
/// How often a cell whose fault did not happen is tried in other company.
const ROUNDS: usize = 5;

/// What to run of the matrix.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Only so many cells, drawn by the seed, of each company: calm, deaths, pauses
    #[arg(long)]
    pub sample: Option<usize>,
    /// Draws the sample and the order of the cells. Default: from the clock; it is printed
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only cells whose name this regular expression matches, such as `Capture/.*:kill$`
    #[arg(long)]
    pub only: Option<String>,
    /// Names the cells and runs none
    #[arg(long)]
    pub list: bool,
}

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

    /// Runs one order of each ending without a fault, and returns the sites each came by: what cannot happen
    /// is no cell, and an effect that nobody comes by is an error.
    async fn visit(&self) -> Result<Vec<(Ending, BTreeSet<Site>)>> {
        let visited = batch::visit(self, "calm").await?;
        let all: BTreeSet<Site> = visited.iter().flat_map(|(_, sites)| sites).copied().collect();
        let missing: Vec<_> = Site::all().filter(|site| !all.contains(site)).map(Site::name).collect();
        ensure!(missing.is_empty(), "no order of the matrix comes by {missing:?}: add an ending that does");
        Ok(visited)
    }
}

/// What a run came to.
pub struct Report {
    /// The seed that drew it.
    pub seed: u64,
    /// The batches.
    pub outcomes: Vec<Outcome>,
    /// All of it, without building and starting.
    pub took: Duration,
}

impl Report {
    fn cells(&self) -> impl Iterator<Item = &(Cell, batch::Verdict)> {
        self.outcomes.iter().flat_map(|outcome| &outcome.cells)
    }

    /// How many cells went wrong.
    pub fn violations(&self) -> usize {
        self.cells().filter(|(_, verdict)| !verdict.violations.is_empty()).count()
    }

    /// A table of faults, and a closing line.
    pub fn summary(&self) -> String {
        let mut rows: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
        for (cell, verdict) in self.cells() {
            let row = rows.entry(cell.fault.name()).or_default();
            row.0 += 1;
            row.1 += usize::from(verdict.fired);
            row.2 += usize::from(!verdict.violations.is_empty());
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header([
            "fault",
            "cells",
            "fired",
            "violations",
        ]);
        for (fault, (cells, fired, violations)) in &rows {
            table.add_row([
                (*fault).to_owned(),
                cells.to_string(),
                fired.to_string(),
                violations.to_string(),
            ]);
        }
        let cells = self.cells().count();
        let fired = self.cells().filter(|(_, verdict)| verdict.fired).count();
        let boundaries: BTreeSet<Boundary> = self.cells().map(|(cell, _)| cell.boundary).collect();
        let healed = self.outcomes.iter().map(|outcome| outcome.healed).max().unwrap_or_default();
        let interruptions: usize = self.outcomes.iter().map(|outcome| outcome.interruptions).sum();
        format!(
            "{table}\n{cells} cells at {} boundaries, {fired} faults fired, {interruptions} deaths and pauses, healed \
             after at most {:.1} s, {} violations, {:.0} s, seed {}",
            boundaries.len(),
            healed.as_secs_f64(),
            self.violations(),
            self.took.as_secs_f64(),
            self.seed,
        )
    }
}

/// Runs the matrix, or what `options` choose of it.
///
/// # Errors
/// When the stack itself does not work. What orders do wrong is in the report.
pub async fn run(stack: stack::Options, options: &Options, progress: &Progress) -> Result<Report> {
    let seed = seed(options.seed, progress);
    let stage = Stage::start(stack, progress).await?;
    let only = options.only.as_deref().map(regex::Regex::new).transpose().context("--only")?;
    let visited = stage.visit().await?;
    let mut cells = Cell::all(&visited);
    cells.retain(|cell| only.as_ref().is_none_or(|only| only.is_match(&cell.to_string())));
    ensure!(!cells.is_empty(), "--only {:?} names no cell: --list shows them", options.only);
    if options.list {
        for cell in &cells {
            println!("{cell}");
        }
        println!("{} cells", cells.len());
    }
    let mut random = StdRng::seed_from_u64(seed);
    cells.shuffle(&mut random);
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    for (company, size) in [(Company::Calm, CALM), (Company::Deaths, DEATHS), (Company::Pauses, PAUSES)] {
        let mut chosen: Vec<Cell> = cells.iter().filter(|cell| cell.company() == company).copied().collect();
        chosen.truncate(if options.list { 0 } else { options.sample.unwrap_or(usize::MAX) });
        let mut rounds: BTreeMap<Cell, usize> = BTreeMap::new();
        let mut number = 0;
        while !chosen.is_empty() {
            let rest = chosen.split_off(chosen.len().min(size));
            let namespace = format!("{company:?}-{number}").to_lowercase();
            let mut outcome = batch::run(&stage, &namespace, company, &chosen).await?;
            chosen = rest;
            number += 1;
            // Another's fault came first, and the order came by its own boundary in the shadow of that one.
            outcome.cells.retain_mut(|(cell, verdict)| {
                let round = rounds.entry(*cell).or_default();
                *round += 1;
                if verdict.fired || !verdict.violations.is_empty() {
                    return true;
                }
                if *round < ROUNDS {
                    chosen.push(*cell);
                    return false;
                }
                verdict.violations.push(format!("the fault did not happen in {ROUNDS} rounds"));
                true
            });
            tell(progress, &outcome, &format!("{company:?}, {} left", chosen.len()), begun);
            outcomes.push(outcome);
        }
    }
    stage.stop().await?;
    Ok(Report { seed, outcomes, took: begun.elapsed() })
}

fn tell(progress: &Progress, outcome: &Outcome, name: &str, begun: Instant) {
    let wrong: Vec<_> = outcome.cells.iter().filter(|(_, verdict)| !verdict.violations.is_empty()).collect();
    progress.line(format!(
        "{name}: {} cells, {} with violations, {} deaths and pauses, healed after {:.1} s, took {:.0} s ({:.0} s in all)",
        outcome.cells.len(),
        wrong.len(),
        outcome.interruptions,
        outcome.healed.as_secs_f64(),
        outcome.took.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
    ));
    for (cell, verdict) in wrong {
        progress.line(format!("  {cell}"));
        for violation in &verdict.violations {
            progress.line(format!("    {violation}"));
        }
    }
}

/// The seed that was asked for, or one from the clock; says which.
pub fn seed(wanted: Option<u64>, progress: &Progress) -> u64 {
    let seed = wanted.or(u64::try_from(jiff::Timestamp::now().as_microsecond()).ok()).unwrap_or_default();
    progress.line(format!("the seed is {seed}"));
    seed
}
