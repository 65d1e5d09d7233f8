//! The fault matrix: every boundary of every effect, every fault that can happen there, every way an order
//! can end, on real servers. The list of boundaries is [`Boundary::all`], so an effect that is added joins by
//! itself: an effect that no order of the matrix comes by is an error.
//!
//! Orders are carried by the operator itself, and on a stack of their own by executions of the machine, whose functions die
//! as operators do. Each order gets one fault, and shares its operators with others who have theirs. What must be true in the
//! end is in [`Ending::facts`], written by hand; who says it are the systems themselves ([`crate::evidence`]).

mod batch;
mod cell;
mod crew;
mod ending;
mod stage;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use comanda_boundary::{Boundary, Site};
use comanda_saga::Effect;
use comfy_table::{Table, presets};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use strum::IntoEnumIterator as _;

use crate::stack;
use crate::stack::progress::Progress;
pub use batch::Outcome;
pub use cell::{Carrier, Cell, Company, Fault};
pub use crew::{Crew, GLANCE};
pub use ending::Ending;
pub use stage::Stage;
pub use ticket::{Ticket, look, missing_stock, stocks};

/// How often a cell whose fault did not happen is tried in other company.
const ROUNDS: usize = 5;

/// What to run of the matrix.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Only so many cells, drawn by the seed, of each company
    #[arg(long)]
    pub sample: Option<usize>,
    /// Draws the sample and the order of the cells. Default: from the clock; it is printed
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only cells whose name this regular expression matches, such as `Capture/.*:kill$`
    #[arg(long)]
    pub only: Option<String>,
    /// Only these companies
    #[arg(long, value_enum, value_delimiter = ',')]
    pub company: Vec<Company>,
    /// Names the cells and runs none
    #[arg(long)]
    pub list: bool,
}

/// Runs one order of each ending without a fault, and returns the sites each came by: what cannot happen
/// is no cell, and an effect that nobody comes by is an error.
async fn visit(stage: &Stage) -> Result<Vec<(Ending, BTreeSet<Site>)>> {
    let visited = batch::visit(stage, &stage.namespace("calm")).await?;
    let all: BTreeSet<Site> = visited.iter().flat_map(|(_, sites)| sites).copied().collect();
    let execute = Site::Effect(Effect::Execute);
    let expected = Site::all().filter(|site| stage.carrier == Carrier::Machine || *site != execute);
    let missing: Vec<_> = expected.filter(|site| !all.contains(site)).map(Site::name).collect();
    ensure!(missing.is_empty(), "no order of the matrix comes by {missing:?}: add an ending that does");
    Ok(visited)
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
    let mut random = StdRng::seed_from_u64(seed);
    let only = options.only.as_deref().map(regex::Regex::new).transpose().context("--only")?;
    let (mut outcomes, mut took, mut named) = (Vec::new(), Duration::ZERO, 0);
    for carrier in Carrier::iter() {
        let wanted = |company: &Company| options.company.is_empty() || options.company.contains(company);
        let companies = Company::iter().filter(|company| company.carrier() == carrier).filter(wanted);
        let companies: Vec<Company> = companies.collect();
        if companies.is_empty() {
            continue;
        }
        let stage = Stage::start(stack.clone(), carrier, progress).await?;
        let mut cells = Cell::all(carrier, &visit(&stage).await?);
        cells.retain(|cell| {
            let named = only.as_ref().is_none_or(|only| only.is_match(&cell.to_string()));
            named && companies.contains(&cell.company())
        });
        named += cells.len();
        cells.shuffle(&mut random);
        let begun = Instant::now();
        for company in companies {
            let mut chosen: Vec<Cell> =
                cells.iter().filter(|cell| cell.company() == company).copied().collect();
            if options.list {
                chosen.sort_unstable();
                for cell in chosen {
                    println!("{cell}");
                }
                continue;
            }
            chosen.truncate(options.sample.unwrap_or(usize::MAX));
            outcomes.extend(befall(&stage, company, chosen, begun, progress).await?);
        }
        took += begun.elapsed();
        stage.stop().await?;
    }
    ensure!(named > 0, "--only {:?} names no cell: --list shows them", options.only);
    if options.list {
        println!("{named} cells");
    }
    Ok(Report { seed, outcomes, took })
}

/// Runs the cells of a company, batch after batch.
async fn befall(
    stage: &Stage,
    company: Company,
    mut chosen: Vec<Cell>,
    begun: Instant,
    progress: &Progress,
) -> Result<Vec<Outcome>> {
    let mut rounds: BTreeMap<Cell, usize> = BTreeMap::new();
    let mut outcomes = Vec::new();
    while !chosen.is_empty() {
        let rest = chosen.split_off(chosen.len().min(company.size()));
        let namespace = stage.namespace(&format!("{company:?}-{}", outcomes.len()).to_lowercase());
        let mut outcome = batch::run(stage, &namespace, company, &chosen).await?;
        chosen = rest;
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
    Ok(outcomes)
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
